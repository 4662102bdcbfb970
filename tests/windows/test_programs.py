"""How Windows finds and starts programs, how they end, and which ones never run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project import ROOT, Project

from encconf.io import programs
from encconf.verbs.execute import Options, run

SYSTEM = Path(os.environ["SYSTEMROOT"], "System32")

ODD = [
    *("plain", "two words", "", 'a "quoted" word', "^caret^", "a&whoami", "x|y", "<in>", "&", ">out"),
    *("back\\", "C:\\a b\\", "!bang!", "semi;colon", "a,b", "höst-日本", "(x)", "'", 'a\\"b'),
]

"""Arguments that cmd could change or run.  (Wine's cmd expands a % that Windows's leaves alone.)"""


@pytest.fixture
def app(project: Project) -> Project:
    project.rules()
    project.write("s.yaml", "password: hunter2 and more\nport: 1\n")
    project.run("encrypt", "-o", "s.enc.yaml", "s.yaml")
    project.path("tools").mkdir()
    project.environ["PATH"] = f"{project.path('tools')};{SYSTEM}"
    return project


def python(code: str) -> list[str]:
    return ["exec", "s.enc.yaml", "--", sys.executable, "-c", code]


class TestExec:
    def test_a_program_gets_the_values(self, app: Project) -> None:
        code = "import os; print(os.environ['PASSWORD'], 'SOPS_AGE_KEY' in os.environ)"
        assert app.run(*python(code)).out == "hunter2 and more False\r\n"
        pristine = [*python("import random, os; print(os.environ['PORT'])")]
        assert app.run(pristine[0], "--pristine", *pristine[1:]).out == "1\r\n"

    @pytest.mark.parametrize("code", [0, 7, 255, 1 << 31, 0xC0000005])
    def test_every_exit_code(self, app: Project, code: int) -> None:
        ending = f"import ctypes; ctypes.WinDLL('kernel32').ExitProcess({code})"
        app.run(*python(ending), code=code)

    def test_a_batch_file_is_found_and_gets_its_arguments(self, app: Project) -> None:
        show = app.write("show.py", "import sys; print(ascii(sys.argv[1:]))")
        app.write("tools/npm.cmd", f'@"{sys.executable}" "{show}" %*\r\n')
        line = app.run("exec", "s.enc.yaml", "--", "npm", *ODD).out
        assert line.strip() == ascii(ODD)
        refused = app.run("exec", "s.enc.yaml", "--", "npm", "a\nwhoami", code=127).err
        assert "line break" in refused

    def test_no_program(self, app: Project) -> None:
        assert "not found" in app.run("exec", "s.enc.yaml", "--", "none-such", code=127).err
        assert "not found" in app.run("exec", "--redact", "s.enc.yaml", "--", "none-such", code=127).err

    def test_ctrl_c_is_for_the_program(self, app: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """The program decides how it ends; encconf waits for that."""
        monkeypatch.chdir(app.folder)
        monkeypatch.setenv("SOPS_AGE_KEY", app.key.identity)
        from encconf.cli.console import Console

        code = "import time; open('started', 'w').close(); time.sleep(3); raise SystemExit(42)"
        argv = [sys.executable, "-c", code]

        def interrupt(number: int) -> None:
            wait_for(app.path("started").exists)
            signal.raise_signal(number)

        for number in (signal.SIGINT, signal.SIGBREAK):  # type: ignore[attr-defined]
            app.path("started").unlink(missing_ok=True)
            threading.Thread(target=interrupt, args=[number]).start()
            with pytest.raises(SystemExit) as ended:
                run(Options(file=["s.enc.yaml"], argv=argv), Console())
            assert ended.value.code == 42

    def test_redact(self, app: Project) -> None:
        code = (
            "import os, sys; print('pw', os.environ['PASSWORD']); sys.stdout.flush(); "
            "print(os.environ['PASSWORD'], file=sys.stderr); sys.stdout.write('x' * 300000); sys.exit(3)"
        )
        words = python(code)
        done = app.run(words[0], "--redact", *words[1:], code=3)
        assert done.out == "pw **********\r\n" + "x" * 300000
        assert done.err.endswith("**********\n")

    @pytest.mark.parametrize("options", [(), ("--redact",)])
    def test_a_kill_ends_the_program_too(self, app: Project, options: tuple[str, ...]) -> None:
        """The program and what it has started hold the file open until they end."""
        child = "import time; held = open('held', 'w'); open('ready', 'w').close(); time.sleep(180)"
        code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        words = [*options, "s.enc.yaml", "--", sys.executable, "-c", code]
        with app.popen("exec", *words, stdin=subprocess.DEVNULL) as process:
            wait_for(app.path("ready").exists)
            with pytest.raises(PermissionError):
                app.path("held").unlink()
            process.kill()
        wait_for(lambda: not is_held(app.path("held")))

    def test_what_a_program_leaves_in_the_background_goes_on(self, app: Project) -> None:
        child = (
            "import os, time\n"
            "for _ in range(600):\n time.sleep(0.1)\n if os.path.exists('go'): break\n"
            "open('done', 'w').close()"
        )
        starts = f"subprocess.Popen([sys.executable, '-c', {child!r}], stdin=-3, stdout=-3, stderr=-3)"
        app.run(*python(f"import subprocess, sys; {starts}"))
        app.write("go", "")
        wait_for(app.path("done").exists)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_held(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return True
    return False


class TestAsSops:
    def test_a_command_runs_in_cmd_as_it_is(self, app: Project) -> None:
        show = app.write("show.py", "import os, sys; print(sys.argv[1:], os.environ['password'], flush=True)")
        command = f'"{sys.executable}" "{show}" "a b" c && echo "done" %password% && exit 5'
        done = app.run("exec-env", "s.enc.yaml", command, code=5)
        assert done.out == "['a b', 'c'] hunter2 and more\r\n\"done\" hunter2 and more \r\n"

    def test_a_file_for_a_command(self, app: Project) -> None:
        done = app.run("exec-file", "s.enc.yaml", 'type "{}" & exit 6', code=6)
        assert done.out == "password: hunter2 and more\nport: 1\n"
        assert [name for name in os.listdir(os.environ["TEMP"]) if name.startswith("encconf-")] == []

    def test_another_user(self, app: Project) -> None:
        for verb in ("exec-env", "exec-file"):
            said = app.run(verb, "--user", "other", "s.enc.yaml", "echo {}", code=1).err
            assert "--user is not available on Windows" in said


def test_no_program_of_the_current_folder_runs(app: Project) -> None:
    """A copy of a program in the project, under the names that encconf starts."""
    for name in ("git", "gpg", "npm", "notepad"):
        shutil.copy(SYSTEM / "whoami.exe", app.path(f"{name}.exe"))
        app.write(f"{name}.bat", "echo planted > planted\r\n")
    app.environ["PATH"] = f".;{SYSTEM}"
    app.run("check")
    app.run("encrypt", "--pgp", "0" * 40, "-o", "x.enc.yaml", "s.yaml", code=1)
    assert "not found" in app.run("exec", "s.enc.yaml", "--", "npm", code=127).err
    environ = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": "gpg"}
    app.run("set", "s.enc.yaml", "port", "2", environ=environ, code=128)
    assert "planted" not in app.names()


def test_encconf_imports_nothing_from_the_current_folder(app: Project) -> None:
    words = programs.own_command()
    assert words == [sys.executable, "-P", "-m", "encconf"]
    app.write("pyrage.py", "raise SystemExit('planted')")
    done = subprocess.run(
        [*words, "decrypt", "s.enc.yaml"],
        cwd=app.folder,
        env={**app.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"password: hunter2 and more\nport: 1\n")


def test_a_command_line_keeps_its_backslashes(app: Project) -> None:
    app.write("tools/key.cmd", f"@echo {app.key.identity}\r\n")
    command = str(app.path("tools/key.cmd"))
    for line in (command, f'"{command}" unused', "key"):
        environ = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": line}
        assert "hunter2" in app.run("decrypt", "s.enc.yaml", environ=environ).out
