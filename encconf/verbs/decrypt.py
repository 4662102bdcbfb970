"""Decrypt one file or many: to stdout, to another file, to a folder, or in place.  Read one value.

Several files on stdout are a YAML stream.

New files have mode 0600.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence

from encconf.engine import opening
from encconf.engine.metadata import metadata_of
from encconf.errors import ConflictError, OutputError, UsageError, about, at_most_one
from encconf.io import fileio
from encconf.record import VerbOptions
from encconf.text.printable import one_line
from encconf.verbs import files, printing
from encconf.verbs.batch import Batch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.opening import Opened
    from encconf.identities.credentials import Credentials
    from encconf.verbs.front import Front


_TO_FILE = "no plaintext is written to files"


class Options(VerbOptions):
    """What to decrypt, and where to.  ``file`` is empty for stdin."""

    file: Sequence[str] = ()
    output: str | None = None
    in_place: bool = False
    force: bool = False
    recursive: bool = False
    dry_run: bool = False
    fail_fast: bool = False
    extract: str | None = None
    ignore_mac: bool = False
    input_type: str | None = None
    output_type: str | None = None
    filename_override: str | None = None
    config: str | None = None


def run(options: Options, front: Front) -> list[str]:
    """Decrypt a file, or several.  Returns the names of the files with plaintext that were written."""
    if options.in_place or options.output not in (None, *fileio.STDOUT):
        printing.refuse(front, _TO_FILE)
    if options.dry_run or files.are_many(options.file, recursive=options.recursive):
        return _run_many(options, front)
    in_place, output = options.in_place, options.output
    at_most_one(in_place=in_place, output=output)
    source = _read(options, options.file[0] if options.file else None)
    to_file = output is not None and output not in fileio.STDOUT
    replaces = in_place or (to_file and fileio.resolve(str(output)) == source.path)
    if replaces and options.extract:
        raise ConflictError(
            "--extract would replace the whole file with one value",
            hint="the other values would be lost; to write this one to another file, use -o",
        )
    plain = _decrypted(
        options, source, front.credentials(), front.warn, lambda opened: printing.shown(front, opened)
    )
    written = files.write(front, plain, source if in_place else None, output, mode=fileio.PRIVATE)
    if written is None:
        return []
    if replaces:
        files.warn_of_decrypted(front, [written])
    else:
        files.warn_if_exposed(front, [written])
    return [written]


def _read(options: Options, file: str | None) -> files.Input:
    return files.read(
        file,
        input_type=options.input_type,
        filename_override=options.filename_override,
        in_place=options.in_place,
    )


def _decrypted(
    options: Options,
    source: files.Input,
    credentials: Credentials,
    warn: Callable[..., None],
    shown: Callable[[Opened], Opened],
) -> str:
    return source.decrypted(
        credentials,
        warn,
        shown=shown,
        ignore_mac=options.ignore_mac,
        extract=options.extract,
        output_type=options.output_type,
        config=options.config,
    )


def _run_many(options: Options, front: Front) -> list[str]:
    """Decrypt files in place or to a folder.  Returns the names of the files that were written.

    Raises the error of a single file, or one that says how many failed.
    """
    from encconf.verbs import batch

    paths = batch.files(front, options.file, recursive=options.recursive, proposals=False)
    output = options.output
    if output in fileio.STDOUT:
        output = None
    if files.are_many(options.file, recursive=options.recursive):
        streams = not options.in_place and output is None
        files.refuse_for_many(
            paths,
            extract=options.extract,
            output_type=None if streams else options.output_type,
            filename_override=options.filename_override,
        )
        at_most_one(in_place=options.in_place, output=output)
        if streams and not options.dry_run:
            if options.output_type not in (None, "yaml"):
                raise UsageError(
                    "several files are printed as a YAML stream",
                    hint="-i decrypts each in place, and -o FOLDER to a folder",
                )
            streaming = Streaming(front, options)
            streaming.run(paths)
            front.content(joined(streaming.texts))
            return []
        found = dict.fromkeys(paths, "stdout") if streams else _targets(paths, output)
    else:  # a dry run
        files.refuse_for_many(paths)
        at_most_one(in_place=options.in_place, output=options.output)
        found = {paths[0]: paths[0] if options.in_place else output or "stdout"}
    work = Decrypting(front, options, found)
    work.run(paths)
    return work.written


def _targets(paths: Sequence[str], folder: str | None) -> dict[str, str]:
    """Return the file to write for each file: itself, or a path below a folder, without ``.enc``.

    Raises UsageError for files outside the current folder, and for two files with the same target.
    """
    if folder is None:
        return {path: path for path in paths}
    from encconf.rules.config import plain_name

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


def joined(texts: Iterable[str]) -> str:
    """Join texts to a YAML stream, with ``---`` between them."""
    stream = ""
    for text in texts:
        if stream:
            text = text.removeprefix("\ufeff")
            stream += "" if stream.endswith("\n") else "\n"
            if text.startswith("%"):  # a directive: the document before it must end
                stream += "...\n"
            elif not re.match(r"---(?:\s|\Z)", text):
                stream += "---\n"
        stream += text
    return stream


class Streaming(Batch):
    """The run of ``encconf decrypt`` on several files for stdout.  ``texts`` are their plaintexts, as YAML.

    They are printed only if all files could be decrypted: a program that reads half of them would act on it.
    """

    def __init__(self, front: Front, options: Options) -> None:
        super().__init__(front, "decrypting", fail_fast=options.fail_fast)
        self._options = options
        self.texts: list[str] = []

    def work(self, file: str) -> str:
        """Read and decrypt one file.  Raises UsageError if it is neither YAML nor JSON."""
        source = _read(self._options, file)
        options = self._options
        if source.format == "json":  # tabs, by which it may be indented, are not YAML
            options = Options(**{**vars(options), "output_type": "yaml"})
        elif source.format != "yaml" and options.output_type is None:
            raise UsageError(
                f"it is {source.format}, and several files are printed as a YAML stream",
                hint="--output-type yaml converts it; -o FOLDER writes each file as it is",
            ).about(file)

        def shown(opened: Opened) -> Opened:
            opening.refuse_proposal(opened.document)
            return printing.shown(self.front, opened)

        return _decrypted(options, source, self.credentials, self.warner(file), shown)

    def settle(self, file: str, done: object) -> str:
        """Keep the plaintext of a file."""
        assert isinstance(done, str)
        self.texts.append(done)
        return "unchanged"


class Decrypting(Batch):
    """The run of ``encconf decrypt`` on several files."""

    def __init__(self, front: Front, options: Options, targets: dict[str, str]) -> None:
        super().__init__(front, "decrypting", dry_run=options.dry_run, fail_fast=options.fail_fast)
        self._options = options
        self._targets = targets
        self._in_place = options.in_place
        self.written: list[str] = []

    def work(self, file: str) -> tuple[files.Input, str]:
        """Read and decrypt one file."""
        source = _read(self._options, file)
        if self.dry_run:
            metadata_of(source.text, source.format)
            return source, ""
        return source, _decrypted(
            self._options,
            source,
            self.credentials,
            self.warner(file),
            lambda opened: printing.shown(self.front, opened),
        )

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
            files.write(self.front, plain, source, None, mode=fileio.PRIVATE)
        else:
            self._write(target, plain)
        self.front.note(f"wrote {one_line(target)}")
        self.written.append(target)
        return "changed"

    def _write(self, target: str, plain: str) -> None:
        """Write a file that only its owner can read, and create its parent folders."""
        replacing: str | fileio.Anything | None = fileio.ANYTHING
        folder = self._options.output or ""
        with about(target):
            fileio.make_folders(folder, 0o700)
        from encconf.io import trust

        path = trust.fixed(folder, os.path.relpath(target, folder))
        with about(target):
            fileio.make_folders(os.path.dirname(path), 0o700)
        with about(target, instead=path):
            if not self._options.force:
                replacing = fileio.read_text(path, binary=True) if os.path.lexists(path) else None
                if replacing not in (None, plain):
                    raise OutputError("this file already exists", hint="overwrite it with --force")
            fileio.write_atomic(path, plain, mode=fileio.PRIVATE, replacing=replacing)

    def report(self) -> None:
        """Print the plan of a dry run; otherwise warn about decrypted files that git does not ignore."""
        super().report()
        if self.written:
            (files.warn_of_decrypted if self._in_place else files.warn_if_exposed)(self.front, self.written)


# --- one value ------------------------------------------------------------------------------------


class GetOptions(VerbOptions):
    """What to read.  Without a ``path``, the whole file."""

    file: str
    path: str | None = None
    json: bool = False
    resolve: bool = False
    ignore_mac: bool = False
    input_type: str | None = None
    config: str | None = None


def read_value(options: GetOptions, front: Front) -> str:
    """Return one value of a file without quotes, or a mapping or list in the file's format."""
    from encconf.engine import loading, plaintext
    from encconf.formats import emit
    from encconf.formats.json import word_of_leaf
    from encconf.formats.writing import text_of, value_at
    from encconf.text.document import Value
    from encconf.text.path import parse

    resolve, json = options.resolve, options.json
    files.refuse_swapped(options.file, [options.path], "encconf get FILE PATH")
    source = files.read(options.file, input_type=options.input_type)
    where = parse(options.path or "")
    why = "a file whose MAC is not checked must not decide what is fetched"
    at_most_one(resolve=resolve, ignore_mac=options.ignore_mac, hint=why)
    credentials = front.credentials()
    opened = source.open(credentials, ignore_mac=options.ignore_mac)
    format = opened.document.format
    where = format.located(opened.document, where)[-1]
    with about(source.label):
        if where or json or resolve:
            opening.refuse_ciphertexts(opened)
        if resolve:
            (texts,) = loading.resolved([("", opened)], True, credentials, where)
            opened = opened.with_texts(texts)
        opened = printing.shown(front, opened)
        trees = opened.trees()
        node = value_at(trees[0], where)
        if json and not where:
            emit.refuse_several(trees, "json")
        if json:
            said = emit.value(node, "json") if not isinstance(node, Value) else word_of_leaf(node)
        elif isinstance(node, Value):
            said = text_of(node.type, node.data)
        elif not where and not resolve:
            said = plaintext.plain_text(opened)
        else:
            said = emit.value(node, format.envelope or format.name)
    return said
