"""The stranger game: somebody without a key changes a repository, and its owner goes on working in it.

    .venv/bin/python tests/game.py --games 200                  # new games: which of them found something
    .venv/bin/python tests/game.py --seed 17 --games 1 --show   # one game again, as a script
    .venv/bin/python tests/game.py --checks                     # without each of encconf's checks (`gate`)

Each game has a repository with encrypted files, a victim who has keys, and a stranger who can change every
file but has none (`stranger`).  The victim runs a random sequence of commands, and adds new secrets.  After
each command, the referee (`witness`) looks whether

* the stranger can read a secret with their age key, or with a data key that they chose, or a colleague alone
  can whose key is only that of one key group ("read"),
* a file outside the repository was written ("outside"),
* a program or module of the stranger's ran ("ran"),
* the plaintext of a secret is in a file or a message where it was not asked for ("plaintext", "shown"),
* encconf wrote the stranger's key into a .sops.yaml, or into a hint to paste ("named"),
* a merge encrypted values that somebody without a key wrote as plaintext ("vouched"),
* a value that the stranger proposed is in a file without an ``accept`` that showed it ("accepted"),
* encconf failed with a traceback or an internal error ("crash").

The stranger may read what the victim puts under a data key that the stranger chose, if the victim changes a
value of that very file: only a review can tell such a file from one that a colleague made.  And a stranger
whom our last commit's .sops.yaml names is a recipient, and so is one whom that of the branch names onto which
the victim rebases.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import re
import select
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import forks
import gate
from witness import PLANTED, PROPOSED, SECRET, Reader, Witness

HERE = Path(__file__).resolve().parent

_IDENTITY = re.compile(rb"AGE-SECRET-KEY-1[A-Z0-9]{50,}")
_CRASH = re.compile(r"Traceback \(most recent|internal error|Exception ignored|error\[internal")

CLIENT = """\
#!{python} -ISB
import _socket, os, sys
def text(value):
    import json
    return json.dumps(value)
s = _socket.socket(_socket.AF_UNIX)
s.connect({socket!r})
import array
s.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
mask = os.umask(0); os.umask(mask)
request = {{"argv": ["encconf", *sys.argv[1:]], "cwd": os.getcwd(), "umask": mask}}
request["environ"] = dict(os.environ)
data = memoryview(text(request).encode("utf-8", "surrogatepass"))
while data:
    data = data[s.send(data):]
s.shutdown(_socket.SHUT_WR)
got = b""
while len(got) < 8:
    more = s.recv(8 - len(got))
    if not more:
        sys.exit(99)
    got += more
code = int.from_bytes(got[4:], "little", signed=True)
sys.exit(code if code >= 0 else 128 - code)
"""
"""The program ``encconf`` that git and shells find: it has the server run the command in a fork."""


class FoundError(Exception):
    """What went wrong in a game."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class Done:
    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.out = out
        self.err = err.decode(errors="backslashreplace")


class Machine:
    """Runs encconf in forks of this process, which has imported it, and programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tools = folder / "tools"
        self.tools.mkdir(parents=True)
        self.socket = str(folder / "socket")
        self.python = self._environment(folder / "venv")
        client = self.tools / "encconf"
        client.write_text(CLIENT.format(python=os.path.realpath(sys.executable), socket=self.socket))
        client.chmod(0o755)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen(64)
        self.server = os.fork()
        if self.server == 0:
            self._serve(listener)
        listener.close()

    def _environment(self, folder: Path) -> str:
        """Make a virtual environment without a script named encconf, and return its Python."""
        (folder / "bin").mkdir(parents=True)
        python = folder / "bin" / "python"
        python.symlink_to(os.path.realpath(sys.executable))
        home = Path(os.path.realpath(sys.executable)).parent
        (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        packages = folder / "lib" / version / "site-packages"
        packages.mkdir(parents=True)
        lines = [
            package_folder(),
            sysconfig.get_path("purelib"),
            sysconfig.get_path("platlib"),
        ]
        (packages / "game.pth").write_text("".join(f"{line}\n" for line in dict.fromkeys(lines)))
        return str(python)

    def _serve(self, listener: socket.socket) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            connection, _ = listener.accept()
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 4)
            if os.fork() == 0:
                listener.close()
                forks.wait_for_command(connection.detach(), *descriptors)
                _command()
            connection.close()
            for each in descriptors:
                os.close(each)

    def close(self) -> None:
        os.kill(self.server, signal.SIGTERM)
        os.waitpid(self.server, 0)

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        input: bytes = b"",
        code: str | None = None,
        python: bool = False,
        timeout: float = 120,
    ) -> Done:
        """Run encconf, or Python ``code``.  With ``python``, its Python has no script named encconf."""
        streams = [os.memfd_create("stream") for _ in range(3)]
        os.write(streams[0], input)
        os.lseek(streams[0], 0, os.SEEK_SET)
        child = os.fork()
        if child == 0:
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.setsid()
                if python:
                    sys.executable = self.python
                    sys.prefix = str(Path(self.python).parent.parent)
                request = {
                    "argv": ["encconf", *argv], "cwd": str(cwd), "environ": dict(environ), "umask": 0o022
                }  # fmt: skip
                forks.become(request, *streams)
                if code is None:
                    _command()
                exec(compile(code, "script", "exec"), {"__name__": "__main__"})
            except SystemExit as ended:
                _end(ended.code if isinstance(ended.code, int) else 1)
            except BaseException:
                traceback.print_exc()
                _end(1)
            _end(0)
        watch = os.pidfd_open(child)
        ready, _, _ = select.select([watch], [], [], timeout)
        if not ready:
            os.killpg(child, signal.SIGKILL)
        os.close(watch)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        found = []
        for each in streams:
            os.lseek(each, 0, os.SEEK_SET)
            with open(each, "rb") as file:
                found.append(file.read(8 << 20))
        if not ready:
            raise FoundError("crash", f"encconf {shlex.join(argv)} does not end")
        return Done(status, *found[1:])

    def program(
        self, argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str], timeout: float = 120
    ) -> Done:
        """Run another program."""
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def _end(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _command() -> None:
    """Run the command line of this fork, and end it."""
    try:
        from encconf.cli import run

        run()
    except SystemExit as ended:
        _end(ended.code if isinstance(ended.code, int) else 1)
    except BaseException:
        traceback.print_exc()
        _end(1)


def package_folder() -> str:
    """The folder that contains the package under test."""
    import encconf

    return str(Path(encconf.__file__ or "").parent.parent)


# --- what the victim keeps -----------------------------------------------------------------------

FORMATS = {
    ".yaml": "yaml",
    ".json": "json",
    ".env": "dotenv",
    ".ini": "ini",
    ".toml": "toml",
    ".txt": "binary",
}
NAMES = (
    "secrets.yaml",
    "app.json",
    "service.env",
    "db.ini",
    "tool.toml",
    "cert.txt",
    "conf/web.yaml",
    "db.yaml",
)
PUBLIC = "the public address of the service"


class Plain:
    """The plaintext of one of the victim's files: pairs of a name and a value."""

    def __init__(self, format: str, pairs: Mapping[str, str]) -> None:
        self.format = format
        self.pairs = dict(pairs)

    def text(self) -> str:
        return self.rendered(self.pairs)

    def rendered(self, pairs: Mapping[str, str]) -> str:
        if self.format == "binary":
            return "".join(f"{value}\n" for value in pairs.values())
        if self.format == "dotenv":
            return "".join(f"{name.upper()}={value}\n" for name, value in pairs.items())
        if self.format == "ini":
            return "[db]\n" + "".join(f"{name} = {value}\n" for name, value in pairs.items())
        if self.format == "toml":
            return "[db]\n" + "".join(f'{name} = "{value}"\n' for name, value in pairs.items())
        if self.format == "json":
            inner = ",\n".join(f'    "{name}": "{value}"' for name, value in pairs.items())
            return f'{{\n  "db": {{\n{inner}\n  }}\n}}\n'
        return "db:\n" + "".join(f"  {name}: {value}\n" for name, value in pairs.items())

    def forged(self, draw: random.Random, *, planted: bool = False) -> str:
        """What a stranger can make of it: the names, common and public values, and values of their own."""
        known = {name: value for name, value in self.pairs.items() if not SECRET.search(value.encode())}
        own = "planted" if planted else "evil"
        pairs = dict(known) if draw.random() < 0.8 else {}
        for name in self.pairs:
            if name not in known:
                guess = draw.choice(["", "x", "changeme", "password", "true", "null"])
                pairs[name] = (
                    guess if draw.random() < 0.2 and not planted else f"{own}{draw.getrandbits(64):016x}"
                )
        return self.rendered(pairs or {"token": f"{own}{draw.getrandbits(64):016x}"})


