"""What every key service must show: files that open on both sides, and a package that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oracle import Sops, clean_environ

from encconf import api, keys
from encconf.identities.credentials import Credentials
from encconf.rules import config

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {"user": "alice", "n": 1, "nested": {"list": ["a", "b"]}}


def open_both_ways(
    sops: Sops, type: str, sops_args: list[str], sops_yaml: str, credentials: Credentials
) -> tuple[dict[str, Any], dict[str, Any]]:
    """sops encrypts and encconf decrypts, and the other way round; returns the entries of each one's file."""
    theirs = sops.encrypt(json.dumps(PLAIN), "json", *sops_args)
    assert json.loads(api.decrypt(theirs, format="json", credentials=credentials)) == PLAIN
    rule = config.load("/p/.sops.yaml", sops_yaml).rule_for("/p/file.json")
    ours = api.encrypt(json.dumps(PLAIN), rule, format="json", credentials=credentials)
    assert json.loads(sops.decrypt(ours, "json")) == PLAIN
    (their_entry,), (our_entry,) = (json.loads(text)["sops"][type] for text in (theirs, ours))
    assert set(their_entry) == set(our_entry)
    return their_entry, our_entry


_WITHOUT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if f"{name}.".startswith(f"{sys.argv[1]}."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from encconf import keys
from encconf.identities.credentials import Credentials
from encconf.errors import MissingExtraError

key = keys.master_key(sys.argv[2], sys.argv[3])  # naming a key needs no package
who = Credentials.from_env()
for use in (lambda: key.wrap(bytes(32), who), lambda: key.unwrap("AAAA", who)):
    try:
        use()
    except MissingExtraError as error:
        print(error.message)
        print(error.hint)
"""


_LOADS = """
import sys
from encconf import keys

key = keys.from_entry(sys.argv[1], {"enc": "x"})
print(key.label, repr(key), hash(key))
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def packages_loaded_for(type: str) -> set[str]:
    """What a process has loaded that has read an entry of this type, and not used it."""
    command = [sys.executable, "-S", "-c", _LOADS, type]
    environ = clean_environ({"PYTHONPATH": str(ROOT)})
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=True, timeout=60)
    return set(done.stderr.split())


def said_without(package: str, key: keys.MasterKey, environ: Mapping[str, str]) -> list[str]:
    """Message and hint of wrapping, and then of unwrapping, in a process where a package is not installed."""
    done = subprocess.run(
        # Old packages of Google warn about old Pythons.
        [sys.executable, "-W", "ignore::FutureWarning", "-c", _WITHOUT, package, key.TYPE, key.name],
        capture_output=True,
        text=True,
        env=clean_environ({**environ, "PYTHONPATH": str(ROOT)}),
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()
