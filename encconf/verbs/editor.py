"""Run the user's editor on one plaintext file, so that the text does not leak.

encconf chooses the editor and splits its command line as sops 3.13.3 does (cmd/sops/edit.go), and the editor
inherits stdin, stdout and stderr.  In addition, editors of the vim family write no swap, backup, undo and
history files, the editor's environment has no secrets that open the file, and no core is dumped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from encconf.errors import EditorError
from encconf.identities.credentials import KEY_VARIABLES
from encconf.io import programs
from encconf.io.descriptors import is_terminal
from encconf.keys import TABLE

DEFAULTS = ("vim", "nano", "vi", *(("notepad",) if os.name == "nt" else ()))
"""The editors to look for if no variable names one."""

SECRETS = frozenset((*KEY_VARIABLES, *(name for row in TABLE.values() for name in row.secrets)))
"""Variables that the editor does not get: they contain secrets that open files, or their locations."""

_VIM = ("vim", "nvim", "gvim", "mvim", "rvim")
# -c applies them after the user's own settings.  A small vim may lack an option, so errors are silent.
_VIM_SETTINGS = "silent! set noswapfile noundofile nobackup nowritebackup viminfo="


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """Return the editor's argument list, without the file.  Raises EditorError."""
    for variable in ("SOPS_EDITOR", "EDITOR"):
        setting = environ.get(variable, "")
        if os.name == "nt" and programs.find(setting.strip(), environ):
            words = [setting.strip()]  # a path with spaces, but without quotes
        else:
            words = split_command(setting, variable)
        if not words:
            continue
        program = programs.find(words[0], environ)
        if program is None:
            message, hint = programs.missing(words[0], environ)
            correct = f"correct ${variable}"
            hint = correct if os.path.dirname(words[0]) else f"{hint}, or {correct}"
            raise EditorError(f"the editor {message}", hint=hint)
        return [*_private(program), *words[1:]]
    for name in DEFAULTS:
        program = programs.find(name, environ)
        if program is not None:
            return _private(program)
    raise EditorError(
        f"no editor was found; looked for {', '.join(DEFAULTS)}", hint="set EDITOR or SOPS_EDITOR"
    )


def run_editor(command: list[str], path: str, environ: Mapping[str, str]) -> None:
    """Run an editor on a file and wait for it.  If a signal ends encconf, the editor is ended too.

    Raises EditorError if the editor cannot be started, fails or is killed, and KeyboardInterrupt if Ctrl-C
    ended it.
    """
    kept = {name: value for name, value in environ.items() if name not in SECRETS}
    _forbid_core_dumps()
    run = _run if hasattr(os, "posix_spawn") else _run_portably
    try:
        code = run([*command, path], kept)
    except OSError as error:
        raise EditorError(f"the editor {command[0]} cannot be run: {error.strerror}") from None
    if code in (-2, 0xC000013A):  # the second one is Windows's
        raise KeyboardInterrupt
    if code < 0:
        raise EditorError(f"the editor was killed by signal {-code}; nothing was changed")
    if code > 0:
        raise EditorError(f"the editor failed with exit code {code}; nothing was changed")


def _run(command: list[str], environ: Mapping[str, str]) -> int:
    """Run a program and return its exit code, or the negative number of the signal that ended it.

    If an exception interrupts the wait, the program is ended too, because its folder will be deleted.
    """
    import signal

    process = 0
    try:
        with _keys_left_to_the_editor():
            # Block signals until the process id is known: without the id, the program could not be ended.
            before = signal.pthread_sigmask(
                signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
            )
            ignored = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python; other programs should not ignore them
            try:
                process = os.posix_spawn(command[0], command, environ, setsigmask=before, setsigdef=ignored)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return _wait(process)
    except BaseException:
        if process:
            _end(process)
        raise


@contextmanager
def _keys_left_to_the_editor() -> Iterator[None]:
    """Ignore Ctrl-C and Ctrl-\\ on a terminal, which sends them to the editor as well; vim goes on."""
    import signal

    names = ("SIGINT", "SIGQUIT", "SIGBREAK") if is_terminal(0) else ()
    keys = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {key: signal.signal(key, lambda *_: None) for key in keys}
    try:
        yield
    finally:
        for key, handler in before.items():
            signal.signal(key, handler)


def _wait(process: int) -> int:
    from encconf.io.process import pause

    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        pause(process)


def split_command(setting: str, variable: str, *, escapes: bool = os.name != "nt") -> list[str]:
    """Split a command line into words as google/shlex does in sops.  Drops comments, and expands nothing.

    Without ``escapes``, as on Windows, a backslash stays: it belongs to a path.  (sops.exe drops it.)
    """
    words = []
    at = 0
    while at < len(setting):
        found = (_WORD if escapes else _WORD_OF_WINDOWS).match(setting, at)
        if found is None:
            raise EditorError(f"${variable} is not a command line: a quote is not closed")
        if found[1] is not None and escapes:
            words.append(_QUOTED.sub(_unquoted, found[1]))
        elif found[1] is not None:
            words.append(re.sub(r"""["'](.*?)["']""", r"\1", found[1]))
        at = found.end()
    return words


_WORD = re.compile(r"""[ \t\r\n]+|#[^\n]*|((?:[^ \t\r\n"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)""", re.DOTALL)
_WORD_OF_WINDOWS = re.compile(r"""[ \t\r\n]+|#[^\n]*|((?:[^ \t\r\n"']|"[^"]*"|'[^']*')+)""", re.DOTALL)
_QUOTED = re.compile(r"""\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'""", re.DOTALL)


def _unquoted(part: re.Match[str]) -> str:
    if part[2] is not None:
        return re.sub(r"(?s)\\(.)", r"\1", part[2])
    return part[1] if part[1] is not None else part[3]


def _end(process: int) -> None:
    import signal
    import time

    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(process, number)
            for _ in range(100):
                if os.waitpid(process, os.WNOHANG)[0]:
                    return
                time.sleep(0.01)
    except OSError:
        return  # the program has ended already


def _private(program: str) -> list[str]:
    """Return the program.  An editor of the vim family gets options that keep the text out of other files."""
    real = os.path.basename(os.path.realpath(program)).partition(".")[0]
    if real in _VIM:
        return [program, "-n", "-i", "NONE", "-c", _VIM_SETTINGS]
    return [program]


def _forbid_core_dumps() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        return  # this system does not support the limit


def _run_portably(command: list[str], environ: Mapping[str, str]) -> int:
    import subprocess

    line = programs.command_line(command[0], command[1:])
    with _keys_left_to_the_editor():
        return subprocess.run(line, env=programs.with_system(environ), check=False).returncode
