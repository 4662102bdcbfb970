"""The drop-in and the real sops side by side: one row per command and shape of its argument line.

Both run each row on the same files; exit code and stdout must be the same, and stderr must hold the
same words where programs look for them.  A row's last member says what may differ, and why.
"""

from __future__ import annotations

import re
import subprocess

import pytest
from oracle import AgeKey
from sops.files import FILES

from .conftest import Box

# arguments; then what is compared: out (stdout, byte for byte), code, and words of stderr
ROWS: list[tuple[list[str], str]] = [
    (["--version"], "version"),
    (["-v"], "version"),
    (["--version", "--disable-version-check"], "version"),
    ([], ""),
    (["nosuch"], ""),
    (["-d"], ""),
    (["-d", "nope.yaml"], "non-existent file"),
    (["-d", "e.yaml"], ""),
    (["-d", "e.json"], ""),
    (["--decrypt", "e.yml"], ""),
    (["--input-type", "yaml", "--output-type", "yaml", "-d", "e.yaml"], ""),
    (["-d", "--extract", '["a"]["b"]', "e.yaml"], ""),
    (["-d", "e.yaml", "--extract", '["a"]["b"]'], "looks like a flag"),
    (["-d", "--in-place=false", "e.yaml"], ""),
    (["-d", "-i", "--output", "x", "e.yaml"], "both --output and --in-place"),
    (["-e", "e.yaml"], "config file not found, or has no creation rules"),
    (["-e", "--age", "{R}", "e.yaml"], "sops"),
    (["-e", "p.yaml"], "config file not found, or has no creation rules, and no keys provided"),
    (["-d", "p.yaml"], "sops metadata not found"),
    (["--set", '["a"]["b"]"x"', "e.yaml"], "Invalid --set format"),
    (["--set", 'bad "x"', "e.yaml"], "Invalid --set format"),
    (["--set", '["a"] x', "e.yaml"], "Value for --set is not valid JSON"),
    (["--rotate", "--add-age", "{R}", "nope.yaml"], "cannot add or remove keys on non-existent file"),
    (["--nosuch", "e.yaml"], "usage"),
    (["--indent", "x", "-d", "e.yaml"], "usage"),
    # the order of checks
    (["--config", "nope", "decrypt", "nope.yaml"], "non-existent file"),
    (["--config", "nope", "-d", "nope.yaml"], "non-existent file"),
    (["--config", "nope", "encrypt", "nope.yaml"], "non-existent file"),
    (["--config", "nope", "edit"], "no file specified"),
    (["--config", "nope", "decrypt", "e.yaml"], "could not read config file"),
    (["--config", "nope", "--decryption-order", "age,age", "-e", "e.yaml"], "could not read config file"),
    (["--config", "nope", "set", "e.yaml", "bad", "1"], "could not read config file"),
    (["--decryption-order", "age,age", "-e", "p.yaml"], "Duplicate decryption key type"),
    (["decrypt", "--decryption-order", "age,age", "--extract", "bad", "e.yaml"], "Duplicate decryption key"),
    (["decrypt", "--decryption-order", "age,age", "bad.yaml"], "Duplicate decryption key type"),
    (["set", "--decryption-order", "age,age", "e.yaml", "bad", "1"], "Invalid set index format"),
    (["-d", "-e", "e.yaml"], "config file not found, or has no creation rules, and no keys provided"),
    (["decrypt", ""], "Error reading file"),
    (["-d", ""], "Error reading file"),
    (["edit", ""], "Error reading file"),
    (["rotate", "-i", ""], "Error reading file"),
    (["set", "", '["a"]', "1"], "Error reading file"),
    (["encrypt", "--enable-local-keyservice=false", "--age", "{R}", "e.yaml"], "sops"),
    # decrypt
    (["decrypt", "e.yaml"], ""),
    (["decrypt", "e.yml"], ""),
    (["decrypt", "e.json"], ""),
    (["decrypt", "e.env"], ""),
    (["decrypt", "e.ini"], ""),
    (["decrypt", "e.bin"], ""),
    (["decrypt", "./e.yaml"], ""),
    (["decrypt", "--", "e.yaml"], ""),
    (["decrypt", "-input-type", "yaml", "e.yaml"], ""),
    (["decrypt", "--input-type=yaml", "--output-type=json", "e.yaml"], ""),
    (["decrypt", "--output-type", '"yaml"', "e.yaml"], ""),
    (["decrypt", "--input-type", "json", "--input-type", "yaml", "e.yaml"], ""),
    (["decrypt", "--input-type", "json", "e.yaml"], ""),
    (["decrypt", "e.yaml", "--extract", '["a"]["b"]'], ""),
    (["decrypt", "e.yaml", "--foo"], "looks like a flag"),
    (["decrypt", "e.yaml", "--", "--output-type", "json"], "looks like a flag"),
    (["decrypt", "--foo", "--", "e.yaml"], "usage"),
    (["decrypt", "-"], "non-existent file"),
    (["decrypt", "--ignore-mac=", "e.yaml"], "usage"),
    (["decrypt", "-o", "x", "e.yaml"], "usage"),
    (["decrypt", "-i", "--in-place=false", "e.yaml"], "usage"),
    (["decrypt", "--in-place=false", "--in-place=0", "e.yaml"], ""),
    (["decrypt", "--help=false", "e.yaml"], ""),
    (["decrypt", "--help=maybe", "e.yaml"], "usage"),
    (["decrypt", "--help", "--foo"], "usage"),
    (["-h=0", "-d", "e.yaml"], ""),
    (["--indent", "07", "-d", "e.json"], ""),
    (["--indent", "+0x2", "-d", "e.json"], ""),
    (["--indent", "08", "-d", "e.json"], "usage"),
    (["--indent", " 2", "-d", "e.json"], "usage"),
    (["--indent", "99999999999999999999", "-d", "e.json"], "usage"),
    (["--indent", "-9223372036854775809", "-d", "e.json"], "usage"),
    (["decrypt", "p.yaml", "--extract", '["a"]', "e.yaml"], ""),
    (["decrypt", "e.yaml", "p.yaml"], "More than one positional argument"),
    (["decrypt", "--foo", "e.yaml"], "usage"),
    (["decrypt", "--extract"], "usage"),
    (["decrypt", "--in-place=maybe", "e.yaml"], "usage"),
    (["decrypt", "---x", "e.yaml"], "usage"),
    (["decrypt", "--verbose", "e.yaml"], "usage"),
    (["decrypt", "--extract", '["x"]', "e.yaml"], "error truncating tree"),
    (["decrypt", "--extract", '["l"]', "e.yaml"], ""),
    (["decrypt", "--extract", "['l'][1]", "e.yaml"], ""),
    (["decrypt", "--extract", '["l"][0]', "e.yaml"], ""),
    (["decrypt", "--extract", '["l"][9]', "e.yaml"], "error truncating tree"),
    (["decrypt", "--extract", '["a"]', "e.yaml"], ""),
    (["decrypt", "--extract", '["f"]', "e.yaml"], ""),
    (["decrypt", "--extract", '["t"]', "e.yaml"], ""),
    (["decrypt", "--extract", '["nul"]', "e.yaml"], ""),
    (["decrypt", "--extract", '["boo"]', "e.yaml"], ""),
    (["decrypt", "--extract", '["multi"]', "e.yaml"], ""),
    (["decrypt", "--extract", '["a"]["n"]', "--output-type", "json", "e.yaml"], ""),
    (["decrypt", "--extract", '["a"]', "--output-type", "json", "e.yaml"], ""),
    (["decrypt", "--extract", '["l"]', "--output-type", "json", "e.yaml"], ""),
    (["decrypt", "--extract", '["a"]["b"]', "--output-type", "dotenv", "e.yaml"], ""),
    (["decrypt", "--extract", '["a"]', "--output-type", "dotenv", "e.yaml"], ""),
    (["decrypt", "--extract", '["f"]', "--output-type", "dotenv", "e.yaml"], "Error dumping"),
    (["decrypt", "--extract", '["a"]', "--output-type", "binary", "e.yaml"], "Error dumping"),
    (["decrypt", "--extract", '["a"]["b"]', "--output-type", "binary", "e.yaml"], ""),
    (["decrypt", "--extract", "bad", "e.yaml"], "error parsing --extract path"),
    (["decrypt", "--extract", '["a"]["b"]', "e.json"], ""),
    (["decrypt", "--extract", '["a"]', "e.json"], ""),
    (["decrypt", "--extract", '["l"]', "e.json"], ""),
    (["decrypt", "--output-type", "yaml", "comments.ini"], ""),
    (["decrypt", "--output-type", "json", "comments.ini"], ""),
    (["decrypt", "--extract", '["A"]', "e.env"], ""),
    (["decrypt", "--extract", '["s"]["a"]', "e.ini"], ""),
    (["decrypt", "--output-type", "json", "e.yaml"], ""),
    (["decrypt", "--output-type", "yaml", "e.json"], ""),
    (["decrypt", "--output-type", "dotenv", "q.yaml"], ""),
    (["decrypt", "--output-type", "dotenv", "e.yaml"], "cannot use complex value in dotenv file"),
    (["decrypt", "--output-type", "ini", "q.yaml"], "Error dumping"),
    (["decrypt", "--output-type", "binary", "e.yaml"], "Error dumping"),
    (["decrypt", "--output-type", "ini", "ini.yaml"], ""),
    (["decrypt", "time.yaml"], ""),
    (["decrypt", "--output-type", "json", "time.yaml"], ""),
    (["decrypt", "multi.yaml"], ""),
    (["decrypt", "--output-type", "json", "multi.yaml"], ""),
    (["decrypt", "--output-type", "yaml", "e.env"], ""),
    (["decrypt", "--output-type", "json", "e.env"], ""),
    (["decrypt", "--output-type", "json", "e.bin"], ""),
    (["decrypt", "--input-type", "json", "--output-type", "json", "e.bin"], ""),
    (["decrypt", "p.yaml"], "sops metadata not found"),
    (["decrypt", "p.json"], "sops metadata not found"),
    (["decrypt", "empty.yaml"], "sops metadata not found"),
    (["decrypt", "bad.yaml"], ""),
    (["decrypt", "bad.json"], ""),
    (["decrypt", "nope.yaml"], "cannot operate on non-existent file"),
    (["decrypt", "."], ""),
    (["decrypt", "-i"], "cannot use --in-place when reading from stdin"),
    (["decrypt", "-i", "--output", "x", "e.yaml"], "both --output and --in-place"),
    (["decrypt", "--output", "/nonexistent/x", "e.yaml"], ""),
    (["decrypt", "--decryption-order", "age,age", "e.yaml"], "Duplicate decryption key type: age"),
    (["decrypt", "--decryption-order", "pgp,age", "e.yaml"], ""),
    (["--config", "/dev/null", "decrypt", "e.yaml"], ""),
    # encrypt
    (["encrypt"], "must specify --filename-override"),
    (["encrypt", "--filename-override", "x.yaml"], "config file not found, or has no creation rules"),
    (["encrypt", "-i"], "cannot use --in-place when reading from stdin"),
    (["encrypt", "-i", "--output", "x", "p.yaml"], "both --output and --in-place"),
    (["encrypt", "p.yaml"], "config file not found, or has no creation rules"),
    (["encrypt", "nope.yaml"], "cannot operate on non-existent file"),
    (["encrypt", "--age", "{R}", "e.yaml"], "sops"),
    (["encrypt", "--age", "{R}", "e.json"], "sops"),
    (["encrypt", "--age", "{R}", "--output-type", "json", "e.yaml"], "sops"),
    (["encrypt", "--age", "{R}", "--input-type", "yaml", "--filename-override", "z", "e.yaml"], "sops"),
    (["encrypt", "--age", "{R}", "bad.yaml"], ""),
    (["encrypt", "--age", "{R}", "bad.json"], ""),
    (["encrypt", "--age", "{R}", "empty.yaml"], ""),
    (["encrypt", "--age", "{R}", "list.yaml"], ""),
    (["encrypt", "--age", "bogus", "p.yaml"], ""),
    (
        ["encrypt", "--age", "{R}", "--encrypted-regex", "a", "--encrypted-suffix", "b", "p.yaml"],
        "cannot use more than one",
    ),
    (["encrypt", "--encrypted-regex", "a", "--encrypted-suffix", "b", "p.yaml"], "cannot use more than one"),
    (["encrypt", "--encrypted-comment-regex", "a", "p.yaml"], "usage"),
    (["encrypt", "--shamir-secret-sharing-threshold", "x", "p.yaml"], "usage"),
    (
        ["encrypt", "--age", "{R}", "--encryption-context", "bad", "p.yaml"],
        "Invalid KMS encryption context format",
    ),
    # set, unset
    (["set", "e.yaml", '["a"]["b"]'], "no file specified, or index and value are missing"),
    (["set", "e.yaml"], "no file specified"),
    (["set", "nope.yaml", '["a"]', '"x"'], "no such file"),
    (["set", "e.yaml", '["a"]', "notjson"], "Value for --set is not valid JSON"),
    (["set", "e.yaml", '["a"]', "1e400"], "Value for --set is not valid JSON"),
    (["set", "e.yaml", '["a"]', "NaN"], "Value for --set is not valid JSON"),
    (["set", "e.yaml", "bad", '"x"'], "Invalid set index format"),
    (["set", "e.yaml", '["a"]', "[1]"], "Invalid --set value format"),
    (["set", "p.yaml", '["a"]', "1"], "sops metadata not found"),
    (["set", "bad.yaml", '["a"]', "1"], ""),
    (["set", "--value-file", "--value-stdin", "e.yaml", '["a"]'], "cannot use both"),
    (["set", "--value-file", "e.yaml", '["a"]', "nope"], ""),
    (["set", "--value-stdin", "e.yaml", '["a"]', "1"], "precisely 2"),
    (["unset", "e.yaml"], "no file specified, or index is missing"),
    (["unset", "e.yaml", "bad"], "Invalid unset index format"),
    (["unset", "e.yaml", '["zz"]'], ""),
    (["unset", "e.yaml", '["l"][7]'], ""),
    (["unset", "--idempotent", "e.yaml", '["l"][7]'], ""),
    (["unset", "e.yaml", '["a"]["b"]["c"]'], ""),
    (["unset", "--idempotent", "e.yaml", '["a"]["b"]["c"]'], ""),
    (["unset", "--idempotent", "e.yaml", '["a"]["b"][0]'], ""),
    (["unset", "--idempotent", "e.yaml", '["a"][0]'], ""),
    (["unset", "--idempotent", "e.yaml", '["a"]["zz"]["c"]'], ""),
    (["unset", "--idempotent", "e.env", '["A"]["c"]'], ""),
    (["unset", "--idempotent", "e.ini", '["s"]["zz"]'], ""),
    (["unset", "--idempotent", "e.ini", '["s"]["a"]["c"]'], ""),
    (["unset", "nope.yaml", '["a"]'], "no such file"),
    # the others
    (["filestatus", "e.yaml"], ""),
    (["filestatus", "e.json"], ""),
    (["filestatus", "e.env"], ""),
    (["filestatus", "e.ini"], ""),
    (["filestatus", "e.bin"], ""),
    (["filestatus", "p.yaml"], ""),
    (["filestatus", "p.json"], ""),
    (["filestatus", "empty.yaml"], ""),
    (["filestatus", "bad.yaml"], "cannot check file status"),
    (["filestatus", "nope.yaml"], "cannot check file status"),
    (["filestatus"], "no file specified"),
    (["filestatus", "-"], "no such file"),
    (["filestatus", "--input-type", "json", "e.yaml"], ""),
    (["rotate"], "no file specified"),
    (["rotate", "nope.yaml"], "no such file"),
    (["rotate", "--add-age", "{R}", "nope.yaml"], "cannot add or remove keys on non-existent file"),
    (["rotate", "--rm-age", "{R}", "e.yaml"], "Could not generate data key: [empty key group provided]"),
    (["rotate", "-i", "--output", "x", "e.yaml"], "both --output and --in-place"),
    (["rotate", "--ignore-mac", "e.yaml"], "usage"),
    (["rotate", "p.yaml"], "sops metadata not found"),
    (["updatekeys"], "config file not found"),
    (["updatekeys", "e.yaml"], "config file not found"),
    (["--config", "/dev/null", "updatekeys"], "no file specified"),
    (["updatekeys", "--shamir-secret-sharing-threshold", "1", "e.yaml"], "usage"),
    (["updatekeys", "--", "-y"], "config file not found"),
    (["groups", "add", "x"], "no positional arguments allowed"),
    (["groups", "-x"], "usage"),
    (["groups", "delete", "-f", "e.yaml", "-1"], "usage"),
    (["groups", "delete", "-f", "e.yaml", "--", "-1"], "failed to parse [index] argument"),
    (["groups", "add", "-f", "nope.yaml"], ""),
    (["groups", "add"], ""),
    (["groups", "delete", "-f", "e.yaml"], "exactly one positional argument (index) required"),
    (["groups", "delete", "-f", "e.yaml", "x"], "failed to parse [index] argument"),
    (["exec-env"], "missing file to decrypt"),
    (["exec-env", "q.yaml"], "missing file to decrypt"),
    (["exec-env", "q.yaml", "--", "echo $a"], ""),
    (["exec-env", "--", "q.yaml", "echo $a"], ""),
    (["exec-env", "q.yaml", "--pristine", "echo $a$HOME"], ""),
    (["exec-env", "q.yaml", "echo $a", "more"], "missing file to decrypt"),
    (["exec-env", "q.yaml", "exit 7"], ""),
    (["exec-env", "e.yaml", "true"], "cannot use complex value in environment; offending key a"),
    (["exec-env", "q.yaml", "echo $a $f $t $boo $big $i $quoted"], ""),
    (["exec-env", "--pristine", "q.yaml", "echo $a-$HOME"], ""),
    (["exec-env", "--same-process", "q.yaml", "exit 3"], ""),
    (["exec-env", "--same-process", "--background", "q.yaml", "exit 3"], "cannot be used with --background"),
    (["exec-env", "--user", "nosuch", "q.yaml", "exit 3"], "unknown user nosuch"),
    (["exec-env", "nope.yaml", "true"], "no such file"),
    (["exec-env", "nul.yaml", "true"], "NUL"),
    (["exec-env", "e.env", 'echo "$A|$B|$C"'], ""),
    (["exec-env", "--input-type", "yaml", "q.yaml", "true"], "usage"),
    (["exec-file", "e.yaml"], "missing file to decrypt"),
    # If nothing reads the pipe, sops may end with code 1: it cannot open a pipe that it has removed already.
    (["exec-file", "e.yaml", "cat {} > /dev/null; exit 7"], ""),
    (["exec-file", "e.yaml", "cat {}"], ""),
    (["exec-file", "--no-fifo", "e.yaml", "cat {}; cat {}"], ""),
    (["exec-file", "--output-type", "json", "e.yaml", "cat {}"], ""),
    (["exec-file", "--filename", "x.yaml", "e.yaml", "cat {}; basename {}"], ""),
    (["exec-file", "--filename", "/x", "e.yaml", "true"], "slash"),
    (["exec-file", "--filename", "../x", "e.yaml", "true"], "slash"),
    (["exec-file", "--filename", "./x/../y", "e.yaml", "cat {}; basename {}"], ""),
    (["edit"], "no file specified"),
    (["edit", "p.yaml"], "sops metadata not found"),
    (["edit", "new.yaml"], "config file not found, or has no creation rules"),
    (["completion", "nosuch"], "No help topic for 'nosuch'"),
    (["help", "nosuch"], "No help topic for 'nosuch'"),
    (["groups", "help", "nosuch"], "No help topic for 'nosuch'"),
    (["completion", "help", "nosuch"], "No help topic for 'nosuch'"),
    (["exec-file", "--filename", "sub/x.yaml", "e.yaml", "true"], ""),
    (["exec-file", "--no-fifo", "--filename", "sub/x.yaml", "e.yaml", "true"], ""),
    (["encrypt", "--age", "{R}", "blank.yaml"], ""),
    (["encrypt", "--age", "{R}", "comments.yaml"], ""),
    (["decrypt", "comments.yaml"], ""),
    (["decrypt", "--output", "/dev/full", "e.yaml"], "no space left"),
    (["decrypt", "--output", "none/x", "e.yaml"], "folder does not exist"),
    (["decrypt", "--output", "/dev/fd/1", "e.yaml"], ""),
]