class Opening:
    """The repository with which a game starts: who has keys, the rules, and the files."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.folder = Path()
        self.plains: dict[str, Plain] = {}
        self.named: list[str] = []
        self.kind = KINDS[number % len(KINDS)]


KINDS = ("one", "one", "alone", "groups", "three", "none", "growing", "none")
"""Who has keys: "growing" and some others name a new colleague who is not a recipient of the files yet."""
RECIPIENTS = ("victim", "second", "colleague", "new")


class Table:
    """The machine, the keys and the openings that the games of one process share."""

    OPENINGS = 24

    def __init__(self, folder: Path) -> None:
        import pyrage

        self.folder = folder
        self.machine = Machine(folder / "machine")
        made = {name: pyrage.x25519.Identity.generate() for name in (*RECIPIENTS, "stranger")}
        self.identities = {name: str(each) for name, each in made.items()}
        self.recipients = {name: str(each.to_public()) for name, each in made.items()}
        self.openings: dict[int, Opening] = {}

    def opening(self, number: int) -> Opening:
        if number not in self.openings:
            opening = Opening(number)
            opening.folder = self.folder / f"opening{number}"
            self._build(opening)
            self.openings[number] = opening
        return self.openings[number]

    def _build(self, opening: Opening) -> None:
        """Make the files and the history of an opening, with the victim's own commands."""
        draw = random.Random(opening.number)
        root = opening.folder
        for name in ("repo", "home/.ssh", "outside", "tmp", "marks", "bin"):
            (root / name).mkdir(parents=True)
        root.chmod(0o755)
        (root / "tmp").chmod(0o1777)
        (root / "home/.bashrc").write_text("# the victim's\n")
        (root / "home/.gitconfig").write_text(
            "[user]\n\tname = x\n\temail = x@example.com\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n"
            "[advice]\n\tdetachedHead = false\n[core]\n\tfsync = none\n[commit]\n\tgpgsign = false\n"
        )
        to = self.recipients
        kind = opening.kind
        selection = draw.choice(
            [
                *("", "", "", "unencrypted_suffix: _open", "mac_only_encrypted: true"),
                "encrypted_regex: '(?i)^(password|token|secret)'",
            ]
        )
        people = {
            "one": [["victim", "colleague"]],
            "alone": [["victim"]],
            "growing": [["victim"]],
            "none": [["victim", "colleague"]],
            "groups": [["victim", "colleague"], ["second"]],
            "three": [["victim"], ["second", "colleague"], ["new"]],
        }[kind]
        opening.named = [to[each] for each in people[0]]

        def rule(people: list[list[str]]) -> str:
            if len(people) == 1:
                lines = [f"- age: [{', '.join(to[each] for each in people[0])}]"]
            else:
                lines = ["- key_groups:"]
                lines += [f"    - age: [{', '.join(to[each] for each in group)}]" for group in people]
                lines += ["  shamir_threshold: 2"]
            lines += [f"  {selection}"] * bool(selection)
            return "creation_rules:\n" + "".join(f"  {line}\n" for line in lines)

        repository = root / "repo"
        environ = environment(root, self, "", f"{self.identities['victim']}\n{self.identities['second']}")

        def git(*arguments: str) -> None:
            done = self.machine.program([GIT, *arguments], cwd=repository, environ=environ)
            assert done.code == 0, done.err

        def encconf(*arguments: str) -> None:
            done = self.machine.run(arguments, cwd=repository, environ=environ)
            assert done.code == 0, (arguments, done.err)

        git("init", "-q", "--template=")
        (root / "outside/other.yaml").write_text("a: b\n")
        encconf("encrypt", "--age", to["victim"], "../outside/other.yaml")
        names = draw.sample(NAMES, draw.choice([2, 3, 3]))
        if not any(name.endswith((".yaml", ".json")) for name in names):
            names[0] = "secrets.yaml"
        (repository / ".gitignore").write_text("".join(f"/{name}\n" for name in NAMES) + "legacy.env\n")
        if kind != "none":
            (repository / ".sops.yaml").write_text(rule(people))
        by_hand = ["--age", ",".join(opening.named)] if kind == "none" else []
        for name in names:
            format = FORMATS[Path(name).suffix]
            pairs = {"host": "localhost", "port": "5432", "user": "admin"}
            pairs |= {each: _token(draw) for each in ("password", "token")}
            if draw.random() < 0.7:
                pairs["address_unencrypted"] = PUBLIC
                pairs["address_open"] = PUBLIC
            plain = opening.plains[name] = Plain(format, pairs)
            path = repository / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(plain.text())
            encconf("encrypt", *by_hand, name)
        git("add", "-A")
        git("commit", "-qm", "secrets")
        if draw.random() < 0.6:
            encconf("git", "install")
            git("add", "-A")
            git("commit", "-qm", "drivers")
        git("branch", "evil")
        if kind == "growing":
            (repository / ".sops.yaml").write_text(rule([["victim", "new"]]))
            git("commit", "-qam", "a new colleague")
        elif kind == "groups" or (kind == "one" and draw.random() < 0.5):
            more = [[*people[0], "new"], *people[1:]]
            (repository / ".sops.yaml").write_text(rule(more))
            git("commit", "-qam", "a new colleague")
        git("checkout", "-qb", "work")
        changed = [encrypted_name(name) for name in names]
        if kind != "none" and (kind == "groups" or draw.random() < 0.6):
            encconf("updatekeys", "-y", *changed)
        for name in changed:
            if not name.endswith(".txt"):
                encconf(
                    "set", name, "SECRET_WORK" if name.endswith(".env") else "db.secret_work", _token(draw)
                )
        git("commit", "-qam", "work")
        git("checkout", "-q", "main")
        assert not _outside_leftovers(root / "tmp")


