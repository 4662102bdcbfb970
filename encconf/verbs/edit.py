"""Edit an encrypted file by hand: what the editor shows, the editor, and how the saved text is encrypted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from encconf import formats
from encconf.engine import checks, opening, plaintext, sealing
from encconf.engine.admission import Admission, rule_of
from encconf.engine.effects import report
from encconf.engine.metadata import CONFLICT, Metadata, metadata_of, with_block, without_block
from encconf.engine.sealing import encrypt_again, plain_as
from encconf.errors import (
    ChangedError,
    EditorError,
    EncconfError,
    NotModifiedError,
    PlainValueError,
    StrangerError,
    UnmergedError,
    about,
)
from encconf.identities.credentials import KEY_VARIABLES, Credentials
from encconf.io import fileio, private, programs
from encconf.io.descriptors import is_terminal
from encconf.keys import TABLE, key_class
from encconf.record import Record
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT
from encconf.text.document import Document
from encconf.text.path import Path, spell
from encconf.text.printable import counted, listed, quoted
from encconf.verbs import files, printing
from encconf.verbs.rule import Selecting, admission_to, rule_for, warn_of_other

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.changes import Check
    from encconf.engine.opening import Opened
    from encconf.git.conflict import Conflict
    from encconf.rules.config import Notify
    from encconf.verbs.front import Front


class Draft(Record):
    """The text that an editor shows, and how the saved text is encrypted.

    ``opened`` is the encrypted file, or None for a new file.  ``rule`` is None if the file keeps its keys and
    its selection; otherwise it gets a new data key.  If a data key is wrapped, the ``admission`` decides for
    whom; by default those whom the rule names.  ``edits`` is False if the text does not come from the file,
    whose data key may then be a stranger's.  ``check`` is as in `encconf.engine.changes.change`.  ``target``
    is the format of the result, if it differs from that of the text.  ``saved`` is the plaintext that was
    encrypted last, or its document.
    """

    text: str
    format: str
    opened: Opened | None = None
    rule: Rule | None = None
    admission: Admission | None = None
    edits: bool = True
    check: Check | None = None
    shows_block: bool = False
    target: str | None = None
    saved: str | Document = ""

    @classmethod
    def of(cls, opened: Opened, *, unchecked: bool = False) -> Draft:
        """Return a draft with the plaintext of an opened file.

        If its MAC is ``unchecked``, its data key cannot be trusted, so the file gets a new one.
        """
        rule = rule_of(opened.metadata) if unchecked else None
        return cls(plaintext.plain_text(opened), opened.document.format.name, opened=opened, rule=rule)

    def show_block(self) -> None:
        """Show the sops block below the values, so that the user can change the keys there."""
        assert self.opened is not None
        self.text = with_block(formats.get(self.format).scan(self.text), self.opened.metadata)
        self.shows_block = True

    def encrypted(self, edited: str, credentials: Credentials, notify: Notify) -> str:
        """Encrypt the text that the editor saved.  Raises what checking and encrypting raise."""
        if self.shows_block:
            document = formats.get(self.format).scan(edited)
            metadata = Metadata.of(document)
            self.rule = rule_of(metadata)
            self.admission = self._with_typed(metadata)
            edited = without_block(document)
        self.saved = edited
        if not self.shows_block and self.check is not None and self.opened is not None:
            self.saved = formats.scan_any(edited, self.format, comments=True)
            self.check(self.opened, self.text, self.saved)
        if self.opened is not None:
            return encrypt_again(
                self.opened,
                self.saved,
                self.rule,
                target=self.target,
                new_data_key=self.rule is not None and not self.shows_block,
                admission=self.admission,
                edits=self.edits,
                credentials=credentials,
                notify=notify,
            )
        target = self.target or self.format
        return sealing.encrypt(
            plain_as(edited, self.format, target),
            self.rule,
            format=target,
            admission=self.admission,
            credentials=credentials,
            notify=notify,
        )

    def _with_typed(self, metadata: Metadata) -> Admission:
        """Return the admission that also has the keys which the user has typed into the block."""
        assert self.opened is not None
        before = {wrapped.key for group in self.opened.metadata.groups for wrapped in group}
        typed = [
            key_class(wrapped.key.TYPE).from_entry(wrapped.entry)
            for group in metadata.groups
            for wrapped in group
            if wrapped.key not in before and wrapped.key.TYPE in TABLE
        ]
        return (self.admission or Admission()).naming(typed)

    def rescued(self, edited: str, credentials: Credentials) -> str | None:
        """Encrypt the saved text as a binary file, even if it cannot be parsed.

        It is for the recipients of the file if they are admitted, and else only for your own keys among them.
        Returns None if that is not possible.
        """
        rule = self.rule or (rule_of(self.opened.metadata) if self.opened is not None else None)
        if rule is None:
            return None
        rule = rule.replace(selection=DEFAULT)
        admission = self.admission or Admission.of(self.rule)
        try:
            admission.admit(rule, credentials)
        except StrangerError:
            own = [key for group in rule.groups for key in group if key.is_own(credentials)]
            rule, admission = rule.replace(groups=[own], threshold=None), Admission()
        try:
            return sealing.encrypt(
                edited, rule, format=formats.ANY, admission=admission, credentials=credentials
            )
        except EncconfError:
            return None


# --- the editor -----------------------------------------------------------------------------------
# encconf chooses the editor and splits its command line as sops 3.13.3 does (cmd/sops/edit.go), and the
# editor inherits stdin, stdout and stderr.  In addition, editors of the vim family write no swap, backup,
# undo and history files, the editor's environment has no secrets that open the file, and no core is dumped.

DEFAULTS = ("vim", "nano", "vi", *(("notepad",) if os.name == "nt" else ()))
"""The editors to look for if no variable names one."""

SECRETS = frozenset((*KEY_VARIABLES, *(name for row in TABLE.values() for name in row.secrets)))
"""Variables that the editor does not get: they contain secrets that open files, or their locations."""

_VIM = ("vim", "nvim", "gvim", "mvim", "rvim")
# -c applies them after the user's own settings.  A small vim may lack an option, so errors are silent.
_VIM_SETTINGS = "silent! set noswapfile noundofile nobackup nowritebackup viminfo="


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """Return the editor's argument list, without the file.  Raises EditorError."""
    for variable in ("SOPS_EDITOR", "EDITOR"):
        setting = environ.get(variable, "")
        if os.name == "nt" and programs.find(setting.strip(), environ):
            words = [setting.strip()]  # a path with spaces, but without quotes
        else:
            words = split_command(setting, variable)
        if not words:
            continue
        program = programs.find(words[0], environ)
        if program is None:
            message, hint = programs.missing(words[0], environ)
            correct = f"correct ${variable}"
            hint = correct if os.path.dirname(words[0]) else f"{hint}, or {correct}"
            raise EditorError(f"the editor {message}", hint=hint)
        return [*_private(program), *words[1:]]
    for name in DEFAULTS:
        program = programs.find(name, environ)
        if program is not None:
            return _private(program)
    raise EditorError(
        f"no editor was found; looked for {', '.join(DEFAULTS)}", hint="set EDITOR or SOPS_EDITOR"
    )


