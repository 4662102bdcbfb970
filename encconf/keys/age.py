"""age recipients: X25519, SSH (ed25519, RSA) and plugins with pyrage (the Rust age), and post-quantum ones.

It behaves like sops 3.13.3 (age/keysource.go, ssh_parse.go, encrypted_keys.go), with these differences:

- It looks for identities in one place after another, and only until one opens the file.  It reads SSH keys
  only if the file is encrypted for one.  Identities that a person must unlock come last.
- An ssh-ed25519 key also opens files that are encrypted for the age recipient derived from it, as sops-nix
  uses them (`encconf.keys.ssh`).
- The places that ENCCONF_IDENTITY names come first, and may hold SSH keys, too.  ENCCONF_AGE_PASSPHRASE
  unlocks identities that need a passphrase.
- It does not use gpg-agent's cache for passphrases.

If one identity of a file cannot be used, the others still can.  `encconf.keys.agepq` has the post-quantum
keys, which pyrage lacks.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from encconf.errors import NO_IDENTITY, BadKeyError, MasterKeyError, MissingExtraError, NotMyKeyError
from encconf.identities.credentials import AgeSource, Credentials, expanded
from encconf.keys import MasterKey, shorten
from encconf.record import Record
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar

    T = TypeVar("T")

Stanza = tuple[str, str]
"""The type and the first argument of a recipient stanza of an age file."""

SSH = ("ssh-ed25519", "ssh-rsa")
"""The kinds of SSH keys that age supports."""
POST_QUANTUM = "age1pq1"
"""What a post-quantum recipient begins with."""

# pyrage reads a header in quadratic time, and blocks all other threads meanwhile.  One recipient needs one
# stanza, or two with the one that rops adds at random.  An RSA key of 16384 bits needs 43 lines.
STANZA_LIMIT = 10
"""How many recipients an age header may have."""
LINE_LIMIT = 2048
"""How long a line of an age header may be, in bytes."""
LINES_LIMIT = 48
"""How many lines an age header may have."""

_BEGIN, _END = "-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"


class AgeKey(MasterKey):
    """One recipient, as text.

    It is ``age1…``, ``age1pq1…`` (post-quantum), ``age1NAME1…`` (plugin), ``ssh-ed25519 …`` or ``ssh-rsa …``.
    """

    TYPE = "age"
    DATED = False
    recipient: str

    @property
    def label(self) -> str:
        """The recipient, shortened.  For an SSH key, it is the end, since all begin the same."""
        return label_of(self.recipient)

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Return the armored age file with a line feed at its end, as sops writes it.

        Raises BadKeyError for a malformed recipient, and MasterKeyError if its plugin is missing or fails.
        """
        recipient = _recipient(self.recipient)
        if recipient is None:
            from encconf.keys import agepq

            return agepq.seal(data_key, [self.recipient])
        pyrage = rage()
        try:
            if not isinstance(recipient, pyrage.plugin.Recipient):
                return _sealed(data_key, recipient)
            name = recipient.plugin()
            with Conversation(credentials) as talk, plugin_alone(name, credentials):
                return _sealed(data_key, pyrage.plugin.RecipientPluginV1(name, [recipient], [], talk))
        except pyrage.EncryptError as error:
            raise MasterKeyError(f"age: {said(error)}") from None

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Open an armored age file with an identity from `Credentials.age_sources`.

        Raises NotMyKeyError if there is none, and MasterKeyError if a matching identity or a configured
        place failed.  The message's second line lists the places.
        """
        if not self.recipient.startswith(POST_QUANTUM):
            rage()
        enc = f"{enc.strip()}\n"  # age allows blank lines around its armor, and pyrage does not
        return Search(self.recipient, enc, _stanzas(enc), credentials).run()

    def is_own(self, credentials: Credentials) -> bool:
        """Whether it is the recipient of an identity that was found without a command and a passphrase."""
        return is_own(self.recipient, credentials)

    @classmethod
    def from_config(cls, value: str) -> AgeKey:
        """Check a recipient.  Raises BadKeyError."""
        recipient = value.strip()
        if not _is_x25519(recipient):
            _recipient(recipient)
        return cls(recipient)


# --- recipients and files ------------------------------------------------------------------


def rage() -> Any:
    """Return the module pyrage, the Rust age.  Raises MissingExtraError if it is not installed."""
    try:
        import pyrage
    except ImportError:
        from encconf.text.packages import how_to_install

        hint = how_to_install("pyrage")
        raise MissingExtraError("age keys need the package pyrage", hint=hint) from None
    return pyrage


def _is_x25519(text: str) -> bool:
    """Whether a text is a recipient of the usual kind.  This does not load pyrage, which takes time.

    Raises BadKeyError for a point of low order, as sops does: everyone could read what is encrypted for it.
    pyrage would panic.
    """
    from encconf.keys import bech32

    try:
        point = bech32.decode(text, "age1", 32)
    except ValueError:
        return False
    if int.from_bytes(point, "little") % 2**255 % _PRIME in _LOW_ORDER:
        raise BadKeyError(f"{label_of(text)} is not an age recipient: it is a point of low order")
    return True


_PRIME = 2**255 - 19
_LOW_ORDER = (
    0,
    1,
    _PRIME - 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
"""The points of Curve25519 that give the same shared secret with every identity."""


def _sealed(data_key: bytes, recipient: Any) -> str:
    enc: bytes = rage().encrypt(data_key, [recipient], armored=True)
    return enc.decode().replace("\r\n", "\n")  # on Windows, pyrage ends lines as Windows does


def _recipient(text: str) -> Any:
    """Return the pyrage object of a recipient, or None for a post-quantum one.  Raises BadKeyError.

    A plugin need not be installed.
    """
    upper = text.upper()
    if "AGE-SECRET-KEY-" in upper or "AGE-PLUGIN-" in upper or "PRIVATE KEY" in upper:
        raise BadKeyError(
            "this is a private key, not an age recipient",
            hint="age-keygen -y prints the recipient of an identity; keep the private key private",
        )
    if text.startswith(POST_QUANTUM):
        from encconf.keys import agepq

        try:
            agepq.check(text)
        except ValueError as error:
            raise BadKeyError(f"{label_of(text)} is not an age recipient: {error}") from None
        return None
    pyrage = rage()
    try:
        if text.startswith("age1") and text.count("1") > 1:
            return pyrage.plugin.Recipient.from_str(text)
        if _is_x25519(text) or text.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(text)
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
    except (ValueError, pyrage.RecipientError) as error:
        if text.startswith("ssh-"):
            raise BadKeyError(
                f"{label_of(text)} is not an age recipient: it is not a whole SSH public key",
                hint="copy all of the line in its .pub file, such as: ssh-ed25519 AAAA…",
            ) from None
        raise BadKeyError(
            f"{label_of(text)} is not an age recipient: {said(error)}",
            hint="copy it once more; its owner sees it with: encconf whoami",
        ) from None
    raise BadKeyError(
        f"{label_of(text) or 'an empty text'} is not an age recipient",
        hint="age accepts age1…, age1pq1…, age1PLUGIN1…, ssh-ed25519 … and ssh-rsa …",
    )


def _stanzas(enc: str) -> list[Stanza]:
    """Return the type and first argument of each recipient stanza.

    Raises MasterKeyError if it is not an age file, or has a larger header than any wrapped data key.
    """
    begin, _, rest = enc.strip().partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    if begin or not end:
        raise MasterKeyError("its enc is not an armored age file")
    try:
        header = a2b_base64(body).partition(b"\n--- ")[0].decode("latin-1")
    except ValueError:
        raise MasterKeyError("its enc is not an armored age file") from None
    lines = header.split("\n")
    stanzas = [line.split(" ", 3) for line in lines if line.startswith("-> ")]
    too_long = len(lines) > LINES_LIMIT or max(map(len, lines)) > LINE_LIMIT
    if too_long or len(stanzas) > STANZA_LIMIT:
        raise MasterKeyError("its enc is an age file with a larger header than a data key needs")
    return [(words[1], words[2] if len(words) > 2 else "") for words in stanzas]


# --- identities ----------------------------------------------------------------------------------------


class Identity(Record):
    """An identity of pyrage or `encconf.keys.agepq`, and its recipient if that is known.

    ``private`` is an SSH key's file, without a passphrase.
    """

    _opener: Any
    _public: str = ""
    private: bytes = b""

    def open(self, file: bytes, credentials: Credentials) -> bytes | None:
        """Return the content of an age file, or None if it is for someone else.  Raises MasterKeyError."""
        pyrage = rage()

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
        pyrage = rage()

        with Conversation(credentials) as talk, plugin_alone(self._opener.plugin(), credentials):
            try:
                opener = pyrage.plugin.IdentityPluginV1(self._opener.plugin(), [self._opener], talk)
                return Identity(opener).open(file, credentials)
            except pyrage.DecryptError as error:  # the program is missing
                raise MasterKeyError(f"age: {said(error)}") from None

    def public(self) -> str:
        """Return the plugin's name, since only the plugin knows the recipient."""
        return f"age-plugin-{self._opener.plugin()}"