GIT = shutil.which("git") or "git"


def _outside_leftovers(folder: Path) -> list[str]:
    return os.listdir(folder)


def _token(draw: random.Random) -> str:
    return f"canary{draw.getrandbits(64):016x}"


def encrypted_name(name: str) -> str:
    """The name that ``encconf encrypt`` gives to the encrypted file."""
    path = Path(name)
    return str(path.with_name(f"{path.stem}.enc{path.suffix}"))


def environment(folder: Path, table: Table, path: str, keys: str) -> dict[str, str]:
    usual = f"{table.machine.tools}:/usr/local/bin:/usr/bin:/bin"
    return {
        "HOME": str(folder / "home"),
        "PATH": path.replace("USUAL", usual) if path else usual,
        "TMPDIR": str(folder / "tmp"),
        "XDG_RUNTIME_DIR": str(folder / "tmp"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "TERM": "dumb",
        **({"SOPS_AGE_KEY": keys} if keys else {}),
    }


# --- a game --------------------------------------------------------------------------------------

Move = Callable[["Game"], None]
MOVES: dict[str, tuple[Move, int]] = {}
"""Each move of the victim, with how often it is drawn."""


def move(weight: int = 2) -> Callable[[Move], Move]:
    def known(function: Move) -> Move:
        MOVES[function.__name__] = function, weight
        return function

    return known


PATHS = ("", "", "", "USUAL:.", "USUAL:", ":USUAL", ".:USUAL", "USUAL:./tools", "USUAL:TREE", "TREE:USUAL")
"""PATH, with the usual folders, and relative ones or the work tree: an empty entry is the current folder."""


class Game:
    """One game.  ``script`` is what happened, as a shell script with comments."""

    def __init__(self, seed: int, table: Table, options: argparse.Namespace) -> None:
        from stranger import Stranger

        self.seed = seed
        self.table = table
        self.options = options
        self.machine = table.machine
        self.draw = random.Random(seed)
        self.recipients = {name: table.recipients[name] for name in RECIPIENTS}
        self.stranger_recipient = table.recipients["stranger"]
        self.script: list[str] = []
        self.tricks: list[str] = []
        self.moves: list[str] = []
        self.over = False
        """Whether our last commit names the stranger, so that the game has ended."""
        numbers = [
            number
            for number in range(Table.OPENINGS)
            if KINDS[number % len(KINDS)] in (options.kinds or KINDS)
        ]
        opening = table.opening(self.draw.choice(numbers))
        self.opening = opening
        self.folder = table.folder / f"game{seed}"
        shutil.copytree(opening.folder, self.folder, symlinks=True)
        self.repository = self.folder / "repo"
        self.plains = {name: Plain(each.format, each.pairs) for name, each in opening.plains.items()}
        self.named = opening.named
        self.counter = 0
        self.shares_known: set[str] = set()

        identities = [table.identities["victim"], table.identities["second"]]
        self.victim = Reader(identities)
        shape = self.draw.choice(PATHS)
        path = shape.replace("TREE", str(self.repository))
        in_file = self.draw.random() < 0.4
        keys = "\n".join(identities)
        if self.draw.random() < 0.25:
            keys = f"AGE-PLUGIN-YUBIKEY-1QYPQXPQPQGPSGXASZ5N\n{keys}"
        self.keeps_script = self.draw.random() < 0.93
        self.environ = environment(self.folder, table, path, "" if in_file else keys)
        if not self.keeps_script:
            self.environ["PATH"] = self.environ["PATH"].replace(f"{table.machine.tools}:", "")
        self.plain_environ = environment(self.folder, table, "", "")
        self.environ["EDITOR"] = str(self.folder / "bin" / "edit")
        self.environ["VAULT_TOKEN"] = _token(self.draw)
        if shape:
            self.say(f"# PATH={shape.replace('USUAL', '…').replace('TREE', '$PWD')!r}")
        if not self.keeps_script:
            self.say("# PATH has no encconf: git's drivers run Python")
        self.say(f"# opening {opening.number}: {', '.join(self.plains)}")

        insider = Reader([table.identities["colleague"]]) if opening.kind in ("groups", "three") else None
        self.witness = Witness(self.folder, Reader([table.identities["stranger"]]), insider)
        for plain in self.plains.values():
            for token in SECRET.findall(plain.text().encode()):
                self.witness.conceded[token] = set()
        if in_file:
            store = self.folder / "home/.config/sops/age/keys.txt"
            store.parent.mkdir(parents=True)
            store.write_text(keys + "\n")
            store.chmod(0o600)
        self.witness.asked = {str(self.repository / name) for name in self.plains}
        self.witness.asked.add(str(self.folder / "home/.config/sops/age/keys.txt"))
        for kind, detail in self.witness.leaks():
            raise AssertionError(f"before the game: opening {opening.number}: {kind}: {detail}")
        self.planted: set[bytes] = set()
        self.accepting: dict[str, set[bytes]] = {}
        """During an accept, what the stranger proposed in each of the files that it may show."""
        self.accepted: set[bytes] = set()
        """What the stranger proposed, and the victim accepted."""
        self.stranger = Stranger(self)
        self.branch: Path | None = None

    def say(self, line: str) -> None:
        line = re.sub("proposal-[0-9a-f]{8}", "proposal-ID", line)  # the ids are random in each run
        self.script.append(line.replace(str(self.folder), "…"))

    def mark(self, name: str) -> Path:
        return self.folder / "marks" / name

    # --- files -----------------------------------------------------------------------------------

    def encrypted(self, folder: Path) -> list[Path]:
        """The files in a folder whose names say that they are encrypted."""
        found = []
        for place, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name != ".git"]
            found += [
                Path(place, name)
                for name in names
                if ".enc." in name and "unsaved" not in name and ".proposal-" not in name
            ]
        return sorted(path for path in found if path.is_file() and not path.is_symlink())

    def format_of(self, path: Path) -> str:
        return FORMATS.get(path.suffix, "binary")

    def plain_of(self, path: Path) -> Plain | None:
        for name, plain in self.plains.items():
            if path.name == Path(encrypted_name(name)).name:
                return plain
        return None

    def file(self, *, links: bool = False) -> str | None:
        """The path of one of the encrypted files, as the victim names it."""
        files = self.encrypted(self.repository)
        usual = [path for path in files if self.plain_of(path) is not None]
        chosen = usual if usual and self.draw.random() < 0.9 else files
        if links and self.draw.random() < 0.2:
            chosen = [path for path in self.repository.iterdir() if path.is_symlink() and not path.exists()
                      and path.suffix in FORMATS] or chosen  # fmt: skip
        if not chosen:
            return None
        name = os.path.relpath(self.draw.choice(sorted(chosen)), self.repository)
        return f"./{name}" if name.startswith(("-", "#", "~")) else name

    def secret(self, file: str | None = None) -> str:
        """A new secret.  The stranger may read it under the data key that they chose for this file."""
        token = _token(self.draw)
        conceded: set[bytes] = set()
        if file is not None and (path := self.repository / file).is_file():
            content = path.read_bytes()
            conceded = self.victim.data_keys(content) & self.witness.known(content)
        self.witness.conceded[token.encode()] = conceded
        return token

    def place(self, file: str) -> tuple[str, str]:
        """A new path inside a file, in encconf's spelling, and its last name."""
        self.counter += 1
        name = f"secret_{self.counter}"
        if file.endswith(".env"):
            return name.upper(), name.upper()
        return f"db.{name}", name

    # --- running ---------------------------------------------------------------------------------

    def encconf(
        self,
        *arguments: str,
        input: str = "",
        file: str | None = None,
        plain: str | None = None,
        prints: bool = False,
        code: str | None = None,
    ) -> Done:
        """Run encconf as the victim, and look at what it did.

        ``plain`` is a file whose plaintext the command replaces.  ``prints`` is whether its output may have
        secrets.
        """
        folder = self.repository
        if code is None and self.draw.random() < 0.1 and (folder / "conf").is_dir():
            folder = folder / "conf"
            inside = [each for each in arguments if not each.startswith(("-", "/"))]
            names = {each for each in inside if each == "." or ("." in each and not each.startswith("db."))}
            arguments = tuple(f"../{each}" if each in names else each for each in arguments)
            self.say("# in the folder conf:")
        shown = code if code is not None else f"encconf {shlex.join(arguments)}"
        return self.watched(
            shown + (f" <<< {shlex.quote(input)}" if input else ""),
            lambda: self.machine.run(
                arguments, cwd=folder, environ=self.environ, input=input.encode(), code=code,
                python=not self.keeps_script,
            ),
            plain=plain, prints=prints,
        )  # fmt: skip

    def git(self, *arguments: str, prints: bool = False, merges: bool = False) -> Done:
        done = self.watched(
            f"git {shlex.join(arguments)}",
            lambda: self.machine.program([GIT, *arguments], cwd=self.repository, environ=self.environ),
            prints=prints, merges=merges,
        )  # fmt: skip
        return done

    def watched(
        self,
        shown: str,
        run: Callable[[], Done],
        *,
        plain: str | None = None,
        prints: bool = False,
        merges: bool = False,
    ) -> Done:
        before = self.witness.outside()
        rules = self._rules()
        done = run()
        self.say(f"{shown}   # {done.code}")
        self.look(done, before, rules, plain=plain, prints=prints, merges=merges)
        return done

    def look(
        self,
        done: Done,
        before: Mapping[str, object],
        rules: str,
        *,
        plain: str | None,
        prints: bool,
        merges: bool,
    ) -> None:
        """Raise FoundError if the last command did something wrong."""
        if ran := self.witness.marks():
            raise FoundError("ran", f"the stranger's {', '.join(ran)}")
        after = self.witness.outside()
        changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
        changed = [path for path in changed if not self._is_cache(path)]
        if not stat.S_ISCHR(os.stat(os.devnull).st_mode):
            raise FoundError("outside", f"{os.devnull} was replaced")
        if changed:
            raise FoundError("outside", f"{os.path.relpath(changed[0], self.folder)} was written")
        if _CRASH.search(done.err) or done.code < 0 or done.code == 99:
            raise FoundError("crash", f"exit code {done.code}: {done.err[-1500:]}")
        output = done.err.encode() + (b"" if prints else done.out)
        if shown := SECRET.search(output) or _IDENTITY.search(output):
            raise FoundError("shown", f"the output has {shown[0].decode()}")
        for line in done.err.splitlines():
            if "hint:" in line and self.stranger_recipient in line:
                raise FoundError("named", f"a hint has the stranger's key: {line}")
        if plain is not None and done.code == 0:
            self.witness.asked.discard(str(self.repository / plain))
        for kind, detail in self.witness.leaks():
            raise FoundError(kind, detail)
        if self.stranger_recipient in self._rules() and self.stranger_recipient not in rules and not merges:
            raise FoundError("named", "encconf wrote the stranger's key into .sops.yaml")
        if merges and done.code == 0 and self.planted:
            self._look_for_planted()
        for name, tokens in self.accepting.items():
            if f"file: {name}" in shown_files(done.out) and done.code in (0, 2):
                self.accepted |= tokens
        if "proposal" in self.tricks:
            self._look_for_proposed()

    def proposals(self, folder: Path) -> list[Path]:
        """The files in a folder that are named like proposals."""
        return sorted(path for path in folder.rglob("*.proposal-*.json") if ".git" not in path.parts)

    def _look_for_proposed(self) -> None:
        for path in self.encrypted(self.repository):
            content = path.read_bytes()
            if b'"proposal_for"' in content:  # a proposal, which somebody renamed
                continue
            for tokens in self.victim.opened(content, PROPOSED).values():
                if new := tokens - self.accepted:
                    name = os.path.relpath(path, self.repository)
                    raise FoundError("accepted", f"{name} has {min(new).decode()}, which no accept showed")

    def _is_cache(self, path: str) -> bool:
        """Whether gpg wrote the file, or a companion that decrypts for `git diff`."""
        names = ("home/.cache", "home/.gnupg", f"tmp/encconf-{os.geteuid()}")
        return any(f"{path}/".startswith(f"{self.folder}/{name}/") for name in names)

    def _rules(self) -> str:
        path = self.repository / ".sops.yaml"
        return path.read_text(errors="replace") if path.is_file() else ""

    def _look_for_planted(self) -> None:
        for path in self.encrypted(self.repository):
            for tokens in self.victim.opened(path.read_bytes(), PLANTED).values():
                if tokens & self.planted:
                    name = os.path.relpath(path, self.repository)
                    raise FoundError("vouched", f"{name} has a value that the stranger wrote as plaintext")

    def encrypts_planted(self) -> None:
        """The victim encrypts what is in the work tree, so values of the stranger's are encrypted rightly."""
        self.planted.clear()

    # --- the stranger's turn ---------------------------------------------------------------------

    def stranger_plays(self, *, start: bool = False) -> None:
        from stranger import TRICKS

        names = _chosen(TRICKS, self.options.tricks, self.options.skip)
        name = self.draw.choices(names, [TRICKS[name][1] for name in names])[0]
        on_branch = self.draw.random() < 0.4
        folder = self._branch() if on_branch else self.repository
        before = self._planted_in(folder)
        done = TRICKS[name][0](self.stranger, folder)
        if done is None:
            return
        self.planted |= self._planted_in(folder) - before
        self.tricks.append(name)
        where = "on the branch evil, " if on_branch else ""
        self.say(f"# {where}the stranger {done}")
        if on_branch or self.draw.random() < 0.7:
            self._commit(folder, "nothing to see")
        for _ in self.witness.leaks():
            pass  # what the stranger did by themselves

    def _planted_in(self, folder: Path) -> set[bytes]:
        found: set[bytes] = set()
        for path in self.encrypted(folder):
            found |= {*PLANTED.findall(path.read_bytes())}
        return found

    def _branch(self) -> Path:
        if self.branch is None:
            self.branch = self.folder / "bin" / "evil"
            done = self.machine.program(
                [GIT, "worktree", "add", "-q", str(self.branch), "evil"],
                cwd=self.repository,
                environ=self.plain_environ,
            )
            assert done.code == 0, done.err
        return self.branch

    def _commit(self, folder: Path, message: str) -> None:
        script = 'm="$1"; shift; "$0" add -A . "$@" && "$0" commit -qm "$m"'
        own = [f":(exclude){name}" for name in (*NAMES, "legacy.env", "inplace*")]
        words = ["/bin/sh", "-c", script, GIT, message, *own]
        self.machine.program(words, cwd=folder, environ=self.plain_environ)

    def commit(self) -> None:
        """The victim commits the changes of tracked files."""
        self.git("commit", "-qam", "change")

    # --- all of it -------------------------------------------------------------------------------

    def play(self) -> FoundError | None:
        try:
            for _ in range(self.draw.choice([1, 1, 2, 3])):
                self.stranger_plays(start=True)
            if self.draw.random() < 0.2:
                self._move("install")
            names = _chosen(MOVES, self.options.moves, self.options.skip)
            weights = [MOVES[name][1] for name in names]
            for _ in range(self.draw.choice([3, 4, 5, 6])):
                if self.draw.random() < 0.25:
                    self.stranger_plays()
                self._move(self.draw.choices(names, weights)[0])
                if self.over:
                    break
        except FoundError as finding:
            return finding
        finally:
            if not self.options.keep:
                shutil.rmtree(self.folder, ignore_errors=True)
        return None

    def _move(self, name: str) -> None:
        self.moves.append(name)
        MOVES[name][0](self)

    def named_by(self, commit: str = "HEAD") -> bool:
        """Whether a .sops.yaml of a commit, by default our last one, names the stranger."""
        words = [GIT, "grep", "-q", "-F", self.stranger_recipient, commit, "--", ":(glob)**/.sops.yaml"]
        return self.machine.program(words, cwd=self.repository, environ=self.plain_environ).code == 0

    def object(self, what: str, *, write: bool = False) -> str:
        """The id of an object of git's, or "".  With ``write``, ``what`` is the text of a new one."""
        words = [GIT, "rev-parse", "--verify", "-q", what]
        if write:
            path = self.folder / "bin" / "object"
            path.write_text(what)
            words = [GIT, "hash-object", "-w", "--", str(path)]
        done = self.machine.program(words, cwd=self.repository, environ=self.plain_environ)
        return done.out.decode().strip() if done.code == 0 else ""


