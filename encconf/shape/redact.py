"""Remove secrets from text that a program prints or logs: `redact`, `RedactFilter`, and streams of bytes.

A secret is found as it is, in base64 (both alphabets, at any offset), in hexadecimal, escaped for URLs, JSON,
HTML and shells, and as Python's ``repr``.  Line breaks inside it do not matter, so wrapped lines and the
lines of a certificate are found, too.  What is not found: a part of a secret, other encodings, and a secret
that was compressed, encrypted or hashed.  Values shorter than `SHORTEST` bytes are not removed, since they
occur everywhere.

The beginnings of all forms of all secrets are one regular expression for RE2, which takes the same time for
any number of them.  Whether the rest follows is looked up among the sorted forms.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

from encconf.shape import mask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from logging import LogRecord
    from typing import Any, Final

SHORTEST: Final = 6
"""The least number of bytes of a value that is removed."""

MARK: Final = "**********"
"""What replaces a secret."""

_LONGEST_LINE = 16  # the least length of a line of a longer value that counts as a secret, too
_HELD = 1 << 20  # bytes that a stream holds back at most
_LINE_BREAKS = b"\r\n"
_FIRST = 3  # how many bytes of a form are looked up first
_BEGINNING = 16  # how many bytes of a form are in the regular expression
_AT_ONCE = 1 << 16  # how many beginnings one expression has at most: RE2 refuses one that is too large
_PIECE = 512  # a longer form is looked for in pieces of this length: so no form is long
_OVERLAP = 16  # bytes that two pieces have in common, so that there is nothing between them


class Redactor:
    """Finds all forms of some secrets.  Making it takes less than 1 ms for each, and 3 s for 1 MB of them."""

    def __init__(self, secrets: Iterable[str | bytes]) -> None:
        self._forms: list[bytes] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str | bytes]) -> None:
        """Find other secrets, too.  Streams that use this redactor do so from their next piece on."""
        forms = {*self._forms}
        for secret in secrets:
            data = secret.encode("utf-8", "surrogateescape") if isinstance(secret, str) else secret
            for part in (data, *(line for line in data.splitlines() if len(line) >= _LONGEST_LINE)):
                if len(part) >= SHORTEST:
                    forms |= {form.translate(None, _LINE_BREAKS) for form in _forms(part)}
        forms = {piece for form in forms if len(form) >= SHORTEST for piece in _pieces(form)}
        self._forms = sorted(forms)
        self._longest = len(max(forms, key=len, default=b""))
        self._firsts = {form[:_FIRST] for form in forms}
        beginnings = sorted({form[:_BEGINNING] for form in self._forms})
        starts = range(0, len(beginnings), _AT_ONCE)
        self._searches = [_compiled(beginnings[start : start + _AT_ONCE]) for start in starts]

    def redact(self, text: str) -> str:
        """Return a text with `MARK` in place of each secret."""
        data = text.encode("utf-8", "surrogatepass")
        found = self.replace(data)
        return text if found is data else found.decode("utf-8", "surrogatepass")

    def replace(self, data: bytes) -> bytes:
        """Return bytes with `MARK` in place of each secret."""
        spans = _merged(self._found(data))
        return _marked(data, spans, len(data)) if spans else data

    def split(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return the bytes that can be printed, without secrets, and the rest, which may begin one.

        Also returns whether the rest begins inside a secret, whose mark is printed already.
        """
        found = self._found(data)
        end = self._held_from(data)
        # What is inside the rest is found again, if the rest begins with the first that does not end before.
        end = next((start for start, stop in found if start < end < stop), end)
        if len(data) - end > _HELD:
            end = len(data)
        spans = _merged((start, min(stop, end)) for start, stop in found if start < end)
        is_inside = any(start < end < stop for start, stop in found)
        return _marked(data, spans, end), data[end:], is_inside

    def _found(self, data: bytes) -> list[tuple[int, int]]:
        """Return the spans of forms by their start.  They may overlap."""
        joined = data.translate(None, _LINE_BREAKS)
        spans: list[tuple[int, int]] = []
        for search in self._searches:
            found = search(joined)
            while found is not None:
                start = found.start()
                if size := self._longest_at(joined, start):
                    spans.append((start, start + size))
                found = search(joined, start + 1)  # another may begin inside this one
        if len(self._searches) > 1:
            spans.sort()
        if not spans or len(joined) == len(data):
            return spans
        original = _offsets(data)
        return [(original(start), original(end - 1) + 1) for start, end in spans]

    def _longest_at(self, data: bytes, start: int) -> int:
        """Return the length of the longest form that is at this place of the data, or 0."""
        rest, end = data[start : start + self._longest], len(self._forms)
        while len(rest) >= SHORTEST:
            end = bisect_right(self._forms, rest, 0, end)
            nearest = self._forms[end - 1] if end else b""
            if rest.startswith(nearest):
                return len(nearest)
            # A form that is there cannot be greater than the nearest one, so it ends before the two differ.
            rest = rest[: _common(rest, nearest)]
        return 0

    def _held_from(self, data: bytes) -> int:
        """Return the offset of the longest end of the data that is the beginning of a form."""
        size = len(data)
        # Line breaks do not count: look at as many other bytes as the longest form has.
        near, far = size, self._longest
        while near and len(data[near:].translate(None, _LINE_BREAKS)) < self._longest:
            near, far = max(size - far, 0), 2 * far
        tail = data[near:]
        joined = tail.translate(None, _LINE_BREAKS)
        last = max(len(joined) - _FIRST + 1, 0)
        for start in range(len(joined)):
            if start < last and joined[start : start + _FIRST] not in self._firsts:
                continue
            begun = joined[start:]
            at = bisect_left(self._forms, begun)
            if at < len(self._forms) and self._forms[at].startswith(begun) and self._forms[at] != begun:
                return near + _offsets(tail)(start)
            if at + 1 < len(self._forms) and self._forms[at + 1].startswith(begun):
                return near + _offsets(tail)(start)
        return size


