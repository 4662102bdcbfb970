"""sops's audit log in PostgreSQL: who decrypted, encrypted or rotated which file.

It works as in sops 3.13.3 (audit/audit.go).  A file on the machine names databases.  Each gets a row in its
table ``audit_event`` (``action``, ``username``, ``file``) before the action is done; if that fails, the
action fails.  Only the command line keeps the log, not a program that imports encconf.  Unlike sops, encconf
connects only for an event, so that ``--version`` needs no database, and an unreadable file is an error.
"""

from __future__ import annotations

import os
from typing import Any

from encconf.errors import AuditError, EmptyDocumentError, EncconfError
from encconf.identities import credentials
from encconf.io import fileio
from encconf.text.printable import printable

_INSERT = "INSERT INTO audit_event (action, username, file) VALUES (%s, %s, %s)"
_PATIENCE = 20  # seconds to connect


def start(path: str) -> None:
    """Start to keep the log that the file ``path`` configures, until this process ends."""
    log = AuditLog(path)
    fileio.watching = log.saw
    credentials.auditing = log.record


class AuditLog:
    """The log of one process; ``path`` is the file that names the databases."""

    def __init__(self, path: str) -> None:
        from _thread import RLock

        self._path = path
        self._files: dict[int, str] = {}
        self._connections: list[Any] | None = None
        self._lock = RLock()

    def saw(self, file: str, text: str) -> None:
        """Remember which file a text was read from."""
        self._files[hash(text)] = os.path.abspath(file)

    def record(self, action: str, text: str) -> None:
        """Record an action on a text: ``decrypt``, ``encrypt`` or ``rotate``.

        The file is "" for a text that was not read from a file, as in sops.  Raises AuditError.
        """
        with self._lock:
            if self._connections is None:
                self._connections = [_connect(self._path, each) for each in _databases(self._path)]
            if not self._connections:
                return
            row = (action, _user(self._path), self._files.get(hash(text), ""))
            for connection in self._connections:
                try:
                    connection.execute(_INSERT, row)
                except connection.Error as error:
                    raise AuditError(f"{self._path}: the event cannot be recorded: {_said(error)}") from None


def _databases(path: str) -> list[str]:
    """Return the connection strings in a configuration, in libpq's syntax."""
    from encconf import formats

    wrong = AuditError(
        f"{path} is not an audit log configuration",
        hint="the form is: backends: {postgres: [{connection_string: …}]}",
    )
    wrong.exit_code = 2
    try:
        tree: Any = formats.get("yaml").load_plain(fileio.read_bytes(path).decode())[0]
    except EmptyDocumentError:
        return []
    except EncconfError as error:
        failed = AuditError(f"{path} configures an audit log, but cannot be read: {error.message}")
        failed.exit_code = error.exit_code
        raise failed from None
    except UnicodeDecodeError:
        raise wrong from None
    for name, kind in (("backends", dict), ("postgres", list)):
        tree = tree.get(name)
        if tree is None:
            return []
        if not isinstance(tree, kind):
            raise wrong
    found: list[str] = []
    for entry in tree:
        connection = entry.get("connection_string", "") if isinstance(entry, dict) else None
        if not isinstance(connection, str):
            raise wrong
        found.append(connection)
    return found


def _connect(path: str, text: str) -> Any:
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        from encconf.text.packages import how_to_install

        raise AuditError(
            f"{path} configures an audit log in PostgreSQL, which needs the package psycopg",
            hint=how_to_install("encconf[audit]"),
        ) from None
    try:
        settings = conninfo_to_dict(text)
    except psycopg.Error:  # its text quotes the string, which may contain the password
        raise AuditError(
            f"{path} has a connection string that libpq cannot read",
            hint="postgres://USER:PASSWORD@HOST/DATABASE, with %XX for odd characters, or host=… user=…",
        ) from None
    try:
        settings.setdefault("connect_timeout", _PATIENCE)
        if "PGSSLMODE" not in os.environ:
            settings.setdefault("sslmode", "require")  # the default in Go, for a database on the network
        return psycopg.connect(autocommit=True, **settings)  # type: ignore[arg-type]
    except psycopg.Error as error:
        raise AuditError(f"{path}: a database of the audit log cannot be reached: {_said(error)}") from None


def _user(path: str) -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        raise AuditError(f"{path}: the name of the current user is not known") from None


def _said(error: Exception) -> str:
    """Return the message of an error on one line.  Messages from a server or libpq contain no password."""
    return printable(" ".join(str(error).split()))[:300]
