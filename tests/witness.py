"""The referee of the stranger game (`game`): what can someone without a key read, and what was written?

It decrypts in its own way, with an age identity, Shamir's scheme and AES, so that it also sees what encconf
itself would refuse to open.  A secret of the victim has a form of its own, so that it is found anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SECRET = re.compile(rb"canary[0-9a-f]{16}")
PLANTED = re.compile(rb"planted[0-9a-f]{16}")
PROPOSED = re.compile(rb"proposed[0-9a-f]{16}")
"""A value that the stranger proposes."""
_VALUE = re.compile(rb"ENC\[AES256_GCM,data:([^,\]]+),iv:([^,\]]+),tag:")
_WRAPPED = re.compile(rb"-----BEGIN AGE ENCRYPTED FILE-----(.*?)-----END AGE ENCRYPTED FILE-----", re.DOTALL)


def _exponents() -> tuple[list[int], list[int]]:
    powers, logarithms, value = [0] * 512, [0] * 256, 1
    for at in range(255):
        powers[at] = powers[at + 255] = value
        logarithms[value] = at
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
        value &= 0xFF
    return powers, logarithms


_POWERS, _LOGARITHMS = _exponents()


def _times(one: int, other: int) -> int:
    return _POWERS[_LOGARITHMS[one] + _LOGARITHMS[other]] if one and other else 0


def combined(shares: list[bytes]) -> bytes:
    """The data key from shares: 32 values and the place of each share, in the field that Vault uses."""
    points = {share[-1]: share for share in shares}
    key = bytearray(32)
    for x, share in points.items():
        weight = 1
        for other in points:
            if other != x:
                weight = _times(weight, _POWERS[(_LOGARITHMS[other] - _LOGARITHMS[other ^ x]) % 255])
        for at in range(32):
            key[at] ^= _times(weight, share[at])
    return bytes(key)


def values(content: bytes, key: bytes) -> Iterator[bytes]:
    """What a data key makes of each ciphertext.  The tags do not matter to a reader."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import GCM

    for data, iv in _VALUE.findall(content):
        try:
            yield Cipher(AES(key), GCM(base64.b64decode(iv))).decryptor().update(base64.b64decode(data))
        except ValueError:
            continue


class Reader:
    """Somebody with age identities and perhaps some data keys."""

    def __init__(self, identities: list[str]) -> None:
        import pyrage

        self.identities = [pyrage.x25519.Identity.from_str(each) for each in identities]
        self.known: set[bytes] = set()
        self._parts: dict[bytes, bytes | None] = {}

    def data_keys(self, content: bytes) -> set[bytes]:
        """The data keys that the identities get from a text."""
        parts = [part for body in _WRAPPED.findall(content) if (part := self._part(body)) is not None]
        shares = [part for part in parts if len(part) == 33 and part[-1]]
        found = {part for part in parts if len(part) == 32}
        if len({share[-1] for share in shares}) > 1:
            found.add(combined(shares))
        return found

    def _part(self, body: bytes) -> bytes | None:
        import pyrage

        text = b"".join(body.replace(b"\\n", b"\n").split())
        if text not in self._parts:
            try:
                self._parts[text] = pyrage.decrypt(base64.b64decode(text), self.identities)
            except (ValueError, pyrage.DecryptError):
                self._parts[text] = None
        return self._parts[text]

    def opened(self, content: bytes, pattern: re.Pattern[bytes] = SECRET) -> dict[bytes, set[bytes]]:
        """Return what matches ``pattern`` in the values of a text, by the data key that decrypts it."""
        if b"ENC[AES256_GCM" not in content:
            return {}
        found: dict[bytes, set[bytes]] = {}
        for key in {*self.known, *self.data_keys(content)}:
            tokens = {token for value in values(content, key) for token in pattern.findall(_decoded(value))}
            if tokens:
                found[key] = tokens
        return found


def _decoded(value: bytes) -> bytes:
    """The bytes of a value, and those that it holds as base64."""
    if len(value) > 20 and re.fullmatch(rb"[A-Za-z0-9+/=]+", value):
        try:
            return value + b" " + base64.b64decode(value)
        except ValueError:
            pass
    return value


State = tuple[object, ...]


