"""The behaviours that sops's own functional tests show (functional-tests/src/lib.rs), shown here anew.

Those are Rust, and need a checkout of sops: ``make functional`` runs them.  Each is named in ``SHOWN``,
with the test that has its behaviour; where that is one below, encconf called sops is run, and the real
one beside it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from doubles.recording_keyservice import RecordingKeyservice, by_itself
from oracle import AgeKey

from .conftest import ROOT, Box, boxes

JSON = '{\n    "foo": 2,\n    "bar": "baz"\n}'
HERE, TEXTS, PUBLISH = "test_functional.py", "test_texts.py", "../publish/test_publish.py"
SHOWN = {
    "encrypt_json_file": (HERE, "test_encrypt"),
    "encrypt_from_stdin": (HERE, "test_encrypt_from_stdin"),
    "publish_json_file_s3": (PUBLISH, "test_as_sops"),
    "publish_json_file_vault": (PUBLISH, "test_as_sops"),
    "publish_json_file_vault_version_1": (PUBLISH, "test_as_sops"),
    "encrypt_json_file_kms": (HERE, "test_a_context"),
    "test_ini_values_as_strings": (HERE, "test_ini_holds_strings"),
    "encrypt_yaml_file": (HERE, "test_encrypt"),
    "set_json_file_update": (HERE, "test_set"),
    "set_json_file_update_idempotent_write": (HERE, "test_set_idempotent"),
    "set_json_file_update_idempotent_nowrite": (HERE, "test_set_idempotent"),
    "set_json_file_insert": (HERE, "test_set"),
    "set_json_file_insert_with_value_file": (HERE, "test_set_from_elsewhere"),
    "set_json_file_insert_with_value_stdin": (HERE, "test_set_from_elsewhere"),
    "set_yaml_file_update": (HERE, "test_set"),
    "set_yaml_file_insert": (HERE, "test_set"),
    "set_yaml_file_string": (HERE, "test_set"),
    "set_yaml_file_string_compat": (TEXTS, "test_what_is_written"),
    "test_yaml_time": (HERE, "test_times"),
    "unset_json_file": (HERE, "test_unset"),
    "unset_yaml_file": (HERE, "test_unset"),
    "decrypt_file_no_mac": (HERE, "test_without_a_mac"),
    "decrypt_from_stdin": (HERE, "test_decrypt_from_stdin"),
    "encrypt_comments": (HERE, "test_comments"),
    "encrypt_comments_list": (HERE, "test_comments"),
    "decrypt_comments": (HERE, "test_comments"),
    "decrypt_comments_unencrypted_comments": (HERE, "test_comments_in_clear"),
    "roundtrip_shamir": (HERE, "test_shamir"),
    "roundtrip_shamir_missing_decryption_key": (HERE, "test_shamir"),
    "test_decrypt_file_multiple_keys": (HERE, "test_one_of_two_keys"),
    "test_no_keygroups": ("test_clients.py", "test_no_keys"),
    "test_zero_keygroups": ("test_clients.py", "test_no_keys"),
    "test_empty_keygroup": ("test_clients.py", "test_no_keys"),
    "extract_string": (HERE, "test_extract"),
    "roundtrip_binary": (HERE, "test_binary"),
    "roundtrip_kms_encryption_context": (HERE, "test_a_context"),
    "output_flag": (HERE, "test_output"),
    "exec_env": (HERE, "test_exec_env"),
    "exec_file": (HERE, "test_exec_file"),
    "exec_file_filename": (HERE, "test_exec_file"),
    "decrypt_format": (HERE, "test_formats"),
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


def plain(box: Box, name: str) -> object:
    return yaml.safe_load(box.run("decrypt", name, code=0).out.replace("\t", " "))


@pytest.mark.parametrize(("name", "text"), [("f.json", JSON), ("f.yaml", "foo: 2\nbar: baz")])
def test_encrypt(box: Box, name: str, text: str) -> None:
    box.write(name, text)
    tree = yaml.safe_load(box.run("encrypt", name, code=0).out.replace("\t", " "))
    assert "sops" in tree
    assert tree["foo"].startswith("ENC[")
    assert tree["bar"].startswith("ENC[")


def test_encrypt_from_stdin(box: Box) -> None:
    out = box.run("encrypt", "--filename-override", "f.json", input=JSON, code=0).out
    assert json.loads(out)["foo"].startswith("ENC[")


def test_decrypt_from_stdin(box: Box) -> None:
    encrypted(box, "f.yaml", "lorem: ipsum\n")
    types = ["--input-type", "yaml", "--output-type", "yaml"]
    assert box.run("decrypt", *types, input=box.read("f.yaml"), code=0).out == "lorem: ipsum\n"


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


def test_ini_holds_strings(box: Box) -> None:
    values = "int: 123\n  float: 1.23\n  bool: true\n  day: 2025-01-02\n  at: 2025-01-02 03:04:05\n  s: a b\n"
    encrypted(box, "f.yaml", f"the:\n  {values}")
    assert box.run("decrypt", "--output-type", "ini", "f.yaml", code=0).out == (
        "[the]\nint   = 123\nfloat = 1.23\nbool  = true\nday   = 2025-01-02T00:00:00Z\n"
        "at    = 2025-01-02T03:04:05Z\ns     = a b\n"
    )


@pytest.mark.parametrize(("name", "text"), [("f.json", '{"a": 2, "b": "ba"}'), ("f.yaml", "a: 2\nb: ba\n")])
def test_set(box: Box, name: str, text: str) -> None:
    encrypted(box, name, text)
    box.run("set", name, '["a"]', '{"cc": "aa"}', code=0)
    box.run("set", name, '["c"]', '{"cc": "cc"}', code=0)
    box.run("set", name, '["b"]', '"b b"', code=0)
    assert plain(box, name) == {"a": {"cc": "aa"}, "b": "b b", "c": {"cc": "cc"}}


def test_set_idempotent(box: Box) -> None:
    encrypted(box, "f.json", '{"a": 2, "b": "ba"}')
    before = box.read("f.json")
    box.run("set", "--idempotent", "f.json", '["b"]', '"ba"', code=0)
    assert box.read("f.json") == before
    box.run("set", "--idempotent", "f.json", '["b"]', '"bc"', code=0)
    assert plain(box, "f.json") == {"a": 2, "b": "bc"}


def test_set_from_elsewhere(box: Box) -> None:
    encrypted(box, "f.json", '{"a": 2}')
    box.write("value.json", '{"cc": "cc"}')
    box.run("set", "--value-file", "f.json", '["c"]', "value.json", code=0)
    box.run("set", "--value-stdin", "f.json", '["d"]', input='{"dd": [true]}', code=0)
    assert plain(box, "f.json") == {"a": 2, "c": {"cc": "cc"}, "d": {"dd": [True]}}


@pytest.mark.parametrize(
    ("name", "text"),
    [("f.json", '{"a": 2, "b": "ba", "c": [1, 2]}'), ("f.yaml", "a: 2\nb: ba\nc:\n- 1\n- 2\n")],
)
def test_unset(box: Box, name: str, text: str) -> None:
    encrypted(box, name, text)
    for path, left in (('["a"]', {"b": "ba", "c": [1, 2]}), ('["c"][1]', {"b": "ba", "c": [1]})):
        box.run("unset", name, path, code=0)
        before = box.read(name)
        assert plain(box, name) == left
        box.run("unset", name, path, code=1)
        box.run("unset", "--idempotent", name, path, code=0)
        assert box.read(name) == before


def test_times(box: Box) -> None:
    encrypted(box, "f.yaml", "a: 2024-01-01\nb: 2006-01-02T15:04:05+07:06")
    out = box.run("decrypt", "f.yaml", code=0).out
    assert out == "a: 2024-01-01T00:00:00Z\nb: 2006-01-02T15:04:05+07:06\n"


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


def test_one_of_two_keys(box: Box) -> None:
    other = AgeKey.generate()
    box.write("f.yaml", "a: secret\n")
    box.run("encrypt", "-i", "--age", f"{other.recipient},{box.key.recipient}", "f.yaml", code=0)
    assert plain(box, "f.yaml") == {"a": "secret"}


def test_extract(box: Box) -> None:
    encrypted(box, "f.yaml", "multiline: |\n  multi\n  line")
    assert box.run("decrypt", "--extract", '["multiline"]', "f.yaml", code=0).out == "multi\nline"


def test_binary(box: Box) -> None:
    encrypted(box, "f.binary", '""{}this_is_binary_data')
    assert box.run("decrypt", "f.binary", code=0).out == '""{}this_is_binary_data'


def test_output(box: Box) -> None:
    box.write("f.binary", "foo")
    assert box.run("encrypt", "--output", "out.txt", "f.binary", code=0).out == ""
    assert '"data": "ENC[' in box.read("out.txt")


def test_exec_env(box: Box) -> None:
    encrypted(box, "f.yaml", "foo: bar\nbar: |-\n  baz\n  bam\n")
    assert box.run("exec-env", "f.yaml", "bash -c 'echo -E \"$foo\"'", code=0).out == "bar\n"
    assert box.run("exec-env", "f.yaml", "bash -c 'echo -E \"$bar\"'", code=0).out == "baz\nbam\n"


def test_exec_file(box: Box) -> None:
    encrypted(box, "f.yaml", "foo: bar\n")
    assert box.run("exec-file", "f.yaml", "cat {}", code=0).out == "foo: bar\n"
    assert box.run("exec-file", "--no-fifo", "f.yaml", "cat {} {}", code=0).out == "foo: bar\nfoo: bar\n"
    named = box.run("exec-file", "--no-fifo", "--filename", "foobar", "f.yaml", "echo {}", code=0)
    assert named.out.endswith("/foobar\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.json", '{\n\t"foo": "bar"\n}\n'),
        ("f.yaml", "foo: bar\n"),
        ("f.env", "foo = bar\n"),
        ("f.ini", "[foo]\nbar = baz\n"),
    ],
)
def test_formats(box: Box, name: str, text: str) -> None:
    encrypted(box, name, text)
    assert box.run("decrypt", name, code=0).out == text
