"""`encconf help error SLUG`: every error that encconf prints has its entry."""

from __future__ import annotations

import importlib
import pkgutil

from project import Project

import encconf
from encconf.audit.findings import KINDS
from encconf.cli.error_help import ENTRIES
from encconf.errors import EncconfError

_NEED_EXTRAS = ("encconf.integrations", "encconf.testing")


def errors() -> list[type[EncconfError]]:
    """Every error class of the package."""
    for module in pkgutil.walk_packages(encconf.__path__, "encconf."):
        if not module.name.startswith(_NEED_EXTRAS) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, queue = [], [EncconfError]
    while queue:
        found.append(queue.pop())
        queue += found[-1].__subclasses__()
    return [each for each in found if each.__module__.startswith("encconf.")]


def test_every_slug_has_an_entry_and_its_exit_code() -> None:
    slugs = {each.slug for each in errors()}
    assert slugs | {"internal"} == set(ENTRIES)
    for each in errors():
        assert ENTRIES[each.slug].code in {other.exit_code for other in errors() if other.slug == each.slug}


def test_an_entry(project: Project) -> None:
    done = project.run("help", "error", "no-rule")
    first, meaning, *_ = done.out.splitlines()
    assert first == "error[no-rule], exit code 1"
    assert meaning == "No creation rule in .sops.yaml covers the file."
    assert "warning[no-rule], a finding of encconf check\n" in done.out


def test_the_list_and_the_findings(project: Project) -> None:
    assert len(project.run("help", "error").out.splitlines()) == len(ENTRIES)
    out = project.run("help", "error", *KINDS).out
    assert all(f"[{slug}], a finding" in out for slug in KINDS)


def test_an_unknown_one(project: Project) -> None:
    done = project.run("help", "error", "no-rules", code=1)
    assert done.err == (
        "encconf: error[usage]: unknown error 'no-rules'\nencconf: hint: did you mean no-rule?\n"
    )
