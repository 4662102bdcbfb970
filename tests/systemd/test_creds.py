"""Credentials made by systemd-creds."""

from __future__ import annotations

import stat

import pytest
from project import Project
from systemd.awkward import AWKWARD

from .manager import Manager

pytestmark = pytest.mark.services


def test_systemd_creds_mistakes(awkward: Project, manager: Manager) -> None:
    words = ["export", "--format", "systemd-creds", "v.json"]
    environ = {"SYSTEMD_CREDENTIAL_SECRET": "/dev/null/secret"}
    assert "error[systemd-creds]" in awkward.run(*words, "--with-key", "host", environ=environ, code=1).err
    secret = {"SYSTEMD_CREDENTIAL_SECRET": manager.environ["SYSTEMD_CREDENTIAL_SECRET"]}
    # Without a TPM systemd-creds makes a file all the same, which nothing can open.
    assert "error[systemd-creds]" in awkward.run(*words, "--with-key", "tpm2", environ=secret, code=1).err
    done = awkward.run(*words, environ={"PATH": "/nowhere"}, code=1)
    assert "systemd-creds was not found" in done.err
    awkward.run("export", "--format", "json", "--with-key", "host", "v.json", code=8)


def test_systemd_creds(manager: Manager, awkward: Project) -> None:
    environ = {"SYSTEMD_CREDENTIAL_SECRET": manager.environ["SYSTEMD_CREDENTIAL_SECRET"]}
    manager.credential("unused", b"")  # makes the host's secret
    words = ["export", "--format", "systemd-creds", "--with-key", "host", "v.json"]
    printed = awkward.run(*words, environ=environ).out
    written = awkward.run(*words, "-o", "creds/", "--keep-case", environ=environ)  # a new folder
    assert f"wrote {len(AWKWARD)} credentials" in written.err
    folder = awkward.path("creds")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    for number, (text, prefix) in enumerate(((printed, "V"), (written.out, "v"))):
        unit = f"creds{number}.service"
        assert text.startswith("[Service]\n")
        manager.unit(f"{unit}.d/x.conf", text)
        out = manager.folder / f"credentials{number}"
        out.mkdir()
        done = manager.run(f"cp $CREDENTIALS_DIRECTORY/* {out}", name=unit)
        assert (done.code, done.result) == (0, "success"), (done, manager.log())
        found = [(out / f"{prefix}{each:02}").read_bytes().decode() for each in range(len(AWKWARD))]
        assert found == AWKWARD
    # The name is part of it: under another one it does not open.
    line = f"LoadCredentialEncrypted=other:{folder}/v00.cred".replace("%", "%%")
    assert manager.run("true", line).result == "exit-code"
