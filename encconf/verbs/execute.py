"""Run programs with the values of files: as ``encconf exec`` does, and as sops's exec-env and exec-file.

`run` replaces this process with the program (execve), so signals and the exit code are the program's own.
With ``redact``, this process stays, and removes the values from what the program prints.
The others run ``/bin/sh -c``, or on Windows ``cmd /c``, as sops 3.13.3 does (cmd/sops/subcommand/exec).
exec-env also replaces this process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from encconf.engine import opening
from encconf.errors import EncconfError, OutputError, SourceError, UsageError
from encconf.formats import emit
from encconf.formats.emit import Naming
from encconf.identities.credentials import KEY_VARIABLES, SETTINGS
from encconf.io import fileio, private, programs
from encconf.io.descriptors import is_terminal
from encconf.record import VerbOptions
from encconf.text.document import Value
from encconf.text.printable import listed, one_line, quoted
from encconf.verbs import export, files, printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen
    from typing import TypeVar

    from encconf.io.relay import Relay
    from encconf.verbs.follow import Following
    from encconf.verbs.front import Front

    T = TypeVar("T")
    Found = Mapping[str, export.Flat]


class Options(Naming):
    """The files, the program with its arguments, and its environment."""

    file: Sequence[str]
    argv: Sequence[str] = ()
    override: bool = False
    pristine: bool = False
    keep_keys: bool = False
    print_sources: bool = False
    redact: bool = False
    watch: bool = False
    signal: str | None = None
    every: str | None = None
    resolve: bool = False
    input_type: str | None = None


class Shell(VerbOptions):
    """The options that `with_variables` and `on_file` share."""

    pristine: bool = False
    user: str | None = None
    background: bool = False


class ShellOnFile(Shell):
    """The options of `on_file`.  ``filename`` is the name of the file for the command."""

    no_fifo: bool = False
    filename: str | None = None


class CommandError(EncconfError):
    """A program could not be started."""

    exit_code = 127
    slug = "no-program"


def run(options: Options, front: Front) -> NoReturn:
    """Run a program with the values of files in its environment.

    The program replaces this process, unless its output is to be redacted or its values are to be followed.
    """
    argv = list(options.argv)
    if not argv or not argv[0]:
        if len(options.file) > 1:
            file, *words = map(quoted, options.file)
            hint = f"encconf exec {file} -- {' '.join(words)}"
            raise UsageError("no program was given: -- is missing before it", hint=hint)
        raise UsageError("no program was given", hint="encconf exec FILE -- PROGRAM ARGUMENTS…")
    following = _following(options, front)
    found = following.found if following is not None else _values(options, front)
    # Hide the variables that open files: the program gets the values, so it does not need them.
    hidden = () if options.keep_keys else (*KEY_VARIABLES, *_named_keys(front))
    before = {name: value for name, value in front.environ.items() if name not in hidden}
    path = front.environ.get("PATH", os.defpath)
    redacts = options.redact or not printing.may_print(front.environ)
    if redacts or following is not None:
        attended = Attended(
            argv,
            path,
            lambda found: _environment(options, front, before, found),
            front,
            following,
            redacts=redacts,
        )
        attended.run(found)
    _become(argv, _environment(options, front, before, found), path)


def _values(options: Options, front: Front) -> Found:
    sources = [files.read(each, input_type=options.input_type) for each in options.file]
    return export.values(front, sources, options, resolve=options.resolve)


def _following(options: Options, front: Front) -> Following | None:
    """Return what follows the values of the files, if the user wants that."""
    if not options.watch:
        if options.signal or options.every:
            raise UsageError("--signal and --every need --watch")
        return None
    from encconf.verbs import follow

    if any(file in fileio.STDIN for file in options.file):
        raise UsageError("--watch needs files, not stdin")
    return follow.Following(
        lambda: _values(options, front),
        [os.path.abspath(file) for file in options.file],
        front,
        every=follow.seconds_of(options.every) if options.resolve or options.every else None,
        number=follow.number_of(options.signal) if options.signal else None,
    )


def _environment(options: Options, front: Front, before: Mapping[str, str], found: Found) -> dict[str, str]:
    """Return the environment of the program.  Variables that are set stay, unless files override them."""
    environ = {} if options.pristine else dict(before)
    for name, value in found.items():
        there = name in environ and not options.override
        if options.print_sources:
            front.note(f"{name}: {'the environment' if there else value.file}")
        if not there:
            environ[name] = _variable(value.text)
    return environ


class Attended:
    """A program that runs beside this process: its output is redacted, or its values are followed.

    It is looked up in ``path``.  ``environ`` returns its environment with some values.
    """

    def __init__(
        self,
        argv: list[str],
        path: str,
        environ: Callable[[Found], Mapping[str, str]],
        front: Front,
        following: Following | None,
        *,
        redacts: bool,
    ) -> None:
        self._argv, self._path, self._environ, self._front = argv, path, environ, front
        self._following, self._redacts = following, redacts
        self._relay: Relay | None = None

    def run(self, found: Found) -> NoReturn:
        """Run the program, and again when its values change.  Raises SystemExit with its exit code."""
        following = self._following
        with _forwarding(self._resize, self._stop) as begun:
            while True:
                code = self._run_once(found, begun)
                if following is None or not following.restarts():
                    raise SystemExit(_exit_code(code))
                found = following.found

    def _run_once(self, found: Found, begun: Callable[[Popen[bytes]], Popen[bytes]]) -> int:
        """Run the program with some values, and return its exit code."""
        import subprocess

        from encconf.io.process import dies_with_us

        relay = self._relay = _relay(found, self._front, self._following) if self._redacts else None
        environ = programs.with_system(self._environ(found))
        outputs = relay.outputs if relay is not None else [None, None]

        def start(path: str) -> Popen[bytes]:
            line = programs.command_line(path, self._argv[1:])
            return subprocess.Popen(
                line,
                env=environ,
                stdout=outputs[0],
                stderr=outputs[1],
                preexec_fn=dies_with_us(),  # noqa: PLW1509
            )

        _flush()
        process = begun(_tried(self._argv[0], self._path, start))

        def poll() -> int | None:
            return process.poll() if self._following is None else self._following.poll(process)

        if relay is not None:
            relay.started()
            return relay.run(poll)
        from encconf.io.process import pause

        while (code := poll()) is None:
            pause(process.pid)
        return code

    def _resize(self) -> None:
        """Give the program's terminals the size of ours."""
        if self._relay is not None:
            self._relay.resize()

    def _stop(self, number: int) -> None:
        """Do not start the program again after a signal other than SIGHUP."""
        import signal

        if self._following is not None and number != getattr(signal, "SIGHUP", None):
            self._following.stopped = True


