"""encconf publish, and sops publish."""

from __future__ import annotations

import json
from pathlib import Path

import forks
import pytest
from project import Project
from publish.clouds import Cloud, Sides

pytestmark = pytest.mark.services


@pytest.mark.parametrize("input", ["y\n", "n\n", "", "\n", "what\ny\n", "n\ny\n"])
@pytest.mark.parametrize("args", [["s3.yaml"], ["--recursive", "s3-folder"]], ids=" ".join)
def test_the_question(tmp_path: Path, cloud: Cloud, args: list[str], input: str) -> None:
    names = ["s3-folder/a.yaml", "s3-folder/b.yaml"] if "s3-folder" in args else ["s3.yaml"]
    sides = Sides(tmp_path, cloud, *names)
    theirs, mine, there, here = sides.both("publish", *args, input=input)
    assert there == here
    if theirs.code:
        assert mine.err.splitlines()[-1] == theirs.err.strip().replace(
            str(sides.real.folder), str(sides.ours.folder)
        )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Error: no file specified"),
        (["nope.yaml"], "stat nope.yaml: no such file or directory"),
        (["."], "can't operate on a directory without --recursive flag."),
        (["-y", "s3-plain.yaml"], "sops metadata not found"),
        (["-y", "two-places.yaml"], ""),
        (["-y", "no-place.yaml"], "no destination"),
        (["-y", "nothing-for-this.yaml"], "no matching destination found in config"),
        (["-y", "--decryption-order", "age,age", "s3.yaml"], "Duplicate decryption key type: age"),
        (["--nosuch", "s3.yaml"], "flag provided but not defined: -nosuch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong(tmp_path: Path, cloud: Cloud, args: list[str], words: str) -> None:
    sides = Sides(tmp_path, cloud, "s3.yaml", "two-places.yaml", "no-place.yaml", "nothing-for-this.yaml")
    for box in (sides.real, sides.ours):
        box.write("s3-plain.yaml", "a: 1\n")
    theirs, mine = sides.real.run("publish", *args), sides.ours.run("publish", *args)
    assert mine.code == theirs.code != 0
    assert words in mine.err
    assert words in theirs.err or words.startswith("flag")
    assert cloud.what() == {}


def test_no_config(tmp_path: Path, cloud: Cloud) -> None:
    sides = Sides(tmp_path, cloud, "s3.yaml")
    for box in (sides.real, sides.ours):
        (box.folder / ".sops.yaml").rename(box.folder / "rules")
    theirs, mine, *_ = sides.both("publish", "-y", "s3.yaml")
    assert theirs.code == 1
    assert "config file not found" in mine.err
    sides.both("--config", "rules", "publish", "-y", "s3.yaml")
    assert list(cloud.what()) == ["s3 s3.yaml"]


def test_it_says_where_before_it_goes(project: Project, cloud: Cloud) -> None:
    done = project.run("publish", "s3.yaml", code=1)
    assert "use --yes to accept all" in done.err
    done = project.run("publish", "-n", "s3.yaml", "kv2.yaml")
    assert "s3.yaml would go to s3://the-bucket/s3.yaml (encrypted as it is)" in done.err
    assert (
        f"kv2.yaml would go to {cloud.bao.address}/v1/secret/data/team/two/kv2.yaml (decrypted)" in done.err
    )
    assert cloud.what() == {}


def test_a_folder_of_which_some_is_encrypted(project: Project, cloud: Cloud) -> None:
    assert "use -r to include" in project.run("publish", "-y", "s3-folder", code=1).err
    done = project.run("publish", "-y", "-r", "--json", "s3-folder")
    assert json.loads(done.out)["files"] == [
        {
            "file": f"s3-folder/{name}",
            "to": f"s3://the-bucket/{name}",
            "how": "encrypted",
            "status": "published",
            "error": None,
        }
        for name in ("a.yaml", "b/c.yaml")
    ]
    assert list(cloud.what()) == ["s3 a.yaml", "s3 b/c.yaml"]


def test_one_of_many_fails(project: Project, cloud: Cloud) -> None:
    project.write("s3-plain.yaml", "a: 1\n")
    done = project.run("publish", "-y", "--json", "s3-plain.yaml", "s3.yaml", code=1)
    assert "s3-plain.yaml: the file is not encrypted" in done.err
    failed, published = json.loads(done.out)["files"]
    assert (failed["status"], failed["error"]["slug"]) == ("failed", "not-encrypted")
    assert (published["status"], published["error"]) == ("published", None)
    assert list(cloud.what()) == ["s3 s3.yaml"]


def test_a_copy_of_a_file_that_goes_elsewhere(project: Project, cloud: Cloud) -> None:
    project.git("init", "-q")
    project.write("kv2.yaml", project.read("s3.yaml"))
    done = project.run("publish", "-y", "kv2.yaml", code=1)
    assert "kv2.yaml: it has the data key of s3.yaml, so it may be a copy of that file" in done.err
    assert cloud.what() == {}
    said = forks.run("sops", ["publish", "-y", "kv2.yaml"], cwd=project.folder, environ=project.environ)
    assert b"warning: kv2.yaml: it has the data key of s3.yaml" in said.stderr, said
    assert len(cloud.what()) == 1, "but sops sends it, so a script must not fail"
    project.run("rotate", "kv2.yaml")
    project.run("publish", "-y", "kv2.yaml")
    assert len(cloud.what()) == 1
