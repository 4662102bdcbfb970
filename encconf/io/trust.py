"""Files that a stranger may have put there: links at fixed names, and files of other users."""

from __future__ import annotations

import os
import stat

from encconf.errors import OutputError
from encconf.io.fileio import upwards


def fixed(folder: str, name: str) -> str:
    """Return the path of a file with a fixed name, such as ``.gitattributes``, in a folder.

    This is for every name that no user has typed; it may begin with names of folders.  Links on the way to
    the folder are followed.  But like git, encconf follows none after it: whoever put a link there, in a
    branch for example, would choose the file that is read and written.

    Raises OutputError for a link, for what is neither a file nor missing, and for a file of another user.
    """
    path, shown = os.path.realpath(folder), folder
    for part in name.replace("/", os.sep).split(os.sep):
        path, shown = os.path.join(path, part), os.path.join(shown, part)
        try:
            kind = os.lstat(path).st_mode
        except (OSError, ValueError):
            continue  # it does not exist, or the code that opens it reports the error
        if stat.S_ISLNK(kind):
            hint = f"encconf follows no link there, as git does not; look at it, and remove it: rm {shown}"
            raise OutputError("cannot be used: it is a symbolic link", hint=hint).about(shown)
    if os.path.lexists(path):
        if not os.path.isfile(path):
            what = "a folder" if os.path.isdir(path) else "not a regular file"
            raise OutputError(f"cannot be written: it is {what}").about(shown)
        if is_foreign(path):
            hint = "chown it, or move it away"
            raise OutputError("cannot be used: it belongs to another user", hint=hint).about(shown)
    return path


def is_foreign(path: str) -> bool:
    """Whether a file, or the link to it, belongs to another user, who could have written anything into it.

    Yours are your own files, those of root, and for root those of the user who called sudo.  The file of
    another user is accepted only in that user's git repository, if git accepts it (``safe.directory``).
    """
    if not hasattr(os, "geteuid"):
        return False
    me = os.geteuid()
    yours = {me, 0}
    if me == 0 and (caller := os.environ.get("SUDO_UID", "")).isdecimal():
        yours.add(int(caller))
    owners = set()
    for look in (os.lstat, os.stat):
        try:
            owners.add(look(path).st_uid)
        except (OSError, ValueError):
            continue  # the code that reads the file reports this
    return not owners <= yours and not (len(owners) == 1 and _git_accepts(path, owners.pop()))


def _git_accepts(path: str, owner: int) -> bool:
    """Whether git works in the repository that a file is in, though both belong to this other user."""
    for place in upwards(os.path.dirname(os.path.abspath(path))):
        if os.path.lexists(os.path.join(place, ".git")):
            break
    else:
        return False
    bound = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR")  # set in hooks, for whatever folder
    environ = {name: value for name, value in os.environ.items() if name not in bound}
    try:
        from encconf.io import programs  # few files are in a folder of another user

        # An empty ``.git`` is not a repository: git looks further upwards, and may find one of yours.
        asked = programs.run(["git", "-C", place, "rev-parse", "--show-toplevel"], environ)
        top = os.fsdecode(asked.stdout).removesuffix("\n")
        return asked.returncode == 0 and os.path.samefile(top, place) and os.stat(place).st_uid == owner
    except (OSError, ValueError):
        return False
