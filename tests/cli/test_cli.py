"""What all commands share: messages, colours, codes, and how little is loaded at the start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from project import PLAIN, Project, after

from encconf.cli import console
from encconf.errors import ChangedError

from .terminal import Terminal, screen

ROOT = Path(__file__).resolve().parents[2]

HEAVY = {
    *("argparse", "click", "dataclasses", "inspect", "logging"),
    *("pathlib", "subprocess", "tempfile"),
}


class TestStart:
    def loaded(self, project: Project, *args: str, code: int = 0) -> set[str]:
        """The modules that a command line loads."""
        script = (
            "import sys; before = set(sys.modules); from encconf.cli import main; code = main(sys.argv[1:])\n"
            "print(*sorted(set(sys.modules) - before), sep='\\n', file=open('modules', 'w')); sys.exit(code)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, *args],
            cwd=project.folder,
            env=project.environ,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done
        return set(project.read("modules").split())

    def test_ordinary_commands_load_nothing_heavy(self, sealed: Project) -> None:
        sealed.git("init", "-q")
        editor = sealed.editor('sed -i s/hunter2/hunter3/ "$1"')
        sealed.environ.update(editor)
        for args in (
            ["decrypt", "secrets.enc.yaml"],
            ["decrypt", "-o", "plain.yaml", "secrets.enc.yaml"],
            ["encrypt", "secrets.yaml"],
            ["encrypt", "-i", "secrets.yaml"],
            ["edit", "secrets.enc.yaml"],
            ["git", "textconv", "secrets.enc.yaml"],
        ):
            modules = self.loaded(sealed, *args)
            assert not modules.intersection(HEAVY), args
        sealed.environ["EDITOR"] = "true"
        assert not self.loaded(sealed, "edit", "secrets.enc.yaml", code=200).intersection(HEAVY)

    @pytest.mark.parametrize("args", [["--version"], ["-v"], ["version"], ["help", "environment"]])
    def test_the_version_loads_next_to_nothing(self, project: Project, args: list[str]) -> None:
        modules = self.loaded(project, *args)
        assert not modules.intersection({*HEAVY, "re", "typing", "enum", "signal", "json"})
        own = {"cli", "cli.console", "cli.command", "cli.parser", "cli.table", "errors", "io", "io.fileio"}
        own |= {"cli.commands", "cli.commands.help"}
        own |= {"io.descriptors", "identities", "identities.stored", "keys", "record"}
        own |= {"text", "text.printable", "text.words"}
        found = {name.removeprefix("encconf.") for name in modules if name.startswith("encconf.")}
        assert found <= own


class TestColour:
    @pytest.mark.parametrize(
        ("mode", "environ", "wanted"),
        [
            (None, {}, False),  # no terminal here
            ("auto", {}, False),
            ("always", {"NO_COLOR": "1"}, True),
            ("never", {"FORCE_COLOR": "1"}, False),
            (None, {"FORCE_COLOR": "1"}, True),
            (None, {"CLICOLOR_FORCE": "1"}, True),
            (None, {"CLICOLOR_FORCE": "0"}, False),
            (None, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
            (None, {"NO_COLOR": "", "FORCE_COLOR": "1"}, True),
        ],
    )
    def test_without_a_terminal(self, mode: str | None, environ: dict[str, str], wanted: bool) -> None:
        reading, writing = os.pipe()
        try:
            assert console.wants_color(mode, writing, environ) is wanted
        finally:
            os.close(reading)
            os.close(writing)

    @pytest.mark.parametrize(
        ("environ", "wanted"),
        [({}, True), ({"TERM": "dumb"}, False), ({"CLICOLOR": "0"}, False), ({"NO_COLOR": "1"}, False)],
    )
    def test_on_a_terminal(self, environ: dict[str, str], wanted: bool) -> None:
        master, slave = os.openpty()
        try:
            assert console.wants_color(None, slave, environ) is wanted
        finally:
            os.close(master)
            os.close(slave)

    def test_messages_only(self, sealed: Project) -> None:
        done = sealed.run("decrypt", "secrets.enc.yaml", "--color", "always")
        assert done.out == PLAIN
        for args in (["--color", "always", "decrypt", "x"], ["decrypt", "--color=always", "x"]):
            assert "\x1b[1;31merror[" in sealed.run(*args, code=100).err
        done = sealed.run("decrypt", "x", environ={"ENCCONF_COLOR": "always"}, code=100)
        assert "\x1b" in done.err
        done = sealed.run("decrypt", "x", environ={"ENCCONF_COLOR": "purple"}, code=1)
        assert "ENCCONF_COLOR must be one of: auto, always, never" in done.err


_BUG = """
import sys
from encconf import cli
from encconf.engine import opening
def open_text(*args, **options):
    secret = "hunter2"
    raise KIND(f"cannot handle {secret}")
