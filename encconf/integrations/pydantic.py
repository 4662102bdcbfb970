"""Encrypted files as a source of pydantic-settings.

The model is pydantic-settings' own file sources (JsonConfigSettingsSource): a subclass of
InitSettingsSource that loads once, when the settings are made.  Values that were encrypted are masked
before pydantic sees them, so that ``str(e)``, ``repr(e)`` and ``e.errors()`` of a ValidationError show
none; ``e.json()`` writes them all the same. A field of type ``str`` is a plain str afterwards: declare a
secret as ``SecretStr`` or `encconf.MaskedStr`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from encconf.engine import loading
from encconf.envelope.data_key import DataKeyCache
from encconf.shape.mask import masked_number

if TYPE_CHECKING:
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
        tree, _ = loading.tree_of(
            self.path, masked_number, format=format, credentials=credentials, cache=cache, resolve=resolve
        )
        super().__init__(settings_cls, loading.shaped(tree, section, None, name=self.path, lax=False))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"


def encrypted(*paths: str | os.PathLike[str], **options: Any) -> Any:
    """The value for ``settings_customise_sources`` of a settings class.

    The files come after arguments, environment variables, the dotenv file and the secrets directory; of
    several files, the first that has a value wins.  ``options`` are those of `EncconfSettingsSource`;
    unless you give a ``cache``, data keys are kept for five minutes (300 seconds), so that settings that
    are made again do not ask a key service again.  The settings class raises what `encconf.load_config`
    raises, and pydantic's ValidationError.

    >>> class Settings(BaseSettings):  # doctest: +SKIP
    ...     settings_customise_sources = encrypted("secrets.enc.yaml", section="app")
    ...     db: Database
    """

    options.setdefault("cache", DataKeyCache())

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