class Stream:
    """Removes secrets from bytes that come in pieces.

    >>> stream = Stream(Redactor(["hunter2-and-more"]))
    >>> stream.feed(b"password: hunt"), stream.feed(b"er2-and-more!"), stream.flush()
    (b'password: ', b'**********!', b'')
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._is_inside = False
        self.held = b""
        """What may be the beginning of a secret."""

    def feed(self, data: bytes) -> bytes:
        """Return what can be printed now."""
        was_inside = self._is_inside
        done, self.held, is_inside = self._redactor.split(self.held + data)
        self._is_inside = is_inside or (was_inside and not done)
        return done.removeprefix(MARK.encode()) if was_inside else done

    def flush(self) -> bytes:
        """Return what was held back, after a pause or at the end."""
        held, self.held = self._redactor.replace(self.held), b""
        was_inside, self._is_inside = self._is_inside, False
        return held.removeprefix(MARK.encode()) if was_inside else held


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans, in the order of their starts, without those that overlap."""
    merged: list[tuple[int, int]] = []
    for start, stop in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _marked(data: bytes, spans: list[tuple[int, int]], end: int) -> bytes:
    mark = MARK.encode()
    pieces: list[bytes] = []
    at = 0
    for start, stop in spans:
        pieces += data[at:start], mark
        at = stop
    return b"".join([*pieces, data[at:end]]) if pieces else data[:end]


def _offsets(data: bytes) -> Callable[[int], int]:
    """Return a function from offsets without line breaks to offsets in the data."""
    before = [found.start() - at for at, found in enumerate(re.finditer(rb"[\r\n]", data))]
    return lambda offset: offset + bisect_right(before, offset)


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _compiled(forms: list[bytes]) -> Any:
    try:
        import re2
    except (
        ImportError
    ):  # `re` takes more time the more forms there are, and finds the same: the longest first
        longest_first = sorted(forms, key=len, reverse=True)
        return re.compile(b"|".join(map(re.escape, longest_first))).search
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.longest_match = True
    options.never_capture = True
    options.max_mem = 1 << 28
    options.log_errors = False
    # Every byte is written as \xHH: nothing of a secret has a meaning in the pattern.
    pattern = b"|".join(b"".join(b"\\x%02x" % byte for byte in form) for form in forms)
    return re2.compile(pattern, options).search


def _pieces(form: bytes) -> Iterator[bytes]:
    """Yield a form, or pieces of a long one: a text full of a long form would take hours to search."""
    yield form[:_PIECE]
    for start in range(_PIECE - _OVERLAP, len(form) - _OVERLAP, _PIECE - _OVERLAP):
        yield form[start : start + _PIECE]


def _forms(data: bytes) -> Iterator[bytes]:
    """Yield the forms in which a secret may be printed."""
    from base64 import b64encode
    from html import escape
    from json import dumps
    from urllib.parse import quote, quote_plus

    text = data.decode("utf-8", "surrogateescape")
    texts = [text, repr(text)[1:-1], escape(text), escape(text, quote=False)]
    for ascii in (True, False):
        dumped = dumps(text, ensure_ascii=ascii)[1:-1]
        texts += [dumped, dumped.replace("/", "\\/")]
    # What bash and dash print after `set -x`, and what `export -p` prints.
    texts += [text.replace("'", quoted) for quoted in ("'\\''", "'\"'\"'")]
    texts.append(re.sub(r'[\\"$`]', r"\\\g<0>", text))
    for form in texts:
        yield form.encode("utf-8", "surrogateescape")
    for url in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield url.encode()
        yield re.sub("%[0-9A-F]{2}", lambda sign: sign[0].lower(), url).encode()
    yield data.hex().encode()
    yield data.hex().upper().encode()
    for offset, begin in enumerate((0, 2, 3)):
        encoded = b64encode(bytes(offset) + data)[begin : (offset + len(data)) * 8 // 6]
        yield encoded
        yield encoded.translate(bytes.maketrans(b"+/", b"-_"))


# --- the masked values of a program ----------------------------------------------------------

_latest: tuple[int, Redactor] | None = None


def redact(text: str) -> str:
    """Return a text with ``**********`` in place of the secrets that this program has loaded with a mask.

    These are the encrypted values of files that were loaded with ``mask=True`` or a ``schema``, from the
    beginning of the program, so a former password is removed, too.  Raises nothing.

    >>> config = load_config("secrets.enc.yaml", mask=True)  # doctest: +SKIP
    >>> redact("login as shop:pa55-w0rd failed")  # doctest: +SKIP
    'login as shop:********** failed'
    """
    global _latest
    count = len(mask.LOADED)
    if _latest is None or _latest[0] != count:
        _latest = count, Redactor(list(mask.LOADED))
    return _latest[1].redact(text)


class RedactFilter:
    """A filter for `logging` that removes the secrets of `redact` from messages, tracebacks and stacks.

    Add it to handlers: the filters of a logger do not see the records of the loggers below it.

    >>> import logging
    >>> handler = logging.StreamHandler()
    >>> handler.addFilter(RedactFilter())
    """

    def filter(self, record: LogRecord) -> bool:
        """Change the record.  Returns True: no record is dropped."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            from logging import Formatter

            record.exc_text = Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True
