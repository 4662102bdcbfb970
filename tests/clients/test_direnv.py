"""direnv, with the function for sops that its wiki has."""

from __future__ import annotations

import pytest

from .conftest import Desk

pytestmark = pytest.mark.services
ENVRC = """\
use_sops() {
    local path=${1:-$PWD/secrets.yaml}
    eval "$(sops -d --output-type dotenv "$path" | direnv dotenv bash /dev/stdin)"
    watch_file "$path"
}
use sops
"""


def test_direnv(desk: Desk) -> None:
    desk.encrypted("secrets.yaml", "TOKEN: t-1\nNUMBER: 5\nON: true\n")
    desk.write(".envrc", ENVRC)
    desk.run("direnv", "allow", ".")
    out = desk.run("direnv", "exec", ".", "sh", "-c", 'echo "$TOKEN|$NUMBER|$ON"')
    assert out == "t-1|5|true\n"
    desk.sops("set", "secrets.yaml", '["TOKEN"]', '"t-2"')
    assert desk.run("direnv", "exec", ".", "printenv", "TOKEN") == "t-2\n"
    desk.run("direnv", "exec", ".", "true", environ={"SOPS_AGE_KEY": ""})
