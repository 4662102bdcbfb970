"""Replace a file in one step or not at all.

A new file replaces the old one.  If the file system allows it, the new file has no name until it is complete,
so that a killed process leaves nothing behind.  A file that cannot be replaced is overwritten, and its old
content is kept until that is done.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator

from encconf.errors import OutputError
from encconf.io.descriptors import (
    CREATE,
    PRIVATE,
    is_random_name,
    patiently,
    random_name,
    read_all,
    reason,
    refuse_planted,
    set_mode,
    write_all,
)
from encconf.io.locks import LockedFolder
from encconf.io.process import SignalGuard

UNFINISHED = ".encconf-"
"""The start of the names of unfinished files (`random_name`).  They are short enough for every folder."""


def replace(
    path: str, data: bytes, mode: int | None, check: Callable[[int | None], None] | None = None
) -> None:
    """Replace a file, or make a new one.  ``mode`` and errors are as for `encconf.io.fileio.write_atomic`.

    ``check`` gets a descriptor of the current file, or None if there is none, and may raise an error.  No
    other encconf writes between the check and the replacement.
    """
    folder, name = os.path.split(path)
    with SignalGuard() as guard, LockedFolder(folder or ".") as at:
        while True:
            old = _replaceable(at, name)
            if check is not None:
                _check_now(at, name, check)
            if old is not None:
                break
            with _Unfinished(at, 0o666 if mode is None else mode) as new:
                new.write(data)
                if new.become_new(name):
                    break
        if old is not None and not _exchange(at, name, data, old, _mode(old, mode)):
            guard.hold()
            overwrite(_opened_again(at, name, old), data, _mode(old, mode), folder or ".")
        at.sync()


def _check_now(at: LockedFolder, name: str, check: Callable[[int | None], None]) -> None:
    try:
        descriptor = patiently(at.name(name), lambda: at.open(name, os.O_RDONLY), to_read=True)
    except FileNotFoundError:
        check(None)
        return
    try:
        check(descriptor)
    finally:
        os.close(descriptor)


def _replaceable(at: LockedFolder, name: str) -> os.stat_result | None:
    """Return the state of the file to replace, or None.  Raises OutputError if it is not writable."""
    try:
        old = os.stat(at.name(name), dir_fd=at.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(old.st_mode):
        what = "a folder" if stat.S_ISDIR(old.st_mode) else "no longer a regular file"
        raise OutputError(f"cannot be written: it is {what}")
    refuse_planted(old, os.stat(at.folder) if at.descriptor is None else os.fstat(at.descriptor))
    if not os.access(at.name(name), os.W_OK, dir_fd=at.descriptor):
        os.close(at.open(name, os.O_WRONLY))  # raises an error with the reason
        raise OutputError("cannot be written: permission denied")
    return old


def _opened_again(at: LockedFolder, name: str, old: os.stat_result) -> int:
    """Open a file to overwrite it.  Raises OutputError if it is another one than before.

    Whoever may write to the folder could put a file of theirs in its place, to read what you write.
    """
    descriptor = at.open(name, os.O_RDWR)
    try:
        if os.path.samestat(os.fstat(descriptor), old):
            return descriptor
        raise OutputError(
            "cannot be written: another file was put in its place", hint="look at it, and run this again"
        )
    except BaseException:
        os.close(descriptor)
        raise


def _mode(old: os.stat_result, mode: int | None) -> int:
    """Return the mode of the written file.  It is the old one, but private content is never for everyone."""
    kept = stat.S_IMODE(old.st_mode) & 0o777
    return kept & 0o700 if mode == PRIVATE and kept & 0o006 else kept


def _exchange(at: LockedFolder, name: str, data: bytes, old: os.stat_result, mode: int) -> bool:
    """Replace the old file by a new one.  If that would lose something, changes nothing and returns False."""
    if old.st_nlink > 1:
        return False  # the other names would keep the old content
    try:
        with _Unfinished(at, PRIVATE) as new:
            if not _keep_attributes(new.descriptor, old, at, name):
                return False
            new.write(data, mode)
            patiently(at.name(name), lambda: new.become(name))
    except OSError as error:
        if error.errno in _NO_EXCHANGE:
            return False
        raise
    return True


_NO_EXCHANGE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)
"""The errors of a folder where no file can be created or replaced (sticky), and of a mounted file."""


class _Unfinished:
    """A new file in a folder.  If the system can do that, the file has no name until it is complete.

    Otherwise it has a temporary name (`UNFINISHED`), which is always removed, except after SIGKILL.
    """

    def __init__(self, at: LockedFolder, mode: int) -> None:
        self._at = at
        self._name = ""
        # linkat gives the file its name.  Python calls linkat only for a name relative to an open folder.
        self._unnamed = (
            hasattr(os, "O_TMPFILE") and at.descriptor is not None and os.path.isdir("/proc/self/fd")
        )
        if self._unnamed:
            try:
                self.descriptor = at.open(".", os.O_WRONLY | os.O_TMPFILE, mode)
                return
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                    raise
                self._unnamed = False
        while not self._name:
            self._name = random_name(UNFINISHED)
            try:
                self.descriptor = at.open(self._name, CREATE, mode)
            except FileExistsError:
                self._name = ""

    def __enter__(self) -> _Unfinished:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        if self._name:
            self._at.unlink(self._name)

    def write(self, data: bytes, mode: int | None = None) -> None:
        """Write the content, and then set the mode."""
        write_all(self.descriptor, data)
        if mode is not None:
            set_mode(self.descriptor, mode)
        os.fsync(self.descriptor)

    def become_new(self, name: str) -> bool:
        """Become a new file.  Returns False if another program has made one in the meantime."""
        if self._unnamed:
            return self._link(name)
        folder = self._at.descriptor
        if os.name == "nt":
            self._close()
        try:
            if os.name == "nt":
                os.rename(self._at.name(self._name), self._at.name(name))  # replaces nothing there
                self._name = ""
            else:
                os.link(self._at.name(self._name), self._at.name(name), src_dir_fd=folder, dst_dir_fd=folder)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if os.name == "nt":
                raise
            if self._at.has(name):
                return False
            self.become(name)
        return True

    def become(self, name: str) -> None:
        """Replace a file."""
        folder = self._at.descriptor
        while not self._name:
            self._name = random_name(UNFINISHED)
            if not self._link(self._name):
                self._name = ""
        if os.name == "nt":
            self._close()
        os.replace(self._at.name(self._name), self._at.name(name), src_dir_fd=folder, dst_dir_fd=folder)
        self._name = ""

    def _close(self) -> None:
        """Close the file before it is renamed: Windows cannot rename an open one."""
        os.close(self.descriptor)
        self.descriptor = os.open(os.devnull, os.O_RDONLY)

    def _link(self, name: str) -> bool:
        # With dir_fd, Python calls linkat with AT_SYMLINK_FOLLOW.
        try:
            os.link(
                f"/proc/self/fd/{self.descriptor}",
                self._at.name(name),
                dst_dir_fd=self._at.descriptor,
                follow_symlinks=True,
            )
        except FileExistsError:
            return False
        return True


def sweep(folder: str) -> list[str]:
    """Remove the files that killed writes have left in a folder.  Returns their names.

    Such a file has some or all of the new content of a file beside it.  Nothing is removed if the folder
    cannot be locked, since another process may be writing there.
    """
    removed: list[str] = []
    try:
        if not _leftovers(folder):
            return []
        with LockedFolder(folder) as at:
            # Look again: a write may have finished in the meantime.
            for name in _leftovers(folder) if at.locked else ():
                if at.unlink(name):
                    removed.append(name)
    except (OSError, OutputError):
        pass
    return removed


def _leftovers(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if is_random_name(entry.name, UNFINISHED)]


def is_leftover(name: str) -> bool:
    """Whether a file's name is that of a file that every write removes: one is running, or it was killed."""

    return is_random_name(name, UNFINISHED) or is_saved(name)


