"""Read and unlock age identities, which open age files.

X25519, SSH and plugins use pyrage (the Rust age), and post-quantum identities use `encconf.keys.agepq`.
Identities with a passphrase are unlocked only if no other identity opens the file.  If one identity of a file
cannot be used, the others still can.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from encconf.errors import MasterKeyError, MissingExtraError
from encconf.identities.home import expanded
from encconf.keys import shorten
from encconf.keys.ssh_key import openssh, public_beside, reserialised
from encconf.record import Record
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar

    from encconf.identities.credentials import Credentials
    from encconf.identities.places import AgeSource

    T = TypeVar("T")

Stanza = tuple[str, str]
"""The type and the first argument of a recipient stanza of an age file."""

SSH = ("ssh-ed25519", "ssh-rsa")
"""The kinds of SSH keys that age supports."""
POST_QUANTUM = "age1pq1"
"""What a post-quantum recipient begins with."""


class Identity(Record):
    """An identity of pyrage or `encconf.keys.agepq`, and its recipient if that is known.

    ``private`` is an SSH key's file, without a passphrase.
    """

    _opener: Any
    _public: str = ""
    private: bytes = b""

    def open(self, file: bytes, credentials: Credentials) -> bytes | None:
        """Return the content of an age file, or None if it is for someone else.  Raises MasterKeyError."""
        import pyrage

        try:
            content: bytes = pyrage.decrypt(file, [self._opener])
        except pyrage.DecryptError as error:
            if str(error) != "No matching keys found":
                raise MasterKeyError(f"age: {said(error)}") from None
            return None
        return content

    def is_for(self, recipient: str) -> bool:
        """Whether a recipient belongs to this identity."""
        return self.public() == " ".join(recipient.split()[:2])

    def public(self) -> str:
        """Return the recipient, or "" if it is not known."""
        if not self._public and hasattr(self._opener, "to_public"):
            self._public = str(self._opener.to_public())
        return self._public


class _PostQuantumIdentity(Identity):
    """An ``AGE-SECRET-KEY-PQ-1…``."""

    def open(self, file: bytes, credentials: Credentials) -> bytes | None:
        """Like `Identity.open`, with `encconf.keys.agepq`."""
        content: bytes | None = self._opener.open(file)
        return content

    def is_for(self, recipient: str) -> bool:
        """Whether a recipient belongs to this identity."""
        return recipient.startswith(POST_QUANTUM) and super().is_for(recipient)  # public() is slow

    def public(self) -> str:
        """Return the recipient, or only its beginning."""
        try:
            return super().public()
        except MasterKeyError:  # this build of `cryptography` cannot compute it
            return POST_QUANTUM


class PluginIdentity(Identity):
    """An ``AGE-PLUGIN-NAME-1…``.  The program age-plugin-NAME is looked for when it is needed."""

    def open(self, file: bytes, credentials: Credentials) -> bytes | None:
        """Like `Identity.open`.  Raises what the `Conversation` raises."""
        import pyrage

        with Conversation(credentials) as talk, plugin_alone(self._opener.plugin(), credentials):
            try:
                opener = pyrage.plugin.IdentityPluginV1(self._opener.plugin(), [self._opener], talk)
                return Identity(opener).open(file, credentials)
            except pyrage.DecryptError as error:  # the program is missing
                raise MasterKeyError(f"age: {said(error)}") from None

    def public(self) -> str:
        """Return the plugin's name, since only the plugin knows the recipient."""
        return f"age-plugin-{self._opener.plugin()}"


class Locked:
    """An identity file or an SSH private key with a passphrase, which is asked for once."""

    def __init__(self, data: bytes, place: str, public: str = "") -> None:
        from encconf.io.threads import Once

        self._once = Once(final=True)
        self.data = data
        self.place = place
        self.public = public

    def unlock(self, stanzas: list[Stanza], credentials: Credentials) -> list[Identity]:
        """Return the identities inside, or none if the file with these stanzas is not for this SSH key.

        Raises MasterKeyError if there is no terminal, or if the passphrase is wrong.
        """
        return self._once.get(lambda: self._unlocked(credentials)) if self.may_open(stanzas) else []

    def unlocked(self) -> list[Identity] | None:
        """Return the identities inside, or None if it was not unlocked."""
        found: list[Identity] | None = self._once.found()
        return found

    def _unlocked(self, credentials: Credentials) -> list[Identity]:
        """Unlock with the passphrase that ENCCONF_AGE_PASSPHRASE names, or with one that the user types."""
        named = credentials.passphrase("age_passphrase")
        if named is not None:
            try:
                return self.open(named)
            except MasterKeyError as error:
                if credentials.prompt is None:
                    by, _ = credentials.named("age_passphrase")
                    raise MasterKeyError(f"{error.message} (by {by})", hint=error.hint) from None
        typed = credentials.ask(
            f"Enter passphrase for {self.place}: ",
            f"{self.place} needs a passphrase",
            "run this in a terminal, set ENCCONF_AGE_PASSPHRASE to the source of the passphrase, or "
            "provide the unlocked identity with SOPS_AGE_KEY or SOPS_AGE_KEY_CMD",
        )
        return self.open(typed)

    def may_open(self, stanzas: list[Stanza]) -> bool:
        """Whether an identity inside could open a file with these stanzas, so that a passphrase is needed."""
        return True

    def open(self, passphrase: str) -> list[Identity]:
        """Decrypt an age file with a passphrase, armored or not, and return the identities inside."""
        import pyrage

        try:
            content: bytes = pyrage.passphrase.decrypt(self.data, passphrase)
        except pyrage.DecryptError as error:
            reason = {
                "Decryption failed": f"the passphrase does not open {self.place}",
                "No matching keys found": f"{self.place} is not encrypted with a passphrase",
            }.get(str(error), f"{self.place}: {said(error)}")
            raise MasterKeyError(reason) from None
        identities, problems = parse(content, several=False)
        if problems and not identities:
            raise MasterKeyError(f"{self.place}: {problems[0]}")
        return identities


