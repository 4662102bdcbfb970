"""What sops's commands do with keys: as encconf does it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from oracle import AgeKey
from project import after
from sops.files import FILES
from sops.rules import RULES

from .conftest import Box, boxes


class TestKeys:
    """Who can open a file, by both programs."""

    def start(self, folder: Path) -> tuple[Box, Box, AgeKey]:
        other = AgeKey.generate()
        key = AgeKey.generate()
        real, ours = boxes(
            folder,
            key,
            {
                "e.yaml!": FILES["e.yaml!"],
                ".sops.yaml": RULES.replace("{R}", f"{key.recipient},{other.recipient}"),
            },
        )
        return real, ours, other

    def opens(self, box: Box, key: AgeKey, name: str = "e.yaml") -> bool:
        return box.run("decrypt", name, environ={"SOPS_AGE_KEY": key.identity}).code == 0

    def test_updatekeys(self, tmp_path: Path) -> None:
        real, ours, other = self.start(tmp_path)
        before = ours.read("e.yaml")
        theirs, mine = (
            real.run("updatekeys", "-y", "e.yaml", code=0),
            ours.run("updatekeys", "-y", "e.yaml", code=0),
        )
        assert mine.out == theirs.out
        assert "synced with new keys" in mine.err
        real.write("mine.yaml", ours.read("e.yaml"))
        assert self.opens(real, other, "mine.yaml")
        assert self.opens(real, real.key, "mine.yaml")
        # The values and the MAC are as they were.
        assert before.split("sops:")[0] == ours.read("e.yaml").split("sops:")[0]
        again = ours.run("updatekeys", "e.yaml", code=0)
        assert again.out == ""
        assert "already up to date" in again.err

    @pytest.mark.parametrize(
        ("answer", "changes"),
        [("y\n", True), ("n\n", False), ("", None), ("\n", None), ("what\ny\n", True), ("y n\n", None)],
    )
    def test_updatekeys_asks(self, tmp_path: Path, answer: str, changes: bool | None) -> None:
        real, ours, other = self.start(tmp_path)
        theirs, mine = (
            real.run("updatekeys", "e.yaml", input=answer),
            ours.run("updatekeys", "e.yaml", input=answer),
        )
        assert (mine.code, mine.out) == (theirs.code, theirs.out)
        assert mine.code == (1 if changes is None else 0)
        assert self.opens(ours, other) == self.opens(real, other) == bool(changes)

    def test_updatekeys_without_stdin(self, tmp_path: Path) -> None:
        said = []
        for box in self.start(tmp_path)[:2]:
            words = [*after("exec 0<&-"), box.program, "updatekeys", "e.yaml"]
            done = subprocess.run(words, cwd=box.folder, env=box.environ, capture_output=True, check=False)
            said.append((done.returncode, done.stderr.endswith(b"EOF\n")))
        assert said == [(1, True)] * 2

    def test_updatekeys_of_many(self, tmp_path: Path) -> None:
        real, ours, other = self.start(tmp_path)
        args = ["updatekeys", "-y", "nope.yaml", "e.yaml"]
        theirs, mine = real.run(*args, code=1), ours.run(*args, code=1)
        assert mine.out == theirs.out
        assert "failed updating 1 key(s)" in mine.err
        assert self.opens(ours, other)

    def test_a_key_that_goes(self, tmp_path: Path) -> None:
        """As in sops, updatekeys keeps the data key; encconf says so."""
        real, ours, other = self.start(tmp_path)
        for box in (real, ours):
            box.write(".sops.yaml", RULES.replace("{R}", other.recipient))
        theirs, mine = (
            real.run("updatekeys", "-y", "e.yaml", code=0),
            ours.run("updatekeys", "-y", "e.yaml", code=0),
        )
        assert mine.out == theirs.out
        assert "the data key is unchanged" in mine.err
        assert self.opens(ours, other)
        assert not self.opens(ours, ours.key)

    def test_rotate_with_keys(self, tmp_path: Path) -> None:
        real, ours, other = self.start(tmp_path)
        for box in (real, ours):
            box.run("rotate", "-i", "--add-age", other.recipient, "--rm-age", "{R}", "e.yaml", code=0)
        real.write("mine.yaml", ours.read("e.yaml"))
        for name in ("e.yaml", "mine.yaml"):
            assert self.opens(real, other, name)
            assert not self.opens(real, real.key, name)

    def test_groups(self, tmp_path: Path) -> None:
        real, ours, other = self.start(tmp_path)
        both = {"SOPS_AGE_KEY": f"{real.key.identity}\n{other.identity}"}
        add = ["groups", "add", "-i", "-f", "e.yaml", "--age", other.recipient]
        for box in (real, ours):
            box.run(*add, code=0)
            assert "shamir_threshold: 2" in box.read("e.yaml")
        real.write("mine.yaml", ours.read("e.yaml"))
        for name in ("e.yaml", "mine.yaml"):
            assert not self.opens(real, other, name)
            assert real.run("decrypt", name, environ=both).code == 0
        for box in (real, ours):
            box.run("groups", "delete", "-i", "-f", "e.yaml", "0", environ=both, code=1)
            box.run(
                "groups", "delete", "-i", "--shamir-secret-sharing-threshold", "1", "-f", "e.yaml", "0",
                environ=both, code=0,
            )  # fmt: skip
        real.write("mine.yaml", ours.read("e.yaml"))
        for name in ("e.yaml", "mine.yaml"):
            assert self.opens(real, other, name)
            assert not self.opens(real, real.key, name)
