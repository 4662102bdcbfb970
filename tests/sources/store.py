"""A source that is a dict, and files with references to it."""

from __future__ import annotations

import json
import threading
import types
from collections.abc import Callable

from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.sources import Uri
from encconf.sources.references import Resolve

ENV = Resolve(schemes=["env"])


class Store(types.ModuleType):
    """A source ``double:``: each secret's value is made of its name, and every call is counted."""

    QUERY = ("address", "password_file", "token_env", "version")

    def __init__(self) -> None:
        super().__init__("store_of_a_test")
        self.calls: list[str] = []
        self.meanwhile: Callable[[str], None] = lambda path: None
        self._lock = threading.Lock()

    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        with self._lock:
            self.calls.append(uri.path)
        self.meanwhile(uri.path)
        if uri.path.startswith("no/"):
            raise SourceError("denied, and s3cret is not told", reason="denied", hint="ask for it")
        if uri.path.startswith("json/"):
            return json.dumps({"a": uri.path, "n": 7, "deep": {"b": [1, "two"]}}).encode()
        return f"<{uri.path}>".encode()


DOUBLE = ["double"]
