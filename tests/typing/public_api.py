"""The public API as a type checker sees it; checked by mypy, never run.

A line here that has to change is a change for every caller: say it in CHANGELOG.md.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import os
from collections.abc import Callable
from importlib import resources
from importlib.resources import files
from pathlib import Path
from typing import Any, assert_type

import encconf
from encconf import (
    Credentials,
    DataKeyCache,
    EncconfError,
    Inspection,
    Live,
    MaskedStr,
    RedactFilter,
    Resolve,
    Rule,
    decrypt,
    dotenv_values,
    edit,
    encrypt,
    find_dotenv,
    find_rule,
    inspect,
    load,
    load_config,
    load_configs,
    load_dotenv,
    load_layers,
    loads,
    loads_all,
    optional,
    plain,
    redact,
    watch,
)
from encconf.errors import KeyAccessError, MacError, NotEncryptedError
from encconf.testing import TestKey, guarded

assert_type(encconf.__version__, str)

# --- reading ---------------------------------------------------------------------------------

assert_type(load_config("secrets.enc.yaml"), dict[str, Any])
assert_type(load_config(Path("secrets.enc.yaml"), format="yaml"), dict[str, Any])

credentials = Credentials.from_env()
assert_type(credentials, Credentials)
assert_type(Credentials.from_env(os.environ), Credentials)
assert_type(load_config("x.json", credentials=credentials), dict[str, Any])

cache = DataKeyCache(lifetime=60)
assert_type(cache, DataKeyCache)
assert_type(load_config("x.json", cache=cache), dict[str, Any])
assert_type(load_configs(["a.yaml", Path("b.yaml")], cache=cache), list[dict[str, Any]])

assert_type(loads("…"), dict[str, Any])
assert_type(loads("…", format="json", credentials=credentials), dict[str, Any])
assert_type(loads_all("…", format="yaml"), list[dict[str, Any]])

rules = Resolve(schemes=["vault", "env:APP_"], hosts=["vault.example.com"], timeout=10, call_timeout=5)
assert_type(rules, Resolve)
assert_type(Resolve.from_env(os.environ), Resolve)
assert_type(load_config("x.json", resolve=True), dict[str, Any])
assert_type(load_configs(["a.yaml"], resolve=rules), list[dict[str, Any]])
assert_type(loads("…", resolve=rules), dict[str, Any])
assert_type(loads_all("…", resolve=rules), list[dict[str, Any]])

assert_type(loads(b"bytes"), dict[str, Any])
assert_type(load_config(files("app") / "secrets.enc.yaml"), dict[str, Any])
with open("x.json", "rb") as file:
    assert_type(load_config(file, format="json"), dict[str, Any])
password: str = load_config("x.yaml")["db"]["password"]

# --- text to text ----------------------------------------------------------------------------

notify: Callable[[str], None] = print
assert_type(decrypt("…", format="yaml", credentials=credentials, ignore_mac=True, notify=notify), str)

rule = find_rule("secrets.enc.yaml")
assert_type(rule, Rule)
assert_type(encrypt("a: 1", rule), str)
assert_type(encrypt("a: 2", None, format="yaml", twin="…", credentials=credentials, notify=notify), str)

# --- looking ---------------------------------------------------------------------------------

inspection = inspect("…", format="json")
assert_type(inspection, Inspection)
assert_type(inspection.format, str)
assert_type(inspection.version, str)
assert_type(inspection.lastmodified, str)
assert_type(inspection.threshold, int)
assert_type(inspection.groups, list[list[tuple[str, str]]])
assert_type(inspection.encrypted, int)
assert_type(inspection.plain, int)

# --- errors ----------------------------------------------------------------------------------

try:
    load_config("secrets.enc.yaml")
except (KeyAccessError, MacError, NotEncryptedError) as known:
    known_error: EncconfError = known
except EncconfError as error:
    assert_type(error.message, str)
    assert_type(error.hint, str | None)
    assert_type(error.file, str | None)
    assert_type(error.exit_code, int)
    assert_type(error.slug, str)

# --- what must not pass ----------------------------------------------------------------------

load_config("x.yaml", resolve="vault")  # type: ignore[call-overload]
load_config("x.yaml", ignore_mac=True)  # type: ignore[call-overload]  # the library has no such switch
loads({"a": 1})  # type: ignore[arg-type]
encrypt("a: 1", "age1…")  # type: ignore[arg-type]
rule.selection = None  # type: ignore[assignment]
load_config(3)  # type: ignore[call-overload]

# --- settings --------------------------------------------------------------------------------


@dataclasses.dataclass
class Database:
    host: str
    port: int


assert_type(load_config("x.yaml", section="app.db", mask=True), dict[str, Any])
assert_type(load_config("x.yaml", section=("app", "db"), schema=Database), Database)
assert_type(load_config(resources.files("app") / "x.yaml"), dict[str, Any])
with open("x.yaml", "rb") as file:
    assert_type(load(file, mask=True), dict[str, Any])
    assert_type(load_config(file), dict[str, Any])
assert_type(loads("…", mask=True), dict[str, Any])
assert_type(load_layers(plain("a.yaml"), "b.yaml", optional("c.yaml"), {"d": 1}, env="APP_"), dict[str, Any])
assert_type(load_layers("b.yaml", section="db", schema=Database, mask=True), Database)
live = watch("x.yaml", interval=1, mask=True)
assert_type(live, Live[dict[str, Any]])
assert_type(live(), dict[str, Any])
assert_type(live.error, Exception | None)
live.on_change(lambda old, new: new["db"])
live.expire()
assert_type(watch(lambda: Database("h", 1), "x.yaml")(), Database)
assert_type(watch("x.yaml", schema=Database, section="db", interval=1)(), Database)
watch("x.yaml", masc=True)  # type: ignore[call-overload]
with edit("x.yaml", mask=True, format="yaml", credentials=credentials, notify=notify) as document:
    assert_type(document, dict[str, Any])
assert_type(MaskedStr("x").upper(), str)
assert_type(redact("x"), str)
logging.StreamHandler().addFilter(RedactFilter())
assert_type(load_dotenv(".env.enc", override=True, interpolate=False, credentials=credentials), bool)
assert_type(dotenv_values(stream=io.StringIO("A=1")), dict[str, str | None])
assert_type(find_dotenv(usecwd=True), str)
assert_type(inspection.leaves[0].path, tuple[str | int, ...])
assert_type(inspection.leaves[0].encrypted, bool)

key = TestKey.generate()
assert_type(key.write("x.yaml", {"a": 1}), Path)
assert_type(key.encrypt("a: 1"), str)
with guarded(key, "a test"):
    pass
