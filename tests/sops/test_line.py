"""The argument line of sops: which lines are its."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("argv", "taken"),
    [
        (["-d", "f"], True),
        (["--decrypt", "f"], True),
        (["--output-type", "json", "-d", "f"], True),
        (["--config", "x", "-d", "f"], True),
        (["--config=x", "--age", "r", "-e", "f"], True),
        (["decrypt", "--enable-local-keyservice=false", "f"], True),
        (["decrypt", "--keyservice", "tcp://x:1", "f"], False),
        (["decrypt", "--decryption-order", "age", "f"], True),
        (["set", "--value-stdin", "f", '["a"]'], True),
        (["decrypt", "f"], False),
        (["decrypt", "--output-type", "json", "f"], False),
        (["decrypt", "--extrat", "a", "f"], False),
        (["decrypt", "--keyservice", "x", "--help"], False),
        (["--color", "never", "decrypt", "f"], False),
        (["--quiet", "-d", "f"], True),
        (["decrypt", "--ignore-mac=false", "f"], True),
        (["--help"], False),
        (["keygen", "--nosuch"], False),
        (["decrpyt", "f"], False),
        ([], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_which_lines_are_sops_s(argv: list[str], taken: bool) -> None:
    from encconf.cli.sops_line import is_for_sops

    assert is_for_sops(argv) is taken
