"""``encconf init`` and ``encconf keygen``."""

from __future__ import annotations

from encconf.cli.command import Command, Option
from encconf.verbs.init import KeyOptions, Options, create_key, run

INIT = Command(
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


KEYGEN = Command(
    "keygen",
    """Create an age key and print its recipient.

    Adds the key to your key file, where encconf and sops find it. With --to, stores it in a secret store
    instead; ENCCONF_IDENTITY (or --use) then tells encconf where to look. An existing secret is never
    overwritten.
    """,
    KeyOptions,
    create_key,
    options=[
        Option("--output", "-o", metavar="FILE", help="Write the key to this new file instead (-: stdout)."),
        Option("--to", metavar="ADDRESS", help="Store the key here instead: keyring:…, vault:…, awssm:… …"),
        Option("--use", help="Save the address given with --to in your configuration file."),
        Option("--pq", help="Create a post-quantum key."),
    ],
    examples=[
        "encconf keygen",
        "encconf keygen -o ci-key.txt",
        "encconf keygen --to keyring:encconf/work --use",
        "encconf keygen --to 'vault:secret/ci/encconf#identity'",
    ],
)
