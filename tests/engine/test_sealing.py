"""What becomes of a plain text: whose rule counts, what stays of a twin, and what is said."""

from __future__ import annotations

import re
from typing import Any

import pytest
from engine import credentials, rule, sealed_leaves
from oracle import AgeKey, Sops

from encconf import SOPS_VERSION, api, formats
from encconf.engine import cipher, opening, sealing
from encconf.engine.mac import digest
from encconf.engine.metadata import Metadata
from encconf.errors import AlreadyEncryptedError, ConfigError, EmitError, EncconfError, UsageError
from encconf.identities import credentials as identities
from encconf.rules.selection import DEFAULT, EVERYTHING, Selection
from encconf.text.document import Prepared

BOB = AgeKey.generate()
SECRET = "api_token: kW8vQz2LrT\n"


def encrypt(text: str, key: AgeKey, **options: Any) -> tuple[str, list[str]]:
    """The encrypted text, and what is said."""
    said: list[str] = []
    options = {"format": "yaml", "credentials": credentials(key), **options}
    if "rule" not in options and "twin" not in options:
        options["rule"] = rule(key)
    return sealing.encrypt(text, options.pop("rule", None), notify=said.append, **options), said


def metadata(text: str, format: str = "yaml") -> Metadata:
    return Metadata.of(formats.get(format).scan(text))


def lines(text: str, *names: str) -> list[str]:
    return [re.findall(rf"(?m)^ *{name}: .*$", text)[0] for name in names]


def opened(text: str, key: AgeKey, format: str = "yaml") -> str:
    return api.decrypt(text, format=format, credentials=credentials(key))


def test_nothing_names_a_recipient() -> None:
    with pytest.raises(UsageError, match="no recipients were given"):
        sealing.encrypt("a: 1\n", None, format="yaml")


def test_a_new_data_key_needs_a_rule(age_key: AgeKey) -> None:
    twin, _ = encrypt("a: 1\n", age_key)
    with pytest.raises(UsageError, match="a new data key needs a rule"):
        encrypt("a: 1\n", age_key, twin=twin, new_data_key=True)
    again, said = encrypt("a: 1\n", age_key, twin=twin, new_data_key=True, rule=rule(age_key))
    assert metadata(again).groups[0][0].enc != metadata(twin).groups[0][0].enc
    assert lines(again, "a") != lines(twin, "a")
    assert said == []


def test_what_is_encrypted_already() -> None:
    for text in ("sops: {}\na: 1\n", "a: 1\nsops: 1\n"):
        with pytest.raises(AlreadyEncryptedError):
            sealing.encrypt(text, rule(BOB), format="yaml")


def test_a_twin_that_cannot_be_opened(age_key: AgeKey) -> None:
    """With a rule, the file is encrypted without it; without one, nothing says how."""
    twin, _ = encrypt("a: 1\n", BOB)
    text, said = encrypt("a: 1\n", age_key, twin=twin, rule=rule(age_key))
    assert opened(text, age_key) == "a: 1\n"
    assert len(said) == 1
    assert said[0].startswith("the existing encrypted file cannot be opened, so it is not reused: ")
    sealing.encrypt("a: 1\n", rule(age_key), format="yaml", twin=twin, credentials=credentials(age_key))
    with pytest.raises(EncconfError, match="none of your keys"):
        encrypt("a: 1\n", age_key, twin=twin)


def test_the_rule_says_what_is_encrypted_and_the_twin_without_one(age_key: AgeKey) -> None:
    only_a, only_b = (Selection("encrypted_regex", f"^{name}$") for name in "ab")
    twin, _ = encrypt("a: 1\nb: 2\n", age_key, rule=rule(age_key, selection=only_a))
    assert "b: 2\n" in twin
    again, _ = encrypt("a: 1\nb: 3\n", age_key, twin=twin)
    assert "b: 3\n" in again
    assert metadata(again).selection == only_a
    again, _ = encrypt("a: 1\nb: 3\n", age_key, twin=twin, rule=rule(age_key, selection=only_b))
    assert "a: 1\n" in again
    assert metadata(again).selection == only_b


