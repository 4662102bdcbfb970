"""Encrypt one file or many: to the file next to it, in place, to another file, or to stdout."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from encconf import formats
from encconf.engine import sealing
from encconf.engine.sealing import plain_as, refuse_encrypted
from encconf.errors import (
    AlreadyEncryptedError,
    EmptyDocumentError,
    InputError,
    MissingFileError,
    NoMatchingRuleError,
    OutputError,
    UsageError,
    about,
    at_most_one,
)
from encconf.identities.credentials import Credentials
from encconf.io import fileio
from encconf.rules.config import Config, encrypted_name
from encconf.text.document import Document
from encconf.text.path import spell
from encconf.text.printable import counted, listed, one_line, quoted
from encconf.verbs import files
from encconf.verbs.batch import Batch
from encconf.verbs.rule import Selecting, is_named, refuse_link, rule_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.opening import Opened
    from encconf.verbs.front import Front


class Options(Selecting):
    """What to encrypt, by which rule, and where to.  ``file`` is empty for stdin."""

    file: Sequence[str] = ()
    output: str | None = None
    in_place: bool = False
    force: bool = False
    recursive: bool = False
    dry_run: bool = False
    fail_fast: bool = False
    input_type: str | None = None
    output_type: str | None = None
    filename_override: str | None = None


def run(options: Options, front: Front) -> Job | None:
    """Encrypt a file, or several.  Returns the job of one file, and None for several or a dry run."""
    if options.dry_run or files.are_many(options.file, recursive=options.recursive):
        _run_many(options, front)
        return None
    at_most_one(in_place=options.in_place, output=options.output)
    job = Job(_read(options, options.file[0] if options.file else None), options, front.warn)
    job.encrypt(front.credentials())
    job.write(front)
    return job


def _read(options: Options, file: str | None) -> files.Input:
    return files.read(
        file,
        input_type=options.input_type,
        filename_override=options.filename_override,
        in_place=options.in_place,
        plain=True,
    )


class Job:
    """One file to encrypt: its plaintext, the file to write, and the rule to encrypt it by.

    ``warn`` is called with warnings and their hints.  The caller prints ``hint`` after the file is written.
    ``read`` caches .sops.yaml files.  Raises UsageError, OutputError, and the errors of finding the rule.
    """

    def __init__(
        self,
        source: files.Input,
        options: Options,
        warn: Callable[..., None],
        read: dict[str, Config] | None = None,
    ) -> None:
        self.source, self.in_place = source, options.in_place
        self._force, self._warn, self.hint = options.force, warn, ""
        # A selection of the command line is meant, also if it leaves more values in plaintext.
        self._may_expose = self._force or bool(options.selections)
        self._input_type, output_type = options.input_type, options.output_type
        self.format = source.format
        self.written = self.format if output_type is None else files.format_by_name(source.name, output_type)
        self.target = target = _target(source, options.output, in_place=self.in_place)
        self.path = source.path if self.in_place else None
        if target is not None and not self.in_place:
            self.path = files.target_path(target, named=options.output is not None)
        try:
            self.rule = rule_for(
                options.filename_override or target or encrypted_name(source.name) or source.name,
                options,
                also=[source.name],
                read=read,
                notify=warn,
            )
        except NoMatchingRuleError as error:
            beside = encrypted_name(source.name)
            known = {} if read is None else read
            if self.in_place and beside and is_named(beside, source.name, config=options.config, read=known):
                command = f"encconf encrypt {quoted(source.label)}"
                error.hint = f"a rule matches {beside}; this writes it: {command}"
            raise
        if source.path is not None:
            refuse_link(
                source.label,
                self.rule,
                options,
                encrypted=lambda real: (real if self.in_place else encrypted_name(real)) or real,
                read=read,
            )
        self.enc = ""
        self.twin: str | None = None
        self.done: Sequence[object] = ()  # how the values differ from those of the twin, as text
        self._replacing: str | fileio.Anything | None = source.text
        if target is not None and self.path is not None and not self.in_place:
            self._replacing = self._existing(target, self.path)

    def _existing(self, target: str, path: str) -> str | fileio.Anything | None:
        """Return the text that may be replaced.  If it is encrypted, it is the ``twin``.

        Raises OutputError, unless --force was given, if it is not encrypted, or encrypted in another format,
        so it cannot be an old version.
        """
        if fileio.is_special(path):
            return fileio.ANYTHING
        try:
            there = fileio.read_existing(path)
        except InputError:  # such as a program, which is not text
            there = ""
        if there is None:
            return None
        found, wrong = formats.find(there, target), ""
        if found is None:
            wrong = "exists and is not encrypted"
        elif self._is_other_format(found):
            wrong = f"is encrypted {found}, and it would be replaced by encrypted {self.written}"
        if wrong and not self._force:
            hint = "choose another file with -o FILE, or overwrite it with --force"
            raise OutputError(f"this file {wrong}", hint=hint).about(target)
        if found is None:
            return fileio.ANYTHING
        self.twin = there
        return there

    def _is_other_format(self, format: str | None) -> bool:
        """Whether a format differs from the one that is written.  YAML and JSON count as the same."""
        return format != self.written and {format, self.written} != {"yaml", "json"}

    def plain(self) -> Document:
        """Scan the plaintext.  Raises AlreadyEncryptedError, ParseError, and EmptyDocumentError.

        An empty text replaces no encrypted file without --force: often, the program that writes it failed.
        """
        with about(self.source.label):
            if self._input_type != formats.ANY:
                refuse_encrypted(self.source.text, self.source.name, self.format)
            plain = sealing.scan_plain(self.source.text, self.format)
            if self.twin is not None and not self._force and not self.source.text.strip():
                raise EmptyDocumentError(
                    f"the plaintext is empty, and would replace {self.target}",
                    hint="to replace the file anyway, use --force",
                )
            return plain

    def encrypt(self, credentials: Credentials) -> None:
        """Set ``enc`` to the encrypted text.  Raises as `plain`, and the errors of encrypting."""
        plain, warn = self.plain(), self._warn
        with about(self.source.label):
            text = plain_as(plain, self.format, self.written, whole=True)
            twin = sealing.opened_twin(self.twin, self.rule, self.written, credentials, warn)
            if self.twin is not None and not self._may_expose:
                from encconf.engine.checks import refuse_exposed

                refuse_exposed(twin.document if twin else self.twin, text, self.written, self.rule.selection)
            if twin is None and self.twin is not None and not self._force and self._is_older():
                raise OutputError(
                    f"the file is older than {self.target}, which cannot be opened; "
                    "values that only that file has would be lost",
                    hint="to replace it as a whole, use --force",
                )
            if twin is not None:
                self.done = self._difference(twin, text)
            self.enc = sealing.encrypt(
                text, self.rule, format=self.written, twin=twin, credentials=credentials, notify=warn
            )
        if self.twin is None and not self._may_expose:
            self._warn_of_plaintext(plain)

    def _difference(self, twin: Opened, plain: str | Document) -> Sequence[object]:
        """Return how the values differ from those of the encrypted file, as text.

        Raises OutputError, unless --force was given, if the plaintext is older than the file, and would take
        back some of its values.
        """
        if twin.document.format.name != self.written:
            return []
        from encconf.audit.diff import between

        done = between(self.source.name, twin, plain, self.written)
        if not done or self._force or not self._is_older():
            return done
        lost = [said for said in map(str, done) if said.startswith(("changed ", "removed "))]
        if lost:
            raise OutputError(
                f"the file is older than {self.target}, whose values it would take back: {listed(lost, 5)}",
                hint=f"to change the encrypted file: encconf edit {quoted(str(self.target))}; to replace its "
                "values, use --force",
            )
        return done

    def _is_older(self) -> bool:
        """Whether the plaintext file was written before the encrypted file."""
        if self.source.path is None or self.path is None:
            return False
        try:
            return os.stat(self.source.path).st_mtime_ns < os.stat(self.path).st_mtime_ns
        except OSError:
            return False

    def _warn_of_plaintext(self, plain: Document) -> None:
        """Warn about values of a new file that look like secrets, and that the rule leaves in plaintext."""
        if plain.format.single_value:
            return
        chosen = self.rule.selection.choose(plain).leaves
        if not any(chosen):
            return  # there is a warning about that
        left = [leaf for leaf, is_chosen in zip(plain.leaves, chosen, strict=True) if not is_chosen]
        if left:
            from encconf.audit.guesses import why_secret

            if paths := [spell(leaf.path) for leaf in left if why_secret(leaf)]:
                self._warn(
                    f"{listed(paths)} {'stays' if len(paths) == 1 else 'stay'} plaintext, because of "
                    f"{' and '.join(self.rule.selection.as_written())}",
                    "to encrypt it as well, widen the selection in the creation rule",
                )

    def write(self, front: Front) -> bool:
        """Write the encrypted text to ``target`` or stdout.  Returns False if ``target`` is up to date."""
        if self.target is None:
            front.content(self.enc)
            return True
        if self.enc == self.twin:
            front.note(f"{one_line(self.target)} is up to date")
            return False
        assert self.path is not None
        with about(self.target, instead=self.path):
            fileio.write_atomic(self.path, self.enc, replacing=self._replacing)
        found = formats.find(self.enc, self.target)
        if self._is_other_format(found):
            self._warn(
                f"the name {self.target} means {found or 'text'}, but the content is {self.written}",
                f"choose another name, or open the file with --input-type {self.written}",
            )
        hidden = os.path.basename(self.target)[:1] == "."  # such as .env.production
        if hidden and formats.get(self.written).environment:
            self.hint = f"encconf import {quoted(self.source.label)} creates YAML instead"
        said = f"wrote {one_line(self.target)}"
        if self.done:
            from encconf.engine.effects import report

            said = report(said, self.done)
        front.note(said)
        return True


def _target(source: files.Input, output: str | None, *, in_place: bool) -> str | None:
    """Return the name of the file to write, or None for stdout."""
    file = source.label
    if in_place:
        return file
    if output is not None:
        return None if output in fileio.STDOUT else output
    if source.path is None:
        return None
    name = encrypted_name(file)
    if not name:
        word = quoted(file)
        if source.found:
            raise AlreadyEncryptedError(
                "the file is already encrypted", hint=f"to change it: encconf edit {word}"
            ).about(file)
        raise UsageError(
            "this is already the name of an encrypted file",
            hint=f"to encrypt it in place: encconf encrypt -i {word}",
        ).about(file)
    return name


def _run_many(options: Options, front: Front) -> None:
    """Encrypt several files.  In folders and patterns, only files that are not encrypted yet count.

    Raises the error of a single file, or one that says how many failed.
    """
    from encconf.git import Known
    from encconf.verbs import batch

    configs: dict[str, Config] = {}
    config = options.config
    known = Known()
    left_alone: list[str] = []

    def is_meant(name: str) -> bool:
        """Whether a rule is meant for a file, by its own name or by that of the encrypted file next to it.

        A rule for ``.enc.json`` matches the second name of every JSON file.  But it is not meant for a file
        that git tracks as plaintext, such as package.json, unless the file was encrypted before.
        """
        if is_named(name, name, config=config, read=configs):
            return True
        target = "" if options.in_place else encrypted_name(name)
        if not target or not is_named(target, name, config=config, read=configs):
            return False
        meant = os.path.lexists(target) or not known.tracked(name)
        if not meant:
            left_alone.append(name)
        return meant

    try:
        paths = batch.files(front, options.file, recursive=options.recursive, plain=is_meant)
    except MissingFileError as error:
        if left_alone:
            error.hint = (
                f"git tracks {counted(len(left_alone), 'file')} there as plaintext, such as "
                f"{one_line(left_alone[0])}; "
                "to encrypt them, name them, or use a quoted pattern: encconf encrypt 'FOLDER/*'"
            )
        raise
    if len(paths) > 1 and options.output is not None:
        raise UsageError(
            "--output takes the result of one file",
            hint="without it, each result is written next to its file",
        )
    files.refuse_for_many(paths, filename_override=options.filename_override if len(paths) > 1 else None)
    at_most_one(in_place=options.in_place, output=options.output)
    Encrypting(front, options, configs).run(paths)


class Encrypting(Batch):
    """The run of ``encconf encrypt`` on several files."""

    def __init__(self, front: Front, options: Options, configs: dict[str, Config]) -> None:
        super().__init__(front, "encrypting", dry_run=options.dry_run, fail_fast=options.fail_fast)
        self._options = options
        self._configs = configs
        self._hint = ""
        self._plain: list[str] = []  # the plaintext files that still exist
        self._encrypted: list[str] = []  # those that were encrypted in place

    def work(self, file: str) -> Job | None:
        """Encrypt one file.  Returns None if it is encrypted already."""
        source = _read(self._options, file)
        if source.found and not self.alone and self._options.input_type != formats.ANY:
            return None
        job = Job(source, self._options, self.warner(file), self._configs)
        if self.dry_run:
            job.plain()
        else:
            job.encrypt(self.credentials)
        return job

    def settle(self, file: str, done: object) -> str:
        """Write and report one encrypted file."""
        if not isinstance(done, Job):
            self.front.note(f"{one_line(file)} is encrypted already")
            return "unchanged"
        if self.dry_run:
            self._plan(file, done)
            return "would-change"
        written = done.write(self.front)
        self._hint = done.hint or self._hint
        (self._encrypted if done.in_place else self._plain).append(file)
        return "changed" if written else "unchanged"

    def _plan(self, file: str, job: Job) -> None:
        from encconf.envelope import quorum

        groups = job.rule.groups
        keys = ", ".join(dict.fromkeys(one_line(key.name) for group in groups for key in group))
        needed = quorum(job.rule.threshold, groups)
        which = f" ({needed} of {len(groups)} groups)" if len(groups) > 1 else ""
        change = "" if job.in_place else f" -> {job.target or 'stdout'}"
        update = ", which exists and gets these values" if job.twin is not None else ""
        self.plans.setdefault((f"{job.rule.name}: {keys}{which}",), []).append(f"{file}{change}{update}")

    def report(self) -> None:
        """Print the plan of a dry run; otherwise warn about plaintext files that git does not ignore."""
        super().report()
        if self._hint:
            self.front.hint(self._hint)
        if self._plain:
            files.warn_if_exposed(self.front, self._plain)
        if self._encrypted:
            files.warn_of_committed(self.front, self._encrypted)
