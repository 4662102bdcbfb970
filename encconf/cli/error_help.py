"""``encconf help error SLUG``: what each error means, and what to do about it.

`ENTRIES` has every slug that encconf prints in ``error[…]``; docs/reference/errors.md is made from it.  The
findings of ``encconf check`` are explained from `encconf.audit.findings.KINDS`.
"""

from __future__ import annotations

from shutil import get_terminal_size
from textwrap import fill
from typing import Final, NamedTuple

from encconf.audit.findings import KINDS
from encconf.cli.columns import in_columns
from encconf.cli.console import Console
from encconf.errors import UsageError
from encconf.text.words import did_you_mean


class Entry(NamedTuple):
    """The exit code of an error, what it means, and what to do."""

    code: int
    meaning: str
    do: str


# The slug and the exit code; below them, indented by two columns, what the error means and what to do.
_ENTRIES = """\
already-encrypted 203
  The file that you want to encrypt has a top-level entry named sops.
  If the file is encrypted already, change it with: encconf edit FILE. If the entry is your own, rename
    it: the format keeps its metadata under this name.
audit 1
  /etc/sops/audit.yaml requires an audit log on this machine, and encconf cannot write to it. Nothing was
    decrypted.
  Make the log's database reachable, or ask the administrator of the machine.
bad-key 1
  A recipient, a fingerprint or the name of a key is malformed.
  Compare it with the original. An age recipient begins with age1; a private key (AGE-SECRET-KEY-1…) is not
    a recipient and does not belong in .sops.yaml.
bad-metadata 2
  The sops block of the file is damaged: an entry is missing, or has the wrong type.
  Restore the block from an older version: git log -p FILE. Change encrypted files only with encconf or
    sops.
bad-path 91
  The path to a value is malformed.
  Write it as a.b[0], or as sops does: '["a"]["b"][0]'. Put it in quotes for the shell.
bad-regex 1
  A regular expression is not one that RE2 accepts.
  RE2 has no look-ahead, no look-behind and no back-references. See
    https://github.com/google/re2/wiki/Syntax.
changed 3
  Another program changed the file while encconf worked on it. The file is as that program left it.
  Run the command again.
config 1
  .sops.yaml is malformed.
  The message names the line or the setting. encconf explain FILE shows which .sops.yaml is used.
conflicting-options 8
  Two options exclude each other.
  Use one of them. encconf help COMMAND explains both.
decrypt 25
  A value cannot be decrypted with the data key of the file. Somebody changed, moved or damaged it.
  Restore the value from an older version of the file: git log -p FILE.
duplicate-key-type 112
  SOPS_DECRYPTION_ORDER names a key type twice.
  Name each key type once: age,pgp.
editor 201
  No editor was found, or the editor failed. The file was not changed.
  Set SOPS_EDITOR or EDITOR to an editor that waits until you close the file: EDITOR='code --wait'.
emit 4
  A value cannot be written in the format that you asked for.
  The message names the value. JSON takes every value: --output-type json.
empty 92
  The file contains no document.
  Check the name of the file, or what you piped in.
error 1
  The error has no slug of its own.
  The message says what went wrong.
findings 1
  encconf check found errors (with --strict, errors or warnings).
  Each finding has a hint. encconf help error SLUG explains a finding by the slug at its end.
internal 1
  This is a bug in encconf.
  Please report the message. ENCCONF_DEBUG=1 also prints a traceback, which can show values of the file.
limit 2
  The input is larger, deeper or more repetitive than any real file.
  encconf refuses such input, so that a hostile file cannot use up your memory. Split the file.
mac 51
  The MAC of the file is missing or does not match, so the file may have been changed without a key.
  See mac-missing and mac-mismatch.
mac-mismatch 51
  Somebody changed the file without its data key: a value was added, removed or moved, or git merged the
    file line by line.
  Compare the file with an older version: git log -p FILE. To recover it: encconf decrypt --ignore-mac
    FILE shows the values, and encconf rotate --ignore-mac FILE writes a new MAC once you have checked
    them. encconf git install prevents it for merges.
mac-missing 51
  The file has no MAC, so nothing shows that its values are those that were written.
  Compare the file with an older version. To recover it: encconf rotate --ignore-mac FILE.
master-key 128
  A key could not be used: a server refused it, or a program failed.
  The message names the key and the reason. Check your login for that service.
missing-extra 128
  A package that this type of key or source needs is not installed.
  Install it as the hint says, for example: pip install 'encconf[aws]'.
no-config 1
  There is no .sops.yaml for the file, and you named no key.
  encconf init creates a key and a .sops.yaml. Or name a recipient: encconf encrypt --age age1… FILE.
no-key 128
  None of your keys opens the file. The report lists each key of the file and where encconf looked.
  If you should have access: send your recipient (age1…) to somebody who can open the file. They add it to
    .sops.yaml and run: encconf updatekeys FILE. If you have the key, tell encconf where:
    SOPS_AGE_KEY_FILE, SOPS_AGE_KEY or ENCCONF_IDENTITY.
no-program 127
  encconf exec could not start the program. The exit code is 126 if you may not run it.
  Check its name and your PATH. Put -- before the program.
no-rule 1
  No creation rule in .sops.yaml covers the file.
  encconf explain FILE shows each rule and why it does not match. path_regex is matched against the path
    of the file from the folder of .sops.yaml. A rule without path_regex covers every file.
no-such-file 100
  You gave no file, or the file does not exist.
  Check the path.
not-encrypted 1
  The file has no sops metadata: it is plaintext.
  Encrypt it: encconf encrypt FILE. If it has been committed, change its secrets as well.
not-modified 200
  The edit changed nothing, so nothing was written.
  There is nothing to do.
not-my-key 128
  Nothing on this machine can use this key.
  Use another key of the file, or see no-key.
parse 2
  The text is not valid in its format, or uses a part of the format that a SOPS file cannot store.
  The message names the line. If the format is wrong, name it: --input-type.
path-not-found 1
  There is no value at this path.
  The hint lists the keys that exist.
plain-value 25
  A value is plaintext, but the file's selection encrypts it. Somebody typed it into the encrypted file.
  encconf edit FILE opens the file and encrypts the value when you save. If it was committed, change the
    secret as well.
plaintext 1
  The command would save a value as plaintext although the creation rule of the file encrypts it.
  Let the file follow its rule: encconf updatekeys --selection FILE. To save the value as plaintext, use
    --allow-plaintext.
publish 1
  A destination did not accept the file.
  The message gives the server's reason.
reference 1
  References to other secrets (ref+vault://…) could not be resolved.
  The report lists each reference by its path. ENCCONF_REF_ALLOW permits more sources.
source 1
  A secret could not be fetched from its source, or stored there.
  The message names the address and the reason. encconf doctor shows what this machine can reach. Exit
    code 75 means: try again later.
stranger 1
  The command would give the data key to a recipient that your .sops.yaml does not name. Only the file or
    another branch names it.
  If the recipient should have access, add it to .sops.yaml first. If not, find out who added it.
systemd-creds 1
  systemd-creds is not installed, or could not encrypt.
  Install systemd 250 or newer, or choose another key: --with-key host.
type 2
  The values of the file do not fit the schema that your program gave.
  The message names each place and the type that it should have; it never shows the value.
unchecked 2
  encconf check could not check every file, and found nothing else.
  The findings name the files that it could not read or open.
undecided 1
  Two versions of the file conflict, so you have to choose a side.
  encconf edit FILE shows both sides.
unmerged 51
  git merged the file, but somebody with a key has to finish the merge.
  encconf edit FILE shows what is left to decide; saving finishes the merge.
unreadable 2
  The input cannot be read.
  The message gives the reason.
unusable 1
  A way to keep secrets that you named does not work on this machine.
  The report says what is missing.
unwritable 3
  The output cannot be written. The old content is unchanged.
  Check permissions and free space.
usage 1
  The command line cannot be understood, or a Python call has a wrong argument.
  encconf help COMMAND lists the options.
wrap 1
  The data key could not be encrypted for every recipient. Nothing was written.
  The report names each key that failed and why.
"""


