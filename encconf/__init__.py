"""encconf: SOPS-compatible encrypted configuration files, in pure Python.

>>> from encconf import load_config
>>> config = load_config("secrets.enc.yaml")  # doctest: +SKIP

Importing this package loads nothing else; each name is loaded when it is first used.
"""

__version__ = "0.1.0"

_HOMES = {
    "Credentials": "credentials",
    "DataKeyCache": "envelope",
    "EncconfError": "errors",
    "Inspection": "api",
    "decrypt": "api",
    "encrypt": "api",
    "find_rule": "config",
    "inspect": "api",
    "load_config": "api",
    "load_configs": "api",
    "loads": "api",
    "loads_all": "api",
    "Resolve": "references",
    "Rule": "config",
}

__all__ = [
    "Credentials",
    "DataKeyCache",
    "EncconfError",
    "Inspection",
    "Resolve",
    "Rule",
    "__version__",
    "decrypt",
    "encrypt",
    "find_rule",
    "inspect",
    "load_config",
    "load_configs",
    "loads",
    "loads_all",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.api import Inspection, decrypt, encrypt, inspect, load_config, load_configs, loads, loads_all
    from encconf.config import Rule, find_rule
    from encconf.credentials import Credentials
    from encconf.envelope import DataKeyCache
    from encconf.errors import EncconfError
    from encconf.references import Resolve


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
