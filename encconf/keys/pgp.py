"""PGP keys, with the user's own gpg and its agent, through python-gnupg.

It behaves like sops 3.13.3 (pgp/keysource.go) when sops runs gpg.  sops first tries its own library on
``pubring.gpg`` and ``secring.gpg``, but gpg reads these files itself.  The data key is sent through pipes,
and never in an argument or a file.  python-gnupg has no time limit and logs what it does: `_run` ends a gpg
that hangs, and keeps the package's log silent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache

from encconf.errors import BadKeyError, MasterKeyError, MissingExtraError, NotMyKeyError
from encconf.identities.credentials import KEY_VARIABLES, Credentials
from encconf.io import programs
from encconf.keys import MasterKey, as_given
from encconf.record import Record
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OUTPUT_LIMIT = 4096  # bytes.  A data key has 32, but a compressed message can hold any number

# The 16 low bits of gpg-error codes.
_NO_SECRET_KEY = 17
_NO_AGENT = 77
_WRONG = 11
_FAILURES = {
    _WRONG: "the passphrase was wrong",
    62: "gpg's prompt for the passphrase timed out",
    99: "the passphrase prompt was cancelled",
    198: "the passphrase prompt was cancelled",
}
_NO_TERMINAL = (85, 86, 0x8000 | 102)  # no pinentry; "Inappropriate ioctl for device"


class PgpKey(MasterKey):
    """One key, by its fingerprint (40 hexadecimal digits) or long id, or with ``!`` after it a subkey."""

    TYPE = "pgp"
    ATTRIBUTES = ("fingerprint",)
    fingerprint: str

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Return the armored PGP message, without a line feed at its end, as sops writes it.

        Raises BadKeyError for a malformed fingerprint, and MasterKeyError if gpg is missing or refuses.
        """
        _check(self.fingerprint)
        bare = self.fingerprint.removesuffix("!")
        trusted = bare[-16:] + self.fingerprint[len(bare) :]
        options = ["--no-default-recipient", "--yes", "--no-encrypt-to", "--trusted-key", trusted]
        try:
            result = _run(
                lambda gpg: gpg.encrypt(data_key, self.fingerprint, extra_args=options), credentials
            )
        except FileNotFoundError:
            message, hint = programs.missing("gpg", credentials.environ)
            raise MasterKeyError(message, hint=f"{hint}, or set SOPS_GPG_EXEC to its path") from None
        if result.returncode:
            raise self._not_encrypted(result, credentials)
        enc = result.data.decode(errors="replace").strip()
        if not enc.startswith("-----BEGIN PGP MESSAGE-----"):
            raise MasterKeyError("gpg returned something that is not a PGP message")
        return enc

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let gpg decrypt the message.  Its agent asks for a passphrase if it can.

        If ENCCONF_PGP_PASSPHRASE names a passphrase, gpg gets it through its input, and asks nobody.  Raises
        NotMyKeyError if there is no secret key or no gpg, and MasterKeyError for every other failure.
        """
        try:
            result = self._opened(enc.encode(), credentials)
        except FileNotFoundError:
            raise NotMyKeyError(programs.missing("gpg", credentials.environ)[0]) from None
        if result.returncode:
            raise self._not_decrypted(result, credentials)
        if not result.data:
            raise MasterKeyError("gpg returned nothing: it may be too old for the way the key was encrypted")
        return result.data

    def _opened(self, enc: bytes, credentials: Credentials) -> Result:
        # Try without asking first: the key may not be here, or the agent may know the passphrase.  And anyone
        # can encrypt a message, or one inside it, with a passphrase of their own, for which gpg would ask.
        result = _decrypt(enc, credentials, "--pinentry-mode", "error")
        statuses = _statuses(result)
        if any(words[0] == "NEED_PASSPHRASE_SYM" for words in statuses):
            raise MasterKeyError("its enc is encrypted with a passphrase, and not only for a key")
        if statuses and not _codes(result).intersection(_NO_TERMINAL):
            return result
        if not credentials.named("pgp_passphrase")[1]:
            return _decrypt(enc, credentials)
        passphrase = credentials.passphrase("pgp_passphrase") or ""
        result = _decrypt(enc, credentials, passphrase=passphrase)
        if result.returncode and _WRONG in _codes(result):
            by, _ = credentials.named("pgp_passphrase")
            raise MasterKeyError(f"the passphrase from {by} does not open the key")
        return result

    def _not_encrypted(self, result: Result, credentials: Credentials) -> MasterKeyError:
        invalid = [words[1] for words in _statuses(result) if words[0] == "INV_RECP" and len(words) > 1]
        if "1" in invalid:
            return MasterKeyError(
                f"its public key is not in {_home(credentials)}",
                hint="import it: gpg --import FILE",
            )
        reason = {"4": "it was revoked", "5": "it has expired"}.get(invalid[0] if invalid else "")
        hint = None
        if invalid and reason is None:
            shown = f"gpg --list-keys {self.fingerprint.rstrip('!')}"
            hint = f"{shown} shows whether it has expired, was revoked, or has no part for encryption: [E]"
        return MasterKeyError(reason or f"gpg: {_last_words(result)}", hint=hint)

    def _not_decrypted(self, result: Result, credentials: Credentials) -> MasterKeyError:
        statuses = _statuses(result)
        codes = _codes(result)
        if codes.intersection(_NO_TERMINAL):
            return MasterKeyError(
                "gpg could not ask for the passphrase without a terminal",
                hint="unlock it in a terminal first (GPG_TTY=$(tty) gpg -d …), or set "
                "ENCCONF_PGP_PASSPHRASE to the source of the passphrase",
            )
        if _NO_AGENT in codes or any("gpg-agent" in line for line in _messages(result)):
            return MasterKeyError(
                "no gpg-agent is running, and gpg could not start one", hint="install gpg-agent"
            )
        for code in sorted(codes):
            if code in _FAILURES:
                return MasterKeyError(_FAILURES[code])
        if codes == {_NO_SECRET_KEY} or (not codes and any(words[0] == "NO_SECKEY" for words in statuses)):
            return NotMyKeyError(f"no secret key for it in {_home(credentials)}")
        if not result.data and any(words[0] == "DECRYPTION_OKAY" for words in statuses):
            return MasterKeyError("gpg found something larger than a data key in its enc")
        if any(words[0] == "NODATA" for words in statuses):
            return MasterKeyError("its enc is not a PGP message")
        return MasterKeyError(f"gpg: {_last_words(result)}")

    def is_own(self, credentials: Credentials) -> bool:
        """Whether gpg has the secret key, or a stub for one on a smart card."""
        try:
            _check(self.fingerprint)
            found = _run(lambda gpg: gpg.list_keys(True, keys=self.fingerprint), credentials)
        except (FileNotFoundError, MasterKeyError):
            return False
        return found.returncode == 0

    @classmethod
    def from_config(cls, value: str) -> PgpKey:
        """Read a fingerprint, with or without spaces.  Raises BadKeyError."""
        fingerprint = "".join(value.split())
        _check(fingerprint)
        return cls(fingerprint)


def secret_fingerprints(credentials: Credentials) -> list[str]:
    """Return the fingerprints of the secret keys that gpg has."""
    try:
        found = _run(lambda gpg: gpg.list_keys(True), credentials)
    except (FileNotFoundError, MasterKeyError):
        return []
    rows = [line.split(":") for line in found.data.decode(errors="replace").splitlines()]
    found_keys: list[str] = []
    kind = ""
    for row in rows:
        if row[0] == "fpr" and kind == "sec" and len(row) > 9:
            found_keys.append(row[9])
        kind = row[0] if row[0] != "grp" else kind
    return found_keys


def _check(fingerprint: str) -> None:
    digits = fingerprint.removesuffix("!").removeprefix("0x")
    if len(digits) not in (16, 32, 40, 64) or not all(c in "0123456789abcdefABCDEF" for c in digits):
        raise BadKeyError(
            f"{as_given(fingerprint)} is not a PGP fingerprint",
            hint="gpg --list-keys prints it: 40 hexadecimal digits",
        )


_INSTALL = "install GnuPG, or set SOPS_GPG_EXEC to its program"


class Result(Record):
    """What gpg returned: its exit code, its output, and what it wrote to stderr, with its status lines."""

    returncode: int
    data: bytes
    stderr: str


def _decrypt(enc: bytes, credentials: Credentials, *options: str, passphrase: str | None = None) -> Result:
    # Anyone can sign a message, too: gpg must not fetch the key from a server that they name.
    extra = ["--max-output", str(_OUTPUT_LIMIT), "--no-auto-key-retrieve", *options]
    # python-gnupg encodes passphrases as Latin-1, and gpg expects UTF-8, as from a terminal.
    typed = None if passphrase is None else passphrase.encode().decode("latin-1")
    return _run(lambda gpg: gpg.decrypt(enc, passphrase=typed, extra_args=extra), credentials)


def _run(call: Callable[[Any], object], credentials: Credentials) -> Result:
    """Let ``call`` use an instance of `gnupg.GPG`, and return what its last gpg returned.

    Raises FileNotFoundError if no gpg is found, MissingExtraError without python-gnupg, and MasterKeyError
    for a program in SOPS_GPG_EXEC that cannot be run and for one that takes too long.
    """
    from contextlib import suppress
    from threading import Thread

    env = programs.environment(_with_terminal(credentials.environ), without=KEY_VARIABLES)
    program = programs.find(credentials.gpg, credentials.environ)
    if program is None:
        raise _not_started(credentials)
    _class()  # in this thread, whose caller gets the error if python-gnupg is not installed
    running = _Running()

    def work() -> None:
        with suppress(OSError, ValueError):
            call(_instance(program, env, running))

    worker = Thread(target=work, name="gpg", daemon=True)
    worker.start()
    try:
        worker.join(credentials.timeout)
    finally:  # also after Ctrl-C
        if late := worker.is_alive():
            running.kill()
            worker.join(1)
    if late:
        raise MasterKeyError(f"gpg took longer than {credentials.timeout:g} s")
    if (result := running.result) is not None:
        # A program that is not gpg can end before it has read its input, or print anything as its version.
        return result
    raise _not_started(credentials)


def _not_started(credentials: Credentials) -> Exception:
    if chosen := credentials.environ.get("SOPS_GPG_EXEC"):
        return MasterKeyError(f"SOPS_GPG_EXEC={printable(chosen)} cannot be run", hint=_INSTALL)
    return FileNotFoundError(credentials.gpg)


class _Running:
    """The gpg that a call of python-gnupg has started last, and what it returned."""

    def __init__(self) -> None:
        self.process: Any = None
        self.found: Any = None
        self.ended = False

    def kill(self) -> None:
        """End gpg, and start no other."""
        self.ended = True
        if self.process is not None:
            self.process.kill()

    @property
    def result(self) -> Result | None:
        """What gpg returned, or None if it was not started."""
        found = self.found
        if found is None:
            return None
        # python-gnupg decodes stderr as Latin-1.
        stderr = found.stderr.encode("latin-1").decode("utf-8", "replace")
        return Result(found.returncode, bytes(found.data or b""), stderr)


_known: dict[tuple[str, str], Any] = {}
"""An instance for each gpg program and home folder, since a new one asks gpg for its version."""


def _instance(program: str, env: Mapping[str, str], running: _Running) -> Any:
    """Return an instance of python-gnupg's class for one call, whose processes ``running`` gets."""
    from copy import copy

    name = program, env.get("GNUPGHOME") or env.get("HOME", "")
    if name not in _known:
        new = _class()(running, gpgbinary=program, env=env)
        new.env = new.running = None
        # A program that does not print its version gets the options of those that know a passphrase's.
        new.version = new.version or (2, 1)
        _known[name] = new
    gpg = copy(_known[name])  # other threads use it, too, in other environments
    gpg.env, gpg.running = env, running
    return gpg


