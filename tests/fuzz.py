"""`make fuzz`: compare encconf with the real sops on new random documents, for as long as you like.

    .venv/bin/python tests/fuzz.py --minutes 5 --seed 1000000

Each document is encrypted by one program and decrypted by the other.  Both also set and remove values in it.
One file is changed in many steps, each by another program (`relay`).  Random merges are compared with those
of `git merge-file`.  Then, for the same time, encrypted files of every format are changed at random, and
opened under a limit of memory and time (`mutated`).

This is not part of `make test`.  Every document is made from a seed, which is printed if something is wrong.
tests/test_differential.py runs the same checks with fixed seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]


def changed(text: str, format: str, seed: int, key: Any, sops: Any) -> str:
    """Set or remove one value in a file of sops, with sops and with encconf.  Returns what happened."""
    from engine import change, credentials, values
    from oracle import SopsError

    from encconf import api
    from encconf.engine import changes
    from encconf.errors import DecryptError, EmitError, EncconfError
    from encconf.text.path import parse_sops

    draw = random.Random(seed)
    try:
        theirs = sops.encrypt(text, format, age=key.recipient)
        sops.decrypt(theirs, format)
        tree = api.loads_all(theirs, format=format, credentials=credentials(key))[0]
    except (SopsError, EncconfError):
        return "refused"
    steps: list[str | int] = []
    node: Any = tree
    while isinstance(node, (dict, list)) and node and draw.random() < 0.8:
        steps.append(draw.choice(list(node) if isinstance(node, dict) else list(range(len(node)))))
        node = node[steps[-1]]
    if not steps or draw.random() < 0.4:
        steps.append(draw.choice(["new", "key with blanks", "a\nb", 99]))
    path = "".join(f'["{step}"]' if isinstance(step, str) else f"[{step}]" for step in steps)
    if any(sign in step for sign in '"[]' for step in steps if isinstance(step, str)):
        return "no path of sops's"
    value = draw.choice(
        ["text", "two\nlines\n", "", True, None, 1.5, {"k": ["v"]}, [], {}, "# no comment", "yes"]
    )
    drop = draw.random() < 0.3
    arguments = ["unset", path] if drop else ["set", path, json.dumps(value)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"f.{'env' if format == 'dotenv' else format}"
        file.write_text(theirs)
        done = sops.run(arguments[0], str(file), *arguments[1:], check=False)
        by_sops = file.read_text()
    creds = credentials(key)
    where = parse_sops(path)
    try:
        if drop:
            mine = change(theirs, format, (where, changes.REMOVED), credentials=creds)
        else:
            mine = change(theirs, format, (where, value), credentials=creds)
        meant = api.loads_all(mine, format=format, credentials=creds)
        sops.decrypt(mine, format)
    except EncconfError as error:
        mine, refused = "", error
    if done.returncode:
        return f"{arguments[0]}: both refuse" if not mine else f"{arguments[0]}: only sops refuses"
    if by_sops == theirs:
        return f"{arguments[0]}: sops does nothing"
    try:
        sops.decrypt(by_sops, format)
        theirs_now = api.loads_all(by_sops, format=format, credentials=creds)
    except SopsError:
        return f"{arguments[0]}: sops spoils the file"
    except DecryptError as error:
        if "encrypted twice" not in str(error):
            raise
        return f"{arguments[0]}: sops encrypts a comment again, as a value"
    if not mine:
        same = values(theirs_now[0]) == values(tree)
        if isinstance(refused, EmitError) or same or _sops_own(text, format, where):
            return f"{arguments[0]}: we cannot"
        raise refused
    if values(meant) != values(theirs_now) and (why := _sops_own(text, format, where)):
        return f"{arguments[0]}: {why}"
    assert values(meant) == values(theirs_now), (arguments, meant, theirs_now)
    return f"{arguments[0]}: the same"


def _sops_own(plain: str, format: str, path: Any) -> str:
    """Return the reason why sops's result may differ (see docs/sops-differences.md), or ""."""
    if format == "yaml" and re.search(r"(?m)#[ \t\r]*$", plain):
        return "sops makes an item of a bare # in a list"
    if format == "yaml" and "#" in plain and any(isinstance(step, int) for step in path):
        return "sops counts comments"
    sections = re.findall(r"(?m)^\[(.*)\]", plain) if format == "ini" else []
    if len({*sections}) != len(sections) or path[0] == "DEFAULT":
        return "sops sees the first section of a name only"
    if format == "dotenv" and re.search("(?m)^[ \t]+#.*=", plain):
        return "sops takes an indented comment for a value"
    names = re.findall(rf"(?m)^{re.escape(str(path[0]))}=", plain) if format == "dotenv" else []
    if len(names) > 1:
        return "sops sees the first line of a name only"
    if format == "dotenv" and ("\r" in plain or plain[:1] == "\ufeff"):
        return "sops has signs of the line break, and the byte order mark, in names and values"
    return ""


