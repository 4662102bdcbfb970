"""``encconf decrypt`` for several files, folders and patterns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from encconf.cli import files, targets
from encconf.cli.batch import Batch
from encconf.cli.console import Console, one_line
from encconf.cli.options import Value, exclude, flag, text
from encconf.engine.metadata import metadata_of
from encconf.errors import OutputError, UsageError, about
from encconf.io import fileio
from encconf.rules.names import plain_name


def decrypt_many(console: Console, words: Sequence[str], options: Mapping[str, Value]) -> None:
    """Decrypt files in place or to a folder.

    Raises the error of a single file, or one that says how many failed.
    """
    paths = targets.files(console, words, options)
    output = text(options, "output")
    if output in fileio.STDOUT:
        output = None
    if files.are_many(words, options):
        files.refuse_for_many(paths, options, ["extract", "output_type", "filename_override"])
        exclude(options, "in_place", "output")
        if not flag(options, "in_place") and output is None:
            raise UsageError(
                "several files need an output folder",
                hint="use -i to decrypt each in place, or -o FOLDER",
            )
        found = _targets(paths, output)
    else:  # a dry run
        files.refuse_for_many(paths, options, [])
        found = {paths[0]: paths[0] if flag(options, "in_place") else output or "stdout"}
    Decrypting(console, options, found).run(paths)


def _targets(paths: Sequence[str], folder: str | None) -> dict[str, str]:
    """Return the file to write for each file: itself, or a path below a folder, without ``.enc``.

    Raises UsageError for files outside the current folder, and for two files with the same target.
    """
    if folder is None:
        return {path: path for path in paths}
    found: dict[str, str] = {}
    sources: dict[str, str] = {}
    for path in paths:
        name = os.path.relpath(path)
        if name.split(os.sep)[0] == os.pardir:
            raise UsageError(
                "it is not below the current folder, so --output FOLDER cannot mirror its path",
                hint="change to the folder that holds the files",
            ).about(path)
        target = os.path.join(folder, plain_name(name))
        if target in sources:
            raise UsageError(f"{sources[target]} and {path} would both be written to {target}")
        sources[target] = path
        found[path] = target
    return found


class Decrypting(Batch):
    """The run of ``encconf decrypt`` on several files."""

    def __init__(self, console: Console, options: Mapping[str, Value], targets: dict[str, str]) -> None:
        super().__init__(console, "decrypting", options)
        self._targets = targets
        self._in_place = flag(options, "in_place")
        self._written: list[str] = []

    def work(self, file: str) -> tuple[files.Source, str]:
        """Read and decrypt one file."""
        source = files.read(file, self.options)
        if self.dry_run:
            metadata_of(source.text, source.format)
            return source, ""
        return source, source.decrypted(self.credentials, self.warner(file))

    def settle(self, file: str, done: object) -> str:
        """Write and report one decrypted file."""
        assert isinstance(done, tuple)
        source, plain = done
        target = self._targets[file]
        if self.dry_run:
            exists = ", which exists" if os.path.lexists(target) else ""
            self.plans.setdefault((), []).append(file if self._in_place else f"{file} -> {target}{exists}")
            return "would-change"
        if self._in_place:
            files.write(self.console, plain, source, None, mode=fileio.PRIVATE)
        else:
            self._write(target, plain)
        self.console.note(f"wrote {one_line(target)}")
        self._written.append(target)
        return "changed"

    def _write(self, target: str, plain: str) -> None:
        """Write a file that only its owner can read, and create its parent folders."""
        replacing: str | fileio.Anything | None = fileio.ANYTHING
        with about(target):
            fileio.make_folders(os.path.dirname(target), 0o700)
        path = fileio.resolve(target)
        with about(target, instead=path):
            if not flag(self.options, "force"):
                replacing = fileio.read_text(path, binary=True) if os.path.lexists(path) else None
                if replacing not in (None, plain):
                    raise OutputError("this file already exists", hint="overwrite it with --force")
            fileio.write_atomic(path, plain, mode=fileio.PRIVATE, replacing=replacing)

    def report(self) -> None:
        """Print the plan of a dry run; otherwise warn about decrypted files that git does not ignore."""
        super().report()
        if self._written:
            files.warn_if_exposed(self.console, self._written)
