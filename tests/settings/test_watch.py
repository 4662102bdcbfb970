"""A configuration that follows its files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import encconf
from encconf import watch
from encconf.errors import KeyAccessError, MissingFileError, UsageError
from encconf.settings import watch as module
from encconf.settings.watch import Live
from encconf.testing import TestKey


@pytest.fixture
def path(write: Callable[..., Path]) -> Path:
    return write("s.enc.yaml", {"n": 1})


def test_a_change_is_seen(path: Path, key: TestKey) -> None:
    live = watch(path, interval=0)
    changes: list[tuple[object, object]] = []
    live.on_change(lambda old, new: changes.append((old, new)))
    first = live()
    assert live() is first
    key.write(path, {"n": 2})
    assert live() == {"n": 2}
    assert changes == [({"n": 1}, {"n": 2})]
    assert live.error is None


def test_nothing_is_looked_at_before_the_interval_is_over(path: Path, key: TestKey) -> None:
    live = watch(path, interval=3600)
    key.write(path, {"n": 2})
    assert live() == {"n": 1}
    live.expire()
    assert live() == {"n": 2}


@pytest.mark.posix
def test_kubernetes_swaps_a_link(key: TestKey, tmp_path: Path) -> None:
    for number in (1, 2):
        key.write(tmp_path / f"..{number}" / "s.enc.yaml", {"n": number})
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "s.enc.yaml").symlink_to("..data/s.enc.yaml")
    live = watch(tmp_path / "s.enc.yaml", interval=0)
    assert live() == {"n": 1}
    (tmp_path / "..new").symlink_to("..2")
    os.replace(tmp_path / "..new", tmp_path / "..data")
    assert live() == {"n": 2}


@pytest.mark.parametrize("spoil", [lambda p: p.write_text("no: ["), lambda p: p.unlink()])
def test_the_last_good_value_stays(path: Path, key: TestKey, spoil: Callable[[Path], object]) -> None:
    live = watch(path, interval=0)
    spoil(path)
    assert live() == {"n": 1}
    assert isinstance(live.error, encconf.EncconfError)
    assert live.error.__traceback__ is None
    key.write(path, {"n": 3})
    assert live() == {"n": 3}
    assert live.error is None


def test_a_key_that_is_gone_and_comes_back(path: Path, key: TestKey, monkeypatch: pytest.MonkeyPatch) -> None:
    live = watch(path, interval=0)
    monkeypatch.delenv("SOPS_AGE_KEY")
    key.write(path, {"n": 2})
    assert live() == {"n": 1}
    assert isinstance(live.error, KeyAccessError)
    assert "SOPS_AGE_KEY (unset)" in str(live.error)
    monkeypatch.setenv("SOPS_AGE_KEY", key.identity)
    assert live() == {"n": 2}  # tried again, although the file is the same
    assert live.error is None


def test_the_first_load_raises(key: TestKey, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        watch(tmp_path / "none.enc.yaml")


def test_the_current_folder_may_change(path: Path, key: TestKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    live = watch(path.name, interval=0)
    several = watch(lambda: encconf.load_config(path), path.name, interval=0)
    monkeypatch.chdir("/")
    key.write(path, {"n": 20})
    assert (live(), live.error) == ({"n": 20}, None)
    assert several() == {"n": 20}


def test_a_load_that_is_interrupted_is_tried_again(path: Path, key: TestKey) -> None:
    loads = iter([dict, KeyboardInterrupt, dict])

    def load() -> dict[str, object]:
        if next(loads) is KeyboardInterrupt:
            raise KeyboardInterrupt
        return encconf.load_config(path)

    live = watch(load, path, interval=0)
    key.write(path, {"n": 20})
    with pytest.raises(KeyboardInterrupt):
        live()
    assert (live(), live.error) == ({"n": 20}, None)


def test_expire_during_a_load_makes_another_load(path: Path, key: TestKey) -> None:
    seen: list[object] = []

    def load() -> dict[str, object]:
        seen.append(value := encconf.load_config(path))
        if len(seen) == 2:
            live.expire()  # as a handler of SIGHUP does at any time
        return value

    live = watch(load, path, interval=0)
    key.write(path, {"n": 20})
    for _ in range(3):
        assert live() == {"n": 20}
    assert len(seen) == 3


def test_a_function_and_its_files(path: Path, key: TestKey, write: Callable[..., Path]) -> None:
    other = write("t.enc.yaml", {"m": 1})
    live = watch(lambda: encconf.load_layers(path, other), path, other, interval=0)
    assert live() == {"n": 1, "m": 1}
    key.write(other, {"m": 2})
    assert live() == {"n": 1, "m": 2}
    with pytest.raises(UsageError, match="needs the paths"):
        watch(dict)
    with pytest.raises(UsageError, match="takes no mask="):
        watch(dict, path, mask=True)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="one path"):
        watch(path, other)


def test_what_a_listener_raises_is_not_lost_and_spoils_nothing(path: Path, key: TestKey) -> None:
    live = watch(path, interval=0)

    def fail(old: object, new: object) -> None:
        raise RuntimeError("a bug")

    seen: list[object] = []
    live.on_change(fail)
    live.on_change(lambda old, new: seen.append(new))
    key.write(path, {"n": 2})
    with pytest.raises(RuntimeError, match="a bug"):
        live()
    assert live() == {"n": 2}
    assert seen == [{"n": 2}]  # the listener after it is called all the same


def test_threads_that_reload_while_the_file_changes_often(path: Path, key: TestKey) -> None:
    """Each value is whole, none is older than what the thread has seen, and the last one arrives."""
    # All differ in size: two writes may have the same time, and a new file may get an old inode.
    texts = [key.encrypt({"n": n, "m": n, "long": "x" * 500 * n}) for n in range(20)]
    wrong: list[object] = []
    done = threading.Event()
    path.write_text(texts[0])
    live = watch(path, interval=0)

    def read() -> None:
        while not done.is_set():
            value = live()
            if value["n"] != value["m"] or live.error is not None:
                wrong.append((value, live.error))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(150):
        (path.parent / "next").write_text(texts[turn % 20])
        while True:
            try:
                os.replace(path.parent / "next", path)
                break
            except PermissionError:
                assert os.name == "nt"  # which replaces no file that a thread is reading
                time.sleep(0.001)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert live()["n"] == 149 % 20


@pytest.mark.posix
def test_a_fork_under_load(path: Path, key: TestKey) -> None:
    """A child forked while a thread reloads still follows the file."""
    live = watch(path, interval=0)
    done = threading.Event()

    def busy() -> None:
        while not done.is_set():
            live.expire()
            live()

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                key.write(path.with_name(f"{os.getpid()}.enc.yaml"), {"n": 1})
                live.expire()
                os._exit(0 if live() == {"n": 1} and live.error is None else 1)
            deadline = time.monotonic() + 60
            while (found := os.waitpid(child, os.WNOHANG)) == (0, 0):
                assert time.monotonic() < deadline, "the child hangs"
                time.sleep(0.005)
            assert os.waitstatus_to_exitcode(found[1]) == 0
    finally:
        done.set()
        thread.join()


@pytest.mark.posix
def test_after_a_load_only_data_remains(path: Path) -> None:
    """No thread, socket or open file: that is why a fork is safe.  (Those of other tests may end now.)"""
    before = set(os.listdir("/proc/self/fd"))
    threads = set(threading.enumerate())
    live = watch(path)
    encconf.load_configs([path, path])
    assert isinstance(live, Live)
    assert set(threading.enumerate()) <= threads
    assert set(os.listdir("/proc/self/fd")) <= before


_FORK = """
import os, sys, threading
from encconf.settings import watch as module
from encconf.settings.watch import Live

