"""``encconf get``, ``set``, ``unset`` and ``update``: values of encrypted files."""

from __future__ import annotations

import os

from encconf import api, formats
from encconf.cli import files
from encconf.engine import loading, opening, plaintext
from encconf.errors import ConflictError, EncconfError, InputError, MissingFileError, UsageError
from encconf.formats.plain import text_of
from encconf.io import fileio
from encconf.text.document import Leaf
from encconf.text.path import parse
from encconf.verbs import changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console
    from encconf.cli.table import Value
    from encconf.text.tree import Plain


def get(
    console: Console,
    *,
    file: str,
    path: str | None,
    json: bool,
    ignore_mac: bool,
    resolve: bool,
    input_type: str | None,
    config: str | None,
) -> None:
    """Print one value of a file as it is, or a mapping or list as the file's format has it."""
    from encconf.cli.console import is_terminal
    from encconf.formats import emit

    source = files.read(file, in_place=False, output=None, override=None)
    format = source.format(input_type)
    where = parse(path or "")
    if resolve and ignore_mac:
        raise ConflictError(
            "--resolve and --ignore-mac exclude each other",
            hint="a file whose MAC is not checked must not decide what is fetched",
        )
    credentials = files.credentials(console)
    try:
        opened = opening.open_text(source.text, format=format, credentials=credentials, ignore_mac=ignore_mac)
        if resolve:
            (texts,) = loading.resolved([("", opened)], True, credentials, where)
            for index, text in texts.items():
                opened.document.leaves[index].data = text.encode()
        trees, notes = emit.trees_of(opened.document)
        node = changes.find(trees[0], where)
        if json:
            said = emit.value(node, "json") if not isinstance(node, Leaf) else emit.json_word(node)
        elif isinstance(node, Leaf):
            said = text_of(node.type, node.data)
        elif not where and not resolve:
            said = plaintext.plain_text(opened)
        else:
            said = emit.value(node, "json" if format == "binary" else format, notes)
    except EncconfError as error:
        raise error.about(source.label) from None
    if json or is_terminal(1):
        said = said if said.endswith("\n") else said + "\n"
    console.data(said)


def set_value(
    console: Console,
    *,
    file: str,
    path: str,
    value: str | None,
    json: bool,
    string: bool,
    allow_plaintext: bool,
    ignore_mac: bool,
    input_type: str | None,
    config: str | None,
    **keys_and_selection: Value,
) -> None:
    """Set one value; a missing file is made by its rule."""
    where = parse(path)
    if json and string:
        raise UsageError("--json and --string exclude each other")
    target = fileio.resolve(file)
    if not os.path.exists(target):
        fileio.check_writable(target)
    given = value if value is not None else _asked(console, path)
    if value is not None and console.can_ask():
        console.hint("leave the value out to be prompted for it, so that it stays out of your shell history")
    new: Plain = _from_json(given) if json else given
    if path[:1] == "[" and len(given) > 1 and given[0] == given[-1] == '"' and not (json or string):
        console.hint("the quotes are part of the value; use --json for a JSON value, as in sops")

    def make(format: str) -> str:
        from encconf.cli.rule import find_rule

        rule = find_rule(file, {**keys_and_selection, "config": config}, notify=console.warn)
        plain = changes.put(formats.module(format).EMPTY, where, new, format=format)
        return api.encrypt(
            plain, rule, format=format, credentials=files.credentials(console), notify=console.warn
        )

    def put(old: str, format: str) -> str:
        metadata = files.metadata(old, format)
        selection = metadata.selection
        files.refuse_strangers_of(file, metadata, config, new_data_key=ignore_mac)
        return changes.set_value(
            old,
            where,
            new,
            format=format,
            keep_type=not json and not string,
            credentials=files.credentials(console),
            ignore_mac=ignore_mac,
            check=files.refuse_clear(console, file, format, selection, config, allowed=allow_plaintext),
            notify=console.warn,
        )

    def change() -> None:
        try:
            old = fileio.read_text(target)
        except MissingFileError:
            old = None
        format = files.format_of(old, file, input_type)
        try:
            enc = make(format) if old is None else put(old, format)
        except EncconfError as error:
            raise error.about(file) from None
        _write(console, file, target, old, enc)

    files.in_turn(target, change)