@pytest.mark.parametrize("format", ["yaml", "toml"])
def test_a_value_that_a_new_rule_chooses_is_encrypted(age_key: AgeKey, format: str) -> None:
    """Even if it did not change, and its file keeps the data key."""
    text = {"yaml": f"b: 2\n{SECRET}", "toml": 'b = 2\napi_token = "kW8vQz2LrT"\n'}[format]
    only = Selection("encrypted_regex", "token")
    twin, _ = encrypt(text, age_key, rule=rule(age_key, selection=only), format=format)
    again, said = encrypt(text, age_key, twin=twin, rule=rule(age_key), format=format)
    assert said == []
    assert [len(sealed_leaves(each, format)) for each in (twin, again)] == [1, 2]
    assert lines(again.replace(" =", ":"), "api_token") == lines(twin.replace(" =", ":"), "api_token")


def test_a_binary_file_is_one_value(age_key: AgeKey) -> None:
    by = rule(age_key, selection=Selection("encrypted_regex", "^a$"))
    text, said = encrypt("any\n", age_key, rule=by, format="binary")
    assert said == ["encrypted_regex is ignored: a binary file is a single value, which is always encrypted"]
    assert metadata(text, "binary").selection == DEFAULT
    assert opened(text, age_key, "binary") == "any\n"
    assert encrypt("any\n", age_key, format="binary")[1] == []
    silent = sealing.encrypt("any\n", by, format="binary", credentials=credentials(age_key))
    assert metadata(silent, "binary").selection == DEFAULT


def test_a_removed_recipient_gets_no_new_values(age_key: AgeKey) -> None:
    twin, _ = encrypt("a: 1\nb: 2\n", age_key, rule=rule(age_key, BOB))
    text, said = encrypt("a: 1\nb: 2\n", age_key, twin=twin, rule=rule(age_key))
    assert said == ["a recipient was removed: every value is re-encrypted with a new data key"]
    assert lines(text, "a") != lines(twin, "a")
    with pytest.raises(EncconfError):
        opened(text, BOB)
    assert opened(text, age_key) == "a: 1\nb: 2\n"
    silent = sealing.encrypt(
        "a: 1\n", rule(age_key), format="yaml", twin=twin, credentials=credentials(age_key)
    )
    with pytest.raises(EncconfError):
        opened(silent, BOB)


def test_a_new_recipient_gets_a_new_data_key(age_key: AgeKey) -> None:
    """The twin may be the copy of a file that they may not open."""
    twin, _ = encrypt(f"a: 1\nb: 2\n{SECRET}", age_key)
    for plain in (f"a: 1\nb: 3\n{SECRET}", f"a: 1\nb: 2\n{SECRET}"):
        text, said = encrypt(plain, age_key, twin=twin, rule=rule(age_key, BOB))
        assert said == ["a recipient was added: every value is re-encrypted with a new data key"]
        assert lines(text, "a") != lines(twin, "a")
        assert metadata(text).groups[0][0].enc != metadata(twin).groups[0][0].enc
        assert opened(text, BOB) == plain


def test_what_has_not_changed_is_the_twin(age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    twin, _ = encrypt("a: 1\nb: 2\n", age_key)
    monkeypatch.setattr(sealing.time, "time", lambda: 2_000_000_000.0)
    assert encrypt("a: 1\nb: 2\n", age_key, twin=twin)[0] == twin
    assert encrypt("a: 1\nb: 2\n", age_key, twin=twin, rule=rule(age_key))[0] == twin
    moved, _ = encrypt("b: 2\na: 1\n", age_key, twin=twin)
    assert moved != twin
    assert lines(moved, "a", "b") == lines(twin, "a", "b")
    assert metadata(moved).lastmodified == "2033-05-18T03:33:19Z"


def test_the_date_is_a_second_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing.time, "time", lambda: 1_000_000_000.5)
    assert sealing.lastmodified() == "2001-09-09T01:46:39Z"


