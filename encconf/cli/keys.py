"""``encconf rotate``, ``updatekeys`` and ``groups``: who can open encrypted files."""

from __future__ import annotations

from encconf import changes, fileio
from encconf.cli import files
from encconf.cli.rule import named_keys
from encconf.errors import EncconfError, MissingFileError, NoConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from encconf.changes import Plan
    from encconf.cli.console import Console
    from encconf.cli.table import Value
    from encconf.credentials import Credentials
    from encconf.keys import MasterKey


def rotate(
    console: Console,
    *,
    file: list[str],
    output: str | None,
    dry_run: bool,
    ignore_mac: bool,
    input_type: str | None,
    config: str | None,
    **options: Value,
) -> None:
    """Give files new data keys, and other master keys if some are named."""
    if output is not None and len(file) > 1:
        raise UsageError("--output takes the result of one file")
    add, remove = named_keys(options, "add_"), named_keys(options, "rm_")
    credentials = files.credentials(console)
    if not dry_run:
        _unwrap_ahead(credentials, file, input_type, lambda name, text, format: True)
    _each(
        console,
        file,
        lambda each: _rotate(
            console, each, add, remove, output, dry_run, ignore_mac, input_type, config, credentials
        ),
        "rotating",
    )


def _rotate(
    console: Console,
    file: str,
    add: list[MasterKey],
    remove: list[MasterKey],
    output: str | None,
    dry_run: bool,
    ignore_mac: bool,
    input_type: str | None,
    config: str | None,
    credentials: Credentials,
) -> None:
    source = files.read(file, in_place=False, output=None, override=None)
    format = files.format_of(source.name, input_type)
    metadata = files.metadata(source.text, format)
    rule = files.known_rule(console, file, config)
    unknown = changes.strangers(metadata, rule) if rule is not None else []
    for key in unknown:
        if key not in remove:
            console.warn(
                f"{file} is encrypted for {key.TYPE} {key.label} too, which .sops.yaml does not name",
                hint=f"encconf updatekeys {file} takes it out",
            )
    if dry_run:
        console.note(f"{file} would get a new data key")
        return
    enc = changes.rotate(
        source.text,
        format=format,
        add=add,
        remove=remove,
        credentials=credentials,
        ignore_mac=ignore_mac,
        notify=console.warn,
    )
    written = files.write(console, enc, source, in_place=output is None, output=output)
    if written is not None:
        console.note(f"wrote {written}, under a new data key")
    if any(key in [each.key for group in metadata.groups for each in group] for key in remove):
        console.warn(_CHANGE)


_CHANGE = "whoever is gone may have kept the values: change the secrets themselves, too"


def updatekeys(
    console: Console,
    *,
    file: list[str],
    yes: bool,
    dry_run: bool,
    selection: bool,
    keep_data_key: bool,
    input_type: str | None,
    config: str | None,
) -> None:
    """Give files the keys that their rules name now."""
    from encconf.config import find_rule

    def changes_keys(name: str, text: str, format: str) -> bool:
        rule = find_rule(name, config=config)
        chosen = rule.selection if selection else None
        return bool(changes.plan(text, rule.groups, rule.threshold, format=format, selection=chosen).changes)

    credentials = files.credentials(console)
    if yes and not dry_run:
        _unwrap_ahead(credentials, file, input_type, changes_keys)
    _each(
        console,
        file,
        lambda each: _update(
            console, each, yes, dry_run, selection, keep_data_key, input_type, config, credentials
        ),
        "updating",
        asks=not yes,
    )


def _update(
    console: Console,
    file: str,
    yes: bool,
    dry_run: bool,
    selection: bool,
    keep_data_key: bool,
    input_type: str | None,
    config: str | None,
    credentials: Credentials,
) -> None:
    from encconf.config import find_rule

    source = files.read(file, in_place=False, output=None, override=None)
    if source.path is None:
        raise UsageError("updatekeys needs a file, not stdin")
    format = files.format_of(source.name, input_type)
    rule = find_rule(file, config=config, notify=console.warn)
    wanted = changes.plan(
        source.text,
        rule.groups,
        rule.threshold,
        format=format,
        selection=rule.selection if selection else None,
    )
    if not selection and wanted.metadata.selection != rule.selection:
        console.warn(
            f"{file} is encrypted by another selection of values than {rule.name} says",
            hint=f"encconf updatekeys --selection {file} makes it follow the rule",
        )
    if not wanted.changes:
        console.note(f"{file} is up to date")
        return
    console.note(f"{file}: these keys change\n" + "\n".join(difference(wanted)))
    rotates = (wanted.removes and not keep_data_key) or wanted.reselects
    if wanted.removes and not keep_data_key:
        console.note("every value gets a new data key, since somebody who knows the old one is gone")
    if dry_run:
        return
    if not yes and not _agreed(console):
        console.note(f"{file} was left as it is")
        return
    enc = changes.carry_out(
        wanted,
        rotate=not keep_data_key,
        credentials=credentials,
        notify=console.warn if rotates else None,
    )
    fileio.write_atomic(source.path, enc, replacing=source.text)
    console.note(f"wrote {file}")
    if wanted.removes:
        console.warn(_CHANGE)


