"""What is encrypted for age and SSH keys, and who opens it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from oracle import AgeKey as Pair
from oracle import clean_environ

from encconf.identities.credentials import Credentials
from encconf.keys.age import AgeKey

DATA_KEY = bytes(range(32))

PASSPHRASE = "correct horse"


def credentials(home: Path | None = None, prompt: list[str] | None = None, **environ: str) -> Credentials:
    """Credentials with these variables; ``prompt`` are the answers, which are used up."""
    made = Credentials.from_env({"PATH": os.environ["PATH"], **environ}, platform="linux")
    made.home = str(home) if home else None
    made.config_home = str(home / ".config") if home else None
    answers = prompt or []
    made.prompt = (lambda question: answers.pop(0)) if prompt is not None else None
    return made


def ssh_key(folder: Path, *options: str, name: str = "key") -> tuple[Path, str]:
    """A new SSH key by ssh-keygen: the private file, the public line.

    On Windows, which may not have ssh-keygen, it is by cryptography.
    """
    path = folder / name
    if os.name == "nt":
        return _ssh_key(path, dict(zip(options[::2], options[1::2], strict=True)))
    command = ["ssh-keygen", "-q", "-C", "me@example.test", "-f", str(path), *options]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    return path, Path(f"{path}.pub").read_text().strip()


def _ssh_key(path: Path, options: dict[str, str]) -> tuple[Path, str]:
    kinds: dict[str, Callable[[], Any]] = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "rsa": lambda: rsa.generate_private_key(65537, int(options["-b"])),
        "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    }
    formats = {"PEM": PrivateFormat.TraditionalOpenSSL, "PKCS8": PrivateFormat.PKCS8}
    key, secret = kinds[options["-t"]](), options["-N"].encode()
    locked = BestAvailableEncryption(secret) if secret else NoEncryption()
    form = formats.get(options.get("-m", ""), PrivateFormat.OpenSSH)
    path.write_bytes(key.private_bytes(Encoding.PEM, form, locked))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return path, f"{public} me@example.test"


def opens(pair: Pair, enc: str, made: Credentials) -> bool:
    return AgeKey(pair.recipient).unwrap(enc, made) == DATA_KEY


def child(program: str, *args: str, **environ: str) -> str:
    """What a Python program prints that is run in a clean environment."""
    result = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", textwrap.dedent(program), *args],
        env=clean_environ({"PYTHONPATH": os.pathsep.join(sys.path), **environ}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
