"""Files of variables are read as their own programs read them: python-dotenv, bash, dash, systemd."""

from __future__ import annotations

import io
import random
import subprocess
import time
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pace import at_most
from project import needs

from encconf.errors import LimitError, UsageError
from encconf.migration import dialects

HARD = [
    'A=b', ' A = b ', 'A=b # c', 'A=b#c', "A='b' # c", "A='b'c", 'A="b\\nc\\t\\q\\""',
    "A='b\\'c\\\\d\\n'", 'export A=b', "export  'A'='b'", "'A B'=c", 'A', 'A\nB=c', '=b', 'A=\nB=',
    'A=\'\'\nB=""', '#A=b', '# c\nA=b', "A='b\nc'", 'A="b\nc"', "A='b", 'A="b\nB=c', 'A=b\r\nB=c\r\n',
    "A='b'\r\nB=c", '\ufeffA=b', 'A.B-C=d', 'A=b\nA=c', 'A=1\nB=${A}2', 'A=1\nB=$A', 'A=${N}',
    'A=${N:-x}', 'A=1\nB=${A:-x}${N:-}', 'B=${A}\nA=1', 'A=a\nA=${A}b\nB=${A}', "A='${N:-x}'",
    'A="${A:-x}"', 'A=\xa0b\xa0', 'A=b \t\n\n\n B=c', 'A==b', 'A= #b', 'A="b" c\nB=d', 'A=b\\\nB=c',
    'A=$(id)', 'A=~/x', 'A=`id`', 'A=b;B=c', 'A=b; B=c # d', 'A=b B=c', 'A=b\\ c', 'A="b"\'c\'d',
    'A=1\nB="$A"\'$A\'', 'A=1\nB=$A$N', 'A=1 B=$A', 'export A=1 B=2', 'A=1\nexport A\nset -a\nB=2',
    'A=x\\#y', 'A=x:~', 'A="~"', 'A=b\\', "A='b'\\''c'", 'A=$', 'A=$"b"', 'A="$"', 'A=${', 'A=$1',
    'A=#b', 'A=\\$b', 'A="\\$b \\a"', 'A=b\n\n#c\n#d\n', 'A=b &', 'echo x\nA=b', 'A=(b c)',
    'A=1\nexport A=2 B=$A',
]  # fmt: skip
SIGNS = [
    "a",
    "b",
    " ",
    "\t",
    "'",
    '"',
    "\\",
    "\n",
    "#",
    "${A}",
    "$B",
    "=",
    "A=",
    "\nB=",
    "B='",
    'A="',
    "${N:-d}",
]


def texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    made = ["A=" + "".join(rng.choices(SIGNS, k=rng.randrange(1, 12))) for _ in range(count)]
    return [*HARD, *made]


@pytest.mark.filterwarnings("ignore")
def test_dotenv() -> None:
    """Values as python-dotenv gives them in an empty environment, and as they are written."""
    with pytest.MonkeyPatch.context() as patch:
        for name in "ABN":
            patch.delenv(name, raising=False)
        wrong, expanded = [], 0
        for text in texts(4000, 1):
            ours = dialects.read(text, "dotenv")
            written = {
                name: value
                for name, value in dotenv_values(
                    stream=io.StringIO(text, newline=""), interpolate=False
                ).items()
                if value is not None
            }
            if ours.written != written:
                wrong.append((text, ours.written, written))
            theirs = dotenv_values(stream=io.StringIO(text, newline=""))
            for name, variable in ours.variables.items():
                if not variable.needs and variable.value != theirs.get(name):
                    wrong.append((text, ours.values, dict(theirs)))
                expanded += variable.value != variable.written
        assert wrong == []
        assert expanded > 100


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_shell(shell: str, tmp_path: Path) -> None:
    program = needs(shell)
    script = '. ./f; for n in A B; do eval "v=\\${$n-unset}"; printf "%s\\0" "$v"; done'
    wrong, compared, expanded = [], 0, 0
    for text in texts(1500, 2):
        ours = dialects.read(text, "shell")
        if ours.lost or any(variable.needs for variable in ours.variables.values()):
            continue  # it holds commands, or needs more than itself
        (tmp_path / "f").write_text(text, newline="")
        done = subprocess.run(
            [program, "-c", script], cwd=tmp_path, capture_output=True, env={"PATH": "/nowhere"}, check=False
        )
        theirs = done.stdout.decode().split("\0")[:-1]
        if theirs != [ours.values.get(name, "unset") for name in "AB"] or done.stderr:
            wrong.append((text, ours.values, theirs, done.stderr))
        compared += 1
        expanded += ours.values != ours.written
    assert wrong == []
    assert compared > 200
    assert expanded > 10