# What is not the same, by what a row is marked with.
OTHER_STDOUT = {
    "usage": "sops prints its help on stdout, where a client expects data",
    "version": "the binary calls itself 3.11.0",
}
OTHER_CODE = {
    "slash": "the binary takes any path; 3.13.3 refuses it, and so does encconf",
}


# a variable instead of a flag, and arguments
VARIABLES: list[tuple[str, str, list[str]]] = [
    ("SOPS_ENABLE_LOCAL_KEYSERVICE", "", ["decrypt", "e.yaml"]),
    ("SOPS_ENABLE_LOCAL_KEYSERVICE", "nope", ["filestatus", "e.yaml"]),
    ("SOPS_ENABLE_LOCAL_KEYSERVICE", "false", ["decrypt", "--enable-local-keyservice", "e.yaml"]),
    ("SOPS_DISABLE_VERSION_CHECK", "nope", ["decrypt", "e.yaml"]),
    ("SOPS_CONFIG", "", ["decrypt", "e.yaml"]),
    ("SOPS_CONFIG", "nope", ["decrypt", "e.yaml"]),
    ("SOPS_CONFIG", "nope", ["--config=", "decrypt", "e.yaml"]),
    ("SOPS_DECRYPTION_ORDER", "age,age", ["decrypt", "--decryption-order", "", "e.yaml"]),
    ("SOPS_DECRYPTION_ORDER", "age,age", ["filestatus", "e.yaml"]),
    ("SOPS_KEYSERVICE", "unix:///nonexistent,bogus", ["decrypt", "e.yaml"]),
    ("SOPS_AGE_RECIPIENTS", "bogus", ["encrypt", "--age=", "p.yaml"]),
]


