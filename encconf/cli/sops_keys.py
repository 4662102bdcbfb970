"""sops's commands for keys (rotate, updatekeys, groups and keyservice), and publish."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from encconf import formats
from encconf.cli.sops_run import Run, envelope, exists, exits, fail
from encconf.engine import plaintext
from encconf.engine.admission import Admission, rule_of
from encconf.engine.metadata import metadata_of
from encconf.engine.sealing import encrypt_again
from encconf.errors import (
    EncconfError,
    InputError,
    KeyAccessError,
    NotEncryptedError,
    UsageError,
    about,
)
from encconf.identities.credentials import Credentials
from encconf.io import fileio
from encconf.keys import MasterKey
from encconf.rules.config import Config, Rule, find_config, find_rule, load
from encconf.rules.selection import DEFAULT
from encconf.text.printable import one_line, quoted
from encconf.verbs import rekey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.metadata import Metadata
    from encconf.git.copies import Copies


def rotate(run: Run) -> None:
    """``sops rotate FILE``."""
    file = run.first()
    run.not_both()
    if not exists(file):
        run.no_other_keys(file, "the `edit` subcommand")
    rotate_file(run, file)


def rotate_file(run: Run, file: str) -> None:
    """Give a file a new data key, with the keys that the flags add and remove."""
    from encconf.git.copies import Copies

    source, target = run.formats(run.flags.filename_override or file)
    add, remove = run.keys(run.flags.add), run.keys(run.flags.remove)
    read = run.read(file, source)
    credentials = run.credentials()
    credentials.audit("rotate", read.text)
    opened = run.open(read)
    with about(file):
        rule = rekey.with_keys(rule_of(opened.metadata), add, remove, notify=run.console.warn)
        gaining = [key for group in rule.groups for key in group if key not in add]
        with suppress(EncconfError):
            own = find_rule(file, config=run.config)
            gaining += [key for group in own.groups for key in group]
        _warn_of_copy(run, Copies([file]), file, opened.metadata, gaining, run.config, opened.data_key)
        enc = encrypt_again(
            opened,
            plaintext.plain_text(opened),
            rule,
            target=envelope(source, target),
            new_data_key=True,
            admission=Admission(lambda: find_rule(file, config=run.config), file=file, named=add),
            credentials=credentials,
            notify=run.console.warn,
        )
    run.put(enc, read)


def updatekeys(run: Run) -> None:
    """``sops updatekeys FILE…``."""
    from encconf.git.copies import Copies

    config = run.config or find_config(None, os.getcwd(), notify=run.console.warn)
    if config is None:
        fail(1, "config file not found")
    if not run.line.args:
        fail(100, "Error: no file specified")
    failed, copies = 0, Copies(run.line.args)
    for file in run.line.args:
        try:
            _update(run, file, config, copies)
        except EncconfError as error:
            if len(run.line.args) == 1:
                raise error.about(file) from None
            failed += 1
            run.console.error(error.about(file))
    if failed:
        fail(1, f"failed updating {failed} key(s)")


def _update(run: Run, file: str, config: str, copies: Copies) -> None:
    path = os.path.abspath(file)
    if not os.path.exists(path):
        fail(1, f"stat {path}: no such file or directory")
    if os.path.isdir(path):
        fail(1, "can't operate on a directory")
    source, _ = run.formats(path)
    _say(run, f"Syncing keys for file {path}")
    text = fileio.read_text(path)
    if not text.strip():
        raise NotEncryptedError
    rule = find_rule(path, config=config, notify=run.console.warn)
    with exits(1, InputError):
        held = metadata_of(text, source).threshold or 0
        threshold = min(held, len(rule.groups)) or None
        wanted = rekey.plan(text, rule.replace(threshold=threshold), format=source)
    if not wanted.changes:
        _say(run, f"File {path} already up to date")
        return
    run.console.data("The following changes will be made to the file's groups:\n")
    # Not wanted.thresholds: sops does not show a threshold that it sets only when it writes the file.
    lines = rekey.threshold_lines(held, threshold or 0)
    lines += rekey.group_lines(wanted)
    run.console.data("".join(f"{line}\n" for line in lines))
    if wanted.added:
        _warn_of_copy(run, copies, path, wanted.metadata, wanted.added, config)
    if not run.flags.yes and not _is_confirmed(run, "Is this okay? (y/n):"):
        _say(run, f"File {path} left unchanged")
        return
    enc = rekey.carry_out(wanted, rotate=False, credentials=run.credentials(), notify=run.console.warn)
    fileio.write_atomic(fileio.resolve(path), enc, replacing=text)
    _say(run, f"File {path} synced with new keys")
    if wanted.removes:
        run.console.warn(
            "a key was removed, but the data key is unchanged, so that key can still open the file",
            hint=f"sops rotate -i {file}",
        )


def _warn_of_copy(
    run: Run,
    copies: Copies,
    file: str,
    metadata: Metadata,
    gaining: Sequence[MasterKey],
    config: str | None,
    data_key: bytes | None = None,
) -> None:
    """Warn if a file may be a copy of one that some recipients may not open.

    sops does not look, so a script must not fail.
    """
    read: dict[str, Config] = {}
    error = copies.objection(
        file, metadata, gaining, lambda other: find_rule(other, config=config, read=read), data_key
    )
    if error is not None:
        run.console.warn(error.message, hint=f"look at what the file contains: sops decrypt {quoted(file)}")


def add_group(run: Run) -> None:
    """``sops groups add``."""
    if run.line.args:
        fail(1, "error: no positional arguments allowed")
    group = run.keys(run.flags.group)
    _regroup(run, lambda rule, threshold: rekey.with_group(rule, group, threshold), named=group)


def delete_group(run: Run) -> None:
    """``sops groups delete INDEX``."""
    args = run.line.args
    if len(args) != 1:
        fail(1, "error: exactly one positional argument (index) required")
    if not args[0].isdecimal() or len(args[0]) > 9:
        fail(1, "failed to parse [index] argument: it is not a number")
    _regroup(run, lambda rule, threshold: rekey.without_group(rule, int(args[0]), threshold))


def _regroup(run: Run, change: Callable[[Rule, int | None], Rule], named: Sequence[MasterKey] = ()) -> None:
    """Change the key groups of a file.  ``change`` gets its rule and the threshold that the flags set."""
    file = run.flags.file
    source, _ = run.formats(file)
    read = run.read(file, source)
    threshold = run.flags.shamir_secret_sharing_threshold or None
    with about(file), exits(1, InputError, KeyAccessError):
        admission = run.admission(file, named=named)
        wanted = rekey.plan_change(
            read.text,
            lambda rule: change(rule, threshold),
            format=source,
            admission=admission,
            regroups=True,
        )
        enc = rekey.carry_out(wanted, rotate=False, credentials=run.credentials(), notify=run.console.warn)
    run.put(enc, read)


def keyservice(run: Run) -> None:
    """``sops keyservice``."""
    from encconf.cli.commands import keyservice as service

    flags = run.flags
    if flags.network not in ("", "tcp", "unix"):
        raise UsageError(f"a key service listens on tcp or unix, not on {flags.network}")
    options = service.Options(
        network="unix" if flags.network == "unix" else "tcp",
        address=flags.address,
        prompt=flags.prompt,
        verbose=run.root.verbose or run.flags.verbose,
    )
    service.keyservice(options, run.console)


def publish(run: Run) -> None:
    """``sops publish FILE``, with sops's checks in sops's order, its questions and its exit codes."""
    config = run.config or find_config(None, os.getcwd(), notify=run.console.warn)
    if config is None:
        raise EncconfError("config file not found")
    path = run.first()
    if not os.path.exists(path):
        raise EncconfError(f"stat {path}: no such file or directory")
    if os.path.isdir(path) and not run.flags.recursive:
        raise EncconfError("can't operate on a directory without --recursive flag.")
    credentials = run.credentials()
    credentials.key_order()
    for file in _walk(path):
        with exits(1, InputError):
            _publish(run, file, path, config, credentials)


def _walk(path: str) -> Iterator[str]:
    """Yield a file, or the files below a folder in the order of Go: sorted by the bytes of their names."""
    if os.path.islink(path) or not os.path.isdir(path):
        yield path
        return
    for name in sorted(os.listdir(path), key=os.fsencode):
        yield from _walk(os.path.join(path, name))


def _publish(run: Run, file: str, root: str, config: str, credentials: Credentials) -> None:
    from encconf import publish as publishing

    loaded = load(config)
    destination = publishing.find_destination(loaded, file)
    for notice in loaded.notices:
        run.console.warn(f"{config}: {notice}")
    recursive = run.flags.recursive
    name = publishing.name_there(
        file,
        root if recursive else None,
        omit_extensions=run.flags.omit_extensions or destination.omit_extensions,
    )
    source, _ = run.formats(file)
    text = run.read(file, source).text
    if not text.strip() and not formats.get(source).single_value:
        raise NotEncryptedError
    rule = destination.rule
    if rule is not None and not rule.selection.kind.endswith("suffix"):
        # sops applies only the suffix of this rule.  With a regex, it encrypts everything.
        rule = rule.replace(selection=DEFAULT)
    if destination.kind == "vault" or rule is not None:
        from encconf.git.copies import Copies

        others = Copies([file]).others(file, metadata_of(text, source))
        if (other := publishing.going_elsewhere(others, destination, lambda each: loaded)) is not None:
            run.console.warn(
                f"{file}: {publishing.copied(other)}",
                hint=f"look at what the file contains: sops decrypt {quoted(file)}",
            )
    with about(file):
        prepared = publishing.prepare(
            text, source, destination, credentials, rule=rule, notify=run.console.warn
        )
    if prepared.plan is not None and prepared.plan.regroups:
        run.console.data("The following changes will be made to the file's key groups:\n")
        run.console.data("".join(f"{line}\n" for line in rekey.group_lines(prepared.plan)))
    whole = os.path.abspath(file)
    if not run.flags.yes and not _is_confirmed(
        run, f"uploading {whole} to {publishing.address(destination, name, run.environ)} ? (y/n): "
    ):
        said = f"Publication of {whole} canceled"
        if not recursive:
            raise EncconfError(said)
        run.console.data(one_line(said) + "\n")
        return
    with about(file):
        published = publishing.put(destination, name, prepared.content, credentials)
    if published:
        run.console.note(f"{whole} was published")
    else:
        run.console.note(f"Secret in {name} is already up-to-date.")


def _say(run: Run, text: str) -> None:
    """Print a line of sops's log, without a prefix."""
    run.console.write(one_line(text) + "\n")


def _is_confirmed(run: Run, question: str) -> bool:
    """Ask on stdout, and return whether the answer is y.  Asks again after a word that is not y or n."""
    while True:
        run.console.data(one_line(question))
        line = sys.stdin.readline() if sys.stdin is not None else ""  # None: it was closed at start
        words = line.split()
        if len(words) != 1:
            raise EncconfError("expected newline" if words else "unexpected newline" if line else "EOF")
        if words[0] in ("y", "n"):
            return words[0] == "y"


COMMANDS = {
    "rotate": rotate,
    "updatekeys": updatekeys,
    "groups add": add_group,
    "groups delete": delete_group,
    "keyservice": keyservice,
    "publish": publish,
}
