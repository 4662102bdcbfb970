"""EncconfSettingsSource: the file as a source of pydantic-settings, and no secret in what is printed."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from encconf import MaskedStr, Resolve, load_layers, optional, plain
from encconf.engine import loading
from encconf.errors import (
    DecryptError,
    KeyAccessError,
    NotEncryptedError,
    PathNotFoundError,
    PlaintextError,
)
from encconf.identities import credentials
from encconf.integrations import pydantic as pydantic_source
from encconf.integrations.pydantic import EncconfSettingsSource, encrypted
from encconf.testing import TestKey, guarded

SECRET = "hunter2-of-the-database"
PIN = 738912
TEXT = f"app:\n  name: shop\n  db:\n    host: h\n    port: 5432\n    password: {SECRET}\n    pin: {PIN}\n"


class DB(pydantic.BaseModel):
    host: str
    port: int
    password: pydantic.SecretStr
    pin: int = pydantic.Field(repr=False)


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    key = TestKey.generate()
    monkeypatch.setenv("SOPS_AGE_KEY", key.identity)
    monkeypatch.chdir(tmp_path)
    return key.write("s.enc.yaml", TEXT)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_", env_nested_delimiter="__")
    settings_customise_sources = encrypted("s.enc.yaml", section="app")

    name: str
    db: DB


def test_settings(path: Path) -> None:
    settings = Settings()
    assert settings.name == "shop"
    assert settings.db.password.get_secret_value() == SECRET
    assert (settings.db.port, settings.db.pin) == (5432, PIN)
    assert type(settings.db.pin) is int


def test_arguments_and_the_environment_come_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_NAME", "from the environment")
    monkeypatch.setenv("APP_DB__PORT", "1")
    settings = Settings()
    assert settings.name == "from the environment"
    assert (settings.db.port, settings.db.host) == (1, "h")  # merged
    assert Settings(name="given").name == "given"


def test_the_file_is_read_when_settings_are_made(path: Path) -> None:
    path.unlink()

    class Late(BaseSettings):
        settings_customise_sources = encrypted("s.enc.yaml")

    with pytest.raises(FileNotFoundError):
        Late()


def test_errors_of_ours_are_ours(path: Path) -> None:
    class Elsewhere(BaseSettings):
        settings_customise_sources = encrypted("s.enc.yaml", section="nope")

    with pytest.raises(PathNotFoundError, match=r"s\.enc\.yaml"):
        Elsewhere()
    path.write_text("a: 1\n")
    with pytest.raises(NotEncryptedError):
        Settings()


def test_the_layers_are_those_of_load_layers(path: Path) -> None:
    Path("base.yaml").write_text("app:\n  name: base\n  extra: 1\n  db: {host: base, tags: [a]}\n")
    layers = (plain("base.yaml"), {"app": {"db": {"tags": ["b"]}}}, "s.enc.yaml", optional("none.enc.yaml"))

    class Layered(BaseSettings):
        model_config = SettingsConfigDict(extra="allow")
        settings_customise_sources = encrypted(*layers, section="app")
        name: str

    found = Layered().model_dump()
    assert found == load_layers(*layers, section="app")
    assert (found["name"], found["extra"], found["db"]["tags"]) == ("shop", 1, ["b"])
    source = EncconfSettingsSource(Layered, *layers, section="app")
    assert repr(source) == "EncconfSettingsSource('base.yaml', '{…}', 's.enc.yaml', 'none.enc.yaml')"
    found["db"]["tags"].append("mine")
    assert Layered().model_dump()["db"]["tags"] == ["b"]
    with pytest.raises(PlaintextError):
        EncconfSettingsSource(Layered, plain("s.enc.yaml"))


def test_several_files_and_other_sources(path: Path) -> None:
    class Both(BaseSettings):
        model_config = SettingsConfigDict(extra="ignore")
        name: str
        extra: int

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], **sources: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            one = EncconfSettingsSource(settings_cls, "s.enc.yaml", section="app")
            assert repr(one) == "EncconfSettingsSource('s.enc.yaml')"
            return (sources["init_settings"], one)

    assert Both(extra=1, _env_file=None).name == "shop"  # type: ignore[call-arg]


def wrong_type() -> None:
    class Wrong(BaseSettings):
        settings_customise_sources = encrypted("s.enc.yaml", section="app.db")
        password: int
        pin: str
        host: str
        port: int

    Wrong()


def missing() -> None:
    class Missing(BaseSettings):
        settings_customise_sources = encrypted("s.enc.yaml", section="app.db")
        model_config = SettingsConfigDict(extra="ignore")
        other: str

    Missing()


def constraint() -> None:
    class Constraint(BaseSettings):
        settings_customise_sources = encrypted("s.enc.yaml", section="app.db")
        model_config = SettingsConfigDict(extra="ignore")
        password: str = pydantic.Field(max_length=3)
        pin: int = pydantic.Field(le=9999)

    Constraint()


def extra() -> None:
    class Extra(BaseSettings):
        settings_customise_sources = encrypted("s.enc.yaml", section="app.db")
        host: str

    Extra()


@pytest.mark.parametrize("fail", [wrong_type, missing, constraint, extra])
def test_no_secret_in_an_error(path: Path, fail: Callable[[], None]) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        fail()
    error = caught.value
    log = io.StringIO()
    logger = logging.Logger("app")
    logger.addHandler(logging.StreamHandler(log))
    try:
        raise error
    except pydantic.ValidationError:
        logger.exception("settings")
    with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = [str(error), repr(error), repr(error.errors()), log.getvalue(), "".join(with_locals.format())]
    for text in shown:
        assert SECRET not in text
        assert str(PIN) not in text
    # As documented: json() writes the inputs.
    assert SECRET in error.json() or fail is missing or fail is extra or json.loads(error.json())


def test_settings_in_a_log(path: Path) -> None:
    class Masked(BaseSettings):
        settings_customise_sources = encrypted("s.enc.yaml", section="app.db")
        model_config = SettingsConfigDict(extra="ignore")
        password: MaskedStr

    masked = Masked()
    assert masked.password == SECRET
    for settings in (masked, Settings()):
        assert SECRET not in f"{settings} {settings!r}"


class App(BaseSettings):
    """Takes the mappings of the file as they are."""

    model_config = SettingsConfigDict(extra="ignore")
    db: Any


def test_settings_that_are_made_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Again(App):
        settings_customise_sources = encrypted("s.enc.yaml", section="app")

    opened: list[object] = []
    monkeypatch.setattr(loading, "open_values", counted(loading.open_values, opened))
    first = Again()
    first.db["password"] = "changed by a caller"
    second = Again()
    assert second.db["password"] == SECRET
    assert repr(second.db["password"]) == repr(MaskedStr(SECRET))
    assert len(opened) == 1

    path.write_text(path.read_text() + "# the same values\n")
    assert Again().db["password"] == SECRET
    assert len(opened) == 2

    path.write_text(path.read_text().replace("host: ENC[", "host: ENC[AA"))
    with pytest.raises(DecryptError):
        Again()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        Again()


def test_another_identity_gets_no_values_of_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Again(App):
        settings_customise_sources = encrypted("s.enc.yaml", section="app")

    own = os.environ["SOPS_AGE_KEY"]
    Again()
    monkeypatch.setenv("SOPS_AGE_KEY", TestKey.generate().identity)
    with pytest.raises(KeyAccessError):
        Again()
    monkeypatch.setenv("SOPS_AGE_KEY", own)
    Again()
    with guarded(TestKey.generate(), "a test"), pytest.raises(KeyAccessError):
        Again()
    Again()


def test_kept_values_last_no_longer_than_data_keys(path: Path) -> None:
    now = [0.0]
    cache = pydantic_source.SettingsCache(clock=lambda: now[0])
    loads: list[object] = []

    def load(file: object) -> tuple[dict[str, Any], str]:
        loads.append(file)
        return {"n": len(loads)}, "yaml"

    assert [cache.tree(str(path), load)[0] for _ in range(2)] == [{"n": 1}] * 2
    now[0] = 299
    path.write_text("another\n")
    assert cache.tree(str(path), load)[0] == {"n": 2}
    now[0] = 300  # five minutes after the first, whose data key may be used by the second
    assert cache.tree(str(path), load)[0] == {"n": 3}
    cache.clear()
    assert cache.tree(str(path), load)[0] == {"n": 4}


def test_references_are_resolved_each_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = TestKey.generate()
    monkeypatch.setenv("SOPS_AGE_KEY", key.identity)
    value = path.parent / "value.txt"
    key.write("r.enc.yaml", f"db: ref+file:{value}\n")

    class Resolved(App):
        settings_customise_sources = encrypted("r.enc.yaml", resolve=Resolve(schemes=["file"]))

    for text in ("one", "two"):
        value.write_text(text)
        assert Resolved().db == text


def test_a_log_of_who_opened_what_has_each_load(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Again(App):
        settings_customise_sources = encrypted("s.enc.yaml", section="app")

    Again()
    recorded: list[str] = []
    monkeypatch.setattr(credentials, "auditing", lambda action, text: recorded.append(action))
    Again()
    Again()
    assert recorded == ["decrypt"] * 2


def test_no_secret_in_what_is_kept(path: Path) -> None:
    cache = pydantic_source.SettingsCache()

    class Again(App):
        settings_customise_sources = encrypted("s.enc.yaml", section="app", cache=cache)

    Again()
    path.write_text("a: 1\n")
    with pytest.raises(NotEncryptedError) as caught:
        Again()
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    for text in (repr(cache), repr(vars(Again)), shown):
        assert SECRET not in text
        assert os.environ["SOPS_AGE_KEY"] not in text
    with pytest.raises(TypeError):
        pickle.dumps(cache)


def counted(function: Callable[..., Any], calls: list[object]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return function(*args, **kwargs)

    return call
