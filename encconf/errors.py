"""Every error that encconf raises on purpose, with its exit code, slug and hint.

Exit codes are those of sops 3.13.3 (cmd/sops/codes/codes.go).  The slug is a stable word that you can search
for.  The hint says what to do next.  A message never contains plaintext, a private key, a token or the MAC;
it contains only names of files, paths inside files and public identifiers.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")


class EncconfError(Exception):
    """The base of all errors: a sentence that says what is wrong and where, and a hint that says what to do.

    >>> try:
    ...     config = load_config("secrets.enc.yaml")
    ... except EncconfError as error:
    ...     print(error, error.hint)  # doctest: +SKIP

    ``exit_code`` is the exit code of the command line.  ``file`` is the name of the file, which is shown
    before the message; callers that know the name set it (see `about`).
    """

    exit_code = 1
    slug = "error"
    temporary = False
    """Whether a service could not be reached, so that another try may succeed later."""

    def __init__(self, message: str, *, hint: str | None = None, file: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self._file = file
        self.hint = hint

    @property
    def file(self) -> str | None:
        """The name of the file that this error is about."""
        return self._file

    @file.setter
    def file(self, file: str | None) -> None:
        self._file = file
        self.hint = self._hint

    @property
    def hint(self) -> str | None:
        """What to do next, with the name of the file in place of FILE.  A traceback shows it as a note."""
        return _for_file(self._hint, self._file)

    @hint.setter
    def hint(self, hint: str | None) -> None:
        self._hint = hint
        hint = self.hint
        notes = [note for note in getattr(self, "__notes__", ()) if not note.startswith("hint: ")]
        if hint is not None or notes or hasattr(self, "__notes__"):
            self.__notes__ = [*notes, f"hint: {hint}"] if hint is not None else notes

    def about(self, file: str) -> EncconfError:
        """Set the file that this error is about, unless it has one.  Returns self."""
        if self.file is None:
            self.file = file
        return self

    def __str__(self) -> str:
        return f"{self.file}: {self.message}" if self.file else self.message


def _for_file(hint: str | None, file: str | None) -> str | None:
    """Put the name of a file in place of FILE in the commands of a hint, if the file exists."""
    if not hint or " FILE" not in hint or not file or not file.isprintable():
        return hint
    import os
    import re
    import shlex

    if not os.path.exists(file):
        return hint

    word = shlex.quote(file)
    return re.sub(r"((?:encconf|git) [^.;]*?) FILE\b", lambda found: f"{found[1]} {word}", hint)


class about:  # noqa: N801 - it reads as a preposition
    """``with about(file):`` sets the file of an error that is raised inside, unless the error has one.

    If the error has the file ``instead``, such as the path that a name was resolved to, it is replaced.  The
    traceback then shows no context of the error, only an explicit cause.  Without ``frames``, it shows
    no earlier frames either, because error trackers print local variables, and some are data keys.
    """

    __slots__ = ("_file", "_frames", "_instead")

    def __init__(self, file: str, *, instead: str | None = None, frames: bool = True) -> None:
        self._file = file
        self._instead = instead
        self._frames = frames

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, EncconfError):
            if self._file and error.file in (None, self._instead):
                error.file = self._file
            error.__suppress_context__ = True
            if not self._frames:
                error.__traceback__ = error.__context__ = None


def at_most_one(hint: str | None = None, **given: object) -> None:
    """Raise ConflictError if more than one of these is given: ``at_most_one(in_place=…, output=…)``."""
    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if len(names) > 1:
        raise ConflictError(f"{' and '.join(names)} exclude each other", hint=hint)


def as_data(error: EncconfError, file: str | None = None) -> dict[str, str | None]:
    """Return an error as JSON data.  The message names the error's file, unless it is ``file``."""
    message = error.message if file is None or error.file in (None, file) else str(error)
    return {"slug": error.slug, "message": message, "hint": error.hint}


TRY_AGAIN = 75
"""The exit code of encconf's own verbs if another try may succeed later: EX_TEMPFAIL of sysexits.h."""


def is_temporary(error: BaseException) -> bool:
    """Whether another try may succeed: a service could not be reached, or did not answer in time."""
    temporary = isinstance(error, EncconfError) and error.temporary
    return temporary or getattr(error, "reason", "") in ("unreachable", "slow")


def exit_code_of(error: EncconfError) -> int:
    """Return the exit code for an error of one of encconf's own verbs."""
    return TRY_AGAIN if is_temporary(error) else error.exit_code


class WrongTypeError(EncconfError, TypeError):
    """An argument of a call has the wrong type."""

    slug = "usage"


class UsageError(EncconfError, ValueError):
    """The command line, or a call's arguments, cannot be understood."""

    slug = "usage"


class ConflictError(UsageError):
    """Two options exclude each other."""

    exit_code = 8
    slug = "conflicting-options"