def shown_files(output: bytes) -> set[str]:
    """The proposals that an accept showed and did not refuse, as ``file: NAME``."""
    found = set()
    for entry in re.split(r"(?m)^(?! )", output.decode(errors="replace")):
        if " = " in entry.partition("\n")[0] and (line := re.search(r"(?m)^  file: (.*)$", entry)):
            found.add(f"file: {line[1].rpartition('/')[2]}")
    return found


def _chosen(known: Iterable[str], wanted: Sequence[str], skipped: Sequence[str]) -> list[str]:
    return [name for name in known if name in (wanted or known) and name not in skipped]


def _by_hand(game: Game) -> list[str]:
    """Options that name recipients, where there are no rules."""
    return (
        []
        if (game.repository / ".sops.yaml").exists() or game.draw.random() < 0.15
        else ["--age", ",".join(game.named)]
    )


@move(8)
def encrypt(game: Game) -> None:
    name = game.draw.choice(sorted(game.plains))
    plain = game.plains[name]
    game.counter += 1
    plain.pairs[f"secret_{game.counter}"] = game.secret()
    (game.repository / name).write_text(plain.text())
    game.encconf("encrypt", *_by_hand(game), name)


@move(2)
def encrypt_folder(game: Game) -> None:
    for name in sorted(game.plains):
        plain = game.plains[name]
        game.counter += 1
        plain.pairs[f"secret_{game.counter}"] = game.secret()
        (game.repository / name).write_text(plain.text())
    game.encconf("encrypt", *_by_hand(game), *sorted(game.plains))


