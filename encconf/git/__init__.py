"""Run git: which files it tracks, whether a file with secrets could get into a commit, and old versions.

The package has plaintext diffs (`encconf.git.textconv`), merges (`encconf.git.merge`), and what sets both up
(`encconf.git.install`).  Without git, the functions that search find nothing, and raise
no error.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from encconf.errors import UsageError
from encconf.io.fileio import LIMIT, upwards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

AT_ONCE = 500
"""How many names one call of git gets, so that the command line is not too long."""


def repository(path: str) -> str | None:
    """Return the work tree that a path is in: the nearest folder upwards that has a ``.git``, or None."""
    return next((place for place in upwards(path) if os.path.exists(os.path.join(place, ".git"))), None)


def place(path: str) -> tuple[str, str] | None:
    """Return the work tree that a file is in, and git's name for the file; None outside a repository.

    Links are followed, since git knows the content of a file only under its own name.
    """
    real = os.path.realpath(path)
    root = repository(os.path.dirname(real))
    return (root, os.path.relpath(real, root).replace(os.sep, "/")) if root is not None else None


def by_repository(paths: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return those files that are in a repository, by the repository's folder and by git's name for each."""
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        if (known := place(path)) is not None:
            found.setdefault(known[0], {})[known[1]] = path
    return found


def is_bare(folder: str) -> bool:
    """Whether a folder is a repository without a work tree: a bare one, or a ``.git`` folder."""
    return (
        os.path.isfile(os.path.join(folder, "HEAD"))
        and all(os.path.isdir(os.path.join(folder, name)) for name in ("objects", "refs"))
        and _around(folder, os.environ) is None
    )


def need_files(paths: Sequence[str]) -> None:
    """Raise UsageError if one of these paths is a repository without a work tree: it has no files."""
    if any(map(is_bare, paths)):
        raise UsageError(
            "a bare repository has no files to read",
            hint="use a clone, or a work tree of it: git worktree add FOLDER",
        )


def exposures(paths: Sequence[str]) -> dict[str, str | None]:
    """Return, for each file, ``tracked`` if git tracks it, and ``untracked`` if ``git add .`` would add it.

    For a file that is ignored or in no repository, and if git fails, it is None.  git runs once for up to
    `AT_ONCE` files of a repository.
    """
    places = {path: place(path) for path in paths}
    names: dict[str, list[str]] = {}
    for root, name in filter(None, places.values()):
        names.setdefault(root, []).append(name)
    found: dict[tuple[str, str] | None, str] = {}
    for root, every in names.items():
        for at in range(0, len(every), AT_ONCE):
            which = every[at : at + AT_ONCE]
            words = ("ls-files", "-t", "-z", "--cached", "--others", "--exclude-standard", "--", *which)
            for entry in filter(None, said(root, *words).split("\0")):
                found[root, entry[2:]] = "untracked" if entry.startswith("? ") else "tracked"
    return {path: found.get(places[path]) for path in paths}


def version(id: str, folder: str | None = None) -> str | None:
    """Return the text of a blob by its id (or ``HEAD:path``), or None if the repository does not have it.

    It is also None if the blob is longer than a file may be.  Without a folder, the repository is the one
    that git's variables name, as for a program that git runs.
    """
    if folder is not None or "GIT_DIR" not in os.environ:
        arguments, environ = question(folder or os.curdir, "cat-file", "blob", id)
    else:
        arguments, environ = [*_ASKING, "cat-file", "blob", id], {**os.environ, **_WITHOUT_FETCHING}
    code, content = start(arguments, environ, limit=LIMIT)()
    return content if code == 0 else None


def before(path: str, text: str) -> str | None:
    """Return the id of the version of a file that came before this text, or None.

    That is the version of the last commit.  If that is this text itself, it is the version before it.
    """
    folder, name = os.path.split(os.path.abspath(path))
    last = said(folder, "rev-parse", "--verify", "-q", f"HEAD:./{name}").strip()
    content = version(last, folder) if last else None
    if content is not None and content.replace("\r\n", "\n") == text.replace("\r\n", "\n"):
        commit = said(folder, "log", "-1", "--first-parent", "--format=%H", "--", name).strip()
        last = said(folder, "rev-parse", "--verify", "-q", f"{commit}^:./{name}").strip()
    return last or None