@pytest.mark.parametrize(("name", "value", "args"), VARIABLES)
def test_variables(both: tuple[Box, Box], name: str, value: str, args: list[str]) -> None:
    theirs, mine = (box.run(*args, environ={name: value}) for box in both)
    assert (mine.code, mine.out) == (theirs.code, theirs.out), (mine, theirs)


@pytest.mark.parametrize(
    ("args", "said"), ROWS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_exit_code_and_stdout(both: tuple[Box, Box], args: list[str], said: str) -> None:
    real, ours = both
    theirs, mine = real.run(*args), ours.run(*args)
    if said not in OTHER_CODE:
        assert mine.code == theirs.code, (mine, theirs)
    if said == "version":
        assert mine.out == "sops 3.13.3\n"
    elif said in OTHER_STDOUT or said in OTHER_CODE:
        assert mine.out == ""
        assert mine.err
    else:
        assert mine.out == theirs.out, (mine, theirs)
        assert said in mine.err, mine
        if said not in ("no such file", "folder does not exist"):
            assert said in theirs.err, theirs


def test_nothing_was_written(both: tuple[Box, Box]) -> None:
    """No row changes a file: what changes one has tests of its own."""
    real, ours = both
    for name in FILES:
        assert ours.read(name.rstrip("!")) == real.read(name.rstrip("!"))


def test_words_that_programs_look_for(both: tuple[Box, Box]) -> None:
    _, ours = both
    for box in both:
        done = box.run("edit", "e.yaml", environ={"EDITOR": "true"}, code=200)
        assert done.err == "File has not changed, exiting.\n"
    stranger = {"SOPS_AGE_KEY": AgeKey.generate().identity}
    # older versions of sops, and the programs that look for it, have this; 3.13.3 has other words
    assert "no identity matched any of the recipients" in ours.run("-d", "e.yaml", environ=stranger).err


def test_a_full_stdout(both: tuple[Box, Box]) -> None:
    for box in both:
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [box.program, "-d", "e.yaml"], cwd=box.folder, env=box.environ, stdout=full,
                stderr=subprocess.PIPE, check=False,
            )  # fmt: skip
        assert done.returncode == 1
        assert b"no space left" in done.stderr


@pytest.mark.parametrize(
    "line", ["groups help add", "groups h delete", "help groups", "completion help bash"]
)
def test_help_about_one_command(both: tuple[Box, Box], line: str) -> None:
    for box in both:
        said = box.run(*line.split(), code=0).out
        assert f"sops {' '.join(line.replace('help', '').replace(' h ', ' ').split())} - " in said


def test_a_key_with_a_line_break_begins_no_line(both: tuple[Box, Box]) -> None:
    _, ours = both
    ours.write("odd.yaml", '"x\\n::error::y":\n  a: 1\n"z=\\n##[error]y": 1\n')
    ours.run("encrypt", "-i", "--age", "{R}", "odd.yaml", code=0)
    for line in (
        ["exec-env", "odd.yaml", "true"],
        ["decrypt", "--extract", '["none"]', "odd.yaml"],
        ["decrypt", "--output-type", "dotenv", "odd.yaml"],
        ["decrypt", "::error::none.yaml"],
        ["decrypt", "none\n::error::.yaml"],
    ):
        err = ours.run(*line).err
        assert err
        assert not re.search(r"(?m)^\s*(::|##)", err), err
