"""``encconf init`` and ``encconf keygen``: an age key, a .sops.yaml, git.

Keys are written as age-keygen writes them, where sops 3.13.2 looks for them; a key file is added to
and never overwritten.
"""

from __future__ import annotations

import os
import stat
import time

from encconf import fileio
from encconf.credentials import AgeSource, Credentials
from encconf.errors import BadKeyError, MissingFileError, OutputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console

_PATHS = r"\.enc\.(yaml|yml|json)$"
_CONFIG = """\
# Which files are encrypted, and who can open them: the first rule that matches counts.
# A recipient is public; those of several people stand in one line, with commas between them.
creation_rules:
  - path_regex: {paths}
    age: {recipient}
"""


def init(console: Console) -> None:
    """Make what is missing of key, .sops.yaml and git settings; change nothing that is there."""
    from encconf.git import repository

    recipient = _own_recipient(console, Credentials.from_env(console.environ))
    root = repository(os.getcwd())
    _make_config(console, root or os.getcwd(), recipient)
    if root is not None:
        from encconf.git.install import install

        for line in install(root, environ=console.environ) or ["git is set up already"]:
            console.note(line)
    else:
        console.note("this is no git repository: once it is one, run encconf git install")
    console.note("next: encconf encrypt secrets.yaml, then encconf edit secrets.enc.yaml")


def keygen(console: Console, *, output: str | None) -> None:
    """Make an age key; print its recipient, or with ``-o -`` the key itself."""
    recipient, text = _new_key()
    if output == "-":
        console.data(text)
        return
    if output is None:
        path = _key_file(Credentials.from_env(console.environ))
        _add_key(path, text)
        console.note(f"added an age key to {path}")
    else:
        path = fileio.resolve(output)
        if os.path.lexists(output) and not fileio.is_special(output):
            raise OutputError("it exists, and a key is never written over").about(output)
        fileio.write_atomic(path, text, mode=0o600, replacing=None)
        console.note(f"wrote an age key to {output}: it opens files, keep it to yourself")
    console.data(recipient + "\n")


# --- the key -------------------------------------------------------------------------------


def _own_recipient(console: Console, credentials: Credentials) -> str:
    """The recipient of the user's first age key, which is made if there is none."""
    for source in credentials.age_sources():
        if source.ssh or source.how == "command" or source.where is None:
            continue
        data = source.read("", credentials)
        recipient = _recipient_in(data, source) if data is not None else None
        if recipient is not None:
            console.note(f"your age key: {recipient} ({source.place(credentials.home)})")
            _warn_if_readable(console, source)
            return recipient
    recipient, text = _new_key()
    path = _key_file(credentials)
    _add_key(path, text)
    console.note(f"made an age key in {path}; keep a copy of it where only you can get at it")
    console.note(f"your age key: {recipient}")
    return recipient


def _new_key() -> tuple[str, str]:
    """A new X25519 key: its recipient, and the lines of a key file."""
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return recipient, f"# created: {now}\n# public key: {recipient}\n{identity}\n"


def _key_file(credentials: Credentials) -> str:
    """Where the user's own keys are: SOPS_AGE_KEY_FILE, or sops's place for the system."""
    path = None
    for source in credentials.age_sources():
        if source.how == "file" and not source.ssh and source.where:
            path = path or source.where
    if path is None:
        raise OutputError("there is no home folder to keep a key in", hint="set SOPS_AGE_KEY_FILE to a file")
    return path


def _recipient_in(data: bytes, source: AgeSource) -> str | None:
    """The recipient of the first identity in a key file."""
    import pyrage

    if data.lstrip().startswith((b"age-encryption", b"-----BEGIN AGE")):
        raise BadKeyError(
            "the key file is locked by a passphrase, so that its recipient is not known here",
            hint="write .sops.yaml with your recipient yourself, then run: encconf git install",
        ).about(source.place())
    noted = None
    for word in data.decode(errors="replace").split():
        if word.startswith("AGE-SECRET-KEY-1"):
            try:
                return str(pyrage.x25519.Identity.from_str(word).to_public())
            except pyrage.IdentityError:
                continue
        if word.startswith("age1"):
            noted = noted or word
        elif word.startswith("AGE-") and noted:  # of another kind, a plugin's say, with its recipient above
            return noted
    return None


def _add_key(path: str, text: str) -> None:
    """Add lines to a key file of mode 0600, in folders of mode 0700; both are made if missing."""
    path = fileio.resolve(path)
    try:
        old = fileio.read_text(path)
    except MissingFileError:
        old = None
    if old and old.lstrip().startswith(("age-encryption", "-----BEGIN AGE")):
        raise OutputError(
            "it is locked by a passphrase, so that no key can be added",
            hint="write the key elsewhere: encconf keygen -o FILE",
        ).about(path)
    _make_folders(os.path.dirname(path))
    gap = "" if not old or old.endswith("\n") else "\n"
    fileio.write_atomic(path, f"{old or ''}{gap}{text}", mode=0o600, replacing=old)


def _make_folders(folder: str) -> None:
    missing = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    try:
        for folder in reversed(missing):
            os.mkdir(folder, 0o700)
    except OSError as error:
        raise OutputError(f"the folder cannot be made: {error.strerror}").about(folder) from None


def _warn_if_readable(console: Console, source: AgeSource) -> None:
    if os.name != "posix" or source.how != "file" or source.where is None:
        return
    try:
        mode = os.stat(source.where).st_mode
    except OSError:
        return
    if stat.S_IMODE(mode) & 0o077:
        console.warn(f"others may read {source.where}", hint=f"chmod 600 {source.where}")


# --- .sops.yaml ----------------------------------------------------------------------------


def _make_config(console: Console, folder: str, recipient: str) -> None:
    from encconf.config import find_config

    found = find_config(None, os.getcwd())
    if found is None:
        path = os.path.join(folder, ".sops.yaml")
        fileio.write_atomic(path, _CONFIG.format(paths=_PATHS, recipient=recipient), replacing=None)
        console.note(f"wrote {path}: *.enc.yaml and *.enc.json are encrypted for you")
    elif recipient in fileio.read_text(found):
        console.note(f"{found} names your key already")
    else:
        console.note(f"{found} is there and was not changed; your recipient is not in it")
        console.hint(f"add {recipient} to the age recipients of its rules")
