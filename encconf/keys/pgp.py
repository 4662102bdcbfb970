"""PGP keys, with the user's own gpg and its agent.

It behaves like sops 3.13.3 (pgp/keysource.go) when sops runs gpg.  sops first tries its own library on
``pubring.gpg`` and ``secring.gpg``, but gpg reads these files itself.  The data key is sent through pipes,
and never in an argument or a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import KEY_VARIABLES, Credentials
from encconf.io import programs
from encconf.keys import MasterKey, as_given
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import CompletedProcess

    Result = CompletedProcess[bytes]

_OUTPUT_LIMIT = 4096  # bytes.  A data key has 32, but a compressed message can hold any number
_DECRYPT = ["--decrypt", "--max-output", str(_OUTPUT_LIMIT)]

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
    fingerprint: str

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Return the armored PGP message, without a line feed at its end, as sops writes it.

        Raises BadKeyError for a malformed fingerprint, and MasterKeyError if gpg is missing or refuses.
        """
        _check(self.fingerprint)
        bare = self.fingerprint.removesuffix("!")
        trusted = bare[-16:] + self.fingerprint[len(bare) :]
        options = ["--armor", "--no-default-recipient", "--yes", "--no-encrypt-to", "--trusted-key", trusted]
        result = _run(credentials, ["--encrypt", *options, "--recipient", self.fingerprint], data_key)
        if result.returncode:
            raise self._not_encrypted(result, credentials)
        enc = result.stdout.decode(errors="replace").strip()
        if not enc.startswith("-----BEGIN PGP MESSAGE-----"):
            raise MasterKeyError("gpg returned something that is not a PGP message")
        return enc

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let gpg decrypt the message.  Its agent asks for a passphrase if it can.

        If ENCCONF_PGP_PASSPHRASE names a passphrase, gpg gets it through its input, and asks nobody.  Raises
        NotMyKeyError if there is no secret key or no gpg, and MasterKeyError for every other failure.
        """
        if credentials.named("pgp_passphrase")[1]:
            result = self._unwrap_unasked(enc.encode(), credentials)
        else:
            result = _run(credentials, _DECRYPT, enc.encode())
        if result.returncode:
            raise self._not_decrypted(result, credentials)
        if not result.stdout:
            raise MasterKeyError("gpg returned nothing: it may be too old for the way the key was encrypted")
        return result.stdout

    def _unwrap_unasked(self, enc: bytes, credentials: Credentials) -> Result:
        # Try without the passphrase first: the key may not be here, or the agent may know the passphrase.
        result = _run(credentials, [*_DECRYPT, "--pinentry-mode", "error"], enc)
        if not result.returncode or not _codes(result).intersection(_NO_TERMINAL):
            return result
        passphrase = credentials.passphrase("pgp_passphrase") or ""
        options = ["--pinentry-mode", "loopback", "--passphrase-fd", "0"]
        result = _run(credentials, [*_DECRYPT, *options], passphrase.encode() + b"\n" + enc)
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
        return MasterKeyError(reason or f"gpg: {_last_words(result)}")

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
        if not result.stdout and any(words[0] == "DECRYPTION_OKAY" for words in statuses):
            return MasterKeyError("gpg found something larger than a data key in its enc")
        if any(words[0] == "NODATA" for words in statuses):
            return MasterKeyError("its enc is not a PGP message")
        return MasterKeyError(f"gpg: {_last_words(result)}")

    @classmethod
    def from_config(cls, value: str) -> PgpKey:
        """Read a fingerprint, with or without spaces.  Raises BadKeyError."""
        fingerprint = "".join(value.split())
        _check(fingerprint)
        return cls(fingerprint)


def _check(fingerprint: str) -> None:
    digits = fingerprint.removesuffix("!").removeprefix("0x")
    if len(digits) not in (16, 32, 40, 64) or not all(c in "0123456789abcdefABCDEF" for c in digits):
        raise BadKeyError(
            f"{as_given(fingerprint)} is not a PGP fingerprint",
            hint="gpg --list-keys prints it: 40 hexadecimal digits",
        )


def _run(credentials: Credentials, arguments: list[str], data: bytes) -> Result:
    """Run gpg with ``data`` as its input.  Its status lines are in the result's ``stderr``."""
    from subprocess import TimeoutExpired

    words = [credentials.gpg, "--status-fd", "2", "--no-tty", "--no-verbose", "--batch", *arguments]
    environ, limit = _with_terminal(credentials.environ), credentials.timeout
    try:
        return programs.run(words, environ, without=KEY_VARIABLES, data=data, timeout=limit)
    except OSError:
        chosen = credentials.environ.get("SOPS_GPG_EXEC")
        if "--decrypt" in arguments and not chosen:
            raise NotMyKeyError("gpg was not found") from None
        reason = f"SOPS_GPG_EXEC={printable(chosen)} cannot be run" if chosen else "gpg was not found"
        raise MasterKeyError(reason, hint="install GnuPG, or set SOPS_GPG_EXEC to its program") from None
    except TimeoutExpired:
        raise MasterKeyError(f"gpg took longer than {credentials.timeout:g} s") from None


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
    lines = result.stderr.decode(errors="replace").splitlines()
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
