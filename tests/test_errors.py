"""The errors that encconf raises on purpose: exit code, slug, hint, and the file that they are about."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator

import pytest

from encconf import errors
from encconf.errors import EncconfError, MasterKeyError, ParseError, about


def kinds(kind: type[EncconfError] = EncconfError) -> Iterator[type[EncconfError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from kinds(each)


ALL = sorted({each for each in kinds() if each.__module__ == errors.__name__}, key=lambda each: each.__name__)


def test_every_class_has_a_code_and_a_word_of_its_own() -> None:
    assert len(ALL) > 40
    for kind in ALL:
        assert 0 < kind.exit_code < 256
        assert kind.slug == kind.slug.lower()
        assert kind.slug.replace("-", "").isalnum()
        assert kind.__name__.endswith("Error")


def test_the_file_is_in_front_of_the_message_and_named_once() -> None:
    error = EncconfError("it is broken", hint="mend it")
    assert str(error) == "it is broken"
    assert error.about("a.yaml") is error
    assert str(error.about("b.yaml")) == "a.yaml: it is broken"


def test_the_hint_is_a_note_of_the_traceback() -> None:
    error = EncconfError("it is broken", hint="mend it")
    assert "hint: mend it\n" in traceback.format_exception(error)
    error.add_note("found by a test")
    error.hint = "mend it again"
    assert error.__notes__ == ["found by a test", "hint: mend it again"]
    error.hint = None
    assert error.__notes__ == ["found by a test"]
    assert not hasattr(EncconfError("x"), "__notes__")


def test_what_is_raised_inside_is_about_the_file() -> None:
    with pytest.raises(ParseError, match=r"^a\.yaml: "), about("a.yaml"):
        raise ParseError("it is broken", line=1, column=2)
    with pytest.raises(EncconfError, match=r"^inner: x$"), about("outer"), about("inner"):
        raise EncconfError("x")
    with pytest.raises(EncconfError, match=r"^x$"), about(""):
        raise EncconfError("x")
    with pytest.raises(ZeroDivisionError), about("a.yaml"):
        raise ZeroDivisionError


def test_what_led_to_it_stays_out_of_the_traceback() -> None:
    def fails() -> None:
        try:
            raise KeyError("s3cret")
        except KeyError:
            raise EncconfError("x")  # noqa: B904

    with pytest.raises(EncconfError) as caught, about("a.yaml"):
        fails()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_cause_that_was_given_stays() -> None:
    cause = OSError("no space")
    with pytest.raises(EncconfError) as caught, about("a.yaml"):
        raise EncconfError("x") from cause
    assert caught.value.__cause__ is cause


def test_without_frames_no_local_variable_can_be_shown() -> None:
    def opened() -> None:
        data_key = "s3cret"
        raise EncconfError(f"x{data_key[:0]}")

    def names(error: BaseException) -> set[str]:
        return {frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)}

    with pytest.raises(EncconfError) as caught, about("a.yaml", frames=False):
        opened()
    assert "opened" not in names(caught.value)
    with pytest.raises(EncconfError) as caught, about("a.yaml"):
        opened()
    assert "opened" in names(caught.value)


def test_what_may_work_later() -> None:
    error = MasterKeyError("no answer")
    assert not errors.is_temporary(error)
    assert errors.exit_code_of(error) == error.exit_code
    error.temporary = True
    assert errors.is_temporary(error)
    assert errors.exit_code_of(error) == errors.TRY_AGAIN == 75
    assert not errors.is_temporary(ValueError("x"))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_can_go_from_one_process_to_another(kind: type[EncconfError]) -> None:
    error = kind("it is broken").about("a.yaml")
    error.hint = "mend it"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), vars(again)) == (str(error), vars(error))
    error = ParseError("it is broken", line=2, column=3)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
