"""What encconf uses to open a file: the environment, a terminal to ask on, open clients, time limits.

`Credentials.from_env` copies the ``SOPS_*`` variables.  Nothing else is read before a key needs it.

An `AgeSource` is a place of age identities.  First come the places that ENCCONF_IDENTITY or the user's
configuration file names, then the systemd credential ``encconf-identity``, then the places of sops 3.13.3, in
its order (age/keysource.go).  `encconf.keys.age` reads the identities in them.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock

from encconf.errors import (
    DuplicateKeyTypeError,
    InputError,
    LimitError,
    MasterKeyError,
    MissingFileError,
    SourceError,
    UsageError,
    is_temporary,
)
from encconf.io.descriptors import is_terminal
from encconf.io.threads import Lock
from encconf.text.printable import printable
from encconf.text.words import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from types import ModuleType
    from typing import Any, Final, TypeVar

    T = TypeVar("T")

CALL_LIMIT = 20
"""How many seconds one call to a key service may take, including the connection."""
KEY_LIMIT = 75
"""How many seconds one key of a key service may take in all, including retries."""

SETTINGS: Final = {
    "identity": "ENCCONF_IDENTITY",
    "age_passphrase": "ENCCONF_AGE_PASSPHRASE",
    "pgp_passphrase": "ENCCONF_PGP_PASSPHRASE",
}
"""The settings that name sources: their names in the user's configuration file, and their variables."""

KEY_VARIABLES: Final = (
    *("SOPS_AGE_KEY", "SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"),
    *("BAO_TOKEN", "VAULT_TOKEN", "BAO_SECRET_ID", "VAULT_SECRET_ID", "BAO_PASSWORD", "VAULT_PASSWORD"),
    *("BAO_JWT", "VAULT_JWT", "CONJUR_AUTHN_API_KEY", "CONJUR_AUTHN_JWT_TOKEN"),
)
"""Variables with keys that open files.  encconf does not pass them to programs, nor export them as values.

The variables of a cloud are not among them, since programs may need those.
"""

auditing: Callable[[str, str], None] | None = None
"""A function that is called with each action and its text in this process (see `encconf.auditlog`)."""

GUARD: Final = "ENCCONF_GUARD"
"""A variable with the name of the test that started this process, which must use the test's key only."""

guard: Callable[[Credentials], Credentials] | None = None
"""Replaces the credentials of the environment while a test runs.  `encconf.testing` sets it."""


