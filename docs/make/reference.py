"""Write the generated pages of docs/reference/: `make reference`.

The command line comes from `encconf.cli.table`, the errors from `encconf.cli.error_help` and
`encconf.audit.findings`, variables and exit codes from `encconf help`, and the JSON reports from
docs/reference/schemas/.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from encconf.audit.findings import KINDS  # noqa: E402
from encconf.cli.command import Command, Option  # noqa: E402
from encconf.cli.error_help import ENTRIES  # noqa: E402
from encconf.cli.table import ROOT_OPTIONS, commands  # noqa: E402

FOLDER = ROOT / "docs" / "reference"


def topic(name: str) -> str:
    """What ``encconf help NAME`` prints."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    words = [sys.executable, "-m", "encconf", "help", name]
    return subprocess.run(words, env=environ, capture_output=True, check=True).stdout.decode()


def usage(command: Command) -> str:
    """The line that calls a command."""
    words = [f"encconf {command.name}", "[OPTIONS]" if command.options else ""]
    for argument in command.arguments:
        word = argument.dest.upper() + ("…" if argument.many else "")
        words.append(word if argument.required else f"[{word}]")
    if command.rest:
        rest = f"-- {command.rest.upper()}…"
        words.append(rest if command.rest == "argv" else f"[{rest}]")
    return " ".join(filter(None, words))


def names(option: Option) -> str:
    """The names of an option, with the word for its value."""
    value = "|".join(option.choices) or option.metavar
    return ", ".join(option.names) + (f" {value}" if not option.is_switch else "")


def cell(text: str) -> str:
    """Text for a cell of a table, in which Markdown has no meaning."""
    return re.sub(r"([\\`*<>|\[\]]|\b_|_\b)", r"\\\1", text)


def code(text: str) -> str:
    """Code for a cell of a table."""
    quotes = "``" if "`" in text else "`"
    return f"{quotes}{text}{quotes}".replace("|", "\\|")


