"""A YAML text to change, and the lines that a change changes."""

from __future__ import annotations

import difflib

YAML = """\
# top
a:
  b: "x"   # note
  n: 5

l:
- 1
- two  # c
- k: v
  m: |
    text
    more

  z: 1
f: [1, 2]
g: {x: 1, y: "s"}
e: {}
nul:
odd: 0x1F
last: |-
  block
"""


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, with ``-`` and ``+``."""
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in list(diff)[2:] if not line.startswith("@@")]
