"""age recipients: X25519, SSH (ed25519, RSA) and plugins by pyrage (the Rust age), post-quantum ones.

Behaviour of sops 3.13.3 (age/keysource.go, ssh_parse.go, encrypted_keys.go), with these differences: the
places where identities may be are read one after the other, and only until one opens; SSH keys only when
the file is encrypted for one; whatever a person has to unlock comes last. One unusable identity does not
hide the others of its file.  An ssh-ed25519 key also opens what is encrypted for the age recipient derived
from it, as sops-nix has it (see `encconf.keys.ssh_to_age`).  The places that ENCCONF_IDENTITY names come
first, and may hold SSH keys, too; ENCCONF_AGE_PASSPHRASE unlocks what needs a passphrase.

Hybrid post-quantum keys are in `encconf.keys.agepq`, since pyrage has none.  Not here yet:
gpg-agent's cache for passphrases.
"""

from __future__ import annotations

from _thread import allocate_lock
from binascii import a2b_base64, b2a_base64

from encconf.errors import (
    NO_IDENTITY,
    BadKeyError,
    InputError,
    MasterKeyError,
    MissingExtraError,
    NotMyKeyError,
)
from encconf.keys import member, shorten
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from encconf.identities.credentials import AgeSource, Credentials

    Stanza = tuple[str, str]  # type, first argument

_SSH = ("ssh-ed25519", "ssh-rsa")
_POST_QUANTUM = "age1pq1"

# pyrage reads a header in quadratic time, and no other thread runs meanwhile.  One recipient takes one
# stanza, or two with the one that rops adds at random; an RSA key of 16384 bits takes 43 lines.
STANZA_LIMIT = 10
"""How many recipients an age header may have."""
LINE_LIMIT = 2048
"""How long a line of an age header may be, in bytes."""
LINES_LIMIT = 48
"""How many lines an age header may have."""

_BEGIN, _END = "-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"


