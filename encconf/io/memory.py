"""Protect the memory of a process."""

from __future__ import annotations


def stay_in_memory() -> None:
    """Protect memory from core dumps, swapping and the user's other processes, as far as possible."""
    import ctypes
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None)
    libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        # If locked memory is limited, later allocations would fail.
        libc.mlockall(1 | 2 | 4)  # MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT
