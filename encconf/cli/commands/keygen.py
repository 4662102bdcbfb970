"""``encconf keygen``."""

from __future__ import annotations

from encconf.cli.command import Command, Option
from encconf.verbs.init import KeyOptions, create_key

COMMAND = Command(
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