def run_editor(command: list[str], path: str, environ: Mapping[str, str]) -> None:
    """Run an editor on a file and wait for it.  If a signal ends encconf, the editor is ended too.

    Raises EditorError if the editor cannot be started, fails or is killed, and KeyboardInterrupt if Ctrl-C
    ended it.
    """
    kept = {name: value for name, value in environ.items() if name not in SECRETS}
    _forbid_core_dumps()
    run = _run if hasattr(os, "posix_spawn") else _run_portably
    try:
        code = run([*command, path], kept)
    except OSError as error:
        raise EditorError(f"the editor {command[0]} cannot be run: {error.strerror}") from None
    if code in (-2, 0xC000013A):  # the second one is Windows's
        raise KeyboardInterrupt
    if code < 0:
        raise EditorError(f"the editor was killed by signal {-code}; nothing was changed")
    if code > 0:
        raise EditorError(f"the editor failed with exit code {code}; nothing was changed")


def _run(command: list[str], environ: Mapping[str, str]) -> int:
    """Run a program and return its exit code, or the negative number of the signal that ended it.

    If an exception interrupts the wait, the program is ended too, because its folder will be deleted.
    """
    import signal

    process = 0
    try:
        with _keys_left_to_the_editor():
            # Block signals until the process id is known: without the id, the program could not be ended.
            before = signal.pthread_sigmask(
                signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
            )
            ignored = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python; other programs should not ignore them
            try:
                process = os.posix_spawn(command[0], command, environ, setsigmask=before, setsigdef=ignored)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return _wait(process)
    except BaseException:
        if process:
            _end(process)
        raise


