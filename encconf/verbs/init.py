"""Create an age key and a .sops.yaml, and set up git: ``encconf init`` and ``encconf keygen``.

A key has the form that age-keygen writes, and is stored where sops 3.13.3 looks for it.  It is appended to
the key file, so no key is overwritten.  A key for a source (a keyring, a Vault …) is stored only there, never
in a file or on stdout.
"""

from __future__ import annotations

import os
import time

from encconf import formats, sources
from encconf.audit.survey import Survey, is_own, own_rule, rules, survey, taken
from encconf.errors import (
    BadKeyError,
    ConflictError,
    MissingExtraError,
    OutputError,
    SourceError,
    about,
    at_most_one,
)
from encconf.git import repository
from encconf.git.install import install
from encconf.identities import userconfig
from encconf.identities.credentials import SETTINGS, AgeSource, Credentials, expanded
from encconf.io import fileio, trust
from encconf.keys.age import is_locked, recipient_in
from encconf.keys.own import Own, line_to_send
from encconf.record import VerbOptions
from encconf.rules.config import IGNORED, NAME, find_config
from encconf.text.printable import counted, printable, quoted
from encconf.verbs import files, printing
from encconf.verbs.people import own_name, with_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.verbs.front import Front

KEYRING = "keyring:encconf/identity"
"""Where ``init --keyring`` stores the key."""

YOU = "you"
"""How messages call the user."""

_PATHS = rf"\.enc\.({'|'.join(suffix[1:] for suffix in formats.SUFFIXES)})$"
_CONFIG = """\
# Which files are encrypted, and who can open them. The first rule that matches a file applies.
# Recipients are public. To add a person: encconf keys add --name NAME RECIPIENT
creation_rules:
  - path_regex: {paths}
    age:
"""


class Options(VerbOptions):
    """The key to set up.  ``yes`` takes the keys and settings of files that are encrypted already.

    ``agents`` does nothing but add rules for coding agents (`encconf.verbs.agents`).
    """

    keyring: bool = False
    yes: bool = False
    ssh_to_age: Sequence[str] = ()
    agents: bool = False


def run(options: Options, front: Front) -> None:
    """Create the key, the .sops.yaml and the git settings that are missing.  Changes nothing that exists."""
    keyring, ssh_to_age = options.keyring, options.ssh_to_age
    if options.agents:
        from encconf.verbs import agents

        at_most_one(agents=True, keyring=keyring, ssh_to_age=bool(ssh_to_age))
        agents.run(front)
        return
    credentials = front.credentials()
    root = repository(os.getcwd())
    found = _survey(root)
    if found is not None and found.ignored:
        raise ConflictError(
            f"sops and encconf ignore {IGNORED}; nothing was changed",
            hint=f"rename it with git mv {IGNORED} .sops.yaml, then run encconf init again",
        )
    if keyring:
        recipient: str | None = _keyring_recipient(front, credentials)
    else:
        recipient = _own_recipient(front, credentials, make=found is None and not ssh_to_age)
    of_ssh = dict(map(_recipient_of_ssh, ssh_to_age))
    opens = True
    if found is not None:
        opens = _set_up_existing(front, found, recipient, yes=options.yes)
        for age, name in of_ssh.items():
            front.hint(f"the age recipient of {name}, for .sops.yaml: {age}")
    else:
        own = {recipient: YOU} if recipient is not None else {}
        _make_config(front, root or os.getcwd(), {**own, **of_ssh})
    if root is not None:
        for line in install(root, environ=front.environ) or ["git is set up already"]:
            front.note(line)
    else:
        front.note("this is not a git repository; when it is, run: encconf git install")
    if not opens:
        front.hint(with_names(Own.of(credentials).advice()))
    elif found is not None:
        front.note("next: encconf check, then encconf access")
    elif os.path.isfile(".env"):
        front.note("next: encconf import .env, then encconf edit secrets.enc.yaml")
    elif os.path.isfile("secrets.yaml"):
        front.note("next: encconf encrypt secrets.yaml, then encconf edit secrets.enc.yaml")
    else:
        front.note("next: encconf edit secrets.enc.yaml, or for a file that you have, encconf encrypt FILE")


class KeyOptions(VerbOptions):
    """The key to create, and where to store it."""

    output: str | None = None
    to: str | None = None
    use: bool = False
    pq: bool = False


def create_key(options: KeyOptions, front: Front) -> None:
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
        front.data(_generate_to(front, credentials, to, pq=pq) + "\n")
        if use:
            _configure(front, credentials, to)
        else:
            named = quoted(to.replace(" ", "%20"))  # ENCCONF_IDENTITY separates addresses with spaces
            front.hint(f"to open files with it, set ENCCONF_IDENTITY={named}")
        return
    if output == "-":
        printing.refuse(front, "no private key is printed", "-o FILE writes it to a file")
    recipient, _, text = _new_key(pq)
    if output == "-":
        front.data(text)
        _say_who_adds_it(front, recipient)
        return
    if output is None:
        _add_key(front, front.credentials(), text)
    else:
        path = fileio.resolve(output)
        if os.path.lexists(output) and not fileio.is_special(output):
            raise OutputError("this file exists, and encconf never overwrites a key").about(output)
        with about(output, instead=path):
            fileio.write_atomic(path, text, mode=0o600, replacing=None)
        front.note(f"wrote an age key to {output}; keep it private")
        files.warn_of_key(front, output)
    front.data(recipient + "\n")
    _say_who_adds_it(front, recipient)


