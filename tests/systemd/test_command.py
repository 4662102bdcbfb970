"""encconf systemd: units printed and written, and mistakes."""

from __future__ import annotations

import pytest
from project import Project
from systemd.services import NAME

pytestmark = pytest.mark.services


def test_printing_and_writing(described: Project) -> None:
    printed = described.run("systemd", "unit", "-u", "app", NAME, environ={"SOPS_AGE_KEY": ""}).out
    assert "# /etc/systemd/system/app.service.d/50-encconf.conf\n" in printed
    assert "LoadCredential=DB_PASSWORD:%t/app-credentials/credentials.sock\n" in printed
    assert "AGE-SECRET-KEY" not in printed
    words = ["systemd", "unit", "-u", "app", "-o", "units", NAME]
    described.run(*words)
    assert "up to date" in described.run(*words).err
    described.run(*words, "--prefix", "X_")
    assert "LoadCredential=X_DB_PORT:" in described.read("units/app.service.d/50-encconf.conf")
    described.write("units/app-credentials.socket", "[Socket]\n")
    assert "was not written by encconf" in described.run(*words, code=3).err


def test_units_with_different_values_do_not_share_a_service(described: Project) -> None:
    names = {
        "app.service": "app-credentials",
        "app@.service": "app-credentials@.all",
        "app@a.service": "app-credentials@a",
        "app@b.service": "app-credentials@b",
        "app.mount": "app.mount-credentials",
        **{unit: f"{unit}-credentials" for unit in ("app-a", "app-instances", "app-mount")},
    }
    for unit, name in names.items():
        described.run("systemd", "unit", "-u", unit, "-a", "x=db.port", "-o", "units", NAME)
        written = unit if "." in unit else f"{unit}.service"
        assert f"{name}.socket" in described.read(f"units/{written}.d/50-encconf.conf")
    for unit, name in names.items():
        allowed = (unit if "." in unit else f"{unit}.service").replace("@.", "@*.")
        assert f"--allow={allowed}:x=db.port" in described.read(f"units/{name}.service")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ([], 1, "no unit was given"),
        (["-u", "app.timer"], 1, "is not the name of a unit"),
        (["-u", "u" * 80], 2, "systemd allows 83"),
        (["-u", "app", "--socket", "rel.sock"], 1, "absolute"),
        (["-u", "app", "--socket", "/run/a b.sock"], 1, "blanks"),
        (["-u", "app", "-a", "p=tenants.%i.token"], 1, "instances"),
        (["-u", "app", "--section", "db.port"], 4, "not a mapping"),
        (["-u", "app", "-a", "x=db.prot"], 1, f"{NAME}: no value at db.prot"),
        (["-u", "app*.service"], 1, "is a pattern, not the name of a unit"),
        (["-u", "../app", "--section", "empty"], 1, "no value was found for the unit"),
    ],
)  # fmt: skip
def test_mistakes(described: Project, args: list[str], code: int, said: str) -> None:
    assert said in described.run("systemd", "unit", *args, NAME, code=code).err


def test_plain_files_are_refused(described: Project) -> None:
    described.run("systemd", "unit", "-u", "app", "s.yaml", code=1)
    described.run("systemd", "unit", "-u", "app", "-a", "x=db.port", "s.yaml", code=1)
    described.run("systemd", "unit", "-u", "app", "-a", "x=db.port", "nope.yaml", code=100)