def merged(text: str, format: str, seed: int) -> str:
    """Change lines on both sides, merge them, and check the result against git's.

    If git merges them, encconf gives the same result or a conflict, and loses nothing.
    """
    from encconf import formats
    from encconf.errors import EncconfError
    from encconf.merge import merge

    draw = random.Random(seed)
    module = formats.get(format)

    def reads(text: str) -> bool:
        try:
            module.scan(text, comments=True)
        except EncconfError:
            return False
        return True

    def side() -> str:
        lines = text.splitlines(keepends=True)
        for _ in range(draw.randrange(1, 4)):
            tried = edited(lines, draw, format)
            if reads("".join(tried)):
                lines = tried
        return "".join(lines)

    if "\0" in text or not reads(text):
        return "refused"
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "")
    ours, theirs = side(), side()
    by_git = _merge_file(text, ours, theirs)
    found = merge(text, ours, theirs, format=format)
    case = repr((text, ours, theirs, found.text, by_git))
    if by_git is None:
        return "git: conflict, ours: " + ("conflict" if found.conflicts else "merged")
    if found.conflicts:
        return "git: merged, ours: " + ("conflict of all" if found.whole else "conflict")
    if found.text == by_git:
        return "the same"
    if not reads(by_git):
        return "git: spoiled, ours: merged"
    # An entry that one side moves is in the result once, or not at all if the other side removes it.
    # One that both sides add, at different places, is there once.
    was, one, other, git, here = (
        Counter(map(str.strip, each.splitlines())) for each in (text, ours, theirs, by_git, found.text)
    )
    wanted = {
        line: min(git[line], max(one[line], other[line], was[line]), one[line] + other[line] - was[line])
        for line in git
        if line
    }
    missing = [line for line, count in wanted.items() if here[line] < count]
    assert not missing, (missing, case)
    return "the same lines in another order"


def edited(lines: list[str], draw: random.Random, format: str) -> list[str]:
    """Return the lines after a typical edit: one of them is changed, added or removed."""
    at = draw.randrange(len(lines)) if lines else 0
    line = lines[at] if lines else ""
    indent = line[: len(line) - len(line.lstrip(" "))]
    number = draw.randrange(1000)
    key = {"json": f'"new{number}": {number},', "yaml": f"new{number}: {number}"}.get(
        format, f"new{number} = 1"
    )
    kind = draw.choice(["delete", "value", "comment", "key", "blanks", "move", "behind"])
    if kind == "delete":
        return lines[:at] + lines[at + 1 :]
    if kind == "value":
        changed = re.sub(r"([:=] ?)([\w\"'-][^#\n]*)(?=[^\w]*$)", rf"\g<1>{number}", line, count=1)
        return [*lines[:at], changed if line.strip()[:1] != "#" else line, *lines[at + 1 :]]
    if kind == "comment":
        return [*lines[:at], f"{indent}{'' if format == 'json' else '# '}note {number}\n", *lines[at:]]
    if kind == "key":
        return [*lines[:at], f"{indent}{key}\n", *lines[at:]]
    if kind == "behind":
        return [*lines[:at], f"{line.rstrip()} # why {number}\n", *lines[at + 1 :]]
    if kind == "blanks":
        return [*lines[:at], f"{line.rstrip()}{draw.choice(['', ' ', '  '])}\n", *lines[at + 1 :]]
    rest = lines[:at] + lines[at + 1 :]
    to = draw.randrange(len(rest) + 1)
    return [*rest[:to], line if line.endswith("\n") else f"{line}\n", *rest[to:]]


