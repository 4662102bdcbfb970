"""``encconf exec``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command, Option
from encconf.cli.shared import CREDENTIALS, INPUT_TYPE, NAMING, RESOLVE
from encconf.verbs.execute import Options, run

COMMAND = Command(
    "exec",
    """Run a program with the values of files in its environment.

    db.password becomes DB_PASSWORD. Variables that are already set take precedence, and later files
    override earlier ones.

    The program replaces encconf: there is no shell in between, and signals and the exit code are the
    program's own. It does not get the variables that open files: SOPS_AGE_KEY, VAULT_TOKEN,
    CONJUR_AUTHN_API_KEY and similar.

    With --redact, encconf stays, and removes the values from the program's stdout and stderr: as they are, in
    base64 and hexadecimal, and escaped for URLs, JSON and HTML, also if they are split over lines. Values of
    less than 6 characters are not removed, nor is a value in whose middle the program pauses for 40 ms, nor
    what it writes elsewhere.
    """,
    Options,
    run,
    arguments=[Argument("file", required=True)],
    options=[
        Option("--override", help="Let values from the files override variables that are set."),
        Option("--pristine", help="Start the program with only the values in its environment."),
        Option("--keep-keys", help="Keep the variables that open files in the program's environment."),
        Option("--print-sources", help="Show which file each variable comes from."),
        Option("--redact", help="Replace the encrypted values in what the program prints with asterisks."),
        RESOLVE,
        *NAMING,
        INPUT_TYPE,
        *CREDENTIALS,
    ],
    rest="argv",
    rest_usage=["-- PROGRAM", "[ARGUMENTS]..."],
    examples=[
        "encconf exec secrets.enc.yaml -- ./manage.py runserver",
        "encconf exec common.enc.env prod.enc.yaml --prefix APP_ -- env",
        "encconf exec --redact test.enc.yaml -- npm test",
    ],
)
