"""A project with the values of an application."""

from __future__ import annotations

TREE = """\
db:
    host: db.example.com
    port: 5432
    password: "it's $HOME \\\\ # \\"x\\""
users: [alice, bob]
debug: false
nothing: null
multi: |
    one
    two
"""