def _entries() -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in _ENTRIES.replace("\n    ", " ").replace("\n  ", "\0").splitlines():
        head, meaning, do = entry.split("\0")
        slug, code = head.split()
        found[slug] = Entry(int(code), meaning, do)
    return found


ENTRIES: Final = _entries()


def show(console: Console, slugs: list[str]) -> None:
    """Print the entries of errors or findings; without slugs, the list of errors.  Raises UsageError."""
    if not slugs:
        width = max(map(len, ENTRIES))
        rows = "".join(f"{slug:{width}}  {ENTRIES[slug].meaning}\n" for slug in ENTRIES)
        console.lines(in_columns(console, rows))
        return
    console.data("\n".join(_text(slug) for slug in slugs))


def _text(slug: str) -> str:
    width = min(get_terminal_size().columns, 100)
    texts = []
    entry = ENTRIES.get(slug)
    if entry is not None:
        texts += [f"error[{slug}], exit code {entry.code}", entry.meaning, entry.do]
    if slug in KINDS:
        kind = KINDS[slug]
        texts += [f"{kind.severity}[{slug}], a finding of encconf check", f"{kind.title}.", kind.help]
    if not texts:
        raise _unknown(slug)
    return "".join(fill(text, width, break_on_hyphens=False, break_long_words=False) + "\n" for text in texts)


def _unknown(slug: str) -> UsageError:
    return UsageError(
        f"there is no error called {slug!r}",
        hint=did_you_mean(slug, [*ENTRIES, *KINDS]) or "encconf help error lists all errors",
    )
