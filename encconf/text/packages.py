"""How to install a package beside encconf, with the program that installed encconf.

pip cannot be used for that in an environment of pipx or uv: it would install the package elsewhere.  Their
environments have files of their own (pipx: pipx_metadata.json, uv: uv-receipt.toml).
"""

from __future__ import annotations

import os
import sys

from encconf.text.printable import quoted


def how_to_install(requirement: str, prefix: str = sys.prefix) -> str:
    """Return the command that installs a requirement, such as ``encconf[aws]``.

    ``prefix`` is the folder of the environment.
    """
    if os.path.exists(os.path.join(prefix, "pipx_metadata.json")):
        return f"pipx inject encconf {quoted(requirement)}"
    if os.path.exists(os.path.join(prefix, "uv-receipt.toml")):
        beside = "" if requirement.startswith("encconf[") else "encconf --with "
        return f"uv tool install {beside}{quoted(requirement)}"
    return f"pip install {quoted(requirement)}"
