"""Post-quantum age keys: against the vectors of the age specification, and against sops."""

from __future__ import annotations

import base64
import hashlib
import json
import textwrap
import zlib
from pathlib import Path

import pytest
from keys.passphrase import armored as armor_bytes
from keys.passphrase import locked
from keys.test_age import child, credentials
from oracle import FIXTURES, AgeKey, Sops

from encconf import keys
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys import age, agepq, bech32
from encconf.testing.contracts.master_key import MasterKeyContract

DATA_KEY = bytes(range(32))

# Of the specification (C2SP age.md); the recipient is too long to be shown here whole.
SPECIFIED = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
SPECIFIED_ENDS = ("age1pq1x34nzsvr0rxjsgdn8zgyhfe", "3k2ykx3qheyty7saeq0d3fzv49zc0k")


@pytest.fixture(scope="module")
def alice() -> agepq.Identity:
    return agepq.Identity.generate()


@pytest.fixture(scope="module")
def bob() -> agepq.Identity:
    return agepq.Identity.generate()


class TestPostQuantum(MasterKeyContract):
    @pytest.fixture
    def key(self, alice: agepq.Identity) -> age.AgeKey:
        return age.AgeKey(alice.to_public())

    @pytest.fixture
    def other(self, bob: agepq.Identity) -> age.AgeKey:
        return age.AgeKey(bob.to_public())

    @pytest.fixture
    def credentials(self, alice: agepq.Identity) -> Credentials:
        return credentials(SOPS_AGE_KEY=alice.secret())

    @pytest.fixture
    def stranger(self, bob: agepq.Identity) -> Credentials:
        return credentials(SOPS_AGE_KEY=bob.secret())

    @pytest.fixture
    def secrets(self, alice: agepq.Identity, bob: agepq.Identity) -> list[str]:
        return [alice.secret(), bob.secret()]


# --- interoperability ----------------------------------------------------------------------


def test_sops_reads_and_writes_the_same(alice: agepq.Identity) -> None:
    recipient, identity = alice.to_public(), alice.secret()
    sops, opens = Sops({"SOPS_AGE_KEY": identity}), credentials(SOPS_AGE_KEY=identity)
    document = json.loads(sops.encrypt('{"a": "b"}', "json", age=recipient))
    (entry,) = document["sops"]["age"]
    key = age.AgeKey.from_entry(entry)
    assert key == age.AgeKey(recipient)
    data_key = key.unwrap(entry["enc"], opens)
    assert len(data_key) == 32
    ours = key.wrap(data_key, opens)
    # Line by line as long as what sops writes: the same file but for what is random.
    assert list(map(len, ours.split("\n"))) == list(map(len, entry["enc"].split("\n")))
    entry["enc"] = ours
    assert json.loads(sops.decrypt(json.dumps(document), "json")) == {"a": "b"}


def test_sops_opens_a_file_for_several(alice: agepq.Identity, bob: agepq.Identity) -> None:
    sops = Sops({"SOPS_AGE_KEY": bob.secret()})
    document = json.loads(sops.encrypt('{"a": "b"}', "json", age=bob.to_public()))
    (entry,) = document["sops"]["age"]
    data_key = bob.open(entry["enc"].encode())
    assert data_key is not None
    entry["enc"] = agepq.seal(data_key, [alice.to_public(), bob.to_public()])
    assert json.loads(sops.decrypt(json.dumps(document), "json")) == {"a": "b"}
    assert alice.open(entry["enc"].encode()) == data_key


def test_classical_keys_stand_beside_it_in_one_file_of_identities(alice: agepq.Identity) -> None:
    classical = AgeKey.generate()
    both = credentials(SOPS_AGE_KEY=f"{classical.identity}\n{alice.secret()}")
    for recipient in (classical.recipient, alice.to_public()):
        key = age.AgeKey(recipient)
        assert key.unwrap(key.wrap(DATA_KEY, both), both) == DATA_KEY


