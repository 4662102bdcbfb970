"""``encconf publish``, and sops's own command of that name: files to S3, Google Cloud Storage, Vault."""

from __future__ import annotations

import os

from encconf import publish as publishing
from encconf.cli import files
from encconf.errors import (
    EncconfError,
    NoConfigError,
    UsageError,
    exit_code_of,
)
from encconf.publish import destinations

TYPE_CHECKING = False
if TYPE_CHECKING:

    from encconf.cli.console import Console
    from encconf.identities.credentials import Credentials
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
    source = files.read(job.file)
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
