"""``encconf git merge``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command, Option
from encconf.verbs.merge import Options, run

COMMAND = Command(
    "git merge",
    """Merge two versions of an encrypted file, as git's merge driver.

    Writes the result to OURS; PATH is the file's path in the repository.

    With a key, merges values; both sides of a conflict stay encrypted until encconf edit shows them.
    Without a key, merges ciphertexts; encconf edit then adds the MAC.

    Exit codes:

    - 0: merged
    - 1: both sides changed the same value, or a side is not encrypted
    - 129: the merge failed; OURS has both versions between conflict markers, if it can be written
    """,
    Options,
    run,
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