def _relay(found: Found, front: Front, following: Following | None = None) -> Relay:
    """Return what passes on the output of a program without secrets, also those that it gets by a signal."""
    from encconf.io.relay import Relay
    from encconf.shape.redact import SHORTEST, Redactor, Stream

    secrets = {name: each.text for name, each in found.items() if each.secret}
    sizes = {name: len(fileio.encode(text)) for name, text in secrets.items()}
    short = [name for name, size in sizes.items() if 0 < size < SHORTEST]
    if short:
        front.warn(f"not redacted, because they are shorter than {SHORTEST} characters: {listed(short, 20)}")
    redactor = Redactor(secrets.values())
    if following is not None:
        following.learn = lambda new: redactor.add(each.text for each in new.values() if each.secret)
    return Relay(lambda: Stream(redactor))


def _exit_code(code: int) -> int:
    """Return the code with which encconf ends as a program did: for a signal, 128 and its number, as shells.

    Windows has 32 bits for it.  Python takes those of a crash, such as 0xC0000005, only as a negative number.
    """
    return 128 - code if code < 0 else code - (1 << 32) if code >= 1 << 31 else code


def _named_keys(front: Front) -> list[str]:
    """Return the variables that have keys or passphrases according to ENCCONF_IDENTITY and similar."""
    credentials = front.credentials()
    addresses = [address for setting in SETTINGS for address in credentials.named(setting)[1]]
    if not any("env" in address.lower() for address in addresses):  # also envsubst: and ?token_env=
        return []
    from encconf import sources
    from encconf.sources.env import name_in

    names = []
    for address in addresses:
        try:
            uri = sources.parse(address)
        except SourceError:
            continue
        if uri.scheme == "env":
            names.append(name_in(uri))
        names += [value for name, value in uri.query.items() if name.endswith("_env")]
    return names


def _variable(text: str) -> str:
    """Return a text as the value of an environment variable, whose bytes are UTF-8 in any locale."""
    return os.fsdecode(fileio.encode(text))