def _keep_attributes(descriptor: int, old: os.stat_result, at: LockedFolder, name: str) -> bool:
    """Give the new file the old one's owner, group and access list.  Returns whether it has all of them."""
    if not hasattr(os, "fchown"):
        return True
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except OSError:
            return False
    return not hasattr(os, "listxattr") or _copy_access_list(descriptor, old, at, name)


def _copy_access_list(descriptor: int, old: os.stat_result, at: LockedFolder, name: str) -> bool:
    """Copy the extended attributes as far as possible.  Returns whether the access list is complete.

    If there is another file now, its access list is not copied: it could let others read what is written.
    """
    try:
        source = at.open(name, os.O_RDONLY)
    except OSError:
        return False
    complete = True
    try:
        if not os.path.samestat(os.fstat(source), old):
            return False
        try:
            attributes = os.listxattr(source)
        except OSError:
            return True  # the file system has no extended attributes
        for attribute in attributes:
            try:
                os.setxattr(descriptor, attribute, os.getxattr(source, attribute))
            except OSError:
                complete = complete and attribute != "system.posix_acl_access"
    finally:
        os.close(source)
    return complete


# --- overwriting a file that cannot be replaced ---------------------------------------------------
# Some files cannot be replaced by renaming: a single file that is mounted (a container's ``-v file:file``),
# a file in a folder where no file can be created, and a file whose owner, group or access list a new file
# could not get.  A file with hard links would lose them.  So the content is overwritten, as sops 3.13.2
# does with every file.  Before that, the old content is copied.  After a failure, it is restored; if that
# fails as well, the error names the copy.  A program that reads the file meanwhile may see half of the new
# content.

