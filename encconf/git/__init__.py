"""encconf inside git: plain diffs (`encconf.git.textconv`), merges (`encconf.git.merge`), and setting
both up (`encconf.git.install`).

This module runs git, and asks it whether a file with secrets may get into a commit.  It looks for git only
in a repository; without git, it gives no answer and no error.
"""

from __future__ import annotations

import os

from encconf.io import programs
from encconf.io.fileio import upwards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


AT_ONCE = 500
"""Names in one call of git, so that the command line is not too long."""


def repository(path: str) -> str | None:
    """The working tree that a path is in: the nearest folder upwards that has a ``.git``."""
    return next((place for place in upwards(path) if os.path.exists(os.path.join(place, ".git"))), None)


def by_repository(paths: Iterable[str]) -> dict[str, dict[str, str]]:
    """The files that are in a repository, by its folder and by the name that git has for each."""
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        real = os.path.realpath(path)
        root = repository(os.path.dirname(real))
        if root is not None:
            found.setdefault(root, {})[os.path.relpath(real, root).replace(os.sep, "/")] = path
    return found


def is_bare(folder: str) -> bool:
    """Whether a folder is a repository itself, without a work tree: a bare one, or a ``.git`` folder."""
    return os.path.isfile(os.path.join(folder, "HEAD")) and all(
        os.path.isdir(os.path.join(folder, name)) for name in ("objects", "refs")
    )


def exposure(path: str) -> str | None:
    """Whether git has a file (``tracked``) or would take it with the next ``git add .`` (``untracked``).

    None for a file that is ignored or in no repository, and where git cannot be asked.
    """
    return exposures([path])[path]


def exposures(paths: Sequence[str]) -> dict[str, str | None]:
    """The `exposure` of each of several files; git is asked once for up to 500 files of a repository."""
    places: dict[str, tuple[str, str]] = {}  # the repository of a file, and the name that git has for it
    names: dict[str, list[str]] = {}
    for path in paths:
        whole = os.path.abspath(path)
        root = repository(os.path.dirname(whole))
        if root is not None:
            places[path] = root, os.path.relpath(whole, root).replace(os.sep, "/")
            names.setdefault(root, []).append(places[path][1])
    found: dict[tuple[str, str] | None, str] = {}
    for root, every in names.items():
        for at in range(0, len(every), AT_ONCE):
            which = every[at : at + AT_ONCE]
            words = ("ls-files", "-t", "-z", "--cached", "--others", "--exclude-standard", "--", *which)
            listed = ask(root, *words)
            for entry in filter(None, (listed or "").split("\0")):
                found[root, entry[2:]] = "untracked" if entry.startswith("? ") else "tracked"
    return {path: found.get(places.get(path)) for path in paths}


def version(id: str, folder: str = ".") -> str | None:
    """The content that git has under an id, as text; None if it has none."""
    code, content = run([*_ASKING, "-C", folder, "cat-file", "blob", id], {**os.environ, **_WITHOUT_FETCHING})
    return content if code == 0 else None


def before(path: str, text: str) -> str | None:
    """The id of the version that git had before this text of a file, None if it has none.

    That is the last commit's, or if that is this very text, the one that it replaced.
    """
    folder, name = os.path.split(os.path.abspath(path))
    last = ask(folder, "rev-parse", "--verify", "-q", f"HEAD:./{name}")
    if last is None:
        return None
    content = version(last.strip(), folder)
    if content is not None and content.replace("\r\n", "\n") == text.replace("\r\n", "\n"):
        commit = (ask(folder, "log", "-1", "--first-parent", "--format=%H", "--", name) or "").strip()
        last = ask(folder, "rev-parse", "--verify", "-q", f"{commit}^:./{name}")
    return last.strip() if last is not None else None


# git writes nothing, and a repository's own settings cannot make it run a program or say less.
_ASKING = [
    "--no-optional-locks", "--literal-pathspecs", "-c", "core.fsmonitor=false",
    "-c", "log.showSignature=false", "-c", "log.showRoot=true", "-c", "log.follow=false",
]  # fmt: skip
# No object that a partial clone lacks is fetched: that would run the repository's own transport programs.
_WITHOUT_FETCHING = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}  # git since 2.45, and before
_BOUND = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR")


def question(
    folder: str, *words: str, environ: Mapping[str, str] = os.environ
) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment that ask git about the repository that a folder is in.

    In a hook, variables bind git to one repository, whatever the folder is in; they are left out.
    """
    free = {
        name: value
        for name, value in environment(environ).items()
        if name not in _BOUND and not name.endswith("_PATHSPECS")
    }
    return [*_ASKING, "-C", folder, *words], {**free, **_WITHOUT_FETCHING}


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for git, without keys: git needs none."""
    from encconf.identities.credentials import KEY_VARIABLES

    return programs.environment(environ, without=KEY_VARIABLES)


def ask(folder: str, *words: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """What git answers to a `question`, None if it fails."""
    code, output = run(*question(folder, *words, environ=environ))
    return output if code == 0 else None


def without_filters(folder: str) -> dict[str, str]:
    """The environment in which git compares files with the index, and runs no filter for that.

    Whether a file has changed is then a matter of its bytes and line breaks.
    """
    output = ask(folder, "config", "--name-only", "-z", "--get-regexp", r"^filter\.") or ""
    settings = {name: "" for name in output.split("\0") if name.endswith((".clean", ".smudge", ".process"))}
    settings |= {name: "false" for name in output.split("\0") if name.endswith(".required")}
    environ = dict(os.environ)
    first = int(count) if (count := environ.get("GIT_CONFIG_COUNT", "")).isdecimal() else 0
    for number, (name, value) in enumerate(settings.items(), first):
        environ[f"GIT_CONFIG_KEY_{number}"], environ[f"GIT_CONFIG_VALUE_{number}"] = name, value
    environ["GIT_CONFIG_COUNT"] = str(first + len(settings))
    return environ


def run(arguments: list[str], environ: Mapping[str, str] = os.environ) -> tuple[int, str]:
    """Run git with /dev/null as stdin and stderr: its exit code and what it printed.

    127 when there is no git.
    """
    return start(arguments, environ)()


def start(arguments: list[str], environ: Mapping[str, str] = os.environ) -> Callable[[], tuple[int, str]]:
    """As `run`, but git runs in the background until the result is called, which must happen once."""
    if not hasattr(os, "posix_spawn"):
        return lambda: _run_portably(arguments, environ)
    program = programs.which("git", environ)
    if program is None:
        return lambda: (127, "")
    # subprocess would do, but importing it takes longer than git.
    reading, writing = os.pipe()
    try:
        process = os.posix_spawn(
            program,
            ["git", *arguments],
            environment(environ),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
    except OSError:
        os.close(reading)
        return lambda: (127, "")
    finally:
        os.close(writing)

    def answer() -> tuple[int, str]:
        with open(reading, "rb") as pipe:
            output = pipe.read()
        _, status = os.waitpid(process, 0)
        return os.waitstatus_to_exitcode(status), output.decode(errors="surrogateescape")

    return answer


def _run_portably(arguments: list[str], environ: Mapping[str, str]) -> tuple[int, str]:
    try:
        result = programs.run(["git", *arguments], environment(environ))
    except OSError:
        return 127, ""
    return result.returncode, result.stdout.decode(errors="surrogateescape")
