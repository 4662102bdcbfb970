"""Lines that run sops in the files of other tools, and that the lines that replace them work."""

from __future__ import annotations

import pytest

from encconf.audit.scripts import calls


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ('  eval "$(sops -d --output-type dotenv "$path" | direnv dotenv bash /dev/stdin)"',
         'eval "$(encconf -d --output-type dotenv "$path" | direnv dotenv bash /dev/stdin)"'),
        ("\tsops --encrypt --in-place {{ file }}", "encconf --encrypt --in-place {{ file }}"),
        ('run = "sops exec-env secrets.yaml ./deploy"', 'run = "encconf exec-env secrets.yaml ./deploy"'),
        ("find . -exec sops updatekeys -y {} \\; -exec sops rotate -i {} \\;",
         "find . -exec encconf updatekeys -y {} \\; -exec encconf rotate -i {} \\;"),
        ("# sops -d secrets.yaml", None),
        ("  // sops -d secrets.yaml", None),
        ('sops = "3.12.2"', None),
        ("inputs.sops-nix.url = github:Mic92/sops-nix", None),
        ("brew install sops age", None),
        ("./bin/sops -d x", None),
    ],
)  # fmt: skip
def test_lines(line: str, instead: str | None) -> None:
    assert list(calls(f"first\n{line}\n")) == ([(2, line.strip(), instead)] if instead else [])
