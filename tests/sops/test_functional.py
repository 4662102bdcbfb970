"""The behaviours that sops's own functional tests show (functional-tests/src/lib.rs), tested here again.

Those are Rust, and need a checkout of sops: ``make functional`` runs them.  Each is named in ``SHOWN``,
with the test that has its behaviour; where that is one below, encconf called sops is run, and the real
one beside it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles.recording_keyservice import RecordingKeyservice, by_itself
from oracle import AgeKey

from .conftest import ROOT, Box, boxes

JSON = '{\n    "foo": 2,\n    "bar": "baz"\n}'
HERE, SOPS, TEXTS = "test_functional.py", "test_sops.py", "test_texts.py"
PUBLISH = "../publish/test_publish.py"
SHOWN = {
    "encrypt_json_file": (TEXTS, "test_what_is_written"),
    "encrypt_from_stdin": (HERE, "test_encrypt_from_stdin"),
    "publish_json_file_s3": (PUBLISH, "test_as_sops"),
    "publish_json_file_vault": (PUBLISH, "test_as_sops"),
    "publish_json_file_vault_version_1": (PUBLISH, "test_as_sops"),
    "encrypt_json_file_kms": (HERE, "test_a_context"),
    "test_ini_values_as_strings": (SOPS, "test_exit_code_and_stdout"),
    "encrypt_yaml_file": (TEXTS, "test_what_is_written"),
    "set_json_file_update": (TEXTS, "test_what_is_written"),
    "set_json_file_update_idempotent_write": (TEXTS, "test_what_is_written"),
    "set_json_file_update_idempotent_nowrite": (TEXTS, "test_nothing_to_do_writes_nothing"),
    "set_json_file_insert": (TEXTS, "test_what_is_written"),
    "set_json_file_insert_with_value_file": (TEXTS, "test_what_is_written"),
    "set_json_file_insert_with_value_stdin": (TEXTS, "test_what_is_written"),
    "set_yaml_file_update": (TEXTS, "test_what_is_written"),
    "set_yaml_file_insert": (TEXTS, "test_what_is_written"),
    "set_yaml_file_string": (TEXTS, "test_what_is_written"),
    "set_yaml_file_string_compat": (TEXTS, "test_what_is_written"),
    "test_yaml_time": (SOPS, "test_exit_code_and_stdout"),
    "unset_json_file": (TEXTS, "test_what_is_written"),
    "unset_yaml_file": (TEXTS, "test_what_is_written"),
    "decrypt_file_no_mac": (HERE, "test_without_a_mac"),
    "decrypt_from_stdin": ("test_run.py", "test_stdin"),
    "encrypt_comments": (HERE, "test_comments"),
    "encrypt_comments_list": (HERE, "test_comments"),
    "decrypt_comments": (HERE, "test_comments"),
    "decrypt_comments_unencrypted_comments": (HERE, "test_comments_in_clear"),
    "roundtrip_shamir": (HERE, "test_shamir"),
    "roundtrip_shamir_missing_decryption_key": (HERE, "test_shamir"),
    "test_decrypt_file_multiple_keys": ("test_keys.py", "test_updatekeys_asks"),
    "test_no_keygroups": ("test_clients.py", "test_no_keys"),
    "test_zero_keygroups": ("test_clients.py", "test_no_keys"),
    "test_empty_keygroup": ("test_clients.py", "test_no_keys"),
    "extract_string": (SOPS, "test_exit_code_and_stdout"),
    "roundtrip_binary": (TEXTS, "test_what_is_written"),
    "roundtrip_kms_encryption_context": (HERE, "test_a_context"),
    "output_flag": (TEXTS, "test_what_is_written"),
    "exec_env": (SOPS, "test_exit_code_and_stdout"),
    "exec_file": (SOPS, "test_exit_code_and_stdout"),
    "exec_file_filename": (SOPS, "test_exit_code_and_stdout"),
    "decrypt_format": (TEXTS, "test_what_is_written"),
}


def test_all_are_shown() -> None:
    assert len(SHOWN) == 41
    for file, test in SHOWN.values():
        assert f"def {test}(" in (ROOT / "tests" / "sops" / file).read_text()


@pytest.fixture(params=["real", "ours"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    """One of the two programs, with a rule for its key."""
    real, ours = boxes(tmp_path, AgeKey.generate(), {})
    found = real if request.param == "real" else ours
    found.write(".sops.yaml", f"creation_rules:\n  - age: {found.key.recipient}\n")
    return found


def encrypted(box: Box, name: str, text: str) -> None:
    box.write(name, text)
    box.run("encrypt", "-i", name, code=0)


def test_encrypt_from_stdin(box: Box) -> None:
    out = box.run("encrypt", "--filename-override", "f.json", input=JSON, code=0).out
    assert json.loads(out)["foo"].startswith("ENC[")


@pytest.mark.services
def test_a_context(box: Box) -> None:
    arn = "arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-1111-1111-111111111111"
    box.write("f.json", JSON)
    with RecordingKeyservice(by_itself) as service:
        box.environ |= {"SOPS_KEYSERVICE": service.uri, "SOPS_ENABLE_LOCAL_KEYSERVICE": "false"}
        box.run("encrypt", "--kms", arn, "--encryption-context", "foo:bar,one:two", "-i", "f.json", code=0)
        assert json.loads(box.run("decrypt", "f.json", code=0).out) == {"foo": 2, "bar": "baz"}
        for _, request in service.requests:
            assert dict(request.key.kms_key.context) == {"foo": "bar", "one": "two"}
        assert len(service.requests) == 2


def test_without_a_mac(box: Box) -> None:
    encrypted(box, "f.yaml", "a: x\n")
    lines = box.read("f.yaml").splitlines(keepends=True)
    box.write("f.yaml", "".join(line for line in lines if not line.startswith("    mac: ")))
    box.run("decrypt", "f.yaml", code=51)
    assert box.run("decrypt", "--ignore-mac", "f.yaml", code=0).out == "a: x\n"


def test_comments(box: Box) -> None:
    text = "# first comment\nlorem: ipsum\n# this is one\nl:\n    - a\n    # in a list\n    - b\n"
    encrypted(box, "f.yaml", text)
    for comment in ("first comment", "this is one", "in a list"):
        assert comment not in box.read("f.yaml")
    assert box.run("decrypt", "f.yaml", code=0).out == text


def test_comments_in_clear(box: Box) -> None:
    encrypted(box, "f.yaml", "lorem: ipsum\n")
    box.write("f.yaml", "# added by hand\n" + box.read("f.yaml"))
    assert box.run("decrypt", "f.yaml", code=0).out == "# added by hand\nlorem: ipsum\n"


def test_shamir(box: Box) -> None:
    other = AgeKey.generate()
    groups = "".join(f"      - age: [{key.recipient}]\n" for key in (box.key, other))
    box.write(".sops.yaml", f"creation_rules:\n  - key_groups:\n{groups}")
    encrypted(box, "f.yaml", "a: secret\n")
    both = {"SOPS_AGE_KEY": f"{box.key.identity}\n{other.identity}"}
    assert box.run("decrypt", "f.yaml", environ=both, code=0).out == "a: secret\n"
    assert box.run("decrypt", "f.yaml", code=128).out == ""
