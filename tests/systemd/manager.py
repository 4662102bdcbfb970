"""A real systemd user manager that runs units, on a machine that need not have been booted with systemd.

    with Manager() as manager:
        manager.run('cat "$CREDENTIALS_DIRECTORY/db"', "LoadCredential=db:/path")

It lives in namespaces of its own (mounts, processes, cgroups; root is needed), with a home and a runtime
folder in a new folder of /tmp, and takes all of that with it when it ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from project import needs

_OUTER = """\
set -e
mount --make-rprivate /; mount --make-rshared /
mkdir "$D/cgroup"; mount -t cgroup2 none "$D/cgroup"
mkdir "$D/cgroup/$CGROUP"; echo $$ > "$D/cgroup/$CGROUP/cgroup.procs"
umount "$D/cgroup"
exec unshare --cgroup bash "$D/inner.sh"
"""
_INNER = """\
set -e
mount -t tmpfs none /run; mkdir -p /run/systemd/system
# The first mount is for machines that have a cgroup2 there, since the kernel mounts it nowhere twice.
mount -t tmpfs none /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
# What units see in place of what they may not: a root user's manager takes these from the system's.
(umask 777; mkdir /run/systemd/inaccessible; cd /run/systemd/inaccessible
mkdir dir; touch reg; mkfifo fifo; mknod chr c 0 0; mknod blk b 0 0)
cd /
# As the first process of its namespace it would think that it is the system's manager.
@systemd@ --user --unit=basic.target --log-target=console --log-level=info &
wait $!
"""
_SWEEP = """\
mount -t cgroup2 none "$D/cgroup" && find "$D/cgroup/$CGROUP" -depth -type d -exec rmdir {} +
"""
_PATIENCE = 20.0


class Done:
    """How a unit ended: ``code`` of its main process, what it printed, and systemd's word for it."""

    def __init__(self, code: int, out: bytes, err: bytes, result: str) -> None:
        self.code = code
        self.data = out
        self.out = out.decode(errors="surrogateescape")
        self.err = err.decode(errors="surrogateescape")
        self.result = result

    def __repr__(self) -> str:
        return f"Done({self.code}, {self.out!r}, {self.err!r}, {self.result!r})"


class Manager:
    """A running user manager.  ``folder`` is a private folder that units and tests both see.

    ``environ`` is added to the manager's environment, which units inherit.  Raises RuntimeError, with
    systemd's own words, where it cannot run.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        places = ("/lib/systemd/systemd", "/usr/lib/systemd/systemd")
        program = next(filter(os.path.exists, places), "")
        program = program or needs("systemd")
        needs("systemctl")
        needs("systemd-creds")
        if os.geteuid() != 0:
            raise RuntimeError("a systemd of one's own needs namespaces, and those need root")
        # Short, and in /tmp: the path of a socket has at most 107 bytes, and /run is hidden from units.
        self.folder = Path(tempfile.mkdtemp(prefix="sd", dir="/tmp"))
        self.runtime = self.folder / "run"
        self.units = self.folder / "home/.config/systemd/user"
        self.runtime.mkdir(mode=0o700)
        self.units.mkdir(parents=True)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            # With a secret of its own nothing is written to /var/lib/systemd.
            "SYSTEMD_CREDENTIAL_SECRET": str(self.folder / "credential.secret"),
            **(environ or {}),
        }
        self._own = {**self.environ, "D": str(self.folder), "CGROUP": f"encconf-test-{self.folder.name}"}
        self._first = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        (self.folder / "inner.sh").write_text(_INNER.replace("@systemd@", program))

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()  # and with it all that is in the namespace
            self._process.wait()
            while self._first and os.path.exists(f"/proc/{self._first}"):
                time.sleep(0.01)
            sweep = ["unshare", "--mount", "bash", "-c", _SWEEP]
            subprocess.run(sweep, env=self._own, capture_output=True, check=False, timeout=_PATIENCE)
        shutil.rmtree(self.folder)

    def _start(self) -> None:
        alone = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", _OUTER]
        with open(self.folder / "manager.log", "wb") as log:
            self._process = subprocess.Popen(
                ["unshare", *alone], env=self._own, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE
        while not (self.runtime / "systemd/private").exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"systemd --user does not start here:\n{self.log()}")
            time.sleep(0.01)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        self._first = int(children.split()[0])
        while self.systemctl("is-active", "basic.target", check=False) != "active":
            if time.monotonic() > deadline:
                raise RuntimeError(f"systemd --user does not come up here:\n{self.log()}")
            time.sleep(0.01)

    def command(self, *argv: str) -> list[str]:
        """An argument line that runs beside the manager, in its namespaces."""
        return ["nsenter", "-t", str(self._first), "--mount", "--pid", "--cgroup", *argv]

    def systemctl(self, *args: str, check: bool = True) -> str:
        """What ``systemctl --user`` says, without the last line break."""
        done = subprocess.run(
            self.command("systemctl", "--user", *args),
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"systemctl {' '.join(args)}: {done.stderr}\n{self.log()}")
        return done.stdout.removesuffix("\n")

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.systemctl("show", "--value", "-p", name, unit)

    def write(self, name: str, data: str | bytes, mode: int = 0o600) -> Path:
        """A file in ``folder``."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(mode)
        return path

    def unit(self, name: str, text: str) -> None:
        """Put a unit file, or with ``NAME.d/x.conf`` a drop-in, where the manager reads it."""
        path = self.units / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.systemctl("daemon-reload")

    def run(self, script: str, *lines: str, name: str | None = None) -> Done:
        """Run a shell script as a oneshot service with these lines in its [Service] section, to its end."""
        self._count += 1
        unit = name or f"run{self._count}.service"
        path = self.write(f"script{self._count}", script)
        outputs = [self.folder / f"{stream}{self._count}" for stream in ("out", "err")]
        body = [
            "Type=oneshot",
            *lines,
            f"ExecStart=/bin/sh {path}",
            f"StandardOutput=file:{outputs[0]}",
            f"StandardError=file:{outputs[1]}",
        ]
        self.unit(unit, "\n".join(["[Service]", *body, ""]))
        self.systemctl("start", unit, check=False)
        out, err = (each.read_bytes() if each.exists() else b"" for each in outputs)
        return Done(int(self.show(unit, "ExecMainStatus")), out, err, self.show(unit, "Result"))

    def credential(self, name: str, value: bytes, *options: str) -> Path:
        """A file for LoadCredentialEncrypted=, made by the real systemd-creds with the manager's secret."""
        path = self.folder / f"{name}.cred"
        words = ["encrypt", "--with-key=host", f"--name={name}", *options, "-", str(path)]
        for command, given in ((["setup"], b""), (words, value)):
            creds = ["systemd-creds", *command]
            subprocess.run(creds, input=given, env=self.environ, capture_output=True, check=True, timeout=20)
        return path

    def log(self) -> str:
        """What the manager has said so far."""
        path = self.folder / "manager.log"
        return path.read_text(errors="replace") if path.exists() else ""
