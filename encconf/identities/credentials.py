"""What may be used to open master keys: age identities, the user's gpg, a terminal to ask on.

`Credentials.from_env` is the one reader of ``SOPS_*`` variables.  Age identities come from the sources
(`encconf.sources`) that ENCCONF_IDENTITY or the user's configuration file names, then from the systemd
credential ``encconf-identity``, then from where sops 3.13.3 looks, in its order (age/keysource.go).
Nothing is read before a key asks for it, nor before what is named ahead of it, and each `AgeSource`
remembers what was found there, for the report of a failure.  What is not here: what an identity is
(see `encconf.keys.age`), and gpg-agent's cache for age passphrases.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, allocate_lock

from encconf.errors import (
    DuplicateKeyTypeError,
    InputError,
    LimitError,
    MasterKeyError,
    MissingFileError,
    SourceError,
    UsageError,
)
from encconf.text.printable import printable as printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import Any, Final, TypeVar

    T = TypeVar("T")

IDENTITY_LIMIT = 1 << 24
"""The largest identity file that is read, in bytes (16 MiB, as in sops)."""


CALL_LIMIT = 20
"""Seconds that one call to a key service may take, connecting included."""
KEY_LIMIT = 75
"""Seconds that one key of a key service may take in all, with every retry."""

SETTINGS: Final = {
    "identity": "ENCCONF_IDENTITY",
    "age_passphrase": "ENCCONF_AGE_PASSPHRASE",
    "pgp_passphrase": "ENCCONF_PGP_PASSPHRASE",
}
"""What names sources: the words of the user's configuration file, and the variables that beat them."""

UNIT_IDENTITY = "systemd:encconf-identity"
"""Where a unit with ``LoadCredential=encconf-identity:…`` has its age identity."""

KEY_VARIABLES: Final = (
    *("SOPS_AGE_KEY", "SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"),
    *("BAO_TOKEN", "VAULT_TOKEN", "BAO_SECRET_ID", "VAULT_SECRET_ID", "BAO_PASSWORD", "VAULT_PASSWORD"),
    *("BAO_JWT", "VAULT_JWT", "CONJUR_AUTHN_API_KEY", "CONJUR_AUTHN_JWT_TOKEN"),
)
"""Variables that are no business of programs that get values, nor are they values: they open files.

A cloud's variables are not among them: programs have their own uses for those.
"""

_SECRET = ("AGE-SECRET-KEY-", "AGE-PLUGIN-", "-----BEGIN")

auditing: Callable[[str, str], None] | None = None
"""Is told of each text in this process what is done with it; see `encconf.auditlog`."""

