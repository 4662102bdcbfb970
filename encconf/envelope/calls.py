"""Using a master key: in this process or in another one (`encconf.keys.service`), with progress reports.

`credentials.watch` is called for each call that may go to a service.
"""

from __future__ import annotations

from encconf import keys
from encconf.errors import BadKeyError, MasterKeyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from encconf.identities.credentials import Credentials
    from encconf.keys import MasterKey

    S = TypeVar("S")
    T = TypeVar("T")
    Refusal = BadKeyError | MasterKeyError
    Failure = tuple[MasterKey, Refusal]


def wrap(key: MasterKey, data_key: bytes, credentials: Credentials) -> str:
    """What ``key.wrap`` returns, in this process or another one."""
    with Watched(key, credentials):
        if _elsewhere(credentials):
            from encconf.keys import service

            return service.wrap(key, data_key, credentials)
        return key.wrap(data_key, credentials)


def unwrap(key: MasterKey, enc: str, credentials: Credentials) -> bytes:
    """What ``key.unwrap`` returns, in this process or another one."""
    if _elsewhere(credentials):
        from encconf.keys import service

        return service.unwrap(key, enc, credentials)
    return key.unwrap(enc, credentials)


def is_remote(key: MasterKey, credentials: Credentials) -> bool:
    """Whether using the key is a call to a service, so that others can be asked at the same time."""
    row = keys.TABLE.get(key.TYPE)
    return row is not None and not (row.personal and credentials.local_key_service)


def answer_of(call: Callable[[S], T], item: S) -> T | Refusal:
    """What a call returns, or why a key cannot be used."""
    try:
        return call(item)
    except (BadKeyError, MasterKeyError) as error:
        return error


def _elsewhere(credentials: Credentials) -> bool:
    """Whether other processes may use the keys, perhaps only they."""
    return bool(credentials.key_services) or not credentials.local_key_service


class Watched:
    """``with Watched(key, credentials):`` — reports a call to a service; see `Credentials`."""

    def __init__(self, key: MasterKey, credentials: Credentials) -> None:
        self._watch = credentials.watch if is_remote(key, credentials) else None
        self._key = key

    def __enter__(self) -> None:
        if self._watch is not None:
            self._done = self._watch(self._key.label)

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            self._done()
