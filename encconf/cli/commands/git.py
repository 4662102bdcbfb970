"""``encconf git``: install and uninstall, and the drivers and the merge tool that git runs."""

from __future__ import annotations

import os
from collections.abc import Sequence

from encconf.cli.command import Argument, Command, Option
from encconf.errors import LimitError
from encconf.io import fileio
from encconf.record import VerbOptions
from encconf.verbs import merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


_GLOBAL = Option("--global", field="everywhere", help="For all your repositories.")


class InstallOptions(VerbOptions):
    pattern: Sequence[str] = ()
    everywhere: bool = False


def install(options: InstallOptions, console: Console) -> None:
    """Set git up to compare and merge by value in this repository, or in all repositories of the user."""
    from encconf.git.install import install

    done = install(os.getcwd(), list(options.pattern), everywhere=options.everywhere, environ=console.environ)
    for line in done or ["git is set up already"]:
        console.note(line)


GIT_INSTALL = Command(
    "git install",
    """Let git diff and merge encrypted files by their values.

    Sets up the diff driver, the merge driver and the merge tool in this clone's configuration. Adds lines
    to .gitattributes for *.enc.yaml and similar names, for the files that are encrypted here or that
    .sops.yaml covers, and for each PATTERN.

    People without a key see the encrypted text.
    """,
    InstallOptions,
    install,
    arguments=[Argument("pattern")],
    options=[_GLOBAL],
    examples=[
        "encconf git install",
        "encconf git install 'secrets/*.yaml'",
    ],
)


class UninstallOptions(VerbOptions):
    everywhere: bool = False


def uninstall(options: UninstallOptions, console: Console) -> None:
    """Remove from git's settings what `git install` added."""
    from encconf.git.install import uninstall

    done = uninstall(os.getcwd(), everywhere=options.everywhere, environ=console.environ)
    for line in done or ["nothing to do"]:
        console.note(line)


GIT_UNINSTALL = Command(
    "git uninstall",
    """Undo git install.""",
    UninstallOptions,
    uninstall,
    options=[_GLOBAL],
    examples=["encconf git uninstall"],
)


class TextconvOptions(VerbOptions):
    file: str
    note: str | None = None


def textconv(options: TextconvOptions, console: Console) -> None:
    """Print the plaintext of a file.  If that fails, print it unchanged, and one line on stderr says why."""
    from encconf.errors import KeyAccessError
    from encconf.git import textconv as conversion
    from encconf.verbs.printing import may_print

    file = options.file
    keys = conversion.KnownKeys()
    try:
        data = fileio.read_bytes(file)
    except LimitError:
        with open(file, "rb") as whole:  # as it is, but not into memory: nothing limits its size
            while part := whole.read(1 << 20):
                console.data(part)
        return
    if not may_print(console.environ):  # the ciphertexts show which values differ
        console.data(data)
        return
    shown, error = conversion.textconv(data, file, keys)
    console.data(shown)
    if error is None:
        conversion.keep(keys)
        return
    is_new = None
    if options.note and isinstance(error, KeyAccessError):
        is_new = conversion.note(options.note, data, file)
    if is_new is not False:
        others = ", and all other versions that no key of yours opens" if is_new else ""
        console.note(f"{os.path.basename(file)}{others}: shown encrypted: {conversion.reason_of(error)}")


GIT_TEXTCONV = Command(
    "git textconv",
    """Print a file as plaintext, for git diff.

    A file that cannot be decrypted is printed as it is, so git diff never fails. NOTE is the name of a
    file for the recipients of files that no key of yours opens; encconf git install sets it.
    """,
    TextconvOptions,
    textconv,
    arguments=[Argument("file"), Argument("note")],
    examples=["encconf git textconv secrets.enc.yaml"],
)


GIT_MERGE = Command(
    "git merge",
    """Merge two versions of an encrypted file, as git's merge driver.

    Writes the result to OURS; PATH is the file's path in the repository.

    With a key, merges values; both sides of a conflict stay encrypted until encconf edit shows them.
    Without a key, merges ciphertexts; encconf edit then adds the MAC.

    Exit codes:

    - 0: merged
    - 1: both sides changed the same value, or a side that is not encrypted changed one
    - 129: the merge failed; OURS has both versions between conflict markers, if it can be written
    """,
    merge.Options,
    merge.run,
    arguments=[Argument("base"), Argument("ours"), Argument("theirs"), Argument("path")],
    options=[
        Option(
            "--marker-size",
            metavar="NUMBER",
            empty=True,
            help="The length of conflict markers in a plaintext file.",
        ),
        Option("--base-label", metavar="TEXT", empty=True, help="The label of the common ancestor."),
        Option("--ours-label", metavar="TEXT", empty=True, help="The label of OURS."),
        Option("--theirs-label", metavar="TEXT", empty=True, help="The label of THEIRS."),
    ],
    failure=129,
    examples=['git config merge.encconf.driver "encconf git merge %O %A %B ./%P"'],
)


GIT_MERGETOOL = Command(
    "git mergetool",
    """Merge two versions of an encrypted file in your editor.

    Writes MERGED. Changes that do not conflict are merged automatically; the editor shows the rest.
    """,
    merge.ToolOptions,
    merge.run_tool,
    arguments=[Argument("base"), Argument("ours"), Argument("theirs"), Argument("merged")],
    examples=["git mergetool --tool=encconf secrets.enc.yaml"],
)
