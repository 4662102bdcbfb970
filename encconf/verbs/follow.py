"""Follow the values of files for a running program: what ``encconf exec --watch`` does.

A thread looks at the files each second, and fetches references again from time to time.  If a value has
changed, the program is restarted with the new ones, or gets a signal.  If the files cannot be opened, or a
server is away, the program keeps the last good values, and encconf tries again.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from encconf.errors import EncconfError, UsageError
from encconf.io import fileio
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

    from encconf.verbs.export import Flat
    from encconf.verbs.front import Front

    Found = Mapping[str, Flat]

GLANCE = 1.0
"""Seconds between two looks at the files."""
EVERY = 60.0
"""Seconds after which references are fetched again, and the most between two tries that fail."""
GRACE = 10.0
"""Seconds that a program gets to end before it is killed."""


def number_of(name: str) -> signal.Signals:
    """Return a signal by its name, with or without SIG.  Raises UsageError."""
    word = name.upper()
    found = getattr(signal, word if word.startswith("SIG") else f"SIG{word}", None)
    if not isinstance(found, signal.Signals):
        raise UsageError(f"{name} is not a signal", hint="name one, such as HUP")
    return found


def seconds_of(text: str | None) -> float:
    """Return a number of seconds.  Raises UsageError."""
    try:
        seconds = float(text) if text is not None else EVERY
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UsageError("--every must be a number of seconds")
    return seconds


class Following:
    """The values that a program has, and what happens when they change.

    ``load`` returns the values, which depend on ``paths``.  ``every`` is how often they are loaded although
    no file has changed, or None for never.  Without a ``number``, the program is restarted.
    """

    def __init__(
        self,
        load: Callable[[], Found],
        paths: Sequence[str],
        front: Front,
        *,
        every: float | None = None,
        number: signal.Signals | None = None,
    ) -> None:
        self._load, self._paths, self._front = load, paths, front
        self._every, self._number = every, number
        self._lock = threading.Lock()
        self._news: list[Found | str] = []
        self._again = False
        self._kill_at: float | None = None
        self.learn: Callable[[Found], None] = lambda new: None
        """Called with new values before the program hears of them."""
        self.stopped = False
        """Whether the user has ended the program, so that it is not started again."""
        self._seen = self._look()
        self.found = load()
        threading.Thread(target=self._follow, daemon=True).start()

    def _look(self) -> list[object]:
        return [fileio.stamp(path) for path in self._paths]

    # --- in the thread -------------------------------------------------------------------------------

    def _follow(self) -> None:
        known, said, pause = self.found, "", GLANCE
        again: float | None = None  # when to try again after a failure
        due = None if self._every is None else time.monotonic() + self._every
        while not self.stopped:
            time.sleep(GLANCE)
            now, seen = time.monotonic(), self._look()
            if seen == self._seen and not any(each is not None and each <= now for each in (again, due)):
                continue
            self._seen = seen
            try:
                new = self._load()
            except EncconfError as error:
                pause = min(pause * 2, EVERY)
                again = time.monotonic() + pause
                if str(error) != said:
                    said = str(error)
                    self._tell(said)
                continue
            finally:
                due = None if self._every is None else time.monotonic() + self._every
            said, pause, again = "", GLANCE, None
            if _texts(new) != _texts(known):
                known = new
                self._tell(new)

    def _tell(self, news: Found | str) -> None:
        with self._lock:
            self._news.append(news)

    # --- beside the program --------------------------------------------------------------------------

    def poll(self, process: Popen[bytes]) -> int | None:
        """Return the exit code of the program, or None while it runs.  Call this several times a second."""
        code = process.poll()
        if code is not None:
            return code
        with self._lock:
            news, self._news = self._news, []
        for each in news:
            if isinstance(each, str):
                self._front.warn(f"the program keeps its values, because they cannot be loaded now: {each}")
            else:
                self._change(process, each)
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            process.kill()
        return None

    def _change(self, process: Popen[bytes], new: Found) -> None:
        old, self.found = _texts(self.found), new
        self.learn(new)
        texts = _texts(new)
        names = sorted(name for name in {*old, *texts} if old.get(name) != texts.get(name))
        if self._number is not None:
            self._front.note(f"{listed(names)} changed: sending {self._number.name}")
            process.send_signal(self._number)
            return
        if not self._again:
            self._front.note(f"{listed(names)} changed: restarting the program")
            self._again, self._kill_at = True, time.monotonic() + GRACE
            process.terminate()

    def restarts(self) -> bool:
        """Whether the program that has ended is to be started again, with the values in ``found``."""
        again, self._again, self._kill_at = self._again, False, None
        return again and not self.stopped


def _texts(found: Found) -> dict[str, str]:
    return {name: value.text for name, value in found.items()}