_ATTEMPTS = 3
"""How often a passphrase is asked for, as by ssh and gpg."""


class _WrongPassphraseError(MasterKeyError):
    """A passphrase does not open what it should."""


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
        for _ in range(_ATTEMPTS - 1):
            try:
                return self.open(typed)
            except _WrongPassphraseError:
                typed = credentials.typed(f"Wrong passphrase, try again for {self.place}: ")
                if not typed:
                    raise
        return self.open(typed)

    def may_open(self, stanzas: list[Stanza]) -> bool:
        """Whether an identity inside could open a file with these stanzas, so that a passphrase is needed."""
        return True

    def open(self, passphrase: str) -> list[Identity]:
        """Decrypt an age file with a passphrase, armored or not, and return the identities inside."""
        pyrage = rage()

        try:
            content: bytes = pyrage.passphrase.decrypt(self.data, passphrase)
        except pyrage.DecryptError as error:
            if str(error) == "Decryption failed":
                raise _WrongPassphraseError(f"the passphrase does not open {self.place}") from None
            none = str(error) == "No matching keys found"
            reason = " is not encrypted with a passphrase" if none else f": {said(error)}"
            raise MasterKeyError(f"{self.place}{reason}") from None
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
        from encconf.keys.ssh import reserialised

        pyrage = rage()
        try:
            plain = reserialised(self.data, passphrase.encode())
            if self.derive:
                return [derived(plain, self.public)]
            return [Identity(pyrage.ssh.Identity.from_buffer(plain), self.public)]
        except (ValueError, TypeError, pyrage.IdentityError):
            raise _WrongPassphraseError(f"the passphrase does not open {self.place}") from None


