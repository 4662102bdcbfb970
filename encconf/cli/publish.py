"""``encconf publish``, and sops's own command of that name: files to S3, Google Cloud Storage, Vault."""

from __future__ import annotations

import os
import sys

from encconf import publish as publishing
from encconf.cli import files
from encconf.errors import (
    DecryptError,
    EncconfError,
    InputError,
    KeyAccessError,
    MacError,
    NoConfigError,
    PublishError,
    UsageError,
    exit_code_of,
)
from encconf.publish import destinations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from encconf.cli.console import Console
    from encconf.cli.sops_run import Run
    from encconf.identities.credentials import Credentials
    from encconf.keys import MasterKey
    from encconf.publish.destinations import Destination
    from encconf.rules.config import Config


class _Job:
    """One file: where it comes from, where it goes, and what becomes of it."""

    __slots__ = ("address", "destination", "done", "file", "how", "name", "prepared")

    def __init__(self, file: str, name: str, destination: Destination, address: str) -> None:
        self.file = file
        self.name = name
        self.destination = destination
        self.address = address
        self.done = ""
        self.how = _how(destination)
        self.prepared: publishing.Prepared | None = None


def _how(destination: Destination) -> str:
    if destination.kind == "vault":
        return "decrypted"
    return "encrypted as it is" if destination.rule is None else "re-encrypted"


def publish(
    console: Console,
    *,
    file: list[str],
    yes: bool,
    dry_run: bool,
    json: bool,
    recursive: bool,
    omit_extensions: bool,
    input_type: str | None,
    config: str | None,
) -> None:
    """Put files where the destination rules of .sops.yaml say; a folder's files by their place in it."""
    from encconf.cli import targets

    configs: dict[str, Config] = {}
    jobs: list[_Job] = []
    for path in file:
        root = path if os.path.isdir(path) else None
        for each in targets.files(console, [path], recursive=recursive, changed=False):
            jobs.append(_job(console, each, root, config, configs, omit_extensions))
    credentials = files.credentials(console)
    try:
        if not (dry_run or yes) and jobs and not _agreed(console, jobs):
            console.note("nothing was published")
            return
        failed: list[EncconfError] = []
        with console.progress(len(jobs), "publishing") as step:
            for job in jobs:
                try:
                    _publish(console, job, credentials, input_type, dry_run)
                except EncconfError as error:
                    job.done = "failed"
                    if len(jobs) == 1:
                        raise error.about(job.file) from None
                    failed.append(error)
                    console.error(error.about(job.file))
                step()
        if failed:
            last = EncconfError(f"{len(failed)} of {len(jobs)} files were not published")
            codes = {exit_code_of(error) for error in failed}
            last.exit_code = codes.pop() if len(codes) == 1 else 1
            raise last
    finally:
        if json:
            _report(console, jobs)


def _job(
    console: Console,
    file: str,
    root: str | None,
    config: str | None,
    configs: dict[str, Config],
    omit_extensions: bool,
) -> _Job:
    from encconf.io import fileio
    from encconf.rules.config import NAME, find_config, load

    if file in files.STDIN:
        raise UsageError("stdin has no name to publish under", hint="give a file")
    found = config or find_config(file, os.getcwd(), notify=console.warn)
    if found is None:
        raise NoConfigError(
            f"there is no {NAME} with a destination for {file}",
            hint="add destination_rules to one: see docs/publish.md",
        )
    if found not in configs:
        configs[found] = load(found, fileio.read_text(found))
        for notice in configs[found].notices:
            console.warn(f"{found}: {notice}")
    destination = destinations.find(configs[found], file)
    relative = os.path.relpath(file, root) if root is not None else os.path.basename(file)
    name = publishing.name_there(
        relative.replace(os.sep, "/"), omit_extensions=omit_extensions or destination.omit_extensions
    )
    return _Job(file, name, destination, publishing.address(destination, name, console.environ))


def _agreed(console: Console, jobs: list[_Job]) -> bool:
    if not console.can_ask():
        raise UsageError(
            "cannot ask for confirmation: this is not a terminal",
            hint="use --yes to accept all changes, or --dry-run to see them",
        )
    for job in jobs:
        console.note(f"{job.file} → {job.address} ({job.how})")
    try:
        return console.ask("publish? [y/N]").lower().startswith("y")
    except EOFError:
        return False


