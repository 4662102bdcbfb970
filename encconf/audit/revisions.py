"""Find the versions to compare for ``encconf diff``: files, folders, revisions of git, ``REV:PATH``, stdin.

A word that names a file means that file, even if a revision has the same name.  Nothing is changed, and
files are read as they are: git runs no filter, textconv or diff program.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from encconf import formats
from encconf.audit.diff import Side
from encconf.errors import InputError, MissingFileError, UsageError
from encconf.git import GIT_SAYS_WHY, ask, is_bare, repository, said, tracked, version, without_filters
from encconf.git.log import Entry, contents, entries
from encconf.io import fileio

Pair = tuple[Side, Side, bool]  # before, after, and whether both are versions of one file

_LINK = "120000"
_MODULE = "160000"


def pairs(
    words: Sequence[str], paths: Sequence[str], *, staged: bool, format: str | None
) -> Iterator[Pair | InputError]:
    """Yield the pairs to compare, or an error for a file that cannot be read.

    ``words`` select the pairs:

    - no word: the last commit and the working tree
    - ``FILE``: the last commit's version and the file; ``REV:PATH``: that version and the file
    - ``REV``: the revision and the working tree; ``REV..REV`` or ``REV REV``: the two revisions
    - ``REV...REV``: the merge base of both and the second revision
    - ``REV FILE``: the file in the revision and now; ``FILE FILE``: the two files

    For whole revisions, the pairs are all encrypted files and configurations, or the files below ``paths``.
    With ``staged``, the index replaces the working tree.  ``format`` is the format of all files; by default,
    their content or their names decide.

    Raises UsageError, MissingFileError or InputError.
    """
    if len(words) > 2:
        raise UsageError(
            f"diff compares two versions, and you gave {len(words)} names",
            hint="to compare some files of a revision: encconf diff REV -- FILE FILE",
        )
    if len(words) == 1 and _is_range(words[0]):
        words = _range(words[0])
    given = [_Word(word) for word in words]
    kinds = [word.kind for word in given]
    if kinds == ["folder", "folder"]:
        raise UsageError(
            "two folders cannot be compared",
            hint="to see changes since the commit: encconf diff -- FOLDER FOLDER",
        )
    if staged and (kinds not in ([], ["revision"], ["file"], ["folder"])):
        raise UsageError(
            "--staged compares staged files with one other version: name at most one revision or file"
        )
    folders = [word.text for word in given if word.kind == "folder"]
    revisions = [word.text for word in given if word.kind == "revision"]
    if not given or kinds in (["revision"], ["folder"], ["revision", "folder"], ["revision", "revision"]):
        yield from _everywhere(revisions or ["HEAD"], [*paths, *folders], staged=staged, format=format)
        return
    if paths:
        raise UsageError("paths after -- are for whole revisions, not for single files")
    if len(given) == 1:
        yield _with_other(given[0], staged=staged, format=format)
    elif "revision" in kinds:
        at = kinds.index("revision")
        file = given[1 - at]
        if file.kind != "file":
            raise UsageError(f"a revision is compared with a file or a revision, not with {file.text}")
        then = _at(given[at].text, file.name, format)
        now = file.side(format, "")
        yield (then, now, True) if at == 0 else (now, then, True)
    else:
        known = [word for word in given if word.kind != "stdin"]
        name = known[0].name if known else ""
        sides = [word.side(format, name) for word in given]
        yield sides[0], sides[1], len({word.name for word in given}) == 1


class _Word:
    """One word of the command line: its kind, and the name of its file."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.name = os.path.normpath(text)
        if text in fileio.STDIN:
            self.kind = "stdin"
        elif os.path.lexists(text) and not is_bare("."):  # in a bare repository, HEAD and others are files
            self.kind = "folder" if os.path.isdir(text) else "file"
        elif ":" in text and (id := _blob_of(text, ".")):
            if said(".", "cat-file", "-t", id).strip() in ("tree", "commit"):
                raise UsageError(
                    f"{text} is not a file",
                    hint="to compare the files of a folder: encconf diff REV -- FOLDER",
                )
            self.kind = "blob"
            self.name = _path_of(text)
        elif _is_revision(text):
            self.kind = "revision"
        else:
            raise MissingFileError(
                f"{text!r} is neither a file nor a revision of git",
                hint="to compare a file with an older version: encconf diff HEAD~1 FILE; a deleted file: "
                "encconf diff -- FILE",
            )

    def side(self, format: str | None, name: str) -> Side:
        """Return the side for this word.  ``name`` is a file's name that gives the format of stdin."""
        if self.kind == "folder":
            raise UsageError(f"{self.text} is a folder, and the other side is not")
        if self.kind == "stdin":
            if format is None and not name:
                raise UsageError("the format of stdin is not known", hint="use --input-type FORMAT")
            return Side("stdin", name, fileio.read_stdin(), format)
        data = _blob(self.text, self.text) if self.kind == "blob" else fileio.read_bytes(self.text)
        return _side(self.text, self.name, data, format)


