"""One command over many files: the result of each, one message for each cause of failure, and how to resume.

The files are read and encrypted or decrypted side by side (`encconf.io.side_by_side`), and written one by
one in the order in which they were named.  If the command is interrupted, by a signal or a full disk, each
file is either the old one or the new one, and another run does the rest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from encconf.cli import files, plan_text
from encconf.cli.console import Console, one_line
from encconf.cli.options import Value, flag
from encconf.errors import (
    ConfigError,
    EncconfError,
    KeyAccessError,
    NoConfigError,
    NoMatchingRuleError,
    WrapError,
    exit_code_of,
)
from encconf.io import replace, signals
from encconf.io.side_by_side import side_by_side
from encconf.text.printable import counted, listed


class Batch:
    """A command and its files; a subclass has a method `work` and a method `settle`.

    For each file, only its name and its state or error are kept.  ``doing`` is the text of the progress bar,
    and ``options`` are those of the command line.  ``resume`` is the option that makes another run start at a
    later file; without it, another run finds out itself which files are left.
    """

    def __init__(
        self, console: Console, doing: str, options: Mapping[str, Value], *, resume: str = ""
    ) -> None:
        self.console = console
        self.doing = doing
        self.options = options
        self.resume = resume
        self.dry_run = flag(options, "dry_run")
        self.fail_fast = flag(options, "fail_fast")
        self.credentials = files.credentials(console)
        self.alone = True
        self.notices: dict[str, list[tuple[str, str | None]]] = {}  # warnings and their hints, by file
        self.plans: dict[tuple[str, ...], list[str]] = {}  # of a dry run: lines, and the files they are for
        self.left: list[str] = []
        self.errors: dict[str, EncconfError] = {}  # of the files that failed
        self.states: dict[str, str] = {}
        self._said: set[str] = set()
        self._said_in_full: set[str] = set()  # the files whose error was said in full
        self._causes: dict[tuple[str, str], list[str]] = {}  # the files that failed alike

    # --- for subclasses ----------------------------------------------------------------------

    def work(self, file: str) -> object:
        """What can run at the same time as for other files; raises EncconfError for a file that fails."""
        raise NotImplementedError

    def settle(self, file: str, done: object) -> str:
        """Write and report one file whose `work` succeeded; returns its state.  Raises EncconfError.

        States are ``changed``, ``unchanged`` and ``would-change``.
        """
        raise NotImplementedError

    def prepare(self) -> None:
        """Do what has to be done before the work; may shorten ``left``, the files to do."""

    def begin(self) -> None:
        """Do what has to be done before the first file is settled."""

    def report(self) -> None:
        """Print the results, also after an error or a signal."""
        if self.plans:
            self.console.data(plan_text.of_plans(self.plans))

    # --- running -----------------------------------------------------------------------------

    def run(self, paths: Sequence[str]) -> None:
        """Go through the files.  Raises the error of a single file, or one that says how many failed."""
        self.alone = len(paths) == 1
        if len(paths) > 1:
            from encconf.envelope.cache import DataKeyCache

            self.credentials.cache = DataKeyCache()
        self.left = list(paths)
        try:
            with signals.SignalGuard():
                self.prepare()
                if not self.stopped:
                    self.go(self.doing, self.work, self.settle, self.begin)
            if self.left:
                self._say_left("stopped", len(paths))
        except EncconfError:
            raise
        except BaseException:  # a signal, or a mistake of ours
            self._say_left("interrupted", len(paths))
            raise
        finally:
            if not self.alone:
                self._say_alike()
            self.report()
        if self.errors:
            raise self._failure(len(paths))

    @property
    def stopped(self) -> bool:
        """Whether a file failed, and no other is to be tried."""
        return self.fail_fast and bool(self.errors)

    def go(
        self,
        doing: str,
        work: Callable[[str], object],
        settle: Callable[[str, object], str],
        begin: Callable[[], None] | None = None,
    ) -> None:
        """Work on the files that are left, and settle each in order, with a bar on a terminal.

        A file to which ``settle`` gives no state stays one of those that are left.
        """
        paths, at = list(self.left), 0
        with self.console.progress(len(paths), doing) as step, closing(side_by_side(work, paths)) as results:
            for file, done in results:
                if begin is not None and not isinstance(done, EncconfError):
                    begin()
                    begin = None
                try:
                    if isinstance(done, EncconfError):
                        raise done
                    self._settle(file, done, settle)
                except EncconfError as error:
                    self.fail(file, error)
                    if self.fail_fast:
                        return
                if file in self.states:
                    del self.left[at]
                else:
                    at += 1
                step()

    def _settle(self, file: str, done: object, settle: Callable[[str, object], str]) -> None:
        self.print_warnings(file)
        try:
            if state := settle(file, done):
                self.states[file] = state
        finally:
            self.print_warnings(file)

    def sweep(self, paths: Sequence[str]) -> None:
        """Remove temporary files of earlier writes that were killed."""
        for folder in dict.fromkeys(os.path.dirname(os.path.realpath(path)) for path in paths):
            for name in replace.sweep(folder):
                path = one_line(os.path.join(folder, name))
                self.console.note(f"removed {path}, left by a killed command")

    # --- messages ----------------------------------------------------------------------------

    def warner(self, file: str) -> Callable[..., None]:
        """A function that keeps a warning and its hint: work must not print, as it runs in a thread."""
        kept = self.notices.setdefault(file, [])
        return lambda text, hint=None: kept.append((text, hint))

    def print_warnings(self, file: str) -> None:
        """Print the warnings of a file, those that no earlier file had."""
        for text, hint in self.notices.pop(file, ()):
            if text not in self._said:
                self.console.warn(text, hint)
            self._said.add(text)

    def fail(self, file: str, error: EncconfError) -> None:
        """Keep an error, and print it unless enough files failed for the same cause."""
        if error.file == os.path.realpath(file):
            error.file = file
        elif not (self.alone and isinstance(error, NoConfigError)):
            error.about(file)
        cause = error.message
        if isinstance(error, NoMatchingRuleError):
            cause = cause.partition("\n")[2]  # the first line names the file, the others the rules
        alike = self._causes.setdefault((error.slug, cause), [])
        # A missing key or a mistake in .sops.yaml concerns every file, and the message has several lines.
        once = isinstance(error, (ConfigError, KeyAccessError, WrapError))
        if not self.alone and len(alike) < (1 if once else 3):
            self.console.error(error)
            self._said_in_full.add(file)
        alike.append(file)
        self.errors[file] = error.with_traceback(None)  # whose frames have the text of the file
        self.states[file] = "failed"

    def _say_alike(self) -> None:
        """Say which other files failed for a reason that was printed already."""
        for files_alike in self._causes.values():
            others = [one_line(file) for file in files_alike if file not in self._said_in_full]
            if others:
                self.console.note(f"the same for {counted(len(others), 'other file')}: {listed(others, 3)}")

    def _failure(self, total: int) -> EncconfError:
        if self.alone:
            return next(iter(self.errors.values()))
        names = list(map(one_line, self.errors))
        named = ", ".join(names[:10]) + (" and others" if len(names) > 10 else "")
        last = EncconfError(f"{len(names)} of {total} files failed: {named}")
        codes = {exit_code_of(error) for error in self.errors.values()}
        last.exit_code = codes.pop() if len(codes) == 1 else 1
        return last

    def _say_left(self, why: str, total: int) -> None:
        """Say how far the command got, and how to resume it."""
        if self.alone or self.dry_run:
            return
        done = sum(status in ("changed", "unchanged") for status in self.states.values())
        failed = f", {len(self.errors)} failed" if self.errors else ""
        self.console.warn(f"{why}: {done} of {total} files are done{failed}; the others were not changed")
        if self.left:
            self.console.hint(f"to continue: {resume_line(self.resume, self.left[0])}")


def resume_line(resume: str, file: str) -> str:
    """The same command line, starting at a file."""
    import shlex

    words = sys.argv[1:]
    if resume:
        end = words.index("--") if "--" in words else len(words)
        options, names = words[:end], words[end:]
        for at, word in enumerate(options):
            if word == resume or word.startswith(resume + "="):
                del options[at : at + 1 + (word == resume)]
                break
        words = [*options, resume, file, *names]
    if len(words) > 30:
        return f"the same command, and {resume} {shlex.quote(file)}" if resume else "the same command"
    return shlex.join(["encconf", *words])