@contextmanager
def _keys_left_to_the_editor() -> Iterator[None]:
    """Ignore Ctrl-C and Ctrl-\\ on a terminal, which sends them to the editor as well; vim goes on."""
    import signal

    names = ("SIGINT", "SIGQUIT", "SIGBREAK") if is_terminal(0) else ()
    keys = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {key: signal.signal(key, lambda *_: None) for key in keys}
    try:
        yield
    finally:
        for key, handler in before.items():
            signal.signal(key, handler)


def _wait(process: int) -> int:
    from encconf.io.process import pause

    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        pause(process)


def split_command(setting: str, variable: str, *, escapes: bool = os.name != "nt") -> list[str]:
    """Split a command line into words as google/shlex does in sops.  Drops comments, and expands nothing.

    Without ``escapes``, as on Windows, a backslash stays: it belongs to a path.  (sops.exe drops it.)
    """
    words = []
    at = 0
    while at < len(setting):
        found = (_WORD if escapes else _WORD_OF_WINDOWS).match(setting, at)
        if found is None:
            raise EditorError(f"${variable} is not a command line: a quote is not closed")
        if found[1] is not None and escapes:
            words.append(_QUOTED.sub(_unquoted, found[1]))
        elif found[1] is not None:
            words.append(re.sub(r"""["'](.*?)["']""", r"\1", found[1]))
        at = found.end()
    return words


_WORD = re.compile(r"""[ \t\r\n]+|#[^\n]*|((?:[^ \t\r\n"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)""", re.DOTALL)
_WORD_OF_WINDOWS = re.compile(r"""[ \t\r\n]+|#[^\n]*|((?:[^ \t\r\n"']|"[^"]*"|'[^']*')+)""", re.DOTALL)
_QUOTED = re.compile(r"""\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'""", re.DOTALL)


def _unquoted(part: re.Match[str]) -> str:
    if part[2] is not None:
        return re.sub(r"(?s)\\(.)", r"\1", part[2])
    return part[1] if part[1] is not None else part[3]


def _end(process: int) -> None:
    import signal
    import time

    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(process, number)
            for _ in range(100):
                if os.waitpid(process, os.WNOHANG)[0]:
                    return
                time.sleep(0.01)
    except OSError:
        return  # the program has ended already


def _private(program: str) -> list[str]:
    """Return the program.  An editor of the vim family gets options that keep the text out of other files."""
    real = os.path.basename(os.path.realpath(program)).partition(".")[0]
    if real in _VIM:
        return [program, "-n", "-i", "NONE", "-c", _VIM_SETTINGS]
    return [program]


def _forbid_core_dumps() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        return  # this system does not support the limit


def _run_portably(command: list[str], environ: Mapping[str, str]) -> int:
    import subprocess

    line = programs.command_line(command[0], command[1:])
    with _keys_left_to_the_editor():
        return subprocess.run(line, env=programs.with_system(environ), check=False).returncode


# --- a session: decrypt the file, open it in the editor, and encrypt what changed -----------------
# The plaintext is written only to a private folder, in memory if possible.  If the edited text cannot be
# saved, the error is printed, and on a terminal the user can open the editor again.
#
# If git left a conflict in the file, the editor shows both sides between the usual markers.  A file that
# git merged without a key is merged again (see `encconf.git.merge`).

_WAIT = "if the editor is still open, use its option to wait: EDITOR='code --wait'"


