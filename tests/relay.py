"""Change one encrypted file in random steps, each with another program (part of `make fuzz`).

The programs are encconf, `encconf.edit`, encconf under the name ``sops``, the real sops, and rops if
ROPS_ORACLE names it.  After each step, every program must read the same values, and `encconf check` must find
no error.  A step of encconf changes no other value, no other ciphertext, not the file's mode, and leaves no
other file.  A step that fails leaves the file as it was.
"""

from __future__ import annotations

import json
import os
import pty
import random
import re
import subprocess
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import forks
from engine import credentials, values
from generate import dotenv_text, ini_text, json_text, toml_text, yaml_text
from oracle import AgeKey, Sops, clean_environ

import encconf
from encconf import api, formats
from encconf.errors import DecryptError, EncconfError, MacError
from encconf.text.path import spell

MAKE = {"yaml": yaml_text, "json": json_text, "dotenv": dotenv_text, "ini": ini_text, "toml": toml_text}
KEYS = ["new", "key with blanks", "a.b", "né", "yes", "12", "a_unencrypted", "q'u"]
STRINGS = [
    *(
        "text",
        "",
        " ",
        "two\nlines\n",
        "yes",
        "1_000",
        "2024-01-02",
        "# x",
        "a # b",
        '"q"',
        "'q'",
        "C:\\x",
        "ü😀",
    )
]
VALUES = [*STRINGS, True, None, 7, 1.5, 3.0, [], {}, {"k": ["v", {"w": 1}]}, [[1], ["a"]]]
SELECTIONS = [
    "",
    "",
    "encrypted_regex: ^(a|k|d)",
    "unencrypted_comment_regex: note",
    "mac_only_encrypted: true",
]
ROPS = os.environ.get("ROPS_ORACLE")
BARE_NUMBER = re.compile(rb"(?m)(?:^|[ -])1_000$")
"""How rops writes the plaintext string "1_000".  sops and encconf read a number, so the MAC is wrong."""


class RefusedError(Exception):
    """The program made no change."""