@move(2)
def encrypt_in_place(game: Game) -> None:
    game.counter += 1
    name = f"inplace{game.counter}.{game.draw.choice(['yaml', 'json', 'env', 'txt'])}"
    path = game.repository / name
    plain = Plain(game.format_of(path), {"password": game.secret(), "host": "localhost"})
    path.write_text(plain.text())
    game.witness.asked.add(str(path))
    game.encconf("encrypt", "-i", *_by_hand(game), name, plain=name)


@move(2)
def encrypt_planted(game: Game) -> None:
    """The victim finds plaintext where an encrypted file was, and encrypts it."""
    file = game.file()
    if (
        file is not None
        and (game.repository / file).is_file()
        and b"planted" in (game.repository / file).read_bytes()
    ):
        game.encrypts_planted()
        game.encconf("encrypt", "-i", *_by_hand(game), file)


EDITS = {
    "yaml": ("printf 'secret_%s: %s\\n' N TOKEN >> \"$1\"", "printf 'secret_%s: [%s\\n' N TOKEN >> \"$1\""),
    "dotenv": ("printf 'SECRET_%s=%s\\n' N TOKEN >> \"$1\"", "printf 'no name %s\\n' TOKEN >> \"$1\""),
    "ini": ("printf 'secret_%s = %s\\n' N TOKEN >> \"$1\"", "printf '[%s\\n' TOKEN >> \"$1\""),
    "toml": ('printf \'secret_%s = "%s"\\n\' N TOKEN >> "$1"', "printf '= %s\\n' TOKEN >> \"$1\""),
    "binary": ("printf '%s\\n' TOKEN >> \"$1\"", "printf '%s\\n' TOKEN >> \"$1\""),
    "json": (
        'c=$(/bin/sed \'1s/{/{"secret_N": "TOKEN",/\' "$1"); printf \'%s\\n\' "$c" > "$1"',
        "printf '%s{\\n' TOKEN >> \"$1\"",
    ),
}
"""What the editor does to a file of a format: add a value, or leave a syntax error."""


