"""What scalars mean: by a table, and as the real sops encrypts them."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
import random
import re
import struct

import pyrage
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from oracle import SopsError
from ruamel.yaml import YAML
from ruamel.yaml.events import ScalarEvent

from encconf.errors import ParseError
from encconf.formats.goyaml import exponent_form, format_float, parse, resolve, short_float, stored

STRINGS = """
yes Yes no NO on off y n Y N t f T F tRUE nULL nil None
0x 0o 0b 0o8 0b2 08a 0_x 0xg 1:30 190:20:30 = << 1,000 1.2.3 10.0.0.1 1e 1e+ e3 +
.inF .iNf inf Inf +.nan -.nan nan . .. .e3 ._5 .5_ .5__5 1e400 -1e400 1e99999999999999999999
0x1p3 0xFFFFFFFFFFFFFFFFF -0x8000000000000001 +0xFFFFFFFFFFFFFFFF 0b-12 0o-8 -0b-1 -0o-1
2001-02-29 2001-13-01 2001-00-01 2001-01-00 2001-01-32 2001-1 20010-1-1 2001-1-1T 2001-1-1T1:2
2001-1-1T1:2:3 2001-1-1T24:00:00Z 2001-1-1T1:60:00Z 2001-1-1T1:2:60Z 2001-1-1T1:2:3z 2001-1-1T1:2:3+1:00
2001-1-1T1:2:3+25:00 2001-1-1T1:2:3+01:61 2001-1-1T1:2:3.Z 2001-1-1T1:2:3+0100 +2001-01-01 100-01-01
hello ü 1ü ١٢٣ 1٢ ²
"""

VALUES = {
    "null": {None: ["", "~", "null", "Null", "NULL"]},
    "bool": {"True": ["true", "True", "TRUE"], "False": ["false", "False", "FALSE"]},
    "int": {
        "0": ["0", "-0", "+0", "00", "0_0", "0x0", "0b0", "-0o0", "0_", "0" * 5000],
        "5": ["5", "+5", "5_", "0b101", "0B1_01", "0o5", "05", "0x05", "0b+101", "0o+5"],
        "8": ["010", "+010", "0o10", "0O10", "0_10", "8"],
        "-8": ["-010", "-8", "-0o10", "0o-10", "0b-1000"],
        "31": ["0x1F", "0X1f", "0x_1_F", "+0x1F", "0037"],
        "-1": ["0b-1", "-0b1", "-1", "0o-1"],
        "1000": ["1_000", "1__000", "1000_"],
        "123456789012345678": ["123456789012345678"],
        "9223372036854775807": ["9223372036854775807", "0x7FFFFFFFFFFFFFFF", "0777777777777777777777"],
        "-9223372036854775808": ["-9223372036854775808", "-0x8000000000000000", "-01000000000000000000000"],
    },
    "float": {
        "1": ["1.0", "1.", "1e0", "+1.0", "1_.0", "0.1e1"],
        "8": ["08", "0_8", "8.0"],
        "9": ["09"],
        "0.5": [".5", ".5_0", "+.5", "0.5", "5e-1"],
        "-0": ["-0.0", "-0e5", "-.0", "-1e-400"],
        "0": ["0.0", "1e-400", "0e99999", ".0"],
        "1000": ["1e3", "1E3", "1e+3", ".1e4"],
        "1000000000000000000000": ["1e21"],
        "0.0000001": ["1e-7"],
        "123456789.123": ["123456789.123"],
        "18446744073709552000": ["18446744073709551616"],
        "-9223372036854776000": ["-9223372036854775809"],
        "9223372036854776000": ["+9223372036854775808"],
        "8888888888888889000000": ["8888888888888888888888", "08888888888888888888888"],
        "1" + "0" * 300: ["1e300", "1" + "0" * 300],
        "0." + "0" * 323 + "5": ["5e-324"],
        "+Inf": [".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"],
        "-Inf": ["-.inf", "-.Inf", "-.INF"],
        "NaN": [".nan", ".NaN", ".NAN"],
    },
    "time": {
        "2001-12-14T00:00:00Z": ["2001-12-14", "2001-12-14 0:0:0", "2001-12-14T0:0:0Z"],
        "2001-02-03T00:00:00Z": ["2001-2-3", "2001-02-03T00:00:00+00:00", "2001-02-03t00:00:00.000-00:00"],
        "2001-12-14T21:59:43.1-05:00": ["2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43,1-05:00"],
        "2001-12-14T01:02:03.5Z": ["2001-12-14 01:02:03.5", "2001-12-14   1:2:3.50"],
        "2001-12-14T01:02:03.123456789Z": ["2001-12-14T01:02:03.1234567899Z"],
        "2004-02-29T00:00:00Z": ["2004-2-29"],
        "2000-02-29T00:00:00Z": ["2000-2-29"],
        "0000-01-01T00:00:00Z": ["0000-01-01"],
        "9999-12-31T23:59:59+23:59": ["9999-12-31T23:59:59+23:59"],
        "2001-01-01T00:00:00+01:00": ["2001-01-01T00:00:00+00:60"],
    },
}
FORMS = [
    *((form, ("str", form.encode())) for form in STRINGS.split()),
    *(
        (form, (type, None if data is None else data.encode()))
        for type, values in VALUES.items()
        for data, forms in values.items()
        for form in forms
    ),
]
REFUSED = [
    "9223372036854775808",
    "18446744073709551615",
    "0xFFFFFFFFFFFFFFFF",
    "01777777777777777777777",
    "0b" + "1" * 64,
    "2001-01-01T00:00:00+24:00",
    "2001-01-01T00:00:00-23:60",
]
INT = "tag:yaml.org,2002:int"
FLOAT = "tag:yaml.org,2002:float"
BOOL = "tag:yaml.org,2002:bool"
TIME = "tag:yaml.org,2002:timestamp"
NULL = "tag:yaml.org,2002:null"
BINARY = "tag:yaml.org,2002:binary"


@pytest.mark.parametrize(("form", "expected"), FORMS, ids=[repr(form[:40]) for form, _ in FORMS])
def test_plain(form, expected):
    assert resolve(form, None, True) == expected
    assert resolve(form, "!", True) == expected
    assert resolve(form, None, False) == ("str", form.encode())
    assert resolve(form, "tag:yaml.org,2002:str", True) == ("str", form.encode())
    assert resolve(form, "!custom", True) == ("str", form.encode())


@pytest.mark.parametrize("form", REFUSED)
def test_refused(form):
    with pytest.raises(ParseError) as caught:
        resolve(form, None, True)
    assert form not in str(caught.value)
    assert resolve(form, None, False) == ("str", form.encode())


@pytest.mark.parametrize(
    ("value", "tag", "expected"),
    [
        ("3", INT, ("int", b"3")),
        ("0x1F", INT, ("int", b"31")),
        ("3", FLOAT, ("float", b"3")),
        ("9007199254740993", FLOAT, ("float", b"9007199254740992")),
        (".inf", FLOAT, ("float", b"+Inf")),
        ("true", BOOL, ("bool", b"True")),
        ("2001-01-01", TIME, ("time", b"2001-01-01T00:00:00Z")),
        ("", NULL, ("null", None)),
        ("~", NULL, ("null", None)),
        ("", "tag:yaml.org,2002:str", ("str", b"")),
        ("<<", "tag:yaml.org,2002:merge", ("str", b"<<")),
        ("3", "tag:example.org,2000:int", ("str", b"3")),
        ("3", "!!int", ("int", b"3")),
        ("3", "!xint", ("str", b"3")),  # the tag of a program
        ("3", "xxint", ("str", b"3")),
        ("aGVsbG8=", BINARY, ("str", b"hello")),
        ("aGVs\nbG8=\n", BINARY, ("str", b"hello")),
        ("//8=", BINARY, ("str", b"\xff\xff")),
        ("", BINARY, ("str", b"")),
    ],
)
def test_tagged(value, tag, expected):
    assert resolve(value, tag, True) == expected
    assert resolve(value, tag, False) == expected


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("yes", BOOL),
        ("1.5", INT),
        ("", INT),
        ("x", INT),
        ("9223372036854775808", FLOAT),
        ("2001-01-01", INT),
        ("2001-02-29", TIME),
        ("1", TIME),
        ("x", TIME),
        ("x", NULL),
        ("aGVsbG8", BINARY),
        ("aGVs bG8=", BINARY),
        ("aGVsbG8==", BINARY),
        ("aGVs-G8=", BINARY),
        ("ü", BINARY),
    ],
)
def test_misfit(value, tag):
    for plain in (True, False):
        with pytest.raises(ParseError):
            resolve(value, tag, plain)


def test_surrogate():
    with pytest.raises(ParseError):
        resolve("\ud800", None, False)


@pytest.mark.parametrize(
    "value",
    ["1" * 5000, "1" * 1_000_000, "0x" + "f" * 1_000_000, "1e" + "9" * 1_000_000, "1_" * 500_000 + "x"],
    ids=["5000", "million", "hex", "exponent", "underscores"],
)
def test_huge(value):
    assert resolve(value, None, True) == ("str", value.encode())
    with pytest.raises(ValueError, match="not what the type int says"):
        parse("int", value.encode())


@pytest.mark.parametrize(
    ("type", "data", "expected"),
    [
        ("null", None, None),
        ("null", b"", None),  # rops writes it
        ("str", b"x\n", "x\n"),
        ("str", b"\xff", b"\xff"),
        ("str", b"", ""),
        ("int", b"-9223372036854775808", -(2**63)),
        ("int", b"+007", 7),
        ("int", b"1" + b"0" * 300, 10**300),
        ("float", b"1", 1.0),
        ("float", b"+Inf", math.inf),
        ("float", b"-Inf", -math.inf),
        ("float", b"1e3", 1000.0),
        ("bool", b"True", True),
        ("bool", b"False", False),
        ("bool", b"1", True),
        ("time", b"2001-12-14T00:00:00Z", datetime.datetime(2001, 12, 14, tzinfo=datetime.UTC)),
        (
            "time",
            b"2001-12-14T01:02:03.123456789-01:30",
            datetime.datetime(
                2001, 12, 14, 1, 2, 3, 123456, datetime.timezone(-datetime.timedelta(hours=1, minutes=30))
            ),
        ),
    ],
)
def test_parse(type, data, expected):
    value = parse(type, data)
    assert value == expected
    assert value.__class__ is expected.__class__


def test_parse_nan():
    value = parse("float", b"NaN")
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("int", b""),
        ("int", b"1.0"),
        ("int", b"0x1"),
        ("int", b"1" * 401),
        ("int", "١".encode()),
        ("int", b"1\n"),
        ("float", b"x"),
        ("float", b"1e400"),
        ("float", b"1 "),
        ("bool", b"yes"),
        ("time", b"2001-12-14"),
        ("time", b"2001-02-30T00:00:00Z"),
        ("time", b"0000-02-30T00:00:00Z"),
        ("time", b"0000-01-01"),
        ("other", b"x"),
    ],
)
def test_parse_refuses(type, data):
    with pytest.raises(ValueError, match=f"^not what the type {type} says$"):
        parse(type, data)


def test_a_year_that_python_does_not_have_stays_a_text():
    assert parse("time", b"0000-02-29T00:00:00Z") == "0000-02-29T00:00:00Z"


def test_format_float():
    draw = random.Random(1)
    for _ in range(2000):
        f = struct.unpack("d", draw.randbytes(8))[0]
        data = format_float(f)
        assert b"e" not in data
        if math.isfinite(f):
            assert float(data) == f
        elif not math.isnan(f):
            assert parse("float", data) == f


GO = """
0 0e+00 0
-0 -0e+00 -0
1 1e+00 1
-1 -1e+00 -1
1.5 1.5e+00 1.5
100 1e+02 100
999999 9.99999e+05 999999
999999.5 9.999995e+05 999999.5
1000000 1e+06 1e+06
1234567 1.234567e+06 1.234567e+06
100000000000000000000 1e+20 1e+20
1000000000000000000000 1e+21 1e+21
0.0001 1e-04 0.0001
0.00011 1.1e-04 0.00011
0.000099 9.9e-05 9.9e-05
0.0000001 1e-07 1e-07
123456789.123 1.23456789123e+08 1.23456789123e+08
0.1 1e-01 0.1
-0.00000000025 -2.5e-10 -2.5e-10
+Inf +Inf +Inf
-Inf -Inf -Inf
NaN NaN NaN
"""
"""What Go's strconv.FormatFloat returns with -1 and 64, and with f, e and g."""


