"""A team of one, two branches of its file, and what is in it."""

from __future__ import annotations

import subprocess
import zlib

from oracle import AgeKey, Sops
from project import Project, Result

FILE = "secrets.enc.yaml"

TEXT = """\
db:
    # the first one
    password: pa55-w0rd
    port: 5432
mail:
    token: t0ken
"""


def commit(project: Project, text: str, file: str = FILE) -> None:
    """Save a plain text and commit it."""
    if project.path(file).exists():
        (project.home / "new").write_text(text)
        project.run("edit", file, environ=project.editor(f'cat "{project.home}/new" > "$1"'))
    else:
        project.write(file, text)
        project.run("encrypt", "-i", file)
    project.git("add", ".")
    project.git("commit", "-qm", "change")


def branches(project: Project, base: str, ours: str, theirs: str, file: str = FILE) -> None:
    """Two branches from one commit; ``main`` has ours, ``other`` theirs."""
    project.git("checkout", "-q", "-B", "main")
    if not project.path(file).exists() or plain(project, file) != base:
        commit(project, base, file)
    project.git("checkout", "-q", "-b", "other")
    commit(project, theirs, file)
    project.git("checkout", "-q", "main")
    commit(project, ours, file)


def plain(project: Project, file: str = FILE) -> str:
    return project.run("decrypt", file).out


def sops_says(project: Project, file: str = FILE) -> str:
    return Sops(project.key.environ()).run("decrypt", str(project.path(file))).stdout.decode()


def leaks(project: Project, *words: str) -> list[str]:
    """The files below the folder, git's own objects included, in which a word stands."""
    found = []
    for path in project.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if path.parent.parent.name == "objects" and len(path.parent.name) == 2:
                data = zlib.decompress(data)
            found += [f"{path}: {word}" for word in words if word.encode() in data]
    every = ["git", "cat-file", "--batch", "--batch-all-objects", "--unordered"]
    objects = subprocess.run(every, cwd=project.folder, env=project.environ, capture_output=True, check=True)
    return found + [f"an object: {word}" for word in words if word.encode() in objects.stdout]


def without_key(project: Project) -> AgeKey:
    """Take the key away from the project, and give it one that opens nothing."""
    key = project.key
    project.environ["SOPS_AGE_KEY"] = AgeKey.generate().identity
    return key


def conflict(project: Project, command: str) -> str:
    """Both sides change one value each way; returns what git printed."""
    ours, theirs = TEXT.replace("pa55-w0rd", "0urs-pa55"), TEXT.replace("pa55-w0rd", "the1rs-pa55")
    theirs = theirs.replace("t0ken", "t1ken")
    if command == "stash pop":
        (project.home / "new").write_text(theirs)
        project.run("edit", FILE, environ=project.editor(f'cat "{project.home}/new" > "$1"'))
        project.git("stash", "-q")
        commit(project, ours)
        return project.git("stash", "pop", code=1)
    branches(project, TEXT, ours, theirs)
    return project.git(command, "other", code=1)


_WORDS = ("pa55", "t0ken", "t1ken", "the first one")

RESOLVE = "sed -i -e '/^<<<<<<<.*/,/^=======$/d' -e '/^>>>>>>>/d' \"$1\""  # theirs

MERGED = TEXT.replace("5432", "5433").replace("t0ken", "t1ken")


def driver(project: Project, base: str, ours: str, theirs: str, code: int) -> Result:
    for name, text in (("base", base), ("ours", ours), ("theirs", theirs)):
        project.write(name, text)
    done = project.run("git", "merge", "base", "ours", "theirs", f"./{FILE}", code=code)
    assert project.read("ours") == f"<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n"
    assert done.err.startswith("encconf: error[")
    assert sum(line.startswith("encconf: error") for line in done.err.splitlines()) == 1
    return done