def _editor(game: Game, file: str, token: str, *, broken: bool) -> None:
    game.counter += 1
    line = (
        EDITS[game.format_of(Path(file))][broken].replace("TOKEN", token).replace("N", str(game.counter), 1)
    )
    path = game.folder / "bin" / "edit"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@move(8)
def edit(game: Game) -> None:
    file = game.file(links=True)
    if file is None:
        return
    broken = game.draw.random() < 0.4
    _editor(game, file, game.secret(file), broken=broken)
    game.say(f"# the editor {'leaves a syntax error' if broken else 'adds a value'}")
    game.encconf("edit", *game.draw.choice([[], [], [], ["--show-master-keys"]]), file)


@move(2)
def edit_new(game: Game) -> None:
    file = game.draw.choice(["new.enc.yaml", "new.enc.json", "new.enc.env"])
    _editor(game, file, game.secret(file), broken=game.draw.random() < 0.3)
    game.encconf("edit", *_by_hand(game), file)


@move(8)
def set_value(game: Game) -> None:
    file = game.file(links=True)
    if file is None or file.endswith(".txt"):
        return
    token = game.secret(file)
    path = game.place(file)[0]
    if game.draw.random() < 0.7:
        game.encconf("set", file, path, token)
    else:
        game.encconf("set", file, path, input=token)


@move(3)
def set_new(game: Game) -> None:
    file = game.draw.choice(["new.enc.yaml", "new.enc.json", "new.enc.env", "new.enc.toml"])
    game.encconf("set", *_by_hand(game), file, game.place(file)[0], game.secret(file))


@move(4)
def propose(game: Game) -> None:
    """A colleague without a key proposes a secret."""
    file = game.draw.choice([game.file(), game.file(), "new.enc.yaml", "conf/new.enc.json"])
    if file is None or file.endswith(".txt"):
        return
    key = game.environ.pop("SOPS_AGE_KEY", None)
    game.encconf("propose", file, game.place(file)[0], input=game.secret())
    if key is not None:
        game.environ["SOPS_AGE_KEY"] = key


@move(6)
def accept(game: Game) -> None:
    """The victim accepts what is proposed for a file, in which anything that is listed may be."""
    there = [path for path in game.proposals(game.repository) if path.is_file() and not path.is_symlink()]
    file = game.file()
    if there and game.draw.random() < 0.9:
        name = os.path.relpath(game.draw.choice(there), game.repository)
        file = name.partition(".proposal-")[0]
    if file is None or file.startswith("-"):
        return
    beside = [path for path in there if path.name.startswith(f"{Path(file).name}.proposal-")]
    inside = {path.name: game.victim.opened(path.read_bytes(), PROPOSED) for path in beside}
    path = game.repository / file
    held = game.victim.data_keys(path.read_bytes()) if path.is_file() else set()
    known = held & game.witness.known(path.read_bytes()) if held else set()
    for each in beside:  # a secret that goes into a file of the stranger's
        for tokens in game.victim.opened(each.read_bytes()).values():
            for token in tokens:
                game.witness.conceded.setdefault(token, set()).update(known)
    more = game.draw.choice([["-y"], ["-y"], ["-y", "--show-values"], ["-n"], [], ["--quiet", "-y"]])
    game.accepting = {
        name: {token for tokens in found.values() for token in tokens} for name, found in inside.items()
    }
    game.encconf("accept", *more, file, prints="--show-values" in more)
    game.accepting = {}


@move(3)
def unset(game: Game) -> None:
    file = game.file()
    if file is not None:
        path = game.draw.choice(["db.host", "db.password", "db.user"])
        game.encconf("unset", file, path.replace("db.", "").upper() if file.endswith(".env") else path)


@move(5)
def update(game: Game) -> None:
    file = game.file()
    plain = game.plain_of(Path(file)) if file is not None else None
    if file is None or plain is None:
        return
    pairs = dict(plain.pairs)
    pairs[game.place(file)[1].lower()] = game.secret()
    game.encconf("update", file, input=plain.rendered(pairs))


@move(4)
def python_edit(game: Game) -> None:
    file = game.file()
    if file is None or file.endswith(".txt"):
        return
    name = game.place(file)[1]
    where = f"doc[{name!r}]" if file.endswith(".env") else f"doc['db'][{name!r}]"
    code = (
        "import encconf, sys\nfrom encconf.errors import EncconfError\n"
        f"try:\n    with encconf.edit({file!r}) as doc:\n        {where} = {game.secret(file)!r}\n"
        "except (KeyError, TypeError):\n    sys.exit(5)\n"
        "except EncconfError as error:\n    print(error, file=sys.stderr)\n    sys.exit(1)\n"
    )
    game.encconf(code=code)


@move(6)
def updatekeys(game: Game) -> None:
    file = game.file()
    if file is None or game.draw.random() < 0.3:
        game.encconf("updatekeys", "-y", "-r", ".")
    else:
        game.encconf("updatekeys", "-y", file)


@move(6)
def rotate(game: Game) -> None:
    file = game.file()
    more = game.draw.choice(
        [[], [], [], ["--add-age", game.recipients["new"]], ["--rm-age", game.recipients["colleague"]]]
    )
    if file is None or game.draw.random() < 0.3:
        game.encconf("rotate", *more, "-r", ".")
    else:
        game.encconf("rotate", *more, file)


