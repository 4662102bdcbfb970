"""What may be used to open master keys: age identities, the user's gpg, a terminal to ask on.

`Credentials.from_env` is the one reader of ``SOPS_*`` variables.  Where age identities come from,
and in which order, is that of sops 3.13.2 (age/keysource.go); nothing is read before a key asks
for it, and each `AgeSource` remembers what was found there, for the report of a failure.  What is
not here: what an identity is (see `encconf.keys.age`), and gpg-agent's cache for age passphrases.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock

from encconf.errors import DuplicateKeyTypeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import Any, TypeVar

    T = TypeVar("T")

IDENTITY_LIMIT = 1 << 24
"""The largest identity file that is read, in bytes (16 MiB, as in sops)."""


CALL_LIMIT = 20
"""Seconds that one call to a key service may take, connecting included."""
KEY_LIMIT = 75
"""Seconds that one key of a key service may take in all, with every retry."""


class Credentials:
    """The environment, as far as unlocking goes.

    ``environ`` is what children get; ``home`` and ``config_home`` are folders or None where
    there is none; ``platform`` is spelled as in `sys.platform`; ``prompt`` asks a person for a
    secret (it gets the question, and may raise EOFError) and is None where nobody can be asked;
    ``timeout`` is how long gpg or a command may take, in seconds, the person's typing included; less
    than `CALL_LIMIT` or `KEY_LIMIT`, it takes their place.  ``notify`` hears of what was done in another
    way than asked for, once each, possibly in another thread.

    ``local_key_service`` is whether this process may use master keys itself, and ``key_services`` are
    the addresses of others that may be asked (see `encconf.keys.service`), those on other machines only
    with ``insecure_remote``: the protocol neither encrypts nor says who is there.
    """

    __slots__ = (
        *("_age_sources", "_clients", "_lock", "_notified"),
        *("cache", "config_home", "environ", "home", "notify", "platform", "prompt", "timeout"),
        *("insecure_remote", "key_services", "local_key_service"),
    )

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        home: str | None = None,
        config_home: str | None = None,
        platform: str = sys.platform,
        prompt: Callable[[str], str] | None = None,
        timeout: float = 300,
        notify: Callable[[str], None] | None = None,
        key_services: Sequence[str] = (),
        local_key_service: bool = True,
        insecure_remote: bool = False,
    ) -> None:
        self.cache: Any = None  # the DataKeyCache that `open_data_key` uses where it is given none
        self.environ = environ
        self.home = home
        self.config_home = config_home
        self.platform = platform
        self.prompt = prompt
        self.timeout = timeout
        self.notify = notify
        self.key_services = list(key_services)
        self.local_key_service = local_key_service
        self.insecure_remote = insecure_remote
        self._age_sources: list[AgeSource] | None = None
        self._clients: dict[Hashable, Any] = {}
        self._lock = RLock()
        self._notified: set[str] = set()

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] = os.environ,
        *,
        platform: str = sys.platform,
        notify: Callable[[str], None] | None = None,
    ) -> Credentials:
        """The credentials of a process with this environment; asks on the terminal if stdin is one.

        Raises UsageError for SOPS_ENABLE_LOCAL_KEYSERVICE or ENCCONF_INSECURE_REMOTE with a value that
        is neither true nor false.
        """
        home = environ.get("USERPROFILE" if platform == "win32" else "HOME") or None
        uris = environ.get("SOPS_KEYSERVICE", "").split(",")
        return cls(
            environ,
            home=home,
            config_home=_config_home(environ, home, platform),
            platform=platform,
            prompt=_ask if _is_terminal(0) else None,
            notify=notify,
            key_services=[uri.strip() for uri in uris if uri.strip()],
            local_key_service=_flag(environ, "SOPS_ENABLE_LOCAL_KEYSERVICE", True),
            insecure_remote=_flag(environ, "ENCCONF_INSECURE_REMOTE", False),
        )

    @property
    def call_limit(self) -> float:
        """Seconds that one call to a key service may take."""
        return min(self.timeout, CALL_LIMIT)

    @property
    def key_limit(self) -> float:
        """Seconds that one key of a key service may take in all."""
        return min(self.timeout, KEY_LIMIT)

    def client(self, name: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` made when the first asked for this name: a client of a key service.

        It lives as long as these credentials.  All others wait while it is made, so that ``make`` may
        read files and find credentials, and the calls come later.
        """
        with self._lock:
            if name not in self._clients:
                self._clients[name] = make()
            made: T = self._clients[name]
            return made

    def say(self, notice: str) -> None:
        """Give ``notify`` a sentence that it has not heard yet."""
        with self._lock:
            new = self.notify is not None and notice not in self._notified
            self._notified.add(notice)
        if new and self.notify is not None:
            self.notify(notice)

    @property
    def gpg(self) -> str:
        """The gpg program: SOPS_GPG_EXEC, or the one on PATH."""
        return self.environ.get("SOPS_GPG_EXEC") or "gpg"

    def key_order(self) -> list[str]:
        """The key types to try first, of SOPS_DECRYPTION_ORDER; the others follow in file order.

        Raises DuplicateKeyTypeError when it names one twice.
        """
        setting = self.environ.get("SOPS_DECRYPTION_ORDER")
        if not setting:
            return ["age", "pgp"]
        order = [name.strip() for name in setting.split(",")]
        for name in order:
            if order.count(name) > 1:
                raise DuplicateKeyTypeError(f"Duplicate decryption key type: {printable(name)}")
        return order

    def age_sources(self) -> list[AgeSource]:
        """Where age identities may be, in the order of sops; the same objects at every call."""
        if self._age_sources is None:
            sources = [
                self._variable("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "file", ssh=True),
                self._variable("SOPS_AGE_SSH_PRIVATE_KEY_CMD", "command", ssh=True),
            ]
            if self.home:
                for name in ("id_ed25519", "id_rsa"):
                    sources.append(AgeSource(None, "file", os.path.join(self.home, ".ssh", name), ssh=True))
            sources += [
                self._variable("SOPS_AGE_KEY", "text"),
                self._variable("SOPS_AGE_KEY_FILE", "file"),
                self._variable("SOPS_AGE_KEY_CMD", "command"),
            ]
            if self.config_home:
                path = os.path.join(self.config_home, "sops", "age", "keys.txt")
                sources.append(AgeSource(None, "file", path))
            self._age_sources = sources
        return self._age_sources

    def _variable(self, name: str, how: str, *, ssh: bool = False) -> AgeSource:
        return AgeSource(name, how, self.environ.get(name), ssh=ssh)


class AgeSource:
    """One place where age identities, or with ``ssh`` an SSH private key, may be.

    ``variable`` is the environment variable that names it, None for a place that sops looks in
    by itself; ``where`` is that variable's value (the identities, a path or a command line, so
    it may be secret) or the path.  After `read`, ``found`` is what stood in the way ("unset",
    "not there", …), or "", and ``broken`` whether somebody should see to it.  ``parsed`` is for
    the reader's own use: what it made of the bytes, by recipient for a command and by "" else.
    """

    __slots__ = ("broken", "found", "how", "parsed", "ssh", "variable", "where")

    def __init__(self, variable: str | None, how: str, where: str | None, *, ssh: bool = False) -> None:
        self.variable = variable
        self.how = how
        self.where = where
        self.ssh = ssh
        self.found = ""
        self.broken = False
        self.parsed: dict[str, Any] = {}

    def place(self, home: str | None = None) -> str:
        """The place's name for people: a variable, a path (``~`` for ``home``), or both."""
        if self.how != "file" or not self.where or self._misused():
            return self.variable or ""
        path = self.where
        if home and path.startswith(home.rstrip(os.sep) + os.sep):
            path = "~" + path[len(home.rstrip(os.sep)) :]
        return printable(f"{self.variable}={path}" if self.variable else path)

    def read(self, recipient: str, credentials: Credentials) -> bytes | None:
        """The bytes that are there, or None; ``found`` then says why.

        A command is run without a shell, gets ``recipient`` as SOPS_AGE_RECIPIENT, and writes
        its complaints straight to stderr.
        """
        self.found, self.broken = "", False
        if not self.where:
            self.found = "unset" if self.where is None else "empty"
            return None
        if self.how == "text":
            return self.where.encode(errors="surrogateescape")
        try:
            if self._misused():
                named = "a file" if self.how == "file" else "a command"
                raise _UnusableError(f"holds a private key where the name of {named} belongs")
            if self.how == "file":
                return self._read_file(credentials)
            return self._run(recipient, credentials)
        except _UnusableError as error:
            self.fail(str(error))
            return None

    def fail(self, found: str) -> None:
        """Note that the place cannot be used as it is; SSH keys that sops finds by itself may be any."""
        self.found = found
        self.broken = self.broken or self.variable is not None or not self.ssh

    def _misused(self) -> bool:
        """Whether the key itself stands where its place belongs: a common slip, never to be shown."""
        words = (self.where or "").upper().split()
        return any(
            word.startswith(("AGE-SECRET-KEY-", "AGE-PLUGIN-", "-----BEGIN"))
            for word in (words if self.how == "file" else words[:1])
        )

    def _read_file(self, credentials: Credentials) -> bytes | None:
        path = self.where or ""
        if path.startswith("~/") and credentials.home:
            path = credentials.home + path[1:]
        try:
            with open(path, "rb") as file:
                data = file.read(IDENTITY_LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            self.found = "not there"
            self.broken = self.variable is not None
            return None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise _UnusableError(f"cannot be read: {(reason or 'not a path').lower()}") from None
        if len(data) > IDENTITY_LIMIT:
            raise _UnusableError("larger than any identity file")
        return data

    def _run(self, recipient: str, credentials: Credentials) -> bytes | None:
        import shlex
        import subprocess

        try:
            command = shlex.split(self.where or "")
        except ValueError:
            raise _UnusableError("not a command line: a quote is not closed") from None
        if not command:
            self.found = "empty"
            return None
        # The arguments may hold a token, so that only the program is named.
        program = printable(os.path.basename(command[0]))
        try:
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env={**credentials.environ, "SOPS_AGE_RECIPIENT": recipient},
                timeout=credentials.timeout,
                check=False,
            )
        except FileNotFoundError:
            raise _UnusableError(f"{program} was not found") from None
        except subprocess.TimeoutExpired:
            raise _UnusableError(f"{program} took longer than {credentials.timeout:g} s") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise _UnusableError(f"{program} cannot be run: {(reason or 'not a program').lower()}") from None
        if result.returncode:
            raise _UnusableError(f"{program} failed with exit code {result.returncode}")
        return result.stdout


class _UnusableError(Exception):
    """A place is there and cannot be used; the text says why."""


def printable(text: str) -> str:
    """The text without what could move a terminal's cursor: it may come from a foreign file."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _config_home(environ: Mapping[str, str], home: str | None, platform: str) -> str | None:
    if platform == "win32":
        return environ.get("APPDATA") or None
    configured = environ.get("XDG_CONFIG_HOME")
    if configured:  # sops takes any on macOS, and an absolute one elsewhere
        return configured if platform == "darwin" or os.path.isabs(configured) else None
    if home is None:
        return None
    return os.path.join(home, *(("Library", "Application Support") if platform == "darwin" else (".config",)))


def _flag(environ: Mapping[str, str], name: str, default: bool) -> bool:
    """A variable as Go's ParseBool reads it; an empty one counts as unset."""
    value = environ.get(name) or str(default)
    if value in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if value in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise UsageError(f"{name} must be true or false")


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _ask(question: str) -> str:
    import getpass

    return getpass.getpass(question)
