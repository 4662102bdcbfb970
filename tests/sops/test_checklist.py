"""Everything that sops has, a row each: commands, flags, variables, exit codes.

A row of ``ROWS`` is a flag of a command, with arguments under which it matters.  The real sops and the
drop-in must end alike with it, and the drop-in must end otherwise without it.  The tables of flags are
compared with what the real one's help says, so that a flag that is missing here is seen.
"""

# ruff: noqa: E501 - one row a line

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from doubles.recording_keyservice import RecordingKeyservice, by_itself
from oracle import FIXTURES, AgeKey, gpg_home, sops_binary

from encconf.cli.sops_line import COMMANDS, ENTRIES

from .conftest import ROOT, Box, boxes

pytestmark = pytest.mark.services

TABLE = [name for name, entry in ENTRIES.items() if not entry.is_group]

# Flags of the drop-in that the binary has not.
MORE = {
    (command, "aws-profile")
    for command in ("exec-env", "exec-file", "updatekeys", "decrypt", "rotate", "set", "unset")
}
MORE |= {("completion fish", ""), ("completion powershell", "")}

ARN = "arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-1111-1111-111111111111"
ARN2 = ARN.replace("11111111-", "22222222-")
GCP, GCP2 = (f"projects/p/locations/global/keyRings/r/cryptoKeys/{name}" for name in "kl")
HCKMS, HCKMS2 = (f"eu-west-101:{digit * 8}-1111-1111-1111-111111111111" for digit in "12")
AZURE, AZURE2 = (f"https://{name}.vault.azure.net/keys/k/1234" for name in ("one", "two"))
VAULT, VAULT2 = (f"https://vault.example.com/v1/transit/keys/{name}" for name in "kl")
PGP, PGP2 = "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4", "D7229043384BCC60326C6FB9D8720D957C3D3074"
AGE2 = AgeKey.generate()
KEYS = {
    "kms": ("kms", ARN, ARN2),
    "gcp-kms": ("gcp_kms", GCP, GCP2),
    "hckms": ("hckms", HCKMS, HCKMS2),
    "azure-kv": ("azure_kv", AZURE, AZURE2),
    "hc-vault-transit": ("hc_vault", VAULT, VAULT2),
    "pgp": ("pgp", PGP, PGP2),
    "age": ("age", "{R}", AGE2.recipient),
}

# --- the lists of commands and flags -------------------------------------------------------------


def of_help(*command: str) -> dict[str, tuple[set[str], bool, str]]:
    """What the real one's help says: by its first long name, a flag's names, whether it takes a value, its variable."""
    out = subprocess.run(
        [sops_binary(), *command, "--help"], capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, tuple[set[str], bool, str]] = {}
    for line in re.findall(r"(?m)^   (-.*)$", out.partition("OPTIONS:")[2]):
        head = re.split(r"\s{2,}", line)[0]
        names = re.findall(r"(?<![\w-])--?([a-z-]+)", head)
        env = re.search(r"\[\$(\w+)\]", line)
        if "help" not in names:
            found[names[0]] = (set(names), " value" in head, env[1] if env else "")
    return found


def of_table(command: str) -> dict[str, tuple[set[str], bool, str]]:
    flags = ENTRIES[command].flags
    return {flag.names[0]: (set(flag.names), not flag.is_switch, flag.env) for flag in flags}


def test_the_commands() -> None:
    out = subprocess.run([sops_binary(), "--help"], capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"(?m)^   ([a-z-]+)  ", out.partition("COMMANDS:")[2].partition("GLOBAL")[0])
    assert set(listed) == set(COMMANDS)


@pytest.mark.parametrize(
    "command", [name for name in TABLE if (name, "") not in MORE], ids=lambda name: name or "root"
)
def test_the_flags(command: str) -> None:
    mine = of_table(command)
    for name in list(mine):
        if (command, name) in MORE:
            del mine[name]
    assert mine == of_help(*command.split())


# --- what each flag does -------------------------------------------------------------------------

YAML = "a: 1\nb_x: two\n# mark\nc: three\n"
DOC = 'a:\n    b: hello\nl:\n    - 1\nname_unencrypted: "free"\n'
FILES = {
    "p.yaml": YAML,
    "p.json": '{"a": "one", "b_x": "two"}\n',
    "e.yaml!": DOC,
    "flat.yaml!": "a: x\nb: y\n",
    "noext!": DOC,
    "plain": YAML,
    "value.json": '"from a file"',
    "rules/two": "creation_rules:\n  - key_groups:\n      - age: [{R}]\n      - age: [{R2}]\n",
    "rules/one": "creation_rules:\n  - age: {R}\n",
    "rules/named": "creation_rules:\n  - path_regex: other\\.json$\n    age: {R}\n",
}