def test_it_opens_from_a_file_under_a_passphrase(alice: agepq.Identity, tmp_path: Path) -> None:
    file = tmp_path / "keys.age"
    file.write_bytes(armor_bytes(locked(alice.secret().encode(), "correct horse")))
    key = age.AgeKey(alice.to_public())
    made = credentials(prompt=["correct horse"], SOPS_AGE_KEY_FILE=str(file))
    assert key.unwrap(key.wrap(DATA_KEY, made), made) == DATA_KEY


def test_the_recipient_is_derived_as_specified() -> None:
    identity = agepq.Identity(SPECIFIED)
    recipient = identity.to_public()
    assert len(recipient) == 1959
    assert (recipient[:30], recipient[-30:]) == SPECIFIED_ENDS
    assert identity.secret() == SPECIFIED
    assert "XX76" not in repr(identity)


# --- the vectors of the specification ------------------------------------------------------


class Vector:
    """One file of fixtures/age: what is expected of it, and the age file as it is stored."""

    def __init__(self, path: Path) -> None:
        head, _, body = path.read_bytes().partition(b"\n\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\n")]
        self.fields = dict(fields)
        self.identities = [value for name, value in fields if name == "identity"]
        self.expect = self.fields["expect"]
        self.file = zlib.decompress(body) if self.fields.get("compressed") == "zlib" else body
        self.payload_hash = self.fields.get("payload", "")

    def armored(self) -> bytes:
        return self.file if "armored" in self.fields else armored(self.file)


def armored(file: bytes) -> bytes:
    text = base64.b64encode(file).decode()
    lines = textwrap.wrap(text, 64) or [""]
    return "\n".join([agepq.BEGIN, *lines, agepq.END, ""]).encode()


VECTORS = {path.name: Vector(path) for path in sorted((FIXTURES / "age").iterdir())}
OURS = [name for name, each in VECTORS.items() if any("-PQ-" in text for text in each.identities)]
FOREIGN = [name for name in VECTORS if name not in OURS]
STREAMS = [name for name in VECTORS if name.startswith("stream_") and "no_nonce" not in name]


def outcome(identity: agepq.Identity, file: bytes) -> bytes | str:
    """The content, "no match", or "refused"."""
    try:
        content = identity.open(file)
    except MasterKeyError:
        return "refused"
    return "no match" if content is None else content


@pytest.mark.parametrize("name", OURS)
def test_vectors_for_this_kind_of_key(name: str) -> None:
    vector = VECTORS[name]
    outcomes = [
        outcome(agepq.Identity(text), vector.armored()) for text in vector.identities if "-PQ-" in text
    ]
    contents = [each for each in outcomes if isinstance(each, bytes)]
    if vector.expect == "success":
        assert [hashlib.sha256(content).hexdigest() for content in contents] == [vector.payload_hash]
        return
    assert contents == []
    if name in ("hybrid_identity", "hybrid_low_order", "hybrid_x25519_arg"):
        # `cryptography` does not tell a point of low order from a wrong key; the last one is
        # malformed only for the X25519 identity beside ours.
        assert outcomes == ["no match"]
    else:
        assert set(outcomes) == {"no match" if vector.expect == "no match" else "refused"}


@pytest.mark.parametrize("name", FOREIGN)
def test_vectors_for_other_keys_have_a_header_all_the_same(name: str, alice: agepq.Identity) -> None:
    vector = VECTORS[name]
    malformed = vector.expect in ("armor failure", "header failure")
    if name.startswith("stream_") and vector.expect == "header failure":
        malformed = False  # of the payload, which is not looked at for somebody else
    assert outcome(alice, vector.armored()) == ("refused" if malformed else "no match")


@pytest.mark.parametrize("name", STREAMS)
def test_vectors_of_payloads(name: str, alice: agepq.Identity) -> None:
    """The vector's payload under a header for our key, with the vector's file key in it."""
    vector = VECTORS[name]
    file_key = bytes.fromhex(vector.fields["file key"])
    text = agepq.seal(b"", [alice.to_public()], random=lambda size: file_key)
    ours = base64.b64decode("".join(text.split("\n")[1:-2]))
    header = ours[: ours.index(b"\n--- ") + len(b"\n--- \n") + 43]
    payload = vector.file[vector.file.index(b"\n--- ") + len(b"\n--- \n") + 43 :]
    found = outcome(alice, armored(header + payload))
    if vector.expect == "success" and len(payload) <= 16 + 65536 + 16:
        assert isinstance(found, bytes)
        assert hashlib.sha256(found).hexdigest() == vector.payload_hash
    else:
        assert found == "refused"


