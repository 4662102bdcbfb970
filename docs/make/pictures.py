"""Make the pictures of the README from real runs: `make pictures`, into docs/pictures.

terminal.svg shows a session that is run here; benchmark.svg draws the table that `make bench` wrote;
access.png is the page of `encconf access --html`, as Chromium shows it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures"
COLUMNS = 92
SESSION = (
    "cat config.yaml",
    "encconf encrypt config.yaml",
    "head -4 config.enc.yaml",
    "encconf set config.enc.yaml database.password n3w-pa55",
    "git diff --unified=0 | tail -2",
    "python -c 'import encconf; print(encconf.load_config(\"config.enc.yaml\"))'",
)
PLAIN = 'database:\n  host: db.example.com\n  password: "pa55-w0rd"  # rotate in June\ndebug: false\n'


def shell(command: str, folder: Path, environ: dict[str, str]) -> str:
    """Run a command line; what it prints."""
    words = ["bash", "-c", f"exec 2>&1; {command}"]
    return subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=True).stdout


def project(folder: Path) -> dict[str, str]:
    """Make a project with a key in an empty home; the variables to work in it."""
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "encconf"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m encconf "$@"\n')
    program.chmod(0o755)
    path = f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"HOME": str(folder), "PATH": path, "PYTHONPATH": str(ROOT), "GIT_PAGER": "cat"}
    environ |= {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    work = folder / "work"
    work.mkdir()
    (work / "config.yaml").write_text(PLAIN, encoding="utf-8")
    (work / ".gitignore").write_text("/config.yaml\n", encoding="utf-8")
    shell("git init -q -b main; encconf init", work, environ)
    return environ


def terminal() -> str:
    """terminal.svg: the session."""
    lines: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = project(folder)
        for command in SESSION:
            if command.startswith("encconf set"):
                shell("git add . && git commit -qm x", folder / "work", environ)
            lines.append(("prompt", f"$ {command}"))
            for line in shell(command, folder / "work", environ).splitlines():
                if not line.startswith("encconf: hint:"):
                    lines.append((kind(line), line))
    return drawn(lines)


def kind(line: str) -> str:
    """How a line of output is coloured."""
    return {"-": "old", "+": "new"}.get(line[:1], "note" if line.startswith("encconf:") else "out")


def drawn(lines: list[tuple[str, str]]) -> str:
    """Lines as a terminal, in SVG."""
    height = 20 * len(lines) + 28
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * 8 + 32} {height}" role="img">',
        "<title>encconf in a terminal: a file is encrypted, a value changed, the difference shown</title>",
        "<style>text{font:13px ui-monospace,Menlo,Consolas,monospace;white-space:pre;fill:#d6dde0}"
        ".prompt{fill:#fff;font-weight:bold}.note{fill:#9fb2b8}.old{fill:#ff9e9e}.new{fill:#8fe0a8}</style>",
        f'<rect width="100%" height="{height}" rx="8" fill="#16211f"/>',
    ]
    for number, (style, line) in enumerate(lines):
        text = line if len(line) <= COLUMNS else f"{line[: COLUMNS - 1]}…"
        out.append(f'<text class="{style}" x="16" y="{28 + 20 * number}">{escape(text)}</text>')
    return "\n".join([*out, "</svg>\n"])


def benchmark() -> str:
    """benchmark.svg: the seconds of sops and encconf, from the table that `make bench` wrote."""
    pages = [*ROOT.glob("docs/benchmark*.md"), ROOT / "README.md"]
    text = next(each for page in pages if "<!-- benchmark" in (each := page.read_text(encoding="utf-8")))
    rows = re.findall(r"^\| ([\d,]+) \| (\w+) \| ([\d.,]+) ms \| ([\d.,]+) ms \|", text, flags=re.M)
    bars = [(f"{job}, {leaves} values", number(own), number(other)) for leaves, job, own, other in rows]
    bars = [bar for bar in bars if bar[0].endswith((", 20 values", ", 5,000 values"))]
    height = 44 * len(bars) + 60
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" role="img">',
        "<title>Time of encconf and of sops for the same job; shorter is better</title>",
        "<style>text{font:13px "
        "system-ui,sans-serif;fill:#24302e}.own{fill:#0b6e63}.other{fill:#9aa7a4}</style>",
        f'<rect width="760" height="{height}" rx="8" fill="#fff"/>',
        '<rect class="own" x="190" y="16" width="12" height="12"/><text x="208" y="27">encconf</text>',
        '<rect class="other" x="290" y="16" width="12" height="12"/><text x="308" y="27">sops</text>',
        '<text x="380" y="27">in each row, the slower program fills the width</text>',
    ]
    for index, (name, own, other) in enumerate(bars):
        top, scale = 44 + 44 * index, 430 / max(own, other)
        out.append(f'<text x="180" y="{top + 20}" text-anchor="end">{escape(name)}</text>')
        for style, value, at in (("own", own, top), ("other", other, top + 16)):
            wide = max(2, value * scale)
            out.append(f'<rect class="{style}" x="190" y="{at}" width="{wide:.1f}" height="13"/>')
            out.append(f'<text x="{196 + wide:.1f}" y="{at + 11}">{value:,.4g} ms</text>')
    return "\n".join([*out, "</svg>\n"])


def number(text: str) -> float:
    """A number as the table writes it."""
    return float(text.replace(",", ""))


def access(into: Path) -> None:
    """access.png: who can read the files of a made-up team."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = project(folder)
        work = folder / "work"
        make = f"encconf keygen -o {folder}/%s.txt 2>/dev/null"
        keys = {who: shell(make % who, work, environ).strip() for who in ("alice", "bob", "carol", "ci")}
        files = {
            "deploy/prod/db": ("alice", "ci"),
            "deploy/prod/web": ("alice", "bob", "ci"),
            "deploy/staging/db": ("alice", "bob", "carol"),
            "app/settings": ("alice", "bob", "carol", "ci"),
        }
        rules = "creation_rules:\n"
        for file, people in files.items():
            rules += f"  - path_regex: ^{file}\n    age:\n"
            rules += "".join(f"      - {keys[who]} # {who}\n" for who in people)
        (work / ".sops.yaml").write_text(rules, encoding="utf-8")
        for file in files:
            (work / file).parent.mkdir(parents=True, exist_ok=True)
            (work / f"{file}.yaml").write_text("password: x\n", encoding="utf-8")
            shell(f"encconf encrypt {file}.yaml && rm {file}.yaml", work, environ)
        shell(f"git add . && git commit -qm x && encconf access --html {folder}/access.html", work, environ)
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--window-size=900,560", f"--user-data-dir={folder}/browser", f"--screenshot={into}"),
                (folder / "access.html").as_uri(),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "terminal.svg").write_text(terminal(), encoding="utf-8")
    (FOLDER / "benchmark.svg").write_text(benchmark(), encoding="utf-8")
    if shutil.which("chromium"):
        access(FOLDER / "access.png")
