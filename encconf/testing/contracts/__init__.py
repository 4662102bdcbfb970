"""Classes of tests for what every key type, source and format must do: for encconf's own, and for yours.

Subclass a contract in a test module, define its fixtures (the docstring of the contract's module names them),
and add tests for what is special about your type::

    from encconf import keys
    from encconf.testing.contracts.master_key import MasterKeyContract

    keys.TABLE["mine"] = keys.KeyType("my_package:MyKey", ...)

    class TestMyKey(MasterKeyContract):
        @pytest.fixture
        def key(self) -> MyKey:
            ...

This needs pytest, and no other package that encconf does not need.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in ("format", "master_key", "source")))