@cache
def _class() -> Any:
    """Import python-gnupg, and return its class, changed so that its processes can be ended."""
    try:
        import gnupg
    except ImportError:
        from encconf.text.packages import how_to_install

        raise MissingExtraError(
            "PGP keys need the package python-gnupg", hint=how_to_install("python-gnupg")
        ) from None
    # Its log shows arguments and whatever gpg prints, and older versions log the data key.
    gnupg.logger.addFilter(_silent)

    class Gpg(gnupg.GPG):  # type: ignore[misc]  # it has no types
        def __init__(self, running: _Running, **options: Any) -> None:
            self.running = running
            super().__init__(**options)

        def make_args(self, args: list[str], passphrase: bool) -> list[str]:
            words: list[str] = super().make_args(args, passphrase)
            if "DEBUG_IPC" in os.environ:  # gpg would print what its agent tells it, such as the data key
                at = words.index("--debug")
                del words[at : at + 2]
            return words

        def _open_subprocess(self, args: list[str], passphrase: bool = False) -> Any:
            if self.running.ended:
                raise OSError("ended")
            self.running.found = None
            self.running.process = super()._open_subprocess(args, passphrase)
            return self.running.process

        def _collect_output(self, process: Any, result: Any, writer: Any = None, stdin: Any = None) -> Any:
            try:
                return super()._collect_output(process, result, writer, stdin)
            finally:
                result.gpg = None  # a cycle would keep the data key until the next garbage collection
                self.running.found = result

    return Gpg