def _is_revision(text: str) -> bool:
    return bool(said(".", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}"))


def _is_range(word: str) -> bool:
    """Whether a word is a range of revisions, and not the name of a file, such as one that was deleted."""
    return ".." in word and ":" not in word and ".." not in word.split("/") and not os.path.lexists(word)


def _range(word: str) -> list[str]:
    """Return the two revisions of ``A..B`` or ``A...B``.  A revision that is left out is HEAD."""
    first, dots, second = word.partition("..." if "..." in word else "..")
    first, second = first or "HEAD", second or "HEAD"
    if dots == "...":
        for each in (first, second):
            if not _is_revision(each):
                raise MissingFileError(f"{each!r} is not a revision of git", hint="git log lists the commits")
        base = said(".", "merge-base", "--end-of-options", first, second).strip()
        if not base:
            raise UsageError(
                f"{first} and {second} have no commit in common", hint="REV..REV compares any two revisions"
            )
        first = base[:12]
    return [first, second]


def _path_of(name: str) -> str:
    """Return the path in ``REV:PATH`` or ``:STAGE:PATH``, relative to the current folder."""
    path = name[3:] if name[:1] == ":" and name[1:3] in ("0:", "1:", "2:", "3:") else name.partition(":")[2]
    return os.path.normpath(
        path if path.startswith(("./", "../")) else os.path.relpath(os.path.join(_top(), path))
    )


def _with_other(word: _Word, *, staged: bool, format: str | None) -> Pair:
    """Return the pair for a single word: its version in the last commit and now, or that version and now."""
    if word.kind == "blob":
        now = fileio.read_bytes(word.name) if os.path.lexists(word.name) else None
        return word.side(format, ""), _side(word.name, word.name, now, format), True
    if word.kind == "stdin":
        raise UsageError("stdin can only be compared with a file", hint="name the file: encconf diff FILE -")
    then = _at("HEAD", word.name, format)
    if staged:
        return then, _at("", word.name, format), True
    if then.text is None and not repository(os.path.dirname(os.path.realpath(word.text))):
        raise UsageError(
            f"{word.text} has no other version to compare with: it is not in a git repository",
            hint="give two files",
        )
    return then, word.side(format, ""), True


def _at(revision: str, file: str, format: str | None) -> Side:
    """Return the version of a file in a revision, or in the index (""), if the file exists there."""
    real = os.path.realpath(file)
    folder = os.path.dirname(real)
    name = f"{revision}:./{os.path.basename(real)}"
    label = f"{revision}:{file}" if revision else f"{file} (staged)"
    found = _blob_of(name, folder)
    return _side(label, file, _blob(found, label) if found else None, format)


def _named(paths: Sequence[str], top: str, revisions: Sequence[str]) -> list[str]:
    """Return the names of paths in the repository.  Raises MissingFileError if neither version has one."""
    named = {os.path.relpath(os.path.realpath(path), top): path for path in paths}
    for inside, path in named.items():
        if not os.path.lexists(path) and not any(_blob_of(f"{each}:{inside}", top) for each in revisions):
            raise MissingFileError("this file exists in neither version").about(path)
    return list(named)


def _everywhere(
    revisions: Sequence[str], paths: Sequence[str], *, staged: bool, format: str | None
) -> Iterator[Pair | InputError]:
    """Yield the encrypted files and configurations that differ between two revisions, or an error."""
    top = _top()
    if len(revisions) < 2 and is_bare("."):
        raise UsageError(
            "a bare repository has no work tree to compare with", hint="give two revisions: REV..REV"
        )
    named = _named(paths, top, revisions)
    then = revisions[0]
    now = revisions[1] if len(revisions) == 2 else "staged" if staged else ""
    found = list(_entries(top, revisions, named, staged=staged))
    blobs = contents(top, (blob for entry in found for blob in entry.blobs if blob))
    with closing(blobs):
        for entry in found:
            old, new = (next(blobs) if blob else None for blob in entry.blobs)
            shown = [os.path.relpath(os.path.join(top, name)) for name in (entry.before, entry.path)]
            labels = (f"{then}:{entry.before}", f"{now}:{entry.path}" if now else shown[1])
            try:
                # The new version is in the working tree.  For a file that was renamed, and then changed, git
                # prints the hash of a blob that it does not have.
                if entry.modes[1] and (not entry.blobs[1] or (new is None and not now)):
                    new = fileio.read_bytes(shown[1])
                if entry.status == "U":
                    if os.path.isfile(shown[1]) and _concerns(fileio.read_bytes(shown[1]), entry.path):
                        yield InputError("it has a merge conflict", file=shown[1])
                    continue
                _refuse_missing(entry, (old, new), labels)
                if old == new and entry.before == entry.path:
                    continue  # only its time of modification changed
                both = ((old, entry.before), (new, entry.path))
                if any(name in named or _concerns(data, name) for data, name in both):
                    sides = map(_side, labels, shown, (old, new), (format, format))
                    yield next(sides), next(sides), True
            except InputError as error:
                yield error


def _refuse_missing(entry: Entry, contents: Sequence[bytes | None], labels: Sequence[str]) -> None:
    """Raise InputError if git did not give the content of one of the two versions."""
    for blob, data, label in zip(entry.blobs, contents, labels, strict=True):
        if blob and data is None:
            raise _missing(label)


def _missing(label: str) -> InputError:
    return InputError(
        "git cannot read its content",
        file=label,
        hint="a partial clone may lack it (git show fetches it), or it has more than 64 MiB",
    )


def _entries(top: str, revisions: Sequence[str], names: Iterable[str], *, staged: bool) -> Iterator[Entry]:
    """Yield the files below ``names`` that differ."""
    command = ["diff-tree", "-r"] if len(revisions) == 2 else ["diff-index", *["--cached"] * staged]
    options = ["--raw", "-z", "-M", "--no-abbrev", "--ignore-submodules=all"]
    environ = without_filters(top)
    output = ask(top, *command, *options, *revisions, "--", *names, environ=environ)
    if output is None:
        hint = "an object may be missing or damaged: git fsck finds it"
        if tracked(top) is None:
            hint = GIT_SAYS_WHY
        elif not _is_revision("HEAD"):
            hint = "there is no commit yet"
        raise InputError(f"git cannot compare with {revisions[0]}", hint=hint)
    for entry in entries(output):
        if not {*entry.modes} & {_LINK, _MODULE} and (staged or entry.status != "U"):
            yield entry


def _concerns(data: bytes | None, name: str) -> bool:
    from encconf.rules.config import NAME

    if data is None:
        return False
    return os.path.basename(name) == NAME or formats.find(data, name) is not None


def _side(label: str, name: str, data: bytes | None, format: str | None) -> Side:
    if data is None:
        return Side(label, name, None, format)
    binary = formats.get(format or formats.format_of(data, name)).single_value
    try:
        return Side(label, name, fileio.decode(data, binary=binary), format)
    except InputError as error:
        raise error.about(label) from None


def _top() -> str:
    if is_bare("."):
        return os.path.realpath(".")
    top = repository(os.getcwd())
    if top is None:
        raise UsageError("this is not a git repository", hint="give two files to compare: encconf diff A B")
    return os.path.realpath(top)


def _blob_of(name: str, folder: str) -> str:
    return said(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", name).strip()


def _blob(name: str, label: str) -> bytes:
    output = version(name, ".")
    if output is None:
        raise _missing(label)
    return output.encode(errors="surrogateescape")
