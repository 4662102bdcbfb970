"""``encconf init``."""

from __future__ import annotations

from encconf.cli.command import Command, Option
from encconf.verbs.init import Options, run

COMMAND = Command(
    "init",
    """Set up a key, a .sops.yaml and git for this project.

    Creates what is missing and changes nothing that exists:

    - a key: an age key in your key file, unless you have one
    - .sops.yaml: a rule that names this key as a recipient. If files are encrypted here already, it shows
      their keys and settings, which anyone could have added, and asks whether to take them
    - git: the drivers that diff and merge encrypted files by value
    """,
    Options,
    run,
    options=[
        Option(
            "--yes",
            help=(
                "Take the keys and settings of files that are encrypted already, without asking. Without it "
                "and without a terminal, .sops.yaml names only your own key."
            ),
        ),
        Option("--keyring", help="Store the key in the system keyring, and use it from there."),
        Option(
            "--ssh-to-age",
            metavar="PUB",
            help=(
                "Encrypt for the age recipient of this ssh-ed25519 key (a .pub file, or its line). "
                "Repeatable. With this option, no key is created."
            ),
        ),
        Option(
            "--agents",
            help=(
                "Do only this: add rules against reading plaintext and keys to the settings of coding agents "
                "that this repository has."
            ),
        ),
    ],
    examples=[
        "encconf init",
        "encconf init --keyring",
        "encconf init --agents",
        "encconf init --ssh-to-age ~/.ssh/id_ed25519.pub --ssh-to-age hosts/web.pub",
    ],
)
