"""What the package says about where the project is: its URLs, and the links of its description on PyPI.

The sources name no address, because a copy of them can have any.  Whoever builds a release gives it in
ENCCONF_PROJECT_URL, such as https://github.com/OWNER/encconf; without it, the package has no URLs.
docs/versioning.md says more.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "ENCCONF_PROJECT_URL"
_LINK = re.compile(r"""(\]\(|\b(?:src|srcset|href)=")(?![a-z]+:|#)([^)"\s]+)""")
_PICTURE = re.compile(r"\.(?:svg|png)$")


def urls(address: str) -> dict[str, str]:
    """The project URLs below the address of the repository."""
    return {
        "Homepage": address,
        "Documentation": f"{address}/blob/main/docs/README.md",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


def absolute(text: str, address: str, version: str) -> str:
    """The text of README.md, with links that also work outside of the repository."""

    def target(found: re.Match[str]) -> str:
        kind = "raw" if _PICTURE.search(found[2]) else "blob"
        return f"{found[1]}{address}/{kind}/v{version}/{found[2]}"

    return _LINK.sub(target, text)


class Address(MetadataHookInterface):
    """Sets what the address of the project decides."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme``, and ``urls`` if there is an address; raises ValueError if it is not https."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        if address := os.environ.get(VARIABLE, "").rstrip("/"):
            if not re.fullmatch(r"https://[\w.:-]+(/[\w.~-]+)*", address):
                raise ValueError(f"{VARIABLE} is not an address like https://github.com/OWNER/encconf")
            metadata["urls"] = urls(address)
            text = absolute(text, address, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