class Row:
    """``base`` with and without ``words``, which are the flag; ``{…}`` stand for what a test has.

    ``same``: why the drop-in ends alike without it.  ``editor``: the script that is the editor.
    """

    def __init__(
        self,
        words: str | list[str],
        base: str | list[str],
        *,
        same: str = "",
        editor: str = "",
        input: str = "",
        keyservice: bool = False,
        root: str = "",
        other: str = "",
    ) -> None:
        self.words = words.split() if isinstance(words, str) else words
        self.base = base.split() if isinstance(base, str) else base
        self.same = same
        self.editor = editor
        self.input = input
        self.keyservice = keyservice
        self.root = root.split()
        self.other = other


def keys_of(command: list[str], file: str, *, editor: str = "") -> dict[str, Row]:
    """The flags that name keys for a new file; a key service of the test wraps for all of them."""
    rows = {}
    for flag, (_, name, _) in KEYS.items():
        rows[flag] = Row(["--" + flag, name], [*command, file], editor=editor, keyservice=True)
    rows["aws-profile"] = Row(
        "--aws-profile ci", [*command, "--kms", ARN, file], editor=editor, keyservice=True
    )
    rows["encryption-context"] = Row(
        "--encryption-context k:v,l:w", [*command, "--kms", ARN, file], editor=editor, keyservice=True
    )
    rows["shamir-secret-sharing-threshold"] = Row(
        "--shamir-secret-sharing-threshold 1", [*command, file], editor=editor, root="--config rules/two"
    )
    return rows


def selections(command: list[str], file: str, *, editor: str = "", comments: bool = False) -> dict[str, Row]:
    rows = {
        "unencrypted-suffix": "_x",
        "encrypted-suffix": "_x",
        "unencrypted-regex": "^a$",
        "encrypted-regex": "^a$",
        **({"unencrypted-comment-regex": "mark", "encrypted-comment-regex": "mark"} if comments else {}),
    }
    base = [*command, "--age", "{R}", file]
    return {name: Row(["--" + name, value], base, editor=editor) for name, value in rows.items()}


def services(command: list[str], rest: list[str], *, root: str = "") -> dict[str, Row]:
    """How a command learns which program unwraps: only a key service opens kms.yaml."""
    return {
        "keyservice": Row(
            ["--keyservice", "{KS}"], [*command, "--enable-local-keyservice=false", *rest], root=root
        ),
        "enable-local-keyservice": Row(
            ["--enable-local-keyservice=false"],
            [*command, *[word.replace("kms.yaml", "e.yaml") for word in rest]],
            root=root,
        ),
    }


def orders(command: list[str], rest: list[str]) -> dict[str, Row]:
    return {"decryption-order": Row("--decryption-order age,age", [*command, *rest])}


def changes(command: list[str]) -> dict[str, Row]:
    rows = {}
    for flag, (_, _, name) in KEYS.items():
        rows[f"add-{flag}"] = Row([f"--add-{flag}", name], [*command, "-i", "all.yaml"], keyservice=True)
        removed = KEYS[flag][1]
        rows[f"rm-{flag}"] = Row([f"--rm-{flag}", removed], [*command, "-i", "all.yaml"], keyservice=True)
    rows["encryption-context"] = Row(
        "--encryption-context k:v", [*command, "-i", "--add-kms", ARN2, "all.yaml"], keyservice=True
    )
    return rows


NEW = 'printf "a: 1\\nb_x: two\\n# mark\\nc: three\\n" > "$1"'
TOUCH = 'sed -i s/hello/bye/ "$1"'
ONE = "--config rules/one"