opening.open_text = open_text
sys.exit(cli.main(["decrypt", "secrets.enc.yaml"]))
"""


class TestWaysOut:
    def test_a_bug_shows_its_place_and_no_value(self, sealed: Project) -> None:
        for debug in ("", "1"):
            done = subprocess.run(
                [sys.executable, "-c", _BUG.replace("KIND", "ValueError")],
                cwd=sealed.folder,
                env={**sealed.environ, "ENCCONF_DEBUG": debug},
                capture_output=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 1
            assert b"encconf: error[internal]: unexpected ValueError in <string>:7 (open_text)" in done.stderr
            assert (b"hunter2" in done.stderr) == (b"Traceback" in done.stderr) == (debug == "1")

    @pytest.mark.parametrize(("kind", "code"), [("KeyboardInterrupt", 130), ("BrokenPipeError", 141)])
    def test_interrupts_and_broken_pipes_print_nothing(self, sealed: Project, kind: str, code: int) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _BUG.replace("KIND", kind)],
            cwd=sealed.folder,
            env=sealed.environ,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")

    def test_ctrl_c_while_waiting_for_input(self, project: Project) -> None:
        pipe = project.path("x.yaml")
        os.mkfifo(pipe)
        process = project.popen("decrypt", "x.yaml", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        writing = os.open(pipe, os.O_WRONLY)  # returns when encconf has opened it
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        os.close(writing)
        assert (process.returncode, out, err) == (130, b"", b"")

    @pytest.mark.parametrize("args", [[], ["check"], ["diff"], ["decrypt", "secrets.enc.yaml"]])
    def test_a_folder_that_is_gone(self, project: Project, args: list[str]) -> None:
        gone = after("mkdir gone && cd gone && rmdir ../gone")
        process = project.popen(*args, before=gone, stderr=subprocess.PIPE, environ={})
        err = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 2
        assert "error[unreadable]: the current folder no longer exists\n" in err

    def test_no_file_on_a_terminal(self, project: Project) -> None:
        master, slave = os.openpty()
        process = project.popen("decrypt", stdin=slave, stderr=subprocess.PIPE)
        os.close(slave)
        _, err = process.communicate(timeout=20)
        os.close(master)
        assert process.returncode == 100
        assert b"no file was given" in err

    def test_an_empty_name_is_not_the_current_folder(self, sealed: Project) -> None:
        for words in (["decrypt"], ["set", "", "a", "1"], ["rotate", "secrets.enc.yaml"], ["explain"]):
            done = sealed.run(*words, *([] if "" in words else [""]), code=100)
            assert "]: the name of a file is empty\n" in done.err
        assert "wrote" in sealed.run("set", "secrets.enc.yaml", "a", "").err

    @pytest.mark.parametrize(
        "words",
        [
            ["rotate", "--rm-age", ""],
            ["rotate", "--rm-age", ", "],
            ["rotate", "--checklist", ""],
            ["encrypt", "-i", "--age", ""],
            ["check", "--config", ""],
            ["access", "--people="],
        ],
    )
    def test_an_empty_value_is_not_ignored(self, sealed: Project, words: list[str]) -> None:
        before = sealed.read("secrets.enc.yaml")
        done = sealed.run(*words, "secrets.enc.yaml", code=1)
        assert " has an empty value\n" in done.err
        assert sealed.read("secrets.enc.yaml") == before
        sealed.run("exec", "secrets.enc.yaml", "--prefix", "", "--", "true")

    def test_a_message_has_its_parts(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = console.Console("never")
        said.error(ChangedError("it is odd\nin two lines", hint="do this").about("a\x07\u202eb"))
        said.warn("careful", hint="that")
        assert capsys.readouterr().err == (
            "encconf: error[changed]: a\\x07\\u202eb: it is odd\n  in two lines\nencconf: hint: do this\n"
            "encconf: warning: careful\nencconf: hint: that\n"
        )


class TestNotUtf8:
    """F7: words that are not UTF-8, a full disk, and a Python that is made to take another encoding."""

    MODES = (
        {},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"},
    )

    def run(self, project: Project, mode: dict[str, str], *words: str | bytes) -> tuple[int, bytes, str]:
        done = subprocess.run(
            [sys.executable, "-m", "encconf", *words],
            cwd=project.folder,
            env={**project.environ, **mode},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        said = done.stderr.decode(errors="replace")
        assert "internal" not in said
        assert "Traceback" not in said
        return done.returncode, done.stdout, said

    @pytest.mark.parametrize("mode", MODES, ids=str)
    def test_what_is_not_utf8_is_refused(self, sealed: Project, mode: dict[str, str]) -> None:
        file = "secrets.enc.yaml"
        for words in (
            *(("set", file, "k", b"a\xff"), ("set", file, b"k\xff", "a"), ("get", file, b"k\xff")),
            *(("unset", file, b"k\xff"), ("encrypt", "--age", b"age1\xff", "secrets.yaml")),
            ("encrypt", "--encrypted-regex", b"\xff", "secrets.yaml"),
            ("set", "--idempotent", file, '["k"]', b'"a\xff"'),  # a line of sops's
        ):
            code, _, said = self.run(sealed, mode, *words)
            assert code == 1
            assert "not UTF-8" in said
        for words in (
            ("decrypt", b"\xff.yaml"),
            ("explain", b"\xff.yaml"),
            ("check", b"\xff.yaml"),
            ("diff", b"\xff", file),
        ):
            self.run(sealed, mode, *words)

    @pytest.mark.parametrize("mode", MODES, ids=str)
    def test_utf8_is_utf8_in_any_locale(self, sealed: Project, mode: dict[str, str]) -> None:
        assert self.run(sealed, mode, "set", "secrets.enc.yaml", "kläf", "é\u20ac")[0] == 0
        assert self.run(sealed, mode, "get", "secrets.enc.yaml", "kläf")[:2] == (0, "é\u20ac".encode())
        os.rename(sealed.path("secrets.enc.yaml"), os.fsencode(sealed.folder) + "/sécrets.enc.yaml".encode())
        code, out, _ = self.run(sealed, mode, "decrypt", "sécrets.enc.yaml".encode())
        assert (code, "kläf: é\u20ac\n".encode() in out) == (0, True)

    def test_a_full_disk(self, sealed: Project) -> None:
        for words in (
            *(["--help"], ["decrypt", "--help"], ["help"], ["help", "set"], ["--version"]),
            *(["decrypt", "secrets.enc.yaml"], ["completion", "bash"], ["check", "--format", "json"]),
        ):
            with open("/dev/full", "wb") as full:
                done = subprocess.run(
                    [sys.executable, "-m", "encconf", *words],
                    cwd=sealed.folder,
                    env=sealed.environ,
                    stdout=full,
                    stderr=subprocess.PIPE,
                    text=True,
                    timeout=60,
                    check=False,
                )
            assert done.returncode == 3, words
            assert "error[unwritable]: stdout: cannot be written" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "help environment",
        "help exit-codes",
        "help error",
        "help error no-key mac-mismatch",
        "nonsense",
        "encrypt --nonsense",
    ],
)
@pytest.mark.parametrize("width", [60, 80])
def test_what_is_said_fits_the_terminal_and_uses_it(width: int, words: str, project: Project) -> None:
    """In color, too: colors take no columns.  Only a word that is longer than its place may stick out."""
    terminal = Terminal(project, *words.split(), environ={"COLUMNS": str(width), "TERM": "xterm"})
    terminal.end()
    assert terminal.seen
    lines = screen(terminal.seen)
    assert max(map(len, lines)) <= width, max(lines, key=len)
    for line, following in pairwise(lines):
        if following.startswith("  ") and line.startswith("encconf: "):
            assert len(line) + 1 + len(following.split()[0]) > width


@pytest.mark.parametrize(("ended", "code"), [("143", 143), ("", 0), ("None", 0), ("'x'", 1)])
def test_the_interpreter_is_not_finalized_after_a_signal(ended: str, code: int) -> None:
    """It could abort because of the threads of a batch, and a core dump would have the data keys."""
    script = (
        "import atexit; from encconf import cli; atexit.register(print, 'finalized')\n"
        f"def main(): print('done'); raise SystemExit({ended})\n"
        "cli.main = main; cli.run()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (code, b"done\n"), done.stderr


def test_what_packages_say_about_old_versions_is_not_printed(project: Project, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    stub = "import warnings\nwarnings.warn('old', FutureWarning)\nraise ImportError(name='requests')\n"
    (packages / "requests.py").write_text(stub)
    project.write("a.yaml", "a: 1\n")
    path = os.pathsep.join((str(packages), project.environ["PYTHONPATH"]))
    words = ("encrypt", "--hc-vault-transit", "https://v.example/v1/transit/keys/k", "a.yaml")
    for options, said in (({}, False), ({"PYTHONWARNINGS": "default"}, True)):
        environ = {"PYTHONPATH": path, "VAULT_ADDR": "https://v.example", "VAULT_TOKEN": "t", **options}
        process = project.popen(*words, environ=environ, stderr=subprocess.PIPE)
        err = process.communicate(timeout=60)[1]
        assert b"Vault needs the package requests" in err
        assert (b"FutureWarning" in err) == said


@pytest.mark.services
def test_grpc_prints_nothing_of_its_own(project: Project) -> None:
    """A proxy that hangs up makes it print a line, unless a variable forbids it, which is not for others."""
    script = (
        "import os, socket, sys, threading; from encconf import cli\n"
        "def main():\n"
        "    assert 'GRPC_VERBOSITY' not in os.environ\n"
        "    import grpc\n"
        "    server = socket.create_server(('127.0.0.1', 0))\n"
        "    os.environ['https_proxy'] = f'http://127.0.0.1:{server.getsockname()[1]}'\n"
        "    channel = grpc.secure_channel('a.example:443', grpc.ssl_channel_credentials())\n"
        "    ready = grpc.channel_ready_future(channel)\n"
        "    server.accept()[0].close()\n"
        "    server.accept()  # it tries again, so that it has noticed\n"
        "    return 0\n"
        "if sys.argv[1] == 'run': cli.main = main; cli.run()\n"
        "main()"
    )
    for how, silent in (("run", True), ("import", False)):
        environ = {name: value for name, value in project.environ.items() if "proxy" not in name.lower()}
        done = subprocess.run(
            [sys.executable, "-c", script, how],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert (b"proxy" not in done.stderr) == silent
