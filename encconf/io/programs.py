"""Find and start programs, and make their environment.

A program is found only where no stranger can put one: never in the current folder, even if PATH contains it
(as in Go, and therefore sops), and never in the work tree that the current folder is in, whose files a branch
or a pull request can change.  Two places there are trusted all the same: the folder of the running Python,
since whoever can write to a virtual environment can also replace encconf; and all of a work tree that
contains your home folder, since its other files (such as ~/.profile) run programs, too.

A name with a folder (``./gpg``) is a choice of the user and is taken as it is.
"""

from __future__ import annotations

import errno
import os
import sys
from _thread import allocate_lock
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from encconf.io.fileio import upwards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import CompletedProcess, Popen
    from typing import Any

_NOWHERE = "/nonexistent"

_WITHOUT_LINKS = set[str]()
"""Folders of PATH that no link leads to.  A branch cannot turn one outside the work tree into a link."""


def find(name: str, environ: Mapping[str, str], *, anywhere: bool = False) -> str | None:
    """Return the absolute path of a program, or None if it was not found.

    With ``anywhere``, it may also be in the work tree, but not in the current folder.
    """
    return _search(name, environ, _work_tree(environ), anywhere=anywhere)[0]


def runs_code(variable: str) -> bool:
    """Whether a variable decides which programs, modules or commands other programs run."""
    name = variable.upper()
    if name in _NAMES or name.endswith(_CODE_FOR):
        return True
    return name.startswith(_BEGINNINGS) and name not in _EXCEPTIONS and not name.endswith("_VERSION")


_CODE = """
    AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE BASHOPTS BASH_ENV BROWSER CC CLASSPATH CLOUDSDK_CONFIG
    CLOUDSDK_PYTHON CURL_HOME CXX DOCKER_CONFIG EDITOR EMACSLOADPATH ENV EXINIT FPATH GCONV_PATH
    GIO_EXTRA_MODULES GNUPGHOME GOBIN GOENV GOFLAGS GOPATH GOPROXY GOROOT GOTOOLCHAIN GOTOOLDIR GOWORK
    GUNICORN_CMD_ARGS HGRCPATH HOME IFS INPUTRC IRBRC JAVA_HOME JAVA_OPTS JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS
    KRB5_CONFIG KSH_ENV KUBECONFIG LESS LESSCLOSE LESSEDIT LESSKEY LESSKEYIN LESSKEYIN_SYSTEM LESSKEY_SYSTEM
    LESSOPEN LIBMYSQL_PLUGINS LIBMYSQL_PLUGIN_DIR MAKEFILES MAKEFLAGS MANPAGER MYSQL_HOME
    NODE_EXTRA_CA_CERTS NODE_OPTIONS NODE_PATH NODE_REPL_EXTERNAL_MODULE ODBCSYSINI OPENSSL_CONF
    OPENSSL_ENGINES OPENSSL_MODULES PAGER PATH PATHEXT PERL5DB PERL5LIB PERL5OPT PERL5SHELL PERLLIB PHPRC
    PROMPT_COMMAND PS1 PS4 PSQLRC PYTEST_ADDOPTS PYTEST_PLUGINS PYTHON PYTHONBREAKPOINT PYTHONEXECUTABLE
    PYTHONHOME PYTHONPATH PYTHONPLATLIBDIR PYTHONPYCACHEPREFIX PYTHONSTARTUP PYTHONUSERBASE PYTHONWARNINGS
    RUBYLIB RUBYOPT RUBYSHELL RUSTC RUSTC_WRAPPER RUSTFLAGS SHELL SHELLOPTS SSH_ASKPASS SSLKEYLOGFILE
    SUDO_ASKPASS SVN_SSH TCLLIBPATH VIMINIT VIMRUNTIME VIRTUAL_ENV VISUAL WGETRC XDG_CONFIG_DIRS
    XDG_CONFIG_HOME XDG_DATA_DIRS XDG_DATA_HOME ZDOTDIR _JAVA_OPTIONS
"""
_CODE_OF = """
    ANSIBLE_ ASDF_ BASH_FUNC_ BUNDLE_ CARGO_ CGO_ CONDA_ CORECLR_ COR_ DENO_ DOTNET_ DYLD_ ENCCONF_ ERL_ GEM_
    GIT_ALLOW_ GIT_ALTERNATE_ GIT_ATTR_ GIT_CEILING_ GIT_COMMON_ GIT_CONFIG GIT_DIR GIT_EXEC_ GIT_EXTERNAL_
    GIT_GRAFT_ GIT_INDEX_ GIT_NAMESPACE GIT_OBJECT_ GIT_PROTOCOL_ GIT_PROXY_ GIT_REPLACE_ GIT_SHALLOW_ GIT_SSH
    GIT_SSL_ GIT_TEMPLATE_ GIT_TRACE GIT_WORK_TREE GRADLE_ GST_PLUGIN_ GTK_ HELM_ JULIA_ LD_32_ LD_64_
    LD_AUDIT LD_CONFIG LD_DEBUG LD_ELF_ LD_FLAGS LD_LIB LD_LOADFLTR LD_OPTIONS LD_ORIGIN_PATH LD_PRELOAD
    LD_PROFILE LD_RUN_PATH LUA_ MAGICK_ MAVEN_ MISE_ NPM_CONFIG_ PDM_ PHP_INI_ PIPENV_ PIP_ POETRY_ PYENV_
    QT_PLUGIN_ RBENV_ R_PROFILE SOPS_ TF_CLI_ TF_PLUGIN_ UV_ YARN_
"""
_CODE_FOR = ("_ASKPASS", "_BROWSER", "_EDITOR", "_JAVA_OPTS", "_PAGER", "_RSH")
# Common names that run nothing.  Those of LaunchDarkly begin with LD_, so that is not a beginning above.
_HARMLESS = """
    ANSIBLE_HOST ANSIBLE_USER CGO_ENABLED DOTNET_ENVIRONMENT HELM_DEBUG HELM_NAMESPACE HELM_RELEASE
    HELM_RELEASE_NAME UV_THREADPOOL_SIZE
"""
_NAMES, _BEGINNINGS, _EXCEPTIONS = frozenset(_CODE.split()), tuple(_CODE_OF.split()), _HARMLESS.split()


