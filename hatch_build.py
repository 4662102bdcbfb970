"""What the package says about where the project is, and what it installs beside Python's files.

The sources name no address, because a copy of them can have any.  Whoever builds a release gives it in
ENCCONF_PROJECT_URL, such as https://github.com/OWNER/encconf; without it, the package has no URLs.
docs/versioning.md says more.

The man pages and completions come from the tables of the command line (docs/make/manual.py).  The source
archive has them below share/.  A wheel has those of the archive, or new ones if it is built from a checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
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


class Shared(BuildHookInterface):  # type: ignore[type-arg]
    """Adds share/ with the man pages and completions: to the source archive, and to what a wheel installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files.  A copy of the sources without docs/ has none, and makes none (as in Dockerfile)."""
        share, script = Path(self.root, "share"), Path(self.root, "docs", "make", "manual.py")
        if version == "editable" or not (share.is_dir() or script.is_file()):
            return
        if not share.is_dir():
            self._made = tempfile.TemporaryDirectory(prefix="encconf-build-")
            share = Path(self._made.name, "share")
            environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
            subprocess.run([sys.executable, str(script), str(share)], env=environ, check=True)
        into = "shared_data" if self.target_name == "wheel" else "force_include"
        build_data[into][str(share)] = "share"