class Credentials:
    """What encconf uses of the environment to open files.

    >>> me = Credentials({"SOPS_AGE_KEY": "AGE-SECRET-KEY-1…"})
    >>> load_config("secrets.enc.yaml", credentials=me)  # doctest: +SKIP

    ``environ`` is the environment for programs.  ``home`` and ``config_home`` are folders, or None.
    ``platform`` is as in `sys.platform`.  ``prompt`` gets a question and asks a person for a secret; it may
    raise EOFError, and is None without a terminal.  ``timeout`` is how long gpg or a command may take, in
    seconds, including the time that a person needs to type.  A timeout below 75 s also shortens the limits
    for one call (20 s) and one key (75 s).  ``notify`` gets each warning once, possibly in another thread.

    ``local_key_service`` is whether this process may use master keys itself, and ``key_services`` are the
    addresses of others that may be asked (see `encconf.keys.service`).  Those on other machines need
    ``insecure_remote``, since the protocol has neither encryption nor authentication.
    """

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
        self.cache: Any = None  # the DataKeyCache that `open_data_key` uses by default
        # Called in any thread with the service that is asked.  Returns a function to call after the answer.
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
        self.using_local_keys = Lock()  # held while this process uses a master key itself
        self.advice: str | None = None  # what to do if no key opens a file, instead of the usual advice
        self._age_sources: list[AgeSource] | None = None
        self.commands_once: bool | None = None  # as `open_data_key` decides
        self._clients: dict[Hashable, Any] = {}
        self._config: dict[str, list[str]] | None = None
        self._lock = Lock(RLock)
        self._notified: set[str] = set()

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        platform: str = sys.platform,
        notify: Callable[[str], None] | None = None,
    ) -> Credentials:
        """Return the credentials of a process with this environment (by default this process's own).

        If stdin is a terminal, questions are asked there.

        Raises UsageError if SOPS_ENABLE_LOCAL_KEYSERVICE or ENCCONF_INSECURE_REMOTE is neither true nor
        false.
        """
        environ = os.environ if environ is None else environ
        home = environ.get("USERPROFILE" if platform == "win32" else "HOME") or None
        uris = environ.get("SOPS_KEYSERVICE", "").split(",")
        made = cls(
            environ,
            home=home,
            config_home=config_home(environ, home, platform),
            platform=platform,
            prompt=_ask if is_terminal(0) else None,
            notify=notify,
            key_services=[uri.strip() for uri in uris if uri.strip()],
            local_key_service=_flag(environ, "SOPS_ENABLE_LOCAL_KEYSERVICE", True),
            insecure_remote=_flag(environ, "ENCCONF_INSECURE_REMOTE", False),
        )
        if guard is None and os.environ.get(GUARD):
            testing = __import__("encconf.testing", fromlist=["guarded_by_parent"])  # a room above
            guarded: Credentials = testing.guarded_by_parent(made)
            return guarded
        return made if guard is None else guard(made)

    def moved(
        self,
        environ: Mapping[str, str],
        *,
        prompt: Callable[[str], str] | None = None,
        timeout: float = 300,
        notify: Callable[[str], None] | None = None,
    ) -> Credentials:
        """Return credentials of the same user in another environment, without clients and key services."""
        return Credentials(
            environ,
            home=self.home,
            config_home=self.config_home,
            platform=self.platform,
            prompt=prompt,
            timeout=timeout,
            notify=notify,
        )

    @property
    def asks_key_services(self) -> bool:
        """Whether other processes are asked to use master keys."""
        return bool(self.key_services) or not self.local_key_service

    @property
    def call_limit(self) -> float:
        """How many seconds one call to a key service may take."""
        return min(self.timeout, CALL_LIMIT)

    @property
    def key_limit(self) -> float:
        """How many seconds one key of a key service may take in all."""
        return min(self.timeout, KEY_LIMIT)

    def client(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return a client of a key service, which ``make`` returned for the first caller with this name.

        It lives as long as these credentials.  Other threads wait while it is made, so ``make`` may read
        files and find credentials, but should not call the service.
        """
        with self._lock:
            if name not in self._clients:
                self._clients[name] = make()
            made: T = self._clients[name]
            return made

    def say(self, notice: str) -> None:
        """Pass a sentence to ``notify``, unless it was passed before."""
        with self._lock:
            new = notice not in self._notified
            self._notified.add(notice)
        if new and self.notify is not None:
            self.notify(notice)

    @property
    def patience(self) -> float:
        """How many seconds something may take that may ask a person.  It is `call_limit` without a person."""
        return self.timeout if self.prompt is not None else self.call_limit

    def ask(self, question: str, needs: str, hint: str | None = None) -> str:
        """Ask a person, and return the answer.  Without one, raise MasterKeyError: its text has ``needs``."""
        if answer := self.typed(question):
            return answer
        why = "encconf cannot ask for it without a terminal" if self.prompt is None else "none was given"
        raise MasterKeyError(f"{needs}, and {why}", hint=hint)

    def typed(self, question: str) -> str:
        """Return what a person answers, or "" without a person or an answer."""
        try:
            return self.prompt(question) if self.prompt is not None else ""
        except EOFError:
            return ""

    def audit(self, action: str, text: str) -> None:
        """Write an action on a text to the machine's audit log, if it has one.  Raises AuditError."""
        if auditing is not None:
            auditing(action, text)

    @property
    def gpg(self) -> str:
        """The gpg program: SOPS_GPG_EXEC, or the one on PATH."""
        return self.environ.get("SOPS_GPG_EXEC") or "gpg"

    def key_order(self) -> list[str]:
        """Return the key types to try first, from SOPS_DECRYPTION_ORDER.  The others follow in file order.

        Raises DuplicateKeyTypeError if it names a type twice.
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
        """The path of the user's own configuration file, which may not exist, or None without a folder."""
        return os.path.join(self.config_home, "encconf", "config.toml") if self.config_home else None

    def named(self, setting: str) -> tuple[str, list[str]]:
        """Return the variable or file that sets one of the `SETTINGS`, and its addresses, or ("", []).

        A non-empty variable overrides the configuration file.  Raises MasterKeyError for a configuration
        file that cannot be used.
        """
        variable = SETTINGS[setting]
        value = self.environ.get(variable, "")
        if value.strip():
            return variable, addresses_in(value)
        path = self.config_file
        with self._lock:
            if self._config is None:
                self._config = self._load_config(path) if path and os.path.lexists(path) else {}
            addresses = self._config.get(setting, [])
        return (tilde(path, self.home), addresses) if path and addresses else ("", [])

    def _load_config(self, path: str) -> dict[str, list[str]]:
        from encconf.identities import userconfig

        try:
            return userconfig.load(path, SETTINGS)
        except MasterKeyError as error:
            where = printable(tilde(path, self.home))
            raise MasterKeyError(f"{where}: {error.message}", hint=error.hint) from None

    def passphrase(self, setting: str) -> str | None:
        """Return the passphrase that a setting names, without the line break at its end, or None.

        It is fetched once.  Raises MasterKeyError, also if the value cannot be a passphrase.
        """
        by, addresses = self.named(setting)
        if not addresses:
            return None
        from encconf.io.threads import Once

        once = self.client(("passphrase", setting), lambda: Once(final=True))
        return once.get(lambda: _fetched_passphrase(by, addresses, self))

    def age_sources(self) -> list[AgeSource]:
        """Return the places of age identities, in reading order.  Every call returns the same objects.

        Raises MasterKeyError for a configuration file that cannot be used.
        """
        by, addresses = self.named("identity")
        with self._lock:
            if (found := self._age_sources) is not None:
                return found
            environ, home = self.environ, self.home
            found = [AgeSource(by, "source", address) for address in addresses]
            if environ.get("CREDENTIALS_DIRECTORY") and UNIT_IDENTITY not in addresses:
                found.append(AgeSource(None, "source", UNIT_IDENTITY))
            for name, how in (
                ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "file"),
                ("SOPS_AGE_SSH_PRIVATE_KEY_CMD", "command"),
            ):
                found.append(AgeSource(name, how, environ.get(name), ssh=True))
            if home:
                for name in ("id_ed25519", "id_rsa"):
                    found.append(AgeSource(None, "file", os.path.join(home, ".ssh", name), ssh=True))
            for name, how in (
                ("SOPS_AGE_KEY", "text"),
                ("SOPS_AGE_KEY_FILE", "file"),
                ("SOPS_AGE_KEY_CMD", "command"),
            ):
                found.append(AgeSource(name, how, environ.get(name)))
            if self.config_home:
                keys = os.path.join(self.config_home, "sops", "age", "keys.txt")
                found.append(AgeSource(None, "file", keys))
            self._age_sources = found
            return found

    def run_commands_again(self) -> bool:
        """Run commands for each recipient from now on.  Returns whether one's output was used for others."""
        self.commands_once = False
        return any(source.reused for source in self._age_sources or ())


