"""The contract that every format fulfils, over texts that use what the format has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from engine import credentials, rule, values
from oracle import AgeKey, Sops

from encconf import api
from encconf.errors import EmitError, UsageError
from encconf.rules.selection import Selection
from encconf.testing import TestKey
from encconf.testing.contracts.format import ENC, SECRET, FormatContract, SopsFormatContract
from encconf.text.document import Document, splice

if TYPE_CHECKING:
    from encconf.formats import Format


@pytest.fixture
def sops_for() -> Callable[[TestKey], Sops]:
    return lambda key: Sops({"SOPS_AGE_KEY": key.identity})


class TestYaml(SopsFormatContract):
    name = "yaml"
    suffixes = (
        ".yaml",
        ".yml",
    )
    path = ("db", "password")
    texts = (
        f"# top\ndb:\n  host: h # inline\n  password: {SECRET}\nlist: [1, 'x', {{a: ~}}]\n\nempty: ''\n",
        f"---\ndb: {{host: h, password: '{SECRET}'}}\n...\n",
        f"db:\n    password: {SECRET}\nother:\n- &x 0x1F\n- |\n  a\n   b\nagain: *x\n",
    )
    broken = (
        f"a: {SECRET}\n b: [\n",
        f"- {SECRET}\n",
        f"a: {SECRET}\na: 1\n",
        f"'{SECRET}: 1\n",
    )

    def comparable(self, trees: list[dict[str, Any]]) -> Any:
        return values(trees)


class TestJson(SopsFormatContract):
    name = "json"
    suffixes = (".json",)
    path = ("db", "password")
    texts = (
        f'{{\n  "db": {{\n    "host": "h",\n    "password": "{SECRET}"\n  }},\n  "l": [1, null, ""]\n}}\n',
        f'{{"db":{{"password":"{SECRET}"}}}}\n',
        f'{{"n": 1.0, "u": "\\u00e9\\/", "db": {{"password": "{SECRET}"}}, "e": {{}}}}\n',
    )
    broken = (
        f'{{"a": "{SECRET}"',
        f'["{SECRET}"]',
        f'{{"a": "{SECRET}" "b"}}',
        f'{{"{SECRET}": 1,}}',
    )

    def comparable(self, trees: list[dict[str, Any]]) -> Any:
        return values(trees)


class TestToml(FormatContract):
    name = "toml"
    suffixes = (".toml",)
    path = ("db", "password")
    texts = (
        f'# top\ntitle = "x"\n\n[db]\nhost = "h" # inline\npassword = "{SECRET}"\nports = [ 1, 2 ]\n',
        f"db.password = '{SECRET}'\nn = 0x1F\nd = 1979-05-27\n",
    )
    broken = (
        f'a = "{SECRET}',
        f'a = "{SECRET}"\na = 1\n',
        f"{SECRET}\n",
    )


class TestDotenv(SopsFormatContract):
    name = "dotenv"
    suffixes = (".env",)
    path = ("PASSWORD",)
    texts = (
        f"# top\nHOST=h\n\nPASSWORD={SECRET}\n#\nEMPTY=\nHOST=again\nPLAIN_unencrypted=x # y\n",
        f"export A=\"x\\ny\" # c\nPASSWORD={SECRET}\nB='it is'\n  # indented\n \t\nC = d\n",
        f'KEY="-----BEGIN\nabc==\n-----END"\nPASSWORD={SECRET}\nK_unencrypted=\'a\n\\b"\'\n',
    )
    broken = (
        f"A=1\n{SECRET}\n",
        f'A="x\n{SECRET}\n',
        f"A=\n \\{SECRET}",
    )


class TestIni(SopsFormatContract):
    name = "ini"
    suffixes = (".ini",)
    path = ("db", "password")
    texts = (
        f"; top\n; second\n\n[db]\nhost = h ; inline\n\n# before\npassword = {SECRET}\nempty =\n[x]\n",
        f"root=1\n[DEFAULT]\nd : 2\n[db]\npassword=\"{SECRET}\"\nl = `a\nb`\nc = x \\\n  y\n[db]\nq = 'z'\n",
        f";;;;\n; x\n[db] ; tail\npassword = {SECRET}\np_unencrypted = a#b\nw_unencrypted = C:\\\nv = #fff\n",
        f"[db]\nhosts =\n    a\n    b # no comment\n    # comment\n\n    c\npassword = {SECRET}\n",
    )
    broken = (
        f"[a]\n{SECRET}\n",
        f"[{SECRET}\n",
        f"[a]\nb = `{SECRET}\n",
        f"[a]\nb = {SECRET}\nb = 2\n",
        f"[a]\n- = {SECRET}\n",
        f"[a]\n= {SECRET}\n",
    )


class TestBinary(SopsFormatContract):
    name = "binary"
    suffixes = (
        "",
        ".bin",
        ".txt",
        ".env.prod",
        ".yaml.bak",
        ".enc",
    )
    path = ("data",)
    loads = False
    texts = (SECRET,)

    def test_half_a_character_is_refused(self, format: Format) -> None:
        """Not here: it is the byte that it stands for."""
        (leaf,) = format.scan("\udcff").leaves
        assert leaf.data == b"\xff"

    def attached(self, format: Format, document: Document, block_text: str) -> str:
        """In an envelope there is always something sealed."""
        edits = [format.sealed(document, document.leaves[0], ENC), *format.attach(document, block_text)]
        return splice(document.text, edits)

    def left(self, document: Document) -> str:
        return f'"{ENC}"'

    @pytest.mark.parametrize(
        "data",
        [b"", b"\0", b"\xff\xfe", bytes(range(256)) * 40, b'{"a": 1}', b'{"sops": {}, "data": ""}', b"{"],
    )
    def test_any_bytes(self, data: bytes, age_key: AgeKey, sops: Sops) -> None:
        creds = credentials(age_key)
        text = data.decode("utf-8", "surrogateescape")
        types = ["--input-type", "binary", "--output-type", "binary", "--filename-override", "x"]
        ours = api.encrypt(text, rule(age_key), format="binary", credentials=creds)
        assert ours.isascii()
        assert api.decrypt(ours, format="binary", credentials=creds) == text
        assert sops.run("decrypt", *types, input=ours).stdout == data
        theirs = sops.run("encrypt", "--age", age_key.recipient, *types, input=data).stdout.decode()
        assert api.decrypt(theirs, format="binary", credentials=creds) == text
        assert api.encrypt(text, format="binary", twin=theirs, credentials=creds) == theirs

    def test_it_is_always_encrypted(self, age_key: AgeKey, sops: Sops) -> None:
        told: list[str] = []
        ours = api.encrypt(
            SECRET,
            rule(age_key, selection=Selection("encrypted_suffix", "_x", True)),
            format="binary",
            credentials=credentials(age_key),
            notify=told.append,
        )
        assert SECRET not in ours
        assert '"data": "ENC[' in ours  # what clients look for
        assert "encrypted_suffix" in told[0]
        assert sops.decrypt(ours, "binary") == SECRET

    def test_nothing_to_load(self, age_key: AgeKey) -> None:
        with pytest.raises(UsageError, match="bytes"):
            api.loads("{}", format="binary", credentials=credentials(age_key))

    def test_an_envelope_with_more_in_it(self, age_key: AgeKey, sops: Sops) -> None:
        """As sops, which takes any JSON file with a string called data."""
        creds = credentials(age_key)
        theirs = sops.encrypt(
            '{"x": 1, "data": "a", "y": ["z"], "w_unencrypted": "v"}', "json", age=age_key.recipient
        )
        assert api.decrypt(theirs, format="binary", credentials=creds) == "a"
        for text in ('{"x": 1}', '{"data": 1}', '{"data": {"a": "b"}}'):
            theirs = sops.encrypt(text, "json", age=age_key.recipient)
            with pytest.raises(EmitError, match="no binary data found in tree"):
                api.decrypt(theirs, format="binary", credentials=creds)

    def test_one_that_an_old_sops_left_plaintext(self, age_key: AgeKey, sops: Sops) -> None:
        creds = credentials(age_key)
        theirs = sops.encrypt('{"data": "a\\n"}', "json", "--encrypted-suffix", "_x", age=age_key.recipient)
        assert api.decrypt(theirs, format="binary", credentials=creds) == "a\n"
        again = api.encrypt("a\n", format="binary", twin=theirs, credentials=creds)
        assert '"data": "ENC[' in again
