"""encconf: SOPS-compatible encrypted configuration files, in pure Python.

>>> from encconf import load_config
>>> config = load_config("secrets.enc.yaml")  # doctest: +SKIP

Importing this package imports none of its modules.  Each name is imported when you first use it.
"""

__version__ = "1.0.0"
SOPS_VERSION = "3.13.3"
"""The version of sops whose format encconf writes."""

_HOMES = {
    "Live": "settings.watch",
    "MaskedStr": "shape.mask",
    "RedactFilter": "shape.redact",
    "dotenv_values": "settings.dotenv",
    "edit": "settings.edit",
    "find_dotenv": "settings.dotenv",
    "load": "api",
    "load_dotenv": "settings.dotenv",
    "load_layers": "settings.layers",
    "optional": "settings.layers",
    "plain": "settings.layers",
    "redact": "shape.redact",
    "watch": "settings.watch",
    "Credentials": "identities.credentials",
    "DataKeyCache": "envelope.unwrap",
    "EncconfError": "errors",
    "Inspection": "engine.metadata",
    "decrypt": "api",
    "encrypt": "api",
    "find_rule": "rules.config",
    "inspect": "api",
    "load_config": "api",
    "load_configs": "api",
    "loads": "api",
    "loads_all": "api",
    "Resolve": "sources.references",
    "Rule": "rules.config",
}

__all__ = [
    "Credentials",
    "DataKeyCache",
    "EncconfError",
    "Inspection",
    "Live",
    "MaskedStr",
    "RedactFilter",
    "Resolve",
    "Rule",
    "__version__",
    "decrypt",
    "dotenv_values",
    "edit",
    "encrypt",
    "find_dotenv",
    "find_rule",
    "inspect",
    "load",
    "load_config",
    "load_configs",
    "load_dotenv",
    "load_layers",
    "loads",
    "loads_all",
    "optional",
    "plain",
    "redact",
    "watch",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.api import (
        decrypt,
        encrypt,
        inspect,
        load,
        load_config,
        load_configs,
        loads,
        loads_all,
    )
    from encconf.engine.metadata import Inspection
    from encconf.envelope.unwrap import DataKeyCache
    from encconf.errors import EncconfError
    from encconf.identities.credentials import Credentials
    from encconf.rules.config import Rule, find_rule
    from encconf.settings.dotenv import dotenv_values, find_dotenv, load_dotenv
    from encconf.settings.edit import edit
    from encconf.settings.layers import load_layers, optional, plain
    from encconf.settings.watch import Live, watch
    from encconf.shape.mask import MaskedStr
    from encconf.shape.redact import RedactFilter, redact
    from encconf.sources.references import Resolve


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'encconf' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"encconf.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