class DuplicateKeyTypeError(UsageError):
    """The decryption order names a type of master key twice."""

    exit_code = 112
    slug = "duplicate-key-type"


class PathSyntaxError(UsageError):
    """A path into a document, ``["a"]["b"][0]``, is malformed."""

    exit_code = 91
    slug = "bad-path"


class PathNotFoundError(EncconfError):
    """A well-formed path names nothing in the document."""

    slug = "path-not-found"


class PathBlockedError(PathNotFoundError):
    """A path leads through a single value, or uses a list as a mapping.  It must be a mistake."""


class LeftOutError(EncconfError):
    """Variables of a plaintext file are not in the encrypted one that was made of it."""

    slug = "left-out"


class ReplacesError(EncconfError):
    """Setting a value would replace a whole mapping or list, or make a single value one."""

    slug = "replaces"


# --- reading -------------------------------------------------------------------------------


class _FileError(EncconfError):
    """An error that is an `OSError`, too."""

    @property
    def filename(self) -> str | None:
        """The file, under the name that `OSError` has for it."""
        return self.file


class InputError(EncconfError):
    """The input could not be read."""

    exit_code = 2
    slug = "unreadable"


class InputDeniedError(_FileError, InputError, PermissionError):
    """The user may not read the file."""


class MissingFileError(_FileError, InputError, FileNotFoundError):
    """No file was named, or the named one does not exist."""

    exit_code = 100
    slug = "no-such-file"

    def __init__(self, message: str, *, hint: str | None = None, file: str | None = None) -> None:
        super().__init__(message, hint=hint, file=file)
        self.errno = 2  # ENOENT
        self.strerror = message


class ParseError(InputError, ValueError):
    """The text is not in its format, or uses a part of it that sops cannot store.

    ``line`` and ``column`` count from 1; they are None if the place is not known.
    """

    slug = "parse"

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        place = f"line {line}, column {column}: " if line and column else f"line {line}: " if line else ""
        super().__init__(place + message, hint=hint)
        self.line = line
        self.column = column


class LimitError(InputError, ValueError):
    """The input is larger, deeper or more repetitive than any real file; it may be an attack."""

    slug = "limit"


class EmptyDocumentError(InputError, ValueError):
    """The text contains no document."""

    exit_code = 92
    slug = "empty"


class NotEncryptedError(EncconfError, ValueError):
    """The file has no sops metadata.  Clients of sops look for the words of the message."""

    slug = "not-encrypted"

    def __init__(self, message: str = "the file is not encrypted (no sops block)") -> None:
        super().__init__(message, hint="encrypt it first: encconf encrypt FILE")


LOST_BLOCK = "restore the sops block from an older version of the file: git log -p -- FILE"


class LostBlockError(NotEncryptedError):
    """The file has encrypted values but no ``sops`` block, so no key opens it, and it is no plaintext."""

    slug = "lost-block"

    def __init__(self, place: str) -> None:
        super().__init__(f"the file is damaged: {place} is encrypted, but the sops block is missing")
        self.hint = LOST_BLOCK


class AlreadyEncryptedError(EncconfError):
    """The plaintext has a top-level ``sops`` entry."""

    exit_code = 203
    slug = "already-encrypted"


class MetadataError(InputError, ValueError):
    """The ``sops`` block is malformed."""

    slug = "bad-metadata"


class ProposalError(InputError, ValueError):
    """A proposal (``encconf propose``) that is used as a file, or that cannot be accepted."""

    slug = "proposal"


class ConfigTypeError(InputError, ValueError):
    """The file does not fit the ``schema``.  The message names places and types, never a value."""

    slug = "type"


# --- opening -------------------------------------------------------------------------------


class DecryptError(EncconfError):
    """A value could not be decrypted with the file's data key: it was changed, moved or damaged."""

    exit_code = 25
    slug = "decrypt"


class PlainValueError(DecryptError):
    """A value is plaintext although the file's own selection says that it is encrypted."""

    slug = "plain-value"


class MacError(EncconfError):
    """The file's MAC is missing, or does not match its content."""

    exit_code = 51
    slug = "mac"


class MacMissingError(MacError):
    """The file has no MAC to check."""

    slug = "mac-missing"


class MacMismatchError(MacError):
    """The file was changed without its data key."""

    slug = "mac-mismatch"


class UnmergedError(MacMismatchError):
    """Git merged the file, and someone with a key must check it before you can use it."""

    slug = "unmerged"


class UndecidedError(EncconfError):
    """Versions of a file cannot be merged until someone decides between them."""

    slug = "undecided"


class KeyAccessError(EncconfError):
    """The data key could not be decrypted.  The message names each master key and why it failed."""

    exit_code = 128
    slug = "no-key"
    unexpected = False
    """Whether a key that should have worked failed."""


SOMEBODY = "somebody who can open the files"
"""Who can add a recipient.  The command line puts the names from ``.sops.yaml`` in its place."""