def test_the_vectors_are_there() -> None:
    assert (len(OURS), len(FOREIGN), len(STREAMS)) == (19, 81, 24)


# --- hardness ------------------------------------------------------------------------------


def test_no_changed_bit_is_missed(alice: agepq.Identity) -> None:
    file = base64.b64decode("".join(agepq.seal(DATA_KEY, [alice.to_public()]).split("\n")[1:-2]))
    for at in range(0, len(file), 7):
        changed = file[:at] + bytes([file[at] ^ 1 << at % 8]) + file[at + 1 :]
        assert outcome(alice, armored(changed)) in ("no match", "refused"), at
    for end in range(0, len(file), 50):
        assert outcome(alice, armored(file[:end])) == "refused"
    assert outcome(alice, armored(file + b"\0")) == "refused"


def test_a_changed_header_mac_is_reported(alice: agepq.Identity, bob: agepq.Identity) -> None:
    """Bob's stanza taken out of a file for two: Alice's still opens, and the MAC says no."""
    text = agepq.seal(DATA_KEY, [bob.to_public(), alice.to_public()])
    file = base64.b64decode("".join(text.split("\n")[1:-2]))
    second = file.index(b"-> ", file.index(b"-> ") + 1)
    with pytest.raises(MasterKeyError, match=r"^age: its header was changed$"):
        alice.open(armored(file[: file.index(b"-> ")] + file[second:]))


def test_a_file_larger_than_any_data_key_is_refused(alice: agepq.Identity) -> None:
    with pytest.raises(MasterKeyError, match=r"^age: it is larger than a wrapped data key$"):
        alice.open(b" " * (agepq.LIMIT + 1))
    with pytest.raises(ValueError, match="more than one chunk"):
        agepq.seal(bytes(65537), [alice.to_public()])
    assert alice.open(agepq.seal(bytes(65536), [alice.to_public()]).encode()) == bytes(65536)
    with pytest.raises(ValueError, match="no recipient"):
        agepq.seal(DATA_KEY, [])


def test_every_file_has_its_own_key_and_nonce(alice: agepq.Identity) -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    agepq.seal(DATA_KEY, [alice.to_public()], random)
    assert asked == [16, 16]


def changed(text: str, at: int, to: str) -> str:
    return text[:at] + to + text[at + 1 :]


def test_a_malformed_identity_is_refused_and_not_repeated() -> None:
    body = SPECIFIED[19:]
    other = "Q" if SPECIFIED[40] != "Q" else "P"
    for text in (
        SPECIFIED.lower(),
        changed(SPECIFIED, 40, other),
        changed(SPECIFIED, 40, SPECIFIED[40].lower()),
        changed(SPECIFIED, 40, "B"),
        changed(SPECIFIED, 40, "İ"),
        changed(SPECIFIED, 40, "1"),
        SPECIFIED[:-1],
        SPECIFIED + "Q",
        SPECIFIED[:18] + body,
        "AGE-SECRET-KEY-PQ-1",
        "AGE-SECRET-KEY-1" + body,
        f" {SPECIFIED}",
        f"{SPECIFIED}\n",
        bech32.encode(bytes(31), agepq.IDENTITY_PREFIX),
        bech32.encode(bytes(33), agepq.IDENTITY_PREFIX),
    ):
        with pytest.raises(ValueError, match=r"^it is ") as caught:
            agepq.Identity(text)
        assert body[10:20] not in str(caught.value)


@pytest.mark.parametrize(
    "recipient",
    [
        "age1pq1",
        "age1pq1x",
        bech32.encode(bytes(32), agepq.RECIPIENT_PREFIX),
        bech32.encode(b"\xff" * 1216, agepq.RECIPIENT_PREFIX),  # coefficients beyond the modulus
        bech32.encode(bytes(1216), agepq.RECIPIENT_PREFIX),  # X25519's neutral element
    ],
    ids=["empty", "short", "size", "ml-kem", "x25519"],
)
def test_a_malformed_recipient_is_refused(recipient: str) -> None:
    with pytest.raises(BadKeyError, match=r"^age1pq1.* is not an age recipient: "):
        keys.master_key("age", recipient)
    with pytest.raises(BadKeyError, match=r"^age1pq1.* is not an age recipient: "):
        age.AgeKey(recipient).wrap(DATA_KEY, credentials())


