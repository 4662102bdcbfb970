"""The rules of a folder in which sops and encconf write the same."""

from __future__ import annotations

RULES = "creation_rules:\n  - age: {R}\n"
