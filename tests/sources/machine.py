"""What tests of this machine's own sources share."""

from __future__ import annotations

import os

from encconf.identities.credentials import Credentials


def who(environ: dict[str, str] | None = None, **settings: object) -> Credentials:
    return Credentials({"PATH": os.environ["PATH"], **(environ or {})}, **settings)  # type: ignore[arg-type]


def without(environ: dict[str, str], *names: str) -> dict[str, str]:
    """Variables but for some."""
    return {name: value for name, value in environ.items() if name not in names}
