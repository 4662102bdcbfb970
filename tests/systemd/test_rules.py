"""Which unit may have which value, and how systemd says who asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from encconf.errors import InputError, LimitError, PathSyntaxError, UsageError
from encconf.systemd.rules import Request, find, read_file
from encconf.systemd.rules import read as rule_of


class TestRules:
    @pytest.mark.parametrize(
        ("pattern", "units", "others"),
        [
            (
                "app.service",
                ["app.service"],
                ["appXservice.service", "app.service.mount", "an-app.service"],
            ),
            ("app", ["app.service"], ["app.socket", "apps.service"]),
            ("app@*.service", ["app@x.service", "app@.service"], ["app.service", "app@x.socket"]),
            ("a?.service", ["ab.service"], ["a.service", "abc.service"]),
            ("a.b", ["a.b.service"], ["aXb.service"]),
            (r"a\x2db", [r"a\x2db.service"], ["a-b.service"]),
        ],
    )
    def test_which_units(self, pattern: str, units: list[str], others: list[str]) -> None:
        rule = rule_of(f"{pattern}:p=x")
        assert [unit for unit in [*units, *others] if rule.allows(Request(unit, "p"))] == units
        assert not any(rule.allows(Request(unit, "pp")) for unit in units)


@pytest.mark.parametrize(
    ("text", "written", "path"),
    [
        ("app:pw", "app.service:pw=pw", ("pw",)),
        ("app.socket:pw=db.password", "app.socket:pw=db.password", ("db", "password")),
        ("app@*.service:pw=customers.%i.password", None, ("customers", "%i", "password")),
        ("a:b:pw=x", "a:b.service:pw=x", ("x",)),  # the last colon counts
    ],
)
def test_a_rule_as_it_is_written(text: str, written: str | None, path: tuple[str, ...]) -> None:
    rule = rule_of(text)
    assert rule.path == path
    assert str(rule) == (written or text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("app", UsageError),
        (":pw", UsageError),
        ("app.timer:pw", UsageError),  # runs no program
        ("app:p/w", UsageError),
        ("app:..", UsageError),
        ("app:p w", UsageError),
        ("app:pw=x.%i", UsageError),  # app has no instances
        ("app@:pw=%i.%i", UsageError),
        (f"{'a' * 60}:{'p' * 60}", LimitError),
        ("app:pw=a[", PathSyntaxError),
    ],
)
def test_what_is_no_rule(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        rule_of(text)


@pytest.mark.parametrize(
    ("address", "request_"),
    [
        (b"\0" + b"0123456789abcdef/unit/app.service/pw", Request("app.service", "pw")),
        (b"\0" + b"f/unit/app@x.service/pw", Request("app@x.service", "pw")),
        (b"0123456789abcdef/unit/app.service/pw", None),  # a name in the file system
        (b"\0" + b"g/unit/app.service/pw", None),
        (b"\0" + b"0/unit/app.service/..", None),
        (b"\0" + b"0/unit/app.service/a/b", None),
        (b"\0" + b"0/unit/app.timer/pw", None),
        (b"\0" + b"0/unit/app.service/p\xff", None),
        ("0/unit/app.service/pw", None),
        (None, None),
    ],
)
def test_who_asks(address: object, request_: Request | None) -> None:
    found = Request.of_address(address)
    assert (found and vars(found)) == (request_ and vars(request_))


def test_the_instance_of_a_unit() -> None:
    units = ("app@x.service", "app@x.y.socket", "app@.service", "app.service")
    assert [Request(unit, "p").instance for unit in units] == ["x", "x.y", "", ""]


def test_the_first_rule_that_allows_it_counts() -> None:
    rules = [rule_of("b:p=one"), rule_of("a*:p=two"), rule_of("a:p=three")]
    assert find(rules, Request("a.service", "p")) is rules[1]
    assert find(rules, Request("c.service", "p")) is None


def test_rules_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_text("# who gets what\n\n  a:p=x  \nb:q\n")
    assert [str(rule) for rule in read_file(str(path))] == ["a.service:p=x", "b.service:q=q"]
    path.write_text("a:p=x\nb\n")
    with pytest.raises(UsageError, match="line 2: 'b' is not a rule"):
        read_file(str(path))
    path.chmod(0o666)
    with pytest.raises(InputError):
        read_file(str(path))