class AgeKey:
    """One recipient, as text.

    ``age1…``, ``age1pq1…`` (post-quantum), ``age1NAME1…`` (plugin), ``ssh-ed25519 …``, ``ssh-rsa …``.
    """

    TYPE = "age"
    DATED = False
    __slots__ = ("recipient",)

    def __init__(self, recipient: str) -> None:
        self.recipient = recipient

    @property
    def name(self) -> str:
        """The whole recipient."""
        return self.recipient

    @property
    def label(self) -> str:
        """The recipient, shortened; an SSH key by its end, since all begin alike."""
        return _label(self.recipient)

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """The armored age file, line feed at its end, as sops writes it.

        Raises BadKeyError for a malformed recipient, MasterKeyError when its plugin is missing
        or fails.
        """
        import pyrage

        try:
            recipient = _recipient(self.recipient, credentials)
            if recipient is None:
                from encconf.keys import agepq

                return agepq.seal(data_key, [self.recipient])
            enc: bytes = pyrage.encrypt(data_key, [recipient], armored=True)
        except pyrage.EncryptError as error:
            raise MasterKeyError(f"age: {_said(error)}") from None
        return enc.decode()

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Open an armored age file with whatever `Credentials.age_sources` gives.

        Raises NotMyKeyError, or MasterKeyError when an identity for it, or a place where one
        should be, was there and failed.  The message's second line lists the places.
        """
        stanzas = _stanzas(enc)
        file = enc.encode()
        looked: list[AgeSource] = []
        locked: list[_Locked] = []
        trouble: list[MasterKeyError] = []

        def first(found: Iterable[_Identity]) -> bytes | None:
            for identity in found:
                if (data_key := self._open(file, identity, credentials, trouble)) is not None:
                    _tell(looked, credentials)
                    return data_key
            return None

        def unlocked(lock: _Locked) -> list[_Identity]:
            try:
                return lock.unlock(stanzas, credentials)
            except MasterKeyError as error:
                trouble.append(error)
                return []

        over_ssh = any(kind in _SSH for kind, _ in stanzas)
        derivable = _is_x25519(self.recipient)
        relatives: list[_Locked] = []  # locked SSH keys that the recipient is derived from
        for source in credentials.age_sources():
            relative = self._relative(source, credentials) if derivable else None
            if relative is not None or over_ssh or not source.ssh:
                looked.append(source)
            if isinstance(relative, _Locked):
                relatives.append(relative)
            elif relative is not None and (data_key := first([relative])) is not None:
                return data_key
            if source.ssh and not over_ssh:
                continue
            for identity in _identities(source, self.recipient, credentials):
                if not isinstance(identity, _Locked):
                    data_key = first([identity])
                elif source.how == "source" and credentials.named("age_passphrase")[1]:
                    # What is named comes before other places, unless a person would have to be asked.
                    data_key = first(unlocked(identity))
                else:
                    locked.append(identity)
                    continue
                if data_key is not None:
                    return data_key
        for lock in [*relatives, *locked]:
            if (data_key := first(unlocked(lock))) is not None:
                return data_key

        notes = [_place(source, self.recipient, credentials) for source in looked]
        if not over_ssh:
            for source in credentials.age_sources():
                if source.ssh and source.variable and source.where and source not in looked:
                    notes.append(f"{source.place(credentials.home)} (not read: no SSH key can open it)")
        if credentials.home is None:
            variable = "USERPROFILE" if credentials.platform == "win32" else "HOME"
            notes.append(f"{variable} (unset: no key file below it can be found)")
        places = ", ".join(notes)
        if trouble:
            raise MasterKeyError(f"{trouble[0].message}\nlooked in: {places}", hint=trouble[0].hint)
        broken = [source for source in looked if source.broken]
        if broken:
            unfit = ", ".join(_named(source, credentials) for source in broken)
            hint = next((source.hint for source in broken if source.hint), None)
            raise MasterKeyError(f"{NO_IDENTITY}; not in order: {unfit}\nlooked in: {places}", hint=hint)
        raise NotMyKeyError(f"{NO_IDENTITY}\nlooked in: {places}")

    def _relative(self, source: AgeSource, credentials: Credentials) -> _Identity | _Locked | None:
        """The SSH key in a place that this recipient is derived from, if it is there.

        A command is not run for that: it may ask a person, and few recipients are derived.
        """
        from encconf.keys import ssh_to_age

        if not (source.ssh and source.how == "file") and source.how != "source":
            return None
        for identity in _identities(source, self.recipient, credentials):
            public = identity.public if isinstance(identity, _Locked) else identity.public()
            if not public.startswith(ssh_to_age.KIND):
                continue
            try:
                if ssh_to_age.recipient(public) != self.recipient:
                    continue
            except BadKeyError:
                continue
            if isinstance(identity, _Locked):
                return _LockedRelative(identity.data, identity.place, public)
            return _derived(identity.private, public)
        return None

    def _open(
        self, file: bytes, identity: _Identity, credentials: Credentials, trouble: list[MasterKeyError]
    ) -> bytes | None:
        try:
            data_key = identity.open(file, credentials)
            if data_key is None and identity.is_for(self.recipient):
                raise MasterKeyError("its identity is here and does not open it: the entry was changed")
        except MasterKeyError as error:
            trouble.append(error)
            return None
        return data_key

    def to_entry(self) -> dict[str, object]:
        """``recipient``."""
        return {"recipient": self.recipient}

    @classmethod
    def from_entry(cls, entry: Mapping[str, object]) -> AgeKey:
        """Read an entry; the recipient is not checked before it is used."""
        return cls(member(entry, "recipient"))

    @classmethod
    def from_config(cls, value: object) -> AgeKey:
        """A recipient's text, checked; raises BadKeyError."""
        if not isinstance(value, str):
            raise BadKeyError("an age recipient is a text", hint="age1…, or the line of an SSH public key")
        recipient = value.strip()
        _recipient(recipient, None)
        return cls(recipient)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AgeKey) and self.recipient == other.recipient

    def __hash__(self) -> int:
        return hash((self.TYPE, self.recipient))

    def __repr__(self) -> str:
        return f"AgeKey({self.recipient!r})"


# --- identities ----------------------------------------------------------------------------


