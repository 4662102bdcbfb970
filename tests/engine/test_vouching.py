"""Names that a stranger may have written into a file of sops: no change of the file vouches for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from engine import credentials, rule
from oracle import AgeKey

from encconf import api, formats
from encconf.engine import changes, cipher, opening, plaintext, sealing
from encconf.engine.mac import seal_mac
from encconf.engine.opening import Opened, open_text, refuse_unprotected
from encconf.errors import EmitError
from encconf.formats.emit import Naming
from encconf.git import merge as merging
from encconf.git.conflict import open_conflict
from encconf.git.merge import Repository
from encconf.rules.selection import Selection

ONLY_A = Selection("encrypted_regex", "^a$")
PLAIN = "a: x\nversion: 1.2.3\nmode: m\n"
FORGED = 'a: x\nmajor: "1."\nPYTHONPATH: "2"\npatch: ".3"\nmode: m\n'


def opened(key: AgeKey, text: str, format: str = "yaml") -> Opened:
    return open_text(text, format=format, credentials=credentials(key))


def of_sops(key: AgeKey, text: str, selection: Selection = ONLY_A) -> str:
    """A file whose MAC has a random nonce, as that of sops."""
    enc = api.encrypt(text, rule(key, selection=selection), credentials=credentials(key))
    found = opened(key, enc)
    settings = selection.to_entries()
    date = found.metadata.lastmodified
    own = seal_mac(
        found.document, found.values, found.chosen.leaves, settings, found.data_key, date, strict=False
    )
    assert found.metadata.mac is not None
    return enc.replace(found.metadata.mac, own)


@pytest.fixture
def forged(age_key: AgeKey) -> str:
    """A file of sops after a stranger has cut up a plaintext value."""
    text = of_sops(age_key, PLAIN).replace("version: 1.2.3\n", FORGED[len("a: x\n") : -len("mode: m\n")])
    assert plaintext.plain_text(opened(age_key, text)) == FORGED
    return text


def runs(found: Opened, **naming: str) -> bool:
    """Whether `encconf exec` would take the values of a file."""
    own = Naming(**naming).values(found.trees())
    try:
        refuse_unprotected(found, ((name, value) for name, (_, value) in own.items()))
    except EmitError:
        return False
    return True


def set_a(found: Opened, key: AgeKey) -> str:
    return changes.change(found, (("a",), "new"), credentials=credentials(key))


def set_beside(found: Opened, key: AgeKey) -> str:
    return changes.change(found, (("mode",), "other"), credentials=credentials(key))


def edit(found: Opened, key: AgeKey) -> str:
    return sealing.encrypt_again(found, FORGED + "# seen\nb: 1\n", credentials=credentials(key))


def rotate(found: Opened, key: AgeKey) -> str:
    return sealing.encrypt_again(
        found,
        plaintext.plain_text(found),
        rule(key, selection=ONLY_A),
        new_data_key=True,
        credentials=credentials(key),
    )


def to_json(found: Opened, key: AgeKey) -> str:
    return sealing.encrypt_again(found, FORGED, target="json", credentials=credentials(key))


def merge_theirs(found: Opened, key: AgeKey) -> str:
    return merged(key, PLAIN, set_text(key, PLAIN, "mode: m", "mode: ours"), found.document.text)


def merge_ours(found: Opened, key: AgeKey) -> str:
    return merged(key, PLAIN, found.document.text, set_text(key, PLAIN, "mode: m", "mode: theirs"))


def set_text(key: AgeKey, plain: str, old: str, new: str) -> str:
    return api.encrypt(plain.replace(old, new), rule(key, selection=ONLY_A), credentials=credentials(key))


def merged(key: AgeKey, base: str, ours: str, theirs: str) -> str:
    asked = Repository(rule=lambda: rule(key, selection=ONLY_A))
    outcome = merging.merge(
        set_text(key, base, "", ""),
        ours,
        theirs,
        format="yaml",
        credentials=credentials(key),
        repository=asked,
    )
    assert not outcome.conflicts
    return outcome.text


@pytest.mark.parametrize("write", [set_a, set_beside, edit, rotate, to_json, merge_theirs, merge_ours])
def test_no_change_vouches_for_names_that_nobody_has_checked(
    write: Callable[[Opened, AgeKey], str], forged: str, age_key: AgeKey
) -> None:
    found = opened(age_key, forged)
    assert not runs(found)
    result = write(found, age_key)
    assert result != forged
    again = opened(age_key, result, formats.find(result, "") or "yaml")
    assert "PYTHONPATH" in plaintext.plain_text(again)
    assert not runs(again)
    # The same change of a file that encconf has checked.
    sound = opened(age_key, set_text(age_key, FORGED, "", ""))
    assert runs(sound)
    result = write(sound, age_key)
    assert runs(opened(age_key, result, formats.find(result, "") or "yaml"))


@pytest.mark.parametrize("value", ["2", "/srv/lib"])
def test_who_sets_the_value_vouches_for_it(value: str, forged: str, age_key: AgeKey) -> None:
    text = changes.change(
        opened(age_key, forged), (("PYTHONPATH",), changes.AsBefore(value)), credentials=credentials(age_key)
    )
    found = opened(age_key, text)
    assert runs(found)
    assert found.strict
    assert Naming().values(found.trees())["PYTHONPATH"][1].data == value.encode()


def test_a_value_whose_name_is_removed_or_encrypted_spoils_nothing(forged: str, age_key: AgeKey) -> None:
    found = opened(age_key, forged)
    text = changes.change(found, (("PYTHONPATH",), changes.REMOVED), credentials=credentials(age_key))
    assert opened(age_key, text).strict
    by = rule(age_key, selection=Selection("encrypted_regex", "^(a|PYTHONPATH)$"))
    text = sealing.encrypt_again(found, FORGED, by, admission=None, credentials=credentials(age_key))
    found = opened(age_key, text)
    assert found.strict
    assert runs(found)


def test_other_names_of_a_file_of_sops_get_the_strict_check(age_key: AgeKey) -> None:
    found = opened(age_key, of_sops(age_key, PLAIN))
    assert not found.strict
    assert opened(age_key, set_a(found, age_key)).strict


def test_a_section_can_be_the_environment_of_a_program(age_key: AgeKey) -> None:
    text = of_sops(age_key, 'a: x\nweb:\n    env:\n        PYTHONPATH: "2"\n')
    text = set_a(opened(age_key, text), age_key)
    assert runs(opened(age_key, text))
    assert not runs(opened(age_key, text), section="web.env")


def test_a_selection_that_covers_plaintext_does_not_vouch_for_what_was_not_covered(age_key: AgeKey) -> None:
    only = Selection("encrypted_regex", "^a$", mac_only_encrypted=True)
    text = set_text(age_key, "a: x\n", "", "")
    text = api.encrypt("a: x\n", rule(age_key, selection=only), credentials=credentials(age_key))
    found = opened(age_key, f"PYTHONPATH: evil\n{text}")
    assert found.strict
    result = sealing.encrypt_again(
        found,
        plaintext.plain_text(found),
        rule(age_key, selection=ONLY_A),
        credentials=credentials(age_key),
    )
    assert not runs(opened(age_key, result))


def test_a_conflict_keeps_in_mind_what_nobody_has_checked(forged: str, age_key: AgeKey) -> None:
    asked = Repository(rule=lambda: rule(age_key, selection=ONLY_A))
    outcome = merging.merge(
        set_text(age_key, PLAIN, "", ""),
        set_text(age_key, PLAIN, "a: x", "a: y"),
        set_a(opened(age_key, forged), age_key),
        format="yaml",
        credentials=credentials(age_key),
        repository=asked,
    )
    assert outcome.conflicts
    held = open_conflict(outcome.text, format="yaml", credentials=credentials(age_key)).opened
    assert "PYTHONPATH" in plaintext.plain_text(held)
    solved = sealing.encrypt_again(held, FORGED, credentials=credentials(age_key))
    assert not runs(opened(age_key, solved))


def test_opening_says_what_nobody_has_checked(forged: str, age_key: AgeKey) -> None:
    found = opened(age_key, forged)
    assert opening.unvouched(found) == {("PYTHONPATH",)}
    assert opening.unvouched(found, [("PYTHONPATH",)]) == set()
    assert opening.unvouched(opened(age_key, set_text(age_key, FORGED, "", ""))) == set()
    assert cipher.split(found.metadata.mac or "") is not None
