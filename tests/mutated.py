"""Change encrypted files of every format at random, and open them under limits (part of `make fuzz`).

A child process gets one text at a time, and does what you do with a file that somebody else has changed:
`loads_all`, `decrypt`, `inspect`, and on the command line `check` and `decrypt`.  Each step may succeed or
raise EncconfError.  Anything else is a finding: another exception, an internal error, more memory or time
than the limits, or the death of the child.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import random
import re
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from oracle import FIXTURES, AgeKey

MEMORY = 200 << 20
"""The limit of memory for a step in bytes, for a text of up to 1 MB."""
SECONDS = 2.5
"""The limit of CPU time for a step.  TOML with many tables takes half of it."""
LARGEST = 1_000_000
NAMES = {  # by format
    "yaml": "f.yaml",
    "json": "f.json",
    "dotenv": "f.env",
    "ini": "f.ini",
    "toml": "f.toml",
    "binary": "f.bin",
}

PLAIN = {
    "yaml": '# c\na: secret\nb: {x: 1, y: [1.5, true, ~, ""]}\nl:\n  - # in\n    k: |\n      two\n'
    "      lines\n  - !!binary aGk=\nanchor: &a {z: 2024-01-02T03:04:05Z}\nalias: *a\n"
    "open_unencrypted: 0x1F\n",
    "json": '{"a": "secret", "b": {"x": 1, "y": [1.5, true, null, ""]}, '
    '"open_unencrypted": [1e3, "\\u00e9"]}\n',
    "dotenv": "# c\nA=secret\nB='two words'\nC=\"a\\nb\"\nOPEN_unencrypted=1\nEMPTY=\n",
    "ini": '; c\ntop = 1\n[one]\na = secret\nopen_unencrypted = x\n[two]\nb = "q"\n',
    "toml": '# c\na = "secret"\nd = 2024-01-02T03:04:05Z\n[t]\nb = [1, 2.5, true]\n[[t.u]]\nx = """\nq"""\n',
    "binary": "any\x00bytes\n",
}


def seeds(key: AgeKey) -> list[tuple[str, str]]:
    """Return the format and the text of each file to change."""
    from engine import credentials, rule

    from encconf import api, formats

    found = [
        (format, api.encrypt(text, rule(key), format=format, credentials=credentials(key)))
        for format, text in PLAIN.items()
    ]
    for path in sorted([*FIXTURES.glob("sops/*.enc.*"), *FIXTURES.glob("strict1/*")]):
        if path.name.startswith("cloud-keys"):
            continue  # its keys would make it wait for services
        found.append((formats.of_path(path.name), path.read_bytes().decode()))
    return found


# --- changes -------------------------------------------------------------------------------------

_WORDS = [
    "",
    "~",
    "null",
    "true",
    "NaN",
    ".inf",
    "1e999",
    "-0",
    "9" * 5000,
    "0x" + "f" * 3000,
    "9999-99-99T99:99:99Z",
    "[]",
    "{}",
    "[[",
    "]]",
    "{",
    "}",
    "&a",
    "*a",
    "*alias",
    "<<: *a",
    "!!binary x",
    "!!int",
    "!t",
    "? ",
    ": ",
    "- ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\t",
    "\r",
    "\r\n",
    "\ufeff",
    "\u2028",
    "\x85",
    "\x00",
    "\ud800",
    "\U0001f600",
    '"',
    "'",
    "\\",
    "\\u",
    "\\ud800",
    '"""',
    "'''",
    "#",
    ";",
    "=",
    "[a]\n",
    "[[a]]\n",
    "a.b.c = 1\n",
    "sops",
    "sops:",
    "sops_",
    "sops_mac=x\n",
    '"sops": ',
    "ENC[AES256_GCM,data:,iv:,tag:,type:str]",
    "ENC[AES256_GCM,data:AAAA,",
    "type:comment]",
    "type:bytes]",
    "type:time]",
    "iv:AA==",
    "tag:" + "A" * 24,
    "mac_only_encrypted: true\n",
    "shamir_threshold: 3\n",
    "key_groups:\n",
    "encrypted_regex: (a+)+$\n",
    "version: 3.2.0\n",
    "1" * 400 + ".5",
    "-----BEGIN AGE ENCRYPTED FILE-----",
    "-----END AGE ENCRYPTED FILE-----",
]


def mutate(text: str, draw: random.Random) -> str:
    """Return the text after a few changes of its bytes, words, lines or structure."""
    for _ in range(draw.choice([1, 1, 1, 2, 3, 8])):
        text = draw.choice(_CHANGES)(text, draw)[:LARGEST]
    return text


def _span(text: str, draw: random.Random, longest: int) -> tuple[int, int]:
    start = draw.randrange(len(text) + 1)
    return start, min(start + draw.randrange(longest), len(text))


def _bytes(text: str, draw: random.Random) -> str:
    data = bytearray(text.encode(errors="surrogatepass"))
    for _ in range(draw.choice([1, 2, 20])):
        if data:
            data[draw.randrange(len(data))] = draw.randrange(256)
    return data.decode(errors="replace")


def _word(text: str, draw: random.Random) -> str:
    start, end = _span(text, draw, draw.choice([1, 8, 60]))
    return text[:start] + draw.choice(_WORDS) + text[end:]


def _value(text: str, draw: random.Random) -> str:
    """Replace one value, number or ciphertext."""
    found = list(
        re.finditer(r"(?<=[:=] )\S.*|(?<==)\S.*|ENC\[[^\]]*\]|[0-9]+|(?<=:)[A-Za-z0-9+/=]{4,}", text)
    )
    if not found:
        return text
    match, other = draw.choice(found), draw.choice(found)
    new = draw.choice(
        [draw.choice(_WORDS), other[0], match[0] * 2, match[0][:-1], match[0] + draw.choice(_WORDS)]
    )
    return text[: match.start()] + new + text[match.end() :]