def _flag(environ: Mapping[str, str], name: str, default: bool) -> bool:
    """Read a variable as Go's ParseBool does.  An empty one counts as unset."""
    value = environ.get(name) or str(default)
    if value not in TRUE and value not in FALSE:
        raise UsageError(f"{name} must be true or false")
    return value in TRUE


def _ask(question: str) -> str:
    import getpass

    return getpass.getpass(question)


# --- the places of age identities --------------------------------------------------------------------

IDENTITY_LIMIT = 1 << 24
"""The largest identity file that is read, in bytes (16 MiB, as in sops)."""

UNIT_IDENTITY = "systemd:encconf-identity"
"""The age identity of a unit with ``LoadCredential=encconf-identity:…``."""


class AgeSource:
    """One place of age identities, or (with ``ssh``) of an SSH private key.

    ``variable`` is the environment variable (or the configuration file) that names it, or None for a default
    place.  ``how`` is "text", "file", "command" or "source".  ``where`` is the value of the variable (the
    identities, a path or a command line, so it may be secret), the path, or the address of a source.  After
    `read`, ``found`` says why the place cannot be used ("unset", "not there", …) or is "".  ``hint`` is what
    to do about it, ``temporary`` whether another try may succeed, and ``broken`` whether the user should fix
    it.  ``parsed`` has the identities, by recipient for a command and by "" otherwise; a reader uses it while
    it holds ``lock``.  ``reused`` says that identities that a command printed for one recipient were tried
    for another.
    """

    found = ""
    reused = False
    hint: str | None = None
    broken = False
    temporary = False

    def __init__(self, variable: str | None, how: str, where: str | None, *, ssh: bool = False) -> None:
        self.variable = variable
        self.how = how
        self.where = where
        self.ssh = ssh
        self.lock = Lock()
        self.parsed: dict[str, Any] = {}

    @property
    def may_run_program(self) -> bool:
        """Whether `read` may start a program."""
        if self.how == "source" and self.where:
            may: bool = _sources().may_run_program(self.where)
            return may
        return self.how == "command"

    def place(self, home: str | None = None) -> str:
        """Return the place in a form to show: a variable, a path (with ``~`` for ``home``), or both."""
        if self.how == "source" and self.where:
            return " ".join(filter(None, (self.variable, label_of(self.where))))
        if self.how != "file" or not self.where or self._misused():
            return self.variable or ""
        path = tilde(self.where, home)
        return printable(f"{self.variable}={path}" if self.variable else path)

    def read(self, recipient: str, credentials: Credentials) -> bytes | None:
        """Return the bytes in the place, or None.  Then ``found`` says why.

        The home folder, environment and time limit are those of ``credentials``.  A command is run without a
        shell and gets ``recipient`` as SOPS_AGE_RECIPIENT.  Its stderr is shown.
        """
        self.found, self.hint, self.broken, self.temporary = "", None, False, False
        if not self.where:
            self.found = "unset" if self.where is None else "empty"
            return None
        if self.how == "text":
            return self.where.encode(errors="surrogateescape")
        where = self.where
        try:
            if self._misused():
                named = {"file": "the name of a file", "command": "the name of a command"}.get(self.how)
                raise SourceError(f"contains a private key instead of {named or 'the address of one'}")
            if self.how == "source":
                fetched: bytes = _sources().fetch(where, credentials)
                return fetched
            if self.how == "file":
                from encconf.io import fileio

                path = expanded(where, credentials.home)
                return fileio.as_utf8(fileio.read_bytes(path, limit=IDENTITY_LIMIT))
            from encconf.identities.command import output_of

            environ = {**credentials.environ, "SOPS_AGE_RECIPIENT": recipient}
            return output_of(where, environ, limit=credentials.timeout)
        except MissingFileError:
            self.found, self.broken = "not there", self.variable is not None
        except LimitError:
            self.fail("too large for an identity file")
        except InputError as error:
            self.fail(error.message)
        except SourceError as error:
            self.fail(error.message)
            self.temporary = is_temporary(error)
            if self.how == "source":
                self.hint = error.hint
                if self.variable is None and error.reason == "missing":
                    self.broken = False  # a default place need not exist
        return None

    def fail(self, found: str) -> None:
        """Set why the place cannot be used, as one line.

        An SSH key in a default place may be of a kind not used here.
        """
        self.found = "; ".join(line.strip() for line in found.splitlines())
        self.broken = self.broken or self.variable is not None or not self.ssh

    def _misused(self) -> bool:
        """Whether ``where`` is the key itself instead of its place: a common mistake, and not to be shown."""
        words = (self.where or "").upper().split()
        return any(word.startswith(PRIVATE) for word in (words if self.how == "file" else words[:1]))