MOST_KEPT = 256 << 20
"""The largest file that is overwritten, in bytes (256 MiB), since its old content is in memory meanwhile."""

_SAVED = ".encconf-saved-"


def overwrite(descriptor: int, data: bytes, mode: int, folder: str) -> None:
    """Overwrite the content of an open file in a folder with ``data``, and close it.

    It gets ``mode`` if that is allowed.  Raises OSError if writing fails and the old content was restored,
    or OutputError if it could not be restored.
    """
    try:
        if os.fstat(descriptor).st_size > MOST_KEPT:
            raise OutputError(
                f"cannot be written: it cannot be replaced, and is larger than {MOST_KEPT >> 20} MiB",
                hint="its old content would be kept until the new one is complete; name another file",
            )
        old = read_all(descriptor, None)
        saved = _save(folder, old)
        try:
            _write(descriptor, data)
        except OSError:
            try:
                _write(descriptor, old)
            except OSError as error:
                where = f"it had before is in {saved}" if saved else "it had before is lost"
                raise OutputError(
                    f"cannot be written completely and is now damaged: {reason(error)}",
                    hint=f"the content that {where}",
                ) from None
            _forget(saved, quietly=True)
            raise
        _forget(saved)
        try:
            set_mode(descriptor, mode)
        except OSError:
            return  # the file belongs to another user
    finally:
        os.close(descriptor)


def is_saved(name: str) -> bool:
    """Whether a file's name is that of a copy of the old content."""
    return is_random_name(name, _SAVED)


def _write(descriptor: int, data: bytes) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    write_all(descriptor, data)
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


def _save(folder: str, content: bytes) -> str:
    """Save the old content beside the file or in a temporary folder, and return the path or ""."""
    for place in _places(folder):
        path = os.path.join(os.path.abspath(place), random_name(_SAVED))
        try:
            descriptor = os.open(path, CREATE, PRIVATE)
        except OSError:
            continue
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
            return path
        except OSError:
            _forget(path, quietly=True)
        finally:
            os.close(descriptor)
    return ""


def _places(folder: str) -> Iterator[str]:
    yield folder
    for variable in ("TMPDIR", "TEMP"):
        if os.path.isabs(os.environ.get(variable, "")):
            yield os.environ[variable]
    yield from ("/var/tmp", "/tmp", "/dev/shm")


def _forget(path: str, *, quietly: bool = False) -> None:
    """Remove a copy.  Raises OutputError, unless ``quietly``: `encconf check` reports a copy that is left."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return  # nothing was saved, or a program that cleans up the folder was faster
    except OSError as error:
        if quietly:
            return
        why = f"is written, but the copy of its old content cannot be removed: {reason(error)}"
        raise OutputError(why, hint=f"remove {path}") from None
