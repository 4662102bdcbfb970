"""Create an age key, and store it.

A key has the form that age-keygen writes, and is stored where sops 3.13.3 looks for it.  It is appended to
the key file, so no key is overwritten.  A key for a source (a keyring, a Vault …) is stored only there, never
in a file or on stdout.
"""

from __future__ import annotations

import os
import time

from encconf import sources
from encconf.errors import BadKeyError, ConflictError, OutputError, SourceError, about
from encconf.identities import userconfig
from encconf.identities.credentials import SETTINGS, Credentials
from encconf.identities.home import expanded
from encconf.io import fileio
from encconf.record import Options as Base
from encconf.text.printable import quoted
from encconf.verbs import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Options(Base):
    """The key to create, and where to store it."""

    output: str | None = None
    to: str | None = None
    use: bool = False
    pq: bool = False


def run(options: Options, front: Front) -> None:
    """Create an age key, and print its recipient, or with ``-o -`` the key itself."""
    output, to, use, pq = options.output, options.to, options.use, options.pq
    if to is not None and output is not None:
        raise ConflictError("--to and --output exclude each other")
    if use and to is None:
        raise ConflictError(
            "--use needs --to", hint="encconf finds a key in your own key file without an address"
        )
    if to is not None:
        credentials = front.credentials()
        if use:
            credentials.named("identity")  # a broken configuration file has to fail before there is a key
        to = _absolute(to)
        front.data(generate_to(front, credentials, to, pq=pq) + "\n")
        if use:
            configure(front, credentials, to)
        else:
            named = quoted(to.replace(" ", "%20"))  # ENCCONF_IDENTITY separates addresses with spaces
            front.hint(f"to open files with it, set ENCCONF_IDENTITY={named}")
        return
    recipient, _, text = new_key(pq)
    if output == "-":
        front.data(text)
        return
    if output is None:
        add_key(front, front.credentials(), text)
    else:
        path = fileio.resolve(output)
        if os.path.lexists(output) and not fileio.is_special(output):
            raise OutputError("this file exists, and encconf never overwrites a key").about(output)
        with about(output, instead=path):
            fileio.write_atomic(path, text, mode=0o600, replacing=None)
        front.note(f"wrote an age key to {output}; keep it private")
    front.data(recipient + "\n")


def generate_to(front: Front, credentials: Credentials, to: str, *, pq: bool = False) -> str:
    """Create a key, store it at an address, and read it back.  Returns its recipient.

    Only the line of the key is stored, because some stores hold at most 2560 bytes.  Raises SourceError, also
    if the address has a secret already.
    """
    address = sources.parse(to)
    recipient, secret, _ = new_key(pq)
    sources.store(address, secret.encode(), credentials)
    # The new credentials have no cached copy of the key.
    again = Credentials.from_env(front.environ)
    try:
        if sources.fetch(address, again).strip() != secret.encode():
            raise BadKeyError("the stored key reads back differently: do not use it").about(address.label)
    except SourceError as error:  # some logins have permission to write but not to read
        front.warn(f"it was stored, but could not be read back: {error}", hint=error.hint)
    front.note(f"stored a new age key in {address.label} only")
    return recipient


def _absolute(address: str) -> str:
    """Return the address with the absolute path of its file, so that it works in any folder."""
    uri = sources.parse(address)
    if uri.scheme != "file" or os.path.isabs(uri.path) or uri.path.startswith("~/"):
        return address
    here = os.getcwd()
    for sign in "%?#":
        here = here.replace(sign, f"%{ord(sign):02X}")
    return f"file:{here}/{address[address.index(uri.body) :]}"


def configure(front: Front, credentials: Credentials, address: str) -> None:
    """Add a source of identities to the user's configuration file."""
    path = credentials.config_file
    if path is None:
        raise OutputError(
            "the folder for your configuration is not known", hint="set HOME, or ENCCONF_IDENTITY"
        )
    fileio.make_folders(os.path.dirname(path), 0o700)
    with about(path):
        named = userconfig.add_identity(path, address, SETTINGS)
    if named:
        front.note(f"added its address to {path}")
    else:
        front.warn(f"{path} names another identity and was not changed", hint=f"add {address} to its list")
    by, addresses = credentials.named("identity")
    if by == SETTINGS["identity"] and address not in addresses:
        front.warn(f"{by} is set and takes precedence", hint=f"unset it, or add {address}")


def new_key(pq: bool = False) -> tuple[str, str, str]:
    """Create an X25519 (or hybrid post-quantum) key.

    Returns its recipient, its identity, and the lines of a key file.
    """
    if pq:
        from encconf.keys import agepq

        new = agepq.Identity.generate()
        recipient, secret = new.to_public(), new.secret()
    else:
        import pyrage

        pair = pyrage.x25519.Identity.generate()
        recipient, secret = str(pair.to_public()), str(pair)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return recipient, secret, f"# created: {now}\n# public key: {recipient}\n{secret}\n"


def _key_file(credentials: Credentials) -> str:
    """Return the user's key file: SOPS_AGE_KEY_FILE, or the place where sops expects it on this system."""
    for source in credentials.age_sources():
        if source.how == "file" and not source.ssh and source.where:
            return expanded(source.where, credentials.home)
    raise OutputError(
        "your home folder is not known, so the key cannot be stored", hint="set SOPS_AGE_KEY_FILE to a file"
    )


def add_key(front: Front, credentials: Credentials, text: str) -> None:
    """Append lines to the key file.  A new file gets mode 0600, and new folders get mode 0700."""
    name = _key_file(credentials)
    path = fileio.resolve(name)
    old = fileio.read_existing(path)
    if old and old.lstrip().startswith(("age-encryption", "-----BEGIN AGE")):
        raise OutputError(
            "it is protected by a passphrase, so no key can be added",
            hint="write the key to another file: encconf keygen -o FILE",
        ).about(path)
    fileio.make_folders(os.path.dirname(path), 0o700)
    gap = "" if not old or old.endswith("\n") else "\n"
    fileio.write_atomic(path, f"{old or ''}{gap}{text}", mode=0o600, replacing=old)
    front.note(f"added an age key to {name}; keep a backup that only you can read")
    files.warn_if_readable(front, name)
