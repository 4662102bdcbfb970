"""What each command and ``import encconf`` may import, because start-up time is a budget."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from oracle import FIXTURES, AgeKey

from encconf import Rule, decrypt, encrypt
from encconf.keys.age import AgeKey as Recipient

ROOT = Path(__file__).resolve().parent.parent

# `import encconf` may load only these.
ALLOWED = {"encconf", "__future__"}

# Decrypting a file that an age key opens needs none of these.
NOT_TO_DECRYPT = {
    *("azure", "boto3", "click", "dataclasses", "email", "gnupg", "google", "hvac", "importlib.metadata"),
    *(
        "_hashlib",
        "hashlib",
        "inspect",
        "keyring",
        "logging",
        "platformdirs",
        "pydantic",
        "re2",
        "shlex",
        "subprocess",
    ),
    *("tempfile", "tomllib", "yaml"),
    # If no source is named, and the machine has no audit log.
    *("encconf.auditlog", "encconf.providers", "encconf.sources", "encconf.identities.userconfig"),
}

# Encrypting a new file for an age key needs none of these.
NOT_TO_ENCRYPT = {
    *NOT_TO_DECRYPT,
    *("bisect", "signal"),
    *(
        "encconf.engine.layout",
        "encconf.engine.reuse",
        "encconf.formats.emit",
        "encconf.text.tree",
    ),
    *("encconf.envelope.unwrap", "encconf.envelope.shamir", "encconf.text.align"),
}


def loaded(code: str, *args: str, site: bool = True) -> set[str]:
    """Return the modules that a piece of code loads in a new interpreter."""
    script = (
        "import sys; before = set(sys.modules)\n"
        f"{code}\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr, sep='\\n')"
    )
    command = [sys.executable, *([] if site else ["-S"]), "-c", script, *args]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def within(modules: set[str], names: set[str]) -> set[str]:
    return {module for module in modules if any(f"{module}.".startswith(f"{name}.") for name in names)}


def test_import_encconf_loads_nothing_else() -> None:
    assert loaded("import encconf", site=False) - ALLOWED == set()


def test_the_error_tree_loads_nothing_else() -> None:
    assert loaded("import encconf.errors", site=False) - {*ALLOWED, "encconf.errors"} == set()


@pytest.mark.parametrize("name", ["app-config.enc.json", "helm-values.enc.yaml"])
def test_load_config_loads_what_it_needs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOPS_AGE_KEY", AgeKey.load(FIXTURES / "keys" / "alice.txt").identity)
    code = "import encconf; encconf.load_config(sys.argv[1])"
    modules = loaded(code, str(FIXTURES / "sops" / name))
    assert within(modules, NOT_TO_DECRYPT) == set()
    if name.endswith(".json"):
        assert within(modules, {"ruamel", "_ruamel_yaml", "typing"}) == set()


def test_a_named_source_loads_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", AgeKey.load(FIXTURES / "keys" / "alice.txt").identity)
    monkeypatch.setenv("ENCCONF_IDENTITY", "env:MINE")
    code = "import encconf; encconf.load_config(sys.argv[1])"
    modules = loaded(code, str(FIXTURES / "sops" / "app-config.enc.json"))
    assert within(modules, NOT_TO_DECRYPT) == {
        *("encconf.sources", "encconf.sources.env"),
    }


def test_git_s_drivers_load_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git calls them once for each file."""
    alice = AgeKey.load(FIXTURES / "keys" / "alice.txt")
    monkeypatch.setenv("SOPS_AGE_KEY", alice.identity)
    rule = Rule([[Recipient.from_config(alice.recipient)]])
    base = encrypt("a: 1\nb: 2\n", rule)
    for name, text in (("base", base), ("a", encrypt("a: 2\nb: 2\n", twin=base)),
                       ("b", encrypt("a: 1\nb: 3\n", twin=base))):  # fmt: skip
        (tmp_path / name).write_text(text)
    names = [str(tmp_path / name) for name in ("base", "a", "b")]
    code = "from encconf.cli import main; assert main(sys.argv[1:]) in (0, None); sys.stdout.flush()"
    labels = ["--marker-size=7", "--base-label=x (y z)", "--ours-label=HEAD", "--theirs-label=%Y"]
    assert within(loaded(code, "git", "textconv", names[0]), NOT_TO_DECRYPT) == set()
    not_for_one_file = {"encconf.rules.config", "encconf.io.programs", "encconf.io.trust"}
    assert within(loaded(code, "decrypt", names[0]), {*NOT_TO_DECRYPT, *not_for_one_file}) == set()
    modules = loaded(code, "git", "merge", *names, "./x.enc.yaml", *labels)
    assert within(modules, {*NOT_TO_DECRYPT, "ruamel", "_ruamel_yaml"}) == set()
    assert "b: 3" in decrypt((tmp_path / "a").read_text())


def test_textconv_asks_its_companion_before_it_loads_anything(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a: 1\n")
    code = "import sys; from encconf.cli import main; from encconf.git import textconv; "
    code += "from encconf.io import fileio; textconv.plaintext_of(sys.argv[1])"
    modules = loaded(code, str(tmp_path / "x"))
    heavy = {"re", "enum", "json", "socket", "click", "cryptography", "encconf.engine", "encconf.identities"}
    assert within(modules, {*NOT_TO_DECRYPT, *heavy}) == set()


def test_the_command_line_decrypts_without_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOPS_AGE_KEY", AgeKey.load(FIXTURES / "keys" / "alice.txt").identity)
    code = "from encconf.cli import main; assert main(sys.argv[1:]) in (0, None); sys.stdout.flush()"
    modules = loaded(code, "decrypt", str(FIXTURES / "sops" / "helm-values.enc.yaml"))
    assert within(modules, NOT_TO_DECRYPT) == set()
    commands = {module for module in modules if module.startswith("encconf.cli.commands.")}
    assert commands == {"encconf.cli.commands.decrypt"}


@pytest.mark.parametrize("words", [["--help"], ["help", "all"]])
def test_the_help_that_lists_the_commands_imports_none(words: list[str]) -> None:
    code = "from encconf.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: sys.stdout.flush()"
    modules = within(loaded(code, *words), {"encconf.cli.commands", "encconf.engine"})
    assert modules <= {"encconf.cli.commands", "encconf.cli.commands.help"}


def test_encrypting_loads_nothing_that_opens_files_or_compares_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = AgeKey.load(FIXTURES / "keys" / "alice.txt")
    (tmp_path / "a.yaml").write_text("a: 1\nb: x\n# c\nd:\n  - one\n")
    code = "from encconf.cli import main; assert main(sys.argv[1:]) in (0, None); sys.stdout.flush()"
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age: {alice.recipient}\n")
    monkeypatch.setenv("SOPS_CONFIG", str(tmp_path / ".sops.yaml"))
    modules = loaded(code, "encrypt", str(tmp_path / "a.yaml"))
    assert within(modules, {*NOT_TO_ENCRYPT, "ruamel", "_ruamel_yaml"}) == set()
    assert (tmp_path / "a.enc.yaml").exists()