class _Identity:
    """Something that opens: an object of pyrage or `encconf.keys.agepq`, and its recipient if known."""

    __slots__ = ("_opener", "_public", "private")

    def __init__(self, opener: Any, public: str = "", private: bytes = b"") -> None:
        self._opener = opener
        self._public = public
        self.private = private  # an SSH key's file, without a passphrase

    def open(self, file: bytes, credentials: Credentials) -> bytes | None:
        """What is in an age file; None when it is for somebody else.  Raises MasterKeyError."""
        import pyrage

        try:
            content: bytes = pyrage.decrypt(file, [self.opener(credentials)])
        except pyrage.DecryptError as error:
            if str(error) != "No matching keys found":
                raise MasterKeyError(f"age: {_said(error)}") from None
            return None
        return content

    def is_for(self, recipient: str) -> bool:
        return self.public() == " ".join(recipient.split()[:2])

    def opener(self, credentials: Credentials) -> Any:
        return self._opener

    def public(self) -> str:
        if not self._public and hasattr(self._opener, "to_public"):
            self._public = str(self._opener.to_public())
        return self._public


class _PostQuantumIdentity(_Identity):
    """An ``AGE-SECRET-KEY-PQ-1…``."""

    __slots__ = ()

    def open(self, file: bytes, credentials: Credentials) -> bytes | None:
        content: bytes | None = self._opener.open(file)
        return content

    def is_for(self, recipient: str) -> bool:
        return recipient.startswith(_POST_QUANTUM) and super().is_for(recipient)  # public() takes long

    def public(self) -> str:
        try:
            return super().public()
        except MasterKeyError:  # not with this build of `cryptography`
            return _POST_QUANTUM


class _PluginIdentity(_Identity):
    """An ``AGE-PLUGIN-NAME-1…``: the program age-plugin-NAME is found when it is needed."""

    __slots__ = ()

    def opener(self, credentials: Credentials) -> Any:
        from pyrage import plugin

        return plugin.IdentityPluginV1(self._opener.plugin(), [self._opener], _Conversation(credentials))

    def public(self) -> str:
        return f"age-plugin-{self._opener.plugin()}"


class _Locked:
    """An identity file or an SSH private key that needs a passphrase; asked for once."""

    __slots__ = ("_turn", "data", "place", "public", "result")

    def __init__(self, data: bytes, place: str, public: str = "") -> None:
        self._turn = allocate_lock()
        self.data = data
        self.place = place
        self.public = public
        self.result: list[_Identity] | MasterKeyError | None = None

    def unlock(self, stanzas: list[Stanza], credentials: Credentials) -> list[_Identity]:
        """The identities inside; none when an SSH key is not the one that the file is for.

        Raises MasterKeyError when there is no terminal, or the passphrase is wrong.
        """
        if not self.may_open(stanzas):
            return []
        with self._turn:
            if self.result is None:
                try:
                    self.result = self._unlocked(credentials)
                except MasterKeyError as error:
                    self.result = error
        if isinstance(self.result, MasterKeyError):
            raise self.result
        return self.result

    def _unlocked(self, credentials: Credentials) -> list[_Identity]:
        """By the passphrase that ENCCONF_AGE_PASSPHRASE names, or by one that somebody types."""
        named = credentials.passphrase("age_passphrase")
        if named is not None:
            try:
                return self.open(named)
            except MasterKeyError as error:
                if credentials.prompt is None:
                    by, _ = credentials.named("age_passphrase")
                    raise MasterKeyError(f"{error.message} (by {by})", hint=error.hint) from None
        return self.open(self._ask(credentials))

    def may_open(self, stanzas: list[Stanza]) -> bool:
        return True

    def open(self, passphrase: str) -> list[_Identity]:
        """Decrypt an age file that is encrypted with a passphrase, armored or not."""
        import pyrage

        try:
            content: bytes = pyrage.passphrase.decrypt(self.data, passphrase)
        except pyrage.DecryptError as error:
            reason = {
                "Decryption failed": f"the passphrase is not that of {self.place}",
                "No matching keys found": f"{self.place} is not encrypted with a passphrase",
            }.get(str(error), f"{self.place}: {_said(error)}")
            raise MasterKeyError(reason) from None
        identities, problems = _parse(content, several=False)
        if problems and not identities:
            raise MasterKeyError(f"{self.place}: {problems[0]}")
        return identities

    def _ask(self, credentials: Credentials) -> str:
        passphrase = ""
        if credentials.prompt is not None:
            try:
                passphrase = credentials.prompt(f"Enter passphrase for {self.place}: ")
            except EOFError:
                passphrase = ""
            if passphrase:
                return passphrase
        why = "none was given" if credentials.prompt else "there is no terminal to ask on"
        raise MasterKeyError(
            f"{self.place} needs a passphrase, and {why}",
            hint="run it in a terminal, name the passphrase's source in ENCCONF_AGE_PASSPHRASE, or give the "
            "unlocked identity in SOPS_AGE_KEY or by SOPS_AGE_KEY_CMD",
        )


