"""Values under a data key: their ciphertexts are those of sops, and a type must fit its value."""

from __future__ import annotations

import re
from hashlib import sha512

import pytest
from engine import KEY, by_hand, credentials, opened, rule
from generate import yaml_text
from oracle import AgeKey, Sops, SopsError

from encconf import api
from encconf.engine import cipher
from encconf.engine.cipher import Encryptor, split
from encconf.engine.opening import open_text
from encconf.errors import DecryptError, EncconfError


@pytest.mark.parametrize("type", ["int", "float", "bool", "time", "comment", "bytes"])
def test_a_type_must_fit_also_in_files_of_sops(age_key: AgeKey, sops: Sops, type: str) -> None:
    for value in ('"1\\nevil: true"', "!!binary //8=", "hello"):
        theirs = sops.encrypt(f"a: {value}\n", "yaml", age=age_key.recipient)
        bent = theirs.replace("type:str", f"type:{type}", 1)
        with pytest.raises(EncconfError):
            api.decrypt(bent, credentials=credentials(age_key))
        with pytest.raises(EncconfError):
            api.loads(bent, credentials=credentials(age_key))


@pytest.mark.parametrize("name", ["sops"])
def test_byte_parity(name: str, age_key: AgeKey, sops: Sops) -> None:
    """Under sops's own nonces our ciphertexts are sops's, to the byte."""
    compared = 0
    for seed in range(60):
        for format in ("yaml", "json"):
            from generate import json_text

            text = yaml_text(seed) if format == "yaml" else json_text(seed)
            try:
                theirs = sops.encrypt(text, format, age=age_key.recipient)
                found = open_text(theirs, format=format, credentials=credentials(age_key))
            except (SopsError, EncconfError):
                continue
            encrypt = Encryptor(found.data_key)
            for leaf, value in zip(found.document.leaves, found.values, strict=True):
                if value.sealed is None or value.data is None:
                    continue
                parts = split(value.sealed.encode())
                assert parts is not None
                assert encrypt(value.type, value.data, leaf.aad, parts[1]) == value.sealed
                compared += 1
    assert compared > 500


SPELLED = {
    "time": [
        *("2024-02-29T00:00:00Z", "2024-12-31T23:59:59.999999999+23:59", "1900-02-28T00:00:00-00:00"),
        *("9999-99-99T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-04-31T00:00:00Z"),
        *("2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-00-01T00:00:00Z"),
        *("2024-01-00T00:00:00Z", "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+00:60", "2024-01-01"),
    ],
    "float": [
        *("1.5", "-0", "1e308", "+Inf", "-Inf", "NaN", "1" * 308, "5e-324", "0.1e-400"),
        *("Inf", "INF", "inf.0", "1e309", "-1e999", "9" * 400, "1e9999", "nan", "0x1p3", "1_0", ""),
    ],
    "int": ["0", "-1", "9223372036854775807", "1e3", "0x1F", "01", "--1", "1.0"],
    "bool": ["true", "False", "1", "yes", "TRue", ""],
}


@pytest.mark.parametrize("type", SPELLED)
@pytest.mark.parametrize("format", ["yaml", "json"])
def test_the_command_line_and_the_library_refuse_the_same(age_key: AgeKey, type: str, format: str) -> None:
    """Whoever holds the key can encrypt any bytes under any type."""
    text = "a: x\n" if format == "yaml" else '{"a": "x"}'
    out = api.encrypt(text, rule(age_key), format=format, credentials=credentials(age_key))
    _, data_key, _ = opened(out, format, age_key)
    accepted = 0
    for spelled in SPELLED[type]:
        enc = Encryptor(data_key)(type, spelled.encode(), b"a:")
        bent = re.sub(r"ENC\[[^\]]*type:str\]", enc, out, count=1)
        date = re.search(r'lastmodified"?: "?([^",\n]+)', bent)
        old = re.search(r'"?mac"?: "?(ENC\[[^\]]+\])', bent)
        assert date is not None
        assert old is not None
        value = sha512(spelled.encode()).hexdigest().upper()
        bent = bent.replace(old[1], Encryptor(data_key)("str", value.encode(), date[1].encode()))
        refused = []
        for call in (api.loads, api.decrypt):
            try:
                call(bent, format=format, credentials=credentials(age_key))  # type: ignore[operator]
                refused.append(False)
            except EncconfError:
                refused.append(True)
        if format == "yaml" or not spelled.lower().endswith(("inf", "nan")):  # which JSON cannot spell
            assert refused in ([True, True], [False, False]), spelled
        accepted += not refused[0]
    assert 2 <= accepted < len(SPELLED[type])