ROWS: dict[str, dict[str, Row]] = {
    "encrypt": {
        "in-place": Row("-i", "encrypt --age {R} p.yaml"),
        "output": Row("--output out.yaml", "encrypt --age {R} p.yaml"),
        **keys_of(["encrypt"], "p.yaml"),
        "input-type": Row("--input-type yaml", "encrypt --age {R} plain"),
        "output-type": Row("--output-type json", "encrypt --age {R} p.yaml"),
        **selections(["encrypt"], "p.yaml"),
        "filename-override": Row(
            "--filename-override other.json", "encrypt p.json", root="--config rules/named"
        ),
        **services(["encrypt", "--kms", ARN], ["p.yaml"]),
        "enable-local-keyservice": Row("--enable-local-keyservice=false", "encrypt --age {R} p.yaml"),
    },
    "decrypt": {
        "in-place": Row("-i", "decrypt e.yaml"),
        "extract": Row(["--extract", '["a"]["b"]'], "decrypt e.yaml"),
        "output": Row("--output out.yaml", "decrypt e.yaml"),
        "input-type": Row("--input-type yaml", "decrypt noext"),
        "output-type": Row("--output-type json", "decrypt e.yaml"),
        "ignore-mac": Row("--ignore-mac", "decrypt bent.yaml"),
        "filename-override": Row("--filename-override x.yaml", "decrypt noext"),
        **orders(["decrypt"], ["e.yaml"]),
        **services(["decrypt"], ["kms.yaml"]),
    },
    "rotate": {
        "in-place": Row("-i", "rotate e.yaml"),
        "output": Row("--output out.yaml", "rotate e.yaml"),
        "input-type": Row("--input-type yaml --output-type yaml", "rotate noext"),
        "output-type": Row("--output-type json", "rotate e.yaml"),
        **changes(["rotate"]),
        "filename-override": Row("--filename-override x.yaml", "rotate noext"),
        **orders(["rotate"], ["e.yaml"]),
        **services(["rotate"], ["kms.yaml"]),
    },
    "edit": {
        **keys_of(["edit"], "new.yaml", editor=NEW),
        "input-type": Row("--input-type yaml --output-type yaml", "edit noext", editor=TOUCH),
        "output-type": Row("--output-type json", "edit e.yaml", editor=TOUCH),
        **selections(["edit"], "new.yaml", editor=NEW),
        "show-master-keys": Row("-s", "edit e.yaml", editor='grep -q recipient "$1" && echo shown'),
        "ignore-mac": Row("--ignore-mac", "edit bent.yaml", editor=TOUCH),
        **{
            name: Row(row.words, row.base, editor=TOUCH)
            for name, row in (orders(["edit"], ["e.yaml"]) | services(["edit"], ["kms.yaml"])).items()
        },
    },
    "set": {
        "input-type": Row("--input-type yaml --output-type yaml", ["set", "noext", '["a"]["b"]', '"x"']),
        "output-type": Row("--output-type json", ["set", "e.yaml", '["a"]["b"]', '"x"']),
        "value-file": Row("--value-file", ["set", "e.yaml", '["a"]["b"]', "value.json"]),
        "value-stdin": Row("--value-stdin", ["set", "e.yaml", '["a"]["b"]'], input='"from stdin"'),
        "shamir-secret-sharing-threshold": Row(
            "--shamir-secret-sharing-threshold 1",
            ["set", "e.yaml", '["a"]["b"]', '"x"'],
            same="read, and of no use: in sops, too",
        ),
        "ignore-mac": Row("--ignore-mac", ["set", "bent.yaml", '["a"]["b"]', '"x"']),
        **orders(["set"], ["e.yaml", '["a"]["b"]', '"x"']),
        "idempotent": Row(
            "--idempotent",
            ["set", "e.yaml", '["a"]["b"]', '"hello"'],
            same="see set-same in docs/sops-differences.md",
        ),
        **services(["set"], ["kms.yaml", '["a"]["b"]', '"x"']),
    },
    "unset": {
        "input-type": Row("--input-type yaml --output-type yaml", ["unset", "noext", '["a"]["b"]']),
        "output-type": Row("--output-type json", ["unset", "e.yaml", '["a"]["b"]']),
        "shamir-secret-sharing-threshold": Row(
            "--shamir-secret-sharing-threshold 1",
            ["unset", "e.yaml", '["a"]["b"]'],
            same="read, and of no use: in sops, too",
        ),
        "ignore-mac": Row("--ignore-mac", ["unset", "bent.yaml", '["a"]["b"]']),
        **orders(["unset"], ["e.yaml", '["a"]["b"]']),
        "idempotent": Row("--idempotent", ["unset", "e.yaml", '["nothing"]']),
        **services(["unset"], ["kms.yaml", '["a"]["b"]']),
    },
    "updatekeys": {
        "yes": Row("-y", "updatekeys e.yaml", root="--config rules/two"),
        "input-type": Row("--input-type yaml", "updatekeys -y noext", root="--config rules/two"),
        **services(["updatekeys", "-y"], ["kms.yaml"], root="--config rules/two"),
    },
    "groups add": {
        "file": Row("--file e.yaml", "groups add --age {R2}"),
        **{
            flag: Row(
                ["--" + flag, name], ["groups", "add", "-f", "kms.yaml", "--pgp", PGP2], keyservice=True
            )
            for flag, (_, name, _) in KEYS.items()
            if flag != "hckms"
        },
        "hckms": Row(
            ["--hckms", HCKMS],
            "groups add -f e.yaml --age {R2}",
            other="the binary and 3.13.3 declare it and never look at it",
        ),
        "aws-profile": Row(
            "--aws-profile ci", ["groups", "add", "-f", "kms.yaml", "--kms", ARN], keyservice=True
        ),
        "encryption-context": Row(
            "--encryption-context k:v", ["groups", "add", "-f", "kms.yaml", "--kms", ARN], keyservice=True
        ),
        "in-place": Row("-i", "groups add -f e.yaml --age {R2}"),
        "shamir-secret-sharing-threshold": Row(
            "--shamir-secret-sharing-threshold 3", "groups add -f three.yaml --age {R2}"
        ),
        **services(["groups", "add", "--age", "{R2}"], ["-f", "kms.yaml"]),
    },
    "groups delete": {
        "file": Row("--file two.yaml", "groups delete --shamir-secret-sharing-threshold 1 0"),
        "in-place": Row("-i", "groups delete --shamir-secret-sharing-threshold 1 -f two.yaml 0"),
        "shamir-secret-sharing-threshold": Row(
            "--shamir-secret-sharing-threshold 1", "groups delete -f two.yaml 0"
        ),
        **services(["groups", "delete", "--shamir-secret-sharing-threshold", "1"], ["-f", "kms2.yaml", "0"]),
        "enable-local-keyservice": Row(
            "--enable-local-keyservice=false",
            "groups delete --shamir-secret-sharing-threshold 1 -f two.yaml 0",
        ),
    },
    "exec-env": {
        "background": Row(
            "--background", ["exec-env", "flat.yaml", "exit 3"], other="see docs/sops-differences.md"
        ),
        "pristine": Row("--pristine", ["exec-env", "flat.yaml", "echo $a $HOME"]),
        "user": Row("--user nosuch", ["exec-env", "flat.yaml", "true"]),
        "same-process": Row(
            "--same-process",
            ["exec-env", "flat.yaml", "echo $a"],
            same="the same from outside: encconf always is the same process",
        ),
        **orders(["exec-env"], ["flat.yaml", "true"]),
        **services(["exec-env"], ["kms.yaml", "echo $a"]),
    },
    "exec-file": {
        "background": Row(
            "--background", ["exec-file", "e.yaml", "exit 3"], other="see docs/sops-differences.md"
        ),
        "no-fifo": Row("--no-fifo", ["exec-file", "e.yaml", "test -p {} || echo a file"]),
        "user": Row("--user nosuch", ["exec-file", "e.yaml", "true"]),
        "input-type": Row("--input-type yaml --output-type yaml", ["exec-file", "noext", "cat {}"]),
        "output-type": Row("--output-type json", ["exec-file", "e.yaml", "cat {}"]),
        "filename": Row("--filename x.yaml", ["exec-file", "e.yaml", "cat {}; basename {}"]),
        **orders(["exec-file"], ["e.yaml", "cat {}"]),
        **services(["exec-file"], ["kms.yaml", "cat {}"]),
    },
    "filestatus": {"input-type": Row("--input-type yaml", "filestatus noext")},
    "": {
        "decrypt": Row("-d", "e.yaml", editor="true"),
        "encrypt": Row("-e", "--age {R} p.yaml", editor="true"),
        "rotate": Row("-r -i", "e.yaml", editor="true"),
        "disable-version-check": Row(
            "--disable-version-check", "-d e.yaml", same="encconf never asks a network"
        ),
        "check-for-updates": Row(
            "--check-for-updates",
            "-d e.yaml",
            same="encconf never asks a network; here sops does not, either",
        ),
        **keys_of(["-e"], "p.yaml"),
        "in-place": Row("-i", "-d e.yaml"),
        "extract": Row(["--extract", '["a"]["b"]'], "-d e.yaml"),
        "input-type": Row("--input-type yaml --output-type yaml", "-d noext"),
        "output-type": Row("--output-type json", "-d e.yaml"),
        "show-master-keys": Row("-s", "e.yaml", editor='grep -q recipient "$1" && echo shown'),
        **changes(["-r"]),
        **{"encryption-context": keys_of(["-e"], "p.yaml")["encryption-context"]},
        "ignore-mac": Row("--ignore-mac", "-d bent.yaml"),
        "mac-only-encrypted": Row("--mac-only-encrypted", "--age {R} -e p.yaml"),
        **selections(["-e"], "p.yaml", comments=True),
        "config": Row("--config rules/one", "-e p.yaml"),
        "set": Row(["--set", '["a"]["b"] "x"'], "-i e.yaml", editor="true"),
        "indent": Row("--indent 2", "-d e.yaml"),
        "verbose": Row("--verbose", "-d e.yaml"),
        "output": Row("--output out.yaml", "-d e.yaml"),
        "filename-override": Row("--filename-override x.yaml", "-d noext"),
        **orders(["-d"], ["e.yaml"]),
        **services(["-d"], ["kms.yaml"]),
        "version": Row("--version", "", other="the binary calls itself 3.11.0"),
    },
}
ROWS[""]["shamir-secret-sharing-threshold"] = Row(
    "--shamir-secret-sharing-threshold 1", "--config rules/two -e p.yaml"
)

