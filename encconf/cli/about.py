"""``encconf version`` and ``encconf help``, with the topics that belong to no one command."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console

_ENVIRONMENT = """\
Variables that encconf reads. An option beats its variable.

Keys to decrypt with, in the order of asking
  ENCCONF_IDENTITY                where an age identity is kept: keyring:…, vault:…, cmd:…
                                  (docs/sources.md), with spaces between several
  ENCCONF_AGE_PASSPHRASE          where the passphrase of an age identity or SSH key is kept
  ENCCONF_PGP_PASSPHRASE          where the passphrase of a PGP key is kept
  CREDENTIALS_DIRECTORY           systemd's: its credential encconf-identity is an identity
  SOPS_AGE_SSH_PRIVATE_KEY_FILE   an SSH private key
  SOPS_AGE_SSH_PRIVATE_KEY_CMD    a command that prints an SSH private key
  SOPS_AGE_KEY                    age identities, one a line
  SOPS_AGE_KEY_FILE               a file with age identities
  SOPS_AGE_KEY_CMD                a command that prints age identities; is told SOPS_AGE_RECIPIENT
  XDG_CONFIG_HOME                 where encconf/config.toml and sops/age/keys.txt are looked for
                                  (by default ~/.config)
  SOPS_GPG_EXEC, GNUPGHOME        gpg, and where it keeps its keys
  SOPS_DECRYPTION_ORDER           key types to try first (age,pgp)
  SOPS_KEYSERVICE                 key services of other processes, comma list of tcp:// and unix://
  SOPS_ENABLE_LOCAL_KEYSERVICE    false: use only those
  ENCCONF_INSECURE_REMOTE         true: also those on other machines, unencrypted

Keys to encrypt for, instead of those of .sops.yaml
{keys}

Servers, beside the variables of their own programs (AWS_…, AZURE_…, CONJUR_…, GOOGLE_…, VAULT_…)
  ENCCONF_AWS_PROFILE             the AWS profile, whatever a file says
  ENCCONF_AZURE_ALLOWLIST         hosts that get an Azure token beside Key Vault's own
  ENCCONF_CONJUR_ALLOWLIST        Conjurs that may be logged in to beside CONJUR_APPLIANCE_URL
  SOPS_HC_VAULT_ALLOWLIST         Vaults that get the token beside VAULT_ADDR: all, none, or a list
  SOPS_GCP_KMS_CLIENT_TYPE, SOPS_GCP_KMS_ENDPOINT, SOPS_GCP_KMS_UNIVERSE_DOMAIN
                                  how Google Cloud KMS is reached

Everything else
  ENCCONF_REF_ALLOW               what --resolve may ask for, beside the stores of secrets: env, file,
                                  file:/run/secrets/, keyring, cmd …
  SOPS_CONFIG                     the configuration file, instead of looking for .sops.yaml
  SOPS_EDITOR, EDITOR             the editor, with its arguments
  TMPDIR, XDG_RUNTIME_DIR         where edit puts its private folder: the first that is in memory
  ENCCONF_COLOR                   auto, always or never
  NO_COLOR, FORCE_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM=dumb
                                  as everywhere
  ENCCONF_DEBUG                   1: show the traceback of a bug
  SOPS_DISABLE_VERSION_CHECK      called sops: taken, and of no effect; no version is looked up
"""

_EXIT_CODES = """\
Exit codes are those of sops 3.13.3.

    0  done
    1  anything not below: a wrong option, no rule for the file, a file that is not encrypted
    2  the input could not be read or parsed, or a value is not JSON
    3  the output could not be written
    4  a value cannot be written in the wanted format
    6  called sops: a malformed encryption context
    7  called sops: set or unset with a malformed index or value
    8  options that exclude each other
   25  a value could not be decrypted
   49  called sops: keys to add or remove, and no file
   51  the MAC is missing or does not fit
   75  a service cannot be reached: try again later (called sops: 128)
   91  a malformed path into a document
   92  there is no document in the file
  100  no file was named, or it does not exist
  112  SOPS_DECRYPTION_ORDER names a key type twice
  126  exec: the program may not be run
  127  exec: the program was not found
  128  no key could open the file
  130  Ctrl-C
  200  edit: nothing was changed
  201  edit: no editor was found, or it failed
  203  the file is encrypted already, or has an entry called sops
"""


def environment() -> str:
    """The topic ``environment``."""
    from encconf.keys import in_config_order

    rows = [f"  {row.variable:31} {row.plural}, comma list" for _, row in in_config_order()]
    return _ENVIRONMENT.replace("{keys}", "\n".join(rows))


_TOPICS = {"environment": environment, "exit-codes": _EXIT_CODES.__str__}


def version_line() -> str:
    """``encconf X (sops Y)``: this version, and the sops whose format it writes."""
    from encconf import __version__

    return f"encconf {__version__} (sops {SOPS_VERSION})"


def show_version(console: Console) -> None:
    """Print the version."""
    console.data(version_line() + "\n")


def show_help(console: Console, *, words: list[str]) -> None:
    """Print the help of a command, or a topic."""
    topic = _TOPICS.get(" ".join(words))
    if topic is not None:
        console.data(topic())
        return
    from encconf.cli.full import parse

    parse([*words, "--help"])


SOPS_VERSION = "3.13.3"
"""As in `encconf.engine.metadata`, which costs an import."""