class Options(Selecting):
    """The file.  The rule is for a new one."""

    file: str
    ignore_mac: bool = False
    allow_plaintext: bool = False
    input_type: str | None = None


def run(options: Options, front: Front) -> None:
    """Edit one encrypted file.  A new file starts from an example."""
    refuse_editor(front)
    file, config, ignore_mac = options.file, options.config, options.ignore_mac
    if file in fileio.STDIN:
        _edit_stdin(front, files.read(file, input_type=options.input_type), ignore_mac=ignore_mac)
        return
    path = fileio.resolve(file)
    with about(file, instead=path):
        enc = fileio.read_existing(path)
    format = files.input_format(enc, file, options.input_type)
    unfinished, like = False, ""
    if enc is None:
        draft, like = _new_draft(options, front, format)
    else:
        credentials = front.credentials()
        plain: list[Path] = []
        with about(file):
            try:
                found = _open(front, enc, path, format, config, credentials, ignore_mac=ignore_mac)
            except PlainValueError:
                found, plain = _open_plain(front, file, enc, format, credentials, ignore_mac=ignore_mac)
        if isinstance(found, str):
            _warn_of_parents(front, file, path, enc, format)
            with about(file, instead=path):
                fileio.write_atomic(path, found, replacing=enc)
            front.note(f"wrote {file}: merged again from its parents, now with a MAC")
            return
        draft = Draft.of(found) if isinstance(found, opening.Opened) else Resolution(found)
        assert draft.opened is not None
        with about(file):
            opening.refuse_to_change(draft.opened.document)
        metadata = draft.opened.metadata
        warn_of_other(front, file, options, metadata)
        unfinished = isinstance(draft, Resolution) or metadata.unmerged is not None or bool(plain)
        if ignore_mac:  # without its MAC, its data key cannot be trusted: the file gets a new one
            draft.rule = rule_of(metadata)
        draft.admission = admission_to(file, config)
        draft.admission.check(metadata, None, credentials, new_data_key=ignore_mac)
        allowed = options.allow_plaintext
        if not allowed:  # fail before the user types anything
            checks.rule_to_follow(file, config, warn=front.warn)
        draft.check = checks.plaintext_check(file, config, allowed=allowed, warn=front.warn)
    with about(file, instead=path):
        fileio.check_writable(path)
    session = Session(front, file, path, draft, enc, unfinished=unfinished)
    session.run()
    if enc is None:
        front.note(f"created {file}")
        if like:
            front.hint(f"this file is new; {like}")
    else:
        from encconf.audit.diff import between  # after the editor, when you no longer wait

        # While a conflict was resolved, the draft's text became that of one side, merged with the other.
        before = draft.text if isinstance(draft, Resolution) else draft.opened or draft.text
        front.note(report(f"wrote {file}", between(file, before, draft.saved, draft.format)))
        if isinstance(draft, Resolution):
            front.hint(f"to finish the merge: git add {quoted(file)}")


def _new_draft(options: Options, front: Front, format: str) -> tuple[Draft, str]:
    """Return the draft of a new file, and what to say about a similar name, as `files.confirmed_new`.

    Raises MissingFileError if the user does not want a new file.
    """
    file = options.file
    like = files.confirmed_new(front, file, always=True)
    rule = rule_for(file, options, notify=front.warn)
    return Draft(formats.get(format).example, format, rule=rule), like


def _open(
    front: Front,
    enc: str,
    path: str,
    format: str,
    config: str | None,
    credentials: Credentials,
    *,
    ignore_mac: bool,
) -> opening.Opened | Conflict | str:
    """Open the file, or its conflict.  A file that was merged without a key gives the new text to write."""
    try:
        return opening.open_text(
            enc, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=front.warn
        )
    except UnmergedError:
        from encconf.git import version
        from encconf.git.conflict import open_conflict
        from encconf.git.merge import Repository, reseal

        if CONFLICT in metadata_of(enc, format).unknown:
            return open_conflict(enc, format=format, credentials=credentials, notify=front.warn)
        folder = os.path.dirname(os.path.abspath(path))
        here = Repository(
            rule=lambda: checks.known_rule(path, config), version=lambda id: version(id, folder)
        )
        return reseal(enc, format=format, repository=here, credentials=credentials, notify=front.warn)


