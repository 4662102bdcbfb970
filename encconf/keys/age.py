"""age recipients: X25519, SSH (ed25519, RSA) and plugins with pyrage (the Rust age), and post-quantum ones.

It behaves like sops 3.13.3 (age/keysource.go, ssh_parse.go, encrypted_keys.go), with these differences:

- It looks for identities in one place after another, and only until one opens the file.  It reads SSH keys
  only if the file is encrypted for one.  Identities that a person must unlock come last.
- An ssh-ed25519 key also opens files that are encrypted for the age recipient derived from it, as sops-nix
  uses them (`encconf.keys.ssh_to_age`).
- The places that ENCCONF_IDENTITY names come first, and may hold SSH keys, too.  ENCCONF_AGE_PASSPHRASE
  unlocks identities that need a passphrase.
- It does not use gpg-agent's cache for passphrases.

`encconf.keys.age_search` looks for identities, `encconf.keys.age_identity` reads them, and
`encconf.keys.agepq` has the post-quantum keys, which pyrage lacks.
"""

from __future__ import annotations

from binascii import a2b_base64

from encconf.errors import BadKeyError, MasterKeyError
from encconf.keys import MasterKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.identities.credentials import Credentials
    from encconf.keys.age_identity import Stanza

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
        from encconf.keys.age_identity import label_of

        return label_of(self.recipient)

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Return the armored age file with a line feed at its end, as sops writes it.

        Raises BadKeyError for a malformed recipient, and MasterKeyError if its plugin is missing or fails.
        """
        import pyrage

        from encconf.keys.age_identity import Conversation, plugin_alone, said

        with Conversation(credentials) as talk:
            try:
                recipient = _recipient(self.recipient)
                if isinstance(recipient, pyrage.plugin.Recipient):
                    name = recipient.plugin()
                    with plugin_alone(name, credentials):
                        recipient = pyrage.plugin.RecipientPluginV1(name, [recipient], [], talk)
                        return _sealed(data_key, recipient)
                if recipient is not None:
                    return _sealed(data_key, recipient)
            except pyrage.EncryptError as error:
                raise MasterKeyError(f"age: {said(error)}") from None
        from encconf.keys import agepq

        return agepq.seal(data_key, [self.recipient])

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Open an armored age file with an identity from `Credentials.age_sources`.

        Raises NotMyKeyError if there is none, and MasterKeyError if a matching identity or a configured
        place failed.  The message's second line lists the places.
        """
        from encconf.keys.age_search import Search

        enc = f"{enc.strip()}\n"  # age allows blank lines around its armor, and pyrage does not
        return Search(self.recipient, enc, _stanzas(enc), credentials).run()

    def is_own(self, credentials: Credentials) -> bool:
        """Whether it is the recipient of an identity that was found without a command and a passphrase."""
        from encconf.keys.age_search import is_own

        return is_own(self.recipient, credentials)

    @classmethod
    def from_config(cls, value: str) -> AgeKey:
        """Check a recipient.  Raises BadKeyError."""
        recipient = value.strip()
        if not _is_x25519(recipient):
            _recipient(recipient)
        return cls(recipient)


# --- recipients and files ------------------------------------------------------------------


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
        from encconf.keys.age_identity import label_of

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
    import pyrage

    enc: bytes = pyrage.encrypt(data_key, [recipient], armored=True)
    return enc.decode()


def _recipient(text: str) -> Any:
    """Return the pyrage object of a recipient, or None for a post-quantum one.  Raises BadKeyError.

    A plugin need not be installed.
    """
    import pyrage

    from encconf.keys.age_identity import POST_QUANTUM, label_of, said

    upper = text.upper()
    if "AGE-SECRET-KEY-" in upper or "AGE-PLUGIN-" in upper or "PRIVATE KEY" in upper:
        raise BadKeyError(
            "this is a private key, not an age recipient",
            hint="age-keygen -y prints the recipient of an identity; keep the private key private",
        )
    try:
        if text.startswith(POST_QUANTUM):
            from encconf.keys import agepq

            agepq.check(text)
            return None
        if text.startswith("age1") and text.count("1") > 1:
            return pyrage.plugin.Recipient.from_str(text)
        if _is_x25519(text) or text.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(text)
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
    except (ValueError, pyrage.RecipientError) as error:
        raise BadKeyError(f"{label_of(text)} is not an age recipient: {said(error)}") from None
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
