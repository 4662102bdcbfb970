"""What the programs that call sops rely on: their argument lines, and the contract beyond them.

``CLIENTS`` has the calls of each client as it makes them; encconf answers under the name sops, and
where a client only lets its user set a path, under its own.
"""

# ruff: noqa: E501 - one call a line

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from oracle import AgeKey

from .conftest import ROOT, Box, drop_in

YAML = "a:\n    - x\nb: secret\n"


@pytest.fixture(params=["sops", "encconf"])
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    """encconf under a name, with an encrypted file and a rule for new ones."""
    key = AgeKey.generate()
    program = drop_in(tmp_path / "bin")
    if request.param == "encconf":
        os.rename(program, program := str(tmp_path / "bin" / "encconf"))
    box = Box(tmp_path / "box", program, key, {"PYTHONPATH": str(ROOT)})
    box.write(".sops.yaml", f"creation_rules:\n  - age: {key.recipient}\n")
    box.write(
        "rules.json", json.dumps({"creation_rules": [{"key_groups": [{"age": [key.recipient], "pgp": []}]}]})
    )
    box.write("braces", "{}")
    box.write("e.yaml", YAML)
    box.run("-e", "-i", "e.yaml", code=0)
    box.write("p.yaml", YAML)
    box.write("p.json", '{"a": "x"}\n')
    return box


ALL = {
    *("community.sops", "helm-secrets", "sopsy", "pydantic-settings-sops", "envdrift", "mise", "SecretSpec"),
    *("vscode-sops", "sops.nvim", "nvim-sops", "inmanta", "clan", "direnv", "textconv", "hubploy"),
    *("github-to-sops", "ploigos", "sops-checker"),
}
"""The programs known to call sops."""

BY_PATH = {"community.sops", "helm-secrets", "sopsy", "vscode-sops", "nvim-sops"}
"""Clients whose users can set the path of the program, so that its name may be encconf."""