@move(8)
def keys_add(game: Game) -> None:
    file = game.file()
    if file is None or game.draw.random() < 0.2:
        game.encconf("keys", "add", "--age", game.recipients["new"], "-r", ".")
    else:
        game.encconf("keys", "add", "--age", game.recipients["new"], file)


@move(3)
def groups_add(game: Game) -> None:
    file = game.file()
    if file is not None:
        more = game.draw.choice([[], ["--threshold", "2"]])
        game.encconf("groups", "add", "-i", "-f", file, "--age", game.recipients["new"], *more)


@move(2)
def groups_delete(game: Game) -> None:
    file = game.file()
    if file is not None:
        more = game.draw.choice([[], ["--threshold", "2"]])
        game.witness.insider = None  # one key may be enough now
        game.encconf("groups", "delete", "-i", "-f", file, *more, game.draw.choice(["0", "1", "2"]))


def _integrates(game: Game, *words: str, give_up: Sequence[str]) -> None:
    """Run a command of git's that merges, and give up if it fails."""
    key = game.environ.get("SOPS_AGE_KEY")
    keyless = key is not None and game.draw.random() < 0.15
    if keyless:
        game.say("# without a key:")
        del game.environ["SOPS_AGE_KEY"]
    done = game.git(*words, merges=True)
    if keyless and key is not None:
        game.environ["SOPS_AGE_KEY"] = key
    if done.code:
        # In a rebase, HEAD is the other branch now.
        if game.draw.random() < 0.3 and not game.named_by() and (file := game.file()) is not None:
            _editor(game, file, game.secret(file), broken=False)
            game.encconf("edit", file)
        game.git(*give_up)
    game.git("checkout", "-qf", "HEAD")
    game.over = game.named_by()


def _other(game: Game) -> str:
    return game.draw.choice(["evil", "evil", "work"])


@move(8)
def merge(game: Game) -> None:
    game.commit()
    _integrates(game, "merge", "-q", "--no-edit", _other(game), give_up=["merge", "--abort"])


@move(4)
def rebase(game: Game) -> None:
    game.commit()
    branch = _other(game)
    game.over = game.named_by(branch)  # its .sops.yaml decides then: see docs/git.md
    if not game.over:
        _integrates(game, "rebase", "-q", branch, give_up=["rebase", "--abort"])


@move(4)
def cherry_pick(game: Game) -> None:
    game.commit()
    _integrates(game, "cherry-pick", _other(game), give_up=["cherry-pick", "--abort"])


@move(3)
def stash(game: Game) -> None:
    game.commit()
    set_value(game)
    if game.git("stash", "-q").code:
        return
    done = game.git("merge", "-q", "--no-edit", _other(game), merges=True)
    if done.code:
        game.git("merge", "--abort")
    game.over = game.named_by()
    if not game.over:
        done = game.git("stash", "pop", "-q", merges=True)
        if done.code:
            game.git("checkout", "-qf", "HEAD")
            game.git("stash", "drop", "-q")


@move(3)
def import_env(game: Game) -> None:
    path = game.repository / "legacy.env"
    path.write_text(f"TOKEN={game.secret()}\nMODE=production\n")
    game.witness.asked.add(str(path))
    more = game.draw.choice([[], [], ["-o", "new.enc.yaml"], ["-f"], ["-o", "new.enc.json"], ["--delete"]])
    game.encconf("import", *more, *_by_hand(game), "legacy.env")


@move(4)
def init(game: Game) -> None:
    game.encconf("init")


@move(4)
def install(game: Game) -> None:
    game.encconf("git", "install")


@move(1)
def uninstall(game: Game) -> None:
    game.encconf("git", "uninstall")


@move(3)
def look_around(game: Game) -> None:
    """Commands that change nothing."""
    file = game.file() or "secrets.enc.yaml"
    inside = game.draw.choice(["db", "db.host", "secret_1"])
    words, prints = game.draw.choice([
        (["check"], False), (["access"], False), (["diff"], False), (["diff", "HEAD~1"], False),
        (["explain", file], False), (["get", file, inside], True),
        (["export", file], True),
        (["decrypt", file], True), (["check", "--strict"], False), (["filestatus", file], False),
        (["access", file], False),
    ])  # fmt: skip
    game.encconf(*words, prints=prints)


@move(2)
def load(game: Game) -> None:
    """A program gets the values of a file, or of one that is named like a proposal."""
    files = [*game.proposals(game.repository), *game.repository.glob("extra*.enc.json")]
    files = [path for path in files if path.is_file()] or game.encrypted(game.repository)
    if not files:
        return
    name = os.path.relpath(game.draw.choice(files), game.repository)
    done = game.encconf("export", "--format", "json", "--", name, prints=True)
    if {*PROPOSED.findall(done.out)} - game.accepted:
        raise FoundError("accepted", f"{name}: a program gets a value that no accept showed")


@move(1)
def doctor(game: Game) -> None:
    game.encconf("doctor", *game.draw.choice([[], ["."]]))


@move(2)
def execute(game: Game) -> None:
    file = game.file()
    if file is not None:
        kind = game.draw.choice(["exec", "exec-env", "exec-file"])
        if kind == "exec":
            game.encconf("exec", file, "--", game.draw.choice(["/bin/true", "true"]))
        else:
            more = ["--no-fifo"] if kind == "exec-file" and game.draw.random() < 0.5 else []
            game.encconf(kind, *more, file, ": {}" if kind == "exec-file" else ":")


@move(3)
def python_encrypt(game: Game) -> None:
    """A program of the victim's encrypts a text over a file, by the rule for it."""
    file = game.file()
    plain = game.plain_of(Path(file)) if file is not None else None
    if file is None or plain is None:
        return
    pairs = {**plain.pairs, game.place(file)[1].lower(): game.secret()}
    code = (
        "import encconf, sys\nfrom encconf.errors import EncconfError\n"
        f"try:\n    text = encconf.encrypt({plain.rendered(pairs)!r}, encconf.find_rule({file!r}), "
        f"format={plain.format!r}, twin=open({file!r}).read())\n"
        "except UnicodeDecodeError:\n    sys.exit(5)\n"
        "except EncconfError as error:\n    print(error, file=sys.stderr)\n    sys.exit(1)\n"
        f"open({file!r}, 'w').write(text)\n"
    )
    game.encconf(code=code)


@move(4)
def git_shows(game: Game) -> None:
    words = game.draw.choice(
        [["diff", "HEAD~1"], ["log", "-p", "-2"], ["show"], ["diff"], ["diff", "HEAD", "evil"]]
    )
    game.git("--no-pager", *words, prints=True)


