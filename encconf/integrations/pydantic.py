"""Encrypted files as a source of pydantic-settings.

The model is pydantic-settings' own file sources (JsonConfigSettingsSource): a subclass of
InitSettingsSource that loads once, when the settings are made.  Values that were encrypted are masked
before pydantic sees them, so that ``str(e)``, ``repr(e)`` and ``e.errors()`` of a ValidationError show
none; ``e.json()`` writes them all the same. A field of type ``str`` is a plain str afterwards: declare a
secret as ``SecretStr`` or `encconf.MaskedStr`.

Settings that are made again read the file again.  Where `encrypted` keeps data keys, and neither the file's
bytes nor the environment have changed, they get copies of the values that were authenticated the first time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from encconf.engine import loading
from encconf.envelope.cache import DataKeyCache
from encconf.errors import about
from encconf.identities import credentials as identities
from encconf.io import fileio
from encconf.record import Record
from encconf.shape.mask import masked_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from encconf.identities.credentials import Credentials
    from encconf.shape.section import Section
    from encconf.sources.references import Resolve


class EncconfSettingsSource(InitSettingsSource):
    """One encrypted file, as a source for ``settings_customise_sources``.

    ``section`` is one mapping of the file; ``format``, ``credentials``, ``cache`` and ``resolve`` are as in
    `encconf.load_config`, which says what is raised.

    >>> source = EncconfSettingsSource(settings_cls, "secrets.enc.yaml", section="app")  # doctest: +SKIP
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        path: str | os.PathLike[str],
        *,
        section: Section = (),
        format: str | None = None,
        credentials: Credentials | None = None,
        cache: DataKeyCache | None = None,
        resolve: bool | Resolve = False,
    ) -> None:
        self.path = os.fspath(path)

        def load(file: loading.Input) -> Any:
            return loading.tree_of(
                file, masked_number, format=format, credentials=credentials, cache=cache, resolve=resolve
            )[0]

        if isinstance(cache, SettingsCache):
            tree = cache.tree(self.path, load, keep=not resolve)  # references are looked up each time
        else:
            tree = load(self.path)
        super().__init__(settings_cls, loading.shaped(tree, section, None, name=self.path, lax=False))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"


def encrypted(*paths: str | os.PathLike[str], **options: Any) -> Any:
    """The value for ``settings_customise_sources`` of a settings class.

    The files come after arguments, environment variables, the dotenv file and the secrets directory; of
    several files, the first that has a value wins.  ``options`` are those of `EncconfSettingsSource`;
    unless you give a ``cache``, data keys and values are kept in memory for five minutes (300 seconds), so
    that settings that are made again do not ask a key service again.  The file is read each time: when its
    bytes have changed, it is opened again, and when the environment has, with the keys that are then there.
    The settings class raises what `encconf.load_config` raises, and pydantic's ValidationError.

    >>> class Settings(BaseSettings):  # doctest: +SKIP
    ...     settings_customise_sources = encrypted("secrets.enc.yaml", section="app")
    ...     db: Database
    """

    options.setdefault("cache", SettingsCache())

    def settings_customise_sources(
        cls: type[BaseSettings],
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = [EncconfSettingsSource(settings_cls, path, **options) for path in paths]
        return (init_settings, env_settings, dotenv_settings, file_secret_settings, *files)

    return classmethod(settings_customise_sources)


class _Period(Record):
    """Until when things are kept, for which environment and guard, and the bytes and values of each path."""

    until: float
    environ: dict[str, str]
    guard: object
    values: dict[str, tuple[bytes, Any]]


_NONE = _Period(0.0, {}, None, {})


class SettingsCache(DataKeyCache):
    """Data keys, and the values of the files that they opened: all of it for at most ``lifetime`` seconds.

    Who finds the values in memory has found the data keys, too.  Values are given out only where opening the
    file would give the same: for the same bytes, and the environment that the keys were found in.
    """

    _period = _NONE

    def tree(self, path: str, load: Callable[[loading.Input], Any], *, keep: bool = True) -> Any:
        """The values of a file, as ``load`` gives them; a copy, which the caller may change."""
        period = self._now()
        if not keep or identities.auditing is not None:  # an audit log has each load
            return load(path)
        with about(path, frames=False):
            content = fileio.read_bytes(path)
        known = period.values.get(path)
        if known is None or known[0] != content:
            known = content, load(_Content(path, content))
            if period is self._now():
                period.values[path] = known
        return _copy(known[1])

    def _now(self) -> _Period:
        """The period that this moment is in: a new one where the time is up or the environment another."""
        environ = dict(os.environ)
        period = self._period
        now = self.clock()
        if period.until <= now or period.environ != environ or period.guard is not identities.guard:
            self.clear()
            self._period = period = _Period(now + self.lifetime, environ, identities.guard, {})
        return period

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._period = _NONE


class _Content(Record):
    """A file that has been read."""

    name: str
    _content: bytes

    def read(self) -> bytes:
        """All of it."""
        return self._content


def _copy(value: Any) -> Any:
    """A value with mappings and lists of its own; what is in them cannot be changed."""
    if isinstance(value, dict):
        return {key: _copy(member) for key, member in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
