"""``encconf git textconv``: decrypt a file so that ``git diff`` can compare the plaintext.

A failure would stop the whole diff, so textconv never fails.  It shows a file that it cannot decrypt as it
is.  It never asks for a passphrase, since git runs it beside a pager.

git starts it once for each version of a file.  If no key opens a version, the *note* of this git process
gets the recipients of the version: a file in the repository's ``.git`` with git's start time in the first
line, and then one recipient in each.  For other versions with such recipients only, the shell of `driver`
answers without Python.  It takes the note only as text, and only from this user: all that a false note can
do is to show a file encrypted.  A key that you get meanwhile counts for the next git process.
"""

from __future__ import annotations

import os

from encconf.errors import EncconfError
from encconf.formats import sniff
from encconf.io.descriptors import CLOEXEC, CREATE, NOFOLLOW, PRIVATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from encconf.git.companion import KnownKeys
    from encconf.identities.credentials import Credentials

_NOTE = "encconf-no-key-"  # and the number of the git process

# Exits with 0 if each wrapped data key in a file (stdin) is for a recipient in the note: if the file has as
# many members "enc" as such recipients.  If git's number is another process's now, the start time differs.
_KNOWN = r"""
NR == 1 { getline s <("/proc/" git "/stat"); sub(/.*\) /, "", s); split(s, a, " ");
  if (a[20] != $0) exit; next };
NR == FNR { known[$0]; next };
{ left += gsub(/(^|[^A-Za-z0-9])enc"?[ \t]*[:=]/, "&"); for (each in known) { s = $0;
  while (at = index(s, each)) { found = 1; left--; s = substr(s, at + length(each)) } } };
END { exit !found || left }
"""


def driver(program: str) -> str:
    """Return the command for git's setting ``diff.encconf.textconv``.

    It is a shell function that gets the name of a file.  ``.git`` may be a file that names the folder.
    ``program`` runs encconf.
    """
    known = " ".join(_KNOWN.split())
    return (
        'f() { d=${GIT_DIR:-.git}; [ -d "$d" ] || read -r _ d 2>/dev/null <"$d"; n=$d/' + _NOTE + "$PPID; "
        f"[ -O \"$n\" ] && LC_ALL=C awk -v git=$PPID '{known}' \"$n\" - <\"$1\" 2>/dev/null "
        '&& exec cat <"$1"; '
        f'exec {program} git textconv -- "$1" "$n"; }}; f'
    )


def textconv(
    data: bytes, path: str, keys: KnownKeys, credentials: Credentials | None = None
) -> tuple[bytes, Exception | None]:
    """Return the plaintext of a file's content and None, or the content as it is and the error.

    ``path`` may be one of git's temporary files; its last part is the file's own name.  A file
    that is not encrypted is returned as it is, without an error.  Data keys are looked up in ``keys``
    first, and added to them.
    """
    if b"sops" not in data and data[:2] not in sniff.UTF16:
        return data, None
    try:
        return _decrypted(data, path, keys, credentials), None
    except Exception as error:  # a bug must not stop git diff, either
        from encconf.errors import NotEncryptedError

        return data, error if not isinstance(error, NotEncryptedError) else None


def reason_of(error: Exception) -> str:
    """Return why a file is shown encrypted, in a few words."""
    if isinstance(error, EncconfError):
        return error.message.partition("\n")[0]
    return f"unexpected {type(error).__name__}"


def _decrypted(data: bytes, path: str, keys: KnownKeys, credentials: Credentials | None) -> bytes:
    from encconf.engine import opening, plaintext
    from encconf.errors import UnmergedError
    from encconf.identities.credentials import Credentials
    from encconf.io import fileio

    if credentials is None:
        credentials = Credentials.from_env()
        credentials.prompt = None
    credentials.cache = keys
    format = sniff.format_of(data, path)
    text = fileio.decode(data)
    try:
        opened = opening.open_text(text, format=format, credentials=credentials)
    except UnmergedError:
        from encconf.engine.metadata import CONFLICT, metadata_of

        if CONFLICT not in metadata_of(text, format).unknown:
            raise
        from encconf.git.conflict import open_conflict
        from encconf.merge import mark

        conflict = open_conflict(text, format=format, credentials=credentials)
        return fileio.encode(mark(conflict.merged, conflict.labels)[0])
    return fileio.encode(plaintext.plain_text(opened))


def note(path: str, data: bytes, name: str) -> bool | None:
    """Add the recipients of a file that no key opens to the note ``path`` of this git process.

    Returns whether the note is new, or None if there is none: the note is another process's (on Windows, the
    shell does not know the number of git's), the file has several key groups, one of its keys needs more
    than one text to be identified, or the note cannot be written.
    """
    from encconf import formats
    from encconf.engine.metadata import Metadata
    from encconf.io import fileio

    git = os.getppid()
    if os.path.basename(path) != f"{_NOTE}{git}":
        return None
    try:
        groups = Metadata.of(formats.scan_any(fileio.decode(data), sniff.format_of(data, name))).groups
        members = [[*filter(None, held.key.to_entry().values())] for group in groups for held in group]
        words = [str(word) for word, *more in members if not more]
        if len(groups) != 1 or len(words) != len(members) or "\n" in "".join(words):
            return None
        return _write(path, git, words)
    except (OSError, EncconfError):
        return None


def _write(path: str, git: int, words: Iterable[str]) -> bool:
    text = "".join(f"{word}\n" for word in words).encode()
    try:
        file, new = os.open(path, os.O_WRONLY | os.O_APPEND | NOFOLLOW | CLOEXEC), False
    except FileNotFoundError:
        from encconf.io.process import process_of

        _remove_old(path)
        file, new = os.open(path, CREATE, PRIVATE), True
        started = process_of(git)[2]
        text = b"%s\n%s" % (str(started or "").encode(), text)
    with open(file, "wb") as whole:
        whole.write(text)
    return new


def _remove_old(path: str) -> None:
    """Remove the notes of git processes that have ended."""
    folder = os.path.dirname(path)
    for name in os.listdir(folder):
        number = name.removeprefix(_NOTE)
        if name != number and number.isdecimal():
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                os.unlink(os.path.join(folder, name))
            except OSError:
                continue  # it runs as another user
