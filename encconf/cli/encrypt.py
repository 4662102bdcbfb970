"""``encconf encrypt``."""

from __future__ import annotations

import os
import stat

from encconf import api
from encconf.cli import files
from encconf.cli.rule import find_rule
from encconf.errors import EncconfError, InputError, MissingFileError, OutputError, UsageError
from encconf.formats import sniff
from encconf.io import fileio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console
    from encconf.cli.table import Value


def encrypt(
    console: Console,
    *,
    file: str | None,
    output: str | None,
    in_place: bool,
    force: bool,
    input_type: str | None,
    output_type: str | None,
    filename_override: str | None,
    config: str | None,
    **keys_and_selection: Value,
) -> None:
    """Encrypt a file beside itself, over itself, to another file or to stdout."""
    source = files.read(
        file,
        in_place=in_place,
        output=output,
        override=filename_override,
        plain=True,
        input_type=input_type,
    )
    format = source.format(input_type)
    target = _target(source, file, output, in_place=in_place)
    rule = find_rule(
        console,
        filename_override or target or files.encrypted_name(source.name) or source.name,
        also=[source.name],
        config=config,
        **keys_and_selection,
    )
    twin = None
    replacing: str | fileio.Anything | None = source.text
    if target is not None and not in_place:
        twin, replacing = _existing(target, force)
    notes: list[str] = []
    plain, written = source.text, format
    try:
        if input_type != "binary":
            files.refuse_twice(source.text, source.name, format)
        if output_type is not None:
            from encconf.cli.convert import plain_as

            written = files.format_by_name(source.name, output_type)
            plain = plain_as(plain, format, written)
        enc = api.encrypt(
            plain,
            rule,
            format=written,
            twin=twin,
            credentials=files.credentials(console),
            notify=notes.append,
        )
    except EncconfError as error:
        raise error.about(source.label) from None
    if twin is not None and notes and sniff.find(twin, target or "") is None:
        if not force:
            raise _not_encrypted(target)
        notes.clear()
    for note in notes:
        console.warn(note)
    if target is None:
        console.data(enc)
    elif enc == twin:
        console.note(f"{target} is up to date")
    else:
        path = source.path if in_place else fileio.resolve(target)
        assert path is not None
        fileio.write_atomic(path, enc, replacing=replacing)
        console.note(f"wrote {target}")
        _warn_of_format(console, enc, target, written)
    if target is not None and output is None and not in_place and _is_redirected():
        console.hint(
            f"nothing was printed to stdout, as sops would: encconf encrypt -o - {source.label} does"
        )
    if file is not None and source.path is not None and not in_place:
        files.warn_if_exposed(console, file)


def _is_redirected() -> bool:
    """Whether stdout is a file: then somebody expects something in it."""
    try:
        return stat.S_ISREG(os.fstat(1).st_mode)
    except OSError:
        return False


def _target(source: files.Source, file: str | None, output: str | None, *, in_place: bool) -> str | None:
    """The file to write, as it was called; None for stdout."""
    if in_place:
        return file
    if output is not None:
        return None if output in files.STDOUT else output
    if file is None or source.path is None:
        return None
    name = files.encrypted_name(file)
    if not name:
        raise UsageError(
            "it is called like an encrypted file already",
            hint=f"to change it: encconf edit {file}; to encrypt it in place: encconf encrypt -i {file}",
        ).about(file)
    return name


def _existing(target: str, force: bool) -> tuple[str | None, str | fileio.Anything | None]:
    """The text that is there already, for its ciphertexts to be kept, and what may be replaced."""
    if fileio.is_special(target):
        return None, fileio.ANYTHING
    try:
        text = fileio.read_text(fileio.resolve(target))
    except MissingFileError:
        return None, None
    except InputError:
        if not force:
            raise _not_encrypted(target) from None
        return None, fileio.ANYTHING
    return text, text


def _not_encrypted(target: str | None) -> EncconfError:
    return OutputError(
        "it exists and is not an encrypted file",
        hint="write elsewhere: -o FILE, or overwrite it: --force",
    ).about(target or "")


def _warn_of_format(console: Console, enc: str, target: str, written: str) -> None:
    """Say so where the new file's name makes it a file of another format."""
    found = sniff.find(enc, target)
    if found != written and {found, written} != {"yaml", "json"}:
        console.warn(
            f"by its name, {target} is read as {found or 'plain text'}, and it is {written}",
            hint=f"give it another name, or open it with --input-type {written}",
        )
    if written == "dotenv" and os.path.basename(target).startswith("."):  # .env, .env.production
        console.hint("to get values with types, make YAML of it: encconf import FILE")
