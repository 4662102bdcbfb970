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
from encconf.envelope.unwrap import DataKeyCache
from encconf.errors import about
from encconf.identities import credentials as identities
from encconf.io import fileio
from encconf.settings.layers import Optional, merged_layers
from encconf.shape.mask import masked_number

if TYPE_CHECKING:
    from encconf.engine.loading import Section
    from encconf.identities.credentials import Credentials
    from encconf.settings.layers import Layer, Load
    from encconf.sources.references import Resolve


class EncconfSettingsSource(InitSettingsSource):
    """Encrypted files, as a source for ``settings_customise_sources``.

    The layers are those of `encconf.load_layers`: paths of encrypted files, `encconf.plain`,
    `encconf.optional` and dicts; later ones win.  ``section`` is one mapping of the merged layers.
    ``format``, ``credentials``, ``cache`` and ``resolve`` are as in `encconf.load_config`.  Raises what
    `encconf.load_layers` raises.

    >>> source = EncconfSettingsSource(settings_cls, "secrets.enc.yaml", section="app")  # doctest: +SKIP
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        *layers: Layer,
        section: Section = (),
        format: str | None = None,
        credentials: Credentials | None = None,
        cache: DataKeyCache | None = None,
        resolve: bool | Resolve = False,
    ) -> None:
        self.layers = layers

        def load(file: loading.Input) -> tuple[dict[str, Any], str]:
            return loading.tree_of(
                file, masked_number, format=format, credentials=credentials, cache=cache, resolve=resolve
            )[1:]

        def cached(file: loading.Input) -> tuple[dict[str, Any], str]:
            if isinstance(cache, SettingsCache) and isinstance(file, (str, os.PathLike)):
                path = os.fspath(file)
                return cache.tree(path, load, keep=not resolve)  # references are resolved each time
            return load(file)

        tree, _ = merged_layers(layers, cached)
        name = str(layers[0]) if len(layers) == 1 and isinstance(layers[0], (str, os.PathLike)) else ""
        super().__init__(settings_cls, loading.shaped(tree, section, None, name=name, lax=False))

    def __repr__(self) -> str:
        names = [getattr(layer, "path", None) or str(layer) for layer in map(_file_of, self.layers)]
        return f"{type(self).__name__}({', '.join(map(repr, names))})"


def _file_of(layer: Any) -> Any:
    """Return the path or the `encconf.plain` of a layer.  The values of a dict are not shown."""
    inner = layer.layer if isinstance(layer, Optional) else layer
    return "{…}" if hasattr(inner, "items") else inner


def encrypted(*layers: Layer, **options: Any) -> Any:
    """Return the value for ``settings_customise_sources`` of a settings class.

    Arguments, environment variables, the dotenv file and the secrets directory take precedence over the
    layers, which are those of `encconf.load_layers`, in the same order: later ones win.  ``options`` are
    those of `EncconfSettingsSource`.  Unless you give a ``cache``, data keys and values are kept in memory
    for five minutes (300 seconds), so that a new settings object does not ask a key service again.  The files
    are read each time.  If their bytes or the environment have changed, they are opened again, with the keys
    that are then available.  The settings class raises what `encconf.load_layers` raises, and pydantic's
    ValidationError.

    >>> class Settings(BaseSettings):  # doctest: +SKIP
    ...     settings_customise_sources = encrypted(plain("base.yaml"), "secrets.enc.yaml", section="app")
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
        file = EncconfSettingsSource(settings_cls, *layers, **options)
        return (init_settings, env_settings, dotenv_settings, file_secret_settings, file)

    return classmethod(settings_customise_sources)


class SettingsCache(DataKeyCache):
    """Keeps data keys, and the values of the files that they opened, for at most ``lifetime`` seconds.

    Keeping the values adds no risk, since the data keys are in the same memory.  Values are reused
    only if opening the file would give the same ones: for the same bytes and the same environment.
    """

    _until = 0.0  # until when the values are kept, and for which environment and guard
    _state: object = None

    def tree(self, path: str, load: Load, *, keep: bool = True) -> tuple[dict[str, Any], str]:
        """Return the values and the format of a file, as ``load`` does.  You may change the values."""
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
        tree, format = known[1]
        return loading.copied(tree), format

    def _current(self) -> dict[str, tuple[bytes, tuple[dict[str, Any], str]]]:
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
        self._values: dict[str, tuple[bytes, tuple[dict[str, Any], str]]] = {}
