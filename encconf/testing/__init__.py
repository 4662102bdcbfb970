"""Helpers for tests of programs that load encrypted files: throwaway keys, and a guard for real keys.

With pytest, use the fixtures of `encconf.integrations.pytest`, which are based on this package.

>>> from encconf.testing import TestKey, guarded
>>> key = TestKey.generate()
>>> with guarded(key, "my test"):
...     path = key.write(tmp_path / "s.enc.yaml", {"db": {"password": "x"}})
...     encconf.load_config(path)
{'db': {'password': 'x'}}
"""

from __future__ import annotations

from encconf.testing.guard import guarded
from encconf.testing.key import TestKey

__all__ = ["TestKey", "guarded"]