def _open_plain(
    front: Front, file: str, enc: str, format: str, credentials: Credentials, *, ignore_mac: bool
) -> tuple[opening.Opened, list[Path]]:
    """Open a file that has plaintext values, and warn about them.  They are encrypted when it is saved."""
    from encconf.engine.changes import open_with_plain_values

    opened, paths = open_with_plain_values(
        enc, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=front.warn
    )
    front.warn(
        f"{file} has {counted(len(paths), 'value')} in plaintext: {listed(map(spell, paths), 20)}",
        hint="saving encrypts them; anyone who saw the file knows them, so change them at their source",
    )
    return opened, paths


def _warn_of_parents(front: Front, file: str, path: str, enc: str, format: str) -> None:
    """Warn if our side of a merge without a key is not the version that git had before the file.

    All three parents have valid MACs, but the person who merged without a key chose them, and may have
    chosen old versions.
    """
    from encconf.git import before
    from encconf.git.merge import misplaced, parents_of

    ours = parents_of(enc, format)[1]
    if before(path, enc) != ours:
        front.warn(
            f"{file} {misplaced(ours)}",
            hint=f"compare all values with older versions: git log -p {quoted(file)}",
        )


def refuse_editor(front: Front) -> None:
    """Raise UsageError if no plaintext may be shown (`encconf.verbs.printing`)."""
    printing.refuse(front, "no plaintext is opened in an editor", "encconf set FILE PATH changes one value")


class Session(Record):
    """One session in the editor: a draft, until it is written.

    ``enc`` is the text of the file now, None if there is no file.  An ``unfinished`` file is written even if
    the user changed nothing.
    """

    front: Front
    file: str
    path: str | None
    draft: Draft
    enc: str | None = None
    unfinished: bool = False

    def run(self) -> str:
        """Run the editor until its text can be encrypted, write the result if ``path`` is set, and return it.

        Raises NotModifiedError, EditorError, and the errors of encrypting and writing.
        """
        refuse_editor(self.front)
        command = editor_command(self.front.environ)
        with private.PrivateFolder(self.front.environ) as folder:
            path = os.path.join(folder, os.path.basename(self.file))
            private.write_private(path, self.draft.text)
            while True:
                started = time.monotonic()
                run_editor(command, path, self.front.environ)
                if os.path.isdir(folder):
                    os.chmod(folder, 0o700)  # the editor may have changed the mode
                if not os.path.exists(path):
                    raise EditorError("the editor removed the text; nothing was changed").about(self.file)
                try:
                    edited = fileio.read_text(path, binary=formats.get(self.draft.format).single_value)
                    if edited == self.draft.text and not self.unfinished:
                        at_once = time.monotonic() - started < 1 and self.front.can_ask()
                        raise NotModifiedError("nothing was changed", hint=_WAIT if at_once else None)
                    return self._written(edited)
                except NotModifiedError as error:
                    raise error.about(self.file) from None
                except EncconfError as error:
                    if error.file in (None, path, self.path):  # but not if the error is about .sops.yaml
                        error.file = self.file
                    self._offer_again(error, path)

    def _written(self, edited: str) -> str:
        while True:
            enc = self.draft.encrypted(edited, self.front.credentials(), self.front.warn)
            try:
                if self.path is not None:
                    fileio.write_atomic(self.path, enc, replacing=self.enc)
                return enc
            except ChangedError as error:
                if not self.front.can_ask():
                    raise
                error.hint = None
                self.front.error(error.about(self.file))
                if not self.front.confirm("overwrite the file with your text?"):
                    raise ChangedError("the file was not overwritten", hint=None) from None
                self._open_again()

    def _open_again(self) -> None:
        """Open the file that another program wrote in the meantime, which the draft will overwrite."""
        assert self.path is not None
        self.enc = fileio.read_text(self.path)
        try:
            self.draft.opened = opening.open_text(
                self.enc, format=self.draft.format, credentials=self.front.credentials()
            )
            self.draft.edits = False
        except EncconfError:
            if self.draft.rule is None:
                raise
            self.draft.opened = None

    def _offer_again(self, error: EncconfError, path: str) -> None:
        """Ask whether to open the editor again.  Raises the error if the user quits or cannot be asked."""
        untouched = f"{self.file} was not changed" if self.enc is not None else f"{self.file} was not created"
        if not self.front.can_ask():
            saved = self._saved(path)
            if not isinstance(error, ChangedError):
                saved = f"{untouched}; {saved}" if saved else untouched
            error.hint = saved or None
            raise error
        self.front.error(error)
        try:
            answer = self.front.ask(
                "press Enter to open the editor again, or q to quit and lose your changes:"
            )
        except EOFError:
            answer = "q"
        if answer.lower().startswith("q"):
            error.hint = untouched
            raise error

    def _saved(self, edited: str) -> str:
        """Save the edited text encrypted, for the same recipients.

        Returns a message about it, or "" if the user has not changed the text.
        """
        failed = "your changes could not be saved; run this in a terminal to decide what to do"
        try:
            text = fileio.read_text(edited, binary=True)  # it may be any bytes, not only UTF-8
        except EncconfError:
            return failed
        if text == self.draft.text:
            return ""
        enc = self.draft.rescued(text, self.front.credentials())
        if enc is None:
            return failed
        beside = self.path or ""
        name = f"{os.path.basename(beside)[:200]}.unsaved-{os.urandom(4).hex()}"
        folders = [os.path.dirname(beside), *private.temporary_folders(self.front.environ)]
        for folder in folders:
            path = os.path.join(folder, name)
            try:
                fileio.write_atomic(path, enc, mode=fileio.PRIVATE, replacing=None)
            except EncconfError:
                continue
            show = f"{self.front.PROGRAM} decrypt --input-type binary {quoted(os.path.relpath(path))}"
            return f"your changes are saved, encrypted: {show}"
        return failed


