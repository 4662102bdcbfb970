"""Are the oldest packages that pyproject.toml allows installed here?  `make test-lowest` asks this first.

If a package is newer, because another one needs that, its name is printed, and the exit code is 1: the tests
would not show that encconf works with the oldest version.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def newer() -> list[str]:
    """Return the packages that are newer than the oldest version that is allowed, as far as that is given."""
    extras = PROJECT["optional-dependencies"].values()
    found = []
    for each in [*PROJECT["dependencies"], *(each for extra in extras for each in extra)]:
        if bound := re.match(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)", each):
            installed = version(bound[1])
            if not f"{installed}.".startswith(f"{bound[2]}."):
                found.append(f"{bound[1]} {installed} is installed, and pyproject.toml allows {bound[2]}")
    return found


if __name__ == "__main__":
    sys.exit("\n".join(newer()) or 0)
