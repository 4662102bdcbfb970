"""``encconf git mergetool``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command
from encconf.verbs.mergetool import Options, run

COMMAND = Command(
    "git mergetool",
    """Merge two versions of an encrypted file in your editor.

    Writes MERGED. Changes that do not conflict are merged automatically; the editor shows the rest.
    """,
    Options,
    run,
    arguments=[Argument("base"), Argument("ours"), Argument("theirs"), Argument("merged")],
    examples=["git mergetool --tool=encconf secrets.enc.yaml"],
)