class _LockedSsh(_Locked):
    """A passphrase-protected SSH private key, in OpenSSH's or a PEM format."""

    __slots__ = ()

    def may_open(self, stanzas: list[Stanza]) -> bool:
        if not self.public:  # an old PEM file: RSA at most
            return any(kind == "ssh-rsa" for kind, _ in stanzas)
        from hashlib import sha256

        kind, _, blob = self.public.partition(" ")
        tag = b2a_base64(sha256(a2b_base64(blob)).digest()[:4], newline=False).decode().rstrip("=")
        return (kind, tag) in stanzas

    def open(self, passphrase: str) -> list[_Identity]:
        import pyrage

        try:
            plain = _reserialised(self.data, passphrase.encode())
            return [_Identity(pyrage.ssh.Identity.from_buffer(plain), self.public)]
        except (ValueError, TypeError, pyrage.IdentityError):
            raise MasterKeyError(f"the passphrase is not that of {self.place}") from None


class _LockedRelative(_LockedSsh):
    """A passphrase-protected SSH key that a file's age recipient is derived from."""

    __slots__ = ()

    def may_open(self, stanzas: list[Stanza]) -> bool:
        return True

    def open(self, passphrase: str) -> list[_Identity]:
        try:
            return [_derived(_reserialised(self.data, passphrase.encode()), self.public)]
        except (ValueError, TypeError):
            raise MasterKeyError(f"the passphrase is not that of {self.place}") from None


def _is_x25519(recipient: str) -> bool:
    return recipient.startswith("age1") and recipient.count("1") == 1


def _derived(private: bytes, public: str) -> _Identity:
    """The age identity of an ssh-ed25519 key; its name stays the SSH key's."""
    import pyrage

    from encconf.keys import ssh_to_age

    return _Identity(pyrage.x25519.Identity.from_str(ssh_to_age.identity(private)), public)


class _Conversation:
    """What an age plugin may ask of a person."""

    def __init__(self, credentials: Credentials | None) -> None:
        self._prompt = credentials.prompt if credentials else None

    def display_message(self, message: str) -> None:
        import sys

        if self._prompt is not None:
            print(printable(message), file=sys.stderr)

    def confirm(self, message: str, yes: str, no: str | None) -> bool | None:
        if self._prompt is None:
            return None
        answer = self._prompt(f"{printable(message)} ({printable(yes)}/{printable(no or 'no')}) ")
        return answer.strip().lower() in ("y", "yes", yes.lower())

    def request_public_string(self, description: str) -> str | None:
        return self._prompt(f"{printable(description)}: ") if self._prompt else None

    def request_passphrase(self, description: str) -> str | None:
        return self._prompt(f"{printable(description)}: ") if self._prompt else None


def _identities(source: AgeSource, recipient: str, credentials: Credentials) -> Iterable[_Identity | _Locked]:
    """What a place holds, read at most once (a command: once per recipient)."""
    asked_for = recipient if source.how == "command" else ""
    with source.lock:
        found: list[_Identity | _Locked] | None = source.parsed.get(asked_for)
        if found is None:
            found = source.parsed[asked_for] = _read(source, recipient, credentials)
    return found


def _read(source: AgeSource, recipient: str, credentials: Credentials) -> list[_Identity | _Locked]:
    data = source.read(recipient, credentials)
    if data is None:
        return []
    if source.ssh or (source.how == "source" and b"PRIVATE KEY-----" in data):
        return _parse_ssh(source, data, credentials)
    if is_locked(data):
        return [_Locked(data, source.place(credentials.home))]
    plain, problems = _parse(data, several=source.how == "text")
    if problems:
        source.fail("; ".join(problems[:3]))
    return [*plain]


def is_locked(data: bytes) -> bool:
    """Whether this is an identity file under a passphrase."""
    return data.lstrip().startswith((b"age-encryption", b"-----BEGIN AGE"))