def _merge_file(base: str, ours: str, theirs: str) -> str | None:
    """Merge three texts with git.  Returns None for a conflict."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            Path(folder, name).write_bytes(text.encode())
            names.append(name)
        done = subprocess.run(
            ["git", "merge-file", "-p", "-q", *names], cwd=folder, capture_output=True, check=False
        )
    return done.stdout.decode() if done.returncode == 0 else None


TOML = """\
# Settings
title = "x"  # a name
list = [
  1,  # one
  2,
]

[db]
host = "h"
# the port
port = 1

[[users]]
name = "a"
id = 1

[[users]]
name = "b"
id = 2
"""


def main() -> int:
    """Run the checks until the time is over.  Returns 1 if one of them failed."""
    from formats.toml_files import same_as_tomllib, statements
    from generate import dotenv_text, ini_text, json_text, toml_text, yaml_text
    from mutated import main as mutated
    from oracle import AgeKey, Sops
    from relay import MAKE, relayed
    from test_differential import (
        both_ways,
        bytes_both_ways,
        comments_both_ways,
        lines_both_ways,
        random_bytes,
        strings_both_ways,
        toml_again,
    )

    parser = argparse.ArgumentParser(description="encconf against sops on random documents")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first one")
    parser.add_argument(
        "--only", default="", help="checks whose name begins so: toml, binary, ini comments …"
    )
    arguments = parser.parse_args()
    keys = [AgeKey.generate() for _ in range(3)]
    key = keys[0]
    sops = Sops(key.environ())
    checks: dict[str, Callable[[int], str]] = {
        "yaml": lambda seed: both_ways(yaml_text(seed), "yaml", key, sops),
        "json": lambda seed: both_ways(json_text(seed), "json", key, sops),
        "dotenv": lambda seed: lines_both_ways(dotenv_text(seed), "dotenv", key, sops),
        "ini": lambda seed: lines_both_ways(ini_text(seed), "ini", key, sops),
        "strings": lambda seed: strings_both_ways(seed, key, sops),
        "toml": lambda seed: toml_again(toml_text(seed), key),
        "toml statements": lambda seed: str(same_as_tomllib(statements(seed)) is not None),
        "binary": lambda seed: bytes_both_ways(random_bytes(seed), key, sops),
        "yaml comments": lambda seed: comments_both_ways(yaml_text(seed), "yaml", key, sops),
        "dotenv comments": lambda seed: comments_both_ways(dotenv_text(seed), "dotenv", key, sops),
        "ini comments": lambda seed: comments_both_ways(ini_text(seed), "ini", key, sops),
        "yaml ": lambda seed: changed(yaml_text(seed), "yaml", seed, key, sops),
        "json ": lambda seed: changed(json_text(seed), "json", seed, key, sops),
        "dotenv ": lambda seed: changed(dotenv_text(seed), "dotenv", seed, key, sops),
        "ini ": lambda seed: changed(ini_text(seed), "ini", seed, key, sops),
        **{f"relay {format}": partial(relayed, format=format, sops=sops, keys=keys) for format in MAKE},
        "merge yaml": lambda seed: merged(yaml_text(seed), "yaml", seed),
        "merge json": lambda seed: merged(json_text(seed), "json", seed),
        "merge dotenv": lambda seed: merged(dotenv_text(seed), "dotenv", seed),
        "merge ini": lambda seed: merged(ini_text(seed), "ini", seed),
        "merge toml": lambda seed: merged(TOML, "toml", seed),
    }
    outcomes: Counter[str] = Counter()
    wrong = 0
    checks = {name: check for name, check in checks.items() if name.startswith(arguments.only)}
    end = time.monotonic() + 60 * arguments.minutes
    seed = arguments.seed
    while time.monotonic() < end:
        for name, check in checks.items():
            if not name.startswith(arguments.only):
                continue
            try:
                outcomes[f"{name}: {check(seed)}"] += 1
            except BaseException:
                wrong += 1
                print(f"{name}, seed {seed}:", flush=True)
                traceback.print_exc()
        seed += 1
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:6} {outcome}")
    print(f"seeds {arguments.seed} to {seed - 1}: {wrong} wrong")
    wrong += mutated(arguments.minutes, arguments.seed)
    return int(wrong > 0)


if __name__ == "__main__":
    os.environ.pop("SOPS_AGE_KEY", None)
    raise SystemExit(main())
