"""Secrets do not get through `encconf.redact`, its log filter and its streams, in any form that it knows."""

from __future__ import annotations

import base64
import html
import json
import logging
import random
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pace import at_most

import encconf
from encconf.shape import mask
from encconf.shape.redact import MARK, RedactFilter, Redactor, Stream
from encconf.testing import TestKey

SECRET = "p/ss+w0rd \"ä\" & <more>'x' $h$"
FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "json": lambda text: json.dumps({"password": text}),
    "json with other words": lambda text: json.dumps(f"user:{text}"),
    "json with other words, of other languages": lambda text: json.dumps(f"user:{text}", ensure_ascii=False),
    "json of other languages": lambda text: json.dumps(text, ensure_ascii=False).replace("/", "\\/"),
    "repr": repr,
    "html": html.escape,
    "set -x in bash": lambda text: "+ : 'user:" + text.replace("'", "'\\''") + "'",
    "export -p in dash": lambda text: "export A='" + text.replace("'", "'\"'\"'") + "'",
    "export -p in bash": lambda text: 'declare -x A="' + re.sub(r'([\\"$`])', r"\\\1", text) + '"',
    "url": lambda text: quote(text, safe=""),
    "url, spaces as plus signs": quote_plus,
    "url, lower case": lambda text: re.sub("%..", lambda sign: sign[0].lower(), quote(text, safe="")),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a login": lambda text: base64.b64encode(f"shop:{text}".encode()).decode(),
    "base64 of more": lambda text: base64.b64encode(f"ab{text}, and so on".encode()).decode(),
    "base64 for urls": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 of mails": lambda text: base64.encodebytes((text * 4).encode()).decode(),
    "wrapped": lambda text: "\n".join(text[at : at + 5] for at in range(0, len(text), 5)),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_gets_through(form: str) -> None:
    written = FORMS[form](SECRET)
    found = Redactor([SECRET]).redact(f"before {written} after")
    assert found.startswith("before ")
    assert found.endswith(" after")
    assert MARK in found
    core = Redactor([SECRET]).redact(written)
    assert len(core.replace(MARK, "")) < 30  # the text around it, and the signs of base64 that it shares


def test_what_a_shell_shows_of_its_work() -> None:
    for shell in filter(shutil.which, ("sh", "bash")):
        script = 'set -x; : "user:$SECRET"; export -p >&2'
        environ = {"SECRET": "p/ss+w0rd \"q\" \\ 'x' $h"}
        done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True, env=environ)
        assert "w0rd" in done.stderr
        assert "w0rd" not in Redactor(environ.values()).redact(done.stderr)


def test_what_it_is_not_about_stays() -> None:
    text = "a" * 100 + "\r\n\n pass p/ss+w0rd \0"
    assert Redactor([SECRET]).redact(text) is text
    assert Redactor([]).redact(text) == text
    assert Redactor(["short", ""]).redact("a short text") == "a short text"


def test_secrets_that_overlap_leave_no_rest() -> None:
    redactor = Redactor(["abcdefgh", "efghijkl", "secret1", "secret12"])
    assert redactor.redact("-abcdefghijkl-secret12-secret1-") == f"-{MARK}-{MARK}-{MARK}-"


def test_each_long_line_of_a_certificate_is_a_secret() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "BKcwggSjAgEAAoIBAQ"]
    assert Redactor(["\n".join(lines)]).redact(f"key: {lines[1]}!") == f"key: {MARK}!"


@pytest.mark.parametrize("form", FORMS)
def test_no_split_lets_it_through(form: str) -> None:
    written = f"x {FORMS[form](SECRET)} y".encode()
    redactor = Redactor([SECRET])
    expected = redactor.replace(written)
    for at in range(len(written)):
        stream = Stream(redactor)
        assert stream.feed(written[:at]) + stream.feed(written[at:]) + stream.flush() == expected