def derived(private: bytes, public: str) -> Identity:
    """Return the age identity that is derived from an ssh-ed25519 key.  It keeps the SSH key's name."""
    from encconf.keys import ssh

    return Identity(rage().x25519.Identity.from_str(ssh.identity(private)), public)


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
    elif not plain and source.how == "text" and b"AGE-SECRET-KEY-1" in data.upper():
        source.fail("all of it is a comment: its line breaks were lost")
    return [*plain]


def is_locked(data: bytes) -> bool:
    """Whether this is the content of an identity file with a passphrase."""
    return data.lstrip().startswith((b"age-encryption", b"-----BEGIN AGE"))


def recipient_in(data: bytes) -> str | None:
    """Return the recipient of the first key in an identity file, or of an SSH private key, or None.

    For a plugin's key, it is the recipient that a comment names.
    """
    if b"PRIVATE KEY-----" in data:
        from encconf.keys.ssh import openssh

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
            except (ValueError, MissingExtraError):
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
            except MissingExtraError as error:
                if error.message not in problems:
                    problems.append(error.message)
            except ValueError as error:
                problems.append(str(error) if several else f"line {number}: {error}")
    return identities, problems


def identity_of(text: str) -> Identity:
    """Read one identity.  Raises ValueError, which does not quote it, and MissingExtraError for pyrage."""
    if text.startswith(("AGE-SECRET-KEY-1", "AGE-PLUGIN-")):
        pyrage = rage()
        try:
            if text.startswith("AGE-PLUGIN-"):
                return PluginIdentity(pyrage.plugin.Identity.from_str(text))
            return Identity(pyrage.x25519.Identity.from_str(text))
        except pyrage.IdentityError:
            raise ValueError("a damaged age identity") from None
    if text.startswith("AGE-SECRET-KEY-PQ-1"):
        from encconf.keys import agepq

        try:
            return _PostQuantumIdentity(agepq.Identity(text))
        except ValueError:
            raise ValueError("a damaged age identity") from None
    if text.strip("\"'") != text:
        raise ValueError("its quotes are part of the value: remove them")
    if text.startswith("age1"):
        raise ValueError("a recipient, not an identity")
    if "/" in text or "\\" in text:
        raise ValueError("perhaps a path: use SOPS_AGE_KEY_FILE for those")
    raise ValueError("not an age identity")


