"""Programs that run sops: each pattern, and the line that replaces it."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from threading import Timer

import pytest
from pace import at_most
from project import Project

from encconf.migration.callers import callers, search

LOAD = "encconf.load_config(path)"


@pytest.mark.parametrize(
    ("source", "what", "replacement"),
    [
        (
            'out = subprocess.check_output(["sops", "-d", path])\ndata = yaml.safe_load(out)',
            "reads a file with sops and parses it as YAML",
            LOAD,
        ),
        (
            'out = run(["sops", "--decrypt", "--output-type", "json", path], stdout=subprocess.PIPE)\n'
            "data = json.loads(out.stdout)",
            "reads a file with sops and parses it as JSON",
            LOAD,
        ),
        (
            'out = run(["sops", "decrypt", "--output-type=dotenv", "app.env"], stdout=subprocess.PIPE)\n'
            'pairs = [line.split("=", 1) for line in out.stdout.decode().splitlines()]',
            "reads a file with sops",
            "encconf.load_config('app.env')",
        ),
        ('os.popen(f"sops -d {path}").read()', "reads a file with sops", LOAD),
        (
            'run(["sops", "-e", "--filename-override", name, "/dev/stdin"], input=text)',
            "encrypts with sops",
            "encconf.encrypt(text, encconf.find_rule(name), format=…)",
        ),
        (
            'run(["sops", "-e", "--age", key, "/dev/stdin"], input=text)',
            "encrypts with sops",
            "encconf.encrypt(text, encconf.find_rule(PATH), format=…)",
        ),
        (
            'run(["sops", "-d", "--input-type", "json", "/dev/stdin"], input=text)',
            "decrypts a text with sops",
            "encconf.decrypt(text, format=…)",
        ),
        (
            'subprocess.getoutput("sops -d secrets.yaml")',
            "reads a file with sops",
            "encconf.load_config('secrets.yaml')",
        ),
        (
            'subprocess.check_output(["/usr/bin/sops", "-d", "--extract", \'["db"]["password"]\', path])',
            "reads one value with sops",
            'encconf.load_config(path)["db"]["password"]',
        ),
        (
            'subprocess.check_call(["sops", "-d", "-i", str(path)])',
            "writes the plaintext to a file with sops",
            "encconf.load_config(str(path)), and no file; or encconf.decrypt(text, format=…)",
        ),
        (
            'with open("plain.yaml", "w") as file:\n    subprocess.run(["sops", "-d", path], stdout=file)',
            "writes the plaintext to a file with sops",
            "encconf.load_config(path), and no file; or encconf.decrypt(text, format=…)",
        ),
        (
            'subprocess.run(["sops", "--encrypt", "--age", key, "--in-place", path])',
            "encrypts with sops",
            "encconf.encrypt(text, encconf.find_rule(path), format=…)",
        ),
        (
            'subprocess.run(["sops", "--set", value, path])',
            "sets a value with sops",
            "with encconf.edit(path) as doc: doc[…] = value",
        ),
        (
            'subprocess.run(["sops", "exec-env", "app.env", "./run"])',
            "runs a program with sops",
            "encconf exec FILE -- PROGRAM",
        ),
        (
            'async def go():\n    await asyncio.create_subprocess_exec("sops", "-d", path)',
            "reads a file with sops",
            LOAD,
        ),
        (
            'cmd = ["sops", "-d", path]\nout = run(cmd, stdout=subprocess.PIPE)\nyaml.safe_load(out.stdout)',
            "reads a file with sops and parses it as YAML",
            LOAD,
        ),
        (
            'SOPS = "/usr/local/bin/sops"\ndef read(path):\n    return check_output([SOPS, "-d", path])',
            "reads a file with sops",
            LOAD,
        ),
        (
            'def read(path):\n    command: str = f"sops -d {path}"\n    return run(shlex.split(command))',
            "reads a file with sops",
            LOAD,
        ),
        (
            'result = run_cmd(["sops", "-d", str(path)], text=True)',
            "reads a file with sops",
            "encconf.load_config(str(path))",
        ),
        (
            'SOPS = Path(__file__).parent.joinpath("bin", "sops")\nrun([SOPS, "--decrypt", path])',
            "reads a file with sops",
            LOAD,
        ),
        ('run([BIN / "sops", "-d", path])', "reads a file with sops", LOAD),
        ('sops = shutil.which("sops") or "sops"\nrun([sops, "-d", path])', "reads a file with sops", LOAD),
        ("data = Sops(path).decrypt()", "sopsy runs sops (decrypt)", LOAD),
        (
            "Sops(path).set('[\"a\"]', 'x')",
            "sopsy runs sops (set)",
            "with encconf.edit(path) as doc: doc[…] = value",
        ),
        (
            "SOPSConfigSettingsSource(cls)",
            "pydantic-settings-sops runs sops",
            "settings_customise_sources = encrypted(PATH)",
        ),
    ],
)
def test_patterns(source: str, what: str, replacement: str) -> None:
    head = (
        "import asyncio, json, os, shlex, subprocess, yaml\n"
        "from subprocess import check_output, run\nfrom sopsy import Sops\n"
        "from pydantic_settings_sops import SOPSConfigSettingsSource\n"
    )
    (found,) = callers(head + source + "\n", "app.py")
    assert (found.file, found.what) == ("app.py", what)
    assert found.replacement == replacement


@pytest.mark.parametrize(
    "source",
    [
        'subprocess.run(["git", "commit", "-m", "sops"])',
        'subprocess.run(["sops", "--version"])',
        'subprocess.run(["sops", "updatekeys", "-y", path])',
        'print(["sops", "-d", path])',
        '"""sops -d secrets.yaml"""',
        "Sops(path)",
        'cmd = ["git", "log"]\nsubprocess.run(cmd)',
        'cmd = ["sops", "-d", "x"]\ndef f(cmd):\n    subprocess.run(cmd)',
    ],
)
def test_other_things_are_left_alone(source: str) -> None:
    assert callers(f"import subprocess\n{source}\n", "app.py") == []


def test_a_module_of_a_package_does_not_hide_the_package() -> None:
    (found,) = callers('import os\nimport os.path\nos.system("sops -d a.yaml")\n', "app.py")
    assert found.replacement == "encconf.load_config('a.yaml')"


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ('"set", path, \'["a"]\', "hunter2"', "path"),
        ('"unset", path, key', "path"),
        ('"set", *arguments', "PATH"),
        ('"--set", \'["a"] "hunter2"\', *arguments', "PATH"),
        ('"-d", "--extract", \'["a"]\', *arguments', "PATH"),
        ('"decrypt", "--output-type", "json", path', "path"),
        ('"decrypt", "--output-type", "json", *arguments', "PATH"),
        ('"-d", *arguments', "PATH"),
        ('"-d", "a.yaml", "2>/dev/null"', "'a.yaml'"),
    ],
)
def test_where_the_path_is(words: str, path: str) -> None:
    (found,) = callers(f'import subprocess\nsubprocess.run(["sops", {words}])\n', "app.py")
    assert f"({path})" in found.replacement


def test_files(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import subprocess

        def load(path):
            return subprocess.run(["sops", "-d", path], capture_output=True).stdout
        """)
    (tmp_path / "config.py").write_text(program)
    (tmp_path / "broken.py").write_text("sops = (\n")
    (tmp_path / "old.py").write_bytes(b"# sops \xff\n")
    assert [caller.to_json() for caller in search(str(tmp_path / "config.py"))] == [
        {
            "file": str(tmp_path / "config.py"),
            "line": 5,
            "what": "reads a file with sops",
            "replacement": LOAD,
        }
    ]
    assert [search(str(tmp_path / name)) for name in ("broken.py", "old.py", "missing.py")] == [[], [], []]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A branch can have a link to /dev/stdin."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "config.py").symlink_to("pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(writer, b"import os\nos.system('sops -d x')\n")
    closing = Timer(3, os.close, [writer])
    closing.start()
    assert search(str(tmp_path / "config.py")) == []
    closing.cancel()
    os.close(writer)