def test_the_audit_log_gets_the_file_that_was_there(age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(identities, "auditing", lambda action, text: seen.append((action, text)))
    twin, _ = encrypt("a: 1\n", age_key)
    assert seen == [("encrypt", "a: 1\n")]
    there = opening.open_text(twin, format="yaml", credentials=credentials(age_key))
    for given in (twin, there):
        seen.clear()
        encrypt("a: 2\n", age_key, twin=given)
        assert ("encrypt", twin) in seen
        assert ("encrypt", "a: 2\n") not in seen


# --- what is said --------------------------------------------------------------------------------


def test_plain_numbers_that_older_releases_read_otherwise(age_key: AgeKey) -> None:
    text = '{"a": 1, "b_unencrypted": 1, "c_unencrypted": [-0], "d": -0}\n'
    _, said = encrypt(text, age_key, format="json")
    assert said == ["c_unencrypted[0]: sops before 3.13.2 misreads the plaintext number"]


def test_values_that_others_read_otherwise(age_key: AgeKey) -> None:
    """One line for each reason, with three of the places; nothing of what was there before."""
    text = "".join(f"K{number}='v{number}'\n" for number in range(3))
    twin, said = encrypt("PLAIN=1\n" + text, age_key, format="dotenv")
    assert len(said) == 1
    assert said[0].startswith("K0, K1, K2: ")
    assert encrypt("PLAIN=2\n" + text, age_key, format="dotenv", twin=twin)[1] == []
    _, said = encrypt(text + "K3='v3'\nK4='v4'\nL=a\\nb\n", age_key, format="dotenv")
    assert [each.partition(": ")[0] for each in said] == ["K0, K1, K2 and 2 more", "L"]
    _, said = encrypt(text + "K3='v3'\n", age_key, format="dotenv", twin=twin)
    assert [each.partition(": ")[0] for each in said] == ["K3"]


# --- the block -----------------------------------------------------------------------------------


def test_a_file_of_rops_gets_a_version_when_it_is_changed(age_key: AgeKey, sops: Sops) -> None:
    by = rule(age_key, selection=EVERYTHING)
    full, _ = encrypt("a: 1\nb_unencrypted: 2\n", age_key, rule=by)
    twin = re.sub(r"(?m)^ +(?:version|unencrypted_suffix): .*\n", "", full)
    assert twin.count("\n") == full.count("\n") - 2
    assert metadata(twin).version == ""
    assert encrypt("a: 1\nb_unencrypted: 2\n", age_key, twin=twin)[0] == twin
    text, _ = encrypt("a: 1\nb_unencrypted: 3\n", age_key, twin=twin)
    assert metadata(text).version == SOPS_VERSION
    assert text.count("unencrypted_suffix:") == 1
    assert metadata(text).selection == EVERYTHING
    assert "b_unencrypted: 3" in sops.decrypt(text, "yaml")
    named = re.sub(r"(?m)^ +version: .*\n", "", full)
    text, _ = encrypt("a: 1\nb_unencrypted: 3\n", age_key, twin=named)
    assert (text.count("version:"), text.count("unencrypted_suffix:")) == (1, 1)


def test_a_file_of_rops_keeps_its_indentation_when_it_is_changed(age_key: AgeKey) -> None:
    """What is decrypted is indented like the block, and the new block is not indented like that of rops."""
    plain = "a: 1\nb: |\n  two\n  lines\n"
    full, _ = encrypt(plain, age_key, rule=rule(age_key, selection=EVERYTHING))
    without = re.sub(r"(?m)^ +(?:version|unencrypted_suffix): .*\n", "", full.replace("|-\n  ENC", "ENC"))
    twin = re.sub(r"(?m)^  (?=  )", "", without)
    assert opened(twin, age_key) == plain
    changed, said = encrypt(plain.replace("1", "2"), age_key, twin=twin)
    assert opened(changed, age_key) == plain.replace("1", "2")
    assert (metadata(changed).version, said) == (SOPS_VERSION, [])


def test_a_block_is_written_again_only_where_it_says_something_new(age_key: AgeKey) -> None:
    twin, _ = encrypt(f"a: 1\n{SECRET}", age_key)
    spread = twin.replace("    lastmodified:", "\n    lastmodified:")
    for by in (None, rule(age_key)):
        text, _ = encrypt(f"a: 2\n{SECRET}", age_key, twin=spread, rule=by)
        assert "\n\n    lastmodified:" in text
    for by in (rule(age_key, BOB), rule(age_key, selection=Selection("encrypted_regex", "a"))):
        text, _ = encrypt(f"a: 2\n{SECRET}", age_key, twin=spread, rule=by)
        assert "\n\n    lastmodified:" not in text


@pytest.mark.parametrize("new_data_key", [False, True])
def test_what_others_put_into_the_block_stays(age_key: AgeKey, new_data_key: bool) -> None:
    twin, _ = encrypt("a: 1\n", age_key)
    marked = twin.replace("    mac:", "    from_elsewhere: x\n    mac:")
    by = rule(age_key, BOB)
    text, _ = encrypt("a: 2\n", age_key, twin=marked, rule=by, new_data_key=new_data_key)
    assert "    from_elsewhere: x\n" in text
    assert opened(text, BOB) == "a: 2\n"


def test_a_block_with_an_alias_of_an_anchor_outside(age_key: AgeKey) -> None:
    twin, _ = encrypt("x_unencrypted: &x v\na: 1\n", age_key)
    marked = twin.replace("sops:\n", "sops:\n    own: *x\n")
    text, _ = encrypt("x_unencrypted: &x v\na: 2\n", age_key, twin=marked)
    assert "    own: *x\n" in text
    assert opened(text, age_key) == "x_unencrypted: &x v\na: 2\n"


def test_the_marks_of_a_merge_go(age_key: AgeKey) -> None:
    twin, _ = encrypt("a: 1\n", age_key)
    there = opening.open_text(twin, format="yaml", credentials=credentials(age_key))
    marked = twin.replace("    mac:", "    encconf_merge: x\n    mac:")
    there.document = formats.get("yaml").scan(marked)
    there.metadata.unknown["encconf_merge"] = "x"
    assert "encconf_merge" not in encrypt("a: 2\n", age_key, twin=there)[0]


# --- comments and values -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["unencrypted_suffix", "encrypted_comment_regex"])
def test_a_rule_may_match_ciphertexts(age_key: AgeKey, kind: str) -> None:
    pattern = "]" if kind == "unencrypted_suffix" else "ENC|secret"
    by = rule(age_key, selection=Selection(kind, pattern))
    plain = "# secret\na:\n  # note\n  b: 1\n"
    text, _ = encrypt(plain, age_key, rule=by)
    assert opened(text, age_key) == plain


def test_a_rule_that_would_leave_encrypted_comments_alone(age_key: AgeKey) -> None:
    by = rule(age_key, selection=Selection("unencrypted_comment_regex", "type:comment"))
    with pytest.raises(ConfigError, match="matches an encrypted comment"):
        encrypt("# note\na: 1\n", age_key, rule=by)
    by = rule(age_key, selection=Selection("unencrypted_comment_regex", "^ open"))
    text, _ = encrypt("# note\na: 1\n# open\nb: 2\n", age_key, rule=by)
    assert "# open\nb: 2\n" in text
    assert " note" not in text


def test_a_comment_that_only_begins_like_a_ciphertext(age_key: AgeKey) -> None:
    again, _ = encrypt("#ENC[AES256_GCM,no\n#\na: 1\n", age_key)
    second, third = again.split("\n")[:2]
    assert second.startswith("#ENC[")
    assert second != "#ENC[AES256_GCM,no"
    assert third == "#"


def test_a_plain_comment_before_an_encrypted_one(age_key: AgeKey) -> None:
    text, _ = encrypt("a_unencrypted:\n  # open\n  x: 1\nb: 2\n# note\nc: 3\n", age_key)
    assert "# open\n" in text
    assert " note" not in text


def test_what_is_empty_is_not_encrypted(age_key: AgeKey) -> None:
    text, _ = encrypt('a: ""\nb:\nc: x\n', age_key)
    assert text.startswith('a: ""\nb:\nc: ENC[')
    text, _ = encrypt('a = ""\nc = "x"\n', age_key, format="toml")
    assert len(sealed_leaves(text, "toml")) == 2


def test_a_value_of_another_type_is_another_value(age_key: AgeKey) -> None:
    twin, _ = encrypt('a: "1"\nb: 1\n', age_key)
    text, _ = encrypt('a: 1\nb: "1"\n', age_key, twin=twin)
    assert opened(text, age_key) == 'a: 1\nb: "1"\n'
    assert "type:int" in lines(text, "a")[0]
    assert "type:str" in lines(text, "b")[0]


def test_an_integer_that_was_stored_as_a_float(age_key: AgeKey) -> None:
    """sops before 3.13.2 stored those of JSON so: it stays until the block says another version."""
    first, _ = encrypt('{"a": 1, "b": 2}\n', age_key, format="json")
    there = opening.open_text(first, format="json", credentials=credentials(age_key))
    encryptor, date = cipher.Encryptor(there.data_key), there.metadata.lastmodified.encode()
    twin = first.replace(there.values[0].sealed or "", encryptor("float", b"1", b"a:"))
    by_sops = digest(there.values, there.chosen.leaves, False).encode()
    twin = twin.replace(there.metadata.mac or "", encryptor("str", by_sops, date))
    assert twin.count("type:float") == 1
    text, _ = encrypt('{"a": 1, "b": 3}\n', age_key, format="json", twin=twin)
    assert text.count("type:int") == 2  # this version means the type, and the plaintext says another one
    twin = twin.replace('"version": "3.13.3"', '"version": "3.12.0"')
    text, _ = encrypt('{"a": 1, "b": 3}\n', age_key, format="json", twin=twin)
    assert text.count("type:float") == 1
    text, _ = encrypt('{"a": 1, "b": 3}\n', age_key, format="json", twin=twin, rule=rule(age_key, BOB))
    assert text.count("type:int") == 2
    assert opened(text, age_key, "json") == '{"a": 1, "b": 3}\n'


@pytest.mark.parametrize("missing", ["mac", "block text"])
def test_a_twin_that_lacks_something(age_key: AgeKey, missing: str) -> None:
    """Opened with --ignore-mac, or with a block that is to be written again."""
    twin, _ = encrypt("a: 1\n", age_key)
    there = opening.open_text(twin, format="yaml", credentials=credentials(age_key))
    if missing == "mac":
        there = there.replace(metadata=there.metadata.replace(mac=None))
    else:
        there.document.block_text = None
    text, _ = encrypt("a: 1\n", age_key, twin=there)
    assert opened(text, age_key) == "a: 1\n"
    assert lines(text, "a") == lines(twin, "a")


def test_a_new_data_key_leaves_values_on_their_lines(age_key: AgeKey, sops: Sops) -> None:
    plain = "a: |-\n  one\n  two\nb: 1\n"
    twin = sops.encrypt(plain, "yaml", age=age_key.recipient)
    text, _ = encrypt(opened(twin, age_key), age_key, twin=twin, rule=rule(age_key), new_data_key=True)
    count = twin.partition("sops:")[0].count("\n")
    assert text.partition("sops:")[0].count("\n") == count
    assert lines(text, "a") != lines(twin, "a")


def test_donors_give_what_the_twin_lacks(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    twin, _ = encrypt("a: 1\nb: 2\n", age_key)
    donor, _ = encrypt("a: 3\nb: 4\n", age_key, twin=twin)
    there = [opening.open_text(each, format="yaml", credentials=creds) for each in (twin, donor)]
    text, _ = encrypt("a: 1\nb: 4\n", age_key, twin=there[0], donors=there[1:])
    assert lines(text, "a", "b") == [*lines(twin, "a"), *lines(donor, "b")]
    text, _ = encrypt(
        "a: 1\nb: 4\n", age_key, twin=there[0], donors=there[1:], new_data_key=True, rule=rule(age_key)
    )
    assert opened(text, age_key) == "a: 1\nb: 4\n"
    both = [encrypt("a: 5\nb: 4\n", age_key, twin=twin)[0] for _ in range(2)]
    there = [opening.open_text(each, format="yaml", credentials=creds) for each in both]
    first, _ = encrypt("a: 5\nb: 4\nc: 1\n", age_key, twin=there[0], donors=there[1:])
    assert lines(first, "a", "b") == lines(both[0], "a", "b"), "the twin's own go first"
    assert not {*lines(text, "a", "b")} & {*lines(twin, "a"), *lines(donor, "b")}


def test_a_donor_with_another_data_key_gives_nothing(age_key: AgeKey) -> None:
    twin, donor = (encrypt(text, age_key)[0] for text in ("a: x\n", "a: x\nb: y\n"))
    there = [
        opening.open_text(each, format="yaml", credentials=credentials(age_key)) for each in (twin, donor)
    ]
    text, _ = encrypt("a: x\nb: y\n", age_key, twin=there[0], donors=there[1:])
    assert opened(text, age_key) == "a: x\nb: y\n"
    assert lines(text, "a") == lines(twin, "a")


def test_the_version_of_a_file_stays(age_key: AgeKey) -> None:
    """Only one who rewrites the whole block says which sops it was written for."""
    creds = credentials(age_key)
    old = api.encrypt("a: 1\nb: 2\n", rule(age_key), credentials=creds)
    older = re.sub("(?m)^( +version): .*", r"\1: 3.9.0", old)
    assert older != old
    new = api.encrypt("a: 1\nb: 3\n", twin=older, credentials=creds)
    assert re.findall(" version: (.*)", new) == ["3.9.0"]


def test_a_rule_about_comments_and_a_text_that_is_respelled(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    selection = Selection("encrypted_comment_regex", "^ enc")
    text = "# enc\na: [x, y]\n# open\nb: [z]\n"
    sealed = api.encrypt(text, rule(age_key, selection=selection), credentials=creds)
    assert len(sealed_leaves(sealed, "yaml")) == 2
    assert "b: [z]" in sealed
    assert api.decrypt(sealed, credentials=creds) == text


def test_a_respelled_text_must_say_the_same(age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(*_: object, **__: object) -> Prepared:
        return Prepared("a: 2\n", {})

    monkeypatch.setattr(formats.get("yaml"), "prepare", prepare)
    with pytest.raises(EmitError, match="without changing a value"):
        api.encrypt("a: 1\n", rule(age_key), credentials=credentials(age_key))


def test_a_value_that_is_the_date_of_the_file_may_change(
    age_key: AgeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that differs in the MAC's date only is not written again; here it is not that date only."""
    creds = credentials(age_key)
    first, second = "2026-01-02T03:04:05Z", "2026-01-03T03:04:05Z"
    text = f"a: x\nb_unencrypted: '{first}'\n"
    monkeypatch.setattr(sealing, "lastmodified", lambda: first)
    old = api.encrypt(text, rule(age_key), credentials=creds)
    monkeypatch.setattr(sealing, "lastmodified", lambda: second)
    assert api.encrypt(text, twin=old, credentials=creds) == old
    new = api.encrypt(text.replace(first, second), twin=old, credentials=creds)
    assert api.decrypt(new, credentials=creds) == text.replace(first, second)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection("encrypted_regex", "^secret$"), "encrypted_regex: ^secret$ matches nothing in it"),
        (Selection("unencrypted_regex", "^[ab]$"), "unencrypted_regex: ^[ab]$ matches all of it"),
        (DEFAULT, ""),
    ],
)
def test_a_warning_if_nothing_is_encrypted(selection: Selection, said: str, age_key: AgeKey) -> None:
    notices: list[str] = []
    text = api.encrypt(
        "a: 1\nb: {a: 2}\n",
        rule(age_key, selection=selection),
        credentials=credentials(age_key),
        notify=notices.append,
    )
    assert notices == ([f"nothing in the file is encrypted: {said}"] if said else [])
    assert ("ENC[AES256_GCM,data" in text.partition("sops:")[0]) is not bool(said)
