"""The file of the units that the tests write, and its name."""

from __future__ import annotations

PLAIN = """\
db:
    password: "hunter2 $HOME %h \\\\"
    port: 5432
"od d": {"k[0]": odd, 'it"s': quoted}
tenants:
    a: {token: for a}
    b: {token: for b}
empty: {}
"""

NAME = "s $HOME %h.enc.yaml"  # everything that a command line in a unit may stumble over
