"""Programs that encconf runs for itself: none of the current folder, and none gets a master key."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from project import Project

from encconf.io import programs

PGP = "0123456789ABCDEF0123456789ABCDEF01234567"


def program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_program_that_has_ended() -> None:
    environ = {"PATH": f".:{os.environ['PATH']}", "A": "b", "SECRET": "k"}
    script = ["sh", "-c", "cat; echo $A$SECRET; echo $PATH >&2; exit 3"]
    done = programs.run(script, environ, without=["SECRET"], data=b"x")
    assert (done.returncode, done.stdout, done.stderr.decode()) == (3, b"xb\n", f"{os.environ['PATH']}\n")
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run(["sleep", "20"], environ, timeout=0.1)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/usr/bin:/bin", "/usr/bin:/bin"),
        (".:/bin::bin:/usr/bin", "/bin:/usr/bin"),
        ("", "/nonexistent"),
        (".", "/nonexistent"),
    ],
)
def test_no_relative_folder_in_path(given: str, path: str) -> None:
    assert programs.environment({"PATH": given, "A": "1", "B": "2"}, without=["B"]) == {
        "PATH": path,
        "A": "1",
    }


def test_no_path_stays_none() -> None:
    assert programs.environment({"A": "1"}) == {"A": "1"}


def test_where_a_program_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = tmp_path / "bin" / "p", tmp_path / "p"
    program(there, "")
    program(here, "")
    (tmp_path / "bin" / "folder").mkdir()
    (tmp_path / "bin" / "text").write_text("no program")
    monkeypatch.chdir(tmp_path)
    environ = {"PATH": f":.:{tmp_path / 'empty'}:{there.parent}"}
    assert programs.find("p", environ) == str(there)
    assert programs.find("./p", environ) == str(here)
    assert [programs.find(name, environ) for name in ("folder", "text", "bin/folder", "q")] == [None] * 4
    assert programs.find("p", {"PATH": "."}) is None


@pytest.mark.parametrize("path", ["{}", ".:{}", ":{}"])
def test_no_git_of_the_current_folder(sealed: Project, path: str) -> None:
    sealed.git("init", "-q")
    program(sealed.path("git"), 'touch "$0.ran"')
    done = sealed.run("encrypt", "secrets.yaml", environ={"PATH": path.format(sealed.environ["PATH"])})
    assert "git.ran" not in sealed.names()
    assert "git" in done.err  # which knows that secrets.yaml would be committed


@pytest.mark.parametrize("path", ["", ".", ":"])
def test_no_gpg_and_no_key_command_of_the_current_folder(sealed: Project, path: str) -> None:
    for name in ("gpg", "keys"):
        program(sealed.path(name), 'touch "$0.ran"')
    environ = {"PATH": path}
    sealed.run("encrypt", "--pgp", PGP, "-o", "out.yaml", "secrets.yaml", environ=environ, code=1)
    # sops says: exec: "keys": cannot run executable found relative to current directory
    key = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": "keys"}
    said = sealed.run("decrypt", "secrets.enc.yaml", environ={**environ, **key}, code=128)
    assert "keys was not found" in said.err
    assert not [name for name in sealed.names() if name.endswith(".ran")]


def test_git_and_gpg_get_no_master_key(sealed: Project) -> None:
    """gpg leaves an agent behind, which would keep the key in its environment."""
    sealed.git("init", "-q")
    folder = sealed.home / "bin"
    for name in ("git", "gpg"):
        program(folder / name, f'env > "{sealed.home}/$(basename "$0").env"; exit 1')
    environ = {
        "PATH": f"{folder}:{sealed.environ['PATH']}",
        "VAULT_TOKEN": "t0ken-of-vault",
        "OTHER": "stays",
    }
    sealed.run("encrypt", "secrets.yaml", environ=environ)
    sealed.run("encrypt", "--pgp", PGP, "-o", "out.yaml", "secrets.yaml", environ=environ, code=1)
    for name in ("git", "gpg"):
        got = (sealed.home / f"{name}.env").read_text()
        assert "OTHER=stays" in got
        assert sealed.key.identity not in got
        assert "t0ken-of-vault" not in got


def test_which_variables_make_other_programs_run_something() -> None:
    for name in (
        *("PATH", "Path", "bash_env", "PYTHONPATH", "NODE_OPTIONS", "_JAVA_OPTIONS", "LD_PRELOAD", "GIT_SSH"),
        *("DYLD_INSERT_LIBRARIES", "npm_config_script_shell", "UV_INDEX", "BASH_FUNC_x%%", "OPENSSL_CONF"),
        *("PYTHONPYCACHEPREFIX", "KUBECONFIG", "AWS_PAGER", "TF_CLI_ARGS", "SOPS_AGE_KEY_CMD"),
        *(
            "LD_LIBRARY_PATH",
            "LD_LIBRARY_PATH_64",
            "LD_AUDIT",
            "LD_32_PRELOAD",
            "LD_ELF_HINTS_PATH",
            "LD_LIBMAP",
        ),
        *(
            "LESS",
            "GOPROXY",
            "MANPAGER",
            "ES_JAVA_OPTS",
            "GIT_ALLOW_PROTOCOL",
            "HELM_PLUGINS",
            "DOTNET_STARTUP_HOOKS",
        ),
        *("GIT_CONFIG_COUNT", "GIT_SSH_COMMAND", "GIT_SEQUENCE_EDITOR", "GIT_EXEC_PATH", "GIT_DIR"),
    ):
        assert programs.runs_code(name), name
    for name in (
        *("", "A", "PATHS", "MYPATH", "GIT", "LD", "LDAP_URL", "UVICORN_PORT", "HOME_PAGE", "ENVIRON"),
        *("LD_CLIENT_SIDE_ID", "LD_SDK_KEY", "UV_THREADPOOL_SIZE", "DOTNET_ENVIRONMENT", "CGO_ENABLED"),
        *("HELM_RELEASE", "HELM_NAMESPACE", "DENO_VERSION", "SOPS_VERSION", "ANSIBLE_HOST"),
        *("GIT_SHA", "GIT_COMMIT", "GIT_BRANCH", "GIT_AUTHOR_NAME", "GIT_REPO_URL"),  # of builds
    ):
        assert not programs.runs_code(name), name


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work tree with a program ``p`` in ``tree/bin``.  The current folder is ``tree/below``."""
    folder = tmp_path / "tree"
    (folder / ".git").mkdir(parents=True)
    (folder / "below").mkdir()
    program(folder / "bin" / "p", "")
    monkeypatch.chdir(folder / "below")
    return folder


