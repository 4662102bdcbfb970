"""`encconf exec --redact` passes on what a program prints, without the values that it was given."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time

import pytest
from cli.terminal import Terminal
from project import Project

MARK = "**********"
SECRET = "hunter2/and more+"
FILE = "s.enc.yaml"


@pytest.fixture
def shop(project: Project) -> Project:
    project.rules()
    project.write("s.yaml", f"db:\n  password: {SECRET}\n  pin: '123'\nhost_unencrypted: db.internal\n")
    project.run("encrypt", "-o", FILE, "s.yaml")
    return project


def python(code: str) -> list[str]:
    return ["--", sys.executable, "-uc", f"import os, sys, time; pw = os.environ['DB_PASSWORD']\n{code}"]


def test_both_outputs_are_redacted_and_the_rest_stays(shop: Project) -> None:
    code = "print('pw', pw, os.environ['HOST_UNENCRYPTED']); print('oops', repr(pw), file=sys.stderr)"
    done = shop.run("exec", "--redact", FILE, *python(f"{code}; sys.exit(3)"), code=3)
    assert done.out == f"pw {MARK} db.internal\n"
    assert done.err.endswith(f"oops '{MARK}'\n")
    warning = "not redacted, because they are shorter than 6 characters: DB_PIN"
    assert done.err.count(warning) == 1


def test_every_byte_of_other_output_comes_through(shop: Project) -> None:
    code = "sys.stdout.buffer.write(bytes(range(256)) * 5000)"
    with shop.popen("exec", "--redact", FILE, *python(code), stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=60)
    assert out == bytes(range(256)) * 5000


def test_a_value_in_pieces_does_not_get_through(shop: Project) -> None:
    code = "for sign in pw: sys.stdout.write(sign); sys.stdout.flush()"
    assert shop.run("exec", "--redact", FILE, *python(code)).out == MARK


def test_what_may_begin_a_value_is_not_held_back_for_long(shop: Project) -> None:
    """A prompt that looks like the beginning of a value is shown while the program waits."""
    with shop.popen(
        "exec", "--redact", FILE, *python("print(pw[:7], end=''); time.sleep(60)"), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(7) == b"hunter2"
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM


def test_the_program_has_a_terminal_of_the_same_size(shop: Project) -> None:
    code = (
        "print(sys.stdout.isatty(), os.get_terminal_size(1).columns > 0, pw)\n"
        "import fcntl, struct, termios\n"
        "print(struct.unpack('hh', fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(4))) =="
        " struct.unpack('hh', fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(4))))"
    )
    terminal = Terminal(shop, "exec", "--redact", FILE, *python(code), environ={"COLUMNS": "80"})
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("hhhh", 33, 77, 0, 0))
    assert terminal.end() == 0
    assert f"True True {MARK}" in terminal.seen
    assert terminal.seen.count("True") == 3


def test_ctrl_c_reaches_the_program(shop: Project) -> None:
    code = "try: print('ready'); time.sleep(60)\nexcept KeyboardInterrupt: print('stopped'); sys.exit(5)"
    terminal = Terminal(shop, "exec", "--redact", FILE, *python(code), environ={})
    terminal.wait_for("ready")
    terminal.type("\x03")
    assert terminal.end() == 5
    assert "stopped" in terminal.seen


def test_a_program_left_in_the_background_is_not_waited_for(shop: Project) -> None:
    begun = time.monotonic()
    done = shop.run("exec", "--redact", FILE, "--", "sh", "-c", "sleep 30 & echo $DB_PASSWORD")
    assert done.out == f"{MARK}\n"
    assert time.monotonic() - begun < 20


def test_a_program_whose_output_is_no_longer_read_ends(shop: Project) -> None:
    words = ["exec", "--redact", FILE, "--", "sh", "-c", "while echo x; do :; done; echo end >&2"]
    with shop.popen(*words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.read(2) == b"x\n"
        process.stdout.close()
        process.wait(30)


def test_no_program(shop: Project) -> None:
    done = shop.run("exec", "--redact", FILE, "--", "no-such-program", code=127)
    assert "no-such-program was not found" in done.err


def test_random_programs_let_no_value_through(shop: Project) -> None:
    """Each prints the value in a random encoding, in random pieces, among other text."""
    dice = random.Random(1)
    code = f"""
import base64, html, json, random, urllib.parse
dice = random.Random({dice.random()!r})
forms = [str, repr, json.dumps, html.escape, urllib.parse.quote, urllib.parse.quote_plus,
    lambda text: text.encode().hex(), lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.b64encode(("x" * dice.randrange(3) + text + "yz").encode()).decode()]
for _ in range(300):
    written = f"[{{dice.choice(forms)(pw)}}]\\n"
    while written:
        size = dice.choice([1, 3, 20, 999])
        os.write(dice.choice([1]), written[:size].encode())
        written = written[size:]
"""
    done = shop.run("exec", "--redact", FILE, *python(code))
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) == 300
    assert all(MARK in line for line in lines)
    assert not any(
        part in done.out for part in ("hunter", "and more", "and%20more", "and+more", "68756e746572")
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
@pytest.mark.parametrize("words", [["exec", "--redact", FILE], ["exec", "--watch", FILE]])
def test_a_kill_of_encconf_also_kills_the_program(shop: Project, words: list[str]) -> None:
    code = "print(os.getpid()); time.sleep(60)"
    with shop.popen(*words, *python(code), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        program = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
        try:
            assert select.select([program], [], [], 10)[0]  # it has ended
        finally:
            os.close(program)
