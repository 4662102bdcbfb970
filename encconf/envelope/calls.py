"""Use a master key in this process or in another one (`encconf.keys.service`), and report progress.

`credentials.watch` is called for each call that may go to a service.
"""

from __future__ import annotations

from collections.abc import Callable

from encconf import keys
from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys import MasterKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    S = TypeVar("S")
    T = TypeVar("T")

Failure = tuple[MasterKey, MasterKeyError]


def wrap(key: MasterKey, data_key: bytes, credentials: Credentials) -> str:
    """Return what ``key.wrap`` returns in this process or another one."""
    enc: str = _use(key, "wrap", data_key, credentials)
    return enc


def unwrap(key: MasterKey, enc: str, credentials: Credentials) -> bytes:
    """Return what ``key.unwrap`` returns in this process or another one."""
    data_key: bytes = _use(key, "unwrap", enc, credentials)
    return data_key


def _use(key: MasterKey, verb: str, text: str | bytes, credentials: Credentials) -> Any:
    watch = credentials.watch if is_remote(key, credentials) else None
    done = watch(key.label) if watch is not None else None
    try:
        if credentials.key_services or not credentials.local_key_service:
            from encconf.keys import service

            return getattr(service, verb)(key, text, credentials)
        return getattr(key, verb)(text, credentials)
    finally:
        if done is not None:
            done()


def is_remote(key: MasterKey, credentials: Credentials) -> bool:
    """Whether using a key calls a service, so that other keys can be used at the same time."""
    row = keys.TABLE.get(key.TYPE)
    return row is not None and not (row.personal and credentials.local_key_service)


def answer_of(call: Callable[[S], T], item: S) -> T | MasterKeyError:
    """Return what a call returns, or the error that says why a key cannot be used."""
    try:
        return call(item)
    except MasterKeyError as error:
        return error.with_traceback(None)  # its frames hold keys, and lead to what keeps the error
