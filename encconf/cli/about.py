"""``encconf help``, with the topics that do not belong to one command."""

from __future__ import annotations

from encconf.cli.console import Console
from encconf.keys import in_config_order

_ENVIRONMENT = """\
Variables that encconf reads. An option takes precedence over its variable.

Keys to decrypt with, in the order they are tried
  ENCCONF_IDENTITY                address of an age identity: keyring:…, vault:…, cmd:…
                                  (docs/sources.md); separate several with spaces
  ENCCONF_AGE_PASSPHRASE          address of the passphrase of an age identity or SSH key
  ENCCONF_PGP_PASSPHRASE          address of the passphrase of a PGP key
  CREDENTIALS_DIRECTORY           set by systemd: its credential encconf-identity is an
                                  age identity
  SOPS_AGE_SSH_PRIVATE_KEY_FILE   an SSH private key
  SOPS_AGE_SSH_PRIVATE_KEY_CMD    a command that prints an SSH private key
  SOPS_AGE_KEY                    age identities, one per line
  SOPS_AGE_KEY_FILE               a file with age identities
  SOPS_AGE_KEY_CMD                a command that prints age identities; it gets the
                                  recipient in SOPS_AGE_RECIPIENT
  XDG_CONFIG_HOME                 folder of encconf/config.toml and sops/age/keys.txt
                                  (by default, ~/.config)
  SOPS_GPG_EXEC, GNUPGHOME        the gpg program, and the folder of its keys
  SOPS_DECRYPTION_ORDER           key types to try first, such as age,pgp
  SOPS_KEYSERVICE                 key services of other processes: tcp:// and unix://,
                                  comma-separated
  SOPS_ENABLE_LOCAL_KEYSERVICE    false: use only those key services
  ENCCONF_INSECURE_REMOTE         true: allow key services on other machines, unencrypted

Keys to encrypt for, instead of those of .sops.yaml
{keys}

Servers, in addition to their own variables (AWS_…, AZURE_…, CONJUR_…, GOOGLE_…, VAULT_…)
  ENCCONF_AWS_PROFILE             the AWS profile, instead of the one a file names
  ENCCONF_AZURE_ALLOWLIST         hosts that may get an Azure token, besides Key Vault's own
  ENCCONF_CONJUR_ALLOWLIST        Conjur servers to log in to, besides CONJUR_APPLIANCE_URL
  SOPS_HC_VAULT_ALLOWLIST         Vault servers that may get the token, besides VAULT_ADDR:
                                  all, none, or a list
  SOPS_GCP_KMS_CLIENT_TYPE, SOPS_GCP_KMS_ENDPOINT, SOPS_GCP_KMS_UNIVERSE_DOMAIN
                                  how to reach Google Cloud KMS

Other
  ENCCONF_REF_ALLOW               what --resolve may fetch, besides secret stores: env,
                                  file, file:/run/secrets/, keyring, cmd …
  SOPS_CONFIG                     the configuration file, instead of searching for .sops.yaml
  SOPS_EDITOR, EDITOR             the editor, with its arguments
  TMPDIR, XDG_RUNTIME_DIR         where edit creates its private folder: in the first that
                                  is in memory
  ENCCONF_COLOR                   when to use colors: auto, always or never
  NO_COLOR, FORCE_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM=dumb
                                  whether to use colors, as in other programs
  ENCCONF_DEBUG                   1: show the traceback of a bug
  SOPS_DISABLE_VERSION_CHECK      no effect: encconf never looks for new versions
"""

_EXIT_CODES = """\
Exit codes are those of sops 3.13.3; encconf adds 75, 126 and 127.

    0  done
    1  any other error: a wrong option, no rule for the file, a file that is not encrypted
    2  the input could not be read or parsed, or a value is not JSON
    3  the output could not be written
    4  a value cannot be written in the requested format
    6  under the name sops: a malformed encryption context
    7  under the name sops: set or unset with a malformed index or value
    8  options that cannot be combined
   25  a value could not be decrypted
   49  under the name sops: no file to add keys to or remove keys from
   51  the MAC is missing or wrong
   75  a service cannot be reached: try again later (under the name sops: 128)
   91  a malformed path in a document
   92  the file contains no document
  100  no file was given, or it does not exist
  112  SOPS_DECRYPTION_ORDER names a key type twice
  126  exec: the program cannot be run
  127  exec: the program was not found
  128  no key could open the file
  130  Ctrl-C
  200  edit: nothing was changed
  201  edit: no editor was found, or it failed
  203  the file is already encrypted, or has an entry called sops
"""


def environment() -> str:
    """The topic ``environment``."""
    rows = [f"  {row.variable:31} {row.plural}, comma-separated" for _, row in in_config_order()]
    return _ENVIRONMENT.replace("{keys}", "\n".join(rows))


_TOPICS = {"environment": environment, "exit-codes": _EXIT_CODES.__str__}


def show_help(console: Console, *, words: list[str]) -> None:
    """Print the help of a command, or a topic."""
    topic = _TOPICS.get(" ".join(words))
    if topic is not None:
        from encconf.cli.columns import in_columns

        console.lines(in_columns(console, topic()))
        return
    if words[:1] == ["error"]:
        from encconf.cli.error_help import show

        show(console, words[1:])
        return
    from encconf.cli.full import parse

    parse([*words, "--help"])