# The client, its arguments, what comes in, and a text that comes out ("!" in front: is in FILE after).
CLIENTS: list[tuple[str, list[str], str, str]] = [
    ("community.sops", ["--version", "--disable-version-check"], "", "sops 3."),
    ("community.sops", ["decrypt", "--config", "/dev/null"], "", "usage"),
    ("community.sops", ["--config", "/dev/null", "decrypt", "--enable-local-keyservice=true", "e.yaml"], "", YAML),
    ("community.sops", ["decrypt", "--input-type", "yaml", "--output-type", "yaml", "e.yaml"], "", YAML),
    ("community.sops", ["decrypt", "--output-type", "json", "--extract", '["a"][0]', "e.yaml"], "", "x"),
    ("community.sops", ["decrypt", "--input-type", "yaml", "--output-type", "json", "/dev/stdin"], "@e.yaml", '"b": "secret"'),
    ("community.sops", ["filestatus", "e.yaml"], "", '{"encrypted":true}\n'),
    ("community.sops", ["filestatus", "p.yaml"], "", '{"encrypted":false}\n'),
    ("community.sops", ["encrypt", "--age", "{R}", "--input-type", "json", "--output-type", "yaml", "/dev/stdin"], '{"a": 1}', "sops:\n"),
    ("community.sops", ["encrypt", "--input-type", "yaml", "--filename-override", "x.yaml", "/dev/stdin"], YAML, "mac: ENC["),
    ("helm-secrets", ["--decrypt", "--input-type", "yaml", "--output-type", "yaml", "e.yaml"], "", YAML),
    ("helm-secrets", ["--decrypt", "--input-type", "yaml", "--output-type", "yaml", "--output", "out.yaml", "e.yaml"], "", ""),
    ("helm-secrets", ["--encrypt", "--input-type", "yaml", "--output-type", "yaml", "--in-place", "p.yaml"], "", "!p.yaml"),
    ("helm-secrets", ["--decrypt", "--input-type", "json", "--output-type", "json", "/dev/stdin"], "@json", '"a": "x"'),
    ("helm-secrets", ["--verbose", "--decrypt", "--input-type", "yaml", "--output-type", "yaml", "e.yaml"], "", YAML),
    ("sopsy", ["--config", "braces", "decrypt", "e.yaml"], "", YAML),
    ("sopsy", ["--config", "braces", "decrypt", "--extract", '["b"]', "e.yaml"], "", "secret"),
    ("sopsy", ["--config", "rules.json", "encrypt", "--in-place", "p.yaml"], "", "!p.yaml"),
    ("sopsy", ["--config", "braces", "decrypt", "--filename-override", "dummy.yaml"], "@e.yaml", YAML),
    ("sopsy", ["--config", "braces", "decrypt", "--output-type", "json", "e.yaml"], "", '{\n\t"a": [\n'),
    ("pydantic-settings-sops", ["--config", "braces", "decrypt", "e.yaml"], "", YAML),
    ("envdrift", ["--encrypt", "--age", "{R}", "--in-place", "--input-type", "dotenv", "--output-type", "dotenv", "d"], "", "!d"),
    ("mise", ["decrypt", "--input-type", "yaml", "--output-type", "yaml"], "@e.yaml", YAML),
    ("SecretSpec", ["decrypt", "--input-type", "yaml", "--output-type", "json", "e.yaml"], "", '"b": "secret"'),
    ("SecretSpec", ["encrypt", "--input-type", "yaml", "--output-type", "yaml", "--filename-override", "s.yaml", "--in-place", "p.yaml"], "", "!p.yaml"),
    ("SecretSpec", ["set", "--input-type", "yaml", "--output-type", "yaml", "--value-stdin", "e.yaml", '["c"]["d"]'], '"v"', "!e.yaml"),
    ("vscode-sops", ["--ignore-mac", "--config", "/dev/null", "--output-type", "yaml", "--input-type", "yaml", "--decrypt", "e.yaml"], "", YAML),
    ("vscode-sops", ["--config", "/dev/null", "--config", "rules.json", "--output-type", "yaml", "--encrypt", "p.yaml"], "", "sops:\n"),
    ("sops.nvim", ["--decrypt", "--input-type", "yaml", "--output-type", "yaml", "e.yaml"], "", YAML),
    ("nvim-sops", ["--encrypt", "--in-place", "p.yaml"], "", "!p.yaml"),
    ("nvim-sops", ["--decrypt", "--in-place", "e.yaml"], "", "!e.yaml"),
    ("inmanta", ["-v"], "", "sops 3."),
    ("inmanta", ["decrypt", "--filename-override", "file.yaml", "--output-type", "json"], "@e.yaml", '"b": "secret"'),
    ("inmanta", ["--age={R}", "-e", "-i", "p.yaml"], "", "!p.yaml"),
    ("clan", ["--config", "rules.json", "encrypt", "--in-place", "p.yaml"], "", "!p.yaml"),
    ("clan", ["--config", "rules.json", "updatekeys", "--yes", "e.yaml"], "", ""),
    ("direnv", ["-d", "--output-type", "dotenv", "flat.yaml"], "", "b=secret\n"),
    ("textconv", ["decrypt", "e.yaml"], "", YAML),
    ("hubploy", ["--output", "out.yaml", "--decrypt", "e.yaml"], "", ""),
    ("github-to-sops", ["updatekeys", "-y", "e.yaml"], "", ""),
    ("ploigos", ["--decrypt", '--extract=["a"][0]', "--input-type=yaml", "e.yaml"], "", "x"),
    ("sops-checker", ["--encrypt", "--in-place", "p.yaml"], "", "!p.yaml"),
]  # fmt: skip


CALLS = [("sops", *row) for row in CLIENTS] + [("encconf", *row) for row in CLIENTS if row[0] in BY_PATH]