def recipient_in(data: bytes) -> str | None:
    """The recipient of the first key in an identity file, or of an SSH private key; None without one.

    Of a plugin's key it is the one that the comments name.
    """
    if b"PRIVATE KEY-----" in data:
        return _openssh(data)[0] or None
    noted = None
    for word in data.decode(errors="replace").split():
        if word.startswith("age1"):
            noted = noted or word
        elif word.startswith("AGE-PLUGIN-") and noted:
            return noted
        elif word.startswith("AGE-SECRET-KEY-"):
            try:
                own = _identity(word).public()
            except ValueError:
                continue
            return noted if own == _POST_QUANTUM else own
    return None


def _tell(looked: list[AgeSource], credentials: Credentials) -> None:
    """Say so when a source that somebody named was of no use, and another opened the file."""
    for source in looked:
        if source.how == "source" and source.broken:
            credentials.say(f"{_named(source, credentials)}: {source.found}; another key opened the file")


def _parse(data: bytes, *, several: bool) -> tuple[list[_Identity], list[str]]:
    """The identities of a file, one a line or with ``several`` in any number, and what is wrong with it."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        return [], ["not a text"]
    identities: list[_Identity] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("-----BEGIN"):
            return identities, ["an SSH private key: SOPS_AGE_SSH_PRIVATE_KEY_FILE is for those"]
        for word in line.split() if several else (line,):
            try:
                identities.append(_identity(word))
            except ValueError as error:
                problems.append(str(error) if several else f"line {number}: {error}")
    return identities, problems


def _identity(text: str) -> _Identity:
    """One identity; raises ValueError, whose text holds nothing of it."""
    import pyrage

    try:
        if text.startswith("AGE-SECRET-KEY-1"):
            return _Identity(pyrage.x25519.Identity.from_str(text))
        if text.startswith("AGE-PLUGIN-"):
            return _PluginIdentity(pyrage.plugin.Identity.from_str(text))
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
        raise ValueError("a path? SOPS_AGE_KEY_FILE is for those")
    raise ValueError("not an age identity")


def _parse_ssh(source: AgeSource, data: bytes, credentials: Credentials) -> list[_Identity | _Locked]:
    import pyrage

    place = source.place(credentials.home)
    public, locked = _openssh(data)
    if not locked and b"ENCRYPTED" in data:
        public, locked = _public_beside(source.where or "") if source.ssh else "", True
    if locked and public.partition(" ")[0] in (*_SSH, ""):
        return [_LockedSsh(data, place, public)]
    try:
        return [_Identity(pyrage.ssh.Identity.from_buffer(data), public, data)]
    except pyrage.IdentityError:
        pass
    try:  # PKCS #8, which sops takes and pyrage does not
        plain = _reserialised(data, None)
        return [_Identity(pyrage.ssh.Identity.from_buffer(plain), public or _openssh(plain)[0], plain)]
    except (ValueError, TypeError, MissingExtraError, pyrage.IdentityError):
        kind = "an SSH key that age cannot use (ed25519 and RSA only)"
        source.fail(kind if b"PRIVATE KEY-----" in data else "not an SSH private key")
        return []


def _openssh(data: bytes) -> tuple[str, bool]:
    """The public key of an OpenSSH private key file, "" when it is none, and whether it is locked."""
    try:
        _, _, rest = data.partition(b"-----BEGIN OPENSSH PRIVATE KEY-----")
        body = a2b_base64(rest.partition(b"-----END")[0])
    except ValueError:
        return "", False
    at = len(b"openssh-key-v1\0")
    if body[:at] != b"openssh-key-v1\0":
        return "", False
    cipher, at = _field(body, at)
    _, at = _field(body, at)  # the key derivation and
    _, at = _field(body, at)  # its options
    blob, _ = _field(body, at + 4)  # after the number of keys
    if not blob:
        return "", False
    kind, _ = _field(blob, 0)
    return f"{kind.decode('latin-1')} {b2a_base64(blob, newline=False).decode()}", cipher != b"none"


def _field(data: bytes, at: int) -> tuple[bytes, int]:
    """A length and that many bytes; what comes after.  Fewer where the data ends."""
    start = at + 4
    end = start + int.from_bytes(data[at:start], "big")
    return data[start:end], end


def _public_beside(path: str) -> str:
    """The key in ``PATH.pub``, or ""."""
    try:
        from encconf.io import fileio

        return " ".join(fileio.read_bytes(f"{path}.pub", regular=True, limit=1 << 16).decode().split()[:2])
    except (InputError, ValueError):
        return ""


def _reserialised(data: bytes, passphrase: bytes | None) -> bytes:
    """An SSH private key as OpenSSH writes it without a passphrase; only ever in memory.

    Raises ValueError or TypeError for a wrong passphrase or a key of another kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        if b"BEGIN OPENSSH" in data:
            key: Any = serialization.load_ssh_private_key(data, passphrase)
        else:
            key = serialization.load_pem_private_key(data, passphrase)
    except UnsupportedAlgorithm as error:
        if "bcrypt" not in str(error):
            raise ValueError("unsupported") from None
        raise MissingExtraError(
            "a passphrase-protected SSH key needs the package bcrypt", hint="pip install bcrypt"
        ) from None
    plain: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return plain