class Witness:
    """Watches a folder with the victim's home, repository and surroundings."""

    def __init__(self, folder: Path, stranger: Reader, insider: Reader | None = None) -> None:
        self.folder = folder
        self.repository = folder / "repo"
        self.stranger = stranger
        self.insider = insider
        """Somebody whose key opens one of several key groups, which is not enough to open a file."""
        self.conceded: dict[bytes, set[bytes]] = {}
        """Each secret, with the data keys under which the stranger may read it."""
        self.asked: set[str] = set()
        """The files in which the victim keeps plaintext."""
        self._seen: dict[str, State] = {}
        self._judged: set[bytes] = set()

    def outside(self) -> dict[str, State]:
        """The state of every file around the repository."""
        found: dict[str, State] = {}
        for name in ("home", "outside", "tmp"):
            for path, state in _walk(os.path.join(self.folder, name)):
                found[path] = _summary(path, state, content=True)
        return found

    def marks(self) -> list[str]:
        """The programs of the stranger that ran."""
        return sorted(os.listdir(self.folder / "marks"))

    def fresh(self) -> Iterator[tuple[str, bytes]]:
        """Yield the path and the content of each file that has changed since the last call."""
        skipped = {str(self.folder / name) for name in ("marks", "bin")}
        for path, state in _walk(str(self.folder), skipped):
            summary = _summary(path, state, content=False)
            if self._seen.get(path) == summary:
                continue
            self._seen[path] = summary
            if not stat.S_ISREG(state.st_mode):
                continue
            try:
                with open(path, "rb") as file:
                    content = file.read(4 << 20)
            except OSError:
                continue
            if "/.git/objects/" in path:
                try:
                    content = zlib.decompress(content)
                except zlib.error:
                    continue
            yield path, content

    def leaks(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with each new content: a kind and a description."""
        for path, content in self.fresh():
            name = os.path.relpath(path, self.folder)
            if path not in self.asked and (shown := [*SECRET.findall(content)]):
                yield "plaintext", f"{name} has the plaintext of {shown[0].decode()}"
            digest = hashlib.sha256(content).digest()
            if digest in self._judged:
                continue
            self._judged.add(digest)
            for who, reader in (("the stranger", self.stranger), ("one of several groups", self.insider)):
                for key, tokens in reader.opened(content).items() if reader is not None else ():
                    read = [token for token in sorted(tokens) if key not in self.conceded.get(token, ())]
                    if read:
                        how = "a data key of their own" if key in reader.known else "their age key"
                        yield "read", f"{who} reads {read[0].decode()} in {name} with {how}"

    def known(self, content: bytes) -> set[bytes]:
        """The data keys that a reader knows, or gets from a text."""
        readers = [each for each in (self.stranger, self.insider) if each is not None]
        return {key for each in readers for key in (*each.known, *each.data_keys(content))}


def _walk(folder: str, skipped: set[str] | None = None) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = [*os.scandir(folder)]
    except OSError:
        return
    for entry in entries:
        if skipped and entry.path in skipped:
            continue
        try:
            state = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        yield entry.path, state
        if stat.S_ISDIR(state.st_mode):
            yield from _walk(entry.path, skipped)


def _summary(path: str, state: os.stat_result, *, content: bool) -> State:
    if stat.S_ISDIR(state.st_mode):
        return ("folder", state.st_mode, state.st_uid)
    if stat.S_ISLNK(state.st_mode):
        return ("link", os.readlink(path))
    if not content:
        return (state.st_mode, state.st_size, state.st_mtime_ns, state.st_ino)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        data = b""
    return (state.st_mode, state.st_uid, data)


# --- the texts of files, read and written without encconf ----------------------------------------


class Text:
    """An encrypted text: its values as they are written, and its ``sops`` block as a dict."""

    def __init__(self, format: str, head: Any, block: dict[str, Any]) -> None:
        self.format = format
        self.head = head
        self.block = block

    @classmethod
    def read(cls, format: str, text: str) -> Text | None:
        """None if the text has no block, or a damaged one."""
        try:
            head, block = _READ[format](text)
        except Exception:
            return None
        return cls(format, head, block) if isinstance(block, dict) and block else None

    def text(self) -> str:
        return _WRITE[self.format](self.head, self.block)

    def groups(self) -> list[dict[str, Any]]:
        """The key groups, or the block itself, which has the only one."""
        groups = self.block.get("key_groups")
        return [each for each in groups if isinstance(each, dict)] if groups else [self.block]

    def entries(self) -> list[dict[str, Any]]:
        """Every age entry."""
        return [entry for group in self.groups() for entry in group.get("age") or ()]


def _read_yaml(text: str) -> tuple[str, Any]:
    from ruamel.yaml import YAML

    at = text.index("\nsops:") + 1
    return text[:at], YAML(typ="safe").load(text[at:])["sops"]


def _write_yaml(head: str, block: dict[str, Any]) -> str:
    return f"{head}sops:\n{_yaml(block, 4)}"


def _yaml(value: Any, indent: int) -> str:
    pad = " " * indent
    if isinstance(value, dict) and value:
        lines = []
        for key, each in value.items():
            nested = isinstance(each, (dict, list)) and each
            lines.append(
                f"{pad}{key}:\n{_yaml(each, indent + 4)}" if nested else f"{pad}{key}: {json.dumps(each)}\n"
            )
        return "".join(lines)
    if isinstance(value, list) and value:
        parts = []
        for each in value:
            nested = isinstance(each, (dict, list)) and each
            text = _yaml(each, indent + 2) if nested else f"{pad}  {json.dumps(each)}\n"
            parts.append(f"{pad}- {text[indent + 2 :]}")
        return "".join(parts)
    return f"{pad}{json.dumps(value)}\n"


def _read_json(text: str) -> tuple[Any, Any]:
    tree = json.loads(text)
    block = tree.pop("sops")
    return tree, block


def _write_json(head: Any, block: dict[str, Any]) -> str:
    return json.dumps({**head, "sops": block}, indent="\t") + "\n"


_STEP = re.compile(r"__list_(\d+)|__map_|__")


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, f"{name}__map_{key}" if name else str(key))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _flat(each, f"{name}__list_{at}")
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield name, text.replace("\n", "\\n")


def _nested(pairs: Iterator[tuple[str, str]]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for name, value in pairs:
        steps: list[str | int] = []
        rest = name
        while rest:
            if found := re.match(r"__list_(\d+)", rest):
                steps.append(int(found[1]))
            else:
                found = re.match(r"(?:__map_)?(.+?)(?=__list_|__map_|$)", rest)
                assert found is not None
                steps.append(found[1])
            rest = rest[found.end() :]
        node: Any = root
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            new: Any = value.replace("\\n", "\n")
            if following is not None:
                new = [] if isinstance(following, int) else {}
            if isinstance(step, int):
                while len(node) <= step:
                    node.append(new)
                node = node[step]
            else:
                node = node.setdefault(step, new)
    return root


def _read_dotenv(text: str) -> tuple[str, Any]:
    lines = text.splitlines(keepends=True)
    own = [line for line in lines if line.startswith("sops_")]
    pairs = (line.rstrip("\n").removeprefix("sops_").split("=", 1) for line in own)
    return "".join(line for line in lines if line not in own), _nested((name, value) for name, value in pairs)


def _write_dotenv(head: str, block: dict[str, Any]) -> str:
    return head + "".join(f"sops_{name}={value}\n" for name, value in _flat(block, ""))


def _read_ini(text: str) -> tuple[str, Any]:
    at = text.index("[sops]")
    pairs = (line.split("=", 1) for line in text[at:].splitlines()[1:] if "=" in line)
    return text[:at], _nested((name.strip(), value.strip()) for name, value in pairs)


def _write_ini(head: str, block: dict[str, Any]) -> str:
    return f"{head}[sops]\n" + "".join(f"{name} = {value}\n" for name, value in _flat(block, ""))


def _read_toml(text: str) -> tuple[str, Any]:
    import tomllib

    return text[: text.index("[sops]")], tomllib.loads(text)["sops"]


def _write_toml(head: str, block: dict[str, Any]) -> str:
    return f"{head}[sops]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in block.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


_READ: dict[str, Callable[[str], tuple[Any, Any]]] = {
    "yaml": _read_yaml,
    "json": _read_json,
    "binary": _read_json,
    "dotenv": _read_dotenv,
    "ini": _read_ini,
    "toml": _read_toml,
}
_WRITE: dict[str, Callable[[Any, dict[str, Any]], str]] = {
    "yaml": _write_yaml,
    "json": _write_json,
    "binary": _write_json,
    "dotenv": _write_dotenv,
    "ini": _write_ini,
    "toml": _write_toml,
}
