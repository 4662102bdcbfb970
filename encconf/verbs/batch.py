"""Run one command on many files: report each result and each cause of failure, and how to resume.

Threads read and encrypt or decrypt several files at the same time (`encconf.io.threads`).  The results
are written one by one, in the order of the command line.  If a signal or a full disk interrupts the command,
each file is either unchanged or complete, and another run does the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from encconf.errors import EncconfError, NoConfigError, NoMatchingRuleError, exit_code_of
from encconf.text.printable import counted, listed, one_line, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Batch:
    """A command and its files.  A subclass defines the methods `work` and `settle`.

    It keeps only the name and the state or error of each file.  ``doing`` is the text of the progress bar.
    With ``dry_run`` it changes nothing, and with ``fail_fast`` it stops at the first error.  ``resume`` is
    the option that makes another run start at a later file.  Commands without this option skip the files
    that are done already.
    """

    resume = ""

    def __init__(self, front: Front, doing: str, *, dry_run: bool = False, fail_fast: bool = False) -> None:
        self.front = front
        self.doing = doing
        self.dry_run = dry_run
        self.fail_fast = fail_fast
        self.credentials = front.credentials()
        self.alone = True
        self.notices: dict[str, list[tuple[str, str | None]]] = {}  # warnings and their hints, by file
        self.plans: dict[tuple[str, ...], list[str]] = {}  # in a dry run: files by their plan
        self.paths: Sequence[str] = ()
        self.errors: dict[str, EncconfError] = {}  # of the files that failed
        self.states: dict[str, str] = {}
        self._printed_warnings: set[str] = set()
        self._causes: dict[tuple[str, str], list[str]] = {}  # the files that failed, by slug and cause

    # --- for subclasses ----------------------------------------------------------------------

    def work(self, file: str) -> object:
        """Do the part that can run in a thread, at the same time as for other files.  Raises EncconfError."""
        raise NotImplementedError

    def settle(self, file: str, done: object) -> str:
        """Write and report one file, given the result of its `work`, and return its state.

        Raises EncconfError.  The states are ``changed``, ``unchanged`` and ``would-change``.
        """
        raise NotImplementedError

    def prepare(self) -> None:
        """Prepare the work.  May give files a state, so that they are not done."""

    def begin(self) -> None:
        """Do what must happen before the first file is settled."""

    def report(self) -> None:
        """Print the results, also after an error or a signal."""
        if self.plans:
            from encconf.verbs import plan_text

            self.front.data(plan_text.of_plans(self.plans))

    # --- running -----------------------------------------------------------------------------

    def run(self, paths: Sequence[str]) -> None:
        """Process the files.  Raises the error of a single file, or one that says how many failed."""
        from encconf.io import process

        self.alone = len(paths) == 1
        if len(paths) > 1:
            from encconf.envelope.cache import DataKeyCache

            self.credentials.cache = DataKeyCache()
        self.paths = paths
        try:
            with process.SignalGuard():
                self.prepare()
                if not self.stopped:
                    self.go(self.doing, self.work, self.settle, self.begin)
            if self.stopped:
                self._print_left("stopped")
        except EncconfError:
            raise
        except BaseException:  # a signal, or a bug in encconf
            self._print_left("interrupted")
            raise
        finally:
            if not self.alone:
                self._print_same_causes()
            self.report()
        if self.errors:
            raise self._failure()

    @property
    def left(self) -> list[str]:
        """The files that have no state yet."""
        return [path for path in self.paths if path not in self.states]

    @property
    def stopped(self) -> bool:
        """Whether a file failed and --fail-fast was given."""
        return self.fail_fast and bool(self.errors)

    def go(
        self,
        doing: str,
        work: Callable[[str], object],
        settle: Callable[[str, object], str],
        begin: Callable[[], None] | None = None,
    ) -> None:
        """Work on the files that are left, and settle them in order.  A terminal shows a progress bar.

        If ``settle`` returns "", the file gets no state.
        """
        from contextlib import closing

        from encconf.io.threads import side_by_side

        paths = self.left
        with self.front.progress(len(paths), doing) as step, closing(side_by_side(work, paths)) as results:
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
                step()

    def _settle(self, file: str, done: object, settle: Callable[[str, object], str]) -> None:
        self.print_warnings(file)
        try:
            if state := settle(file, done):
                self.states[file] = state
        finally:
            self.print_warnings(file)

    def sweep(self, paths: Sequence[str]) -> None:
        """Remove temporary files that killed commands left behind."""
        from encconf.io import replace

        for folder in dict.fromkeys(os.path.dirname(os.path.realpath(path)) for path in paths):
            for name in replace.sweep(folder):
                path = one_line(os.path.join(folder, name))
                self.front.note(f"removed {path}, left by a killed command")

    # --- messages ----------------------------------------------------------------------------

    def warner(self, file: str) -> Callable[..., None]:
        """Return a function that stores a warning and its hint, because `work` must not print."""
        kept = self.notices.setdefault(file, [])
        return lambda text, hint=None: kept.append((text, hint))

    def print_warnings(self, file: str) -> None:
        """Print the warnings of a file, except those that were printed for an earlier file."""
        for text, hint in self.notices.pop(file, ()):
            if text not in self._printed_warnings:
                self.front.warn(text, hint)
            self._printed_warnings.add(text)

    def fail(self, file: str, error: EncconfError) -> None:
        """Store an error, and print it unless it was printed for a file with the same cause."""
        if error.file == os.path.realpath(file):
            error.file = file
        elif not (self.alone and isinstance(error, NoConfigError)):
            error.about(file)
        cause = error.message
        if isinstance(error, NoMatchingRuleError):
            cause = cause.partition("\n")[2]  # without the first line, which names the file
        alike = self._causes.setdefault((error.slug, cause), [])
        if not self.alone and not alike:
            self.front.error(error)
        alike.append(file)
        self.errors[file] = error.with_traceback(None)  # its frames would keep the text of the file in memory
        self.states[file] = "failed"

    def _print_same_causes(self) -> None:
        """Say which other files failed for a reason that was printed already."""
        for alike in self._causes.values():
            first, *others = map(one_line, alike)
            if others:
                count = counted(len(others), "other file")
                self.front.note(f"{first}: the same for {count}: {listed(others, 3)}")

    def _failure(self) -> EncconfError:
        if self.alone:
            return next(iter(self.errors.values()))
        named = listed(map(one_line, self.errors), 10)
        last = EncconfError(f"{len(self.errors)} of {len(self.paths)} files failed: {named}")
        codes = {exit_code_of(error) for error in self.errors.values()}
        last.exit_code = codes.pop() if len(codes) == 1 else 1
        return last

    def _print_left(self, why: str) -> None:
        """Say how far the command got, and how to resume it."""
        if self.alone or self.dry_run:
            return
        done = sum(status in ("changed", "unchanged") for status in self.states.values())
        count = f"{done} of {len(self.paths)} files are done"
        failed = f", {len(self.errors)} failed" if self.errors else ""
        self.front.warn(f"{why}: {count}{failed}; the others were not changed")
        # After --fail-fast, the files before the one that failed may only be planned.
        again = self.errors if self.stopped else ()
        first = next((path for path in self.paths if path not in self.states or path in again), "")
        if first:
            start = f", with {self.resume} {quoted(first)}" if self.resume else ""
            self.front.hint(f"to continue, repeat the command{start}")