@pytest.mark.parametrize(
    ("type", "data", "said"),
    [
        ("str", b"plain", "is plaintext, but"),
        ("int", b"5", "is plaintext, but"),
        ("str", b"ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]", "cannot be decrypted"),
        ("str", b"ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str", "is cut off or damaged"),
    ],
)
def test_errors_say_where(type: str, data: bytes, said: str) -> None:
    with pytest.raises(DecryptError) as caught:
        cipher.unseal(by_hand(("null", None), ("str", b""), (type, data)), bytearray(b"\1\1\1"), KEY)
    assert re.match(rf"the (value|ciphertext) at l\[2\] {said}", caught.value.message)


LAST_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@pytest.mark.parametrize(
    ("type", "data", "said"),
    [
        *(
            (
                "time",
                b"2023-%02d-%02dT00:00:00Z" % (month, day + 1),
                "does not have the type it is marked with (time)",
            )
            for month, day in enumerate(LAST_DAYS, 1)
        ),
        ("int", b"10000000000000000000", "does not have the type it is marked with (int)"),
        ("int", b"+-5", "does not have the type it is marked with (int)"),
        ("bool", b"yes", "does not have the type it is marked with (bool)"),
        ("float", b"1e", "does not have the type it is marked with (float)"),
        ("time", b"2024-01-02", "does not have the type it is marked with (time)"),
        *(
            ("time", data, "does not have the type it is marked with (time)")
            for data in (
                b"2023-02-29T00:00:00Z",
                b"1900-02-29T00:00:00Z",
                b"2024-02-30T00:00:00Z",
                b"2023-04-31T00:00:00Z",
                b"2023-01-32T00:00:00Z",
                b"2023-01-00T00:00:00Z",
                b"2023-00-01T00:00:00Z",
                b"2023-13-01T00:00:00Z",
                b"2023-01-01T24:00:00Z",
                b"2023-01-01T00:60:00Z",
                b"2023-01-01T00:00:60Z",
                b"2023-01-01T00:00:00+24:00",
                b"2023-01-01T00:00:00+00:60",
            )
        ),
        ("bytes", b"x", "has an unknown type"),
    ],
)
def test_types_that_do_not_fit(type: str, data: bytes, said: str) -> None:
    enc = Encryptor(KEY)(type, data, b"l:").encode()
    with pytest.raises(DecryptError) as caught:
        cipher.unseal(by_hand(("str", enc)), bytearray(b"\1"), KEY)
    assert caught.value.message == f"the value at l[0] {said}"


@pytest.mark.parametrize(
    ("type", "data"),
    [
        *(("int", data) for data in (b"0", b"-1", b"9223372036854775807")),
        ("float", b"1.7976931348623157e+308"),
        *(("float", data) for data in (b"1.5", b"-0", b"+Inf", b"-Inf", b"NaN", b"1e21", b"5")),
        *(("bool", data) for data in (b"True", b"False", b"true", b"1")),
        *(("time", data) for data in (b"2024-01-02T03:04:05Z", b"2024-01-02T03:04:05.5+01:00")),
        *(("time", b"%sT23:59:59-23:59" % day) for day in (b"2024-02-29", b"2000-02-29", b"0000-12-31")),
        *(
            ("time", b"%sT00:00:00Z" % day)
            for day in (b"2023-02-28", b"1900-02-28", b"2023-04-30", b"2023-01-01")
        ),
        *(("time", b"2023-%02d-%02dT00:00:00Z" % (month, day)) for month, day in enumerate(LAST_DAYS, 1)),
        *(("comment", data) for data in (b" c", b"")),
        ("str", b"\xff"),
    ],
)
def test_types_that_fit(type: str, data: bytes) -> None:
    enc = Encryptor(KEY)(type, data, b"l:")
    document = by_hand(("str", enc.encode() + b"\n"))
    (value,) = cipher.unseal(document, bytearray(b"\1"), KEY)
    assert (value.type, value.data, value.sealed) == (type, data, enc)


def test_a_plaintext_is_taken_as_one_where_that_is_asked_for() -> None:
    """`encconf edit` encrypts it: half a ciphertext must not be encrypted as if it were a secret."""
    sealed = Encryptor(KEY)("int", b"5", b"l:").encode()
    document = by_hand(("str", b"plain"), ("int", b"7"), ("str", sealed), ("str", sealed[:-1]))
    with pytest.raises(DecryptError, match=r"the ciphertext at l\[3\] is cut off"):
        cipher.unseal(document, bytearray(b"\1\1\1\1"), KEY, accept_plain=True)
    document.leaves.pop()
    found = cipher.unseal(document, bytearray(b"\1\1\1"), KEY, accept_plain=True)
    assert [(value.type, value.data) for value in found] == [("str", b"plain"), ("int", b"7"), ("int", b"5")]


def test_lack_of_memory_is_not_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small:
        def decrypt(self, *_: bytes) -> bytes:
            raise MemoryError

    document = by_hand(("str", Encryptor(KEY)("str", b"x", b"l:").encode()))
    monkeypatch.setattr(cipher, "aes_gcm", lambda _: Small())
    with pytest.raises(MemoryError):
        cipher.unseal(document, bytearray(b"\1"), KEY)