# With these options, git writes nothing, and a repository's settings cannot make it run a program or hide
# something.
_ASKING = [
    "--no-optional-locks", "--literal-pathspecs", "-c", "core.fsmonitor=false",
    "-c", "log.showSignature=false", "-c", "log.showRoot=true", "-c", "log.follow=false",
]  # fmt: skip
# git must not fetch objects that a partial clone lacks: that would run the repository's transport programs.
# The first variable is for git since 2.45, the second for older versions.
_WITHOUT_FETCHING = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
_BOUND = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR")


def question(
    folder: str, *words: str, environ: Mapping[str, str] = os.environ
) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the environment that ask git about the repository that a folder is in.

    Inside a hook, variables tell git which repository to use, whatever folder it runs in.  They are left out,
    and so are keys, since git needs none.  The index of a commit that runs a hook is used only in its own
    repository.
    """
    from encconf.identities.credentials import KEY_VARIABLES

    free = {
        name: value
        for name, value in environ.items()
        if name not in _BOUND and name not in KEY_VARIABLES and not name.endswith("_PATHSPECS")
    }
    if "GIT_INDEX_FILE" in free and _is_of_another(free["GIT_INDEX_FILE"], folder):
        del free["GIT_INDEX_FILE"]
    root = _around(folder, free)
    which = [f"--git-dir={os.path.join(root, '.git')}", f"--work-tree={root}"] if root is not None else []
    return [*_ASKING, "-C", folder, *which, *words], {**free, **_WITHOUT_FETCHING}


def _around(folder: str, environ: Mapping[str, str]) -> str | None:
    """Return the work tree that a folder is in, if its files look like another repository without work tree.

    To git, any folder with a ``HEAD`` and a few others is a repository, with settings, an index and commits,
    also if a branch of the repository around it contains that folder as files.
    """
    heads: list[str] = []
    for place in upwards(os.path.realpath(folder)):
        if os.path.exists(os.path.join(place, ".git")):
            if heads:
                from encconf.io.trust import is_foreign

                if is_foreign(os.path.join(place, ".git")):  # with --git-dir, git does not look whose it is
                    return None
                words = [*_ASKING, f"--git-dir={place}/.git", f"--work-tree={place}", "-C", place]
                code, tracked = start([*words, "ls-files", "-z", "--", *heads], environ)()
                return place if code == 0 and tracked else None
            break
        if os.path.lexists(os.path.join(place, "HEAD")):
            heads.append(os.path.join(place, "HEAD"))
    return None


def _is_of_another(index: str, folder: str) -> bool:
    """Whether an index is in the ``.git`` of another repository than the one that a folder is in."""
    root = repository(os.path.realpath(folder))
    if root is None:
        return False
    own = os.path.join(root, ".git")
    if os.path.isfile(own):  # of a submodule, or a linked work tree
        from contextlib import suppress

        with suppress(OSError), open(own, "rb") as file:
            own = os.path.join(root, os.fsdecode(file.read(LIMIT)).removeprefix("gitdir: ").rstrip("\n"))
    path = os.path.join(root, index)
    place = os.path.dirname(path)
    if os.path.realpath(place) == os.path.realpath(own):
        return not os.path.isabs(index) and not os.path.exists(path)
    return not os.path.isabs(index) or os.path.isfile(os.path.join(place, "HEAD"))


def ask(folder: str, *words: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return what git prints for a `question`, or None if it fails."""
    code, output = start(*question(folder, *words, environ=environ))()
    return output if code == 0 else None


def said(folder: str, *words: str) -> str:
    """Like `ask`, but return "" if git fails."""
    return ask(folder, *words) or ""