class LockedSsh(Locked):
    """A passphrase-protected SSH private key, in OpenSSH's or a PEM format.

    With ``derive``, it opens files for the age recipient that is derived from it.
    """

    def __init__(self, data: bytes, place: str, public: str, *, derive: bool = False) -> None:
        super().__init__(data, place, public)
        self.derive = derive

    def may_open(self, stanzas: list[Stanza]) -> bool:
        """Whether one of these stanzas is for this key.  Those for a derived recipient do not name it."""
        if not self.public:  # an old PEM file, which can only be RSA
            return any(kind == "ssh-rsa" for kind, _ in stanzas)
        from hashlib import sha256

        kind, _, blob = self.public.partition(" ")
        tag = b2a_base64(sha256(a2b_base64(blob)).digest()[:4], newline=False).decode().rstrip("=")
        return self.derive or (kind, tag) in stanzas

    def open(self, passphrase: str) -> list[Identity]:
        """Return the identity inside.  Raises MasterKeyError."""
        import pyrage

        try:
            plain = reserialised(self.data, passphrase.encode())
            if self.derive:
                return [derived(plain, self.public)]
            return [Identity(pyrage.ssh.Identity.from_buffer(plain), self.public)]
        except (ValueError, TypeError, pyrage.IdentityError):
            raise MasterKeyError(f"the passphrase does not open {self.place}") from None


def derived(private: bytes, public: str) -> Identity:
    """Return the age identity that is derived from an ssh-ed25519 key.  It keeps the SSH key's name."""
    import pyrage

    from encconf.keys import ssh_to_age

    return Identity(pyrage.x25519.Identity.from_str(ssh_to_age.identity(private)), public)


def plugin_alone(name: str, credentials: Credentials) -> AbstractContextManager[None]:
    """Make pyrage start a plugin as encconf starts programs: from a trusted folder, and without keys.

    Raises MasterKeyError if the plugin is not there.
    """
    from encconf.identities.credentials import KEY_VARIABLES
    from encconf.io import programs

    program = f"age-plugin-{name}"
    if programs.find(program, credentials.environ) is None:
        message, hint = programs.missing(program, credentials.environ)
        raise MasterKeyError(printable(message), hint=printable(hint))
    return programs.for_libraries(credentials.environ, without=KEY_VARIABLES)


class Conversation:
    """What an age plugin calls to talk to a person.  No method may raise an error, or pyrage panics.

    An error of a method, such as KeyboardInterrupt, is raised at the end of a ``with`` block.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._prompt = credentials.prompt
        self._error: BaseException | None = None

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        if self._error is not None:
            raise self._error from None

    def display_message(self, message: str) -> None:
        """Show a message of the plugin, if a person can be asked."""
        import sys

        if self._prompt is not None:
            self._safely(lambda: print(printable(message), file=sys.stderr))

    def confirm(self, message: str, yes: str, no: str | None) -> bool | None:
        """Ask a question with two answers."""
        answer = self._ask(f"{printable(message)} ({printable(yes)}/{printable(no or 'no')}) ")
        return None if answer is None else answer.strip().lower() in ("y", "yes", yes.lower())

    def request_public_string(self, description: str) -> str | None:
        """Ask for a text."""
        return self._ask(f"{printable(description)}: ")

    def request_passphrase(self, description: str) -> str | None:
        """Ask for a secret."""
        return self._ask(f"{printable(description)}: ")

    def _ask(self, question: str) -> str | None:
        """Return a person's answer, or None."""
        prompt = self._prompt
        return None if prompt is None else self._safely(lambda: prompt(question))

    def _safely(self, call: Callable[[], T]) -> T | None:
        if self._error is None:
            try:
                return call()
            except EOFError:
                pass
            except BaseException as error:
                self._error = error
        return None


