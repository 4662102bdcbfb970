"""`encconf.load_dotenv` and its siblings do with encrypted files what python-dotenv does with a ``.env``."""

from __future__ import annotations

import _thread
import io
import logging
import os
import subprocess
import sys
import time
import traceback
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dotenv
import pytest
from hypothesis import given
from hypothesis import strategies as st

import encconf
from encconf import formats
from encconf.errors import DecryptError, EmitError, KeyAccessError, LimitError, PlaintextError, ProposalError
from encconf.rules.selection import Selection
from encconf.testing import TestKey

LINES = st.lists(
    st.one_of(
        st.text("AB=#'\"\\ ${}:-nx\r\n\t", max_size=20),
        st.builds(
            "{}{}={}".format,
            st.sampled_from(["", "export ", "  "]),
            st.sampled_from(["A", "B", "'C D'", "A"]),
            st.sampled_from(
                ["1", "a # b", "a#b", "'x\ny'", '"t\\tb\\n"', "${A}", "${B:-d}", "${NONE}-", "'${A}'", ""]
            ),
        ),
    ),
    max_size=6,
).map("\n".join)


@pytest.fixture
def key() -> TestKey:
    return TestKey.generate()


@pytest.fixture(autouse=True)
def _environment(key: TestKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOPS_AGE_KEY", key.identity)  # not below, or a delenv of a test would be undone last
    with patch.dict(os.environ):
        for name in ("A", "B"):
            os.environ.pop(name, None)
        yield


@given(LINES, st.booleans())
def test_a_stream_is_read_as_by_python_dotenv(text: str, interpolate: bool) -> None:
    with patch.dict(os.environ, {"B": "of the environment"}):
        ours = encconf.dotenv_values(stream=io.StringIO(text, newline=None), interpolate=interpolate)
        theirs = dotenv.dotenv_values(stream=io.StringIO(text, newline=None), interpolate=interpolate)
        assert list(ours.items()) == list(theirs.items())


@pytest.mark.parametrize("override", [False, True])
@pytest.mark.parametrize("interpolate", [False, True])
def test_an_encrypted_copy_sets_the_same_variables(
    key: TestKey, tmp_path: Path, override: bool, interpolate: bool
) -> None:
    text = "A=1\nB='x y' # a comment\nexport C=\"${A}\\n${B:-d}\"\nB=a # b\nD=${NONE:-none}\nE=\n"
    (tmp_path / ".env").write_text(text)
    key.write(".env.enc", text, format="dotenv")
    found = []
    for load, path in ((dotenv.load_dotenv, ".env"), (encconf.load_dotenv, ".env.enc")):
        with patch.dict(os.environ, {"B": "before", "A": "of the environment"}):
            assert load(path, override=override, interpolate=interpolate) is True
            found.append({name: os.environ.get(name) for name in "ABCDE"})
    assert found[0] == found[1]


def test_a_file_that_sops_stored_as_binary(key: TestKey) -> None:
    key.write("prod.env.enc", "A='1'\n", format="binary")
    assert encconf.dotenv_values("prod.env.enc") == {"A": "1"}


def test_other_formats_have_the_names_of_exec(key: TestKey) -> None:
    key.write("s.enc.yaml", {"db": {"password": "x", "port": 1}, "debug": True, "none": None})
    assert encconf.load_dotenv("s.enc.yaml")
    assert [os.environ[name] for name in ("DB_PASSWORD", "DB_PORT", "DEBUG")] == ["x", "1", "true"]


def test_a_missing_file_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert encconf.load_dotenv("none.env") is False
    assert caplog.messages == []
    assert encconf.load_dotenv("none.env", verbose=True) is False
    assert caplog.messages == ["encconf could not find configuration file none.env."]


def test_it_can_be_switched_off(key: TestKey, monkeypatch: pytest.MonkeyPatch) -> None:
    key.write(".env.enc", "A=1\n", format="dotenv")
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "True")
    assert encconf.load_dotenv(".env.enc") is False
    assert "A" not in os.environ


def test_without_a_key_it_fails(key: TestKey, monkeypatch: pytest.MonkeyPatch) -> None:
    key.write(".env.enc", "A=1\n", format="dotenv")
    monkeypatch.delenv("SOPS_AGE_KEY")
    with pytest.raises(KeyAccessError, match=r"\.env\.enc"):
        encconf.load_dotenv(".env.enc")