parent, inside, end = os.getpid(), threading.Event(), threading.Event()

def load():
    if threading.current_thread() is not threading.main_thread():
        inside.set()
        end.wait()
        return 3
    return 2 if os.getpid() != parent else 1

live = Live(load, (sys.argv[1],), 0)
live.expire()
thread = threading.Thread(target=live)
thread.start()
inside.wait()
child = os.fork()
if not child:
    os._exit(live())
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
end.set()
thread.join()
sys.exit(code)
"""


@pytest.mark.posix
def test_a_child_ends_the_load_that_a_thread_of_its_parent_began(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _FORK, str(tmp_path)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 2


def test_listeners_hear_of_each_change_and_of_no_other(path: Path, key: TestKey) -> None:
    """NaN is not equal to itself, and 1, True and 1.0 are equal."""
    key.write(path, {"n": 1, "nan": float("nan")})
    live = watch(path, interval=0)
    heard: list[object] = []
    live.on_change(lambda old, new: heard.append(new))
    os.utime(path, (1, 1))
    assert live()["n"] == 1
    assert heard == []
    for value in (True, 1.0, 1):
        key.write(path, {"n": value})
        live()
    assert repr(heard) == repr([{"n": True}, {"n": 1.0}, {"n": 1}])


def test_files_that_cannot_be_loaded_are_tried_less_and_less_often(
    path: Path, key: TestKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, broken = 0.0, False
    loads: list[float] = []
    looks: list[float] = []

    def load() -> dict[str, int]:
        loads.append(now)
        if broken:
            raise ValueError("broken")
        return {"n": len(loads)}

    def stamp(path: str) -> object:
        looks.append(now)
        return real(path)

    real = module.fileio.stamp
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(module, "fileio", SimpleNamespace(**{**vars(module.fileio), "stamp": stamp}))
    live = watch(load, path, interval=10)
    broken = True
    key.write(path, {"n": 2})
    del looks[:]
    for tenth in range(0, 3000):
        now = tenth / 2
        assert live() == {"n": 1}
    assert looks == [10.0 * at for at in range(1, 150)]
    assert loads == [0, 10, 20, 40, 80, *range(140, 1500, 60)]
    assert isinstance(live.error, ValueError)
    broken = False
    now = 1520
    assert live() == {"n": len(loads)}
    assert live.error is None
    assert repr(live) == f"<encconf.Live {path}>"