def _edit_stdin(front: Front, source: files.Input, *, ignore_mac: bool) -> None:
    """Edit the text from stdin, and print the result, even if the user changed nothing."""
    opened = source.open(front.credentials(), front.warn, ignore_mac=ignore_mac)
    draft = Draft.of(opened, unchecked=ignore_mac)
    draft.admission = Admission()
    with _Terminal():
        enc = Session(front, f"stdin.{draft.format}", None, draft, source.text, unfinished=True).run()
    front.content(enc)


class _Terminal:
    """A context in which stdin and stdout are the terminal, for the editor.

    If the process has no terminal, stdout is stderr.
    """

    def __enter__(self) -> None:
        self._stdout = os.dup(1)
        keys, screen = ("CONIN$", "CONOUT$") if os.name == "nt" else ("/dev/tty", "/dev/tty")
        try:
            terminal = os.open(screen, os.O_RDWR)
        except OSError:
            os.dup2(2, 1)
            keys = os.devnull
        else:
            os.dup2(terminal, 1)
            os.close(terminal)
        terminal = os.open(keys, os.O_RDWR)
        os.dup2(terminal, 0)
        os.close(terminal)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._stdout, 1)
        os.close(self._stdout)


class Resolution(Draft):
    """A draft with both sides of a merge between conflict markers, which the user has to remove."""

    def __init__(self, conflict: Conflict) -> None:
        from encconf.merge import mark

        text, size = mark(conflict.merged, conflict.labels)
        super().__init__(text, conflict.opened.document.format.name, opened=conflict.opened)
        self.size, self.ours = size, conflict.merged.text  # after the constructor, which sets all fields

    def encrypted(self, edited: str, credentials: Credentials, notify: Callable[[str], None]) -> str:
        """Encrypt the edited text.  Raises UnmergedError if a marker is left."""
        from encconf.merge import marked

        line = marked(edited, self.size)
        if line:
            raise UnmergedError(
                f"line {line} is a conflict marker: keep the value you want and remove the markers"
            )
        self.text = self.ours  # so that no warning is repeated for values that were plaintext before
        return super().encrypted(edited, credentials, notify)