# --- identities and passphrases that are kept in a source of secrets ---------------------------------


def _sources() -> ModuleType:
    """Import the room above that reads the addresses of sources.  Only an address makes encconf load it."""
    found: ModuleType = __import__("encconf.sources", fromlist=["fetch"])
    return found


PRIVATE = ("AGE-SECRET-KEY-", "AGE-PLUGIN-", "-----BEGIN")
"""What private keys begin with."""


def addresses_in(value: str) -> list[str]:
    """Split a variable into addresses of sources.  ``cmd:`` includes the rest of its line.

    If there is a private key by mistake, returns only that.
    """
    found: list[str] = []
    for line in value.splitlines():
        words = line.split()
        while words:
            if runs_program(words[0]):
                found.append(line[line.index(words[0]) :].strip())
                break
            if words[0].upper().startswith(PRIVATE):
                return [words[0]]
            found.append(words.pop(0))
    return found


def runs_program(address: str) -> bool:
    """Whether an address is a command line: ``cmd:``, perhaps after ``ref+``."""
    return scheme_of(address) == "cmd"


def scheme_of(address: str) -> str:
    """Return the scheme of an address in lower case, or "" if it has no colon.  It may be unknown."""
    scheme, colon, _ = address.lower().removeprefix("secret").removeprefix("ref+").partition(":")
    return scheme if colon else ""


