"""AWS KMS keys, with botocore (which boto3 is built on).

It behaves like sops 3.13.3 (kms/keysource.go), with two differences.  The profile and the role of an entry
are only hints: the environment overrides them, and they need not exist.  If a role or a profile is refused,
other credentials are tried.  Only botocore reads ``os.environ``, for proxies and for its own retry, FIPS and
endpoint settings.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Mapping

from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys import CONTEXT, MasterKey, as_given, base64_bytes, member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The region becomes part of a host name, so it may have only the characters of regions.
_ARN = r"arn:aws[A-Za-z0-9_-]*:kms:([a-z0-9-]+):[0-9]+:(key|alias)/[\x21-\x7e]+"
_FORM = "arn:aws:kms:REGION:ACCOUNT:key/ID, or …:alias/NAME"

# Texts for errors to which AWS gives no text.
_MEANINGS = {
    "InvalidCiphertextException": "its enc was created with another key or another encryption context",
    "DisabledException": "the key is disabled",
    "IncorrectKeyException": "its enc was created with another key",
    "KMSInvalidStateException": "the key is disabled or scheduled for deletion",
    "NotFoundException": "the key does not exist",
}
_VARIANTS = 8  # how many contexts are tried at most, since each needs a call


class AwsKmsKey(MasterKey):
    """One key of AWS KMS: its ARN, and how to reach it.

    In the configuration, a key is ``arn:aws:kms:REGION:ACCOUNT:key/ID`` (or ``:alias/NAME``), with
    ``+arn:aws:iam::ACCOUNT:role/NAME`` for a role to assume, ``|NAME:VALUE,…`` for the encryption
    context and ``|PROFILE``, or a mapping of ``arn``, ``role``, ``context`` and ``aws_profile``.
    A multi-Region key (``key/mrk-…``) is used in the region that its ARN names.

    Environment: `encconf.providers.aws` lists the variables, and says whose credentials are used.

    Permissions: kms:Decrypt to open and kms:Encrypt to encrypt, on the key (for an alias, on the key that
    it names), and sts:AssumeRole on the role.
    """

    TYPE = "kms"
    arn: str
    role: str = ""
    context: Mapping[str, str] | None = {}  # None if the entry's is not a mapping
    profile: str = ""

    @property
    def name(self) -> str:
        """The key as ``ARN+ROLE|CONTEXT|PROFILE``, without the parts that are empty."""
        name = f"{self.arn}+{self.role}" if self.role else self.arn
        context = ",".join(f"{key}:{value}" for key, value in sorted((self.context or {}).items()))
        if self.profile:
            return f"{name}|{context}|{self.profile}"
        return f"{name}|{context}" if context else name

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Return the ciphertext of KMS in base64 (standard alphabet, padded), as sops writes it.

        Raises BadKeyError for a malformed ARN, NotMyKeyError if there are no credentials, and
        MasterKeyError with AWS's reason.
        """
        blob = self._ask("encrypt", "CiphertextBlob", credentials, Plaintext=data_key)
        return b2a_base64(blob, newline=False).decode("ascii")

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let KMS decrypt ``enc``, for exactly this key and encryption context.

        Raises NotMyKeyError if there are no credentials, and MasterKeyError otherwise.
        """
        blob = base64_bytes(enc, "its enc is not base64")
        return self._ask("decrypt", "Plaintext", credentials, CiphertextBlob=blob)

    def unwrap_spoiled(self, ask: Callable[[MasterKey], bytes], credentials: Credentials) -> bytes:
        """Unwrap a data key that a sops before 3.3.0 wrapped.

        This sops used the last value of the context for all of its names (getsops/sops pull request 435).
        It is not known which value was the last, so this tries the context itself and then each value.
        ``ask`` unwraps with a key.  Raises what ``ask`` raises for this key.
        """
        try:
            return ask(self)
        except NotMyKeyError:
            raise
        except MasterKeyError as error:
            context = self.context or {}
            for value in sorted(set(context.values()))[:_VARIANTS]:
                try:
                    part = ask(AwsKmsKey(self.arn, self.role, dict.fromkeys(context, value), self.profile))
                except MasterKeyError:
                    continue
                credentials.say(
                    f"{self.label}: it opened under another encryption context than the file names, as sops "
                    "before 3.3.0 wrote it; encconf rotate makes it right"
                )
                return part
            raise error

    def _ask(self, operation: str, member: str, credentials: Credentials, **parameters: bytes) -> bytes:
        from encconf.providers import aws

        region = _region(self.arn)
        if self.context is None:
            raise BadKeyError("the context of the key is not a mapping of strings")
        answer = aws.ask(
            "kms",
            operation,
            {"KeyId": self.arn, "EncryptionContext": self.context, **parameters},
            aws.ways(self.profile, self.role, region, credentials),
            credentials,
            needs=f"kms:{operation.title()} on the key, in the policy of the key or of the identity",
            meanings=_MEANINGS,
        )
        data = answer.get(member)
        if not isinstance(data, bytes) or not data:
            raise MasterKeyError("the answer is not from AWS KMS")
        return data

    def to_entry(self) -> dict[str, object]:
        """Return ``arn``, ``role`` and ``context`` unless they are empty, and ``aws_profile``."""
        entry: dict[str, object] = {"arn": self.arn}
        if self.role:
            entry["role"] = self.role
        if self.context:
            entry["context"] = dict(sorted(self.context.items()))
        entry["aws_profile"] = self.profile
        return entry

    @classmethod
    def from_entry(cls, entry: Mapping[str, object]) -> AwsKmsKey:
        """Read an entry.  The ARN is checked only when it is used."""
        found = next((value for name, value in entry.items() if name.lower() == CONTEXT), None)
        context: dict[str, str] | None = {} if found is None else None
        if isinstance(found, dict):
            context = {str(name): member(found, name) for name in found}
        return cls(member(entry, "arn"), member(entry, "role"), context, member(entry, "aws_profile"))

    @classmethod
    def from_config(cls, value: str | dict[str, Any]) -> AwsKmsKey:
        """Read an ARN and what may follow it, or a mapping.  Raises BadKeyError."""
        if isinstance(value, str):
            arn, _, rest = value.strip().partition("|")
            context, _, profile = rest.rpartition("|") if "|" in rest else (rest, "", "")
            value = {"arn": arn, "context": context, "aws_profile": profile}
        arn, role = ("".join(value.get(name, "").split()) for name in ("arn", "role"))
        if not role and (at := arn.find("+arn:")) > 0:
            arn, role = arn[:at], arn[at + 1 :]
        _region(arn)
        return cls(arn, role, _context(value.get(CONTEXT, "")), value.get("aws_profile", "").strip())


def _region(arn: str) -> str:
    found = re.fullmatch(_ARN, arn)
    if found is None:
        raise BadKeyError(f"{as_given(arn)} is not the ARN of an AWS KMS key", hint=_FORM)
    return found[1]


def _context(value: str | dict[str, str]) -> dict[str, str]:
    """Read an encryption context: a mapping of texts, or ``NAME:VALUE,NAME:VALUE``."""
    if isinstance(value, dict):
        return value
    pairs = [pair.split(":") for pair in value.split(",")] if value else []
    if not all(len(pair) == 2 and pair[0] for pair in pairs):
        raise BadKeyError(
            f"{as_given(value)} is not an encryption context",
            hint="NAME:VALUE,NAME:VALUE; use a mapping for names and values with a colon or a comma",
        )
    return {pair[0]: pair[1] for pair in pairs}
