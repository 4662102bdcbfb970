"""``encconf get``, ``set``, ``unset`` and ``update``: read and change values of encrypted files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from encconf import api, formats
from encconf.cli import files
from encconf.cli.console import Console, is_terminal
from encconf.cli.options import Value, exclude, flag, text
from encconf.engine import loading, opening, plaintext
from encconf.engine.admission import Admission
from encconf.engine.metadata import Metadata
from encconf.errors import (
    EmptyDocumentError,
    MissingFileError,
    PathBlockedError,
    PathNotFoundError,
    UsageError,
    about,
)
from encconf.formats.plain import text_of
from encconf.io import fileio
from encconf.rules.config import find_rule
from encconf.text.document import Document, Leaf
from encconf.text.path import Path, parse
from encconf.text.printable import counted
from encconf.verbs import changes, checks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.tree import Plain


def get(console: Console, *, file: str, path: str | None, **options: Value) -> None:
    """Print one value of a file without quotes, or a mapping or list in the file's format."""
    from encconf.formats import emit

    resolve, json = flag(options, "resolve"), flag(options, "json")
    source = files.read(file, options)
    where = parse(path or "")
    why = "a file whose MAC is not checked must not decide what is fetched"
    exclude(options, "resolve", "ignore_mac", hint=why)
    credentials = files.credentials(console)
    opened = source.open(credentials)
    format = opened.document.format
    where = formats.module(format).located(opened.document, where)[-1]
    with about(source.label):
        if where or json or resolve:
            opening.refuse_ciphertexts(opened)
        if resolve:
            (texts,) = loading.resolved([("", opened)], True, credentials, where)
            for index, fetched in texts.items():
                opened.document.leaves[index].data = fetched.encode()
        trees, notes = emit.trees_of(opened.document)
        node = changes.find(trees[0], where)
        if json and not where:
            emit.refuse_several(trees, "json")
        if json:
            said = emit.value(node, "json") if not isinstance(node, Leaf) else emit.json_word(node)
        elif isinstance(node, Leaf):
            said = text_of(node.type, node.data)
        elif not where and not resolve:
            said = plaintext.plain_text(opened)
        else:
            said = emit.value(node, "json" if format == "binary" else format, notes)
    if json or is_terminal(1):
        said = said if said.endswith("\n") else said + "\n"
    console.data(said)


def set_value(console: Console, *, file: str, path: str, value: str | None, **options: Value) -> None:
    """Set one value.  A file that does not exist is created according to its rule."""
    where = parse(path)
    json, string = flag(options, "json"), flag(options, "string")
    exclude(options, "json", "string")
    target = fileio.resolve(file)
    if not os.path.exists(target):
        with about(file, instead=target):
            fileio.check_writable(target)
    given = value if value is not None else _ask_for(path)
    if value is not None and console.can_ask():
        console.hint("leave the value out to be prompted for it, so that it stays out of your shell history")
    new: Plain = changes.from_json(given) if json else given
    if path[:1] == "[" and len(given) > 1 and given[0] == given[-1] == '"' and not (json or string):
        console.hint("the quotes are part of the value; use --json for a JSON value, as in sops")

    def make(format: str) -> str:
        from encconf.cli.rule import find_rule as rule_for

        rule = rule_for(file, options, notify=console.warn)
        plain = changes.put(formats.module(format).EMPTY, where, new, format=format)
        return api.encrypt(
            plain, rule, format=format, credentials=files.credentials(console), notify=console.warn
        )

    _change(console, file, options, (where, new if json or string else changes.AsBefore(given)), make)


def unset(console: Console, *, file: str, path: str, **options: Value) -> None:
    """Remove one value."""
    try:
        _change(console, file, options, (parse(path), changes.REMOVED))
    except PathNotFoundError as error:
        if not flag(options, "idempotent") or isinstance(error, PathBlockedError):
            raise
        console.note(f"{file} has no such value")


def _change(
    console: Console,
    file: str,
    options: Mapping[str, Value],
    edit: tuple[Path, object],
    make: Callable[[str], str] | None = None,
) -> None:
    """Set or remove one value.  ``make`` returns the text of a file that does not exist, given its format."""
    target = fileio.resolve(file)

    def change() -> None:
        with about(file, instead=target):
            old = fileio.read_existing(target) if make is not None else fileio.read_text(target)
            format = files.format_of(old, file, text(options, "input_type"))
            if old is None:
                assert make is not None
                enc = make(format)
            else:
                document, admission = _scanned(console, file, old, format, options)
                config, allowed = text(options, "config"), flag(options, "allow_plaintext")
                saves = edit[1] is not changes.REMOVED
                check = checks.of_edits(file, config, saves=saves, allowed=allowed, warn=console.warn)
                enc = changes.change(
                    document,
                    format,
                    (changes.place(document, edit[0]), edit[1]),
                    credentials=files.credentials(console),
                    ignore_mac=flag(options, "ignore_mac"),
                    admission=admission,
                    check=check,
                    notify=console.warn,
                )
        _write(console, file, target, old, enc)

    files.in_turn(target, change)


def update(console: Console, *, file: str, dry_run: bool, **options: Value) -> None:
    """Replace the plaintext of an encrypted file.  Unchanged values keep their ciphertexts."""
    source = files.read(file, options)
    format = source.format
    new = text(options, "from")
    if new is None and is_terminal(0):
        raise MissingFileError("no plaintext was given", hint="name its file: --from FILE")
    plain = files.read(new, {"input_type": format}, plain=True).text
    if not plain.strip():  # usually, the program that should have written it failed
        raise EmptyDocumentError(
            "the new plaintext is empty; nothing was changed",
            hint="to remove all values, use encconf edit FILE",
        ).about(file)
    config, allowed = text(options, "config"), flag(options, "allow_plaintext")
    with about(file):
        document, admission = _scanned(console, file, source.text, format, options)
        enc = changes.update(
            document,
            format,
            plain,
            credentials=files.credentials(console),
            admission=admission,
            check=checks.refuse_plaintext(file, config, allowed=allowed, warn=console.warn),
            notify=console.warn,
        )
    if dry_run and enc != source.text:
        changed = len(set(enc.splitlines()) - set(source.text.splitlines()))
        console.note(f"{file}: {counted(changed, 'line')} would change")
        return
    assert source.path is not None, "update takes no stdin"
    _write(console, file, source.path, source.text, enc)


def _scanned(
    console: Console, file: str, enc: str, format: str, options: Mapping[str, Value]
) -> tuple[Document, Admission]:
    """Scan the file to change.  Also returns who may get its data key.

    Raises StrangerError if someone else would get it.
    """
    document = formats.scan_encrypted(enc, formats.module(format), comments=True)
    config, new = text(options, "config"), flag(options, "ignore_mac")
    admission = Admission(lambda: find_rule(file, config=config), file=file)
    admission.check(Metadata.of(document), None, files.credentials(console), new_data_key=new)
    return document, admission


def _write(console: Console, file: str, target: str, old: str | None, enc: str) -> None:
    if enc == old:
        console.note(f"{file} is up to date")
        return
    with about(file, instead=target):
        fileio.write_atomic(target, enc, replacing=old)
    console.note(f"wrote {file}")


def _ask_for(path: str) -> str:
    """Ask for a value without showing it, or read all of stdin without its last line break.

    Raises UsageError if the text is empty, which usually means that a variable is not set.
    """
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
