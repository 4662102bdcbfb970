"""``encconf export``: write the values of files for other programs (see `encconf.verbs.export`)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

from encconf import formats
from encconf.cli.command import Argument, Command, Option
from encconf.cli.console import Console
from encconf.cli.shared import CREDENTIALS, INPUT_TYPE, NAMING, RESOLVE
from encconf.engine import plaintext
from encconf.errors import ConflictError, EmitError, UsageError, about, at_most_one
from encconf.formats.emit import Naming
from encconf.io import fileio, trust
from encconf.io.descriptors import NOFOLLOW, NONBLOCK, cannot_write, is_terminal
from encconf.rules.config import plain_name
from encconf.text.printable import counted, listed
from encconf.verbs import files, printing
from encconf.verbs.export import FORMATS, WRITERS, github, is_masked, kubernetes, kubernetes_binary, values

_FOR_PEOPLE = ("dotenv", "shell", "fish", "json")
"""The formats that show masked values with ENCCONF_PRINT=never; others would set them somewhere."""


class Options(Naming):
    file: Sequence[str] = ()
    format: (
        Literal["dotenv", "shell", "fish", "json", "github", "k8s", "docker-env", "env-file", "systemd-creds"]
        | None
    ) = None
    output: str | None = None
    dir: str | None = None
    name: str | None = None
    with_key: Literal["auto", "host", "tpm2", "host+tpm2"] | None = None
    plaintext: bool = False
    resolve: bool = False
    input_type: str | None = None


def export(options: Options, console: Console) -> None:
    """Print the values in a format, write them to a file, or set them in a GitHub workflow."""
    file, output, name = options.file, options.output, options.name
    if options.dir is not None:
        at_most_one(dir=True, format=options.format, output=output, plaintext=options.plaintext, name=name)
        _to_folder(options, console, options.dir)
        return
    if output in fileio.STDOUT:
        output = None
    format = _format_of(options, output)
    sources = [files.read(each, input_type=options.input_type) for each in file]
    into = None if output is None or format == "systemd-creds" else fileio.resolve(output)
    if into in [source.path for source in sources if source.path is not None]:
        raise ConflictError("--output names a file to export, which would be lost")
    if into is not None or format not in _FOR_PEOPLE:
        printing.refuse(
            console,
            "no plaintext is written to files or for other programs",
            f"these formats show masked values: {', '.join(_FOR_PEOPLE)}",
        )
    if format == "k8s" and len(file) == 1 and formats.get(sources[0].format).single_value:
        _write(console, _k8s_binary(console, sources[0], name), output)
        return
    found = values(console, sources, options, resolve=options.resolve)
    texts = {each: value.text for each, value in found.items()}
    if not printing.may_print(console.environ):
        console.warn(f"values are masked, because of {printing.VARIABLE}=never")
        texts = {each: printing.MASK if value.secret else value.text for each, value in found.items()}
    if format == "github":
        _github(console, texts, [each for each, value in found.items() if value.secret])
    elif format == "systemd-creds":
        _systemd_creds(console, texts, output, options.with_key or "auto")
    elif format == "k8s":
        _write(console, kubernetes(texts, name or _secret_name(file[0])), output)
    else:
        _write(console, WRITERS[format](texts), output)


def _format_of(options: Options, output: str | None) -> str:
    """Return the format.  Raises UsageError, and ConflictError for options that it does not take."""
    format = options.format
    if format is None:
        raise UsageError("no format was given", hint=f"choose one: --format {'|'.join(FORMATS)}")
    if options.with_key is not None and format != "systemd-creds":
        raise ConflictError("--with-key is for --format systemd-creds")
    if options.name is not None and format != "k8s":
        raise ConflictError("--name is for --format k8s")
    if format == "github" and output is not None:
        raise ConflictError("--format github does not take --output: it writes to $GITHUB_ENV")
    shown = output is None and format not in ("github", "systemd-creds")
    if shown and is_terminal(1) and not options.plaintext:
        raise UsageError(
            "stdout is a terminal, and the values are secret", hint="to print them anyway, use --plaintext"
        )
    return format


EXPORT = Command(
    "export",
    """Print the values of files for other programs.

    The formats are:

    - dotenv: lines that a shell can source, and that python-dotenv, uv, node and systemd read the same way,
      but for carriage returns
    - shell, fish: commands for eval
    - json: one flat object
    - github: sets variables for the next steps of a GitHub workflow, and masks the encrypted ones in its
      log
    - k8s: a Kubernetes Secret
    - docker-env: for docker run --env-file; fails for values with line breaks
    - env-file: for EnvironmentFile= of systemd; fails for values that systemd would not accept
    - systemd-creds: lines for a unit, each value encrypted for this machine; with -o FOLDER, one file per
      value

    A new file has mode 0600, and so has one that everyone could read or write.

    With --dir instead of a format, each value becomes a file of its own that only you can read, for the
    secrets of docker compose and programs that read NAME_FILE.
    """,
    Options,
    export,
    arguments=[Argument("file", required=True)],
    options=[
        Option("--format", metavar="FORMAT", help="The output format."),
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file (systemd-creds: into this folder).",
        ),
        Option("--dir", metavar="FOLDER", help="Write each value to a file in this folder, with mode 0400."),
        *NAMING,
        Option("--name", metavar="NAME", help="The name of the Secret (k8s)."),
        Option(
            "--with-key",
            metavar="KEY",
            help="The key to encrypt with (systemd-creds; by default, one that this machine has).",
        ),
        Option("--plaintext", help="Allow printing values to a terminal."),
        RESOLVE,
        INPUT_TYPE,
        *CREDENTIALS,
    ],
    examples=[
        'eval "$(encconf export --format shell secrets.enc.yaml)"',
        "uv run --env-file <(encconf export --format dotenv secrets.enc.yaml) app.py",
        "encconf export --format k8s secrets.enc.yaml | kubectl apply -f -",
        "docker run --env-file <(encconf export --format docker-env s.enc.yaml) shop",
        "encconf export --dir /run/shop secrets.enc.yaml",
        "encconf export --format env-file -o /etc/app.env secrets.enc.yaml",
        "encconf export --format systemd-creds -o /etc/credstore.encrypted s.enc.yaml",
    ],
)


def _to_folder(options: Options, console: Console, folder: str) -> None:
    """Write each value, and the content of each binary file, to a file in a folder."""
    from encconf.io.private import is_in_memory

    printing.refuse(console, "no plaintext is written to files")
    sources = [files.read(each, input_type=options.input_type) for each in options.file]
    single = [source for source in sources if formats.get(source.format).single_value]
    rest = [source for source in sources if source not in single]
    found = values(console, rest, options, resolve=options.resolve) if rest else {}
    texts = {name: value.text for name, value in found.items()}
    for source in single:
        opened = source.open(console.credentials(), console.warn)
        name = os.path.basename(plain_name(source.label))
        if name in texts:
            raise EmitError(f"two values would be written to {name}", hint="use --prefix")
        texts[name] = plaintext.plain_text(opened)
    with about(folder):
        fileio.make_folders(folder, 0o700)
    others = sorted(set(os.listdir(folder)) - texts.keys())
    seen: dict[str, str] = {}
    for name, text in texts.items():
        path = trust.fixed(folder, name)
        other = seen.setdefault(name.casefold(), name)
        if other != name and _are_one_file(path, os.path.join(folder, other)):
            raise EmitError(f"{other} and {name} are the same file in {folder}", hint="leave out --keep-case")
        with about(os.path.join(folder, name), instead=path):
            _write_read_only(path, text)
    console.note(f"wrote {counted(len(texts), 'value')} to {folder}, as plaintext")
    if others:
        console.warn(f"other files are in {folder}: {listed(others)}", "remove those that are old values")
    if not is_in_memory(folder):
        console.warn(f"{folder} is not in memory", "use a folder below /run, /dev/shm or $XDG_RUNTIME_DIR")
    files.warn_if_exposed(console, [os.path.join(folder, name) for name in texts])


def _are_one_file(path: str, other: str) -> bool:
    """Whether two names that differ in upper and lower case are the same file, as on macOS and Windows."""
    with suppress(OSError):
        return os.path.samefile(path, other)
    return False


def _write_read_only(path: str, text: str) -> None:
    """Write a file that only its owner can read, and nobody changes by mistake."""
    try:
        with suppress(FileNotFoundError):
            _set_mode(path, 0o600)  # an existing file keeps its mode, and is not replaced if it is read-only
        fileio.write_atomic(path, text, mode=0o400)
        _set_mode(path, 0o400)
    except OSError as error:  # such as a link that took its place since it was looked at
        raise cannot_write(error) from None


def _set_mode(path: str, mode: int) -> None:
    """Set the mode of a file, but not of one that a link leads to: another user may own the folder."""
    if os.name == "nt":
        os.chmod(path, mode)
        return
    descriptor = os.open(path, os.O_RDONLY | NOFOLLOW | NONBLOCK)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _write(console: Console, content: str, output: str | None) -> None:
    """Write to stdout, or to a file that others cannot read."""
    written = files.write(console, content, None, output, mode=fileio.PRIVATE)
    if written is not None:
        console.note(f"wrote {written}, as plaintext")
        files.warn_if_exposed(console, [written])


def _github(console: Console, texts: Mapping[str, str], secret: list[str]) -> None:
    """Mask encrypted values in the log of a GitHub workflow, then set all values for later steps."""
    path = console.environ.get("GITHUB_ENV")
    if not path:
        raise UsageError("GITHUB_ENV is not set: this is not a step of a GitHub workflow")
    ends = {name: f"encconf_{os.urandom(12).hex()}" for name in texts}
    masks, lines = github(texts, ends, secret)
    console.data(masks)
    try:
        with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(lines.encode())
    except OSError as error:
        raise UsageError(f"GITHUB_ENV cannot be written: {error.strerror}") from None
    console.note(f"set {len(texts)} variables for the steps that follow")
    if short := [name for name in secret if texts[name] and not is_masked(texts[name])]:
        console.note(f"too short to mask in the log: {', '.join(short)}")


def _systemd_creds(console: Console, texts: Mapping[str, str], output: str | None, key: str) -> None:
    """Print the settings for a unit file.  The credentials are in the settings, or in files of a folder."""
    from encconf.systemd import units

    sealed = {
        name: units.encrypt(name, text.encode(), console.environ, key=key) for name, text in texts.items()
    }
    if output is None:
        console.data("[Service]\n" + "".join(units.setting(name, text) for name, text in sealed.items()))
        return
    fileio.make_folders(output, 0o700)
    lines = ["[Service]\n"]
    for name, credential in sealed.items():
        path = trust.fixed(output, f"{name}.cred")
        fileio.write_atomic(path, credential, mode=fileio.PRIVATE)
        lines.append(units.load_encrypted(name, path))
    console.note(f"wrote {len(sealed)} credentials to {output}; add the lines on stdout to the unit")
    console.data("".join(lines))


def _k8s_binary(console: Console, source: files.Input, name: str | None) -> str:
    plain = source.decrypted(console.credentials(), console.warn)
    key = re.sub(r"[^-._a-zA-Z0-9]", "_", os.path.basename(source.label).removesuffix(".enc"))
    name = name or _secret_name(source.label)
    return kubernetes_binary(plain.encode("utf-8", "surrogateescape"), key, name)


def _secret_name(file: str) -> str:
    """Return the default name of a Kubernetes secret: ``secrets`` for ``secrets.enc.yaml``."""
    return re.sub(r"[^a-z0-9-]+", "-", os.path.basename(file).partition(".")[0].lower()).strip("-")