def test_only_a_program_with_its_whole_name_and_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "tool", "")
    program(tmp_path / "other.EXE", "")
    monkeypatch.chdir(tmp_path)
    for path in (".", "", "./"):
        assert programs.find("tool", {"PATH": path}, anywhere=True) is None
    assert programs.find("tool", {"PATH": str(tmp_path)}) == str(tmp_path / "tool")
    assert programs.find("other", {"PATH": str(tmp_path)}) is None
    assert programs.missing("other", {"PATH": str(tmp_path)}) == (
        "other was not found",
        "install it, or add its folder to PATH",
    )
    assert programs.missing("./nowhere", {}) == ("./nowhere was not found", "correct its path")
    (tmp_path / "plain").write_text("")
    assert programs.missing("./plain", {})[0] == "./plain cannot be run: it is not an executable file"


class TestWorkTree:
    def test_its_programs_do_not_run(self, tree: Path, tmp_path: Path) -> None:
        program(tmp_path / "installed" / "p", "")
        environ = {
            "PATH": f"{tree}/bin:{tree}/below/../bin:{tmp_path}/installed",
            "HOME": str(tmp_path / "home"),
        }
        assert programs.find("p", environ) == f"{tmp_path}/installed/p"
        assert programs.find("p", environ, anywhere=True) == f"{tree}/bin/p"
        assert programs.environment(environ)["PATH"] == f"{tmp_path}/installed"
        with pytest.raises(FileNotFoundError, match="except in the work tree"):
            programs.run(["p"], {"PATH": f"{tree}/bin"})
        message, hint = programs.missing("p", {"PATH": f"{tree}/bin"})
        assert message == "p was not found, except in the work tree"
        assert f"{tree}/bin/p" in hint
        assert "elsewhere" in hint

    def test_links_into_it_and_out_of_it(self, tree: Path, tmp_path: Path) -> None:
        program(tmp_path / "outside" / "p", "")
        (tmp_path / "into").symlink_to(tree / "bin")
        (tree / "out").symlink_to(tmp_path / "outside")
        (tmp_path / "again").symlink_to(tree)
        for folder in (
            tmp_path / "into",
            tree / "out",
            tmp_path / "again" / "out",
            tmp_path / "again" / "bin",
        ):
            assert programs.find("p", {"PATH": str(folder)}) is None

    def test_of_a_submodule_and_a_linked_work_tree(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        module = tree / "below" / "module"
        module.mkdir()
        (module / ".git").write_text("gitdir: ../../.git/modules/module\n")
        program(module / "bin" / "q", "")
        monkeypatch.chdir(module)
        environ = {"PATH": f"{tree}/bin:{module}/bin"}
        assert programs.find("p", environ) is None
        assert programs.find("q", environ) is None

    def test_the_environment_of_the_running_python_is_trusted(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who can write there can replace encconf."""
        monkeypatch.setattr("sys.executable", str(tree / "bin" / "python"))
        assert programs.find("p", {"PATH": f"{tree}/bin"}) == f"{tree}/bin/p"
        (tree / ".venv").mkdir()
        program(tree / ".venv" / "bin" / "q", "")
        assert programs.find("q", {"PATH": f"{tree}/.venv/bin"}) is None

    def test_one_that_contains_your_home_is_trusted(self, tree: Path) -> None:
        for home in (tree, tree / "home"):
            for variable in ("HOME", "USERPROFILE"):
                assert programs.find("p", {"PATH": f"{tree}/bin", variable: str(home)}) == f"{tree}/bin/p"
            elsewhere = {"PATH": f"{tree}/bin", "HOME": f"{tree.parent}/other", "USERPROFILE": str(home)}
            assert programs.find("p", elsewhere) is None

    def test_another_one_is_trusted(self, tree: Path, tmp_path: Path) -> None:
        """pyenv and Homebrew are work trees."""
        (tmp_path / "other" / ".git").mkdir(parents=True)
        program(tmp_path / "other" / "bin" / "q", "")
        assert programs.find("q", {"PATH": f"{tmp_path}/other/bin"}) == f"{tmp_path}/other/bin/q"

    def test_no_git_gpg_key_command_or_editor_of_it(self, sealed: Project) -> None:
        sealed.git("init", "-q")
        names = ("git", "gpg", "keys", "vim", "ed1t", "systemd-creds")
        for name in names:
            program(sealed.path("bin") / name, f'touch "{sealed.home}/{name}.ran"; exit 1')
        environ = {"PATH": f"{sealed.path('bin')}:{sealed.environ['PATH']}"}
        sealed.run("encrypt", "secrets.yaml", environ=environ)
        sealed.git("add", "secrets.enc.yaml", ".sops.yaml")
        sealed.run("check", environ=environ)
        sealed.run("encrypt", "--pgp", PGP, "-o", "out.yaml", "secrets.yaml", environ=environ, code=1)
        key = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": "keys"}
        said = sealed.run("decrypt", "secrets.enc.yaml", environ={**environ, **key}, code=128).err
        assert "keys was not found, except in the work tree" in said
        source = {"SOPS_AGE_KEY": "", "ENCCONF_IDENTITY": "cmd:keys"}
        sealed.run("decrypt", "secrets.enc.yaml", environ={**environ, **source}, code=128)
        said = sealed.run("edit", "secrets.enc.yaml", environ={**environ, "EDITOR": "ed1t"}, code=201).err
        assert "ed1t was not found, except in the work tree" in said
        only = {"PATH": str(sealed.path("bin"))}
        sealed.run("edit", "secrets.enc.yaml", environ=only, code=201)
        assert [name for name in names if (sealed.home / f"{name}.ran").exists()] == []

    def test_what_you_name_with_its_folder_runs(self, sealed: Project) -> None:
        sealed.git("init", "-q")
        program(sealed.path("tools") / "key", f"echo {sealed.key.identity}")
        key = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": "./tools/key"}
        assert "hunter2" in sealed.run("decrypt", "secrets.enc.yaml", environ=key).out

    def test_exec_runs_what_you_name_as_a_shell_does_but_not_from_the_current_folder(
        self, sealed: Project
    ) -> None:
        sealed.git("init", "-q")
        program(sealed.path("bin") / "tool", "echo $db_password$DB_PASSWORD")
        program(sealed.path("here"), 'touch "$0.ran"')
        path = {"PATH": f"{sealed.path('bin')}:{sealed.environ['PATH']}"}
        assert "hunter2" in sealed.run("exec", "secrets.enc.yaml", "--", "tool", environ=path).out
        for wrong in (".", "", f":{sealed.environ['PATH']}"):
            sealed.run("exec", "secrets.enc.yaml", "--", "here", environ={"PATH": wrong}, code=127)
        assert "here.ran" not in sealed.names()


def test_what_a_library_would_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the first program of PATH, also in the current folder."""
    program(tmp_path / "tool", "")
    program(tmp_path / "bin" / "tool", "")
    monkeypatch.chdir(tmp_path)
    for path, first in ((f".:{tmp_path}/bin", False), (f"{tmp_path}/bin:.", True), ("/nowhere", True)):
        monkeypatch.setenv("PATH", path)
        assert programs.is_first("tool") is first, path


def test_a_library_in_python_gets_a_path_without_the_work_tree(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has started its program, or has failed."""
    usual = "/usr/bin:/bin"
    for path, wanted in ((f"{tree}/bin:{usual}", usual), (f".:{usual}", usual), (usual, usual)):
        monkeypatch.setenv("PATH", path)
        with programs.for_children():
            assert os.environ["PATH"] == wanted
            assert subprocess.run(["/bin/sh", "-c", "echo $PATH"], stdout=-1).stdout.decode() == f"{wanted}\n"
        assert os.environ["PATH"] == path
        with suppress(ValueError), programs.for_children():
            raise ValueError
        assert os.environ["PATH"] == path


@pytest.mark.parametrize("leaves", [False, True])
def test_a_library_in_c_gets_an_environment_of_its_own(monkeypatch: pytest.MonkeyPatch, leaves: bool) -> None:
    """Its PATH has no folder of the work tree, and a secret is not in it; Python's own stays as it is."""

    def of_c() -> list[str | None]:
        library = ctypes.CDLL(None)
        library.getenv.restype = ctypes.c_char_p
        values = [library.getenv(name.encode()) for name in ("PATH", "SECRET", "OTHER")]
        return [None if value is None else os.fsdecode(value) for value in values]

    path = f".:{os.environ['PATH']}"
    for name, value in (("PATH", path), ("SECRET", "k"), ("OTHER", "stays")):
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with suppress(KeyError), programs.for_libraries(os.environ, without=["SECRET", "UNSET"]):
        assert of_c() == [path[2:], None, "stays"]
        assert dict(os.environ) == before
        if leaves:
            raise KeyError
    assert of_c() == [path, "k", "stays"]
    with programs.for_libraries({"PATH": "", "SECRET": "other"}):
        assert of_c() == ["/nonexistent", "k", "stays"]
    with programs.for_libraries({}):
        assert of_c()[0] == os.defpath


def test_a_program_of_the_current_folder_is_named_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "p", "")
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "q", "")
    monkeypatch.chdir(tmp_path)
    program(tmp_path / "bin" / "p", "")
    cases = (("p", "", "./p"), ("p", ".", "./p"), ("q", "bin", "bin/q"), ("p", ":bin", "./p"))
    for name, path, shown in cases:
        message, hint = programs.missing(name, {"PATH": path})
        assert message == f"{name} was not found, except in the current folder"
        assert f"encconf does not run {shown}, since" in hint


def test_an_exe_beside_python_is_not_run_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    program(tmp_path / "bin" / "encconf.exe", "")
    assert programs.own_command() == [f"{tmp_path}/bin/python", "-P", "-m", "encconf"]
    program(tmp_path / "bin" / "encconf", "")
    assert programs.own_command() == [f"{tmp_path}/bin/encconf"]


def test_a_batch_file_is_an_ordinary_program_elsewhere() -> None:
    assert programs.command_line("/x/npm.cmd", ["a&b\n"]) == ["/x/npm.cmd", "a&b\n"]


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere-program was not found"):
        programs.start(["nowhere-program", str(tmp_path)], os.environ)
    (tmp_path / "text").touch()
    with pytest.raises(PermissionError):
        programs.start([str(tmp_path / "text"), "x"], os.environ)
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "missing")):
        programs.start([str(tmp_path / "missing"), "x"], os.environ)


