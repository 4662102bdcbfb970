"""``encconf exec --watch``: a program gets the values of a file that changes."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import IO

import pytest
from doubles.gnome_keyring import GnomeKeyring
from doubles.openbao import ROOT_TOKEN, OpenBao
from project import Project

SHOW = 'echo "has $PASSWORD"; while :; do sleep 0.1; done'


class Running:
    """A program under encconf, whose output is read line by line."""

    def __init__(self, project: Project, *words: str, environ: dict[str, str] | None = None) -> None:
        pipe = subprocess.PIPE
        self.process = project.popen("exec", *words, stdout=pipe, stderr=pipe, environ=environ or {})

    def says(self, text: str, *, err: bool = False) -> None:
        """Wait for a line with this text.  The time limit of the tests ends a wait for nothing."""
        stream: IO[bytes] | None = self.process.stderr if err else self.process.stdout
        assert stream is not None
        for line in stream:
            if text in line.decode():
                return
        raise AssertionError(f"it ended without {text!r}, with code {self.process.wait()}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def close(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)


Start = Callable[..., Running]


@pytest.fixture
def start(app: Project) -> Iterator[Start]:
    """Start programs, which end with the test."""
    started: list[Running] = []

    def run(*words: str, environ: dict[str, str] | None = None) -> Running:
        started.append(Running(app, *words, environ=environ))
        return started[-1]

    yield run
    for each in started:
        each.close()


@pytest.fixture
def app(project: Project) -> Project:
    project.rules()
    project.write("app.enc.yaml", "password: first-first\nport: 5432\n")
    project.run("encrypt", "-i", "app.enc.yaml")
    return project


def test_a_program_is_restarted_and_keeps_the_last_good_value(app: Project, start: Start) -> None:
    running = start("--watch", "app.enc.yaml", "--", "sh", "-c", SHOW)
    running.says("has first-first")
    app.run("set", "app.enc.yaml", "password", "second-second")
    running.says("PASSWORD changed: restarting the program", err=True)
    running.says("has second-second")
    text = app.read("app.enc.yaml")
    app.write("app.enc.yaml", text.replace("ENC[", "ENC[x"))
    running.says("the program keeps its values, because they cannot be loaded now: ", err=True)
    app.write("app.enc.yaml", text)
    app.run("rotate", "app.enc.yaml")  # the values are the same
    app.run("set", "app.enc.yaml", "password", "third-third")
    running.says("has third-third")  # and no other line before
    assert running.end() == 143


def test_a_program_gets_a_signal(app: Project, start: Start) -> None:
    script = "trap 'echo told' HUP; echo ready; while :; do sleep 0.1; done"
    running = start("--watch", "--signal", "hup", "app.enc.yaml", "--", "sh", "-c", script)
    running.says("ready")
    app.run("set", "app.enc.yaml", "password", "second-second")
    running.says("told")
    assert running.end() == 143


def test_a_program_that_ends_by_itself_is_not_restarted(start: Start) -> None:
    running = start("--watch", "app.enc.yaml", "--", "sh", "-c", "exit 7")
    assert running.process.wait(20) == 7


def test_output_is_redacted_with_the_values_of_now(app: Project, start: Start) -> None:
    running = start("--watch", "--redact", "app.enc.yaml", "--", "sh", "-c", SHOW)
    running.says("has **********")
    app.run("set", "app.enc.yaml", "password", "second-second")
    running.says("has **********")
    assert running.end() == 143


def test_values_that_a_program_gets_by_a_signal_are_redacted(app: Project, start: Start) -> None:
    """The program reads the file itself; this one knows the new value."""
    script = "trap 'echo told first-first and second-second' HUP; echo ready; while :; do sleep 0.1; done"
    words = ["--watch", "--signal", "hup", "--redact", "app.enc.yaml"]
    running = start(*words, "--", "sh", "-c", script)
    running.says("ready")
    app.run("set", "app.enc.yaml", "password", "second-second")
    running.says("told ********** and **********")


def test_a_reference_is_fetched_again_and_a_server_may_be_away(app: Project, start: Start) -> None:
    with OpenBao() as bao:
        put = bao.root.secrets.kv.v2.create_or_update_secret
        put("app", {"password": "first-of-bao"})
        app.run("set", "app.enc.yaml", "password", "ref+vault://secret/data/app#/password")
        environ = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT_TOKEN}
        words = ["--watch", "--resolve", "--every", "1", "app.enc.yaml"]
        running = start(*words, "--", "sh", "-c", SHOW, environ=environ)
        running.says("has first-of-bao")
        put("app", {"password": "second-of-bao"})
        running.says("has second-of-bao")
    running.says("the program keeps its values", err=True)
    time.sleep(0.5)
    assert running.process.poll() is None
    assert running.end() == 143


def test_a_value_in_a_keyring_is_fetched_again(app: Project, start: Start) -> None:
    with GnomeKeyring() as desktop:

        def store(value: str) -> None:
            desktop.tool("store", "--label=x", "service", "shop", "username", "db", given=value)

        store("first-of-keyring")
        app.run("set", "app.enc.yaml", "password", "ref+keyring:shop/db")
        environ = {**desktop.environ, "SOPS_AGE_KEY": app.key.identity, "ENCCONF_REF_ALLOW": "keyring"}
        words = ["--watch", "--resolve", "--every", "1", "app.enc.yaml"]
        running = start(*words, "--", "sh", "-c", SHOW, environ=environ)
        running.says("has first-of-keyring")
        store("second-of-keyring")
        running.says("has second-of-keyring")
        desktop.lock()
        running.says("the program keeps its values", err=True)
        assert running.process.poll() is None
        assert running.end() == 143


def test_wrong_options(app: Project) -> None:
    for words, said in (
        (["--signal", "HUP"], "--signal and --every need --watch"),
        (["--watch", "--signal", "NOPE"], "NOPE is not a signal"),
        (["--watch", "--every", "0"], "--every must be a number of seconds"),
    ):
        done = app.run("exec", *words, "app.enc.yaml", "--", "true", code=1)
        assert said in done.err
    assert "--watch needs files" in app.run("exec", "--watch", "-", "--", "true", code=1).err
