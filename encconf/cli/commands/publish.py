"""``encconf publish``: send files to S3, Google Cloud Storage and Vault."""

from __future__ import annotations

import os
from collections.abc import Mapping

from encconf import publish as publishing
from encconf.cli import files, targets
from encconf.cli.batch import Batch
from encconf.cli.console import Console
from encconf.cli.options import Value, flag, text
from encconf.errors import NoConfigError, as_data
from encconf.rules.config import NAME, Config, find_config, load_file
from encconf.rules.destination import Destination


def publish(console: Console, *, file: list[str], **options: Value) -> None:
    """Send files to the destinations that .sops.yaml has for them.

    A file of a folder is published under its path in the folder.
    """
    work = Publishing(console, options)
    for path in file:
        root = path if os.path.isdir(path) else None
        for each in targets.files(console, [path], options):
            if each not in work.places:
                work.add(each, root)
    work.run(list(work.places))


class Publishing(Batch):
    """The files to publish.  They are prepared at the same time, and sent in order."""

    def __init__(self, console: Console, options: Mapping[str, Value]) -> None:
        super().__init__(console, "publishing", options)
        self._configs: dict[str, Config] = {}
        # By file, its name at the destination, the destination, and the address.
        self.places: dict[str, tuple[str, Destination, str]] = {}

    def add(self, file: str, root: str | None) -> None:
        """Find the destination of a file.  Raises an error if it has none."""
        found = text(self.options, "config") or find_config(file, os.getcwd(), notify=self.console.warn)
        if found is None:
            raise NoConfigError(
                f"no {NAME} was found, so {file} has no destination",
                hint="create one with destination_rules: see docs/publish.md",
            )
        if found not in self._configs:
            self._configs[found] = load_file(found)
            for notice in self._configs[found].notices:
                self.console.warn(f"{found}: {notice}")
        destination = publishing.find_destination(self._configs[found], file)
        name = publishing.name_there(
            file, root, omit_extensions=flag(self.options, "omit_extensions") or destination.omit_extensions
        )
        address = publishing.address(destination, name, self.console.environ)
        self.places[file] = name, destination, address

    def prepare(self) -> None:
        """Show where each file goes, and ask for confirmation."""
        if self.dry_run or flag(self.options, "yes"):
            return
        for file in self.left:
            self.console.note(f"{file} → {self._where(file)}")
        if not self.console.confirm("publish?"):
            self.console.note("nothing was published")
            self.states = dict.fromkeys(self.left, "left")

    def work(self, file: str) -> publishing.Prepared | None:
        """Prepare the content to send.  Returns None for a dry run."""
        source = files.read(file, self.options)
        if self.dry_run:
            publishing.refuse_unmerged(source.text, source.format)
            return None
        _, destination, _ = self.places[file]
        return publishing.prepare(
            source.text, source.format, destination, self.credentials, notify=self.warner(file)
        )

    def settle(self, file: str, done: object) -> str:
        """Send and report one file."""
        if not isinstance(done, publishing.Prepared):
            self.console.note(f"{file} would go to {self._where(file)}")
            return "would-change"
        name, destination, address = self.places[file]
        if publishing.put(destination, name, done.content, self.credentials):
            self.console.note(f"published {file} to {self._where(file)}")
            return "changed"
        self.console.note(f"{address} is up to date")
        return "unchanged"

    def _where(self, file: str) -> str:
        _, destination, address = self.places[file]
        how = _how(destination)
        return f"{address} ({'encrypted as it is' if how == 'encrypted' else how})"

    def report(self) -> None:
        """Print the results as JSON, if the user asked for it."""
        if flag(self.options, "json"):
            words = {"changed": "published", "would-change": "would-publish"}
            rows = []
            for file, (_, destination, address) in self.places.items():
                state, error = self.states.get(file, "left"), self.errors.get(file)
                rows.append(
                    {
                        "file": file,
                        "to": address,
                        "how": _how(destination),
                        "status": words.get(state, state),
                        "error": as_data(error, file) if error is not None else None,
                    }
                )
            self.console.json({"dry_run": self.dry_run, "files": rows})


def _how(destination: Destination) -> str:
    if destination.kind == "vault":
        return "decrypted"
    return "encrypted" if destination.rule is None else "re-encrypted"