@pytest.mark.parametrize(
    ("tool", "client", "args", "input", "wanted"),
    CALLS,
    ids=[f"{row[1]}: {row[0]} {' '.join(row[2])}" for row in CALLS],
    indirect=["tool"],
)
def test_calls(tool: Box, client: str, args: list[str], input: str, wanted: str) -> None:
    if input.startswith("@"):
        tool.write("d.json", tool.read("p.json"))
        tool.run("-e", "-i", "d.json", code=0)
        input = tool.read("d.json" if input == "@json" else "e.yaml")
    tool.write("d", "A=1\n")
    tool.write("flat.yaml", "b: secret\n")
    if "flat.yaml" in args:
        tool.run("-e", "-i", "flat.yaml", code=0)
    done = tool.run(*args, input=input, code=1 if wanted == "usage" else 0)
    if wanted.startswith("!"):
        assert done.out == ""
        text = tool.read(wanted[1:])
        decrypted = "--decrypt" in args
        assert ("ENC[" in text) != decrypted
    elif wanted != "usage":
        assert wanted in done.out
        if wanted in (YAML, "x", "secret"):
            assert done.out == wanted


def test_every_client_has_a_call() -> None:
    assert {client for client, *_ in CLIENTS} == ALL


class TestContract:
    def test_the_version(self, ours: Box) -> None:
        done = ours.run("--version", code=0)
        assert re.match(r"^sops (\d+)\.(\d+)\.(\d+)\n", done.out)
        assert done.out.split()[1] == "3.13.3"
        assert done.err == ""

    def test_it_loads_next_to_nothing(self) -> None:
        code = (
            "import sys; before = set(sys.modules); sys.argv = ['/usr/bin/sops', '--version']\n"
            "from encconf.cli import main; main(); print(*sorted(set(sys.modules) - before), file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        )
        found = {name.removeprefix("encconf.") for name in done.stderr.split() if name.startswith("encconf.")}
        assert found == {
            *("cli", "cli.console", "cli.sops", "errors", "io", "io.descriptors", "io.fileio"),
            *("text", "text.printable"),
        }
        assert not {"click", "re", "cryptography", "ruamel", "signal", "json"} & set(done.stderr.split())

    def test_ordinary_calls_need_no_click(self, tool: Box) -> None:
        code = (
            "import sys; before = set(sys.modules); sys.argv = ['sops', '-d', 'e.yaml']\n"
            "from encconf.cli import main; main(); print(*sorted(set(sys.modules) - before), file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=tool.folder,
            env=tool.environ,
        )
        heavy = {
            "click",
            "argparse",
            "subprocess",
            "tempfile",
            "logging",
            "dataclasses",
            "inspect",
            "pathlib",
            *("encconf.cli.table", "encconf.engine.sealing", "encconf.envelope.wrap", "encconf.verbs.rekey"),
        }
        assert not heavy & set(done.stderr.split())

    @pytest.mark.parametrize("tool", ["sops"], indirect=True)
    def test_words_on_stderr(self, tool: Box) -> None:
        assert "sops metadata not found" in tool.run("decrypt", "p.yaml", code=1).err
        tool.write(".sops.yaml", f"creation_rules:\n  - path_regex: nothing\n    age: {tool.key.recipient}\n")
        assert "no matching creation rules found" in tool.run("encrypt", "p.yaml", code=1).err
        (tool.folder / ".sops.yaml").unlink()
        words = "config file not found, or has no creation rules, and no keys provided through command line options"
        assert words in tool.run("encrypt", "p.yaml", code=1).err
        assert "Data key recovered successfully" in tool.run("--verbose", "-d", "e.yaml", code=0).err
        assert "data key" in tool.run("-d", "e.yaml", environ={"SOPS_AGE_KEY": "-"}, code=128).err

    @pytest.mark.parametrize(
        "rule", ["path_regex: p", "path_regex: p\n    key_groups: []", "key_groups: [{}]"]
    )
    def test_no_keys(self, ours: Box, rule: str) -> None:
        typo = "destination_rules:\n  - s3_bucket: x\n    reencryption_rule: {}\n"
        ours.write(".sops.yaml", f"creation_rules:\n  - {rule}\n{typo}")
        ours.write("p.yaml", "a: 1\n")
        done = ours.run("encrypt", "-i", "p.yaml", code=1)
        assert done.err == "Could not generate data key: [empty key group provided]\n"

    def test_exit_codes(self, tool: Box) -> None:
        assert tool.run("decrypt", "e.yaml", environ={"SOPS_AGE_KEY": "-"}).code == 128
        assert tool.run("edit", "e.yaml", environ={"EDITOR": "true"}).code == 200
        assert tool.run("--age", "{R}", "-e", "e.yaml").code == 203

    def test_the_shape_of_files(self, tool: Box) -> None:
        enc = tool.run("-e", "p.yaml", code=0).out
        assert re.search(r"(?m)^sops:$", enc)
        assert re.search(r"(?m)^    mac: ENC\[.*,type:str\]$", enc)
        assert re.search(r"(?m)^    version: \d+\.\d+\.\d+$", enc)
        enc = tool.run("-e", "p.json", code=0).out
        assert '"mac": "ENC[' in enc
        assert json.loads(enc)["sops"]["age"][0]["recipient"] == tool.key.recipient
        enc = tool.run("--input-type", "binary", "--output-type", "binary", "-e", "p.json", code=0).out
        assert '"data": "ENC[' in enc
        tool.write("d.env", "A=1\n")
        enc = tool.run("-e", "d.env", code=0).out
        assert re.search(r"(?m)^sops_version=", enc)
        assert re.search(r"(?m)^sops_mac=", enc)

    def test_config_and_types(self, tool: Box) -> None:
        for config in ("/dev/null", "braces", "rules.json"):
            assert tool.run("--config", config, "decrypt", "e.yaml", code=0).out == YAML
        (tool.folder / ".sops.yaml").unlink()
        line = ["--config", "/dev/null", "--config", "rules.json", "--output-type", '"yaml"', "-e", "p.yaml"]
        assert tool.run(*line, code=0).out.startswith("a:\n")
        tool.run("--config", "rules.json", "--config", "/dev/null", "-e", "p.yaml", code=1)

    def test_it_reads_stdin(self, tool: Box) -> None:
        text = tool.read("e.yaml")
        for args in (["--input-type", "yaml", "--output-type", "yaml"], ["--filename-override", "x.yaml"]):
            assert tool.run("decrypt", "--ignore-mac=false", *args, input=text, code=0).out == YAML
            assert tool.run("decrypt", *args, "/dev/stdin", input=text, code=0).out == YAML

    def test_the_editor_talks_on_our_streams(self, tool: Box) -> None:
        """An editor that is a JSON service on stdin and stdout, with no terminal anywhere."""
        editor = tool.editor('read line; echo "got $line"; echo "b: $line" >> "$1"')
        done = tool.run("e.yaml", input="hello\n", environ=editor)
        if "b: secret" in YAML:  # a duplicate key is invalid YAML: no terminal to ask on, and nothing is lost
            assert done.out.startswith("got hello")
            assert done.code != 0
        editor = tool.editor('read line; echo "got $line"; echo "c: $line" >> "$1"')
        done = tool.run("e.yaml", input="hello\n", environ=editor, code=0)
        assert done.out == "got hello\n"
        assert tool.run("-d", "--extract", '["c"]', "e.yaml").out == "hello"

    def test_binary_of_a_tree(self, tool: Box) -> None:
        tool.write("d.yaml", "data: |\n    text\n")
        tool.run("-e", "-i", "d.yaml", code=0)
        assert tool.run("-d", "--output-type", "binary", "d.yaml", code=0).out == "text\n"
        assert tool.run("-d", "--output-type", "binary", "e.yaml", code=4).out == ""

    def test_a_scalar_is_raw(self, tool: Box) -> None:
        for path in ('["b"]', "['b']"):
            assert tool.run("decrypt", "--extract", path, "e.yaml", code=0).out == "secret"

    def test_flags_after_the_file(self, tool: Box) -> None:
        assert tool.run("decrypt", "e.yaml", "--extract", '["b"]', code=0).out == "secret"
        done = tool.run("-d", "e.yaml", "--extract", '["b"]', code=0)
        assert done.out == YAML
        assert "Flags must always be provided before the first positional argument!" in done.err

    def test_stdout_and_stderr_together_are_data_only(self, tool: Box) -> None:
        done = subprocess.run(
            [tool.program, "-d", "e.yaml"], cwd=tool.folder, env=tool.environ, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=True,
        )  # fmt: skip
        assert done.stdout.decode() == YAML
