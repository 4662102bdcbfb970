"""Overwrite a file that cannot be replaced.

Some files cannot be replaced by renaming: a single file that is mounted (a container's ``-v file:file``),
a file in a folder where no file can be created, and a file whose owner, group or access list a new file could
not get.  A file with hard links would lose them.  So the content is overwritten, as sops 3.13.2 does with
every file.  Before that, the old content is copied.  After a failure, it is restored; if that fails as well,
the error names the copy.  A program that reads the file meanwhile may see half of the new content.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from encconf.errors import OutputError
from encconf.io.descriptors import CREATE, PRIVATE, is_random_name, random_name, read_all, reason, write_all

_SAVED = ".encconf-saved-"


def overwrite(descriptor: int, data: bytes, mode: int, folder: str) -> None:
    """Overwrite the content of an open file in a folder with ``data``, and close it.

    It gets ``mode`` if that is allowed.  Raises OSError if writing fails and the old content was restored,
    or OutputError if it could not be restored.
    """
    try:
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
            _forget(saved)
            raise
        _forget(saved)
        if os.fstat(descriptor).st_mode & 0o777 != mode:
            try:
                os.fchmod(descriptor, mode)
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
            _forget(path)
        finally:
            os.close(descriptor)
    return ""


def _places(folder: str) -> Iterator[str]:
    yield folder
    for variable in ("TMPDIR", "TEMP"):
        if os.path.isabs(os.environ.get(variable, "")):
            yield os.environ[variable]
    yield from ("/var/tmp", "/tmp", "/dev/shm")


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return  # nothing was saved, or a program that cleans up the folder was faster