def is_first(name: str) -> bool:
    """Whether a library starts the program that `find` finds, or none: it starts the first one of PATH."""
    import shutil

    first = shutil.which(name)
    return first is None or os.path.normcase(first) == os.path.normcase(find(name, os.environ) or "")


def missing(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the message and the hint of an error for a program that `find` does not find."""
    if os.path.dirname(name):
        if os.path.lexists(name):
            return f"{name} cannot be run: it is not an executable file", "name a program"
        return f"{name} was not found", "correct its path"
    refused = _search(name, environ, _work_tree(environ))[1]
    if not refused:
        return f"{name} was not found", "install it, or add its folder to PATH"
    place = "the work tree" if os.path.isabs(refused) else "the current folder"
    return (
        f"{name} was not found, except in {place}",
        f"encconf does not run {refused}, since a branch could replace it; install {name} elsewhere on PATH",
    )


def _search(
    name: str, environ: Mapping[str, str], tree: str | None, *, anywhere: bool = False
) -> tuple[str | None, str]:
    """Return the path of a program, or None; and then the path of one that is not trusted, or "".

    ``tree`` is the work tree of the current folder.
    """
    if os.path.dirname(name):
        found = next(filter(_is_program, _names(os.path.abspath(name), environ)), None)
        return found, ""
    refused = ""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        for path in _names(os.path.join(folder, name), environ):
            if _is_program(path):
                if _is_trusted(folder, tree) or (anywhere and os.path.isabs(folder)):
                    return path, ""
                refused = refused or (path if os.path.dirname(path) else os.path.join(os.curdir, path))
    return None, refused


def absolute(path: str) -> list[str]:
    """Return the folders of PATH without those that are relative: they are, or begin at, the current one."""
    return [folder for folder in path.split(os.pathsep) if os.path.isabs(folder)]


def _names(path: str, environ: Mapping[str, str]) -> list[str]:
    """Return the names that a program can have: on Windows, with an ending of PATHEXT."""
    if os.name != "nt":
        return [path]
    endings = [each for each in environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";") if each]
    whole = path.lower().endswith(tuple(each.lower() for each in endings)) or "PATHEXT" not in environ
    return [*([path] if whole else []), *(path + each for each in endings)]


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and not os.path.isdir(path)


def _is_trusted(folder: str, tree: str | None) -> bool:
    """Whether programs of a folder on PATH may run.  ``tree`` is the work tree of the current folder."""
    if not os.path.isabs(folder):
        return False
    if tree is None:
        return True
    real = folder
    if folder not in _WITHOUT_LINKS:
        real = os.path.realpath(folder)
        if real == folder:
            _WITHOUT_LINKS.add(folder)
    inside = _is_below(real, tree)
    if not inside and real != folder:  # a link of the work tree may lead out of it
        inside = any(os.path.realpath(place) == tree for place in upwards(folder))
    return not inside or real == os.path.realpath(os.path.dirname(os.path.abspath(sys.executable)))


def _is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or below it.  Neither has links or parts such as ``..``."""
    path, folder = os.path.normcase(path), os.path.normcase(folder)
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _work_tree(environ: Mapping[str, str]) -> str | None:
    """Return the outermost work tree that the current folder is in, with links followed, or None.

    A work tree that contains the home folder does not count.
    """
    try:
        here = os.path.realpath(os.curdir)
    except OSError:  # the current folder was removed
        return None
    home = environ.get("HOME") or environ.get("USERPROFILE") or os.path.expanduser("~")
    home = os.path.realpath(home)
    found = None
    for place in upwards(here):
        if _is_below(home, place):
            break
        if os.path.lexists(os.path.join(place, ".git")):
            found = place
    return found


def environment(environ: Mapping[str, str], *, without: Collection[str] = ()) -> dict[str, str]:
    """Return the environment for a program: without some variables, and PATH with trusted folders only."""
    return _environment(environ, without, _work_tree(environ))


def prepare(
    name: str, environ: Mapping[str, str], *, without: Collection[str] = ()
) -> tuple[str | None, dict[str, str]]:
    """Return what `find` returns for a program, and the `environment` for it."""
    tree = _work_tree(environ)
    return _search(name, environ, tree)[0], _environment(environ, without, tree)


def _environment(environ: Mapping[str, str], without: Collection[str], tree: str | None) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in without}
    if "PATH" in kept:
        folders = [folder for folder in kept["PATH"].split(os.pathsep) if _is_trusted(folder, tree)]
        kept["PATH"] = os.pathsep.join(folders) or _NOWHERE  # an empty PATH is the current folder
    return with_system(kept)


