"""`encconf.audit.check`: reading many heads at once gives what reading each by itself gives."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from encconf import formats
from encconf.audit import check

SECRET = b"apiVersion: v1\nkind: Secret\nstringData:\n  a: b\n"
OF_INTEREST = [
    b"a: ENC[AES256_GCM,data:x]\n",
    SECRET,
    b"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n",
    b"# mine\nAGE-SECRET-KEY-1QQQQ\n",
    "a: 1\n".encode("utf-16"),
    b"x" * formats.GLANCE,
    b"x" * (3 * formats.GLANCE),
    b"x" * (formats.GLANCE - 4) + b"ENC[",
]
NOT = [
    b"",
    b"a: 1\n",
    b"ENC",
    b"[x",
    b"kind: SecretStore\n",
    b"a Secret\n",
    b"x" * (formats.GLANCE - 1),
    b"\0" * formats.GLANCE + b"ENC[",
    b"\xef\xbb\xbfa: 1\n",
    b"\xff",
]


def _made(folder: Path, contents: list[bytes]) -> list[str]:
    paths = [folder / f"{number:04}.txt" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return list(map(str, paths))


@pytest.mark.parametrize("seed", range(8))
def test_the_same_as_one_by_one(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    few = draw.choice([0, 1, 20])  # a buffer may hold nothing of interest, little or much
    contents = [draw.choice(OF_INTEREST if draw.randrange(40) < few else NOT) for _ in range(300)]
    paths = _made(tmp_path, contents)
    expected = {path for path, content in zip(paths, contents, strict=True) if content in OF_INTEREST}
    assert {path for path in paths if check.of_interest(path)} == expected
    assert set(check.all_of_interest(paths)) == expected


def test_a_word_that_two_files_make_together(tmp_path: Path) -> None:
    assert not list(check.all_of_interest(_made(tmp_path, [b"ENC", b"[x", b"kind: ", b"Secret", b"x"])))


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "secret.yaml").write_bytes(SECRET)
    paths = [str(tmp_path / name) for name in ("missing", "folder", "pipe", "secret.yaml")]
    assert list(check.all_of_interest(iter(paths))) == [paths[-1]]


def test_each_file_counts_as_a_step(tmp_path: Path) -> None:
    steps: list[None] = []
    paths = [*_made(tmp_path, [b"a: 1\n", SECRET]), str(tmp_path / "missing")]
    assert list(check.all_of_interest(paths, lambda: steps.append(None))) == [paths[1]]
    assert len(steps) == 3