YOUR_NAME = "YOUR-NAME"
"""The name of a user, in a line for others.  The command line puts git's ``user.name`` in its place."""

NO_IDENTITY = "no matching identity"
"""What the message says about an age recipient for which this machine has no identity."""


class UnavailableError(EncconfError):
    """A master key could not be used, or a secret could not be fetched.

    ``code`` is the service's own code for the error.
    ``reason`` is ``missing`` (the secret, version or field does not exist), ``denied``, ``expired`` (the
    login), ``unreachable``, ``slow``, ``wrong`` (the address is malformed, or the secret is of another kind
    than it says), ``unusable`` (this machine lacks a setting, a package or an identity), or "" (another).
    """

    reason = ""

    def __init__(
        self, message: str, *, reason: str | None = None, hint: str | None = None, code: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        if reason is not None:
            self.reason = reason
        self.code = code


class MasterKeyError(UnavailableError):
    """One master key should have worked but failed."""

    exit_code = 128
    slug = "master-key"


class NotMyKeyError(MasterKeyError):
    """This machine cannot use the master key, so the next one is tried."""

    slug = "not-my-key"
    reason = "unusable"


class BadKeyError(MasterKeyError):
    """A recipient, fingerprint or key identifier is malformed."""

    exit_code = 1
    slug = "bad-key"


class MissingExtraError(MasterKeyError):
    """A package that this kind of key or source needs is not installed."""

    slug = "missing-extra"
    reason = "unusable"


class SourceError(UnavailableError):
    """A secret could not be fetched from its source or stored there.  The message does not contain it."""

    slug = "source"
    reason = "wrong"


class ExistsError(SourceError):
    """A secret already exists, and was not changed."""


class UnresolvedError(EncconfError):
    """References to secrets could not be resolved.  The message names the path of each."""

    slug = "reference"


class SourceExtraError(SourceError, MissingExtraError):
    """A package that a source needs is not installed."""

    slug = "missing-extra"


class WrapError(EncconfError):
    """The data key could not be encrypted for every master key.  The message names each that failed."""

    slug = "wrap"


class StrangerError(EncconfError):
    """A data key would be encrypted for recipients that only a file, or only another branch, names.

    ``strangers`` are their keys.
    """

    slug = "stranger"

    def __init__(self, message: str, strangers: Sequence[Any] = (), *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.strangers = list(strangers)


# --- configuration -------------------------------------------------------------------------


class ConfigError(EncconfError):
    """``.sops.yaml`` is malformed.  ``place`` is the line and the column, if it is not YAML."""

    slug = "config"
    place: tuple[int, int] | None = None


class PluginError(EncconfError):
    """A plug-in for a type of key or a source cannot be loaded."""

    slug = "plugin"


class EmptyGroupError(ConfigError):
    """A key group has no key, or there is no key group, so nobody could open the file."""


class ForeignConfigError(ConfigError):
    """``.sops.yaml`` belongs to another user, who would choose who can decrypt a file."""


class PatternError(ConfigError):
    """A regular expression that RE2 does not accept."""

    slug = "bad-regex"


class NoConfigError(ConfigError):
    """No ``.sops.yaml`` was found, and no key was given."""

    slug = "no-config"


class NoMatchingRuleError(ConfigError):
    """No creation rule covers the file."""

    slug = "no-rule"


# --- writing -------------------------------------------------------------------------------


class OutputError(EncconfError):
    """The output could not be written.  The old content is unchanged."""

    exit_code = 3
    slug = "unwritable"


class UnwrittenError(OutputError):
    """Not all of the output could be written: the disk is full, or stdout is closed."""


class OutputDeniedError(_FileError, OutputError, PermissionError):
    """The user may not write there."""


class ChangedError(OutputError):
    """The file to replace has changed since it was read."""

    slug = "changed"


class AuditError(EncconfError):
    """This machine's audit log cannot be written, so nothing was done."""

    slug = "audit"


class PublishError(EncconfError):
    """A destination did not accept the file."""

    slug = "publish"


class EmitError(EncconfError):
    """A value cannot be written in the wanted format."""

    exit_code = 4
    slug = "emit"


class EditorError(EncconfError):
    """No editor was found, or it failed.  Nothing was changed."""

    exit_code = 201
    slug = "editor"


class NotModifiedError(EncconfError):
    """An edit changed nothing."""

    exit_code = 200
    slug = "not-modified"


class PlaintextError(EncconfError):
    """A value would be saved in plaintext although the file's creation rule says to encrypt it."""

    slug = "plaintext"


def bounded(function: Callable[P, T]) -> Callable[P, T]:
    """Raise LimitError if a file needs more memory or stack than is available.

    The limits of the formats should apply first.  This is for small machines and for deeply nested callers.
    """

    from functools import wraps

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (MemoryError, RecursionError) as error:
            what = "memory" if isinstance(error, MemoryError) else "stack"
        raise LimitError(f"the file needs more {what} than there is") from None

    return call