def test_only_windows_needs_the_folder_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMROOT", "C:\\Windows")
    assert programs.environment({"A": "1"}) == {"A": "1"}


class TestWindows:
    """As Windows finds programs, with the endings of PATHEXT."""

    @pytest.fixture(autouse=True)
    def _windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.name", "nt")

    def test_a_program_has_an_ending(self, tmp_path: Path) -> None:
        for name in ("gpg.exe", "code.cmd", "gpg", "odd.txt"):
            program(tmp_path / "bin" / name, "")
        environ = {"PATH": str(tmp_path / "bin"), "PATHEXT": ".exe;.cmd"}
        assert programs.find("gpg", environ) == f"{tmp_path}/bin/gpg.exe"
        assert programs.find("code", environ) == f"{tmp_path}/bin/code.cmd"
        assert programs.find("code.CMD".lower(), environ) == f"{tmp_path}/bin/code.cmd"
        assert programs.find("odd.txt", environ) is None
        assert programs.find(f"{tmp_path}/bin/gpg", environ) == f"{tmp_path}/bin/gpg.exe"
        assert programs.find("odd.txt", {"PATH": environ["PATH"]}) == f"{tmp_path}/bin/odd.txt"

    def test_an_empty_ending_is_none(self, tmp_path: Path) -> None:
        program(tmp_path / "bin" / "gpg", "")
        for endings in (".exe;", ";;.exe", ""):
            assert programs.find("gpg", {"PATH": str(tmp_path / "bin"), "PATHEXT": endings}) is None, endings

    def test_none_of_the_current_folder_runs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """CreateProcess and shutil.which look there first."""
        program(tmp_path / "gpg.exe", "")
        monkeypatch.chdir(tmp_path)
        for path in ("", ".", "/nowhere"):
            assert programs.find("gpg", {"PATH": path, "PATHEXT": ".exe"}) is None

    def test_the_path_is_that_of_the_given_environment(self, tmp_path: Path) -> None:
        program(tmp_path / "bin" / "only-here.exe", "")
        assert programs.find("only-here", {"PATH": str(tmp_path / "bin"), "PATHEXT": ".exe"}) is not None
        assert programs.find("sh", {"PATH": str(tmp_path / "bin")}) is None

    def test_a_batch_file_gets_a_line_for_cmd(self) -> None:
        """The line is that of Rust's library: nothing in an argument is expanded or run."""
        words = ["a", "a b", "", 'say "hi"', "%PATH%", "a&b", "C:\\x\\", "x^y"]
        assert programs.batch_line("C:\\cmd.exe", "C:\\My Tools\\npm.cmd", words) == (
            r'"C:\cmd.exe" /e:ON /v:OFF /d /c ""C:\My Tools\npm.cmd" '
            r'a "a b" "" "say ""hi""" "%%cd:~,%PATH%%cd:~,%" "a&b" "C:\x\\" "x^y""'
        )
        assert programs.command_line("C:\\git.exe", ["a&b"]) == ["C:\\git.exe", "a&b"]
        line = programs.command_line("npm.CMD", ["x"])
        assert isinstance(line, str)
        assert line.endswith('cmd.exe" /e:ON /v:OFF /d /c ""npm.CMD" x"')
        with pytest.raises(OSError, match="line break"):
            programs.command_line("npm.cmd", ["a\nb"])

    def test_a_command_for_the_shell_stays_as_it_is(self) -> None:
        assert str(programs.shell('echo "a b" & x')).endswith('cmd.exe" /d /s /c "echo "a b" & x"')

    def test_a_command_line_keeps_its_backslashes(self) -> None:
        assert programs.split(r"C:\bin\key.exe --of 'a b'") == [r"C:\bin\key.exe", "--of", "a b"]
        assert programs.split(r'"C:\Program Files\key.exe" x') == [r"C:\Program Files\key.exe", "x"]

    def test_a_program_starts_with_the_folder_of_the_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SYSTEMROOT", "C:\\Windows")
        assert programs.environment({"A": "1"}) == {"A": "1", "SYSTEMROOT": "C:\\Windows"}
        assert programs.environment({"SYSTEMROOT": "D:"}) == {"SYSTEMROOT": "D:"}
        monkeypatch.delenv("SYSTEMROOT")
        assert programs.environment({"A": "1"}) == {"A": "1"}

    def test_the_drivers_run_encconf_exe(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.executable", str(tmp_path / "Scripts" / "python.exe"))
        assert programs.own_command()[1:] == ["-P", "-m", "encconf"]
        program(tmp_path / "Scripts" / "encconf.exe", "")
        assert programs.own_command() == [f"{tmp_path}/Scripts/encconf.exe"]


def test_only_these_modules_start_programs() -> None:
    """Others call `programs`.  The editor needs signals, and `exec` runs your program as a shell does."""
    package = Path(programs.__file__).parents[1]
    starts = re.compile(
        r"subprocess\.(run|Popen|call|check_\w+|getoutput)\(|os\.(posix_spawn|exec|spawn|system|popen)\w*\("
    )
    found = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if any(starts.search(line.split("#")[0]) for line in file.read_text().splitlines())
    }
    allowed = {"git/__init__.py", "io/programs.py", "verbs/edit.py", "verbs/execute.py"}
    # This one has a table of the calls that it finds in other people's programs.
    assert found - {"migration/callers.py"} == allowed