@pytest.mark.parametrize("text", ["A=1\n", "A\n"])
def test_plaintext_is_refused_where_a_rule_covers_it(key: TestKey, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.env").write_text(text)
    assert encconf.dotenv_values("a.env") == dotenv.dotenv_values("a.env")
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age: {key.recipient}\n")
    with pytest.raises(PlaintextError, match="says that it must be encrypted"):
        encconf.load_dotenv("a.env")


def test_lines_that_double_each_other_have_a_limit() -> None:
    text = "A0=0123456789\n" + "".join(f"A{at}=${{A{at - 1}}}${{A{at - 1}}}\n" for at in range(1, 40))
    with pytest.raises(LimitError, match="longer than 16 MiB"):
        encconf.dotenv_values(stream=io.StringIO(text))


@pytest.mark.parametrize("name", [".env", ".env.enc", ".env.sops", ".enc.env"])
def test_the_file_is_found_above_the_calling_module(key: TestKey, tmp_path: Path, name: str) -> None:
    key.write(name, "A=found\n", format="dotenv")
    program = tmp_path / "src" / "app" / "main.py"
    program.parent.mkdir(parents=True)
    program.write_text("from encconf import load_dotenv\nimport os\nload_dotenv()\nprint(os.environ['A'])\n")
    done = subprocess.run(
        [sys.executable, str(program)], cwd="/", capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "found\n"


@pytest.mark.services  # as root: gives files to another user
@pytest.mark.posix
def test_a_file_that_another_user_has_put_into_a_folder_for_everyone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It could set PATH or LD_PRELOAD for a program that runs below /tmp."""
    shared, mine = tmp_path / "shared", tmp_path / "shared" / "mine"
    mine.mkdir(parents=True)
    shared.chmod(0o1777)
    monkeypatch.chdir(mine)
    (shared / ".env").write_text("LD_PRELOAD=/tmp/theirs.so\n")
    assert encconf.find_dotenv(usecwd=True) == str(shared / ".env")
    assert caplog.text == ""
    os.chown(shared / ".env", 65534, -1)
    assert encconf.find_dotenv(usecwd=True) == ""
    assert f"encconf does not use {shared / '.env'}: it belongs to another user" in caplog.text
    shared.chmod(0o777)
    assert encconf.find_dotenv(usecwd=True) == ""
    shared.chmod(0o755)  # a folder of yours
    assert encconf.find_dotenv(usecwd=True) == str(shared / ".env")
    (shared / ".env").unlink()
    (tmp_path / "own").write_text("A=1\n")
    (shared / ".env").symlink_to(tmp_path / "own")  # a link of theirs sets what you did not mean to be set
    os.chown(shared / ".env", 65534, -1, follow_symlinks=False)
    for mode, found in ((0o1777, ""), (0o755, str(shared / ".env"))):
        shared.chmod(mode)
        assert encconf.find_dotenv(usecwd=True) == found


@pytest.mark.services  # as root: gives files to another user
@pytest.mark.posix
def test_a_configuration_of_another_user_does_not_stop_a_program(
    key: TestKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age: {key.recipient}\n")
    (tmp_path / "mine" / ".env").write_text("A=1\n")
    with pytest.raises(PlaintextError):
        encconf.dotenv_values(".env")
    os.chown(tmp_path / ".sops.yaml", 65534, -1)
    assert encconf.dotenv_values(".env") == {"A": "1"}
    assert encconf.load_layers(encconf.plain(".env")) == {"A": "1"}


def test_an_encrypted_file_comes_before_plaintext_and_before_foreign_files(
    key: TestKey, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("A=plain\n")
    (tmp_path / ".env.enc").write_bytes(b"U2FsdGVkX1\n")  # openssl enc writes this name, too
    assert encconf.find_dotenv(usecwd=True) == str(tmp_path / ".env")
    key.write(".env.sops", "A=1\n", format="dotenv")
    assert encconf.find_dotenv(usecwd=True) == str(tmp_path / ".env.sops")
    assert encconf.find_dotenv("none.env", usecwd=True) == ""
    with pytest.raises(OSError, match="File not found"):
        encconf.find_dotenv("none.env", raise_error_if_not_found=True, usecwd=True)


def test_decouple_takes_the_values(key: TestKey) -> None:
    import decouple

    key.write(".env.enc", "DEBUG=on\nPORT=8000\n", format="dotenv")
    config = decouple.Config(encconf.dotenv_values(".env.enc"))
    assert config("DEBUG", cast=bool) is True
    assert config("PORT", cast=int) == 8000


def test_environs_and_django_environ_read_what_is_set(key: TestKey) -> None:
    import environ
    import environs

    key.write(".env.enc", "DEBUG=on\nPORT=8000\n", format="dotenv")
    encconf.load_dotenv(".env.enc")
    assert environs.Env().int("PORT") == 8000
    assert environ.Env(DEBUG=(bool, False))("DEBUG") is True


def found_in(file: str, *, alone: bool = False) -> str:
    """What code of a file finds, which this module calls, or nothing calls."""
    code, names = compile("found = encconf.find_dotenv()", file, "exec"), {"encconf": encconf, "found": None}
    if not alone:
        exec(code, names)
        return names["found"]  # type: ignore[return-value]
    _thread.start_new_thread(exec, (code, names))
    while names["found"] is None:
        time.sleep(0.01)
    return names["found"]  # type: ignore[return-value]


def test_where_the_search_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder of this module, which has no file, but in the current folder at a prompt."""
    (tmp_path / ".env").write_text("A=1\n")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    assert encconf.find_dotenv() == ""
    assert encconf.find_dotenv(usecwd=True) == str(tmp_path / ".env")
    assert found_in("<made>") == "", "code without a file is that of this module"
    with pytest.raises(OSError, match="File not found"):
        encconf.find_dotenv(raise_error_if_not_found=True)
    (tmp_path / "app").mkdir()
    (tmp_path / "app/.env").touch()
    (tmp_path / "app/main.py").touch()
    assert found_in(str(tmp_path / "app/main.py")) == str(tmp_path / "app/.env")
    assert found_in("<made>", alone=True) == str(tmp_path / ".env"), "no caller has a file"
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        found = encconf.find_dotenv()
    finally:
        sys.settrace(before)
    assert found == str(tmp_path / ".env"), "a debugger"
    with monkeypatch.context() as context:
        context.setattr(sys, "frozen", True, raising=False)
        assert encconf.find_dotenv() == str(tmp_path / ".env"), "a frozen program"
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert encconf.find_dotenv() == str(tmp_path / ".env")
    assert encconf.dotenv_values() == {"A": "1"}
    assert encconf.dotenv_values(stream=io.StringIO("B=2\n")) == {"B": "2"}
    assert encconf.load_dotenv()
    assert os.environ["A"] == "1"
    assert encconf.load_dotenv(stream=io.StringIO("B=2\n"), override=True)
    assert os.environ["B"] == "2"


@pytest.mark.parametrize("options", [{}, {"verbose": True}, {"verbose": False}])
def test_a_missing_file_is_logged_as_python_dotenv_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: dict[str, bool]
) -> None:
    counts = []
    caplog.set_level("DEBUG")
    for values, load in (
        (encconf.dotenv_values, encconf.load_dotenv),
        (dotenv.dotenv_values, dotenv.load_dotenv),
    ):
        caplog.clear()
        assert values(tmp_path / "none", **options) == {}
        assert not load(tmp_path / "none", **options)
        counts.append(len(caplog.records))
    assert counts[0] == counts[1] == 2 * options.get("verbose", False)


@pytest.mark.parametrize("override", [False, True])
def test_a_name_without_a_value_is_expanded_as_by_python_dotenv(tmp_path: Path, override: bool) -> None:
    (tmp_path / "x.env").write_text("A\nB=x${A}y${A:-d}z${C:-d}\n")
    found = []
    for load in (encconf.load_dotenv, dotenv.load_dotenv):
        with patch.dict(os.environ):
            load(tmp_path / "x.env", override=override)
            found.append(os.environ["B"])
    assert found[0] == found[1]


@pytest.mark.parametrize("options", [{}, {"override": True}, {"override": False}])
def test_what_is_set_already_is_as_with_python_dotenv(tmp_path: Path, options: dict[str, bool]) -> None:
    (tmp_path / "x.env").write_text("A=1\nB=2\n")
    found = []
    for load in (encconf.load_dotenv, dotenv.load_dotenv):
        with patch.dict(os.environ, {"A": "set"}):
            load(tmp_path / "x.env", **options)
            found.append((os.environ["A"], os.environ["B"]))
    assert found[0] == found[1] == ("1" if options.get("override") else "set", "2")


@pytest.mark.posix
def test_a_pipe_with_the_name_of_an_encrypted_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    os.mkfifo(tmp_path / ".env.enc")
    assert encconf.find_dotenv(usecwd=True) == str(tmp_path / ".env")
    (tmp_path / ".env").unlink()
    os.mkfifo(tmp_path / ".env")  # as 1Password makes it
    assert encconf.find_dotenv(usecwd=True) == str(tmp_path / ".env")


def test_an_encrypted_stream_is_opened_with_the_given_key(
    key: TestKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = key.write(".env.enc", "A=1\nB=${A}2\n", format="dotenv").read_text()
    monkeypatch.delenv("SOPS_AGE_KEY")
    for interpolate, b in ((True, "12"), (False, "${A}2")):
        found = encconf.dotenv_values(
            stream=io.StringIO(text), interpolate=interpolate, credentials=key.credentials()
        )
        assert found == {"A": "1", "B": b}


def test_an_error_keeps_no_plaintext(key: TestKey, tmp_path: Path) -> None:
    """Error reports show the variables of each function in a traceback."""
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age: {key.recipient}\n")
    (tmp_path / "x.env").write_text("PASSWORD=hunter2-of-shop\n")
    for call in (encconf.dotenv_values, encconf.load_dotenv):
        with pytest.raises(PlaintextError) as caught:
            call(tmp_path / "x.env")
        frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
        assert "hunter2" not in repr(frames[1:])


def test_the_encoding_of_plaintext(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"A=\xe9\n")
    assert encconf.dotenv_values(tmp_path / "x", encoding="latin-1") == {"A": "é"}
    assert encconf.dotenv_values(tmp_path / "x") == {"A": "\udce9"}


def test_plaintext_that_a_comment_chooses(key: TestKey, tmp_path: Path) -> None:
    rule = f"creation_rules:\n  - age: {key.recipient}\n    encrypted_comment_regex: ^ secret\n"
    (tmp_path / ".sops.yaml").write_text(rule)
    (tmp_path / "x.env").write_text("# open\nA=1\n")
    assert encconf.dotenv_values(tmp_path / "x.env") == {"A": "1"}
    (tmp_path / "x.env").write_text("# secret\nA=1\n")
    with pytest.raises(PlaintextError):
        encconf.dotenv_values(tmp_path / "x.env")


def test_variables_are_expanded_unless_you_say_no(key: TestKey) -> None:
    key.write(".env.enc", "A=1\nB=${A}2\n", format="dotenv")
    assert encconf.load_dotenv(".env.enc")
    assert os.environ["B"] == "12"


def test_a_value_that_no_variable_can_hold(key: TestKey) -> None:
    key.write("s.enc.yaml", 'A: "x\\0hidden"\n')
    with pytest.raises(EmitError, match="A contains a NUL") as caught:
        encconf.load_dotenv("s.enc.yaml")
    assert "hidden" not in str(caught.value)
    assert "A" not in os.environ


def test_a_proposal_sets_nothing(key: TestKey) -> None:
    key.write("s.enc.yaml", "proposal_for: .env\nA: x\n")
    with pytest.raises(ProposalError):
        encconf.load_dotenv("s.enc.yaml")
    assert "A" not in os.environ


@pytest.mark.parametrize(("plain", "comment"), [("A='x\n#y\nB=2\n", "#'\n"), ("A=1\n#y\n", "#\rC=3\n")])
def test_a_comment_that_somebody_without_a_key_wrote_sets_nothing(
    key: TestKey, plain: str, comment: str
) -> None:
    path = key.write(".env.enc", plain, format="dotenv")
    lines = path.read_text().splitlines(keepends=True)
    before = encconf.dotenv_values(path)
    path.write_text("".join([comment if line.startswith("#ENC") else line for line in lines]), newline="")
    try:
        assert encconf.dotenv_values(path) == before
    except DecryptError:
        assert "\r" in comment


FILES = {
    "a.env": "A=file\nB=${A}x${C:-d}\nexport C='1 2'\nD\nE=\nA=again\n",
    "latin.env": "A=\xe9\n",
    "empty.env": "# c\n\n",
    "names.env": "D\n",
}
PATHS = [None, "a.env", Path("a.env"), "empty.env", "names.env", "missing.env", "folder", "latin.env", ""]


def what_it_does(
    module: Any, name: str, environ: dict[str, str], caplog: pytest.LogCaptureFixture, path: Any, options: Any
) -> object:
    """Result or exception, what is set, and how much is logged."""
    stream = io.StringIO(options["stream"]) if options.get("stream") is not None else None
    caplog.clear()
    found: object
    with patch.dict(os.environ, environ):
        before = dict(os.environ)
        try:
            found = getattr(module, name)(path, **{**options, "stream": stream})
        except Exception as error:
            found = type(error)
        after = dict(os.environ)
    return (
        found,
        {key: after.get(key) for key in after if after.get(key) != before.get(key)},
        len(caplog.records),
    )


@pytest.mark.parametrize("name", ["load_dotenv", "dotenv_values"])
def test_each_call_does_what_python_dotenv_does(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED", raising=False)
    caplog.set_level(logging.INFO)
    for file, text in FILES.items():
        Path(file).write_text(text, encoding="latin-1")
    Path("folder").mkdir()
    every = {
        "stream": [None, "A=stream\nB=${A}\n"],
        "interpolate": [True, False],
        "verbose": [False, True],
        "encoding": ["utf-8", "latin-1"],
        **({"override": [False, True]} if name == "load_dotenv" else {}),
    }
    count = 0
    for path, *values in product(PATHS, *every.values()):
        options = dict(zip(every, values, strict=True))
        if path is None and options["stream"] is None:
            continue  # each searches from the module that calls it
        if (path == "latin.env") is not (options["encoding"] == "latin-1"):
            continue  # in UTF-8, python-dotenv raises UnicodeDecodeError, and encconf keeps the bytes
        for environ in ({}, {"A": "environment", "C": "too"}):
            ours, theirs = (
                what_it_does(module, name, environ, caplog, path, options) for module in (encconf, dotenv)
            )
            assert ours == theirs, (path, options, environ)
            count += 1
    assert count >= 120
    if name == "load_dotenv":
        for word in ("", "0", "no", "off", "1", "true", "TRUE", "t", "T", "yes", "Y", "y", "on", "f"):
            switch = {"PYTHON_DOTENV_DISABLED": word}
            ours, theirs = (
                what_it_does(each, name, switch, caplog, "a.env", {}) for each in (encconf, dotenv)
            )
            assert ours == theirs, word


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize(
    "file", [".env", "x.env", "sub/.env", "../up.env", "/none/.env", "folder", "below.env"]
)
def test_the_search_from_the_current_folder(
    file: str, raises: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "top" / "here"
    (here / "sub").mkdir(parents=True)
    (here / "folder").mkdir()
    for name in ("top/.env", "top/here/sub/.env", "top/up.env", "x.env", "top/here/sub/below.env"):
        (tmp_path / name).write_text("A=1\n")
    monkeypatch.chdir(here)

    def of(module: Any) -> object:
        try:
            return module.find_dotenv(file, raises, True)
        except OSError as error:
            return str(error)

    assert of(encconf) == of(dotenv)


@pytest.mark.parametrize(("name", "line"), [("x.env", "export PATH=evil\n"), ("x.enc.yaml", "path: evil\n")])
def test_a_plaintext_value_without_a_mac_does_not_choose_code(key: TestKey, name: str, line: str) -> None:
    plain = "A=1\n" if name == "x.env" else "A: 1\n"
    only = Selection("encrypted_regex", "^A$", mac_only_encrypted=True)
    text = key.encrypt(plain, format=formats.of_path(name), selection=only)
    Path(name).write_text(text)
    assert encconf.dotenv_values(name) == {"A": "1"}
    Path(name).write_text(line + text)
    with pytest.raises(EmitError, match="PATH decides which code"):
        encconf.load_dotenv(name, override=True)
    Path(name).write_text(line.replace("PATH", "URL").replace("path", "url").replace("evil", "'${A}'") + text)
    assert encconf.dotenv_values(name, interpolate=False)["URL"] == "${A}"
    with pytest.raises(EmitError, match="URL uses the value of another"):
        encconf.dotenv_values(name)
