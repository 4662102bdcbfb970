"""A real GNOME Keyring on a session bus of its own, in an own home: what keyring calls the Secret Service.

    with GnomeKeyring() as desktop:
        environ = desktop.environ          # what leads there

It needs gnome-keyring-daemon and dbus-daemon, and is not skipped without: RuntimeError says what is missing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from doubles.serving import Closing
from project import needs

PASSWORD = "pa55-of-a-desktop"
_PATIENCE = 30  # seconds


class GnomeKeyring(Closing):
    """Unlocked by ``password`` at the start, without a dialog; `lock` locks it, and no dialog can open it."""

    def __init__(self, password: str = PASSWORD, home: Path | None = None) -> None:
        for program in ("dbus-daemon", "gnome-keyring-daemon"):
            needs(program)
        # Short: it holds sockets.  A program that the daemon started may still write there at the end.
        self._folder = tempfile.TemporaryDirectory(prefix="gk-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        self.home = home or folder / "home"
        run = folder / "run"
        for path in (self.home / ".local" / "share", run):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log: IO[bytes] = (folder / "log").open("w+b")
        base = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(run),
            "XDG_DATA_HOME": str(self.home / ".local" / "share"),
        }
        command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"]
        self._bus = subprocess.Popen(command, env=base, stdout=subprocess.PIPE, stderr=self._log)
        assert self._bus.stdout is not None
        address = self._bus.stdout.readline().decode().strip()
        self.environ = {**base, "DBUS_SESSION_BUS_ADDRESS": address}
        command = ["gnome-keyring-daemon", "--unlock", "--components=secrets", "--foreground"]
        self._daemon = subprocess.Popen(
            command, env=self.environ, stdin=subprocess.PIPE, stdout=self._log, stderr=self._log
        )
        assert self._daemon.stdin is not None
        self._daemon.stdin.write(password.encode())
        self._daemon.stdin.close()
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def tool(self, *arguments: str, given: str = "") -> str:
        """What ``secret-tool``, the desktop's own program, prints."""
        command = ["secret-tool", *arguments]
        done = subprocess.run(
            command,
            env=self.environ,
            input=given,
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE,
        )
        return done.stdout

    def lock(self) -> None:
        """Lock it."""
        self._call("secrets.Lock", "array:objpath:/org/freedesktop/secrets/collection/login")

    def stop(self) -> None:
        """Let it hang: the bus takes questions, and no answer comes."""
        self._daemon.send_signal(signal.SIGSTOP)

    def _wait(self) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and self._daemon.poll() is None:
            # Asking for the name itself would make the bus start a second one.
            if b"true" in self._call("DBus.NameHasOwner", "string:org.freedesktop.secrets"):
                found = self._call("secrets.ReadAlias", "string:default")
                if b"/collection/" in found:  # the password was read, and there is one
                    return
            time.sleep(0.02)
        self._log.seek(0)
        raise RuntimeError(f"the keyring did not start:\n{self._log.read().decode(errors='replace')[-2000:]}")

    def _call(self, what: str, argument: str) -> bytes:
        methods = {
            "DBus": ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"),
            "secrets": (
                "org.freedesktop.secrets",
                "/org/freedesktop/secrets",
                "org.freedesktop.Secret.Service",
            ),
        }
        name, _, method = what.partition(".")
        to, path, interface = methods[name]
        command = [
            *("dbus-send", "--session", "--print-reply", f"--dest={to}", path),
            *(f"{interface}.{method}", argument),
        ]
        done = subprocess.run(command, env=self.environ, capture_output=True, check=True, timeout=_PATIENCE)
        return done.stdout

    def close(self) -> None:
        """End both programs."""
        self._daemon.send_signal(signal.SIGCONT)
        for process in (self._daemon, self._bus):
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert self._bus.stdout is not None
        self._bus.stdout.close()
        self._log.close()
        self._folder.cleanup()
