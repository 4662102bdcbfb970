"""Calls of Windows that Python lacks.  Other modules of `encconf.io` give them names for all systems."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import ctypes
    import msvcrt

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    for _call in (_kernel32.CreateMutexW, _kernel32.CreateFileW, _kernel32.CreateJobObjectW):
        _call.restype = ctypes.c_void_p
    _kernel32.GetCurrentProcess.restype = ctypes.c_void_p

    _DENIED, _SHARING, _LOCKED, _EXISTS = 5, 32, 33, 183
    _INVALID = ctypes.c_void_p(-1).value

    def take(name: str) -> int | None:
        """Return a handle of a named object, or None while another thread or process has one.

        The object vanishes with the last handle, so also when its process is killed.  An object of another
        user counts.  Raises OSError if the system does not let this process make such objects.
        """
        ctypes.set_last_error(0)
        handle: int | None = _kernel32.CreateMutexW(None, False, name)
        error = ctypes.get_last_error()
        if handle and error != _EXISTS:
            return handle
        if handle:
            release(handle)
        elif error != _DENIED:
            raise ctypes.WinError(error)
        return None

    def release(handle: int) -> None:
        """Give an object of `take` back."""
        _kernel32.CloseHandle(ctypes.c_void_p(handle))

    class _Limits(ctypes.Structure):
        """What Windows calls JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = [
            ("times", ctypes.c_int64 * 2),
            ("flags", ctypes.c_uint32),
            ("working_set", ctypes.c_size_t * 2),
            ("processes", ctypes.c_uint32),
            ("affinity", ctypes.c_size_t),
            ("priorities", ctypes.c_uint32 * 2),
            ("transfers", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        ]

    def join_job() -> int | None:
        """Put this process into a new job, with the programs that it starts from now on.  Returns a handle.

        All of them are killed when the handle is closed without `free_job`, so also when this process is
        killed.  A program may leave the job if it asks for that (CREATE_BREAKAWAY_FROM_JOB).  The result is
        None if the system allows no job here.
        """
        job: int | None = _kernel32.CreateJobObjectW(None, None)
        if job is None:
            return None
        _limit(job, 0x2000 | 0x800)  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, _BREAKAWAY_OK
        this = ctypes.c_void_p(_kernel32.GetCurrentProcess())
        if _kernel32.AssignProcessToJobObject(ctypes.c_void_p(job), this):
            return job
        release(job)
        return None

    def free_job(job: int) -> None:
        """Close a handle of `join_job`, and let the programs of the job go on."""
        _limit(job, 0)
        release(job)

    def _limit(job: int, flags: int) -> None:
        limits = _Limits(flags=flags)
        size, extended = ctypes.sizeof(limits), 9  # JobObjectExtendedLimitInformation
        _kernel32.SetInformationJobObject(ctypes.c_void_p(job), extended, ctypes.byref(limits), size)

    def is_open_elsewhere(path: str, *, to_read: bool = False) -> bool:
        """Whether another program has a file open: so that it cannot be replaced, or not even read."""
        share = 7 if to_read else 0  # FILE_SHARE_READ, _WRITE, _DELETE
        handle = _kernel32.CreateFileW(
            path, 0x80000000, share, None, 3, 0, None
        )  # GENERIC_READ, OPEN_EXISTING
        if handle != _INVALID:
            release(handle)
            return False
        return ctypes.get_last_error() in (_SHARING, _LOCKED)

    def is_console(descriptor: int) -> bool:
        """Whether a terminal is a console.  Python's isatty is true for NUL, too."""
        return _mode(descriptor) is not None

    def shows_colors(descriptor: int) -> bool:
        """Make a console obey the escape sequences of colors.  Returns False if it cannot."""
        mode = _mode(descriptor)
        if mode is None:
            return False
        processed = 4  # ENABLE_VIRTUAL_TERMINAL_PROCESSING
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        return bool(mode & processed or _kernel32.SetConsoleMode(handle, mode | processed))

    def _mode(descriptor: int) -> int | None:
        mode = ctypes.c_uint32()
        try:
            handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        except OSError:
            return None
        return mode.value if _kernel32.GetConsoleMode(handle, ctypes.byref(mode)) else None