# --- recipients and files ------------------------------------------------------------------


def _recipient(text: str, credentials: Credentials | None) -> Any:
    """The pyrage object to encrypt for, None for a post-quantum recipient; raises BadKeyError.

    Without ``credentials`` the text is only checked, and a plugin need not be there.
    """
    import pyrage

    upper = text.upper()
    if "AGE-SECRET-KEY-" in upper or "AGE-PLUGIN-" in upper or "PRIVATE KEY" in upper:
        raise BadKeyError(
            "a private key stands where an age recipient belongs",
            hint="age-keygen -y prints the recipient of an identity; keep the private key to yourself",
        )
    try:
        if text.startswith(_POST_QUANTUM):
            from encconf.keys import agepq

            agepq.check(text)
            return None
        if text.startswith("age1") and text.count("1") > 1:
            recipient = pyrage.plugin.Recipient.from_str(text)
            if credentials is None:
                return recipient
            talk = _Conversation(credentials)
            return pyrage.plugin.RecipientPluginV1(recipient.plugin(), [recipient], [], talk)
        if text.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(text)
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
    except (ValueError, pyrage.RecipientError) as error:
        raise BadKeyError(f"{_label(text)} is not an age recipient: {_said(error)}") from None
    raise BadKeyError(
        f"{_label(text) or 'an empty text'} is not an age recipient",
        hint="age takes age1…, age1pq1…, age1PLUGIN1…, ssh-ed25519 … and ssh-rsa …",
    )


def _stanzas(enc: str) -> list[Stanza]:
    """Type and first argument of each recipient stanza.

    Raises MasterKeyError when it is not an age file, or has more of a header than any wrapped data key.
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
        raise MasterKeyError("its enc is an age file with more of a header than a data key needs")
    return [(words[1], words[2] if len(words) > 2 else "") for words in stanzas]


def _place(source: AgeSource, recipient: str, credentials: Credentials) -> str:
    """``SOPS_AGE_KEY_FILE=~/k.txt (2 keys: age1…, age1…)``, for the report."""
    notes = []
    keys: list[str] = []
    for identity in source.parsed.get(recipient if source.how == "command" else "") or ():
        if isinstance(identity, _Identity):
            keys.append(_label(identity.public()) or "an SSH key")
        elif isinstance(identity.result, list):
            keys += [_label(unlocked.public()) for unlocked in identity.result]
        else:
            notes.append(f"locked by a passphrase{identity.public and ': '}{_label(identity.public)}")
    if keys:
        some = ", ".join(keys[:4]) + (f", and {len(keys) - 4} more" if len(keys) > 4 else "")
        notes.append(f"{len(keys)} key{'s' if len(keys) > 1 else ''}: {some}")
    if source.found or not notes:
        notes.append(source.found or "no key")
    return f"{source.place(credentials.home)} ({'; '.join(notes)})"


def _named(source: AgeSource, credentials: Credentials) -> str:
    """What to look at: the variable, and which of the sources that it names."""
    return (source.variable if source.how != "source" else None) or source.place(credentials.home)


def _label(recipient: str) -> str:
    if not recipient.startswith("ssh-"):
        return recipient if recipient.startswith("age-plugin-") else shorten(recipient)
    kind, _, rest = printable(recipient).partition(" ")
    return f"{kind} …{rest.split(' ')[0][-8:]}"


def _said(error: Exception) -> str:
    """What pyrage said, on one line, without the marks that its translations wrap names in."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else "" for c in str(error)).split())