@pytest.mark.parametrize(
    "text",
    [
        "A=1\nB=$A\\\nEND=1\n",
        "A=1\nAX=2\nB=$A\\\nX\n",
        'A=1\nAX=2\nB="$A\\\nX"\n',
        "A=1\nB='$A\\\nX'\n",
        "A=1\\\n# c\n",
        "A=1\nB=\\$\\\nA\n",
        "A=\\\n~\n",
        "A=1\nA=;;\nB=2\n",
        "A=1; B=2;;\n",
        "A=1\nA=2; B=3 ; ; A=4\nB=5\n",
        "A=1\n; B=2\nA=3\n",
        ";\nA=1\n",
        "A=1;\nB=2;\n",
        "A=1 ;# c\nB=2 ;\n\n",
        "A=1\nB=2;&\n",
        "export A=1;\nset -a; B=2;; \n",
    ],
)
def test_continued_lines_and_semicolons(text: str, tmp_path: Path) -> None:
    """bash reads nothing of a line with a syntax error, and of the lines after it."""
    ours = dialects.read(text, "shell")
    (tmp_path / "f").write_text(text)
    script = '. ./f 2>&-; for n in A B AX; do eval "v=\\${$n-unset}"; printf "%s\\0" "$v"; done'
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, check=False, text=True)
    theirs = done.stdout.split("\0")[:-1]
    for name, value in zip(("A", "B", "AX"), theirs, strict=True):
        variable = ours.variables.get(name)
        if variable is None or not variable.needs:
            assert ours.values.get(name, "unset") == value, (text, name, ours)


@pytest.mark.parametrize("dialect", ["dotenv", "shell"])
@pytest.mark.parametrize("line", ["{new}=${{{old}}}${{{old}}}\n", "{new}=" + "${{{old}}}" * 400 + "\n"])
def test_what_doubles_with_each_line_is_limited(dialect: str, line: str) -> None:
    text = f"K0={'x' * 64}\n" + "".join(line.format(new=f"K{n + 1}", old=f"K{n}") for n in range(40))
    started = time.monotonic()
    with pytest.raises(LimitError, match="expand to more than 16 MiB"):
        dialects.read(text, dialect)
    assert time.monotonic() - started < 5
    reading = dialects.read(text, "docker")
    assert set(dialects.differences(text, reading)["K3"]) >= {"dotenv", "shell"}


@pytest.mark.parametrize("text", ["A=`id`", "A=~/x", "A=a:~", "A=${N}", "A=$N", "A=${A:-b}", "A=$1"])
def test_what_a_shell_would_need(text: str) -> None:
    variable = dialects.read(text, "shell").variables["A"]
    assert variable.needs
    assert variable.value == variable.written == text[2:]


def test_systemd() -> None:
    """How its values are read is tried with a real one in tests/systemd/test_envfile.py."""
    reading = dialects.read("# one\n; two\nA='b' \\\nc\nnot this\nexport B=c\nC=$A\n# end\n", "systemd")
    assert reading.values == reading.written == {"A": "bc", "C": "$A"}
    assert reading.variables["A"].comments == [" one", " two"]
    assert reading.lost == [5, 6]
    assert reading.trailing == [" end"]


def test_docker() -> None:
    """As the package kvfile of docker's command line documents it."""
    text = "\ufeff# one\nA='b' # c \r\n  B=  c=d\nC\n\nD E=f\n=g\nF=$A\nF=h"
    reading = dialects.read(text, "docker")
    assert reading.values == {"A": "'b' # c ", "B": "  c=d", "F": "h"}
    assert reading.lost == [4, 6, 7]
    assert reading.twice == ["F"]


def test_differences() -> None:
    reading = dialects.read("A=b\nB='c'\nC=d # e\nexport D=f\n", "dotenv")
    assert dialects.differences("A=b\nB='c'\nC=d # e\nexport D=f\n", reading) == {
        "B": ["docker"],
        "C": ["systemd", "docker"],
        "D": ["systemd", "docker"],
    }


def test_comments_and_lines() -> None:
    reading = dialects.read("#one\n\n#two\nA=b\nB='c\nd'\n?\n#three\nC=e\n#end", "dotenv")
    assert [(each.name, each.comments) for each in reading.variables.values()] == [
        ("A", ["one", "two"]),
        ("B", []),
        ("C", ["three"]),
    ]
    assert (reading.lost, reading.trailing) == ([7], ["end"])


@pytest.mark.parametrize("dialect", dialects.DIALECTS)
def test_a_large_file_is_quick(dialect: str) -> None:
    """A quarter of a second of CPU time; with one pass too many for each line it was half a minute."""
    text = "".join(f"NAME_{number}=value\n" for number in range(40_000))
    with at_most(5):
        last = dialects.read(text, dialect).variables["NAME_39999"]
    assert last.value == "value"


def test_which_dialect() -> None:
    assert dialects.guess("/etc/default/app") == "systemd"
    assert dialects.guess(".env") == "dotenv"
    with pytest.raises(UsageError, match="unknown dialect 'yaml'"):
        dialects.read("", "yaml")


def test_line_breaks_inside_dotenv_values() -> None:
    """python-dotenv and node read a file in text mode, so that a PEM key of Windows has plain line breaks."""
    text = 'K="a\r\nb\rc"\r\nL=d\r\n'
    assert dotenv_values(stream=io.StringIO(text, newline=None)) == {"K": "a\nb\nc", "L": "d"}
    found = dialects.read(text, "dotenv").variables
    assert {name: each.value for name, each in found.items()} == {"K": "a\nb\nc", "L": "d"}