@pytest.mark.parametrize("row", GO.split("\n")[1:-1])
def test_floats_as_go_writes_them(row):
    whole, exponent, short = row.split()
    number = float(whole)
    assert format_float(number) == whole.encode()
    assert short_float(number, "e", plain=True) == short
    with_point = short if "." in short or "e" in short or "n" in short.lower() else f"{short}.0"
    assert short_float(number, "E") == (
        with_point if "N" in short or "I" in short else with_point.replace("e", "E")
    )
    if number and math.isfinite(number):
        assert exponent_form(number, "e") == exponent


@pytest.mark.parametrize("value", [None, True, False, 0, -5, 2**70, 1.5, -0.0, math.inf, "", "x", "1", "ü"])
def test_what_is_stored_means_the_value(value):
    type, data = stored(value)
    assert (
        type
        == {None.__class__: "null", bool: "bool", int: "int", float: "float", str: "str"}[value.__class__]
    )
    assert (data is None) is (value is None)
    found = parse(type, data)
    assert (found, found.__class__) == (value, value.__class__)


def test_every_day_and_none_else():
    for year in (1900, 2000, 2023, 2024):
        for month in range(14):
            for day in range(34):
                try:
                    expected = "time", f"{datetime.date(year, month, day)}T00:00:00Z".encode()
                except ValueError:
                    expected = "str", f"{year}-{month}-{day}".encode()
                assert resolve(f"{year}-{month}-{day}", None, True) == expected