def table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [titles, ("---",) * len(titles), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def command_line() -> str:
    """The page of the command line."""
    out = [
        "# The command line\n\n"
        "`encconf help COMMAND` prints the same. Under the name `sops`, encconf takes the command line of "
        "sops instead: see [Coming from sops](../from-sops.md).\n",
        table(("command", "what it does"), [
            (f"[`{each.name}`](#encconf-{each.name.replace(' ', '-')})", cell(each.summary))
            for each in commands()
        ]),
        "You can also put these options before the command:\n",
        options(ROOT_OPTIONS),
    ]  # fmt: skip
    for command in commands():
        out.append(
            f"## encconf {command.name}\n\n{cell(command.summary)}\n\n```text\n{usage(command)}\n```\n"
        )
        for block in command.details:
            if isinstance(block, str):
                out.append(cell(block) + "\n")
            else:
                out.append("".join(f"- **{cell(term)}**: {cell(text)}\n" for term, text in block))
        out.append(options(command.options))
        if command.examples:
            out.append("Examples:\n\n```text\n" + "\n".join(command.examples) + "\n```\n")
    return "\n".join(out)


def options(given: Sequence[Option]) -> str:
    """A table of options."""
    rows = []
    for option in given:
        variable = f" Variable: {code(option.env)}." if option.env else ""
        rows.append((code(names(option)), cell(option.help) + variable))
    return table(("option", "meaning"), rows)


def errors() -> str:
    """The page of errors and findings."""
    out = [
        "# Errors and findings\n\n"
        "Each error message contains a slug: `encconf: error[no-rule]: …`. In Python, it is `error.slug`. "
        "`encconf help error no-rule` prints the entry of this page for that slug.\n",
        "## Errors\n",
    ]
    for slug, entry in ENTRIES.items():
        out.append(f"### {slug}\n\n{cell(entry.meaning)}\n\n{cell(entry.do)}\n\nExit code {entry.code}.\n")
    out += [
        "## Findings of encconf check\n\n"
        "`--ignore SLUG` hides a kind of finding; see [Checks without keys](../check.md).\n",
        table(("finding", "severity", "what it means", "what to do"), [
            (code(slug), kind.severity, cell(kind.title), cell(kind.help)) for slug, kind in KINDS.items()
        ]),
    ]  # fmt: skip
    return "\n".join(out)


def exit_codes() -> str:
    """The page of exit codes."""
    first, *lines = topic("exit-codes").splitlines()
    rows = re.findall(r"^ +(\d+)  +(.+(?:\n {7,}\S.*)*)", "\n".join(lines), flags=re.M)
    cells = [(number, cell(" ".join(text.split()))) for number, text in rows]
    after = (
        "If a signal ends a command, the exit code is 128 plus the signal's number. "
        "`encconf help exit-codes` prints this list."
    )
    return f"# Exit codes\n\n{first}\n\n{table(('code', 'meaning'), cells)}\n{after}\n"


def environment() -> str:
    """The page of environment variables."""
    out: list[str] = ["# Environment variables\n"]
    rows: list[list[str]] = []

    def close() -> None:
        if rows:
            made = [(", ".join(map(code, key.split(", "))), cell(text.strip())) for key, text in rows]
            out.append(table(("variable", "meaning"), made))
            rows.clear()

    for line in topic("environment").splitlines():
        entry = re.match(r"  (\S(?:.*?\S)?)(?:  +(\S.*))?$", line)
        if not line.strip():
            close()
        elif not line.startswith(" "):
            close()
            out.append(f"{line}\n" if line.endswith(".") else f"## {line}\n")
        elif line.startswith("   ") and rows:
            rows[-1][1] += f" {line.strip()}"
        elif entry:
            rows.append([entry[1], entry[2] or ""])
    close()
    out.append("`encconf help environment` prints this list.\n")
    return "\n".join(out)


REPORTS = (
    *("check", "explain", "access", "diff", "batch", "publish"),
    *("import", "doctor", "callers", "filestatus", "accept"),
)
JSON_REPORTS = """\
# JSON reports

Every report for programs is one JSON document on stdout; messages go to stderr. No report contains a value
of a file, except with `--show-values` (`diff`, `accept`). Dates are in RFC 3339.

The schemas are JSON Schema 2020-12. They name the members that you can rely on. A later version can add
members, so ignore those that you don't know; [what is public](../versioning.md) says when a member can
change.

`encconf get --json` prints the value itself, and `encconf export --format json` a flat object of all values.
"""


def json_reports() -> str:
    """The page of the JSON reports."""
    out = [JSON_REPORTS]
    for name in REPORTS:
        schema = json.loads((FOLDER / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
        title = schema["title"].replace(" --json", "").replace(" with", "")
        example = json.dumps(schema["examples"][0], indent=2, ensure_ascii=False)
        out += [
            f"## {title}\n\n{schema['description']} Schema: [{name}.json](schemas/{name}.json).\n",
            table(("member", "type", "meaning"), list(members(schema, ""))),
            f"An example:\n\n```json\n{example}\n```\n",
        ]
    return "\n".join(out)


def members(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    """A row for each member of an object, and below it those of the objects in it."""
    for name, about in schema.get("properties", {}).items():
        below, inner = f"{path}{name}", about
        kinds: list[str] = []
        for each in about.get("anyOf", [about]):
            inner = each if each.get("type") != "null" else inner
            kinds += [each["type"]] if isinstance(each.get("type"), str) else each.get("type", [])
            kinds += [", ".join(str(value or "null") for value in each.get("enum", ()))]
        yield code(below), cell(" or ".join(filter(None, kinds))), cell(about["description"])
        while inner.get("type") == "array":
            below, inner = f"{below}[]", inner["items"]
        yield from members(inner, f"{below}.")


PAGES = {
    "command-line.md": command_line,
    "errors.md": errors,
    "exit-codes.md": exit_codes,
    "environment.md": environment,
    "json.md": json_reports,
}

if __name__ == "__main__":
    for name, made in PAGES.items():
        (FOLDER / name).write_text(made(), encoding="utf-8")
