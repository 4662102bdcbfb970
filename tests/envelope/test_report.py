"""What the report says about each key that could not be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from oracle import AgeKey as Pair
from wrapping import wrap_for

from encconf import keys
from encconf.envelope import WrappedKey
from encconf.envelope.unwrap import open_data_key
from encconf.errors import KeyAccessError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.age import AgeKey

from .remote import Remote, holds

DATA_KEY = bytes(range(32))
NOW = "2026-01-02T03:04:05Z"
ARN = "arn:aws:kms:eu-central-1:123456789012:key/92c2a9b0-0000-4000-8000-000000000000"
HOME = "USERPROFILE" if os.name == "nt" else "HOME"
SEND = "send this line to somebody who can open the files: encconf keys add --name YOUR-NAME "


def short(pair: Pair) -> str:
    return f"{pair.recipient[:8]}…{pair.recipient[-4:]}"


# --- what cannot be opened -----------------------------------------------------------------


def test_the_report_for_one_group(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    wrapped = wrap_for(DATA_KEY, [recipients[:2]], None, holds(), NOW)
    with pytest.raises(KeyAccessError) as caught:
        open_data_key(wrapped, 0, holds(pairs[2]))
    assert caught.value.exit_code == 128
    assert caught.value.hint == SEND + pairs[2].recipient
    unset = (
        f"SOPS_AGE_KEY_FILE (unset), SOPS_AGE_KEY_CMD (unset), {HOME} (unset, so no key file can be found "
        "below it)"
    )
    looked = f"looked in: SOPS_AGE_KEY (1 key: {short(pairs[2])}), {unset}"
    assert str(caught.value.about("secrets.enc.yaml")) == (
        "secrets.enc.yaml: none of your keys opens this file\n"
        f"  age  {short(pairs[0])}  no matching identity\n"
        f"  age  {short(pairs[1])}  no matching identity\n"
        f"       {looked}"
    )


def test_the_report_tells_not_mine_from_failed(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    wrapped = wrap_for(DATA_KEY, [recipients[2:]], None, holds(), NOW)
    wrapped[0].append(WrappedKey(keys.from_entry("kms2", {"arn": ARN}), "AQICAH", NOW))
    with pytest.raises(KeyAccessError) as caught:
        open_data_key(wrapped, 0, holds(pairs[1]))
    lines = caught.value.message.splitlines()
    for line, pair in zip(lines[1:3], pairs[2:], strict=True):
        assert line == f"  age   {short(pair)}{' ' * (len(ARN) - 13)}  no matching identity"
    assert lines[3].startswith(" " * 8 + "looked in: SOPS_AGE_KEY")  # once for both
    assert lines[0].endswith(": kms2 keys are not supported by this version of encconf")
    assert lines[4] == f"  kms2  {ARN}  failed"
    newer = "try a newer version, the sops that wrote the file, or the plug-in for such keys"
    assert caught.value.hint == f"{newer}; or {SEND}{pairs[1].recipient}"


def test_the_report_for_several_groups(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    wrapped = wrap_for(DATA_KEY, [[key] for key in recipients[:3]], 3, holds(), NOW)
    with pytest.raises(KeyAccessError) as caught:
        open_data_key(wrapped, 3, holds(pairs[0], pairs[2]))
    lines = caught.value.message.splitlines()
    assert lines[0] == "your keys open 2 of its 3 key groups, and it needs 3"
    assert lines[1:4] == [
        f"  group 1: opened by age {short(pairs[0])}",
        "  group 2: not opened",
        f"    age  {short(pairs[1])}  no matching identity",
    ]
    assert lines[4].startswith("         looked in: SOPS_AGE_KEY (2 keys: ")
    assert lines[5] == f"  group 3: opened by age {short(pairs[2])}"


def test_the_report_cannot_be_bent_by_the_file(pairs: list[Pair]) -> None:
    hostile = WrappedKey.from_entry(
        "age", {"recipient": "age1\x1b[2J\nencconf: fine\n" + "x" * 99, "enc": "x"}
    )
    with pytest.raises(KeyAccessError) as caught:
        open_data_key([[hostile]], 0, holds(pairs[0]))
    assert all(line.isprintable() for line in caught.value.message.splitlines())
    assert len(caught.value.message.splitlines()) == 2


def failing(*errors: MasterKeyError) -> KeyAccessError:
    """What is said where services refuse with these errors."""
    group = [Remote(f"k{at}", 0, error).wrapped() for at, error in enumerate(errors)]
    with pytest.raises(KeyAccessError) as caught:
        open_data_key([group], 0, holds())
    return caught.value


def test_a_reason_of_several_lines_is_in_the_columns_with_its_first(pairs: list[Pair]) -> None:
    """Of two, so that each is only in its own row."""
    lines = failing(MasterKeyError("denied\nby p"), MasterKeyError("busy")).message.splitlines()
    assert lines[1:] == ["  kms  k0  failed: denied", "       by p", "  kms  k1  failed: busy"]


def test_an_empty_group_is_one_that_is_not_opened(recipients: list[AgeKey]) -> None:
    (wrapped,) = wrap_for(DATA_KEY, [recipients[:1]], None, holds(), NOW)
    with pytest.raises(KeyAccessError) as caught:
        open_data_key([wrapped, []], 2, holds())
    assert caught.value.message.splitlines()[-1] == "  group 2: not opened"


def test_without_a_hint_what_failed_is_to_be_corrected() -> None:
    assert failing(MasterKeyError("denied")).hint == "correct what failed above"
    assert failing(MasterKeyError("denied", hint="ask")).hint == "ask"
    both = failing(MasterKeyError("denied", hint="ask"), MasterKeyError("busy", hint="wait"))
    assert both.hint == "correct what failed above"


def test_advice_for_these_credentials_takes_the_place_of_the_usual(
    pairs: list[Pair], recipients: list[AgeKey]
) -> None:
    who = holds(pairs[1])
    who.advice = "ask alice"
    (mine,) = wrap_for(DATA_KEY, [recipients[:1]], None, holds(), NOW)
    for others in ([], [Remote("k", 0, MasterKeyError("denied", hint="log in")).wrapped()]):
        with pytest.raises(KeyAccessError) as caught:
            open_data_key([[*mine, *others]], 0, who)
        assert caught.value.hint == "ask alice"


def test_a_type_that_only_a_plug_in_knows_has_no_advice_about_logins() -> None:
    unknown = Remote("k", 0, NotMyKeyError("not logged in"), type="toy").wrapped()
    with pytest.raises(KeyAccessError) as caught:
        open_data_key([[unknown]], 0, holds())
    assert caught.value.hint is None


def test_a_store_that_no_key_of_the_file_needs_is_not_read(tmp_path: Path, pairs: list[Pair]) -> None:
    (tmp_path / "mine").write_text(pairs[0].identity)
    who = holds(ENCCONF_IDENTITY=f"file:{tmp_path / 'mine'}", GNUPGHOME=str(tmp_path))
    with pytest.raises(KeyAccessError) as caught:
        open_data_key([[Remote("F" * 40, 0, NotMyKeyError("not yours"), type="pgp").wrapped()]], 0, who)
    assert str(caught.value.hint).startswith("run encconf whoami, which prints your recipient")


def test_the_first_line_says_why_where_there_is_one_reason() -> None:
    denied = MasterKeyError("access denied\nby the policy p\nof a", hint="ask for access")
    for errors in ([denied], [denied, denied]):
        error = failing(*errors)
        lines = error.message.splitlines()
        assert lines[0] == "none of your keys opens this file: access denied"
        assert lines[1].endswith("k0  failed")
        # What the keys have in common is said once, and the hint is that of the reason.
        assert [line.strip() for line in lines[-2:]] == ["by the policy p", "of a"]
        assert len(lines) == 3 + len(errors)
        assert error.hint == "ask for access"
    error = failing(denied, MasterKeyError("no such key"))
    assert error.message.splitlines()[0] == "none of your keys opens this file"
    assert "hint: ask for access" in error.message
    assert error.hint == "correct what failed above"


def test_no_hint_for_a_key_of_somebody_else() -> None:
    error = failing(NotMyKeyError("not mine\nlooked here", hint="not for you"))
    assert "hint:" not in error.message
    assert error.message.splitlines()[1:] == ["  kms  k0  not mine", "       looked here"]
    assert error.hint == "log in for its AWS KMS keys (not mine): encconf doctor cloud shows what is missing"
    assert (error.temporary, error.unexpected) == (False, False)


def test_it_may_work_later_only_if_no_other_reason_is_there() -> None:
    slow = MasterKeyError("no answer", reason="slow")
    error = failing(slow, NotMyKeyError("not mine"))
    assert error.temporary
    assert error.unexpected
    assert error.hint == "try again when the service can be reached"
    assert not failing(slow, MasterKeyError("denied")).temporary


@pytest.mark.posix
def test_a_command_for_a_key_runs_only_once(
    tmp_path: Path, pairs: list[Pair], recipients: list[AgeKey]
) -> None:
    """Not for the advice, too."""
    wrapped = wrap_for(DATA_KEY, [recipients[:1]], None, holds(), NOW)
    environ = {
        "PATH": os.environ["PATH"],
        "SOPS_AGE_KEY_CMD": f"sh -c 'echo x >> {tmp_path}/runs; echo {pairs[2].identity}'",
    }
    with pytest.raises(KeyAccessError):
        open_data_key(wrapped, 0, Credentials.from_env(environ))
    assert (tmp_path / "runs").read_text() == "x\n"