def test_every_hour_minute_and_second_and_none_else():
    for hour, minute, second in [
        *((hour, 0, 0) for hour in range(26)),
        *((0, minute, 59) for minute in range(62)),
        *((23, 59, second) for second in range(62)),
    ]:
        form = f"2024-02-03 {hour}:{minute}:{second}"
        try:
            expected = "time", f"2024-02-03T{datetime.time(hour, minute, second)}Z".encode()
        except ValueError:
            expected = "str", form.encode()
        assert resolve(form, None, True) == expected


# --- against sops ----------------------------------------------------------------------------


def random_forms(seed, count):
    """Forms of the table with a few characters changed."""
    draw = random.Random(seed)
    seeds = [form for form, (type, _) in FORMS if type != "str" and 0 < len(form) < 40] + REFUSED
    alphabet = "0123456789+-._eExXoObBaAfFtTzZ:,"
    for _ in range(count):
        form = draw.choice(seeds)
        for _ in range(draw.choice([1, 1, 2, 3])):
            i = draw.randrange(len(form) + 1)
            form = form[:i] + draw.choice([*alphabet, ""]) + form[i + draw.choice([0, 1]) :]
        yield form


def is_plain(form):
    """Whether a text stands for itself as a value without quotes."""
    try:
        events = list(YAML(typ="safe").parse(f"k: {form}\n"))
    except Exception:
        return False
    scalars = [event for event in events if isinstance(event, ScalarEvent)]
    return len(scalars) == 2 and scalars[1].value == form and not scalars[1].tag and not scalars[1].anchor


