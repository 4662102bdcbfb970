"""EnvironmentFile=: what encconf writes systemd reads, and what systemd reads encconf reads alike."""

from __future__ import annotations

import json
import random
import stat
import subprocess

import pytest
from project import Project
from systemd.awkward import AWKWARD

from encconf.errors import EmitError
from encconf.formats import envfile

from .manager import Manager

pytestmark = pytest.mark.services


def read_by_systemd(manager: Manager, files: list[str]) -> dict[str, str]:
    """The variables that a unit gets from files, each a text."""
    folder = manager.folder / "env"
    lines = [f"EnvironmentFile={manager.write(f'env/{number}', text)}" for number, text in enumerate(files)]
    done = manager.run(f"cat /proc/self/environ > {folder}/out", *lines)
    assert (done.code, done.result) == (0, "success"), done
    pairs = (folder / "out").read_bytes().decode().split("\0")[:-1]
    return dict(pair.split("=", 1) for pair in pairs)


def read(text: str) -> list[tuple[str, str]]:
    """Names and values in order, without the lines that systemd ignores."""
    return [(name, value) for _, name, value in envfile.scan(text) if name and value is not None]


def test_written(manager: Manager) -> None:
    texts = {f"V{number:03}": value for number, value in enumerate(AWKWARD)}
    text = envfile.write(texts)
    given = read_by_systemd(manager, [text])
    assert {name: given.get(name) for name in texts} == texts
    assert dict(read(text)) == texts


def test_as_long_as_can_be(manager: Manager) -> None:
    texts = {"LONG": "é" * ((1 << 16) - 3)}
    assert read_by_systemd(manager, [envfile.write(texts)])["LONG"] == texts["LONG"]
    with pytest.raises(EmitError, match="LONG is longer than 128 KiB"):
        envfile.check("LONG", texts["LONG"] + "x")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a\0b", "NUL"),
        ("\udcff", "Unicode"),
        ("\ufffe", "Unicode"),
        ("\ufdd0", "Unicode"),
        ("\U0010ffff", "Unicode"),
    ],
    ids=["nul", "surrogate", "fffe", "fdd0", "last"],
)
def test_refused(manager: Manager, value: str, said: str) -> None:
    with pytest.raises(EmitError, match=said):
        envfile.write({"A": value})
    # And rightly: no unit gets this value.
    path = manager.write("bad", f"A='{value}'\n".encode("utf-8", "surrogateescape"))
    done = manager.run(
        'printf %s "$A" > out', f"EnvironmentFile={path}", f"WorkingDirectory={manager.folder}"
    )
    got = manager.folder / "out"
    assert done.result != "success" or got.read_bytes() != value.encode("utf-8", "surrogateescape")
    for name in ("", "1A", "A B", "A-B", "É"):
        with pytest.raises(EmitError, match="name of a variable"):
            envfile.write({name: "x"})


HARD = [
    "A=b", "A = b", " A=b ", "A=b # c", "A='b' # c", "A=b#c", "A='b''c'", "A='b' 'c'", "A='b'\"c\"d'e'",
    "A=b'c'", "A='b", 'A="b\\', 'A="b\\"', "A=b\\", "A=b\\\nc", "A=\\\n  b", "A='b\\\nc'", 'A="b\\\nc"',
    'A="b\nc"', "A=b\\ ", "A=b\\  ", "A=b \\ ", "A=b\\c", 'A="b\\c"', "A='b\\c'", "#A=b", ";A=b",
    "# c\\\nA=b", "A=b;c", "A=", "A", "A\nB=c", "=b", "export A=b", "A=b\nA=c", "A=b\r\nB=c\r\n",
    "A='b'\r\nB=c", "A=b\rB=c", "A=$B ${C}", 'A="$B \\$C \\`"', "\tA\t=\tb\t", "A=\u00a0b\u00a0", "1A=b",
    "A-B=c", "A==b", "A=b=c", "A='b'c d ", "A=\"\"", "A=''x''", "A=\"b\" \\\n c", "\n\n;x\n#y\n A=b",
    "A=b \\\n", "É=x\nA=b", "A=b\nB", "A=\\'b\\'",
]  # fmt: skip


def version() -> int:
    """The number of systemd here."""
    said = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.split()[1])


def joined(text: str) -> bool:
    """Whether a comment ends in a backslash: before systemd 254 the next line then belonged to it."""
    return any(not name and (said or "").endswith("\\") for _, name, said in envfile.scan(text))


def test_read(manager: Manager) -> None:
    """Each text in a file of its own, with its own names, so that one manager reads them all at once."""
    before_254 = version() < 254
    wrong = []
    rng = random.Random(6)
    signs = [
        "a",
        "b",
        " ",
        "\t",
        "'",
        '"',
        "\\",
        "\n",
        "#",
        ";",
        "$",
        "`",
        "=",
        "\r",
        "A=",
        "B='",
        'A="',
        "\nB=",
    ]
    made = ["A=" + "".join(rng.choices(signs, k=rng.randrange(1, 14))) for _ in range(600)]
    texts = [*HARD, *made]
    files, expected = [], []
    for number, text in enumerate(texts):
        names = {"A": f"A_{number}", "B": f"B_{number}"}
        ours = read(text)
        for name, own in names.items():
            text = (
                text.replace(f"{name}=", f"{own}=")
                .replace(f"{name} =", f"{own} =")
                .replace(f"{name}\t=", f"{own}\t=")
            )
        files.append(text)
        expected.append({f"{name}_{number}" if name in names else name: value for name, value in ours})
    given = read_by_systemd(manager, files)
    for number, (text, ours) in enumerate(zip(files, expected, strict=True)):
        # A value that holds the letters of a name was renamed, too.
        ours = dict(read(text))
        theirs = {name: value for name, value in given.items() if name.endswith(f"_{number}")}
        mine = {name: value for name, value in ours.items() if name.endswith(f"_{number}")}
        if before_254 and joined(text):
            assert not text.startswith("# c\\") or theirs == {}
        elif mine != theirs:
            wrong.append((text, theirs, ours))
    assert wrong == []


class TestExport:
    @pytest.mark.parametrize("dialect", ["env-file", "dotenv"])
    def test_systemd_reads_it_back(self, manager: Manager, awkward: Project, dialect: str) -> None:
        text = awkward.run("export", "--format", dialect, "v.json").out
        given = read_by_systemd(manager, [text])
        assert [given.get(f"V{number:02}") for number in range(len(AWKWARD))] == AWKWARD

    def test_into_a_file(self, awkward: Project) -> None:
        words = ["export", "--format", "env-file", "-o", "app.env", "v.json"]
        done = awkward.run(*words)
        assert done.out == ""
        path = awkward.path("app.env")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = awkward.read("app.env")
        assert text == awkward.run("export", "--format", "env-file", "v.json").out
        path.chmod(0o644)
        awkward.run(*words)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_what_cannot_be_said(self, awkward: Project) -> None:
        awkward.write("bad.json", json.dumps({"fine": "x", "bad": "secret\ufffe"}))
        awkward.run("encrypt", "-i", "bad.json")
        done = awkward.run("export", "--format", "env-file", "-o", "app.env", "bad.json", code=4)
        assert "BAD is not Unicode text" in done.err
        assert "secret" not in done.err
        assert not awkward.path("app.env").exists()
