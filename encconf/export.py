"""Values in the words of other programs: what `encconf export` prints.

What reads which dialect right was measured with values that hold blanks, quotes, ``#``, ``$``, backslashes
and line breaks: single quotes are read alike by bash, python-dotenv, uv, node, dotenvx and systemd.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from encconf.errors import EmitError
from encconf.systemd import envfile

FORMATS = ("dotenv", "shell", "fish", "json", "github", "k8s", "env-file", "systemd-creds")


def dotenv(texts: Mapping[str, str]) -> str:
    """Lines for bash, python-dotenv, uv, node, dotenvx, systemd: in single quotes where that can be.

    All read alike what has no ``'`` and no backslash at the end.  python-dotenv expands ``${NAME}`` in
    any quotes, unless it should not.
    """
    return "".join(f"{name}={_dotenv_word(text)}\n" for name, text in texts.items())


def _dotenv_word(text: str) -> str:
    # python-dotenv takes \' for a quote, and would read on into the next line.
    return envfile.word(text) if not text.endswith("\\") else envfile.in_double_quotes(text)


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


WRITERS = {"dotenv": dotenv, "shell": shell, "fish": fish, "json": json, "env-file": envfile.write}
"""Formats that are a text of names and values and nothing else."""


_KEYWORDS = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off"})


def is_masked(text: str) -> bool:
    """Whether a value is long enough to be masked: a log without every ``3`` or ``true`` cannot be read."""
    return len(text.strip()) > 3 and text.strip().lower() not in _KEYWORDS


def github(texts: Mapping[str, str], ends: Mapping[str, str], secret: Iterable[str]) -> tuple[str, str]:
    """For a GitHub workflow: lines that mask values in its log, and the lines for ``$GITHUB_ENV``.

    ``ends`` has for each name a word that no value holds, as the end of the value.  ``secret`` are the names
    of the values to mask, where `is_masked` says so, with each of their lines.
    """
    masks: dict[str, None] = {}
    for name in secret:
        text = texts[name]
        for part in (text, *text.splitlines()):
            if is_masked(part):
                masks[part.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")] = None
    lines = (f"{name}<<{ends[name]}\n{text}\n{ends[name]}\n" for name, text in texts.items())
    return "".join(f"::add-mask::{mask}\n" for mask in masks), "".join(lines)


def kubernetes(texts: Mapping[str, str], name: str) -> str:
    """A Secret in YAML.  Raises EmitError for a name that it cannot have."""
    from encconf.formats.yaml_words import double

    body = "".join(f"  {each}: {double(text)}\n" for each, text in texts.items())
    return _secret(name) + ("stringData:\n" + body if body else "stringData: {}\n")


def kubernetes_binary(data: bytes, key: str, name: str) -> str:
    """A Secret with one file in it.  Raises EmitError for a name that it cannot have."""
    import base64

    return f"{_secret(name)}data:\n  {key}: {base64.b64encode(data).decode()}\n"


def _secret(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", name):
        raise EmitError(
            "a Kubernetes name has lower-case letters, digits, dots and dashes", hint="give one: --name NAME"
        )
    return f'apiVersion: v1\nkind: Secret\nmetadata:\n  name: "{name}"\ntype: Opaque\n'
