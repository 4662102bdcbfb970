"""``encconf publish``: send files to S3, Google Cloud Storage and Vault."""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Sequence
from functools import cached_property

from encconf import publish as publishing
from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.console import Console
from encconf.cli.shared import CREDENTIALS, DRY_RUN, INPUT_TYPE, JSON, YES
from encconf.engine.metadata import Metadata, metadata_of
from encconf.errors import NoConfigError, StrangerError, as_data
from encconf.record import VerbOptions
from encconf.rules.config import NAME, Config, Destination, find_config, load
from encconf.text.printable import quoted
from encconf.verbs import batch, files
from encconf.verbs.batch import Batch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.git.copies import Copies


class Options(VerbOptions):
    file: Sequence[str] = ()
    yes: bool = False
    dry_run: bool = False
    recursive: bool = False
    omit_extensions: bool = False
    json: bool = False
    input_type: str | None = None
    config: str | None = None


def publish(options: Options, console: Console) -> None:
    """Send files to the destinations that .sops.yaml has for them.

    A file of a folder is published under its path in the folder.
    """
    work = Publishing(console, options)
    for path in options.file:
        root = path if os.path.isdir(path) else None
        for each in batch.files(console, [path], recursive=options.recursive, proposals=False):
            if each not in work.places:
                work.add(each, root)
    work.run(list(work.places))


PUBLISH = Command(
    "publish",
    """Send files to the destinations in .sops.yaml: S3, Google Cloud Storage, Vault.

    encconf prints each file's destination, and asks for confirmation before it sends anything. With -r, it
    sends the encrypted files of a folder, by their path within it.

    - S3, Google Cloud Storage: get the encrypted file, re-encrypted if the destination rule has a
      recreation_rule
    - Vault, OpenBao: a KV engine gets the decrypted values

    Exit codes:

    - 0: all files were sent
    - 1: a destination did not accept a file
    - 128: a file could not be decrypted
    """,
    Options,
    publish,
    arguments=[Argument("file", required=True, named=True)],
    options=[
        YES,
        DRY_RUN,
        Option("--recursive", "-r", help="Publish the encrypted files in folders."),
        Option("--omit-extensions", help="Remove the file extension from the name at the destination."),
        JSON,
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf publish -n secrets.enc.yaml",
        "encconf publish -y -r deploy/",
        "encconf publish --json -y secrets.enc.yaml",
    ],
)


class Publishing(Batch):
    """The files to publish.  They are prepared at the same time, and sent in order."""

    def __init__(self, console: Console, options: Options) -> None:
        super().__init__(console, "publishing", dry_run=options.dry_run)
        self._options = options
        self._configs: dict[str, Config] = {}
        self._looking = allocate_lock()
        # By file, its name at the destination, the destination, and the address.
        self.places: dict[str, tuple[str, Destination, str]] = {}

    def add(self, file: str, root: str | None) -> None:
        """Find the destination of a file.  Raises an error if it has none."""
        found = self._options.config or find_config(file, os.getcwd(), notify=self.front.warn)
        if found is None:
            raise NoConfigError(
                f"no {NAME} was found, so {file} has no destination",
                hint="create one, such as: destination_rules: [{path_regex: ^deploy/, s3_bucket: NAME}]",
            )
        if found not in self._configs:
            self._configs[found] = load(found)
            for notice in self._configs[found].notices:
                self.front.warn(f"{found}: {notice}")
        destination = publishing.find_destination(self._configs[found], file)
        name = publishing.name_there(
            file, root, omit_extensions=self._options.omit_extensions or destination.omit_extensions
        )
        address = publishing.address(destination, name, self.front.environ)
        self.places[file] = name, destination, address

    def prepare(self) -> None:
        """Show where each file goes, and ask for confirmation."""
        if self.dry_run or self._options.yes:
            return
        for file in self.left:
            self.front.note(f"{file} → {self._where(file)}")
        if not self.front.confirm("publish?"):
            self.front.note("nothing was published")
            self.states = dict.fromkeys(self.left, "left")

    def work(self, file: str) -> publishing.Prepared | None:
        """Prepare the content to send.  Returns None for a dry run."""
        source = files.read(file, input_type=self._options.input_type)
        if self.dry_run:
            publishing.refuse_unready(source.text, source.format)
            return None
        _, destination, _ = self.places[file]
        if _how(destination) != "encrypted" and source.path is not None:
            self._refuse_copy(file, metadata_of(source.text, source.format), destination)
        return publishing.prepare(
            source.text, source.format, destination, self.credentials, notify=self.warner(file)
        )

    def _refuse_copy(self, file: str, metadata: Metadata, destination: Destination) -> None:
        """Raise StrangerError if a file has the data key of another one, which has another destination."""

        def config(other: str) -> Config | None:
            found = self._options.config or find_config(other, os.getcwd())
            return (self._configs.get(found) or load(found)) if found is not None else None

        with self._looking:
            others = self._copies.others(file, metadata)
        if (other := publishing.going_elsewhere(others, destination, config)) is not None:
            raise StrangerError(
                publishing.copied(other),
                hint=f"look at it: encconf decrypt {quoted(file)}; if all may go: encconf rotate FILE",
            )

    @cached_property
    def _copies(self) -> Copies:
        from encconf.git.copies import Copies

        return Copies(self.paths)

    def settle(self, file: str, done: object) -> str:
        """Send and report one file."""
        if not isinstance(done, publishing.Prepared):
            self.front.note(f"{file} would go to {self._where(file)}")
            return "would-change"
        name, destination, address = self.places[file]
        if publishing.put(destination, name, done.content, self.credentials):
            self.front.note(f"published {file} to {self._where(file)}")
            return "changed"
        self.front.note(f"{address} is up to date")
        return "unchanged"

    def _where(self, file: str) -> str:
        _, destination, address = self.places[file]
        how = _how(destination)
        return f"{address} ({'encrypted as it is' if how == 'encrypted' else how})"

    def report(self) -> None:
        """Print the results as JSON, if the user asked for it."""
        if self._options.json:
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
            self.front.json({"dry_run": self.dry_run, "files": rows})


def _how(destination: Destination) -> str:
    if destination.kind == "vault":
        return "decrypted"
    return "encrypted" if destination.rule is None else "re-encrypted"