def _publish(
    console: Console, job: _Job, credentials: Credentials, input_type: str | None, dry_run: bool
) -> None:
    source = files.read(job.file, in_place=False, output=None, override=None)
    format = source.format(input_type)
    if dry_run:
        files.metadata(source.text, format)
        job.done = "would be"
        console.note(f"{job.file} would go to {job.address} ({job.how})")
        return
    prepared = publishing.prepare(source.text, format, job.destination, credentials, notify=console.warn)
    if publishing.put(job.destination, job.name, prepared.content, credentials):
        job.done = "published"
        console.note(f"published {job.file} to {job.address} ({job.how})")
    else:
        job.done = "unchanged"
        console.note(f"{job.address} is up to date")


def _report(console: Console, jobs: list[_Job]) -> None:
    import json

    rows = [
        {"file": job.file, "to": job.address, "how": job.how, "done": job.done or "not tried"} for job in jobs
    ]
    console.data(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")


# --- as sops does ----------------------------------------------------------------------------------


def publish_as_sops(run: Run) -> None:
    """``sops publish FILE``: its checks in its order, its questions, its exit codes."""
    from encconf.rules.config import find_config

    config = run.config or find_config(None, os.getcwd(), notify=run.console.warn)
    if config is None:
        raise EncconfError("config file not found")
    path = run.first()
    if not os.path.exists(path):
        raise EncconfError(f"stat {path}: no such file or directory")
    if os.path.isdir(path) and not run.line.on("recursive"):
        raise EncconfError("can't operate on a directory without --recursive flag.")
    credentials = run.credentials()
    credentials.key_order()
    for file in _walk(path):
        try:
            _publish_as_sops(run, file, path, config, credentials)
        except InputError as error:
            error.exit_code = 1
            raise error.about(file) from None
        except (PublishError, DecryptError, KeyAccessError, MacError) as error:
            raise error.about(file) from None


def _walk(path: str) -> Iterator[str]:
    """The file, or those below a folder in the order of their names, which is Go's."""
    if os.path.islink(path) or not os.path.isdir(path):
        yield path
        return
    for name in sorted(os.listdir(path), key=os.fsencode):
        yield from _walk(os.path.join(path, name))


def _publish_as_sops(run: Run, file: str, root: str, config: str, credentials: Credentials) -> None:
    from encconf.cli import plan_text
    from encconf.io import fileio
    from encconf.rules.config import Rule, load

    loaded = load(config, fileio.read_text(config))
    destination = destinations.find(loaded, file)
    for notice in loaded.notices:
        run.console.warn(f"{config}: {notice}")
    recursive = run.line.on("recursive")
    name = os.path.relpath(file, root) if recursive else os.path.basename(file)
    name = publishing.name_there(
        name.replace(os.sep, "/"),
        omit_extensions=run.line.on("omit-extensions") or destination.omit_extensions,
    )
    source, _ = run.formats(file)
    text = run.read(file)
    if not text.strip() and source != "binary":
        from encconf.errors import NotEncryptedError

        raise NotEncryptedError
    rule = destination.rule
    if rule is not None and not rule.selection.kind.endswith("suffix"):
        # sops takes a suffix from this rule, and no regex: all is encrypted.
        from encconf.rules.selection import DEFAULT

        rule = Rule(rule.groups, rule.threshold, DEFAULT, rule.name)
    prepared = publishing.prepare(text, source, destination, credentials, rule=rule, notify=run.console.warn)
    if prepared.plan is not None and _changes_keys(prepared.plan.old, prepared.plan.new):
        run.console.data("The following changes will be made to the file's key groups:\n")
        run.console.data("".join(f"{line}\n" for line in plan_text.of_groups(prepared.plan)))
    whole = os.path.abspath(file)
    if not run.line.on("yes") and not _answered_as_sops(
        run, f"uploading {whole} to {publishing.address(destination, name, run.environ)} ? (y/n): "
    ):
        said = f"Publication of {whole} canceled"
        if not recursive:
            raise EncconfError(said)
        run.console.data(said + "\n")
        return
    if publishing.put(destination, name, prepared.content, credentials):
        run.console.note(f"{whole} was published")
    else:
        run.console.note(f"Secret in {name} is already up-to-date.")


def _changes_keys(old: list[list[MasterKey]], new: list[list[MasterKey]]) -> bool:
    return len(old) != len(new) or any(set(a) != set(b) for a, b in zip(old, new, strict=True))


def _answered_as_sops(run: Run, question: str) -> bool:
    """Whether the answer is y; the question is on stdout, and comes again for another word."""
    while True:
        run.console.data(question)
        answer = sys.stdin.readline()
        if not answer.strip():
            raise EncconfError("unexpected newline" if answer else "EOF")
        if answer.strip() in ("y", "n"):
            return answer.strip() == "y"
