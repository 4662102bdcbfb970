"""Rules that are derived from others keep every field, including those that encconf has not yet."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from oracle import AgeKey

import encconf
from encconf import Rule
from encconf.engine.recipients import Plan
from encconf.keys.age import AgeKey as Recipient
from encconf.rules import config
from encconf.rules.selection import Selection
from encconf.verbs import rekey
from encconf.verbs.rule import Selecting, rule_for

ONE, TWO = (Recipient.from_config(AgeKey.generate().recipient) for _ in range(2))


def rule() -> Rule:
    made = Rule([[ONE], [TWO]], 2, Selection("encrypted_regex", "^a$", False), "a rule", selects=False)
    vars(made)["later"] = "a field that encconf may get later"
    return made


@pytest.mark.parametrize(
    "derive",
    [
        lambda rule: rekey.with_keys(rule, [TWO]),
        lambda rule: rekey.with_group(rule, [ONE], None),
        lambda rule: rekey.without_group(rule, 0, 1),
        lambda rule: rule.replace(selection=Selection("unencrypted_suffix", "_x", False)),
    ],
)
def test_derived_rules_keep_every_field(derive: Callable[[Rule], Rule]) -> None:
    original = rule()
    derived = derive(original)
    assert derived is not original
    assert vars(derived).keys() == vars(original).keys()
    for name in {*vars(original)} - {"groups", "threshold", "selection"}:
        assert vars(derived)[name] == vars(original)[name], name
    assert vars(original) == vars(rule())


@pytest.mark.parametrize(
    "options", [Selecting(), Selecting(encrypted_suffix="_s"), Selecting(keys={"age": [ONE.name]})]
)
def test_options_replace_only_what_they_say(options: Selecting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "find_rule", lambda *_, **__: rule())
    derived = rule_for("x.yaml", options, notify=print)
    assert vars(derived)["later"] == vars(rule())["later"]
    assert (derived.groups == rule().groups) == (not options.keys)
    assert (derived.selection == rule().selection) == (not options.selections)


def test_a_plan_for_a_rule_keeps_every_field_of_it() -> None:
    text = encconf.encrypt("a: 1\nb: 2\n", Rule([[ONE]]), format="yaml")
    wanted: Plan = rekey.plan(text, rule().replace(groups=[[TWO]], threshold=None), format="yaml")
    assert vars(wanted.rule)["later"] == vars(rule())["later"]
    assert (wanted.rule.groups, wanted.rule.threshold) == ([[TWO]], None)


def test_rules_are_built_from_parts_only_where_they_begin() -> None:
    """Everything else derives them with `Rule.replace`."""
    package = Path(encconf.__file__).parent
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", "") == "Rule" or getattr(node.func, "attr", "") == "Rule")
        and "systemd" not in f"{path.relative_to(package)}"  # whose rules are others
    }
    assert found == {
        *("rules/config.py", "engine/admission.py", "testing/contracts/format.py", "testing/__init__.py"),
        *("verbs/rule.py", "cli/sops_run.py"),  # a rule that only the command line makes
    }
