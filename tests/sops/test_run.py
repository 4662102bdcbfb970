"""What the commands of sops share: files, formats and output."""

from __future__ import annotations

import stat

import pytest

from .conftest import Box


@pytest.mark.parametrize(
    "args",
    [
        *(["decrypt", name] for name in ("e.yaml", "e.json", "e.env", "e.ini", "e.bin")),
        ["-d", "e.yaml"],
        ["rotate", "e.json"],
        ["exec-file", "e.env", "true"],
        ["exec-env", "e.bin", "true"],
        ["edit", "e.ini"],
    ],
    ids=" ".join,
)
def test_without_the_key(both: tuple[Box, Box], args: list[str]) -> None:
    theirs, mine = (box.run(*args, environ={"SOPS_AGE_KEY": "-"}) for box in both)
    assert mine.code == theirs.code == 128
    assert mine.out == theirs.out == ""
    assert "data key" in mine.err


@pytest.mark.parametrize(
    "line",
    [
        "exec-env --background none.yaml true",
        "exec-env --background e.yaml true",
        "--config bad.yaml exec-env --background --same-process e.yaml true",
        "exec-file --background none.yaml true",
        "exec-file --background bad.yaml true",
        "exec-file --background --output-type dotenv e.yaml true",
        "exec-file --background --no-fifo e.env true",
    ],
)
def test_background_is_warned_of_when_sops_does(both: tuple[Box, Box], line: str) -> None:
    for box in both:
        box.write("bad.yaml", "creation_rules: {}\n")
    theirs, mine = (box.run(*line.split()) for box in both)
    assert mine.code == theirs.code
    assert ("is deprecated" in mine.err) == ("is deprecated" in theirs.err)


@pytest.mark.parametrize("word", ["toml", "YAML", "nosuch"])
@pytest.mark.parametrize(
    "line", ["decrypt", "filestatus", "rotate", "exec-file --no-fifo"], ids=lambda line: line.split()[0]
)
def test_other_words_for_the_format_mean_binary(both: tuple[Box, Box], line: str, word: str) -> None:
    command = ["cat {}"] * line.startswith("exec")
    theirs, mine = (box.run(*line.split(), "--input-type", word, "e.bin", *command, code=0) for box in both)
    assert mine.out == theirs.out or line == "rotate"


@pytest.mark.parametrize("mode", [0o644, 0o666])
def test_modes_are_those_of_sops(both: tuple[Box, Box], mode: int) -> None:
    for box in both:
        path = box.folder / "plain.yaml"
        path.write_text("")
        path.chmod(mode)
        box.run("decrypt", "--output", "plain.yaml", "e.yaml", code=0)
        assert stat.S_IMODE(path.stat().st_mode) == mode


STORES = [
    "stores: {json: {indent: 2}, yaml: {indent: 2}}",
    "stores: {json: {indent: 0}, yaml: {indent: 0}}",
    "stores: {json: {indent: -1}, yaml: {indent: 8}}",
    "stores: {json: {indent: -2}, yaml: {indent: -1}}",
]


@pytest.mark.parametrize("stores", STORES)
@pytest.mark.parametrize(
    "args",
    [
        ["decrypt", "--output-type", "json", "e.yaml"],
        ["decrypt", "--output-type", "yaml", "e.json"],
        ["decrypt", "--extract", '["a"]', "e.yaml"],
        ["decrypt", "--extract", '["l"]', "e.json"],
        ["-d", "--output-type", "json", "e.yaml"],
        ["--indent", "3", "-d", "e.yaml"],
        ["--indent", "3", "-d", "e.json"],
        ["--indent", "3", "-d", "--output-type", "yaml", "e.json"],
        ["exec-file", "--output-type", "json", "e.yaml", "cat {}"],
    ],
    ids=" ".join,
)
def test_how_far_it_is_indented(both: tuple[Box, Box], stores: str, args: list[str]) -> None:
    """What ``stores`` of .sops.yaml says, and ``--indent`` before it."""
    ends = []
    for box in both:
        box.write("stores.yaml", f"creation_rules: []\n{stores}\n")
        done = box.run("--config", "stores.yaml", *args)
        ends.append((done.code, done.out))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "args",
    [
        ["decrypt", "--input-type", "yaml", "--output-type", "yaml"],
        ["decrypt", "--input-type", "yaml", "--output-type", "json"],
        ["decrypt", "--filename-override", "x.yaml"],
        ["decrypt", "--filename-override", "x.yaml", "--output-type", "json"],
        ["decrypt", "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"],
        ["--input-type", "yaml", "--output-type", "yaml", "-d", "/dev/stdin"],
        ["decrypt", "--extract", '["a"]["b"]', "--input-type", "yaml", "/dev/stdin"],
        ["decrypt"],
        ["decrypt", "--input-type", "json"],
    ],
    ids=" ".join,
)
def test_stdin(both: tuple[Box, Box], args: list[str]) -> None:
    real, ours = both
    text = real.read("e.yaml")
    theirs, mine = real.run(*args, input=text), ours.run(*args, input=text)
    assert (mine.code, mine.out) == (theirs.code, theirs.out), (mine, theirs)
