"""SSH keys, two pairs of post-quantum age keys, and what age encrypted for one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from keys.age_files import DATA_KEY, PASSPHRASE, credentials, ssh_key
from oracle import AgeKey as Pair

from encconf.keys.age import AgeKey


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """One SSH key of each kind, unlocked and (``locked-…``) with a passphrase."""
    folder = tmp_path_factory.mktemp("ssh")
    kinds = {
        "ed25519": ["-t", "ed25519"],
        "rsa": ["-t", "rsa", "-b", "2048"],
        "rsa-pem": ["-t", "rsa", "-b", "2048", "-m", "PEM"],
        "rsa-pkcs8": ["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
        "ecdsa": ["-t", "ecdsa"],
    }
    made = {kind: ssh_key(folder, *options, "-N", "", name=kind) for kind, options in kinds.items()}
    for kind, options in kinds.items():
        name = f"locked-{kind}"
        made[name] = ssh_key(folder, *options, "-N", PASSPHRASE, name=name)
    return made


@pytest.fixture(scope="module")
def alice() -> Pair:
    return Pair.generate()


@pytest.fixture(scope="module")
def bob() -> Pair:
    return Pair.generate()


@pytest.fixture
def enc(alice: Pair) -> str:
    return AgeKey(alice.recipient).wrap(DATA_KEY, credentials())