ELSEWHERE = {
    *product(["publish"], ["yes", "omit-extensions", "recursive", "verbose", "decryption-order"]),
    *product(["publish"], ["enable-local-keyservice", "keyservice"]),
    *product(["keyservice"], ["network", "address", "prompt", "verbose"]),
}
"""Flags whose tests need a server of their own, in the folder of the command's name."""


def test_every_flag_has_a_row() -> None:
    flags = {(command, name) for command in TABLE for name in of_table(command)} - MORE
    shown = {(command, name) for command, rows in ROWS.items() for name in rows} | ELSEWHERE
    assert flags == shown


@pytest.mark.parametrize(("command", "flag"), sorted(ELSEWHERE), ids=lambda word: word)
def test_flags_with_servers(command: str, flag: str) -> None:
    texts = [path.read_text() for path in (ROOT / "tests" / command).glob("test_*.py")]
    assert any(f'"--{flag}' in text and f'"{command}"' in text for text in texts)


class Side:
    """One of the two programs, with the files of a test, and what it asked the key service."""

    def __init__(self, box: Box, service: RecordingKeyservice) -> None:
        self.box = box
        self.service = service

    def end(self, row: Row, words: list[str], environ: dict[str, str]) -> dict[str, Any]:
        """Everything that can be seen of a run: its end, its output, the files, and what was asked for."""
        self.service.requests.clear()
        if row.editor:
            environ = {**environ, **self.box.editor(row.editor)}
        if row.keyservice:
            environ = {
                "SOPS_KEYSERVICE": self.service.uri,
                "SOPS_ENABLE_LOCAL_KEYSERVICE": "false",
                **environ,
            }
        named = {"{KS}": self.service.uri, "{R2}": AGE2.recipient}
        words = [*row.root, *words]
        for mark, value in named.items():
            words = [word.replace(mark, value) for word in words]
        before = {path.name: path.read_text() for path in self.box.folder.iterdir() if path.is_file()}
        done = self.box.run(*words, input=row.input, environ=environ)
        after = {path.name: path.read_text() for path in self.box.folder.iterdir() if path.is_file()}
        files = {name: shape(text) for name, text in after.items()}
        return {
            "code": done.code,
            "out": shape(done.out),
            "files": files,
            "written": sorted(name for name, text in after.items() if before.get(name) != text),
            "asked": sorted({(name, str(request.key)) for name, request in self.service.requests}),
            "recovered": "Data key recovered successfully" in done.err,
        }