def unsealed(sealed, age_key):
    """Key → type and bytes, of a flat text that sops encrypted."""
    block = sealed[sealed.index("\nsops:") :]
    wrapped = re.search(r"( *)-----BEGIN AGE.*?-----END AGE ENCRYPTED FILE-----", block, re.DOTALL)
    armor = "\n".join(line.strip() for line in wrapped[0].splitlines())
    identity = pyrage.x25519.Identity.from_str(age_key.identity)
    cipher = AESGCM(pyrage.decrypt(armor.encode(), [identity]))
    found = {}
    for key, value in re.findall(r"^(k[0-9]+): (.*)$", sealed, re.MULTILINE):
        match = re.fullmatch(r"ENC\[AES256_GCM,data:(.*),iv:(.*),tag:(.*),type:(.*)\]", value)
        if match:
            data, iv, tag = (base64.b64decode(part) for part in match.groups()[:3])
            found[key] = match[4], cipher.decrypt(iv, data + tag, f"{key}:".encode())
        else:
            found[key] = value
    return found


def test_as_sops(sops, age_key):
    forms = [form for form, _ in FORMS if is_plain(form)]
    expected = {}
    lines = []
    for i, form in enumerate([*forms, *filter(is_plain, random_forms(1, 3000))]):
        try:
            expected[f"k{i}"] = resolve(form, None, True)
        except ParseError:
            continue
        lines.append(f"k{i}: {form}\n")
    tagged = [
        "!!int '3'",
        "!!float 3",
        "!!float '1e3'",
        "!!str 3",
        "!!timestamp '2001-1-1'",
        "!!bool 'true'",
        "!!null '~'",
        "!!binary aGVsbG8=",
        "!x 3",
        "! 12",
        "! '12'",
        "!!foo 1",
        "'1'",
        '"true"',
    ]
    for i, form in enumerate(tagged, 100_000):
        event = list(YAML(typ="safe").parse(f"k: {form}\n"))[4]
        expected[f"k{i}"] = resolve(event.value, event.tag, not event.style)
        lines.append(f"k{i}: {form}\n")
    found = unsealed(sops.encrypt("".join(lines), "yaml", age=age_key.recipient), age_key)
    assert found == {key: "null" if data is None else (type, data) for key, (type, data) in expected.items()}
    assert len(found) > 1500


@pytest.mark.parametrize("form", [REFUSED[0], REFUSED[2], REFUSED[5], "!!bool yes", "!!null x", "!!binary x"])
def test_sops_refuses(sops, age_key, form):
    with pytest.raises(SopsError):
        sops.encrypt(f"k: {form}\n", "yaml", age=age_key.recipient)


def test_floats_do_not_depend_on_the_precision_of_decimals() -> None:
    with decimal.localcontext(decimal.Context(prec=3)):
        assert exponent_form(1.23456789e30, "e") == "1.23456789e+30"
        assert exponent_form(-5e-324, "e") == "-5e-324"
        assert exponent_form(1234560.0, "E") == "1.23456E+06"
        assert exponent_form(1e6, "e") == "1e+06"
        assert format_float(1.23456789e30) == b"1234567890000000000000000000000"
