"""A file that lost its ``sops`` block is damaged: it is not encrypted again, and no ciphertext is a value."""

from __future__ import annotations

from pathlib import Path

import engine
import pytest
from engine import credentials, rule
from oracle import AgeKey, Sops

import encconf
from encconf import api, formats
from encconf.errors import DecryptError, LostBlockError, NotEncryptedError
from encconf.text.document import splice

PLAIN = {
    "yaml": "a: secret\nb: 1\n",
    "json": '{"a": "secret", "b": 1}\n',
    "dotenv": "A=secret\n",
    "ini": "[s]\na = secret\n",
    "toml": 'a = "secret"\n',
}
SUFFIX = {"dotenv": "env"}


def lost(key: AgeKey, format: str, plain: str = "") -> str:
    """Return an encrypted text without its block."""
    text = api.encrypt(plain or PLAIN[format], rule(key), format=format, credentials=credentials(key))
    handler = formats.get(format)
    document = handler.scan(text, comments=True)
    return splice(text, handler.detach(document))


def again(key: AgeKey, text: str, format: str) -> str:
    return api.encrypt(text, rule(key), format=format, credentials=credentials(key))


@pytest.mark.parametrize("format", PLAIN)
class TestEveryFormat:
    def test_it_is_not_encrypted_again(self, format: str, age_key: AgeKey) -> None:
        with pytest.raises(LostBlockError) as caught:
            again(age_key, lost(age_key, format), format)
        assert "ENC[" not in str(caught.value)
        assert "git log -p" in str(caught.value.hint)

    def test_no_reader_says_that_it_is_plaintext(self, format: str, age_key: AgeKey, tmp_path: Path) -> None:
        text = lost(age_key, format)
        path = tmp_path / f"x.{SUFFIX.get(format, format)}"
        path.write_text(text)
        for read in (
            lambda: encconf.load_config(path, credentials=credentials(age_key)),
            lambda: encconf.load_layers(encconf.plain(path)),
            lambda: encconf.decrypt(text, format=format, credentials=credentials(age_key)),
            lambda: encconf.inspect(text, format=format),
        ):
            with pytest.raises(LostBlockError):
                read()
        with pytest.raises(LostBlockError), encconf.edit(path, credentials=credentials(age_key)):
            pass

    def test_what_is_not_a_whole_ciphertext_is_plaintext(self, format: str, age_key: AgeKey) -> None:
        quoted = PLAIN[format].replace("secret", "see ENC[AES256_GCM,data:YQ==,iv:Yg==,tag:Yw==,type:str]")
        cut = PLAIN[format].replace("secret", "ENC[AES256_GCM,data:YQ==")
        for plain in (quoted, cut):
            enc = again(age_key, plain, format)
            assert encconf.decrypt(enc, format=format, credentials=credentials(age_key)) == plain


def test_a_comment_that_is_a_ciphertext(age_key: AgeKey) -> None:
    enc = "ENC[AES256_GCM,data:YQ==,iv:Yg==,tag:Yw==,type:comment]"
    with pytest.raises(LostBlockError, match="comment on line 2"):
        again(age_key, f"a: 1\n#{enc}\nb: 2\n", "yaml")
    with pytest.raises(LostBlockError):
        encconf.decrypt(f"a: 1\n#{enc}\nb: 2\n", format="yaml", credentials=credentials(age_key))
    again(age_key, f"a: 1\n# such as {enc}\nb: 2\n", "yaml")


def test_plaintext_is_not_encrypted_and_not_damaged(age_key: AgeKey) -> None:
    with pytest.raises(NotEncryptedError) as caught:
        encconf.decrypt("a: 1\n", format="yaml", credentials=credentials(age_key))
    assert not isinstance(caught.value, LostBlockError)


def test_an_unknown_name_does_not_hide_it(age_key: AgeKey) -> None:
    for format in PLAIN:
        assert formats.has_ciphertext(lost(age_key, format)), format
    prose = f"# Notes\n\nAn encrypted value looks like this:\n\n{lost(age_key, 'yaml')}\nThat is all.\n"
    assert not formats.has_ciphertext(prose)
    with pytest.raises(LostBlockError):
        encconf.decrypt(lost(age_key, "json"), format="binary", credentials=credentials(age_key))


def test_what_another_program_encrypted_twice_gives_no_ciphertext(age_key: AgeKey, sops: Sops) -> None:
    inner = lost(age_key, "yaml")
    twice = sops.encrypt(inner, "yaml", "--age", age_key.recipient)
    who = credentials(age_key)
    for read in (
        lambda: encconf.loads(twice, credentials=who),
        lambda: encconf.loads(twice, credentials=who, mask=True),
    ):
        with pytest.raises(DecryptError, match="a was encrypted twice"):
            read()
    assert encconf.decrypt(twice, format="yaml", credentials=who) == inner, (
        "so that the block can be put back"
    )
    fixed = engine.change(twice, "yaml", (("a",), "new"), credentials=who)
    fixed = engine.change(fixed, "yaml", (("b",), 2), credentials=who)
    assert encconf.loads(fixed, credentials=who) == {"a": "new", "b": 2}


def test_a_ciphertext_that_the_selection_leaves_out(age_key: AgeKey, sops: Sops) -> None:
    inner = lost(age_key, "yaml")
    text = sops.encrypt(inner, "yaml", "--age", age_key.recipient, "--encrypted-regex", "^b$")
    with pytest.raises(DecryptError, match="the file's selection leaves it out"):
        encconf.loads(text, credentials=credentials(age_key))


def test_a_ciphertext_is_no_new_value(age_key: AgeKey) -> None:
    enc = lost(age_key, "yaml").split()[1]
    text = again(age_key, PLAIN["yaml"], "yaml")
    with pytest.raises(LostBlockError):
        engine.change(text, "yaml", (("a",), enc), credentials=credentials(age_key))


def test_a_comment_that_could_not_be_decrypted_stays(age_key: AgeKey) -> None:
    text = again(age_key, "a: 1\n#one\nb: 2\n", "yaml")
    start = text.index("#ENC[")
    comment = text[start : text.index("\n", start)]
    broken = text.replace(comment, comment.replace("data:", "data:AAAA"))
    changed = engine.change(broken, "yaml", (("b",), 3), credentials=credentials(age_key))
    assert comment.replace("data:", "data:AAAA") in changed