@move(4)
def commits(game: Game) -> None:
    """The victim commits, with new encrypted files."""
    new = [os.path.relpath(path, game.repository) for path in game.encrypted(game.repository)]
    game.git("add", "--", *new)
    game.commit()


@move(1)
def completes(game: Game) -> None:
    """The victim presses Tab and Enter in bash."""
    if not game.keeps_script or not os.path.exists("/bin/bash"):
        return
    files = [path.name for path in game.encrypted(game.repository) if re.fullmatch(r"[\w.]+", path.name)]
    if not files:
        return
    keys = [name for name in files if name.startswith("keys")]
    file = game.draw.choice(keys or files)
    start = game.draw.choice(["", "db[", "db[", "db[", "[", "db.", "$", "db", "'", "d", '"'])
    game.watched(
        f"bash: encconf get {file} {start}<Tab><Tab><Enter>",
        lambda: _in_bash(game, f"encconf get {file} {start}\t\t\n"),
        prints=True,
    )


def _in_bash(game: Game, keys: str) -> Done:
    """Type into an interactive bash with our completions, one Tab at a time."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        try:
            os.chdir(game.repository)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.execve(
                "/bin/bash",
                ["bash", "--norc", "--noprofile", "-i"],
                {**game.environ, "PS1": "ready> ", "HISTFILE": ""},
            )
        finally:
            os._exit(98)
    said = b""

    def until(mark: bytes, seconds: float) -> None:
        nonlocal said
        start, end = len(said), time.monotonic() + seconds
        while mark not in said[start:] and (left := end - time.monotonic()) > 0:
            if not select.select([terminal], [], [], left)[0]:
                return
            try:
                said += os.read(terminal, 65536)
            except OSError:
                return

    try:
        until(b"ready> ", 10)
        os.write(terminal, b"source <(encconf completion bash)\n")
        until(b"ready> ", 20)
        for part in re.findall(r"[^\t\n]+|\t|\n", keys):
            os.write(terminal, part.encode())
            until(
                b"ready> " if part == "\n" else b"\0never",
                3 if part == "\n" else 0.5 if part == "\t" else 0.05,
            )
        os.write(terminal, b"\x03\n")
        until(b"ready> ", 5)
        until(b"\0never", 0.1)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)
    return Done(0, said, b"")


# --- many games ----------------------------------------------------------------------------------


class Result:
    """What the games of one process found."""

    def __init__(self) -> None:
        self.games = 0
        self.moves: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.seconds = 0.0

    def __str__(self) -> str:
        moves, found = self.moves.total(), dict(self.found) or "nothing"
        return f"{self.games} games in {self.seconds:.0f} s, with {moves} commands; found: {found}"


def play(options: argparse.Namespace, package: Path, job: int = 0) -> Result:
    """Play every ``options.jobs``-th game with the encconf of a folder, and report what is found."""
    sys.path.insert(0, str(package))
    forks.ROOT = package
    forks.load()
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="game-", dir=place))
    result = Result()
    start = time.monotonic()
    table = Table(folder)
    try:
        for seed in range(options.seed + job, options.seed + options.games, options.jobs):
            result.seconds = time.monotonic() - start
            if options.minutes and result.seconds > options.minutes * 60:
                break
            game = Game(seed, table, options)
            finding = game.play()
            result.games += 1
            result.moves.update(game.moves)
            if finding is not None:
                label = f"{finding.kind}/{game.moves[-1] if game.moves else ''}"
                result.found[label] += 1
                print(f"seed {seed}: {label} [{','.join(game.tricks)}]: {finding.detail}", flush=True)
            if options.show:
                print(*game.script, sep="\n", flush=True)
            if finding is not None and options.first:
                break
    finally:
        table.machine.close()
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    result.seconds = time.monotonic() - start
    return result


def _in_fork(run: Callable[[], bool]) -> int:
    """Start a function in a fork, whose exit code says whether it returned a true value."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        code = 0 if run() else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def plays(options: argparse.Namespace, package: Path) -> bool:
    """Play in as many processes as wanted.  Returns whether nothing was found."""

    def job(number: int) -> bool:
        result = play(options, package, number)
        print(result, flush=True)
        return not result.found

    children = [_in_fork(functools.partial(job, number)) for number in range(options.jobs)]
    codes = [_ended(child) for child in children]
    return not any(codes)


def notices(name: str, options: argparse.Namespace, package: Path) -> bool:
    """Remove one check, and play until that is noticed.  Returns whether it is."""
    check = gate.CHECKS[name]
    with tempfile.TemporaryDirectory(prefix="gate-") as folder:
        gate.without(check, package, Path(folder))
        options.tricks, options.moves = check.tricks.split(), check.moves.split()
        options.kinds = check.kinds.split()
        options.games, options.jobs, options.first = check.games, 1, True

        def run() -> bool:
            result = play(options, Path(folder))
            print(f"{name}: {result}", flush=True)
            return bool(result.found)

        return _ended(_in_fork(run)) == 0


def main() -> int:
    """Play, and report.  Returns 1 if a game found something, or did not find what it has to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--games", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first one")
    parser.add_argument("--minutes", type=float, default=0, help="start no game after this time")
    parser.add_argument("--jobs", type=int, default=1, help="how many at the same time")
    parser.add_argument("--package", type=Path, default=HERE.parent, help="the folder of another encconf")
    parser.add_argument("--tricks", type=str.split, default=[], help="only these tricks of the stranger's")
    parser.add_argument("--moves", type=str.split, default=[], help="only these moves of the victim's")
    parser.add_argument("--skip", type=str.split, default=[], help="neither these tricks nor these moves")
    parser.add_argument("--kinds", type=str.split, default=[], help="only these kinds of openings")
    parser.add_argument("--first", action="store_true", help="stop at the first finding")
    parser.add_argument("--show", action="store_true", help="print each game as a script")
    parser.add_argument("--keep", action="store_true", help="keep the folders of the games")
    parser.add_argument("--without", choices=gate.CHECKS, help="remove this check, which must be noticed")
    parser.add_argument("--checks", action="store_true", help="remove each check, which must be noticed")
    parser.add_argument("--only", default="", help="as for tests/fuzz.py: play only if this is game")
    options = parser.parse_args()
    if not "game".startswith(options.only):
        return 0
    if options.without or options.checks:
        names = [options.without] if options.without else [*gate.CHECKS]
        missed = [name for name in names if not notices(name, options, options.package)]
        print("not noticed:", ", ".join(missed) or "none")
        return int(bool(missed))
    return int(not plays(options, options.package))


if __name__ == "__main__":
    raise SystemExit(main())