def _say_who_adds_it(front: Front, recipient: str) -> None:
    """Say who can add a new key, if the current folder has a .sops.yaml without it."""
    found = find_config(None, os.getcwd())
    text = fileio.read_text(found) if found is not None else recipient
    if recipient in text:
        return
    own = Own.of(front.credentials(), commands=False, stores=False)
    if any(each in text for each in own.places if each != recipient):
        front.hint(f"to add it: encconf keys add --name NAME {recipient}")
    else:
        front.hint(with_names(line_to_send(recipient)))


# --- the key -------------------------------------------------------------------------------


def _own_recipient(front: Front, credentials: Credentials, *, make: bool) -> str | None:
    """Return the recipient of the user's first age key.

    If the user has no key, ``make`` decides whether to create one, or to return None.  Raises the error of a
    source that the user named, because encconf must not use another key instead.
    """
    for source in credentials.age_sources():
        if source.ssh or source.how == "command" or source.where is None:
            continue
        data = source.read("", credentials)
        recipient = _recipient_in(data, source) if data is not None else None
        if recipient is not None:
            front.note(f"your age key: {recipient} ({source.place(credentials.home)})")
            if source.how == "file":
                files.warn_if_readable(front, expanded(source.where, credentials.home))
            return recipient
        if source.how == "source" and source.variable is not None:
            hint = source.hint or f"encconf keygen --to {source.where} creates one there"
            raise SourceError(source.found or "it contains no key", hint=hint).about(source.place())
    if not make:
        return None
    recipient, _, text = _new_key()
    _add_key(front, credentials, text)
    front.note(f"your age key: {recipient}")
    return recipient


def _keyring_recipient(front: Front, credentials: Credentials) -> str:
    """Return the recipient of the key in the keyring.  Creates and configures the key if it is missing."""
    try:
        recipient = recipient_in(sources.fetch(KEYRING, credentials))
    except SourceError as error:
        if error.reason == "unusable":
            error.hint = f"{error.hint}; without --keyring, encconf init keeps the key in a file"
        if error.reason != "missing":
            raise
    else:
        if recipient is None:
            raise BadKeyError("this is not an age key", hint="move it away and try again").about(KEYRING)
        front.note(f"your age key: {recipient} ({KEYRING})")
        _configure(front, credentials, KEYRING)
        return recipient
    credentials.named("identity")  # a broken configuration file has to fail before there is a key
    recipient = _generate_to(front, credentials, KEYRING)
    front.note(f"your age key: {recipient}")
    _configure(front, credentials, KEYRING)
    return recipient


def _generate_to(front: Front, credentials: Credentials, to: str, *, pq: bool = False) -> str:
    """Create a key, store it at an address, and read it back.  Returns its recipient.

    Only the line of the key is stored, because some stores hold at most 2560 bytes.  Raises SourceError, also
    if the address has a secret already.
    """
    address = sources.parse(to)
    recipient, secret, _ = _new_key(pq)
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


def _configure(front: Front, credentials: Credentials, address: str) -> None:
    """Add a source of identities to the user's configuration file."""
    path = credentials.config_file
    if path is None:
        raise OutputError(
            "the folder for your configuration is not known", hint="set HOME, or ENCCONF_IDENTITY"
        )
    fileio.make_folders(os.path.dirname(path), 0o700)
    with about(path):
        named = userconfig.add_identity(path, address, SETTINGS)
    if named is None:
        front.note(f"added its address to {path}")
    elif address not in named:
        front.warn(
            f"{path} names another identity and was not changed",
            hint=f"to use both, write there: {userconfig.setting('identity', [*named, address])}",
        )
    by, addresses = credentials.named("identity")
    if by == SETTINGS["identity"] and address not in addresses:
        front.warn(f"{by} is set and takes precedence", hint=f"unset it, or add {address}")


def _new_key(pq: bool = False) -> tuple[str, str, str]:
    """Create an X25519 (or hybrid post-quantum) key.

    Returns its recipient, its identity, and the lines of a key file.
    """
    if pq:
        from encconf.keys import agepq

        new = agepq.Identity.generate()
        recipient, secret = new.to_public(), new.secret()
    else:
        from encconf.keys.age import rage

        try:
            pyrage = rage()
        except MissingExtraError as error:
            error.hint = f"{error.hint}; a post-quantum key works without it: encconf keygen --pq"
            raise
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