@functools.cache
def shape(text: str) -> Any:
    """A text without what no two runs have in common; an encrypted one as its tree."""
    if "ENC[" not in text:
        return text
    kind = "json" if text.startswith("{") else "yaml"
    tree = yaml.load(text.replace("\t", " "), yaml.CSafeLoader)
    metadata = tree.pop("sops", None) or {}
    for name in ("version", "lastmodified", "mac"):
        metadata.pop(name, None)
    if "key_groups" not in metadata:  # sops may write 1 or 0 there
        metadata.pop("shamir_threshold", None)
    return (
        kind,
        bare(tree),
        bare({name: value for name, value in metadata.items() if value not in ([], None)}),
    )


def bare(node: Any) -> Any:
    if isinstance(node, dict):
        members = {name: "…" if name in ("enc", "created_at") else bare(item) for name, item in node.items()}
        empty: dict[str, Any] = {
            "aws_profile": "",
            "version": "",
            "role": "",
            **{kind: [] for kind, *_ in KEYS.values()},
        }
        return {name: item for name, item in members.items() if item is not None and item != empty.get(name)}
    if isinstance(node, list):
        return [bare(item) for item in node]
    return re.sub(r"data:.*,type", "type", node) if isinstance(node, str) else node


def unlike(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two ends have not in common."""
    one, other = ({**end, **end["files"], "files": sorted(end["files"])} for end in (one, other))
    return {
        name: (one.get(name), other.get(name))
        for name in {**one, **other}
        if one.get(name) != other.get(name)
    }


class Bench:
    """The service and the files, of which each test gets its own copies."""

    def __init__(self, folder: Path, service: RecordingKeyservice) -> None:
        self.key = AgeKey.generate()
        self.service = service
        files = {
            name: text.replace("{R2}", AGE2.recipient).replace("{R}", self.key.recipient)
            for name, text in FILES.items()
        }
        self.made, _ = boxes(folder, self.key, files)
        made = self.made
        made.write("noext", made.read("e.yaml"))
        made.write("bent.yaml", re.sub("free", "bent", made.read("e.yaml")))
        remote = {"SOPS_KEYSERVICE": service.uri, "SOPS_ENABLE_LOCAL_KEYSERVICE": "false"}
        for name, flags in {
            "kms.yaml": ["--kms", ARN],
            "all.yaml": [word for flag, (_, key, _) in KEYS.items() for word in ("--" + flag, key)],
        }.items():
            made.write(name, DOC if name != "kms.yaml" else "a:\n    b: hello\n")
            made.run("encrypt", "-i", *flags, name, environ=remote, code=0)
        # encconf wraps a new data key only for recipients that a rule names (row `stranger`).
        members = {
            "azure-kv": "azure_keyvault",
            "hc-vault-transit": "hc_vault_transit_uri",
            "gcp-kms": "gcp_kms",
        }
        lines = [
            f"    {members.get(flag, flag)}: {f'[{key}]' if flag == 'hckms' else key}\n".replace(
                "{R}", self.key.recipient
            )
            for flag, (_, key, _) in KEYS.items()
        ]
        self.rules = "creation_rules:\n" + "".join([r"  - path_regex: ^all\.yaml$", "\n", *lines])
        self.rules += "\n".join([r"  - path_regex: ^kms\.yaml$", f"    kms: {ARN}\n"])
        made.write("two.yaml", DOC)
        made.run("--config", "rules/two", "encrypt", "-i", "two.yaml", code=0)
        made.write("three.yaml", made.read("two.yaml"))
        made.run(
            "groups",
            "add",
            "-i",
            "-f",
            "three.yaml",
            "--age",
            AGE2.recipient,
            environ={"SOPS_AGE_KEY": f"{self.key.identity}\n{AGE2.identity}"},
            code=0,
        )
        made.write("kms2.yaml", made.read("kms.yaml"))
        made.run("groups", "add", "-i", "-f", "kms2.yaml", "--age", "{R}", environ=remote, code=0)

    def sides(self, folder: Path, row: Row | None = None) -> tuple[Side, Side]:
        real, ours = boxes(folder, self.key, {})
        for box in (real, ours):
            box.environ["SOPS_AGE_KEY"] += "\n" + AGE2.identity
            for path in self.made.folder.rglob("*"):
                if path.is_file():
                    box.write(str(path.relative_to(self.made.folder)), path.read_text())
            if row is not None and {"all.yaml", "kms.yaml"} & {*row.base}:
                box.write(".sops.yaml", self.rules)
        return Side(real, self.service), Side(ours, self.service)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with RecordingKeyservice(by_itself) as service:
        yield Bench(tmp_path_factory.mktemp("checklist"), service)


ALL = [(command, flag) for command, rows in ROWS.items() for flag in rows]


@pytest.mark.parametrize(
    ("command", "flag"), ALL, ids=[f"{command or 'root'} --{flag}" for command, flag in ALL]
)
def test_a_flag(bench: Bench, tmp_path: Path, command: str, flag: str) -> None:
    row = ROWS[command][flag]
    at = len(command.split())
    with_it = [*row.base[:at], *row.words, *row.base[at:]]
    real, ours = bench.sides(tmp_path / "with", row)
    mine = ours.end(row, with_it, {})
    if not row.other:
        assert unlike(mine, real.end(row, with_it, {})) == {}
    if not row.same:
        _, ours = bench.sides(tmp_path / "without", row)
        assert unlike(mine, ours.end(row, row.base, {})) != {}
    variable = of_table(command)[flag][2]
    if variable and not row.same and not row.other:
        value = with_it[at + 1] if len(row.words) > 1 else row.words[0].partition("=")[2]
        _, ours = bench.sides(tmp_path / "variable", row)
        value = value.replace("{R}", bench.key.recipient).replace("{KS}", bench.service.uri)
        assert unlike(mine, ours.end(row, row.base, {variable: value})) == {}


# --- variables -----------------------------------------------------------------------------------


def key_file(box: Box) -> dict[str, str]:
    box.write("keys.txt", f"# a comment\n{box.key.identity}\n")
    return {"SOPS_AGE_KEY_FILE": "keys.txt"}


def key_command(box: Box) -> dict[str, str]:
    box.write("keys.txt", box.key.identity)
    return {"SOPS_AGE_KEY_CMD": "cat 'keys.txt'"}


def told_recipient(box: Box) -> dict[str, str]:
    """The command prints the key only for the recipient that is named."""
    box.write("keys.sh", f'[ "$SOPS_AGE_RECIPIENT" = {box.key.recipient} ] && echo {box.key.identity}\n')
    return {"SOPS_AGE_KEY_CMD": "sh keys.sh"}


def several_keys(box: Box) -> dict[str, str]:
    return {"SOPS_AGE_KEY": f"{AGE2.identity}\n{box.key.identity}"}


def keys_in_a_line(box: Box) -> dict[str, str]:
    return {"SOPS_AGE_KEY": f"{AGE2.identity} {box.key.identity}"}


def config_folder(box: Box) -> dict[str, str]:
    box.write("config/sops/age/keys.txt", box.key.identity)
    return {"XDG_CONFIG_HOME": str(box.folder / "config")}


def ssh_file(box: Box) -> dict[str, str]:
    return {"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(ssh_key(box))}


def ssh_command(box: Box) -> dict[str, str]:
    return {"SOPS_AGE_SSH_PRIVATE_KEY_CMD": f"cat {ssh_key(box)}"}


def ssh_key(box: Box) -> Path:
    """A new SSH key, for which e.yaml is re-encrypted."""
    path = box.folder / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    public = " ".join(path.with_suffix(".pub").read_text().split()[:2])
    box.run("encrypt", "--age", public, "--output", "e.yaml", "p.yaml", code=0)
    return path


def gpg_folder(box: Box) -> dict[str, str]:
    pgp = (FIXTURES / "keys" / "pgp.fingerprint").read_text().strip()
    environ = {"GNUPGHOME": str(gpg_home())}
    box.run("encrypt", "--pgp", pgp, "--output", "e.yaml", "p.yaml", environ=environ, code=0)
    return environ


def gpg_program(box: Box) -> dict[str, str]:
    environ = gpg_folder(box)
    box.write("my-gpg", f'#!/bin/sh\necho asked >> {box.folder}/asked\nexec gpg "$@"\n')
    (box.folder / "my-gpg").chmod(0o755)
    return {**environ, "SOPS_GPG_EXEC": str(box.folder / "my-gpg"), "HOME": str(box.folder)}


SCENES: dict[str, Any] = {
    "SOPS_AGE_KEY": several_keys,
    "SOPS_AGE_KEY, in one line": keys_in_a_line,
    "SOPS_AGE_KEY_FILE": key_file,
    "SOPS_AGE_KEY_CMD": key_command,
    "SOPS_AGE_RECIPIENT": told_recipient,
    "SOPS_AGE_SSH_PRIVATE_KEY_FILE": ssh_file,
    "SOPS_AGE_SSH_PRIVATE_KEY_CMD": ssh_command,
    "XDG_CONFIG_HOME": config_folder,
    "GNUPGHOME": gpg_folder,
    "SOPS_GPG_EXEC": gpg_program,
}
"""Variables that make a file be opened, by what they make of a folder; then they are the only ones."""

NEWER = {"SOPS_AGE_KEY, in one line", "SOPS_AGE_SSH_PRIVATE_KEY_CMD", "SOPS_AGE_RECIPIENT"}
"""3.12 and 3.13 have them, the binary not yet."""

IN_TESTS_OF_KEYS = {
    "GOOGLE_CREDENTIALS": "gcp",
    "GOOGLE_OAUTH_ACCESS_TOKEN": "gcp",
    "GOOGLE_APPLICATION_CREDENTIALS": "gcp",
    "SOPS_GCP_KMS_CLIENT_TYPE": "gcp",
    "SOPS_GCP_KMS_ENDPOINT": "gcp",
    "SOPS_GCP_KMS_UNIVERSE_DOMAIN": "gcp",
    "AWS_PROFILE": "aws",
    "AWS_ACCESS_KEY_ID": "aws",
    "AZURE_TENANT_ID": "azure",
    "AZURE_CLIENT_ID": "azure",
    "AZURE_CLIENT_SECRET": "azure",
    "VAULT_TOKEN": "vault",
    "VAULT_NAMESPACE": "vault",
    "VAULT_CACERT": "vault",
    "VAULT_ADDR": "vault",
    "SOPS_HC_VAULT_ALLOWLIST": "vault",
    "HUAWEICLOUD_SDK_AK": "huawei",
    "HUAWEICLOUD_SDK_SK": "huawei",
    "HUAWEICLOUD_SDK_PROJECT_ID": "huawei",
}


@pytest.mark.parametrize("variable", SCENES)
def test_a_variable(bench: Bench, tmp_path: Path, variable: str) -> None:
    real, ours = (side.box for side in bench.sides(tmp_path))
    for box in (ours, real)[: 1 if variable in NEWER else 2]:
        environ = {"SOPS_AGE_KEY": "-", "XDG_CONFIG_HOME": str(box.folder / "none"), **SCENES[variable](box)}
        nothing = {
            "SOPS_AGE_KEY": "-",
            "XDG_CONFIG_HOME": str(box.folder / "none"),
            "HOME": str(box.folder / "none"),
        }
        assert "a:" in box.run("decrypt", "e.yaml", environ=environ, code=0).out
        box.run("decrypt", "e.yaml", environ=nothing, code=128)
        assert (box.folder / "asked").exists() is (variable == "SOPS_GPG_EXEC")


@pytest.mark.parametrize("variable", IN_TESTS_OF_KEYS)
def test_variables_of_services(variable: str) -> None:
    provider = IN_TESTS_OF_KEYS[variable]
    tests = [
        path
        for folder in ("keys", "providers", "doubles")
        for path in (ROOT / "tests" / folder).glob(f"*{provider}*.py")
    ]
    assert any(f'"{variable}"' in path.read_text() for path in tests)


@pytest.mark.parametrize(
    "environ",
    [
        {"SOPS_EDITOR": "cat", "EDITOR": "false"},
        {"EDITOR": "sh -c 'cat \"$1\"' x"},
        {"PATH": "vim"},
        {"PATH": "nano"},
        {"PATH": "vi"},
    ],
    ids=" ".join,
)
def test_which_editor(bench: Bench, tmp_path: Path, environ: dict[str, str]) -> None:
    """SOPS_EDITOR, else EDITOR, split as a shell would, else the first of vim, nano and vi."""
    ends = []
    for side in bench.sides(tmp_path):
        box = side.box
        given = dict(environ)
        if "PATH" in given:
            box.write(f"bin/{given['PATH']}", '#!/bin/sh\nfor last; do :; done\nexec /bin/cat "$last"\n')
            (box.folder / "bin" / given["PATH"]).chmod(0o755)
            given["PATH"] = str(box.folder / "bin")
        done = box.run("edit", "e.yaml", environ=given)
        ends.append((done.code, done.out))
    assert ends[0] == ends[1] == (200, "a:\n    b: hello\nl:\n    - 1\nname_unencrypted: free\n")


# --- exit codes ----------------------------------------------------------------------------------

CODES: dict[int, list[str]] = {
    1: ["decrypt", "p.yaml"],
    2: ["set", "nope.yaml", '["a"]', "1"],
    3: ["decrypt", "--output", "/nonexistent/x", "e.yaml"],
    4: ["decrypt", "--output-type", "dotenv", "e.yaml"],
    6: ["encrypt", "--age", "{R}", "--encryption-context", "bad", "p.yaml"],
    7: ["set", "e.yaml", '["a"]', "no JSON"],
    8: ["decrypt", "-i", "--output", "x", "e.yaml"],
    25: ["decrypt", "plain-value.yaml"],
    49: ["rotate", "--add-age", "{R}", "nope.yaml"],
    51: ["decrypt", "bent.yaml"],
    91: ["decrypt", "--extract", "bad", "e.yaml"],
    92: ["encrypt", "--age", "{R}", "empty.yaml"],
    100: ["decrypt", "nope.yaml"],
    112: ["decrypt", "--decryption-order", "age,age", "e.yaml"],
    128: ["decrypt", "kms.yaml"],
    200: ["edit", "e.yaml"],
    201: ["edit", "e.yaml"],
    203: ["encrypt", "--age", "{R}", "e.yaml"],
}
"""A command line for each code of cmd/sops/codes/codes.go that can be met."""

UNMET = {
    5: "sops declares it and never uses it",
    21: "the MAC could not be encrypted: AES does not fail",
    23: "the tree could not be encrypted: what could make it fail is refused before",
    24: "never used",
    52: "never used",
    61: "never used",
    85: "never used",
    111: "never used",
    202: "the file could not be compared with the edited one: a disk that fails",
}


@pytest.mark.parametrize("code", CODES)
def test_an_exit_code(bench: Bench, tmp_path: Path, code: int) -> None:
    editors = {200: {"EDITOR": "true"}, 201: {"EDITOR": "false"}}
    for side in bench.sides(tmp_path):
        side.box.write("empty.yaml", "")
        side.box.write("plain-value.yaml", re.sub(r"b: ENC.*", "b: plain", side.box.read("e.yaml")))
        environ = {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_MAX_ATTEMPTS": "1",
        }
        done = side.box.run(*CODES[code], environ={**environ, **editors.get(code, {})}, code=code)
        assert done.out == ""


def test_every_code_of_encconf_is_on_the_list() -> None:
    from encconf.errors import EncconfError

    kinds: list[type[EncconfError]] = [EncconfError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    # 127, as shells have it: the program of encconf's own exec was not found.
    assert {kind.exit_code for kind in kinds} - {127} <= set(CODES)
    assert not set(CODES) & set(UNMET)
