"""The manager that other tests rely on is systemd itself, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .manager import Manager

pytestmark = pytest.mark.services


def cgroups(folder: Path) -> str:
    """The cgroups of one manager that the whole machine has."""
    show = f'd=$(mktemp -d); mount -t cgroup2 none $d; find $d -name "*{folder.name}*"; umount $d; rmdir $d'
    command = ["unshare", "--mount", "bash", "-c", show]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_credentials_of_every_kind(manager: Manager) -> None:
    plain = manager.write("plain", b"from \x00file")
    sealed = manager.credential("sealed", b"encrypted")
    done = manager.run(
        'cd "$CREDENTIALS_DIRECTORY"; ls; cat plain sealed literal; stat -c %a . plain',
        f"LoadCredential=plain:{plain}",
        f"LoadCredentialEncrypted=sealed:{sealed}",
        "SetCredential=literal:set",
    )
    assert (done.code, done.result) == (0, "success"), (done, manager.log())
    assert done.data == b"literal\nplain\nsealed\nfrom \x00fileencryptedset500\n400\n"


def test_failures_are_reported(manager: Manager) -> None:
    done = manager.run("echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err, done.result) == (7, "out\n", "err\n", "exit-code")
    done = manager.run("true", "LoadCredential=none:/nonexistent/secret")
    assert done.result != "success"


def test_it_leaves_nothing_behind() -> None:
    with Manager() as manager:
        folder = manager.folder
        manager.unit("long.service", "[Service]\nExecStart=/bin/sleep 1000\n")
        manager.systemctl("start", "long.service")
        inside = manager.show("long.service", "MainPID")
        assert inside != "0"
        assert cgroups(folder)
    assert not folder.exists()
    assert cgroups(folder) == ""
    assert not Path("/run/systemd/system").exists() or os.path.exists("/run/systemd/private")
    for process in Path("/proc").glob("[0-9]*/environ"):
        try:
            assert os.fsencode(folder) not in process.read_bytes()
        except (OSError, PermissionError):
            continue  # it has ended
