"""A program age-plugin-NAME for tests, and its keys: age's plugin protocol without any hardware.

A recipient and its identity hold the same 20 random bytes, so this protects nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "double"
_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def install(folder: Path, *, asks: bool = False, asks_to_wrap: bool = False) -> None:
    """Put the program into a folder, for PATH; it may ask for a PIN, and take any."""
    program = folder / f"age-plugin-{NAME}"
    if os.name == "nt":
        program.with_suffix(".cmd").write_text(f'@"{sys.executable}" "{program}" %*\n')
    program.write_text(f"#!{sys.executable}\nASKS, ASKS_TO_WRAP = {asks}, {asks_to_wrap}\n" + _PROGRAM)
    program.chmod(0o700)


def generate() -> tuple[str, str]:
    """A new pair: the recipient, the identity."""
    secret = os.urandom(20)
    return _bech32(f"age1{NAME}", secret), _bech32(f"age-plugin-{NAME}-", secret).upper()


def _bech32(prefix: str, data: bytes) -> str:
    """BIP 173, for data of a multiple of five bytes."""
    bits = int.from_bytes(data, "big")
    words = [bits >> shift & 31 for shift in range(len(data) * 8 - 5, -5, -5)]
    checked = [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix), *words]
    state = 1
    for word in [*checked, *[0] * 6]:
        top, state = state >> 25, (state & 0x1FFFFFF) << 5 ^ word
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= generator if top >> bit & 1 else 0
    state ^= 1
    words += [state >> shift & 31 for shift in range(25, -5, -5)]
    return f"{prefix}1" + "".join(_CHARSET[word] for word in words)


_PROGRAM = r"""
import sys
from base64 import b64decode, b64encode
from hashlib import sha256

sys.stdout.reconfigure(newline="\n")

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

def key(text):
    words = text.lower().rpartition("1")[2][:-6]
    return sha256("".join(words).encode()).digest()[:16]

def send(*words, body=b""):
    text = b64encode(body).decode().rstrip("=")
    lines = [text[at:at + 64] for at in range(0, len(text), 64)] or [""]
    if len(lines[-1]) == 64:
        lines.append("")
    sys.stdout.write("\n".join(["-> " + " ".join(words), *lines]) + "\n")
    sys.stdout.flush()

def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    words, body = line.split()[1:], ""
    while True:
        line = sys.stdin.readline().rstrip("\n")
        body += line
        if len(line) < 64:
            return words, b64decode(body + "=" * (-len(body) % 4))

def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))

asked = []
while not asked or asked[-1][0][0] != "done":
    asked.append(receive())
mine = [key(words[1]) for words, _ in asked if words[0] in ("add-recipient", "add-identity")]
if ASKS_TO_WRAP if sys.argv[1] == "--age-plugin=recipient-v1" else ASKS:
    send("request-secret", body=b"PIN")
    if receive()[0][0] != "ok":
        sys.exit(1)
if sys.argv[1] == "--age-plugin=recipient-v1":
    files = [body for words, body in asked if words[0] == "wrap-file-key"]
    for number, file_key in enumerate(files):
        for secret in mine:
            tag = sha256(secret).hexdigest()
            send("recipient-stanza", str(number), "double", tag, body=xor(file_key, secret))
            receive()
else:
    done = set()
    for words, body in asked:
        if words[0] == "recipient-stanza" and words[2] == "double" and words[1] not in done:
            for secret in mine:
                if sha256(secret).hexdigest() == words[3]:
                    done.add(words[1])
                    send("file-key", words[1], body=xor(body, secret))
                    receive()
send("done")
"""
