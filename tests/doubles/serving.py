"""How doubles that serve HTTP from their making on are stopped."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self


class Serving:
    """A double whose ``_server`` runs in a thread; leaving the double stops it."""

    _server: Any

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