def without_filters(folder: str) -> dict[str, str]:
    """Return an environment in which git runs no filter to compare files with the index.

    git then compares only their bytes and line breaks.
    """
    output = said(folder, "config", "--name-only", "-z", "--get-regexp", r"^filter\.")
    settings = {name: "" for name in output.split("\0") if name.endswith((".clean", ".smudge", ".process"))}
    settings |= {name: "false" for name in output.split("\0") if name.endswith(".required")}
    environ = dict(os.environ)
    first = int(count) if (count := environ.get("GIT_CONFIG_COUNT", "")).isdecimal() else 0
    for number, (name, value) in enumerate(settings.items(), first):
        environ[f"GIT_CONFIG_KEY_{number}"], environ[f"GIT_CONFIG_VALUE_{number}"] = name, value
    environ["GIT_CONFIG_COUNT"] = str(first + len(settings))
    return environ


def run(arguments: list[str], environ: Mapping[str, str] = os.environ) -> tuple[int, str]:
    """Run git with /dev/null as stdin and stderr.  Returns its exit code (127 without git) and its output."""
    return start(arguments, environ)()


def start(
    arguments: list[str],
    environ: Mapping[str, str] = os.environ,
    *,
    limit: int | None = None,
    seconds: float | None = None,
) -> Callable[[], tuple[int, str]]:
    """Like `run`, but git runs in the background, without keys.  You must call the returned function once.

    If git prints more than ``limit`` bytes, the rest is not read, and it counts as a failure.  The same is
    true of what it prints later than ``seconds`` after you call the function.
    """
    if not hasattr(os, "posix_spawn"):
        return lambda: _run_portably(arguments, environ)
    from encconf.identities.credentials import KEY_VARIABLES
    from encconf.io import programs  # here, since most commands look for a repository, and few run git

    program, environ = programs.prepare("git", environ, without=KEY_VARIABLES)
    if program is None:
        return lambda: (127, "")
    # subprocess would work, too, but to import it takes longer than to run git.
    reading, writing = os.pipe()
    try:
        process = os.posix_spawn(
            program,
            ["git", *arguments],
            environ,
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
            if seconds is None:
                output = pipe.read(limit)
                rest = len(pipe.read(1))
            else:
                output, rest = _read_for(pipe, limit, seconds)
                if rest:
                    os.kill(process, 9)
        _, status = os.waitpid(process, 0)
        return os.waitstatus_to_exitcode(status) or rest, output.decode(errors="surrogateescape")

    return answer


def _read_for(pipe: IO[bytes], limit: int | None, seconds: float) -> tuple[bytes, int]:
    """Return what comes out of a pipe in some seconds, up to a limit, and whether more may come (0 or 1)."""
    from select import select

    end = time.monotonic() + seconds
    output = b""
    while limit is None or len(output) <= limit:
        if not select([pipe], [], [], max(end - time.monotonic(), 0))[0]:
            break
        part = os.read(pipe.fileno(), 1 << 16)
        if not part:
            return output, 0
        output += part
    return output, 1


def _run_portably(arguments: list[str], environ: Mapping[str, str]) -> tuple[int, str]:
    from encconf.identities.credentials import KEY_VARIABLES
    from encconf.io import programs

    try:
        result = programs.run(["git", *arguments], environ, without=KEY_VARIABLES)
    except OSError:
        return 127, ""
    return result.returncode, result.stdout.decode(errors="surrogateescape")


# --- the files of a work tree ---------------------------------------------------------------------
# Names are sorted, and begin with ``folder`` as it was given ("" and "." add nothing).  They may contain any
# character, and bytes that are not UTF-8 are lone surrogates, as everywhere in Python.  The files of a
# submodule, and of a repository inside the folder, are not listed.  A tracked file may no longer be on the
# disk, or may be a link.  The functions return None outside a repository, without git, and if git refuses
# (for example because the repository belongs to another user).


GIT_SAYS_WHY = "git status says why; if another user owns the folder, see git config safe.directory"
"""The hint if git cannot be run in a repository, or refuses it."""


def tracked(folder: str) -> list[str] | None:
    """Return the files of the index, that is, of the next commit."""
    return _listing(folder, "--cached")()


def listed(folder: str) -> list[str] | None:
    """Return tracked files, and those that the next ``git add .`` would add: all but ignored files."""
    return _listing(folder, "--cached", "--others", "--exclude-standard")()


def changed(folder: str) -> list[str] | None:
    """Return the files that differ from the last commit, staged or not, and new files that are not ignored.

    Deleted files are not among them.  git does not run the filters of its configuration.
    """
    real = os.path.realpath(folder or ".")
    root = repository(real)
    if root is None:
        return None
    output = ask(
        real, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames",
        "--ignore-submodules=all", "--", ".", environ=without_filters(real),
    )  # fmt: skip
    if output is None:
        return None
    # git prints names relative to the top of the work tree.
    inside = "" if real == root else os.path.relpath(real, root).replace(os.sep, "/") + "/"
    found = [entry[3 + len(inside) :] for entry in output.split("\0") if entry[3:].startswith(inside)]
    return [name for name in _named(folder, found) if os.path.lexists(name)]


class Known:
    """The files that git tracks or ignores.  git is asked once for each repository, and only if needed.

    Names are relative to ``cwd``, or absolute.
    """

    def __init__(self, cwd: str = ".") -> None:
        self._cwd = cwd
        self._all: frozenset[str] | None = None
        self._sets: dict[tuple[str, bool], frozenset[str] | None] = {}

    def everything(self, cwd: str, root: str | None) -> Callable[[], list[str] | None]:
        """Start to list everything that git tracks in the repository ``root``.

        git runs in the background until you call the returned function, which returns the names, or None
        without a repository or if git fails.  From then on, `tracked` uses only these names.
        """
        self._all = frozenset()
        if root is None:
            return lambda: None
        above = os.path.relpath(root, cwd)
        answer = _listing(above, "--cached")

        def names() -> list[str] | None:
            found = answer()
            steps = os.path.normpath(os.path.relpath(cwd, root)).split(os.sep)
            if found is not None and steps != ["."]:  # ../../apps/web/x from apps/db is ../web/x
                for back in range(len(steps)):
                    common = os.path.join(above, *steps[: len(steps) - back], "")
                    up = os.path.join(*[os.pardir] * back, "")
                    found = [up + name[len(common) :] if name.startswith(common) else name for name in found]
            self._all = frozenset(found or ())
            return found

        return names

    def tracked(self, name: str) -> bool:
        """Whether a file is in git's index."""
        if self._all is not None:
            return name in self._all
        return os.path.lexists(os.path.join(self._cwd, name)) and self._has(name, new=False)

    def exposed(self, name: str) -> bool:
        """Whether a plaintext file could be committed, that is, git does not ignore it."""
        return self._all is not None or self._has(name, new=True)

    def _has(self, name: str, *, new: bool) -> bool:
        """Whether git lists a file, or would add it (``new``).  If git fails, the answer is the safe one."""
        folder, base = os.path.split(os.path.abspath(os.path.join(self._cwd, name)))
        folder = os.path.realpath(folder)
        root = repository(folder)
        if root is None:
            return new
        key = root, new
        if key not in self._sets:
            names = (listed if new else tracked)(root)
            self._sets[key] = frozenset(names) if names is not None else None
        known = self._sets[key]
        return new if known is None else os.path.join(folder, base) in known


def _listing(folder: str, *which: str) -> Callable[[], list[str] | None]:
    """Start git in the background, and return a function that returns the names."""
    real = os.path.realpath(folder or ".")
    if repository(real) is None:
        return lambda: None
    answer = start(*question(real, "ls-files", "-z", *which))

    def names() -> list[str] | None:
        code, output = answer()
        return _named(folder, output.split("\0")) if code == 0 else None

    return names


def _named(folder: str, names: Iterable[str]) -> list[str]:
    """Return each name once, below ``folder``, without repositories ("name/").

    git lists a file with a conflict several times.
    """
    found = [name for name in sorted(dict.fromkeys(names)) if name[-1:] not in ("", "/")]
    if folder in ("", "."):
        return found
    return [os.path.join(folder, name) for name in found]