def test_a_secret_that_begins_another_is_held_back() -> None:
    stream = Stream(Redactor(["kW8vQz2L", "kW8vQz2LrTx9"]))
    assert stream.feed(b"a kW8vQz2L") == b"a "
    assert stream.feed(b"rTx9 b") + stream.flush() == f"{MARK} b".encode()


@given(st.data())
@settings(max_examples=200)
def test_pieces_are_redacted_like_the_whole(data: st.DataObject) -> None:
    secrets = data.draw(st.lists(st.text("ab\n", min_size=6, max_size=9), min_size=1, max_size=3))
    redactor = Redactor(secrets)
    parts = data.draw(st.lists(st.sampled_from([*secrets, "a", "b", "\n", "c"]), max_size=20))
    whole = "".join(parts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    stream, out = Stream(redactor), b""
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        out += stream.feed(whole[start:end])
    out += stream.flush()
    joined = out.replace(b"\n", b"")
    for secret in secrets:
        if len(plain := secret.replace("\n", "").encode()) >= 6:
            assert plain not in joined
    assert out.replace(MARK.encode(), b"") == redactor.replace(whole).replace(MARK.encode(), b"")


def test_a_stream_holds_back_only_what_may_begin_a_secret() -> None:
    stream = Stream(Redactor(["hunter2-and-more"]))
    assert stream.feed(b"no secret here\n") == b"no secret here\n"
    assert stream.feed(b"password: hunt") == b"password: "
    assert stream.held == b"hunt"
    assert stream.flush() == b"hunt"
    for _ in range(100_000):  # it begins again and again, and never ends
        stream.feed(b"hunter2-and-m")
    assert len(stream.held) < 100


def test_a_stream_holds_back_a_mebibyte_at_most() -> None:
    """Line breaks inside a secret do not matter, but no secret has as many."""
    stream = Stream(Redactor(["hunter2-and-more"]))
    begun = b"hunter2" + b"\n" * (1024**2 - 7)
    for piece in (begun[:100], begun[100:-1], begun[-1:]):
        assert stream.feed(piece) == b""
    assert stream.held == begun
    assert stream.feed(b"\n") == begun + b"\n"
    assert stream.held == b""


def test_line_breaks_take_no_time_with_a_secret_that_may_go_on() -> None:
    begun = b"hunter2" + b"\n" * 2**20
    with at_most(1):
        assert Redactor(["hunter2-and-more"]).split(begun)[:2] == (begun, b"")


def test_what_is_short_without_its_line_breaks_stays() -> None:
    assert Redactor(["a\nb\nc\n", "a\nb\r\nc\nd\n"]).redact("xabcdx abc") == "xabcdx abc"
    assert Redactor(["a\nbcdef\n"]).redact("xabcdefx") == f"x{MARK}x"


@pytest.fixture
def loaded() -> Iterator[None]:
    before = dict(mask.LOADED)
    mask.LOADED.clear()
    yield
    mask.LOADED.clear()
    mask.LOADED.update(before)


@pytest.mark.usefixtures("loaded")
def test_what_was_loaded_with_a_mask_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = TestKey.generate()
    values = {"password": "hunter2-of-shop", "host_unencrypted": "db.internal"}
    path = key.write(tmp_path / "s.enc.yaml", values)
    assert encconf.redact("hunter2-of-shop") == "hunter2-of-shop"
    encconf.load_config(path, credentials=key.credentials())
    assert encconf.redact("hunter2-of-shop") == "hunter2-of-shop"
    config = encconf.load_config(path, mask=True, credentials=key.credentials())
    assert encconf.redact(f"{config['password']} at db.internal") == f"{MARK} at db.internal"
    del config
    caplog.handler.addFilter(encconf.RedactFilter())
    logger = logging.getLogger("shop")
    logger.error("login %s failed", "hunter2-of-shop")
    try:
        raise ValueError("hunter2-of-shop")
    except ValueError:
        logger.exception("oops", stack_info=True)
    assert "hunter2" not in caplog.text
    assert caplog.messages == [f"login {MARK} failed", "oops"]
    assert f"ValueError: {MARK}" in caplog.text


def test_a_thousand_random_secrets_in_random_forms_and_pieces() -> None:
    dice = random.Random(7)
    signs = string.ascii_letters + string.digits + string.punctuation + " äß"
    for _ in range(50):
        secrets = ["".join(dice.choices(signs, k=dice.randint(8, 60))) for _ in range(20)]
        redactor = Redactor(secrets)
        written = b""
        for secret in secrets:
            written += f"line {FORMS[dice.choice(list(FORMS))](secret)}\n".encode()
        stream, out, at = Stream(redactor), b"", 0
        while at < len(written):
            size = dice.choice([1, 2, 7, 100])
            out += stream.feed(written[at : at + size])
            at += size
        out += stream.flush()
        assert out.count(MARK.encode()) >= 20
        assert redactor.replace(out) == out


def test_the_lines_of_a_longer_secret_count_from_sixteen_bytes_on() -> None:
    long, short = "a-line-of-16-byt", "15-bytes-of-it!"
    redactor = Redactor([f"{long}\n{short}\nand-one-more-line-of-it"])
    assert redactor.redact(f"x {long} y") == f"x {MARK} y"
    assert redactor.redact(f"x {short} y") == f"x {short} y"


def test_what_is_covered_by_secrets_is_marked_and_nothing_else() -> None:
    """Secrets that overlap have one mark; the judge looks for each secret at each place."""
    dice = random.Random(3)
    for _ in range(1_000):
        secrets = ["".join(dice.choices("ab-", k=dice.randint(6, 9))) for _ in range(dice.randint(1, 4))]
        pieces = [dice.choice([*secrets, "a", "b", "-", "\n"]) for _ in range(dice.randint(0, 12))]
        text = "".join(pieces)
        bare, places = text.replace("\n", ""), [at for at, sign in enumerate(text) if sign != "\n"]
        spans = sorted(
            (at, at + len(secret))
            for secret in {*secrets}
            for at in range(len(bare))
            if bare.startswith(secret, at)
        )
        wanted, end = "", 0
        for number, (start, stop) in enumerate(spans):
            if number and start < end:
                end = max(end, stop)
                continue
            before = places[end - 1] + 1 if end else 0
            wanted += text[before : places[start]] + MARK
            end = stop
        wanted += text[places[end - 1] + 1 if end else 0 :]
        redactor = Redactor(secrets)
        assert redactor.redact(text) == wanted
        stream = Stream(redactor)
        out = b"".join(stream.feed(sign.encode()) for sign in text) + stream.flush()
        assert out.decode() == wanted
        assert (stream.held, stream.feed(b""), stream.flush()) == (b"", b"", b"")


def test_the_end_of_a_long_secret_is_none() -> None:
    secret = "".join(f"{number:04}-" for number in range(200))
    for size in range(6, 17):
        assert Redactor([secret[:505]]).redact(secret[505 - size : 505]) == secret[505 - size : 505]
        assert Redactor([secret]).redact(secret[-size:]) == secret[-size:]


def test_forms_as_they_are_printed() -> None:
    """In quotes or without them, and in base64 at each offset, from its first to its last whole byte."""
    secret = 'it\'s "a" <b>&c'
    redactor = Redactor([secret])
    for form in (repr(secret), json.dumps(secret), html.escape(secret), html.escape(secret, quote=False)):
        inner = form[1:-1] if form[0] in "'\"" else form
        assert redactor.redact(f"[{inner}]") == f"[{MARK}]", form
    data = b"0123456789abcdef-secret"
    for before in (b"", b"x", b"xy"):
        for after in (b"", b"z", b"zz"):
            encoded = base64.b64encode(before + data + after).decode()
            found = Redactor([data]).redact(encoded)
            assert found.count(MARK) == 1
            # What is left are the characters that other bytes are in, too, and an incomplete last one.
            size = -(len(before + data + after) * -8 // 6)
            left = (0, 2, 3)[len(before)] + size - len(before + data) * 8 // 6
            assert len(found.replace(MARK, "").rstrip("=")) == left


def test_a_piece_ends_before_a_secret_that_may_go_on() -> None:
    redactor = Redactor(["secret", "secret-and-more"])
    assert redactor.split(b"a secret")[:2] == (b"a ", b"secret")
    assert redactor.split(b"a secret!")[:2] == (f"a {MARK}!".encode(), b"")
    assert redactor.split(b"a secret-and")[:2] == (b"a ", b"secret-and")
    assert redactor.split(b"a secret-and-more")[:2] == (f"a {MARK}".encode(), b"")


def test_secrets_that_overlap_are_one_mark() -> None:
    assert Redactor(["abcdefgh", "efghijkl"]).redact("1 abcdefghijkl 2") == f"1 {MARK} 2"
    assert Redactor(["abcdefgh", "hgfedcba"]).redact("abcdefghhgfedcba") == MARK * 2
    some = Redactor(["abcdefgh", "efghijkl", "another"])
    assert some.redact("1 another 2 abcdefghijkl 3 another") == f"1 {MARK} 2 {MARK} 3 {MARK}"


@pytest.mark.parametrize("secret", [b"ab" * 20_000, bytes(range(256)).hex().encode() * 9, b"x\ny" * 3_000])
def test_a_long_secret_takes_no_hours_and_is_one_mark(secret: bytes) -> None:
    redactor, mark = Redactor([secret]), MARK.encode()
    text = b"a " + secret + b" b " + secret.replace(b"\n", b"") + b" c"
    with at_most(10):
        assert redactor.replace(text) == b"a " + mark + b" b " + mark + b" c"
        for size in (100, 5_000, 1 << 16):
            stream = Stream(redactor)
            pieces = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
            assert b"".join(pieces) + stream.flush() == b"a " + mark + b" b " + mark + b" c"


def test_two_mebibytes_of_secrets() -> None:
    random.seed(1)
    lines = ["".join(random.choices(string.ascii_letters, k=64)) for _ in range(16_000)]
    certificates = ["\n".join(["-----BEGIN X-----", *lines[at : at + 30]]) for at in range(0, len(lines), 30)]
    whole = "".join(reversed(lines))
    with at_most(30):
        redactor = Redactor([*certificates, whole])
        for secret in (certificates[0], certificates[-1], lines[99], whole):
            assert redactor.redact(f"a {secret} b") == f"a {MARK} b"
    assert redactor.redact(f"a {whole[:15]} b") == f"a {whole[:15]} b"


@given(
    st.lists(st.text("ab", min_size=6, max_size=40), min_size=1, max_size=12),
    st.lists(st.text("ab", max_size=30), max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_secrets_with_the_same_beginning(secrets: list[str], between: list[str]) -> None:
    """Their longest form at each place, as a search for each of them finds it."""
    text = "".join(secret + rest for secret, rest in zip(secrets * 2, between, strict=False))
    covered = set[int]()
    for secret in secrets:
        for form in {secret, *(line for line in secret.splitlines() if len(line) >= 16)}:
            at = text.find(form)
            while at >= 0:
                covered |= set(range(at, at + len(form)))
                at = text.find(form, at + 1)
    found = Redactor(secrets).redact(text)
    left = "".join(sign for at, sign in enumerate(text) if at not in covered)
    assert found.replace(MARK, "") == left


def test_nothing_of_a_long_secret_is_left_where_a_stream_is_flushed() -> None:
    secret = bytes(range(33, 127)).hex().encode() * 40
    stream = Stream(Redactor([secret]))
    out = (
        stream.feed(b"a " + secret[:3_000])
        + stream.flush()
        + stream.feed(secret[3_000:] + b" b")
        + stream.flush()
    )
    # A pause in the middle shows what might have been the beginning of a piece, and no more.
    assert len(out) < 1_100


def test_a_traceback_that_was_formatted_before_is_kept() -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 1, "said", None, None)
    try:
        raise ValueError("x")
    except ValueError:
        record.exc_info = sys.exc_info()
    record.exc_text = "formatted by another handler"
    assert RedactFilter().filter(record)
    assert record.exc_text == "formatted by another handler"


# --- every text of some pieces, against what is said of it ------------------------------------------


def whole_signs(secret: bytes, offset: int) -> bytes:
    """The signs of base64 that depend on a secret alone, after as many other bytes."""
    signs = base64.b64encode(bytes(offset) + secret + bytes(3))
    first, end = offset * 8, (offset + len(secret)) * 8
    return bytes(sign for at, sign in enumerate(signs) if first <= at * 6 and at * 6 + 6 <= end)


def forms_of(secret: bytes) -> set[bytes]:
    """Those of a secret of letters and digits."""
    encoded = {whole_signs(secret, offset) for offset in range(3)}
    return {secret, secret.hex().encode(), secret.hex().upper().encode(), *encoded}


SECRETS = [b"abcdef", b"abcdefgh9", b"efabc7", b"short", b"aaaaaa"]
FORMS_OF_THEM = {
    form for secret in SECRETS if len(secret) >= 6 for form in forms_of(secret) if len(form) >= 6
}


def without_breaks(data: bytes) -> tuple[bytes, list[int]]:
    """The bytes that count, and where they are."""
    places = [at for at, byte in enumerate(data) if byte not in b"\r\n"]
    return bytes(data[at] for at in places), places


def spans_in(data: bytes) -> list[tuple[int, int]]:
    joined, places = without_breaks(data)
    found: list[list[int]] = []
    for start in range(len(joined)):
        ends = [start + len(form) for form in FORMS_OF_THEM if joined.startswith(form, start)]
        if ends and found and start < found[-1][1]:
            found[-1][1] = max(found[-1][1], *ends)
        elif ends:
            found.append([start, max(ends)])
    return [(places[start], places[end - 1] + 1) for start, end in found]


def marked(data: bytes) -> bytes:
    out, at = b"", 0
    for start, end in spans_in(data):
        out += data[at:start] + MARK.encode()
        at = end
    return out + data[at:]


def held(data: bytes) -> int:
    """From where on the data may begin a secret that is not there yet."""
    joined, places = without_breaks(data)
    for start in range(len(joined)):
        if any(len(form) > len(joined) - start and form.startswith(joined[start:]) for form in FORMS_OF_THEM):
            return places[start]
    return len(data)


PIECES = [b"abc", b"def", b"gh9", b"a", b"aaa", b"\n", b"x\r\n", b"YWJj", b"616263", b"efabc"]


@pytest.mark.parametrize("fallback", [False, True])
def test_every_text_of_some_pieces(fallback: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With RE2, and without it."""
    if fallback:
        monkeypatch.setitem(sys.modules, "re2", None)
    redactor = Redactor(SECRETS)
    for pieces, count in ((PIECES, 0), (PIECES, 1), (PIECES, 2), (PIECES, 3), (PIECES[:5], 4)):
        for parts in product(pieces, repeat=count):
            data = b"".join(parts)
            assert redactor.replace(data) == marked(data), data
            end = held(data)
            done, rest, is_inside = redactor.split(data)
            # The rest is what may begin a secret, with what goes on into it: nothing of that is lost.
            assert data.endswith(rest), data
            most = end - max((start for start, stop in spans_in(data) if start < end < stop), default=end)
            assert len(data) - end <= len(rest) <= len(data) - end + most, data
            later, mark = marked(rest), MARK.encode()
            assert later.startswith(mark) or not is_inside, data
            assert done + (later.removeprefix(mark) if is_inside else later) == marked(data), data
    for secret, offset in product(SECRETS, range(3)):
        data = base64.b64encode(b"0" * offset + secret + b"zz")
        assert redactor.replace(data) == marked(data)
