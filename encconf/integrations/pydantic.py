"""Encrypted files as a source of pydantic-settings.

The source works like pydantic-settings' own file sources (JsonConfigSettingsSource): it is a subclass of
InitSettingsSource, and loads the file once, when the settings object is created.  Values that were encrypted
are masked before pydantic gets them, so that ``str(e)``, ``repr(e)`` and ``e.errors()`` of a ValidationError
do not show them; but ``e.json()`` does, and the error of a tagged union shows the tag.  A field of type
``str`` becomes a plain str: declare a secret as ``SecretStr`` or `encconf.MaskedStr`.

Each new settings object reads the file again.  If `encrypted` keeps data keys, and neither the file's bytes
nor the environment have changed, it gets copies of the values that were authenticated the first time.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from encconf.engine import loading
from encconf.envelope.cache import DataKeyCache
from encconf.errors import about
from encconf.identities import credentials as identities
from encconf.io import fileio
from encconf.shape.mask import masked_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from encconf.engine.loading import Section
    from encconf.identities.credentials import Credentials
    from encconf.sources.references import Resolve


class EncconfSettingsSource(InitSettingsSource):
    """One encrypted file, as a source for ``settings_customise_sources``.

    ``section`` is one mapping of the file.  ``format``, ``credentials``, ``cache`` and ``resolve`` are as in
    `encconf.load_config`.  Raises what `encconf.load_config` raises.

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
            )[1]

        if isinstance(cache, SettingsCache):
            tree = cache.tree(self.path, load, keep=not resolve)  # references are resolved each time
        else:
            tree = load(self.path)
        super().__init__(settings_cls, loading.shaped(tree, section, None, name=self.path, lax=False))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"


def encrypted(*paths: str | os.PathLike[str], **options: Any) -> Any:
    """Return the value for ``settings_customise_sources`` of a settings class.

    Arguments, environment variables, the dotenv file and the secrets directory take precedence over the
    files; the first file that has a value takes precedence over later ones.  ``options`` are those of
    `EncconfSettingsSource`.  Unless you give a ``cache``, data keys and values are kept in memory for five
    minutes (300 seconds), so that a new settings object does not ask a key service again.  The file is read
    each time.  If its bytes or the environment have changed, it is opened again, with the keys that are then
    available.  The settings class raises what `encconf.load_config` raises, and pydantic's ValidationError.

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


class SettingsCache(DataKeyCache):
    """Keeps data keys, and the values of the files that they opened, for at most ``lifetime`` seconds.

    Keeping the values adds no risk, since the data keys are in the same memory.  Values are reused
    only if opening the file would give the same ones: for the same bytes and the same environment.
    """

    _until = 0.0  # until when the values are kept, and for which environment and guard
    _state: object = None

    def tree(self, path: str, load: Callable[[loading.Input], Any], *, keep: bool = True) -> Any:
        """Return the values of a file, as ``load`` returns them.  They are a copy, which you may change."""
        values = self._current()
        if not keep or identities.auditing is not None:  # an audit log records each load
            return load(path)
        with about(path, frames=False):
            content = fileio.read_bytes(path)
        known = values.get(path)
        if known is None or known[0] != content:
            file = io.BytesIO(content)
            file.name = path
            known = content, load(file)
            if values is self._current():
                values[path] = known
        return loading.copied(known[1])

    def _current(self) -> dict[str, tuple[bytes, Any]]:
        """Return the bytes and values of each path: {} if the time is over or the environment has changed."""
        state = dict(os.environ), identities.guard
        now = self.clock()
        if self._until <= now or self._state != state:
            self.clear()
            self._until, self._state = now + self.lifetime, state
        return self._values

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._until = 0.0
        self._values: dict[str, tuple[bytes, Any]] = {}
