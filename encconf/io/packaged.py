"""Read texts that are installed with encconf, in files beside its modules."""

from __future__ import annotations

import os
import sys


def packaged(package: str, name: str) -> str:
    """Return the text of a file in the folder of a loaded package, or in a folder below it.

    `importlib.resources` does the same, but to load it takes longer than most commands do.
    """
    module = sys.modules[package]
    path = os.path.join(os.path.dirname(module.__file__ or ""), *name.split("/"))
    data: bytes = module.__loader__.get_data(path)  # type: ignore[union-attr]
    return data.decode().replace("\r\n", "\n")  # git for Windows may have written \r\n
