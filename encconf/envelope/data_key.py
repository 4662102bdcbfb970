"""The data key and its envelope: groups of master keys, each of which can open its group's part.

This is the room's door: what other rooms use of it.  Each name is explained where it is from.
"""

from __future__ import annotations

from encconf.envelope.cache import DataKeyCache
from encconf.envelope.groups import are_spoiled, only_in, quorum, shuts_out
from encconf.envelope.open import open_data_key
from encconf.envelope.wrap import wrap_again, wrap_for
from encconf.envelope.wrapped import DATA_KEY_SIZE, WrappedKey

__all__ = [
    "DATA_KEY_SIZE",
    "DataKeyCache",
    "WrappedKey",
    "are_spoiled",
    "only_in",
    "open_data_key",
    "quorum",
    "shuts_out",
    "wrap_again",
    "wrap_for",
]