def identities_in(source: AgeSource, recipient: str, credentials: Credentials) -> Sequence[Identity | Locked]:
    """Return the identities in a place.  It is read once.

    sops runs a command once for each recipient.  With `Credentials.commands_once`, the first identities that
    it prints count for all: most commands print the same every time, and some are slow or ask a person.
    """
    asked_for = recipient if source.how == "command" else ""
    with source.lock:
        found: list[Identity | Locked] | None = source.parsed.get(asked_for)
        if found is None and source.how == "command" and credentials.commands_once:
            found = next(filter(None, source.parsed.values()), None)
            source.reused = source.reused or found is not None
        if found is None:
            found = source.parsed[asked_for] = _read(source, recipient, credentials)
    return found


def _read(source: AgeSource, recipient: str, credentials: Credentials) -> list[Identity | Locked]:
    data = source.read(recipient, credentials)
    if data is None:
        return []
    if source.ssh or (source.how == "source" and b"PRIVATE KEY-----" in data):
        return _parse_ssh(source, data, credentials)
    if is_locked(data):
        return [Locked(data, source.place(credentials.home))]
    plain, problems = parse(data, several=source.how == "text")
    if problems:
        source.fail("; ".join(problems[:3]))
    return [*plain]


def is_locked(data: bytes) -> bool:
    """Whether this is the content of an identity file with a passphrase."""
    return data.lstrip().startswith((b"age-encryption", b"-----BEGIN AGE"))


def recipient_in(data: bytes) -> str | None:
    """Return the recipient of the first key in an identity file, or of an SSH private key, or None.

    For a plugin's key, it is the recipient that a comment names.
    """
    if b"PRIVATE KEY-----" in data:
        return openssh(data)[0] or None
    noted = None
    for word in data.decode(errors="replace").split():
        if word.startswith("age1"):
            noted = noted or word
        elif word.startswith("AGE-PLUGIN-") and noted:
            return noted
        elif word.startswith("AGE-SECRET-KEY-"):
            try:
                own = identity_of(word).public()
            except ValueError:
                continue
            return noted if own == POST_QUANTUM else own
    return None


def parse(data: bytes, *, several: bool) -> tuple[list[Identity], list[str]]:
    """Return a file's identities, one on a line (``several``: any number), and what is wrong with it."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        return [], ["not a text"]
    identities: list[Identity] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("-----BEGIN"):
            return identities, ["an SSH private key: use SOPS_AGE_SSH_PRIVATE_KEY_FILE for those"]
        for word in line.split() if several else (line,):
            try:
                identities.append(identity_of(word))
            except ValueError as error:
                problems.append(str(error) if several else f"line {number}: {error}")
    return identities, problems


def identity_of(text: str) -> Identity:
    """Read one identity.  Raises ValueError, which does not quote it."""
    import pyrage

    try:
        if text.startswith("AGE-SECRET-KEY-1"):
            return Identity(pyrage.x25519.Identity.from_str(text))
        if text.startswith("AGE-PLUGIN-"):
            return PluginIdentity(pyrage.plugin.Identity.from_str(text))
    except pyrage.IdentityError:
        raise ValueError("a damaged age identity") from None
    if text.startswith("AGE-SECRET-KEY-PQ-1"):
        from encconf.keys import agepq

        try:
            return _PostQuantumIdentity(agepq.Identity(text))
        except ValueError:
            raise ValueError("a damaged age identity") from None
    if text.startswith("age1"):
        raise ValueError("a recipient, not an identity")
    if "/" in text or "\\" in text:
        raise ValueError("perhaps a path: use SOPS_AGE_KEY_FILE for those")
    raise ValueError("not an age identity")


def _parse_ssh(source: AgeSource, data: bytes, credentials: Credentials) -> list[Identity | Locked]:
    import pyrage

    place = source.place(credentials.home)
    public, locked = openssh(data)
    if not locked and b"ENCRYPTED" in data:
        path = expanded(source.where or "", credentials.home)
        public, locked = public_beside(path) if source.ssh else "", True
    if locked and public.partition(" ")[0] in (*SSH, ""):
        return [LockedSsh(data, place, public)]
    try:
        return [Identity(pyrage.ssh.Identity.from_buffer(data), public, data)]
    except pyrage.IdentityError:
        pass
    try:  # convert PKCS #8, which sops accepts and pyrage does not
        plain = reserialised(data, None)
        return [Identity(pyrage.ssh.Identity.from_buffer(plain), public or openssh(plain)[0], plain)]
    except (ValueError, TypeError, MissingExtraError, pyrage.IdentityError):
        kind = "an SSH key that age cannot use (ed25519 and RSA only)"
        source.fail(kind if b"PRIVATE KEY-----" in data else "not an SSH private key")
        return []


def label_of(recipient: str) -> str:
    """Return a recipient in a form to show: shortened, or for an SSH key its end."""
    if not recipient.startswith("ssh-"):
        return recipient if recipient.startswith("age-plugin-") else shorten(recipient)
    kind, _, rest = printable(recipient).partition(" ")
    return f"{kind} …{rest.split(' ')[0][-8:]}"


def said(error: Exception) -> str:
    """Return pyrage's message on one line, without the invisible marks that it puts around names."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else "" for c in str(error)).split())