def with_system(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with the variable without which many programs do not start on Windows."""
    found = dict(environ)
    if os.name == "nt" and "SYSTEMROOT" in os.environ:
        found.setdefault("SYSTEMROOT", os.environ["SYSTEMROOT"])
    return found


def start(
    words: Sequence[str], environ: Mapping[str, str], *, without: Collection[str] = (), **options: Any
) -> Popen[bytes]:
    """Start a program.  ``without`` is as for `environment`, and ``options`` are those of `subprocess.Popen`.

    Raises OSError: FileNotFoundError if `find` does not find the program.
    """
    import subprocess

    path, kept = prepare(words[0], environ, without=without)
    if path is None:
        if not os.path.dirname(words[0]):
            raise FileNotFoundError(errno.ENOENT, missing(words[0], environ)[0])
        path = os.path.abspath(words[0])  # the error of the system says why it cannot be run
    line = command_line(path, words[1:])
    return subprocess.Popen(line, env=kept, **options)


def command_line(path: str, arguments: Sequence[str]) -> Sequence[str] | str:
    """Return what `subprocess.Popen` gets to run a program with arguments.

    Windows runs a batch file (``.bat``, ``.cmd``: npm, az, code) by cmd, which would expand variables and run
    what follows an ``&`` in an argument.  So the line is written for cmd, as Rust's library does.

    Raises OSError for an argument that a batch file cannot get.
    """
    if os.name == "nt" and path.lower().endswith((".bat", ".cmd")):
        return batch_line(_cmd(), path, arguments)
    return [path, *arguments]


def batch_line(cmd: str, path: str, arguments: Sequence[str]) -> str:
    """Return the line with which cmd runs a batch file, and expands nothing in its arguments."""
    if any(sign in each for each in arguments for sign in "\0\r\n"):
        raise OSError(errno.EINVAL, "a batch file gets no argument with a line break")
    words = " ".join(map(_batch_word, arguments))
    return f'"{cmd}" /e:ON /v:OFF /d /c ""{path}" {words}"'


def _batch_word(word: str) -> str:
    import re

    if re.fullmatch(r"[\w#$*+./:?@\\-]*[\w#$*+./:?@-]", word):
        return word
    said = re.sub(r'(\\*)("|$)', r"\1\1\2", word).replace('"', '""')
    # The variable cd always exists: cmd replaces an empty part of it, and leaves the % after it alone.
    return '"' + said.replace("%", "%%cd:~,%") + '"'


def shell(command: str) -> Sequence[str] | str:
    """Return what `subprocess.Popen` gets to run a command in the system's shell, as it is."""
    if os.name == "nt":  # /s: cmd removes the first and the last quote, and only these
        return f'"{_cmd()}" /d /s /c "{command}"'
    return ["/bin/sh", "-c", command]


def _cmd() -> str:
    return os.path.join(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32", "cmd.exe")


def split(line: str) -> list[str]:
    """Split a command line into words as a shell does.  Raises ValueError if a quote is not closed.

    On Windows, a backslash stays, since it belongs to a path.
    """
    import shlex

    words = shlex.shlex(line, posix=True)
    words.whitespace_split, words.commenters = True, ""
    if os.name == "nt":
        words.escape = ""
    return list(words)


def run(
    words: Sequence[str],
    environ: Mapping[str, str],
    *,
    without: Collection[str] = (),
    data: bytes = b"",
    timeout: float | None = None,
) -> CompletedProcess[bytes]:
    """Run a program with ``data`` as its input, and return its result.  ``without`` is as for `environment`.

    Raises what `start` raises, and TimeoutExpired after ``timeout`` seconds.
    """
    import subprocess

    pipe = subprocess.PIPE
    with start(words, environ, without=without, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            out, err = process.communicate(data, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


@contextmanager
def for_libraries(environ: Mapping[str, str], *, without: Collection[str] = ()) -> Iterator[None]:
    """Give a library in C or Rust, which finds and starts programs itself, an `environment` for them.

    Only the C library's environment changes, so Python's `os.environ` stays, also for other threads.
    """
    wanted = environment({"PATH": os.defpath, **environ}, without=without)
    names = {"PATH", *without}
    changed = {name for name in names if os.environ.get(name) != wanted.get(name)}
    try:
        for name in changed:
            _put(name, wanted.get(name))
        yield
    finally:
        for name in changed:
            _put(name, os.environ.get(name))


@contextmanager
def for_children() -> Iterator[None]:
    """Give a library in Python, which starts programs itself, a PATH with trusted folders only.

    Programs look for others there: many scripts begin with ``#!/usr/bin/env python``.  Other threads see this
    PATH, too, so it is restored as soon as possible, and only changed if it has other folders.
    """
    with _CHANGING:
        before = os.environ.get("PATH", os.defpath)
        wanted = environment({"PATH": before, **os.environ})["PATH"]
        if wanted == before:
            yield
            return
        os.environ["PATH"] = wanted
        try:
            yield
        finally:
            os.environ["PATH"] = before


_CHANGING = allocate_lock()


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.unsetenv(name)
    else:
        os.putenv(name, value)


def own_command() -> list[str]:
    """Return the words that run this encconf: its script beside Python, or Python itself.

    With ``-P``, Python imports nothing from the current folder.
    """
    scripts = os.path.dirname(os.path.abspath(sys.executable))
    for name in ("encconf.exe", "encconf") if os.name == "nt" else ("encconf",):
        script = os.path.join(scripts, name)
        if _is_program(script):
            return [script]
    return [sys.executable, "-P", "-m", "encconf"]