class Relay:
    """The file, and what is in it: the values of its one document."""

    def __init__(self, seed: int, format: str, folder: Path, sops: Sops, keys: list[AgeKey]) -> None:
        self.draw = random.Random(f"{seed} {format}")
        self.format, self.folder, self.sops, self.keys = format, folder, sops, keys
        self.file = folder / f"f.{'env' if format == 'dotenv' else format}"
        self.credentials = credentials(*keys)
        identities = {"SOPS_AGE_KEY": "\n".join(key.identity for key in keys)}
        self.environ = clean_environ({**identities, "ROPS_AGE": ",".join(key.identity for key in keys)})
        self.recipients = [keys[0].recipient]
        self.selection = self.draw.choice(SELECTIONS)
        self.at: tuple[str | int, ...] | None = None
        self.doing = ""
        self.rule()
        self.file.write_bytes(MAKE[format](seed).encode())
        self.file.chmod(0o640)
        try:
            documents = len(self.loaded(self.file.read_bytes().decode()))
        except EncconfError:
            documents = 0
        if documents != 1:
            raise RefusedError
        text = self.file.read_bytes()
        # sops knows no TOML, and takes each \r of dotenv for a part of the value.
        own = format == "toml" or (format == "dotenv" and b"\r" in text)
        self.writer = "encconf" if own else self.draw.choice(["encconf", "sops", "real"])
        self.by_sops = self.writer == "real"  # whether sops has written the values once
        self.run(self.writer, "encrypt", "-i")
        if not own and not self.readable("real"):
            raise RefusedError  # sops cannot read every file that it writes
        if self.by_sops and not self.opens():
            raise RefusedError
        (self.value,) = self.loaded(text.decode())

    def rule(self) -> None:
        rule = f"creation_rules:\n  - age: {','.join(self.recipients)}\n"
        (self.folder / ".sops.yaml").write_text(rule + (f"    {self.selection}\n" if self.selection else ""))

    def run(self, program: str, verb: str, *options: str, words: Sequence[str] = (), editor: str = "") -> str:
        """Run a program on the file, with ``words`` after its name.  ``real`` is the real sops."""
        arguments = [verb, *options, str(self.file), *words]
        environ = {**self.environ, "EDITOR": editor, "SOPS_EDITOR": editor}
        before = self.file.read_bytes()
        if program in ("real", "rops"):
            command = [self.sops.binary if program == "real" else str(ROPS), *arguments]
            ends = pty.openpty()  # rops reads a stdin that is no terminal
            try:
                done = subprocess.run(
                    command, cwd=self.folder, env=environ, stdin=ends[1], capture_output=True, timeout=60
                )
            except subprocess.TimeoutExpired:  # sops waits for a key before it opens an invalid text again
                assert self.file.read_bytes() == before, command
                raise RefusedError from None
            finally:
                for end in ends:
                    os.close(end)
        else:
            done = forks.run(program, arguments, cwd=self.folder, environ=environ)
        assert b"Traceback" not in done.stderr, done
        assert b"internal" not in done.stderr, done
        if done.returncode:
            assert self.file.read_bytes() == before, done
            raise RefusedError
        return done.stdout.decode()

    def loaded(self, text: str) -> list[Any]:
        return formats.get(self.format).load_plain(text)

    def read(self) -> list[Any]:
        """Return the values that all programs read.  Raises AssertionError if they differ."""
        text = self.file.read_bytes().decode()
        found = api.loads_all(text, format=self.format, credentials=self.credentials)
        plain = api.decrypt(text, format=self.format, credentials=self.credentials)
        if self.format != "dotenv" or not self.by_sops:  # sops takes indented comments for values
            assert alike(self.loaded(plain)) == alike(found), plain
        if self.format == "toml":
            assert alike([tomllib.loads(plain)]) == alike(found)
        elif self.writer != "rops":  # sops reads no file without a version
            assert self.readable("real")
            theirs, ours = (self.json(program) for program in ("real", "encconf"))
            # A bare # may follow a list after sops has written it, and sops makes an item of it then.
            if self.format != "yaml" or not re.search(r"(?m)^ *#[ \t\r]*$", text):
                assert alike(theirs) == alike(ours), (theirs, ours)
        words = ["check", "--verify", "--json", str(self.file)]
        done = forks.run("encconf", words, cwd=self.folder, environ=self.environ)
        report = json.loads(done.stdout)
        # Some of SELECTIONS choose nothing in some documents.
        allowed = "nothing-encrypted"
        errors = [
            each for each in report["findings"] if each["severity"] == "error" and each["slug"] != allowed
        ]
        assert not errors, errors
        assert {path.name for path in self.folder.iterdir()} == {".sops.yaml", self.file.name}
        assert self.file.stat().st_mode & 0o777 == 0o640
        return found

    def json(self, program: str) -> Any:
        """Return what a program prints as JSON, or None if it refuses, because of an infinite number."""
        try:
            text = self.run(program, "decrypt", "--output-type", "json")
        except RefusedError:
            return None
        return json.loads(text, object_pairs_hook=joined)

    def readable(self, program: str) -> bool:
        """Whether a program can read the file."""
        try:
            self.run(program, "decrypt", *(["-f", self.format] if program == "rops" else []))
        except RefusedError:
            return False
        return True

    def opens(self) -> bool:
        """Whether encconf opens what another program wrote.

        sops makes a value of some comments, and encrypts it again.  It removes our proof that a value which
        is empty the second time was not added by a stranger (`empty-twice` in docs/sops-differences.md).
        """
        try:
            api.loads_all(self.file.read_bytes().decode(), format=self.format, credentials=self.credentials)
        except (DecryptError, MacError) as error:
            if "encrypted twice" not in str(error) and "occurs twice" not in str(error):
                raise
            return False
        return True

    def sealed(self) -> Counter[bytes]:
        """Return the ciphertexts of values."""
        leaves = formats.get(self.format).scan(self.file.read_bytes().decode()).leaves
        return Counter(leaf.data for leaf in leaves if leaf.data and leaf.data.startswith(b"ENC[AES"))

    def path(self, *, new: bool) -> tuple[str | int, ...]:
        node, steps = self.value, []
        while isinstance(node, (dict, list)) and node and (not steps or self.draw.random() < 0.7):
            steps.append(self.draw.choice(list(node) if isinstance(node, dict) else range(len(node))))
            node = node[steps[-1]]
        if self.format == "ini":
            steps = steps[:2] if len(steps) > 1 or not new else [*steps, "new"]
        elif new and isinstance(node, dict) and self.format != "dotenv":
            steps.append(self.draw.choice(KEYS))
        return tuple(steps)

    # --- steps: each returns the value that it means to leave ---

    def set(self, program: str) -> Any:
        path = self.path(new=self.draw.random() < 0.4)
        value = self.draw.choice(VALUES if self.format in ("yaml", "json") else STRINGS)
        if not path:
            raise RefusedError
        self.at = path
        words = [self.spelled(path, program), json.dumps(value)]
        self.run(program, "set", *(["--json"] if program == "encconf" else []), words=words)
        return put(self.value, path, value)

    def unset(self, program: str) -> Any:
        self.at = path = self.path(new=False)
        if not path:
            raise RefusedError
        self.run(program, "unset", words=[self.spelled(path, program)])
        return put(self.value, path, None, remove=True)

    def spelled(self, path: tuple[str | int, ...], program: str) -> str:
        if program == "encconf":
            return spell(path)
        if any(isinstance(step, int) or set(step) & set('"[]\\=') or not step for step in path):
            raise RefusedError  # sops counts comments, too
        return "".join(f'["{step}"]' for step in path)

    def edit(self, program: str) -> Any:
        from fuzz import edited

        shown = self.run(program, "decrypt", *(["-f", self.format] if program == "rops" else []))
        lines = shown.splitlines(keepends=True)
        new = "".join(edited(lines, self.draw, self.format))
        try:
            (meant,) = self.loaded(new)
        except (EncconfError, ValueError):
            raise RefusedError from None
        if program == "rops" and meant == self.value:
            raise RefusedError  # if only the order of keys has changed, rops keeps the MAC
        with tempfile.TemporaryDirectory() as folder:
            script, text = Path(folder, "editor"), Path(folder, "text")
            text.write_bytes(new.encode())
            script.write_text(f'#!/bin/sh\ncat {text} > "$1"\n')
            script.chmod(0o700)
            try:
                self.run(program, "edit", editor=str(script))
            finally:
                for left in self.folder.glob("*.unsaved-*"):  # encrypted
                    left.unlink()
        if program == "encconf":
            assert self.run("encconf", "decrypt") == new
        return meant

    def api(self, program: str) -> Any:
        path = self.path(new=False)
        value = self.draw.choice(VALUES if self.format in ("yaml", "json") else STRINGS)
        if not path or (self.format == "ini" and len(path) < 2):
            raise RefusedError
        try:
            with encconf.edit(self.file, credentials=self.credentials) as doc:
                meant = put(doc, path, value, remove=self.draw.random() < 0.3)
                doc.clear()
                doc.update(meant)
        except EncconfError:
            raise RefusedError from None
        return meant

    def rotate(self, program: str) -> Any:
        before = self.sealed()
        self.run(program, "rotate", *(["-i"] if program != "encconf" else []))
        if program != "real" or self.readable("real"):  # sops writes some values without their quotes
            assert not before & self.sealed()
        return self.value

    def updatekeys(self, program: str) -> Any:
        before, text = self.sealed(), self.file.read_bytes()
        was = self.recipients
        self.recipients = [key.recipient for key in self.keys[: self.draw.randint(1, 3)]]
        self.rule()
        try:
            self.run(program, "updatekeys", "-y")
        except RefusedError:
            self.recipients = was
            self.rule()
            raise
        if program == "encconf" and text != self.file.read_bytes():
            assert bool(before & self.sealed()) == (set(was) <= set(self.recipients)) or not before
        return self.value

    def add(self, program: str) -> Any:
        if self.keys[1].recipient in self.recipients:
            raise RefusedError
        self.run(program, "keys", "add", "-f", self.format, "--age", self.keys[1].recipient, "--")
        self.recipients = [*self.recipients, self.keys[1].recipient]
        self.rule()
        return self.value

    def step(self) -> str:
        """Make one step, and check the file.  Returns what was done."""
        programs = {
            "encconf": [self.set, self.unset, self.edit, self.api, self.rotate, self.updatekeys],
            "sops": [self.set, self.unset, self.edit, self.rotate, self.updatekeys],
            "real": [self.set, self.unset, self.edit, self.rotate, self.updatekeys],
            "rops": [self.add, self.edit],
        }
        chosen = ["encconf"] if self.format == "toml" else ["encconf", "sops", "real"]
        # rops drops rules about comments, and writes values of TOML in another order than that of their MAC.
        if ROPS is not None and self.format in ("yaml", "json") and "comment" not in self.selection:
            chosen.append("rops")
        program = self.draw.choice(chosen)
        if program == "real" and self.writer == "rops":
            program = "sops"
        action: Callable[[str], Any] = self.draw.choice(programs[program])
        before = self.file.read_bytes()
        self.at, self.doing = None, f"{program} {action.__name__}"
        was = self.recipients
        olds = self.sealed()
        try:
            meant = action(program)
        except RefusedError:
            return f"{program} {action.__name__}: refused"
        foreign = program in ("real", "rops")
        bare = program == "rops" and BARE_NUMBER.search(self.file.read_bytes())
        if bare or (foreign and (not self.readable(program) or not self.opens())):
            self.file.write_bytes(before)
            self.recipients = was
            self.rule()
            return f"{program} {action.__name__}: spoiled"
        if before != self.file.read_bytes():
            self.writer = program
            self.by_sops = self.by_sops or program == "real"
        found = self.read()[0]
        if not foreign and self.format != "dotenv":
            assert alike(found) == alike(meant), (program, action.__name__, self.at, meant, found)
        if program == "encconf" and self.at is not None and "comment" not in self.selection:
            assert all(isinstance(step, int) for step in self.at[1:2]) or not self.lost(olds, before), self.at
        self.value = found
        return f"{program} {action.__name__}"

    def lost(self, olds: Counter[bytes], before: bytes) -> Counter[bytes]:
        """Return the ciphertexts that a change should have kept."""
        leaves = formats.get(self.format).scan(before.decode()).leaves
        assert self.at is not None
        names = [step for step in self.at if isinstance(step, str)]
        changed = {
            leaf.data
            for leaf in leaves
            if [step for step in leaf.path if isinstance(step, str)][: len(names)] == names
        }
        kept = Counter(
            {data: count for data, count in olds.items() if data not in changed and b"comment" not in data}
        )
        return kept - self.sealed()