def _recipient_in(data: bytes, source: AgeSource) -> str | None:
    """Return the recipient of the first identity in a key file."""
    if is_locked(data):
        raise BadKeyError(
            "your key file is protected by a passphrase, so encconf does not know its recipient",
            hint="create a .sops.yaml with your recipient, then run: encconf git install",
        ).about(source.place())
    return recipient_in(data)


def _add_key(front: Front, credentials: Credentials, text: str) -> None:
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
    others = ", which has others already (encconf whoami)" if old and "AGE-SECRET-KEY-" in old else ""
    front.note(f"added an age key to {name}{others}; keep a backup that only you can read")
    files.warn_if_readable(front, name)


# --- files that exist --------------------------------------------------------------------


def _survey(root: str | None) -> Survey | None:
    """Survey the SOPS files of a repository.  Returns None if it has none."""
    found = survey(root) if root is not None else None
    return found if found is not None and (found.metadata or found.ignored) else None


def _set_up_existing(front: Front, found: Survey, recipient: str | None, *, yes: bool) -> bool:
    """Write a .sops.yaml for files that are encrypted already, with rules made from their metadata.

    Returns whether the user's key opens any of them.

    Anyone who can write to the files can have added keys or settings, and .sops.yaml says whom to trust.  So
    the user confirms them: with ``yes``, or on a terminal.  Otherwise it names only the user's own key.
    """
    number = len(found.metadata)
    count = f"{counted(number, 'file')} {'are' if number > 1 else 'is'} already encrypted here"
    path = os.path.join(found.root, NAME)
    if found.has_config:
        front.note(f"{count}; {path} exists and was not changed")
    elif (text := rules(found)) is None:
        front.warn(f"{count}, for keys that encconf cannot write into a .sops.yaml: write the file yourself")
    elif (own := is_own(found, recipient)) or _are_confirmed(front, found, count, yes=yes):
        fileio.write_atomic(trust.fixed(found.root, NAME), text, replacing=None)
        wrote = f"wrote {path} with rules that match {'them' if number > 1 else 'it'}"
        front.note(f"{count}: {wrote}" if own else wrote)  # the question has the count already
    elif (text := own_rule(found, recipient)) is not None:
        fileio.write_atomic(trust.fixed(found.root, NAME), text, replacing=None)
        front.note(f"wrote {path} with your own key only, for the files that it opens")
        front.hint(
            "add the recipients that you know before you run encconf updatekeys, which removes all others; "
            "or remove .sops.yaml and run encconf init --yes, which takes all of them"
        )
    else:
        front.note(f"wrote no {NAME}: no age key of yours opens the files")
        front.hint("if you know all of these keys and settings: encconf init --yes")
    if recipient is None:
        front.note("you have no age key, and none was created")
        return False
    if not any(key.name == recipient for key in found.keys):
        front.note(f"your key opens none of them: {recipient}")
        return False
    return True


def _are_confirmed(front: Front, found: Survey, count: str, *, yes: bool) -> bool:
    """Show what the files would bring into .sops.yaml, and return whether the user takes it."""
    lines = "\n".join(f"  {each}" for each in taken(found))
    front.note(
        f"{count}. Anyone who can write to a file can add keys and settings to it, so check these:\n{lines}"
    )
    return yes or (front.can_ask() and front.confirm(f"write all of them to {NAME}?"))


# --- .sops.yaml ----------------------------------------------------------------------------


def _recipient_of_ssh(given: str) -> tuple[str, str]:
    """Return the age recipient of an SSH public key (a line or a file), and the name of its owner."""
    from encconf.keys import ssh

    text = given if given.startswith("ssh-") else fileio.read_text(expanded(given, os.path.expanduser("~")))
    line = text.strip()
    try:
        found = ssh.recipient(line)
    except BadKeyError as error:
        raise error.about(given[:60]) from None
    return found, " ".join(line.split()[2:]) or os.path.basename(given)


def _make_config(front: Front, folder: str, recipients: dict[str, str]) -> None:
    """Write a .sops.yaml with one rule for these recipients, by name.  `YOU` gets the name that git has."""
    found = find_config(None, os.getcwd())
    if found is None:
        path = os.path.join(folder, NAME)
        text = _CONFIG.format(paths=_PATHS)
        for age, name in recipients.items():
            name = own_name() if name == YOU else printable(name)
            text += f"      - {age}  # {name}\n" if name else f"      - {age}\n"
        fileio.write_atomic(trust.fixed(folder, NAME), text, replacing=None)
        who = ", ".join(printable(name) for name in recipients.values())
        front.note(f"wrote {path}: *.enc.yaml, *.enc.env and similar files are encrypted for {who}")
        return
    text = fileio.read_text(found)
    missing = [age for age in recipients if age not in text]
    if not missing:
        front.note(f"{found} already names your key")
        return
    front.note(f"{found} exists and was not changed; it does not name your recipient")
    for recipient in missing:
        front.hint(with_names(line_to_send(recipient)))
