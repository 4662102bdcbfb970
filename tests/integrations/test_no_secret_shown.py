"""Secrets are searched for where programs show values by accident, and not found.

The debug page and the notebook are in docs/python (django.md, jupyter.md), which tests/test_pages.py runs.
"""

from __future__ import annotations

import dataclasses
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
import sentry_sdk
from pydantic_settings import BaseSettings, SettingsConfigDict
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

import encconf
from encconf import MaskedStr, edit, load_config, load_layers, plain, watch
from encconf.errors import EncconfError
from encconf.integrations.pydantic import encrypted
from encconf.testing import TestKey

SECRET = "hunter2-of-the-database"
TOKEN = "t0ken-of-the-shop"
FILE = "s.enc.yaml"


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    key = TestKey.generate()
    monkeypatch.setenv("SOPS_AGE_KEY", key.identity)
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text("db:\n  port: 5432\n")
    return key.write(FILE, f"db:\n  host: h\n  password: {SECRET}\napi_token: {TOKEN}\n")


class Recorder(Transport):
    """Sentry's server: it keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events += [json.loads(item.get_bytes()) for item in envelope.items]


@pytest.fixture
def sentry() -> Iterator[Recorder]:
    """The real SDK, with local variables, and without its list of names to scrub."""
    recorder = Recorder()
    with sentry_sdk.new_scope() as scope:
        client = sentry_sdk.Client(
            "http://key@localhost/1",
            transport=recorder,
            default_integrations=False,
            include_local_variables=True,
            max_value_length=100_000,
            event_scrubber=sentry_sdk.scrubber.EventScrubber(denylist=[]),
        )
        scope.set_client(client)
        yield recorder
        client.close()


class DB(pydantic.BaseModel):
    host: str
    password: MaskedStr


class Settings(BaseSettings):
    settings_customise_sources = encrypted(FILE)
    db: DB
    api_token: MaskedStr


@dataclasses.dataclass
class Database:
    host: str
    password: str


@dataclasses.dataclass
class Number:
    host: str
    password: int


class Wrong(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore")
    settings_customise_sources = encrypted(FILE)
    api_token: int


def fail(*values: Any) -> None:
    password = values[0]["db"]["password"] if isinstance(values[0], dict) else values[0]
    raise RuntimeError(f"a bug, with {len(values)} values and {type(password).__name__}")


def masked() -> None:
    fail(load_config(FILE, mask=True))


def by_schema() -> None:
    fail(load_config(FILE, section="db", schema=Database))


def by_pydantic() -> None:
    fail(Settings())


def layered() -> None:
    fail(load_layers(plain("base.yaml"), FILE, mask=True, env="APP_", environ={"APP_API_TOKEN": TOKEN}))


def followed() -> None:
    live = watch(FILE, mask=True)
    fail(live(), live)


def edited() -> None:
    with edit(FILE, mask=True) as doc:
        doc["db"]["host"] = "other"
        fail(doc)


def not_stored() -> None:
    with edit(FILE, mask=True) as doc:
        doc["new"] = {1, 2}


def wrong_type() -> None:
    load_config(FILE, section="db", schema=Number)


def wrong_settings() -> None:
    Wrong()


def wrong_variable() -> None:
    load_layers(plain("base.yaml"), FILE, env="APP_", environ={"APP_DB__PORT": SECRET})


def wrong_section() -> None:
    load_layers(FILE, section="nope")


def wrong_section_of_a_file() -> None:
    load_config(FILE, section="nope")


def tampered() -> None:
    text = Path(FILE).read_text()
    Path(FILE).write_text(text.replace("host:", "h0st:"))
    load_config(FILE)


ACCIDENTS = [masked, by_schema, by_pydantic, layered, followed, edited]
ACCIDENTS += [not_stored, wrong_type, wrong_settings, wrong_variable, wrong_section]
ACCIDENTS += [wrong_section_of_a_file, tampered]


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_sentry_gets_none(sentry: Recorder, accident: Callable[[], None]) -> None:
    try:
        accident()
    except Exception as error:
        sentry_sdk.capture_exception(error)
    (event,) = sentry.events
    frames = [frame for value in event["exception"]["values"] for frame in value["stacktrace"]["frames"]]
    assert any("vars" in frame for frame in frames)
    # The lines of this file, which Sentry quotes, have the secrets in the definitions of the accidents.
    shown = json.dumps([[frame["vars"] for frame in frames], event["exception"]["values"][-1]["value"]])
    for secret in (SECRET, TOKEN):
        assert secret not in shown


def test_sentry_would_show_a_secret_that_is_not_masked(sentry: Recorder) -> None:
    """The test above can fail."""
    try:
        fail(load_config(FILE))
    except RuntimeError as error:
        sentry_sdk.capture_exception(error)
    assert SECRET in json.dumps(sentry.events)


def test_settings_passed_to_logging() -> None:
    log = io.StringIO()
    logger = logging.Logger("app")
    logger.addHandler(logging.StreamHandler(log))
    config = load_config(FILE, mask=True)
    db = load_config(FILE, section="db", schema=Database)
    live = watch(FILE, mask=True)
    for value in (
        config,
        db,
        Settings(),
        Settings().db,
        live,
        live(),
        [config["api_token"]],
        DB(**config["db"]),
    ):
        logger.warning("settings: %s", value)
        logger.warning("settings: %r", value)
        logger.warning(f"settings: {value}")
    assert log.getvalue().count("settings: ") == 24
    assert "**********" in log.getvalue()
    assert SECRET not in log.getvalue()
    assert TOKEN not in log.getvalue()


def test_errors_passed_to_logging() -> None:
    log = io.StringIO()
    logger = logging.Logger("app")
    logger.addHandler(logging.StreamHandler(log))
    for accident in ACCIDENTS:
        try:
            accident()
        except Exception:
            logger.exception("failed")
    assert log.getvalue().count("failed\nTraceback") == len(ACCIDENTS)
    assert SECRET not in log.getvalue()
    assert TOKEN not in log.getvalue()


def test_a_hint_is_in_the_traceback() -> None:
    log = io.StringIO()
    logger = logging.Logger("app")
    logger.addHandler(logging.StreamHandler(log))
    try:
        load_layers("base.yaml")
    except EncconfError:
        logger.exception("failed")
    assert log.getvalue().endswith("hint: if the file is meant to be readable, use plain(path)\n")
    assert isinstance(encconf.errors.NotEncryptedError(), ValueError)