def with_variables(options: Shell, front: Front, opened: opening.Opened, command: str) -> None:
    """Replace this process with a shell that runs a command with the top-level values of an opened file."""
    opening.refuse_proposal(opened.document)
    tree = opened.trees()[0]
    opening.refuse_unprotected(opened, ((key, node) for key, node in tree.items() if isinstance(node, Value)))
    given: dict[str, str] = {}
    for key, node in tree.items():
        if isinstance(node, (dict, list)):
            raise EncconfError(
                f"cannot use complex value in environment; offending key {one_line(key)}",
                hint="encconf exec FILE -- COMMAND flattens nested values",
            )
        if "=" in key:
            raise EncconfError(f"cannot use keys with '=' in environment: {one_line(key)}")
        if key:  # sops sets a variable without a name, which no shell can read
            given[_variable(key)] = _variable(emit.text(node))
    environ = {**_environ(options, front), **given}
    if options.background:
        _spawn(command, environ, detached=True)
        return
    if os.name == "nt":
        printing.refuse(front, "no shell gets plaintext here", "encconf exec redacts what a program prints")
        raise SystemExit(_spawn(command, environ))
    if not printing.may_print(front.environ):
        found = {key: export.Flat(emit.text(node), "", node.sealed is not None) for key, node in tree.items()}
        shell = Attended(["/bin/sh", "-c", command], os.defpath, lambda _: environ, front, None, redacts=True)
        shell.run(found)
    _become(["/bin/sh", "-c", command], environ, os.defpath)


def on_file(options: ShellOnFile, front: Front, plain: str, command: str) -> None:
    """Run a shell command on a plaintext, whose path replaces ``{}``.

    The plaintext is in a private folder, by default in a pipe, which the command can read once.  Raises
    SystemExit if the exit code of the command is not 0.
    """
    printing.refuse(
        front, "no plaintext is written to files", "encconf exec gives it to a program as variables"
    )
    name = os.path.normpath(options.filename or "tmp-file")
    if os.path.dirname(name) or name in (os.curdir, os.pardir):
        raise EncconfError("the provided filename is not a local path", hint="give a name without a folder")
    if any(sign in name for sign in _SHELL):
        raise EncconfError(
            "the provided filename has characters that mean something to the shell",
            hint=f"the name becomes part of the command, so it must not contain any of {_SHELL.strip()}",
        )
    environ = _environ(options, front)
    with private.PrivateFolder(front.environ) as folder:
        path = os.path.join(folder, name)
        if options.no_fifo or not hasattr(os, "mkfifo"):
            private.write_private(path, plain)
        else:
            _feed(path, plain)
        code = _spawn(command.replace("{}", path), environ, detached=options.background)
    if code:
        raise SystemExit(code)


def _environ(options: Shell, front: Front) -> dict[str, str]:
    """Return the environment for a command.  With --user, this process becomes that user."""
    environ = {} if options.pristine else dict(front.environ)
    if user := options.user:
        environ.update(_switch(user))
    return environ


_SHELL = "$`\"'\\;&|<>(){}*?[]~!#\t\r\n"


def _become(argv: list[str], environ: Mapping[str, str], path: str) -> NoReturn:
    """Replace this process with a program.  A name without a folder is looked up in ``path``.

    The user names this program, so it may be in the work tree, as in a shell, but not in the current folder.
    """
    import signal

    _flush()
    if os.name != "posix":
        _run_portably(argv, environ, path)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these
        signal.signal(number, signal.SIG_DFL)
    _tried(argv[0], path, lambda program: os.execve(program, argv, environ))
    raise AssertionError("execve returned")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _tried(program: str, path: str, start: Callable[[str], T]) -> T:
    """Start a program from the first place in ``path`` where that works.  Raises CommandError."""
    if os.name == "nt":
        candidates = [programs.find(program, {**os.environ, "PATH": path}, anywhere=True) or ""]
    elif os.path.dirname(program):
        candidates = [program]
    else:
        candidates = [os.path.join(folder, program) for folder in programs.absolute(path)]
    failed: OSError | None = None
    for candidate in filter(None, candidates):
        try:
            return start(candidate)
        except OSError as error:
            if failed is None or not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                failed = error
        except ValueError:
            raise EncconfError(
                "a name or value contains a NUL character, which an environment cannot hold"
            ) from None
    reason = failed.strerror if failed is not None and failed.strerror else "not found"
    unable = CommandError(f"{program} cannot be run: {reason[:1].lower()}{reason[1:]}")
    if isinstance(failed, FileNotFoundError) and not os.path.dirname(program):
        unable = CommandError(f"{program} was not found", hint="install it, or add its folder to PATH")
    if isinstance(failed, PermissionError):
        unable.exit_code = 126
    raise unable


