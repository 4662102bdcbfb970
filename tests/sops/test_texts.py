"""What sops's commands do with the text of a file: as encconf does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oracle import AgeKey
from sops.files import FILES
from sops.rules import RULES

from .conftest import boxes

# arguments; the file that is written
ROWS: list[tuple[list[str], str]] = [
    (["set", "e.yaml", '["a"]["b"]', '"new"'], "e.yaml"),
    (["set", "e.yaml", '["a"]["new"]', "5"], "e.yaml"),
    (["set", "e.yaml", '["a"]', '{"x": [1, 2.5, null, true, "s"], "e": {}}'], "e.yaml"),
    (["set", "e.yaml", '["new"][0]["c"]', '"deep"'], "e.yaml"),
    (["set", "e.yaml", '["l"][0]', '"first"'], "e.yaml"),
    (["set", "e.yaml", '["l"][9]', "true"], "e.yaml"),
    (["set", "e.yaml", '["a"]["b"]["c"]', "null"], "e.yaml"),
    (["set", "e.yaml", '["nul"]["x"]', '"below null"'], "e.yaml"),
    (["set", "e.yaml", "['multi']", '"x\\ny\\n"'], "e.yaml"),
    (["set", "e.yaml", '["key with: sign"]', '"- a"'], "e.yaml"),
    (["set", "e.yaml", '["a"]["b"]', '"hello"'], "e.yaml"),
    (["set", "--idempotent", "e.yaml", '["a"]["b"]', '"hello"'], "e.yaml"),
    (["set", "--output-type", "json", "e.yaml", '["a"]["b"]', '"hello"'], "e.yaml:json"),
    (["set", "--idempotent", "--output-type", "json", "e.yaml", '["a"]["b"]', '"bye"'], "e.yaml:json"),
    (["set", "--value-stdin", "e.yaml", '["a"]["b"]'], "e.yaml"),
    (["set", "--value-file", "e.yaml", '["a"]["b"]', "value.json"], "e.yaml"),
    (["set", "--output-type", "json", "e.yaml", '["a"]["b"]', '"x"'], "e.yaml:json"),
    (["set", "e.yaml", '["a"]["b"]', '"x"', "--ignore-mac"], "e.yaml"),
    (["set", "e.yaml", "--", '["a"]["b"]', "-1"], "e.yaml"),
    (["set", "e.yaml", '["a"]["b"]', "18446744073709551616"], "e.yaml"),
    (["set", "e.json", '["a"]["b"]', '"new"'], "e.json"),
    (["set", "e.json", '["l"][5]', '{"k": "v"}'], "e.json"),
    (["set", "e.json", '["a"]["n"]', '{"cc": "aa"}'], "e.json"),
    (["set", "e.json", '["new"]', '{"cc": [true]}'], "e.json"),
    (["set", "--idempotent", "e.json", '["a"]["b"]', '"new"'], "e.json"),
    (["set", "e.env", '["A"]', '"new value"'], "e.env"),
    (["set", "e.env", '["NEW"]', '"x"'], "e.env"),
    (["set", "e.ini", '["s"]["a"]', '"2"'], "e.ini"),
    (["set", "e.ini", '["s"]["new"]', '"x y"'], "e.ini"),
    (["set", "e.ini", '["q"]', '{"a": "1", "b": "x y"}'], "e.ini"),
    (["set", "e.ini", '["s"]', '{"long": "other", "n": "x"}'], "e.ini"),
    (["set", "e.ini", '["s"]', '{"n": "y"}'], "e.ini"),
    (["unset", "e.ini", '["s"]'], "e.ini"),
    (["unset", "e.ini", '["t"]'], "e.ini"),
    (["--set", '["a"]["b"] "new"', "e.yaml"], "e.yaml"),
    (["-i", "--set", '["l"][1] {"x": 1}', "e.yaml"], "e.yaml"),
    (["unset", "e.yaml", '["a"]["b"]'], "e.yaml"),
    (["unset", "e.yaml", "--", '["a"]'], "e.yaml"),
    (["unset", "e.yaml", '["l"][0]'], "e.yaml"),
    (["unset", "e.json", '["l"][1]'], "e.json"),
    (["unset", "e.json", '["a"]["n"]'], "e.json"),
    (["unset", "e.env", '["B"]'], "e.env"),
    (["unset", "e.ini", '["s"]["a"]'], "e.ini"),
    (["rotate", "-i", "e.yaml"], "e.yaml"),
    (["-r", "-i", "e.yaml"], "e.yaml"),
    (["rotate", "--output", "out.yaml", "e.yaml"], "out.yaml"),
    (["rotate", "-i", "--output-type", "json", "e.yaml"], "e.yaml:json"),
    (["encrypt", "--age", "{R}", "-i", "p.yaml"], "p.yaml"),
    (["encrypt", "--age", "{R}", "-i", "p.json"], "p.json"),
    (["encrypt", "--age", "{R}", "-i", "p.env"], "p.env"),
    (["encrypt", "--age", "{R}", "-i", "p.ini"], "p.ini"),
    (["encrypt", "--age", "{R}", "--output", "out.txt", "p.bin"], "out.txt:binary"),
    (["encrypt", "--age", "{R}", "p.yaml", "--output", "out.yaml"], "out.yaml"),
    (["--age", "{R}", "-e", "-i", "p.yaml"], "p.yaml"),
    (["encrypt", "--age={R}", "--output", "out.json", "--output-type", "json", "p.yaml"], "out.json"),
    (["encrypt", "--age", "{R}", "--output", "out", "--input-type", "binary", "p.yaml"], "out:yaml"),
    (["encrypt", "--age", "{R}", "--encrypted-regex", "^b$", "-i", "p.yaml"], "p.yaml"),
    (["decrypt", "-i", "e.env"], ""),
    (["decrypt", "--output", "out.yaml", "e.yaml"], ""),
]


@pytest.mark.parametrize(
    ("args", "file"), ROWS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_is_written(tmp_path: Path, args: list[str], file: str) -> None:
    used = [name for name in FILES if name.rstrip("!") in args]
    real, ours = boxes(
        tmp_path, AgeKey.generate(), {**{name: FILES[name] for name in used}, "value.json": '"v"'}
    )
    theirs, mine = real.run(*args, input='"from stdin"'), ours.run(*args, input='"from stdin"')
    assert (mine.code, mine.out) == (theirs.code, theirs.out), (mine, theirs)
    assert theirs.code == 0, theirs
    assert sorted(path.name for path in ours.folder.iterdir()) == sorted(
        path.name for path in real.folder.iterdir()
    )
    if not file:
        for path in real.folder.iterdir():
            assert ours.read(path.name) == path.read_text()
        return
    name, _, type = file.partition(":")
    real.write("mine", ours.read(name))
    form = type or {"yaml": "yaml", "json": "json", "env": "dotenv", "ini": "ini"}[name.rpartition(".")[2]]
    out = "json" if form != "binary" else "binary"
    flags = ["--input-type", form, "--output-type", out]
    assert real.run("decrypt", *flags, "mine", code=0).out == real.run("decrypt", *flags, name, code=0).out


def test_nothing_to_do_writes_nothing(tmp_path: Path) -> None:
    _, ours = boxes(tmp_path, AgeKey.generate(), {"e.yaml!": FILES["e.yaml!"]})
    before = ours.read("e.yaml")
    ours.run("set", "--idempotent", "e.yaml", '["a"]["b"]', '"hello"', code=0)
    ours.run("unset", "--idempotent", "e.yaml", '["zz"]', code=0)
    ours.run("set", "--idempotent", "--output-type", "json", "e.yaml", '["a"]["b"]', '"hello"', code=0)
    assert ours.read("e.yaml") == before


class TestEditing:
    def test_edit(self, tmp_path: Path) -> None:
        real, ours = boxes(tmp_path, AgeKey.generate(), {"e.yaml!": FILES["e.yaml!"]})
        for box in (real, ours):
            editor = box.editor('sed -i s/hello/bye/ "$1"; basename "$1"')
            for args in (["edit", "e.yaml"], ["e.yaml"]):
                done = box.run(*args, environ=editor)
                assert done.code == (0 if args[0] == "edit" else 200)
                assert done.out == "e.yaml\n"  # the editor's own
        real.write("mine.yaml", ours.read("e.yaml"))
        out = ["--output-type", "json"]
        assert real.run("decrypt", *out, "mine.yaml").out == real.run("decrypt", *out, "e.yaml").out

    @pytest.mark.parametrize(("editor", "code"), [("true", 200), ("false", 201), ("/nonexistent", 201)])
    def test_editors(self, tmp_path: Path, editor: str, code: int) -> None:
        real, ours = boxes(tmp_path, AgeKey.generate(), {"e.yaml!": FILES["e.yaml!"]})
        for box in (real, ours):
            done = box.run("edit", "e.yaml", environ={"EDITOR": editor})
            assert (done.code, done.out) == (code, "")
            done = box.run(
                "--input-type", "yaml", "--output-type", "yaml", "e.yaml", environ={"EDITOR": editor}
            )
            assert done.code == code

    def test_a_new_file(self, tmp_path: Path) -> None:
        real, ours = boxes(tmp_path, AgeKey.generate(), {})
        for box in (real, ours):
            editor = box.editor('echo "a: new" > "$1"')
            box.run("edit", "--age", "{R}", "new.yaml", environ=editor, code=0)
        real.write("mine.yaml", ours.read("new.yaml"))
        assert real.run("decrypt", "mine.yaml").out == "a: new\n"

    def test_the_master_keys(self, tmp_path: Path) -> None:
        key, other = AgeKey.generate(), AgeKey.generate()
        real, ours = boxes(tmp_path, key, {"e.yaml": FILES["e.yaml!"]})
        ours.run("encrypt", "-i", "--age", f"{key.recipient},{other.recipient}", "e.yaml", code=0)
        shown = ours.folder.parent / "shown"
        done = ours.run("edit", "-s", "e.yaml", environ=ours.editor(f'cp "$1" {shown}'))
        assert done.code == 200
        assert f"recipient: {other.recipient}" in shown.read_text()
        assert "b: hello" in shown.read_text()
        # Taking a key out of the block takes it out of the file, with the data key that it knew.
        script = f"import sys,re\np=sys.argv[1]\ns=open(p).read()\ni=s.index('{other.recipient}')\n"
        script += "j=s.rindex('- enc',0,i) if '- enc' in s else s.rindex('        - ',0,i)\n"
        script += "k=s.index('lastmodified',i)\nopen(p,'w').write(s[:j].rstrip(' ')+'    '+s[k:])\n"
        (ours.folder.parent / "script.py").write_text(script)
        editor = ours.editor(f'python3 {ours.folder.parent / "script.py"} "$1"')
        ours.run("edit", "-s", "e.yaml", environ=editor, code=0)
        assert other.recipient not in ours.read("e.yaml")
        real.write("e.yaml", ours.read("e.yaml"))
        assert real.run("decrypt", "e.yaml", code=0).out == FILES["e.yaml!"]


def test_json_on_stdin_stays_json(tmp_path: Path) -> None:
    """What community.sops does: data on stdin, a name for the rule, cwd set."""
    key = AgeKey.generate()
    real, ours = boxes(tmp_path, key, {".sops.yaml": RULES.replace("{R}", key.recipient)})
    args = [
        "encrypt",
        "--input-type",
        "json",
        "--output-type",
        "yaml",
        "--filename-override",
        "x.yaml",
        "/dev/stdin",
    ]
    for box in (real, ours):
        enc = box.run(*args, input='{"a": {"b": [1, "x"]}}', code=0).out
        real.write("enc.yaml", enc)
        assert json.loads(real.run("decrypt", "--output-type", "json", "enc.yaml").out) == {
            "a": {"b": [1, "x"]}
        }