def test_a_large_program_is_quick(tmp_path: Path) -> None:
    calls = "".join(f"subprocess.run(['sops', '-d', 'f{n}.yaml'])\n" for n in range(5_000))
    one_line = "import subprocess\n" + calls.replace("\n", "; ") + "pass\n"
    names = "import subprocess\n" + "f = 'a'\nsubprocess.run(['sops', '-d', f])\n" * 2_500
    functions = "import subprocess\n" + "".join(
        f"def f{n}():\n  subprocess.run(['sops', '-d', 'a'])\n" for n in range(2_500)
    )
    for text, count in (
        ("import subprocess\n" + calls, 5_000),
        (one_line, 5_000),
        (names, 2_500),
        (functions, 2_500),
    ):
        (tmp_path / "a.py").write_text(text)
        with at_most(2):
            assert len(search(str(tmp_path / "a.py"))) == count


@pytest.mark.parametrize("text", ["x = " + "-" * 100_000 + "1", "x = " + "+".join(["1"] * 100_000)])
def test_a_program_that_python_cannot_parse_is_named(text: str, project: Project) -> None:
    project.write("deep.py", f"# sops\n{text}\n")
    project.write("other.py", "import os\nos.system('sops -d f.yaml')\n")
    said = project.run("doctor", ".").out
    assert said.count("other.py") == 1
    assert "deep.py:1: cannot be read: it is nested too deeply" in said
