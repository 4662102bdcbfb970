"""Each claim of README.md is listed here word for word, with the tests or the benchmark that prove it.

tests/test_pages.py runs the commands and the Python code of the page.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from oracle import AgeKey
from project import ROOT, Project

import encconf
from encconf.errors import KeyAccessError, MacMismatchError, NotEncryptedError

README = (ROOT / "README.md").read_text(encoding="utf-8")

BACKED: dict[str, tuple[str, ...]] = {
    "encconf encrypts the values of your `config.yaml` or `.env` and leaves the keys readable": (
        "test_claims::test_what_an_encrypted_file_shows",
    ),
    "so `sops` can read them too": ("test_differential::test_yaml", "test_differential::test_dotenv"),
    "encconf is a Python package: there is no server to run and no `sops` binary to ship": (
        "test_packaging::test_it_has_the_package_and_nothing_else",
        "test_claims::test_loading_a_file_writes_and_asks_nothing",
    ),
    "It creates your key, a `.sops.yaml` that names it, and the settings that let git show and merge": (
        "test_init::test_from_nothing_to_an_encrypted_file",
    ),
    "it keeps the values exactly as your program saw them": (
        "test_migrate::test_what_python_dotenv_reads",
        "test_migrate::test_the_program_gets_what_it_had",
    ),
    "tells you whether the file was ever committed": ("test_history::test_committed_and_removed",),
    "Afterwards only the line you changed (and the file's checksum and date) differs": (
        "test_edit::test_only_the_changed_line_differs",
    ),
    "`git diff` shows it decrypted to anyone who has a key": ("test_textconv::TestDiff",),
    "prints the file, byte for byte as you wrote it": (
        "test_pages::test_the_readme_comes_back_to_the_byte",
        "test_properties::test_any_yaml_like_text",
    ),
    "Nothing is written to disk": ("test_claims::test_loading_a_file_writes_and_asks_nothing",),
    "raises its own kind of `EncconfError`, with a `hint` that says what to do": (
        "test_claims::test_each_mistake_is_its_own_error_with_a_hint",
    ),
    "The first rule whose `path_regex` matches a file applies": (
        "test_pages::test_the_example_configuration_is_the_one_in_this_repository",
    ),
    "re-encrypts the files with a new data key, and lists the values that Bob could read": (
        "test_people::test_somebody_joins_and_leaves",
        "test_journeys::test_a_journey",
    ),
    "it edits this file and updates the encrypted ones": (
        "test_members::test_a_key_is_added_in_the_style_of_the_file_and_removed_without_a_trace",
    ),
    "`encconf check` finds values that the rules encrypt but that are still plaintext": (
        "test_claims::test_reports_need_no_key",
    ),
    "`encconf access` lists who can read which file and since when": ("test_access::test_no_key_is_used",),
    "shows what a branch changes without showing values": (
        "test_revisions::test_since_a_branch_was_left",
        "test_diff::test_no_value_is_printed",
    ),
    "SSH, PGP, a cloud's KMS (AWS, Google, Azure, Huawei), or Vault and OpenBao": (
        *("test_age::TestX25519", "test_pgp", "test_aws_kms", "test_gcp_kms"),
        *("test_azure_kv", "test_huawei_kms", "test_hc_vault"),
    ),
    "You don't need a `.sops.yaml`: `encconf encrypt --age age1… FILE`": (
        "test_claims::test_a_recipient_on_the_command_line_needs_no_rules",
    ),
    "still shows its keys, and the length and type of each value": (
        "test_claims::test_what_an_encrypted_file_shows",
    ),
    "| works offline | yes | no |": ("test_claims::test_loading_a_file_writes_and_asks_nothing",),
    "a vault can hold the key that opens the files, or single values that a file refers to": (
        "test_seven_ways::test_the_tests_of_a_way_exist",
    ),
    "encconf needs Python 3.11 or newer": ("test_packaging::test_the_classifiers_are_true",),
    "encconf is a drop-in replacement (`encconf shim DIR`)": (
        "test_shim::test_a_program_called_sops",
        "test_functional::test_all_are_shown",
    ),
}


@pytest.mark.parametrize("words", BACKED)
def test_each_claim_names_its_tests(words: str) -> None:
    assert words in " ".join(README.split())
    for test in BACKED[words]:
        file, _, name = test.partition("::")
        texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob(f"{file}.py")]
        assert any(re.search(rf"(?:def|class) {name}\b", text) for text in texts), test


def test_what_an_encrypted_file_shows(sealed: Project) -> None:
    """It shows keys, and the length and type of each value, but nowhere the value itself."""
    text = sealed.path("secrets.enc.yaml").read_text()
    found = encconf.inspect(text)
    assert ("db", "password") in [leaf.path for leaf in found.leaves]
    password = re.search(r"password: \"ENC\[AES256_GCM,data:([^,]+),[^]]*type:(\w+)\]", text)
    port = re.search(r"port: ENC\[AES256_GCM,data:([^,]+),[^]]*type:(\w+)\]", text)
    assert password is not None
    assert port is not None
    assert (len(password[1]) * 3 // 4 - password[1].count("="), password[2]) == (len("hunter2"), "str")
    assert (len(port[1]) * 3 // 4 - port[1].count("="), port[2]) == (len("5432"), "int")
    assert "hunter2" not in text


def test_loading_a_file_writes_and_asks_nothing(sealed: Project) -> None:
    """No file is opened for writing, no program is started, and no connection is made."""
    watch = """
