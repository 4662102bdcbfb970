"""As much of Windows as Linux can play: for a Python that runs encconf with this folder on PYTHONPATH.

The names that Python does not have on Windows are gone, `os.name` is ``nt``, a folder cannot be opened,
nothing takes ``dir_fd``, /proc has no files, and a file that is open cannot be replaced or removed.  Paths,
and how programs are started, stay those of Linux.  What asks for `os.name` when it is loaded is loaded first.
"""

import sys

if "encconf" in sys.orig_argv or any("encconf.cli import run" in word for word in sys.orig_argv):
    import builtins
    import ctypes.util  # noqa: F401
    import os
    import pathlib  # noqa: F401
    import select
    import shutil  # noqa: F401
    import signal
    import socket
    import subprocess
    import tempfile

    tempfile._O_TMPFILE_WORKS = False  # it was loaded while os had the flag

    GONE = {
        os: (
            " chown chroot fchdir fchmod fchown fork forkpty getegid geteuid getgid"
            " getgrouplist getgroups getpgid getpgrp"
            " getpriority getresuid getsid getuid initgroups killpg lchown listxattr getxattr"
            " setxattr removexattr"
            " mkfifo mknod nice openpty pathconf pidfd_open pipe2 posix_spawn posix_spawnp"
            " pread pwrite register_at_fork"
            " sched_getaffinity sendfile setegid seteuid setgid setgroups setpgid setregid"
            " setreuid setsid setuid statvfs"
            " sync ttyname tcgetpgrp uname wait wait3 wait4 memfd_create copy_file_range splice"
            " O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC O_TMPFILE O_PATH"
            " WNOHANG WIFEXITED"
            " POSIX_SPAWN_OPEN POSIX_SPAWN_DUP2 POSIX_SPAWN_CLOSE set_blocking get_blocking"
        ),
        signal: (
            " SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGTTIN"
            " SIGTTOU SIGUSR1 SIGUSR2"
            " SIGXFSZ SIG_BLOCK SIG_SETMASK SIG_UNBLOCK alarm pause pidfd_send_signal"
            " pthread_kill pthread_sigmask"
            " setitimer siginterrupt sigpending sigwait sigwaitinfo sigtimedwait"
        ),
        select: "poll epoll POLLIN POLLOUT POLLHUP",
        socket: "AF_UNIX SO_PEERCRED SOCK_CLOEXEC SOCK_NONBLOCK",
    }
    for module, names in GONE.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    subprocess._USE_POSIX_SPAWN = False  # its documented switch: since 3.13, most children start that way
    os.supports_dir_fd.clear()
    os.name = "nt"

    MISSING = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog"}
    for name in MISSING:
        sys.modules.pop(name, None)
    usual_import, usual_open, usual_opened = builtins.__import__, os.open, builtins.open
    usual_replace, usual_unlink = os.replace, os.unlink

    def import_(name, *args, **options):
        if name in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return usual_import(name, *args, **options)

    def opened(file, *args, **options):
        if isinstance(file, str) and file.startswith("/proc/"):
            raise FileNotFoundError(2, "No such file or directory", file)
        return usual_opened(file, *args, **options)

    def no_dir_fd(options):
        if any(options.get(name) is not None for name in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
            raise NotImplementedError("dir_fd unavailable on this platform")

    def open_(path, flags, mode=0o777, **options):
        no_dir_fd(options)
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return usual_open(path, flags, mode)

    def refuse_open(path):
        try:
            there = os.stat(path)
        except OSError:
            return
        for number in range(3, 64):
            try:
                held = os.fstat(number)
            except OSError:
                continue
            if (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino):
                raise PermissionError(13, "The process cannot access the file: it is used by another", path)

    def replace(source, target, **options):
        no_dir_fd(options)
        refuse_open(source)
        refuse_open(target)
        return usual_replace(source, target)

    def unlink(path, **options):
        no_dir_fd(options)
        refuse_open(path)
        return usual_unlink(path)

    builtins.__import__, builtins.open = import_, opened
    os.open, os.replace, os.rename, os.unlink, os.remove = open_, replace, replace, unlink, unlink