def _lines(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    kind = draw.randrange(6)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(other, lines[at])
    elif kind == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 3:
        lines[at] = " " * draw.choice([1, 2, 4, 40]) + lines[at]
    elif kind == 4:
        lines[at] = lines[at].lstrip()
    else:
        lines[min(at, other) : max(at, other)] = lines[min(at, other) : max(at, other)] * draw.choice(
            [0, 2, 3]
        )
    return "".join(lines)


def _cut(text: str, draw: random.Random) -> str:
    start, end = _span(text, draw, len(text) + 1)
    return draw.choice([text[:start], text[end:], text[:start] + text[end:]])


def _many(text: str, draw: random.Random) -> str:
    """Repeat a piece of the text, or a word, very often."""
    start, end = _span(text, draw, draw.choice([2, 30, 400]))
    piece = draw.choice([text[start:end], draw.choice(_WORDS), *_BOMBS])
    size = draw.choice([1_000, 30_000, 300_000, LARGEST])
    if "%d" in piece:
        piece = "".join(piece % (n, max(n - 1, 0)) for n in range(min(size // len(piece), 60_000)))
    at = draw.choice([0, start, text.find("sops"), len(text)])
    return text[:at] + piece * (size // (len(piece) or 1)) + text[at:]


_BOMBS = [
    "a%d: &a%d [*a%d]\n".replace("&a%d [*a%d]", "&b%d x"),
    "k%d: {z: *a, y: %d}\n",
    "- *a\n",
    "  - *a\n",
    "[",
    "{a: ",
    '{"a":',
    "- ",
    "? ",
    "x%d:\n  <<: *a\n  q: %d\n",
    '"a%d": %d, ',
    "A%d=%d\n",
    "[s%d]\na = %d\n",
    "[[t.u]]\nx=1\n",
    "---\nb%d: %d\n",
    "# c%d %d\n",
    "k%d: 'ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]' # %d\n",
    "&a ",
    "!t ",
    "a.",
    "1, ",
    "\n",
    " \n",
    "\t",
    "\\",
]

_CHANGES = [_bytes, _word, _word, _value, _value, _value, _lines, _lines, _lines, _cut, _many, _many]


# --- one child -----------------------------------------------------------------------------------


def _steps(text: str, format: str, file: Path, creds: Any) -> list[tuple[str, Any]]:
    from encconf import api, cli

    def command(*argv: str) -> None:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            cli.main(list(argv))
        if "error[internal]" in said.getvalue():
            raise AssertionError(said.getvalue()[:300])

    return [
        ("loads_all", lambda: format == "binary" or api.loads_all(text, format=format, credentials=creds)),
        ("decrypt", lambda: api.decrypt(text, format=format, credentials=creds)),
        ("recover", lambda: api.decrypt(text, format=format, credentials=creds, ignore_mac=True)),
        ("inspect", lambda: api.inspect(text, format=format)),
        ("check", lambda: command("check", str(file))),
        ("decrypt FILE", lambda: command("decrypt", "-o", os.devnull, str(file))),
    ]


def _used(which: str) -> int:
    """Return a size of this process in bytes.

    ``which`` is VmSize, VmRSS, or VmHWM, which is the highest VmRSS since `_forget`.
    """
    found = re.search(rf"{which}:\s*([0-9]+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def _forget() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def work(pipe: Connection, identities: str, folder: str) -> None:
    """Receive texts, run the steps on each, and send back the findings."""
    from engine import credentials

    from encconf import errors
    from encconf.cli import shared, table  # noqa: F401

    os.chdir(folder)
    os.environ.update({"HOME": folder, "SOPS_AGE_KEY": identities})
    creds = credentials(*(AgeKey(each, "") for each in identities.split()))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    warm = PLAIN["yaml"] + "sops: {}\n"
    for format in NAMES:
        for _, step in _steps(warm, format, Path(folder) / "none", creds):
            with contextlib.suppress(errors.EncconfError):
                step()
    resource.setrlimit(resource.RLIMIT_AS, (_used("VmSize") + 3 * MEMORY, -1))
    while True:
        text, format = pipe.recv()
        wrong: list[str] = []
        file = Path(folder) / NAMES[format]
        file.write_bytes(text.encode(errors="surrogatepass"))
        for name, step in _steps(text, format, file, creds):
            gc.collect()
            _forget()
            before = _used("VmRSS")
            started = time.process_time()
            try:
                step()
            except errors.EncconfError:
                pass
            except BaseException as error:
                wrong.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
            took = time.process_time() - started
            if took > SECONDS:
                wrong.append(f"{name}: {took:.1f} s of CPU time for {len(text)} characters")
            if (more := _used("VmHWM") - before) > MEMORY:
                wrong.append(f"{name}: {more >> 20} MB for {len(text)} characters")
        pipe.send(wrong)


class Child:
    """The child process.  It is started again if it has died or does not answer."""

    def __init__(self, key: AgeKey) -> None:
        self._identities = " ".join([key.identity, *(AgeKey.load(path).identity for path in _KEYS)])
        self._folder = tempfile.mkdtemp(prefix="encconf-fuzz-")
        self._process: Any = None

    def run(self, text: str, format: str) -> list[str]:
        """Run the steps on a text, and return the findings.

        A finding counts only if a new child has it too, because earlier texts may be the cause in an old one.
        """
        found = self._run(text, format)
        if found:
            self.close()
            found = self._run(text, format)
        return found

    def _run(self, text: str, format: str) -> list[str]:
        if self._process is None:
            context = get_context("spawn")
            self._pipe, other = context.Pipe()
            arguments = (other, self._identities, self._folder)
            self._process = context.Process(target=work, args=arguments, daemon=True)
            self._process.start()
            other.close()
        self._pipe.send((text, format))
        try:
            if self._pipe.poll(60):
                answer: list[str] = self._pipe.recv()
                return answer
            wrong = "no answer within 60 s"
        except EOFError:
            self._process.join()
            wrong = f"the process died: {self._process.exitcode}"
        self.close()
        return [wrong]

    def close(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


_KEYS = sorted((FIXTURES / "keys").glob("*.txt"))


def main(minutes: float, seed: int) -> int:
    """Change and open files until the time is over.  Returns how many had findings."""
    key = AgeKey.generate()
    texts = seeds(key)
    child = Child(key)
    end = time.monotonic() + 60 * minutes
    wrong = count = 0
    while time.monotonic() < end:
        draw = random.Random(seed + count)
        format, text = draw.choice(texts)
        changed = mutate(text, draw)
        if found := child.run(changed, format):
            wrong += 1
            kept = Path(tempfile.gettempdir()) / f"encconf-mutated-{seed + count}-{NAMES[format]}"
            kept.write_bytes(changed.encode(errors="surrogatepass"))
            print(f"mutated, seed {seed + count} ({kept}):", *found, sep="\n  ", flush=True)
        count += 1
    child.close()
    print(f"mutated files, seeds {seed} to {seed + count - 1}: {wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.path[:0] = [str(FIXTURES.parent)]
    main(float(sys.argv[1]), int(sys.argv[2]))