import os, sys
import encconf
from encconf.errors import KeyAccessError, MacMismatchError, NotEncryptedError

seen = []
def hook(event, arguments):
    flags = arguments[2] if event == "open" else 0
    if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        seen.append((event, arguments[0]))
    elif event in ("socket.connect", "subprocess.Popen", "os.exec", "os.fork", "os.posix_spawn", "os.mkdir",
                   "os.rename", "os.link", "os.symlink", "tempfile.mkstemp", "tempfile.mkdtemp"):
        seen.append((event, str(arguments)))
sys.addaudithook(hook)
config = encconf.load_config("secrets.enc.yaml")
assert config["db"]["password"] == "hunter2"
assert not seen, seen
open("control", "w").close()
assert len(seen) == 1, seen
"""
    command = [sys.executable, "-B", "-c", watch]
    done = subprocess.run(
        command, cwd=sealed.folder, env=sealed.environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_each_mistake_is_its_own_error_with_a_hint(sealed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistake(text: str) -> encconf.EncconfError:
        path = sealed.write("other.enc.yaml", text)
        with pytest.raises(encconf.EncconfError) as found:
            encconf.load_config(path)
        assert found.value.hint
        assert "hunter2" not in f"{found.value} {found.value.hint}"
        return found.value

    text = sealed.path("secrets.enc.yaml").read_text()
    monkeypatch.setenv("SOPS_AGE_KEY", sealed.environ["SOPS_AGE_KEY"])
    changed = mistake(re.sub("(?m)^users: .*\n", "", text))
    plain = mistake("a: hunter2\n")
    monkeypatch.setenv("SOPS_AGE_KEY", AgeKey.generate().identity)
    no_key = mistake(text)
    kinds = [type(changed), type(plain), type(no_key)]
    assert kinds == [MacMismatchError, NotEncryptedError, KeyAccessError]


def test_reports_need_no_key(sealed: Project) -> None:
    sealed.git("init", "-q")
    sealed.git("add", "secrets.enc.yaml", "secrets.yaml", ".sops.yaml")
    sealed.git("-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x")
    del sealed.environ["SOPS_AGE_KEY"]
    assert "secrets.yaml" in sealed.run("check", code=1).out
    assert "secrets.enc.yaml" in sealed.run("access", "--no-history").out
    changed = re.sub("(?m)^users: .*\n", "", sealed.path("secrets.enc.yaml").read_text())
    sealed.write("secrets.enc.yaml", changed)
    assert "users" in sealed.run("diff", code=1).out


def test_a_recipient_on_the_command_line_needs_no_rules(project: Project) -> None:
    project.write("app.yaml", "a: hunter2\n")
    assert not Path(project.folder, ".sops.yaml").exists()
    project.run("encrypt", "--age", project.key.recipient, "app.yaml")
    assert project.run("decrypt", "app.enc.yaml").out == "a: hunter2\n"
