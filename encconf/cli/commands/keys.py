"""``encconf keys add``, ``keys remove`` and ``keys list``, and ``encconf whoami``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import (
    CHANGED,
    CHECKLIST,
    CREDENTIALS,
    DRY_RUN,
    FAIL_FAST,
    GROUP_KEYS,
    INPUT_TYPE,
    JSON,
    RECURSIVE,
    VERBOSE,
    YES,
)
from encconf.verbs.people import Asking, KeysAdding, Listing, Removing, add_keys, list_all, remove, whoami

KEYS_ADD = Command(
    "keys add",
    """Add a person to .sops.yaml and to the files.

    With --name, the words are the person's keys: an age recipient, an SSH key, a PGP fingerprint, or the
    name of a KMS key. They are added to every rule of .sops.yaml, or with --for to the rules of some files,
    in the style that the file has. Then the files get the new recipient, as with updatekeys.

    Without --name, the words are files, and the keys of --age and similar are added to the first key group of
    these files only. No value is re-encrypted, and .sops.yaml does not change.
    """,
    KeysAdding,
    add_keys,
    arguments=[Argument("file")],
    options=[
        Option("--name", metavar="NAME", utf8=True, help="Add the keys of this person to .sops.yaml."),
        Option(
            "--for",
            metavar="FILE",
            field="for_files",
            help="With --name: only to the rules of this file, pattern or folder. Repeatable.",
        ),
        Option("--group", metavar="NUMBER", help="With --name: to this key group of rules with several."),
        YES,
        RECURSIVE,
        CHANGED,
        DRY_RUN,
        VERBOSE,
        JSON,
        FAIL_FAST,
        *GROUP_KEYS,
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf keys add --name bob age1…",
        "encconf keys add --name bob --for deploy/staging age1…",
        "encconf keys add --age age1… secrets.enc.yaml",
    ],
)


KEYS_REMOVE = Command(
    "keys remove",
    """Remove a person from .sops.yaml and from the files.

    WHO is a name that .sops.yaml gives to a key (an anchor, a comment, or a line of .sops.recipients), or
    the key itself. The files get new data keys, and a report lists the values that the person could read:
    change these secrets at their source as well.

    If folders follow WHO, the person leaves the projects in these folders, one after another; -n shows all
    plans. A name must then be that of one key, or you confirm each project.
    """,
    Removing,
    remove,
    arguments=[Argument("who", required=True, named=True, utf8=True)],
    options=[YES, DRY_RUN, CHECKLIST, VERBOSE, JSON, FAIL_FAST, INPUT_TYPE, *CREDENTIALS, CONFIG],
    examples=[
        "encconf keys remove bob",
        "encconf keys remove -n bob",
        "encconf keys remove --checklist bob.md bob",
        "encconf keys remove -n bob ~/src/*",
    ],
)


KEYS_LIST = Command(
    "keys list",
    """List who is in which rule of .sops.yaml.

    For who can read which file, and since when, see access.
    """,
    Listing,
    list_all,
    options=[JSON, CONFIG],
    examples=["encconf keys list"],
)


WHOAMI = Command(
    "whoami",
    """Print your recipients, and which files of this repository they open.

    A recipient is the public part of a key: send it to somebody who can add you (keys add).
    """,
    Asking,
    whoami,
    options=[JSON, *CREDENTIALS],
    examples=["encconf whoami"],
)
