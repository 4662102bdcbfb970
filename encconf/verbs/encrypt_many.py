"""``encconf encrypt`` for several files, folders and patterns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from encconf.cli import files, targets
from encconf.cli.batch import Batch
from encconf.cli.console import Console, one_line
from encconf.cli.encryption import Job
from encconf.cli.options import Value, flag, text
from encconf.cli.rule import is_named
from encconf.envelope.groups import quorum
from encconf.errors import MissingFileError, UsageError
from encconf.git.worktree import Known
from encconf.rules.config import Config
from encconf.rules.names import encrypted_name
from encconf.text.printable import counted


def encrypt_many(console: Console, words: Sequence[str], options: Mapping[str, Value]) -> None:
    """Encrypt files.  In folders and patterns, only files that are not encrypted yet count.

    Raises the error of a single file, or one that says how many failed.
    """
    configs: dict[str, Config] = {}
    config, in_place = text(options, "config"), flag(options, "in_place")
    known = Known()
    left_alone: list[str] = []

    def is_meant(name: str) -> bool:
        """Whether a rule is meant for a file, by its own name or by that of the encrypted file next to it.

        A rule for ``.enc.json`` matches the second name of every JSON file.  But it is not meant for a file
        that git tracks as plaintext, such as package.json, unless the file was encrypted before.
        """
        if is_named(name, name, config=config, read=configs):
            return True
        target = "" if in_place else encrypted_name(name)
        if not target or not is_named(target, name, config=config, read=configs):
            return False
        meant = os.path.lexists(target) or not known.tracked(name)
        if not meant:
            left_alone.append(name)
        return meant

    try:
        paths = targets.files(console, words, options, plain=is_meant)
    except MissingFileError as error:
        if left_alone:
            error.hint = (
                f"git tracks {counted(len(left_alone), 'file')} there as plaintext, such as "
                f"{one_line(left_alone[0])}; "
                "to encrypt them, name them, or use a quoted pattern: encconf encrypt 'FOLDER/*'"
            )
        raise
    if len(paths) > 1 and options.get("output") is not None:
        raise UsageError(
            "--output takes the result of one file",
            hint="without it, each result is written next to its file",
        )
    files.refuse_for_many(paths, options, ["filename_override"] if len(paths) > 1 else [])
    Encrypting(console, options, configs).run(paths)


class Encrypting(Batch):
    """The run of ``encconf encrypt`` on several files."""

    def __init__(self, console: Console, options: Mapping[str, Value], configs: dict[str, Config]) -> None:
        super().__init__(console, "encrypting", options)
        self._configs = configs
        self._hint = ""
        self._plain: list[str] = []  # the plaintext files that still exist

    def work(self, file: str) -> Job | None:
        """Encrypt one file.  Returns None if it is encrypted already."""
        source = files.read(file, self.options, plain=True)
        if source.found and not self.alone and text(self.options, "input_type") != "binary":
            return None
        job = Job(source, self.warner(file), self._configs)
        if self.dry_run:
            job.plain()
        else:
            job.encrypt(self.credentials)
        return job

    def settle(self, file: str, done: object) -> str:
        """Write and report one encrypted file."""
        if not isinstance(done, Job):
            self.console.note(f"{one_line(file)} is encrypted already")
            return "unchanged"
        if self.dry_run:
            self._plan(file, done)
            return "would-change"
        written = done.write(self.console)
        self._hint = done.hint or self._hint
        if not done.in_place:
            self._plain.append(file)
        return "changed" if written else "unchanged"

    def _plan(self, file: str, job: Job) -> None:
        groups = job.rule.groups
        keys = ", ".join(dict.fromkeys(one_line(key.name) for group in groups for key in group))
        needed = quorum(job.rule.threshold, groups)
        which = f" ({needed} of {len(groups)} groups)" if len(groups) > 1 else ""
        change = "" if job.in_place else f" -> {job.target or 'stdout'}"
        update = ", which exists: only what changed" if job.twin is not None else ""
        self.plans.setdefault((f"{job.rule.name}: {keys}{which}",), []).append(f"{file}{change}{update}")

    def report(self) -> None:
        """Print the plan of a dry run; otherwise warn about plaintext files that git does not ignore."""
        super().report()
        if self._hint:
            self.console.hint(self._hint)
        if self._plain:
            files.warn_if_exposed(self.console, self._plain)
