"""How doubles are stopped: by leaving their ``with``."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self


class Closing:
    """A double that is closed when one leaves it."""

    def close(self) -> None:
        """Stop."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Serving(Closing):
    """A double whose ``_server`` runs in a thread from its making on."""

    _server: Any

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
