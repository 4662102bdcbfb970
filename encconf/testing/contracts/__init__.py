"""What every key type, source and format must do, as classes of tests: for encconf's own, and for yours.

Subclass a contract in a module of tests, give it its fixtures (the docstring of its module names them), and
add tests of what is special::

    from encconf import keys
    from encconf.testing.contracts.master_key import MasterKeyContract

    keys.TABLE["mine"] = keys.KeyType("my_package:MyKey", ...)

    class TestMyKey(MasterKeyContract):
        @pytest.fixture
        def key(self) -> MyKey:
            ...

Needs pytest, and nothing else that encconf does not need.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in ("format", "master_key", "source")))