def test_an_identity_given_as_a_recipient_is_not_repeated(alice: agepq.Identity) -> None:
    for text in (alice.secret(), alice.secret().lower()):
        with pytest.raises(BadKeyError) as caught:
            keys.master_key("age", text)
        assert caught.value.message == "this is a private key, not an age recipient"


def test_an_entry_that_does_not_fit_its_recipient_differs_from_a_foreign_one(
    alice: agepq.Identity, bob: agepq.Identity
) -> None:
    enc = agepq.seal(DATA_KEY, [bob.to_public()])
    with pytest.raises(MasterKeyError, match="the entry was changed"):
        age.AgeKey(alice.to_public()).unwrap(enc, credentials(SOPS_AGE_KEY=alice.secret()))


def test_the_report_names_it(alice: agepq.Identity, bob: agepq.Identity) -> None:
    key, recipient = age.AgeKey(alice.to_public()), bob.to_public()
    with pytest.raises(NotMyKeyError, match=rf"\(1 key: {recipient[:8]}…{recipient[-4:]}\)"):
        key.unwrap(key.wrap(DATA_KEY, credentials()), credentials(SOPS_AGE_KEY=bob.secret()))


def test_it_costs_nothing_where_it_cannot_help(alice: agepq.Identity) -> None:
    """A post-quantum identity beside the one that is needed loads no HPKE."""
    pair = AgeKey.generate()
    program = """
        import sys
        from encconf.identities.credentials import Credentials
        from encconf.keys.age import AgeKey
        key, credentials = AgeKey(sys.argv[1]), Credentials.from_env()
        assert key.unwrap(key.wrap(bytes(32), credentials), credentials) == bytes(32)
        print(*(name for name in sys.modules if name.startswith("cryptography")))
    """
    said = child(program, pair.recipient, SOPS_AGE_KEY=f"{alice.secret()} {pair.identity}")
    assert said == "\n"


def test_a_cryptography_without_ml_kem_is_named(alice: agepq.Identity) -> None:
    """With a build like that: as if its functions were those of an older OpenSSL."""
    program = """
        import sys
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import mlkem
        from encconf.identities.credentials import Credentials
        from encconf.errors import MasterKeyError
        from encconf.keys.age import AgeKey

        class Missing:
            @staticmethod
            def from_public_bytes(data):
                raise UnsupportedAlgorithm("no")
            from_seed_bytes = from_public_bytes

        key, credentials = AgeKey(sys.argv[1]), Credentials.from_env()
        enc = key.wrap(bytes(32), credentials)
        mlkem.MLKEM768PublicKey = mlkem.MLKEM768PrivateKey = Missing
        for use in (lambda: key.wrap(bytes(32), credentials), lambda: key.unwrap(enc, credentials)):
            try:
                use()
            except MasterKeyError as error:
                print(error.message.splitlines()[0])
    """
    first, second = child(program, alice.to_public(), SOPS_AGE_KEY=alice.secret()).splitlines()
    assert first == second
    assert first.startswith(
        "post-quantum keys (age1pq1…) need the package cryptography 48 or newer, with ML-KEM"
    )


def test_without_pyrage_post_quantum_keys_work(alice: agepq.Identity) -> None:
    """They are in one file with a key that needs pyrage."""
    program = """
        import sys

        sys.modules["pyrage"] = None
        from encconf.identities.credentials import Credentials
        from encconf.keys import age, agepq

        key = age.AgeKey(agepq.Identity(sys.argv[1]).to_public())
        credentials = Credentials.from_env()
        print(key.unwrap(key.wrap(b"data key", credentials), credentials))
    """
    keys = f"{AgeKey.generate().identity} {alice.secret()}"
    assert child(program, alice.secret(), SOPS_AGE_KEY=keys) == "b'data key'\n"
