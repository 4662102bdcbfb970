"""What tests of this machine's own sources share."""

from __future__ import annotations

import os

from encconf.identities.credentials import Credentials


def who(environ: dict[str, str] | None = None, **settings: object) -> Credentials:
    return Credentials({"PATH": os.environ["PATH"], **(environ or {})}, **settings)  # type: ignore[arg-type]