def put(node: Any, path: tuple[str | int, ...], value: Any, *, remove: bool = False) -> Any:
    """Return a copy of dicts and lists with a value set or removed at a path."""
    if not path:
        return value
    node = node if isinstance(node, (dict, list)) else {}
    step, rest = path[0], path[1:]
    new: Any = dict(node) if isinstance(node, dict) else list(node)
    if remove and not rest:
        del new[step]
    elif isinstance(new, list) or step in new:
        new[step] = put(new[step], rest, value, remove=remove)
    else:
        new[step] = put({}, rest, value) if rest else value
    return new


def alike(value: Any) -> Any:
    """Return values in one form: no empty sections, and dates as texts."""
    if isinstance(value, dict):
        return {key: alike(item) for key, item in value.items() if item != {}}
    if isinstance(value, list):
        return [alike(item) for item in value]
    return str(value) if isinstance(value, (date, datetime, time)) else values(value)


def joined(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; sops prints a section of INI as often as it occurs."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = {**found[key], **value} if both else value
    return found


def relayed(seed: int, format: str, sops: Sops, keys: list[AgeKey]) -> str:
    """Make ten steps with one file.  Returns how many of them changed it."""
    done: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            relay = Relay(seed, format, Path(folder), sops, keys)
        except RefusedError:
            return "refused"
        try:
            (relay.value,) = relay.read()
            for _ in range(10):
                done.append(relay.step())
        except Exception as error:
            raise AssertionError(f"{relay.doing} after {done}") from error
    return f"{sum(':' not in step for step in done)} of {len(done)} steps"
