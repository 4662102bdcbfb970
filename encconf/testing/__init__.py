"""Tests of programs that load encrypted files: throwaway keys, real files, and no way to a real key.

With pytest, use the fixtures of `encconf.integrations.pytest`; they are made of what is here.

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