def _run_portably(argv: list[str], environ: Mapping[str, str], path: str) -> NoReturn:
    """Run a program and end with its exit code.  Ctrl-C and Ctrl-Break are for the program."""
    import subprocess

    whole = programs.with_system(environ)

    def start(program: str) -> Popen[bytes]:
        return subprocess.Popen(programs.command_line(program, argv[1:]), env=whole)

    with _forwarding() as begun:
        code = begun(_tried(argv[0], path, start)).wait()
    raise SystemExit(_exit_code(code))


def _feed(path: str, text: str) -> None:
    """Create a named pipe.  A thread writes the text into it when a program opens it."""
    import threading
    from contextlib import suppress

    try:
        os.mkfifo(path, 0o600)
    except OSError as error:
        raise OutputError(f"cannot create the pipe: {(error.strerror or '').lower()}").about(path) from None

    def write() -> None:
        with suppress(OSError), open(os.open(path, os.O_WRONLY), "wb") as pipe:  # a reader may end early
            pipe.write(fileio.encode(text))

    threading.Thread(target=write, daemon=True).start()


def _spawn(command: str, environ: Mapping[str, str], *, detached: bool = False) -> int:
    """Run a shell command, forward signals to it, and return its exit code.

    A ``detached`` command runs in the background, and the result is 0.
    """
    import subprocess

    from encconf.io.process import dies_with_us, pause

    shell, whole = programs.shell(command), programs.with_system(environ)
    if detached:
        nothing = subprocess.DEVNULL
        subprocess.Popen(shell, env=whole, stdin=nothing, stdout=nothing, stderr=nothing)
        return 0
    with _forwarding() as begun:
        process = begun(subprocess.Popen(shell, env=whole, preexec_fn=dies_with_us()))  # noqa: PLW1509
        while (code := process.poll()) is None:
            pause(process.pid)
    return _exit_code(code)


@contextmanager
def _forwarding(
    resized: Callable[[], None] | None = None, ended: Callable[[int], None] = lambda number: None
) -> Iterator[Callable[[Popen[bytes]], Popen[bytes]]]:
    """Forward signals to the process that the caller gives the function: also those that came before.

    The last process that the function got is the one that gets the signals.  ``resized`` is called when the
    terminal has another size, and ``ended`` with each signal.  For a kill of this process, see `Together`.
    """
    import signal

    from encconf.io.process import Together

    started: list[Popen[bytes]] = []
    early: list[int] = []

    def begun(process: Popen[bytes]) -> Popen[bytes]:
        started.append(process)
        for number in early:
            process.send_signal(number)
        early.clear()
        return process

    def pass_on(number: int, _: object) -> None:
        ended(number)
        if started and started[-1].poll() is None:
            started[-1].send_signal(number)
        else:  # before the first process, or between two: the next one gets it
            early.append(number)

    def leave_alone(number: int, _: object) -> None:
        """Ignore a signal of Ctrl-C or Ctrl-\\: the terminal also sends it to the command."""
        ended(number)

    before = {}
    for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGBREAK"):
        kind = getattr(signal, name, None)
        if kind is not None:  # a handler, because the command would inherit SIG_IGN
            # Windows sends those of keys to all programs of the console, whatever stdin is.
            keys = name in ("SIGINT", "SIGQUIT", "SIGBREAK") and (os.name == "nt" or is_terminal(0))
            before[kind] = signal.signal(kind, leave_alone if keys else pass_on)
    if resized is not None and hasattr(signal, "SIGWINCH"):
        before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: resized())
    try:
        with Together():
            yield begun
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _switch(user: str) -> dict[str, str]:
    """Become another user permanently.  Returns that user's variables."""
    if os.name == "nt":
        hint = "run encconf as that user: runas /user:NAME COMMAND"
        raise UsageError("--user is not available on Windows", hint=hint)
    # The other user may not be able to read these modules, which are used after the switch.
    for name in ("fcntl", "select", "signal", "subprocess", "threading", "time", "encconf.io.process"):
        __import__(name)
    try:
        import pwd

        known = pwd.getpwnam(user)
    except (ImportError, KeyError):
        raise EncconfError(f"user: unknown user {user}") from None
    try:
        os.setgroups(os.getgrouplist(user, known.pw_gid))
        os.setregid(known.pw_gid, known.pw_gid)
        os.setreuid(known.pw_uid, known.pw_uid)
    except OSError as error:
        raise EncconfError(f"cannot become {user}: {error.strerror}") from None
    return {"HOME": known.pw_dir, "USER": known.pw_name, "LOGNAME": known.pw_name}
