"""``encconf export``: the values of files in the words of other programs.

What reads which dialect right was measured with values that hold blanks, quotes, ``#``, ``$``, backslashes
and line breaks: single quotes are read alike by bash, python-dotenv, uv, node, dotenvx and systemd.
"""

from __future__ import annotations

import os
import re

from encconf import fileio
from encconf.cli import files, flat
from encconf.errors import EmitError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.cli.console import Console

FORMATS = ("dotenv", "shell", "fish", "json", "github", "k8s")


def export(
    console: Console,
    *,
    file: list[str],
    format: str | None,
    prefix: str | None,
    nested_separator: str | None,
    section: str | None,
    keep_case: bool,
    name: str | None,
    plaintext: bool,
    input_type: str | None,
    config: str | None,
) -> None:
    """Print the values in a format, or hand them to a GitHub workflow."""
    from encconf.cli.console import is_terminal

    if format is None:
        raise UsageError("say in which format", hint=f"--format {'|'.join(FORMATS)}")
    if not file:
        raise UsageError("no file was named")
    if format != "github" and is_terminal(1) and not plaintext:
        raise UsageError(
            "stdout is a terminal, and the values are secret", hint="--plaintext shows them all the same"
        )
    if format == "k8s" and len(file) == 1 and files.format_of(file[0], input_type) == "binary":
        console.data(_k8s_binary(console, file[0], name, input_type))
        return
    found = flat.values(
        console,
        file,
        prefix=prefix or "",
        separator=nested_separator or "_",
        section=section,
        keep_case=keep_case,
        input_type=input_type,
    )
    texts = {each: text for each, (text, _) in found.items()}
    if format == "github":
        _github(console, texts)
        return
    console.data(_k8s(texts, name or _secret_name(file[0])) if format == "k8s" else _WRITERS[format](texts))


def dotenv(texts: Mapping[str, str]) -> str:
    """Lines for bash, python-dotenv, uv, node, dotenvx, systemd: in single quotes where that can be."""
    return "".join(f"{name}={_dotenv_word(text)}\n" for name, text in texts.items())


def _dotenv_word(text: str) -> str:
    if "'" not in text:
        return f"'{text}'"
    return '"' + re.sub(r'[\\"$`]', lambda sign: "\\" + sign[0], text) + '"'


def shell(texts: Mapping[str, str]) -> str:
    """Commands for sh, bash and zsh."""
    quoted = ((name, text.replace("'", "'\\''")) for name, text in texts.items())
    return "".join(f"export {name}='{text}'\n" for name, text in quoted)


def fish(texts: Mapping[str, str]) -> str:
    """Commands for fish."""
    quoted = ((name, re.sub(r"['\\]", lambda sign: "\\" + sign[0], text)) for name, text in texts.items())
    return "".join(f"set -gx {name} '{text}'\n" for name, text in quoted)


def json(texts: Mapping[str, str]) -> str:
    """One flat object of strings, as Terraform's external data source wants it."""
    from json import dumps

    return dumps(dict(texts), ensure_ascii=False, indent=2) + "\n"


_WRITERS = {"dotenv": dotenv, "shell": shell, "fish": fish, "json": json}


def _github(console: Console, texts: Mapping[str, str]) -> None:
    """Mask every value in the log of a GitHub workflow, then set it for the steps that follow."""
    path = console.environ.get("GITHUB_ENV")
    if not path:
        raise UsageError("GITHUB_ENV is not set: this is no step of a GitHub workflow")
    masks: dict[str, None] = {}
    for text in texts.values():
        for part in (text, *text.splitlines()):
            if part.strip():
                masks[part.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")] = None
    console.data("".join(f"::add-mask::{mask}\n" for mask in masks))
    lines = []
    for name, text in texts.items():
        end = f"encconf_{os.urandom(12).hex()}"
        lines.append(f"{name}<<{end}\n{text}\n{end}\n")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fileio.write_all(descriptor, "".join(lines).encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(f"GITHUB_ENV cannot be written: {error.strerror}") from None
    console.note(f"set {len(texts)} variables for the steps that follow")


def _k8s(texts: Mapping[str, str], name: str) -> str:
    from encconf.formats import yaml

    body = "".join(f"  {each}: {yaml.double(text)}\n" for each, text in texts.items())
    return _secret(name) + ("stringData:\n" + body if body else "stringData: {}\n")


def _k8s_binary(console: Console, file: str, name: str | None, input_type: str | None) -> str:
    import base64

    from encconf import api

    source = files.read(file, in_place=False, output=None, override=None)
    plain = api.decrypt(
        source.text, format="binary", credentials=files.credentials(console), notify=console.warn
    )
    key = re.sub(r"[^-._a-zA-Z0-9]", "_", os.path.basename(file).removesuffix(".enc"))
    data = base64.b64encode(plain.encode("utf-8", "surrogateescape")).decode()
    return f"{_secret(name or _secret_name(file))}data:\n  {key}: {data}\n"


def _secret(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", name):
        raise EmitError(
            "a Kubernetes name has lower-case letters, digits, dots and dashes", hint="give one: --name NAME"
        )
    return f'apiVersion: v1\nkind: Secret\nmetadata:\n  name: "{name}"\ntype: Opaque\n'


def _secret_name(file: str) -> str:
    """``secrets`` for ``secrets.enc.yaml``."""
    return re.sub(r"[^a-z0-9-]+", "-", os.path.basename(file).partition(".")[0].lower()).strip("-")