def difference(wanted: Plan) -> list[str]:
    """What a plan changes, a line for each key: kept, ``+++`` new, ``---`` gone."""
    lines: list[str] = []
    old, new = wanted.thresholds
    if old == new:
        lines += [f"shamir_threshold: {new}"] if new else []
    else:
        lines += [f"+++ shamir_threshold: {new}"] if new else []
        lines += [f"--- shamir_threshold: {old}"] if old else []
    for number in range(max(len(wanted.old), len(wanted.new))):
        before = wanted.old[number] if number < len(wanted.old) else []
        after = wanted.new[number] if number < len(wanted.new) else []
        lines.append(f"Group {number + 1}")
        lines += [f"    {key.name}" for key in after if key in before]
        lines += [f"+++ {key.name}" for key in after if key not in before]
        lines += [f"--- {key.name}" for key in before if key not in after]
    return lines


def _agreed(console: Console) -> bool:
    if not console.can_ask():
        raise UsageError("nobody is there to agree", hint="--yes agrees to all, --dry-run only shows")
    try:
        return console.ask("go on? [y/N]").lower().startswith("y")
    except EOFError:
        return False


def add_group(
    console: Console,
    *,
    file: str | None,
    in_place: bool,
    threshold: str | None,
    input_type: str | None,
    **options: Value,
) -> None:
    """Add a key group to a file."""
    if file is None:
        raise MissingFileError("no file was named", hint="name one: --file FILE")
    source = files.read(file, in_place=in_place, output=None, override=None)
    format = files.format_of(source.name, input_type)
    try:
        wanted = changes.plan_group(source.text, named_keys(options), number(threshold), format=format)
        enc = changes.carry_out(wanted, credentials=files.credentials(console), notify=console.warn)
    except EncconfError as error:
        raise error.about(file) from None
    _done(console, wanted, files.write(console, enc, source, in_place=in_place, output=None))


def delete_group(
    console: Console,
    *,
    file: str | None,
    index: str,
    in_place: bool,
    threshold: str | None,
    input_type: str | None,
) -> None:
    """Take a key group away from a file, which gets a new data key."""
    if file is None:
        raise MissingFileError("no file was named", hint="name one: --file FILE")
    source = files.read(file, in_place=in_place, output=None, override=None)
    format = files.format_of(source.name, input_type)
    if not index.isdecimal():
        raise UsageError("the group is a number, from 0 on")
    try:
        wanted = changes.plan_without_group(source.text, int(index[:9]), number(threshold), format=format)
        enc = changes.carry_out(wanted, credentials=files.credentials(console), notify=console.warn)
    except EncconfError as error:
        raise error.about(file) from None
    _done(console, wanted, files.write(console, enc, source, in_place=in_place, output=None))


def _done(console: Console, wanted: Plan, written: str | None) -> None:
    if written is None:
        return
    need = wanted.thresholds[1]
    console.note(
        f"wrote {written}: " + (f"it takes {need} of its {len(wanted.new)} groups" if need else "one group")
    )


def number(text: str | None) -> int | None:
    """A threshold.  Raises UsageError for what is no number."""
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 3:
        raise UsageError("the threshold is a number of key groups")
    return int(text)


_AT_ONCE = 16


def _unwrap_ahead(
    credentials: Credentials,
    paths: list[str],
    input_type: str | None,
    wanted: Callable[[str, str, str], bool],
) -> None:
    """Unwrap the data keys of many files side by side, for the work that follows file by file.

    Whatever goes wrong here goes wrong again there, with the file's name.
    """
    if len(paths) < 2:
        return
    from concurrent.futures import ThreadPoolExecutor

    from encconf.envelope import DataKeyCache, open_data_key

    credentials.cache = DataKeyCache()

    def unwrap(path: str) -> None:
        if path in files.STDIN:
            return  # it can be read only once
        try:
            source = files.read(path, in_place=False, output=None, override=None)
            format = files.format_of(source.name, input_type)
            if wanted(path, source.text, format):
                metadata = files.metadata(source.text, format)
                open_data_key(metadata.groups, metadata.threshold, credentials)
        except EncconfError:
            pass

    with ThreadPoolExecutor(min(len(paths), _AT_ONCE), "encconf") as pool:
        list(pool.map(unwrap, paths))


def _each(
    console: Console, paths: list[str], work: Callable[[str], None], doing: str, *, asks: bool = False
) -> None:
    """Work on every file; what fails does not stop the others, and is the end of it all."""
    if not paths:
        raise MissingFileError("no file was named")
    if len(paths) == 1:
        try:
            work(paths[0])
        except NoConfigError:
            raise
        except EncconfError as error:
            raise error.about(paths[0]) from None
        return
    failed: list[EncconfError] = []
    with console.progress(0 if asks else len(paths), doing) as step:
        for path in paths:
            try:
                work(path)
            except EncconfError as error:
                failed.append(error)
                console.error(error.about(path))
            step()
    if failed:
        codes = {error.exit_code for error in failed}
        last = EncconfError(f"{len(failed)} of {len(paths)} files failed")
        last.exit_code = codes.pop() if len(codes) == 1 else 1
        raise last