def unset(
    console: Console,
    *,
    file: str,
    path: str,
    idempotent: bool,
    ignore_mac: bool,
    input_type: str | None,
    config: str | None,
) -> None:
    """Take one value out."""
    from encconf.errors import PathBlockedError, PathNotFoundError

    if file in files.STDIN:
        raise UsageError("unset needs a file, not stdin")
    where = parse(path)

    def change() -> None:
        source = files.read(file, in_place=False, output=None, override=None)
        assert source.path is not None
        format = source.format(input_type)
        try:
            metadata = files.metadata(source.text, format)
            files.refuse_strangers_of(file, metadata, config, new_data_key=ignore_mac)
            enc = changes.unset(
                source.text,
                where,
                format=format,
                credentials=files.credentials(console),
                ignore_mac=ignore_mac,
                notify=console.warn,
            )
        except PathNotFoundError as error:
            if idempotent and not isinstance(error, PathBlockedError):
                console.note(f"{file} has no such value")
                return
            raise error.about(file) from None
        except EncconfError as error:
            raise error.about(file) from None
        _write(console, file, source.path, source.text, enc)

    files.in_turn(fileio.resolve(file), change)


def update(
    console: Console,
    *,
    file: str,
    given: str | None,
    dry_run: bool,
    allow_plaintext: bool,
    input_type: str | None,
    config: str | None,
) -> None:
    """Put a new plain text into an encrypted file; what did not change stays as it is."""
    source = files.read(file, in_place=False, output=None, override=None)
    if source.path is None:
        raise UsageError("update needs a file, not stdin")
    format = source.format(input_type)
    plain = files.read(given, in_place=False, output=None, override=None).text
    try:
        metadata = files.metadata(source.text, format)
        selection = metadata.selection
        files.refuse_strangers_of(file, metadata, config, new_data_key=False)
        enc = changes.update(
            source.text,
            plain,
            format=format,
            credentials=files.credentials(console),
            check=files.refuse_clear(console, file, format, selection, config, allowed=allow_plaintext),
            notify=console.warn,
        )
    except EncconfError as error:
        raise error.about(file) from None
    if dry_run:
        before, after = source.text.splitlines(), enc.splitlines()
        changed = len(set(after) - set(before))
        console.note(
            f"{file} is up to date" if enc == source.text else f"{file}: {changed} lines would change"
        )
        return
    _write(console, file, source.path, source.text, enc)


def _write(console: Console, file: str, target: str, old: str | None, enc: str) -> None:
    if enc == old:
        console.note(f"{file} is up to date")
        return
    fileio.write_atomic(target, enc, replacing=old)
    console.note(f"wrote {file}")


def _asked(console: Console, path: str) -> str:
    """The value that somebody types unseen, or all of stdin less its last line break.

    Nothing at all is more often a variable that is not set than a value: raises UsageError.
    """
    from encconf.cli.console import is_terminal

    if is_terminal(0):
        import getpass

        try:
            text = getpass.getpass(f"encconf: value of {path} (hidden): ")
        except EOFError:
            raise KeyboardInterrupt from None
    else:
        text = fileio.read_stdin().removesuffix("\n").removesuffix("\r")
    if not text:
        raise UsageError(
            f"no value was given for {path}; nothing was changed",
            hint="to store an empty value, give it as an argument: ''",
        )
    return text


def _from_json(text: str) -> Plain:
    from json import loads

    def refuse(word: str) -> Plain:
        raise ValueError(word)

    try:
        value: Plain = loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise InputError("the value is not JSON", hint="a JSON string needs double quotes") from None
    return value
