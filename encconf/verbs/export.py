"""Turn the values of files into names and texts, for the environment and in the formats of other programs.

``db.password`` becomes ``DB_PASSWORD``.  Null values are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from encconf import formats
from encconf.engine import loading, opening
from encconf.errors import EmitError, NotEncryptedError, about
from encconf.formats.emit import Naming
from encconf.formats.writing import text_of
from encconf.text.document import Document
from encconf.text.path import spell
from encconf.verbs import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Flat(NamedTuple):
    """A value as text, its file, and whether it is encrypted in the file."""

    text: str
    file: str
    secret: bool


def values(front: Front, sources: Iterable[files.Input], naming: Naming, *, resolve: bool) -> dict[str, Flat]:
    """Return the values of files by name.  Later files override earlier ones.

    With ``resolve``, references are replaced with the values that they refer to
    (`encconf.sources.references`).  Raises EmitError also for a value that cannot be in an environment.
    """
    section = naming.path
    found: dict[str, Flat] = {}
    credentials = front.credentials()
    opened_files = [(source.label, source.open(credentials, front.warn)) for source in sources]
    if resolve:
        texts = loading.resolved(opened_files, True, credentials, section)
        opened_files = [
            (label, opened.with_texts(own)) for (label, opened), own in zip(opened_files, texts, strict=True)
        ]
    for label, opened in opened_files:
        with about(label):
            opening.refuse_unloadable(opened)
            own = naming.values(opened.trees())
            opening.refuse_unprotected(opened, ((name, value) for name, (_, value) in own.items()))
            for name, (place, value) in own.items():
                said = text_of(value.type, value.data)
                if "\0" in said:
                    raise EmitError(
                        f"{spell(place)} contains a NUL character, which an environment cannot hold"
                    )
                found[name] = Flat(said, label, value.sealed is not None)
    return found


def documents(paths: Iterable[str], input_type: str | None) -> dict[str, Document]:
    """Return the documents of encrypted files by their names.  This needs no key."""
    found: dict[str, Document] = {}
    for path in paths:
        source = files.read(path, input_type=input_type)
        with about(source.label):
            document = formats.get(source.format).scan(source.text)
            if document.block is None:
                raise NotEncryptedError
        found[source.label] = document
    return found


# --- names and texts in the formats of other programs: what `encconf export` prints ---------------
# The quoting follows from tests with blanks, quotes, ``#``, ``$``, backslashes and line breaks: bash,
# python-dotenv, uv, node, dotenvx and systemd read single quotes in the same way.

FORMATS = ("dotenv", "shell", "fish", "json", "github", "k8s", "docker-env", "env-file", "systemd-creds")


def dotenv(texts: Mapping[str, str]) -> str:
    """Return lines for bash, python-dotenv, uv, node, dotenvx and systemd, in single quotes if possible.

    All of them read the same value if it has no ``'`` and no backslash at the end, with one exception: by
    default, python-dotenv expands ``${NAME}`` in any quotes.
    """
    return "".join(f"{name}={_dotenv_word(text)}\n" for name, text in texts.items())


def _dotenv_word(text: str) -> str:
    from encconf.formats import envfile

    # python-dotenv reads \' as a quote, and would continue on the next line.
    return envfile.word(text) if not text.endswith("\\") else envfile.in_double_quotes(text)


def shell(texts: Mapping[str, str]) -> str:
    """Return commands for sh, bash and zsh."""
    quoted = ((name, text.replace("'", "'\\''")) for name, text in texts.items())
    return "".join(f"export {name}='{text}'\n" for name, text in quoted)


def fish(texts: Mapping[str, str]) -> str:
    """Return commands for fish."""
    quoted = ((name, re.sub(r"['\\]", lambda sign: "\\" + sign[0], text)) for name, text in texts.items())
    return "".join(f"set -gx {name} '{text}'\n" for name, text in quoted)


def json(texts: Mapping[str, str]) -> str:
    """Return a flat JSON object of strings, as Terraform's external data source needs it."""
    from json import dumps

    return dumps(dict(texts), ensure_ascii=False, indent=2) + "\n"


_DOCKER_LINE = 1 << 16
"""Docker reads a line into a buffer of this size (docker/cli, pkg/kvfile)."""


def docker_env(texts: Mapping[str, str]) -> str:
    """Return lines for ``docker run --env-file``, which takes all that follows ``=`` as it is.

    Raises EmitError for what such a line cannot hold, and names the values.
    """
    lines = {name: f"{name}={text}" for name, text in texts.items()}
    for what, is_wrong in (
        ("a line break", lambda line: "\n" in line or line.endswith("\r")),
        ("bytes that are not UTF-8", lambda line: not _is_utf8(line)),
        (f"{_DOCKER_LINE} bytes or more", lambda line: len(line.encode()) >= _DOCKER_LINE),
    ):
        if names := [name for name, line in lines.items() if is_wrong(line)]:
            raise EmitError(
                f"Docker's --env-file cannot hold {what}: {', '.join(names[:8])}",
                hint="encconf export --dir FOLDER writes each value to a file, for secrets of compose",
            )
    return "".join(f"{line}\n" for line in lines.values())


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def env_file(texts: Mapping[str, str]) -> str:
    """Return the lines of a systemd ``EnvironmentFile=``.  Raises EmitError."""
    from encconf.formats import envfile

    return envfile.write(texts)


WRITERS = {
    "dotenv": dotenv,
    "docker-env": docker_env,
    "shell": shell,
    "fish": fish,
    "json": json,
    "env-file": env_file,
}
"""The formats that need only names and values."""


_KEYWORDS = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off"})


def is_masked(text: str) -> bool:
    """Whether to mask a value.  If every ``3`` or ``true`` were masked, a log would be unreadable."""
    return len(text.strip()) > 3 and text.strip().lower() not in _KEYWORDS


def github(texts: Mapping[str, str], ends: Mapping[str, str], secret: Iterable[str]) -> tuple[str, str]:
    """Return lines that mask values in the log of a GitHub workflow, and the lines for ``$GITHUB_ENV``.

    ``ends`` has a delimiter for each name, which occurs in no value.  ``secret`` names the values to mask.
    Each of their lines is masked, too, unless `is_masked` excludes it.
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
    """Return a Kubernetes Secret in YAML.  Raises EmitError for an invalid name."""
    from encconf.formats.yaml_words import double, plain

    body = "".join(f"  {plain(each)}: {double(text)}\n" for each, text in texts.items())
    return _secret(name) + ("stringData:\n" + body if body else "stringData: {}\n")


def kubernetes_binary(data: bytes, key: str, name: str) -> str:
    """Return a Kubernetes Secret with one file, in YAML.  Raises EmitError for an invalid name."""
    import base64

    return f"{_secret(name)}data:\n  {key}: {base64.b64encode(data).decode()}\n"


def _secret(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", name):
        raise EmitError(
            "a Kubernetes name has lower-case letters, digits, dots and dashes", hint="give one: --name NAME"
        )
    return f'apiVersion: v1\nkind: Secret\nmetadata:\n  name: "{name}"\ntype: Opaque\n'