guard: Callable[[Credentials], Credentials] | None = None
"""Replaces the credentials of the environment while a test runs; see `encconf.testing.guard`."""


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
        *("_age_sources", "_clients", "_config", "_lock", "_notified", "_passphrases"),
        *("cache", "config_home", "environ", "home", "notify", "platform", "prompt", "timeout", "watch"),
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
        # Is told whose answer is waited for, in any thread, and gives what to call when it came.
        self.watch: Callable[[str], Callable[[], None]] | None = None
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
        self._config: dict[str, list[str]] | None = None
        self._lock = RLock()
        self._notified: set[str] = set()
        self._passphrases: dict[str, str | MasterKeyError] = {}

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
        made = cls(
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
        return made if guard is None else guard(made)

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

    def audit(self, action: str, text: str) -> None:
        """Tell the machine's audit log, if one is kept, what is done with a text; raises AuditError."""
        if auditing is not None:
            auditing(action, text)

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

    @property
    def config_file(self) -> str | None:
        """The user's own configuration file, which need not be there; None where there is no home."""
        return os.path.join(self.config_home, "encconf", "config.toml") if self.config_home else None

    def named(self, setting: str) -> tuple[str, list[str]]:
        """Who names sources for one of the `SETTINGS`, and their addresses; without any, ("", []).

        A variable beats the configuration file, and counts as unset when it is empty.  Raises
        MasterKeyError for a configuration file that cannot be used.
        """
        variable = SETTINGS[setting]
        value = self.environ.get(variable, "")
        if value.strip():
            return variable, _addresses(value)
        path = self.config_file
        with self._lock:
            if self._config is None:
                self._config = self._load_config(path) if path and os.path.lexists(path) else {}
            addresses = self._config.get(setting, [])
        return (_tilde(path, self.home), addresses) if path and addresses else ("", [])

    def _load_config(self, path: str) -> dict[str, list[str]]:
        from encconf.identities import userconfig

        try:
            return userconfig.load(path, SETTINGS)
        except MasterKeyError as error:
            where = printable(_tilde(path, self.home))
            raise MasterKeyError(f"{where}: {error.message}", hint=error.hint) from None

    def passphrase(self, setting: str) -> str | None:
        """The passphrase that a setting names, without the line break at its end; None if it names none.

        It is fetched once.  Raises MasterKeyError, also for what can be no passphrase.
        """
        by, addresses = self.named(setting)
        if not addresses:
            return None
        with self._lock:
            lock = self._clients.setdefault(("passphrase", setting), allocate_lock())
        with lock:
            found = self._passphrases.get(setting)
            if found is None:
                try:
                    found = _passphrase(by, addresses, self)
                except MasterKeyError as error:
                    found = error
                self._passphrases[setting] = found
        if isinstance(found, MasterKeyError):
            raise MasterKeyError(found.message, hint=found.hint)
        return found

    def age_sources(self) -> list[AgeSource]:
        """Where age identities may be, in the order of asking; the same objects at every call.

        Raises MasterKeyError for a configuration file that cannot be used.
        """
        by, addresses = self.named("identity")
        with self._lock:
            return self._all_age_sources(by, addresses)

    def _all_age_sources(self, by: str, addresses: list[str]) -> list[AgeSource]:
        if self._age_sources is None:
            sources = [AgeSource(by, "source", address) for address in addresses]
            if self.environ.get("CREDENTIALS_DIRECTORY") and UNIT_IDENTITY not in addresses:
                sources.append(AgeSource(None, "source", UNIT_IDENTITY))
            sources += [
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

    ``variable`` is the environment variable (or the configuration file) that names it, None for a
    place that is looked in without that; ``how`` is "text", "file", "command" or "source"; ``where`` is
    that variable's value (the identities, a path or a command line, so it may be secret), the path, or
    the address of a source.  After `read`, ``found`` is what stood in the way ("unset", "not there", …),
    or "", ``hint`` what to do about it, and ``broken`` whether somebody should see to it.  ``parsed`` is
    for the reader's own use, while it holds ``lock``: what it made of the bytes, by recipient for a
    command and by "" else.
    """

    __slots__ = ("broken", "found", "hint", "how", "lock", "parsed", "ssh", "variable", "where")

    def __init__(self, variable: str | None, how: str, where: str | None, *, ssh: bool = False) -> None:
        self.variable = variable
        self.how = how
        self.where = where
        self.ssh = ssh
        self.found = ""
        self.hint: str | None = None
        self.broken = False
        self.lock = allocate_lock()
        self.parsed: dict[str, Any] = {}

    def place(self, home: str | None = None) -> str:
        """The place's name for people: a variable, a path (``~`` for ``home``), or both."""
        if self.how == "source" and self.where:
            return " ".join(filter(None, (self.variable, _label(self.where))))
        if self.how != "file" or not self.where or self._misused():
            return self.variable or ""
        path = _tilde(self.where, home)
        return printable(f"{self.variable}={path}" if self.variable else path)

    def read(self, recipient: str, credentials: Credentials) -> bytes | None:
        """The bytes that are there, or None; ``found`` then says why.

        A command is run without a shell, gets ``recipient`` as SOPS_AGE_RECIPIENT, and writes
        its complaints straight to stderr.
        """
        self.found, self.hint, self.broken = "", None, False
        if not self.where:
            self.found = "unset" if self.where is None else "empty"
            return None
        if self.how == "text":
            return self.where.encode(errors="surrogateescape")
        try:
            if self._misused():
                named = {"file": "the name of a file", "command": "the name of a command"}.get(self.how)
                raise _UnusableError(f"holds a private key where {named or 'the address of one'} belongs")
            if self.how == "source":
                return self._fetch(credentials)
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
        return any(word.startswith(_SECRET) for word in (words if self.how == "file" else words[:1]))

    def _fetch(self, credentials: Credentials) -> bytes | None:
        """What the source gives."""
        try:
            data: bytes = _sources().fetch(self.where, credentials)
        except SourceError as error:
            self.fail(error.message)
            self.hint = error.hint
            if self.variable is None and error.reason == "missing":
                self.broken = False  # nobody said that it is there
            return None
        return data

    def _read_file(self, credentials: Credentials) -> bytes | None:
        from encconf.io import fileio

        try:
            return fileio.read_bytes(expanded(self.where or "", credentials.home), limit=IDENTITY_LIMIT)
        except MissingFileError:
            self.found = "not there"
            self.broken = self.variable is not None
            return None
        except LimitError:
            raise _UnusableError("larger than any identity file") from None
        except InputError as error:
            raise _UnusableError(error.message) from None

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


def _sources() -> Any:
    """`encconf.sources`: a room above this one, which is entered only where a source is named."""
    return __import__("encconf.sources", fromlist=["fetch"])


def _addresses(value: str) -> list[str]:
    """The addresses of sources in a variable, with white space between; ``cmd:`` takes the rest of its line.

    A private key that stands there by mistake is all that is found.
    """
    found: list[str] = []
    for line in value.splitlines():
        words = line.split()
        while words:
            if runs_program(words[0]):
                found.append(line[line.index(words[0]) :].strip())
                break
            if words[0].upper().startswith(_SECRET):
                return [words[0]]
            found.append(words.pop(0))
    return found


def runs_program(address: str) -> bool:
    """Whether an address is a command line: ``cmd:``, with ``ref+`` in front or not."""
    return address.lower().removeprefix("secret").removeprefix("ref+").startswith("cmd:")


def _label(address: str) -> str:
    """An address for people; "" for what is none, since it may be a secret."""
    try:
        label: str = _sources().parse(address).label
    except SourceError:
        return ""
    return label


def _passphrase(by: str, addresses: list[str], credentials: Credentials) -> str:
    if len(addresses) > 1:
        raise MasterKeyError(f"{by} names {len(addresses)} sources of one passphrase", hint="name one")
    named = f"{by} {_label(addresses[0])}".rstrip()
    try:
        text: str = _sources().fetch_text(addresses[0], credentials)
    except SourceError as error:
        raise MasterKeyError(f"{named}: {error.message}", hint=error.hint) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or any(break_ in text for break_ in "\n\r\0"):
        what = "is more than one line" if text else "is empty"
        raise MasterKeyError(f"{named}: it {what}, which no passphrase is", hint="#FIELD picks a part of it")
    return text


def _tilde(path: str, home: str | None) -> str:
    """The path with ``~`` for the home folder."""
    if home and path.startswith(home.rstrip(os.sep) + os.sep):
        return "~" + path[len(home.rstrip(os.sep)) :]
    return path


def expanded(path: str, home: str | None) -> str:
    """The path with the home folder for ``~/`` in front."""
    return home + path[1:] if home and path.startswith("~/") else path


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