def _parse_ssh(source: AgeSource, data: bytes, credentials: Credentials) -> list[Identity | Locked]:
    from encconf.keys.ssh import openssh, public_beside, reserialised

    place = source.place(credentials.home)
    public, locked = openssh(data)
    if not locked and b"ENCRYPTED" in data:
        path = expanded(source.where or "", credentials.home)
        public, locked = public_beside(path) if source.ssh else "", True
    if locked and public.partition(" ")[0] in (*SSH, ""):
        return [LockedSsh(data, place, public)]
    try:
        pyrage = rage()
    except MissingExtraError as error:
        source.fail(error.message)
        return []
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


# --- the search for an identity ------------------------------------------------------------------------


class Search:
    """One search.  ``looked`` are the places that were read, and ``trouble`` is what failed there."""

    def __init__(self, recipient: str, enc: str, stanzas: list[Stanza], credentials: Credentials) -> None:
        self._recipient = recipient
        self._file = enc.encode()
        self._stanzas = stanzas
        self._credentials = credentials
        self._over_ssh = any(kind in SSH for kind, _ in stanzas)
        self._may_be_derived = _may_be_derived(recipient)
        self.looked: list[AgeSource] = []
        self.trouble: list[MasterKeyError] = []

    def run(self) -> bytes:
        """Return the content of the file.  Raises NotMyKeyError and MasterKeyError."""
        for identity in self._identities():
            try:
                data_key = identity.open(self._file, self._credentials)
                if data_key is not None:
                    break
                if identity.is_for(self._recipient):
                    raise MasterKeyError("your identity matches but does not open it: the entry was changed")
            except MasterKeyError as error:
                self.trouble.append(error)
        else:
            raise self._failure()
        for source in self.looked:  # a named source could not be used, although another key opened the file
            if source.how == "source" and source.broken:
                self._credentials.say(f"{self._named(source)}: {source.found}; another key opened the file")
        return data_key

    def _identities(self) -> Iterator[Identity]:
        """Yield the identities in all places.  Those that a person must unlock come last.

        Of these, SSH keys that the recipient is derived from come first.
        """
        related: list[Locked] = []
        locked: list[Locked] = []
        for source in self._credentials.age_sources():
            identities = self._relatives(source)
            if not source.ssh or self._over_ssh:
                identities += identities_in(source, self._recipient, self._credentials)
            elif not identities:
                continue
            self.looked.append(source)
            for identity in identities:
                if not isinstance(identity, Locked):
                    yield identity
                elif source.how == "source" and self._credentials.named("age_passphrase")[1]:
                    # A named place comes before others, unless a person must be asked.
                    yield from self._unlocked(identity)
                elif isinstance(identity, LockedSsh) and identity.derive:
                    related.append(identity)
                else:
                    locked.append(identity)
        for lock in [*related, *locked]:
            yield from self._unlocked(lock)

    def _unlocked(self, lock: Locked) -> Sequence[Identity]:
        try:
            return lock.unlock(self._stanzas, self._credentials)
        except MasterKeyError as error:
            self.trouble.append(error)
            return []

    def _relatives(self, source: AgeSource) -> list[Identity | Locked]:
        """Return the SSH keys in a place that this recipient is derived from.

        This does not run a command: it may ask a person, and few recipients are derived.
        """
        found: list[Identity | Locked] = []
        if not self._may_be_derived or source.how != ("file" if source.ssh else "source"):
            return found
        for identity in identities_in(source, self._recipient, self._credentials):
            public = identity.public if isinstance(identity, Locked) else identity.public()
            if not public.startswith("ssh-"):
                continue
            from encconf.keys import ssh

            try:
                if ssh.recipient(public) != self._recipient:
                    continue
                if isinstance(identity, Locked):
                    found.append(LockedSsh(identity.data, identity.place, public, derive=True))
                else:
                    found.append(derived(identity.private, public))
            except BadKeyError:  # a key of another kind
                pass
            except ValueError:  # pyrage reads less of the file than `cryptography`
                place = source.place(self._credentials.home)
                self.trouble.append(MasterKeyError(f"{place} is a damaged SSH private key"))
        return found

    # --- the report ------------------------------------------------------------------------

    def _failure(self) -> MasterKeyError:
        """Return the error that says why nothing opened the file, and which places were read."""
        credentials = self._credentials
        notes = [self._place(source) for source in self.looked]
        if not self._over_ssh:
            for source in credentials.age_sources():
                if source.ssh and source.variable and source.where and source not in self.looked:
                    notes.append(f"{source.place(credentials.home)} (not read: no SSH key can open it)")
        if credentials.home is None:
            variable = "USERPROFILE" if credentials.platform == "win32" else "HOME"
            notes.append(f"{variable} (unset, so no key file can be found below it)")
        places = ", ".join(notes)
        if self.trouble:
            first = self.trouble[0]
            return MasterKeyError(f"{first.message}\nlooked in: {places}", hint=first.hint)
        broken = [source for source in self.looked if source.broken]
        if broken:
            unfit = ", ".join(f"{self._named(source)} ({source.found})" for source in broken)
            hint = next((source.hint for source in broken if source.hint), None)
            hint = hint or f"correct {' and '.join(map(self._named, broken))}"
            why = "unreachable" if all(source.temporary for source in broken) else None
            said = f"{NO_IDENTITY}; not usable: {unfit}\nlooked in: {places}"
            return MasterKeyError(said, hint=hint, reason=why)
        return NotMyKeyError(f"{NO_IDENTITY}\nlooked in: {places}")

    def _place(self, source: AgeSource) -> str:
        """Return a place for the report, such as ``SOPS_AGE_KEY_FILE=~/k.txt (2 keys: age1…, age1…)``."""
        notes = []
        keys: list[str] = []
        used = source.parsed.get(self._recipient if source.how == "command" else "")
        if used is None and source.reused:
            used = next(filter(None, source.parsed.values()))
        for identity in used or ():
            if isinstance(identity, Identity):
                keys.append(label_of(identity.public()) or "an SSH key")
            elif (unlocked := identity.unlocked()) is not None:
                keys += [label_of(each.public()) for each in unlocked]
            else:
                notes.append(
                    f"protected by a passphrase{identity.public and ': '}{label_of(identity.public)}"
                )
        if keys:
            some = ", ".join(keys[:4]) + (f", and {len(keys) - 4} more" if len(keys) > 4 else "")
            notes.append(f"{len(keys)} key{'s' if len(keys) > 1 else ''}: {some}")
        if source.found or not notes:
            notes.append(source.found or "no key")
        return f"{source.place(self._credentials.home)} ({'; '.join(notes)})"

    def _named(self, source: AgeSource) -> str:
        """Return the variable that names the place, or the source itself."""
        return (source.variable if source.how != "source" else None) or source.place(self._credentials.home)


def is_own(recipient: str, credentials: Credentials) -> bool:
    """Whether a recipient belongs to one of your identities.

    This asks no person: it knows an identity with a passphrase only if it was unlocked, and those of
    SOPS_AGE_KEY_CMD only if it was run.  That an identity opens an entry would prove nothing, since anyone
    can write another recipient into it.
    """
    for source in credentials.age_sources():
        if source.how == "command":
            found = [identity for identities in source.parsed.values() for identity in identities]
        else:
            found = [*identities_in(source, recipient, credentials)]
        for identity in found:
            for each in (identity.unlocked() or ()) if isinstance(identity, Locked) else (identity,):
                if each.is_for(recipient):
                    return True
            public = identity.public if isinstance(identity, Locked) else identity.public()
            if public == " ".join(recipient.split()[:2]):
                return True
            if public.startswith("ssh-ed25519 ") and _may_be_derived(recipient):
                from encconf.keys import ssh

                try:
                    if ssh.recipient(public) == recipient:
                        return True
                except BadKeyError:  # a damaged key
                    pass
    return False


def _may_be_derived(recipient: str) -> bool:
    return recipient.startswith("age1") and recipient.count("1") == 1
