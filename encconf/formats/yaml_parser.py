"""The events of a YAML stream, from the parsers of ruamel.yaml."""

from __future__ import annotations

import re
from contextlib import suppress

from encconf.errors import LimitError, ParseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


MAX_TAG_DIRECTIVES = 1_000
"""How many ``%TAG`` directives a stream may have: the parsers compare each with all others."""


class TooNewError(Exception):
    """The text uses syntax that the parser in C is too old for."""


def parse(text: str, pure: bool) -> Iterator[Any]:
    """Yield the events of a stream, from libyaml or, if ``pure``, from the parser in Python.

    Raises ParseError, or TooNewError if the parser in Python may be able to read the text.
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yield from _parsed(text, pure)
    except MarkedYAMLError as error:
        if not pure and error.problem == "found unexpected ':'":
            # ruamel.yaml.clib has libyaml 0.1.7, which refuses `[http://host]`; other parsers accept it.
            raise TooNewError from None
        mark = error.problem_mark or error.context_mark
        # The parser's messages name tokens and characters.  They quote only the handle of a tag, which may be
        # the beginning of a password without quotes: `!word!word`.
        words = ", ".join(part for part in (error.context, error.problem) if part)
        head, handle, _ = words.partition("tag handle")
        words = head + handle
        raise ParseError(
            f"not valid YAML: {words}",
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
        ) from None
    except YAMLError as error:
        reason = getattr(error, "reason", "it cannot be read")
        place = f" at position {error.position}" if hasattr(error, "position") else ""
        raise ParseError(f"not valid YAML: {reason}{place}") from None
    except UnicodeEncodeError:
        raise ParseError("not valid YAML: it holds a lone surrogate") from None


def _parsed(text: str, pure: bool) -> Iterator[Any]:
    cyaml: Any = None
    if not pure:
        with suppress(ImportError):  # ruamel.yaml.clib is not installed
            from ruamel.yaml import cyaml
    if cyaml is not None:
        # Not YAML(), whose loader refers to itself: 150 kB of garbage for each text.
        parser = cyaml.CParser(text)
        while parser.check_event():
            yield parser.get_event()
        return
    from ruamel.yaml import YAML

    class Parser(YAML):
        def official_plug_ins(self) -> list[str]:
            return []  # it would search its own folder for plug-ins each time

    yield from Parser(typ="safe", pure=True).parse(text)


def events_of(text: str, pure: bool) -> Iterator[Any]:
    """Return the events of a stream in which a byte order mark is an ordinary character, as in go-yaml.

    The parsers themselves drop a byte order mark at the start of a line.  ``text`` is without the one that
    may begin a file.  To go-yaml, a second one indents the first key.
    """
    if text.count("%TAG") > MAX_TAG_DIRECTIVES < len(re.findall(r"(?m)(?:^|[\r\x85\u2028\u2029])%TAG", text)):
        raise LimitError(f"the stream has more than {MAX_TAG_DIRECTIVES:,} %TAG directives")
    if text.startswith("\ufeff"):
        raise ParseError(
            "the file begins with two byte order marks", line=1, hint="remove at least one of them"
        )
    if "\n\ufeff" not in text and "\r\ufeff" not in text:
        return parse(text, pure)
    other = next(sign for sign in map(chr, range(0xE000, 0xF8FF)) if sign not in text)

    def restored(event: Any) -> Any:
        value = getattr(event, "value", None)
        if value is not None and other in value:
            event.value = value.replace(other, "\ufeff")
        return event

    return map(restored, parse(text.replace("\ufeff", other), pure))