def _silent(_: object) -> bool:
    return False


def _with_terminal(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with the terminal's name, which pinentry needs."""
    if "GPG_TTY" not in environ and hasattr(os, "ttyname"):
        for descriptor in (0, 2, 1):
            try:
                return {**environ, "GPG_TTY": os.ttyname(descriptor)}
            except OSError:
                continue
    return environ


def _home(credentials: Credentials) -> str:
    return printable(credentials.environ.get("GNUPGHOME") or "~/.gnupg")


def _codes(result: Result) -> set[int]:
    """Return the codes that say why gpg could not use its secret keys."""
    return {
        int(words[2]) & 0xFFFF
        for words in _statuses(result)
        if words[:2] == ["ERROR", "pkdecrypt_failed"] and words[2:3] and words[2].isdecimal()
    }


def _statuses(result: Result) -> list[list[str]]:
    """Return the status lines of gpg (doc/DETAILS of GnuPG), split into words."""
    return [line.split() or [""] for line in _lines(result, "[GNUPG:] ")]


def _last_words(result: Result) -> str:
    lines = _messages(result)
    return printable(lines[-1].strip()) if lines else f"exit code {result.returncode}"


def _messages(result: Result) -> list[str]:
    """Return the messages of gpg that are for people."""
    return _lines(result, "gpg: ")


def _lines(result: Result, prefix: str) -> list[str]:
    lines = result.stderr.splitlines()
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