def label_of(address: str) -> str:
    """Return an address in a form to show, or "" for anything else, since it may be a secret."""
    try:
        label: str = _sources().parse(address).label
    except SourceError:
        return ""
    return label


def _fetched_passphrase(by: str, addresses: list[str], credentials: Credentials) -> str:
    """Fetch the passphrase from the one address that ``by`` names.  Raises MasterKeyError."""
    if len(addresses) > 1:
        raise MasterKeyError(
            f"{by} names {len(addresses)} sources, but a passphrase needs exactly one", hint="name one"
        )
    named = f"{by} {label_of(addresses[0])}".rstrip()
    try:
        text: str = _sources().fetch_text(addresses[0], credentials)
    except SourceError as error:
        raise MasterKeyError(f"{named}: {error.message}", hint=error.hint) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or any(break_ in text for break_ in "\n\r\0"):
        what = "is more than one line" if text else "is empty"
        raise MasterKeyError(
            f"{named}: it {what}, so it cannot be a passphrase", hint="choose a part of it with #FIELD"
        )
    return text


# --- the folders of a user ---------------------------------------------------------------------------


def tilde(path: str, home: str | None) -> str:
    """Return the path with ``~`` for the home folder."""
    if home and path.startswith(home.rstrip(os.sep) + os.sep):
        return "~" + path[len(home.rstrip(os.sep)) :]
    return path


def expanded(path: str, home: str | None) -> str:
    """Replace a leading ``~`` by the home folder."""
    return home + path[1:] if home and path.startswith("~/") else path


def config_home(environ: Mapping[str, str], home: str | None, platform: str) -> str | None:
    """Return the folder for configuration files, as sops finds it, or None."""
    if platform == "win32":
        return environ.get("APPDATA") or None
    configured = environ.get("XDG_CONFIG_HOME")
    if configured:  # on macOS, sops also accepts a relative path
        return configured if platform == "darwin" or os.path.isabs(configured) else None
    if home is None:
        return None
    return os.path.join(home, *(("Library", "Application Support") if platform == "darwin" else (".config",)))
