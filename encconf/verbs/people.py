"""Add people to a repository, remove them, and list them: `.sops.yaml` and its files in one step.

Each verb shows what it changes in ``.sops.yaml`` and in the files, asks, writes ``.sops.yaml``, and then does
what updatekeys does.  If a file fails, ``.sops.yaml`` is right already, and ``updatekeys`` does the rest.
Somebody who can open none of the files changes nothing.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from contextlib import suppress

from encconf.audit.names import RECIPIENTS, Names, identity
from encconf.engine.metadata import metadata_of
from encconf.engine.recipients import Plan
from encconf.errors import (
    SOMEBODY,
    YOUR_NAME,
    BadKeyError,
    ConfigError,
    ConflictError,
    EncconfError,
    KeyAccessError,
    MissingFileError,
    NoConfigError,
    UsageError,
)
from encconf.git import repository, said
from encconf.io import fileio, trust
from encconf.keys import MasterKey, is_personal
from encconf.keys.age import POST_QUANTUM, AgeKey
from encconf.keys.own import Own
from encconf.record import VerbOptions
from encconf.rules.config import NAME, Config, find_config, load, proposed_file
from encconf.text.printable import counted, listed, one_line, printable, quoted
from encconf.verbs import batch, files, members, rekey
from encconf.verbs.recipients import Change, Changing, Rekeying, Updating, update
from encconf.verbs.rule import NO_KEYS, Keys, named_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Options(Changing):
    """What `add` and `remove` share."""

    yes: bool = False
    checklist: str | None = None


class Adding(Options):
    """A person's name and keys, and the files for them: all, or those that ``for_files`` names."""

    name: str
    keys: Sequence[str] = ()
    for_files: Sequence[str] = ()
    group: str | None = None


class Removing(Options):
    """The names or keys of those who leave."""

    who: Sequence[str]


class Listing(VerbOptions):
    """The options of `list_all`."""

    json: bool = False
    config: str | None = None


class _Project:
    """The ``.sops.yaml`` of a project, which is in a folder or above it."""

    def __init__(self, front: Front, config: str | None, folder: str | None = None) -> None:
        found = config or find_config(None, os.path.abspath(folder or os.curdir))
        if found is None:
            where = f" in {one_line(folder)} or above it" if folder else ""
            raise NoConfigError(f"no .sops.yaml was found{where}", hint="create one: encconf init")
        self.front = front
        self.path = found
        self._is_named = config is not None
        self.shown = one_line(os.path.relpath(found) if config is None else found)
        self.folder = os.path.dirname(os.path.abspath(found))
        self.text = fileio.read_text(found)
        self.config: Config = load(found, self.text)
        self.names = Names.of_config(found)
        self.count = len(self.config.patterns)
        if not self.count:
            raise ConfigError("it has no creation rules", hint="add one, or run: encconf init").about(found)

    def to_write(self) -> str:
        """Return the path to write: with links followed only if the user named the file."""
        return fileio.resolve(self.path) if self._is_named else trust.fixed(*os.path.split(self.path))

    def recipients(self) -> list[MasterKey]:
        """Return the keys in the rules, each once."""
        known: dict[str, MasterKey] = {}
        for number in range(self.count):
            for key in (key for group in self.config.rule(number).groups for key in group):
                known.setdefault(identity(key), key)
        return list(known.values())

    def called(self, who: str) -> list[MasterKey]:
        """Return the keys of a person in the rules, or the key that a word is, or []."""
        wanted = " ".join(who.split()).lower()
        found = [key for key in self.recipients() if (self.names.given(key) or "").lower() == wanted]
        return found or [key for key in self.recipients() if who.strip() in (key.name, key.label)]

    def files(self) -> list[str]:
        """Return the encrypted files of the project, by their paths from the current folder."""
        try:
            return batch.files(self.front, [os.path.relpath(self.folder)], recursive=True)
        except MissingFileError:
            return []

    def rules_for(self, files: Sequence[str]) -> set[int]:
        """Return the numbers of the rules that apply to files, or of all rules without files."""
        if not files:
            return set(range(self.count))
        found: set[int] = set()
        for path in batch.files(self.front, files, recursive=True):
            number = self.config.first(self.config.names(os.path.abspath(path)))
            if number is None:
                raise ConfigError(f"no creation rule applies to {one_line(path)}").about(self.path)
            found.add(number)
        return found


def add(options: Adding, front: Front) -> None:
    """Add a person to the rules, and update the files."""
    name = members.name_of(options.name)
    if not options.keys:
        raise UsageError(f"no key of {name} was given", hint=f"encconf keys add --name {quoted(name)} age1…")
    project = _Project(front, options.config)
    group = _number(options.group)
    rules = project.rules_for(options.for_files)
    text = project.text
    added = [members.key_of(word) for word in _keys_in(options.keys)]
    for key in added:
        text = members.add(text, key, name, rules, group=group)
    beside = _named(project, text, added, name)
    if text == project.text and beside is None:
        where = "these rules" if options.for_files else f"all rules of {project.shown}"
        front.note(f"{where} have {'this key' if len(added) == 1 else 'these keys'} already")
    _carry_out(options, project, text, beside)


def _keys_in(words: Sequence[str]) -> list[str]:
    """Return the keys that words name.  An SSH key without quotes is two words, or three with its comment."""
    keys: list[str] = []
    for word in words:
        before = keys[-1] if keys else ""
        if re.fullmatch(r"ssh-\S+", before) or (re.fullmatch(r"ssh-\S+ \S+", before) and not _is_key(word)):
            keys[-1] += f" {word}"
        else:
            keys.append(word.strip())
    return keys


def _is_key(word: str) -> bool:
    with suppress(BadKeyError):
        members.key_of(word)
        return True
    return False


def remove(options: Removing, front: Front) -> None:
    """Remove people from the rules, give the files new data keys, and list what they could read."""
    who = [options.who[0], *(word for word in options.who[1:] if not os.path.isdir(word))]
    folders = [word for word in options.who[1:] if os.path.isdir(word)]
    if folders:
        _remove_everywhere(options, front, who, folders)
    else:
        project = _Project(front, options.config)
        _remove(options, project, [key for each in who for key in _keys_of(project, each)])


def _remove(options: Removing, project: _Project, gone: Sequence[MasterKey]) -> None:
    text = project.text
    try:
        for key in gone:
            text = members.remove(text, key)
    except ConfigError as error:
        if len(gone) > 1:
            names = " or ".join(quoted(key.name) for key in gone)
            error.hint = f"to remove one of these {len(gone)} keys, name it: encconf keys remove {names}"
        raise
    _carry_out(options, project, text, _without_lines(project, gone))


def _remove_everywhere(options: Removing, front: Front, who: Sequence[str], folders: Sequence[str]) -> None:
    """Remove people from the projects in several folders.  A project that fails does not stop the others.

    A key that one project gives a name to is the same person's in every other.  But keys of different
    projects with the same name may belong to different people.
    """
    if options.json:
        raise ConflictError("--json is for one project", hint="encconf access --json --person NAME FOLDER…")
    if options.config is not None:
        raise ConflictError("--config is for one project")
    found, failed = _projects(front, folders)
    keys = _keys_in_all(options, found, who)
    front.note("remove " + listed((f"{key.TYPE} {key.label}" for key in keys.values()), 20))
    without = 0
    for project in found:
        gone = [key for key in project.recipients() if identity(key) in keys]
        if not gone:
            without += 1
            continue
        front.note(f"in {one_line(os.path.relpath(project.folder))}")
        try:
            _remove(options, project, gone)
        except EncconfError as error:
            front.error(error if error.file else error.about(project.path))
            failed = True
        except SystemExit as end:
            failed = failed or bool(end.code)
    if without:
        front.note(f"no rule has these keys in {without} of {counted(len(found), 'project')}")
    if failed:
        raise SystemExit(1)


def _projects(front: Front, folders: Sequence[str]) -> tuple[list[_Project], bool]:
    """Return the projects in folders, each once, and whether one of them cannot be read."""
    found: dict[str, _Project] = {}
    failed = False
    for folder in folders:
        try:
            project = _Project(front, None, folder)
        except NoConfigError:
            continue
        except EncconfError as error:
            front.error(error)
            failed = True
        else:
            found.setdefault(os.path.realpath(project.path), project)
    return list(found.values()), failed


def _keys_in_all(options: Removing, found: Sequence[_Project], who: Sequence[str]) -> dict[str, MasterKey]:
    """Return the keys that people have in several projects, by their identities.

    Raises ConfigError for somebody without a key, and with ``--yes`` UsageError for several keys of a name.
    """
    keys: dict[str, MasterKey] = {}
    known = {identity(key): key for project in found for key in project.recipients()}
    for each in who:
        named = {identity(key): key for project in found for key in project.called(each)}
        if not named:
            raise ConfigError(
                f"no key in the rules of these {len(found)} projects has the name {printable(each)[:80]}",
                hint="encconf access --person NAME FOLDER… says what a key that is in no rule opens",
            )
        if len(named) > 1 and options.yes:
            raise UsageError(
                f"{printable(each)} is the name of {len(named)} keys, maybe of different people: "
                + listed((known[one].label for one in named), 5),
                hint="leave out -y, or name the keys",
            )
        keys |= named
    return keys


def list_all(options: Listing, front: Front) -> None:
    """Print who is in which rule."""
    project = _Project(front, options.config)
    rows: dict[str, tuple[MasterKey, list[int]]] = {}
    for number in range(project.count):
        for key in (key for group in project.config.rule(number).groups for key in group):
            rows.setdefault(identity(key), (key, []))[1].append(number)
    if options.json:
        front.json(
            {
                "config": project.path,
                "rules": [
                    {"place": members.spelled(number), "path_regex": pattern}
                    for number, pattern in enumerate(project.config.patterns)
                ],
                "keys": [{**project.names.to_json(key), "rules": numbers} for key, numbers in rows.values()],
            }
        )
        return
    own = Own.of(front.credentials(), commands=False, stores=False)
    lines = []
    for key, numbers in rows.values():
        which = "all rules" if len(numbers) == project.count else ", ".join(map(members.spelled, numbers))
        nameless = "(you)" if key.name in own.places else "(no name)"
        lines.append((project.names.given(key) or nameless, key.label, which))
    widths = [max(len(line[at]) for line in lines) for at in (0, 1)] if lines else [0, 0]
    front.data("".join(f"{who:{widths[0]}}  {key:{widths[1]}}  {which}\n" for who, key, which in lines))
    if unnamed := [key for key, _ in rows.values() if project.names.given(key) is None]:
        front.hint(f"to give a key a name: encconf keys add --name NAME {quoted(unnamed[0].name)}")


def _number(group: str | None) -> int | None:
    if group is None:
        return None
    if not group.isdecimal() or int(group) < 1:
        raise UsageError("--group is the number of a key group, from 1 on")
    return int(group) - 1


def _keys_of(project: _Project, who: str) -> list[MasterKey]:
    """Return what `_Project.called` finds.  Raises ConfigError if that is nothing."""
    found = project.called(who)
    if not found:
        names = sorted({name for key in project.recipients() if (name := project.names.given(key))})
        hints = [f"the names are: {listed(names, 20)}"] if names else []
        if any(project.names.given(key) is None for key in project.recipients()):
            hints.append("a key without a name is named by its recipient, which encconf keys list shows")
        raise ConfigError(
            f"no key in the rules has the name {printable(who)[:80]}", hint="; ".join(hints) or None
        ).about(project.path)
    return found


# --- names that have no place in .sops.yaml ------------------------------------------------------


def _named(project: _Project, text: str, keys: Sequence[MasterKey], name: str) -> str | None:
    """Return the recipients file with names for keys that have none in the text, or None if all have one."""
    names = Names()
    names.add_text(text)
    nameless = [key for key in keys if names.given(key) is None and project.names.given(key) is None]
    if not nameless:
        return None
    old = _beside(project)
    gap = "" if not old or old.endswith("\n") else "\n"
    return old + gap + "".join(f"{name} {key.name}\n" for key in nameless)


def _without_lines(project: _Project, keys: Sequence[MasterKey]) -> str | None:
    """Return the recipients file without lines for keys, or None if it has none of them."""
    old = _beside(project)
    new = "".join(line for line in old.splitlines(keepends=True) if not any(key.name in line for key in keys))
    return new if new != old else None


def _beside(project: _Project) -> str:
    return fileio.read_existing(trust.fixed(project.folder, RECIPIENTS)) or ""


# --- carrying it out -----------------------------------------------------------------------------


def _carry_out(options: Options, project: _Project, text: str, beside: str | None) -> None:
    front = project.front
    if options.json and not (options.yes or options.dry_run):
        raise ConflictError("--json asks no questions", hint="add -y, or -n to see the plan only")
    target = project.to_write()
    paths = project.files()
    config = load(project.path, text)
    changed = text != project.text
    if changed:
        front.note(f"{project.shown} changes:\n{_difference(project.text, text)}")
    if beside is not None:
        front.note(f"{RECIPIENTS} changes:\n{_difference(_beside(project), beside)}")
    differs = changed or beside is not None
    if changed and not options.dry_run:
        _need_key(front, paths)
    if not options.yes and (paths or differs) and not _is_confirmed(options, project, paths, config, differs):
        return
    if options.dry_run:
        return
    if changed:
        fileio.write_atomic(target, text, replacing=project.text)
        front.note(f"wrote {project.shown}")
    if beside is not None:
        _write_recipients(project, beside)
    if paths:
        _update(options, project, paths, config, dry_run=False, shows=options.yes)
    if changed:
        names = f"{NAME}, {RECIPIENTS}" if beside is not None else NAME
        front.hint(f"commit {names} and the files together, and let a colleague review the change")


def _need_key(front: Front, paths: Sequence[str]) -> None:
    """Raise KeyAccessError if none of your keys opens any of the files: only ``.sops.yaml`` would change.

    Keys of services, and those that are known only when they are used, may open a file.
    """
    credentials = front.credentials()
    own = Own.of(credentials, commands=False, stores=False)
    # The recipients of these are not known: keys with a passphrase, of plugins, and some post-quantum ones.
    hidden = own.locked or any(each.startswith("age-plugin-") or each == POST_QUANTUM for each in own.places)
    if not paths or own.unread or hidden or credentials.asks_key_services:
        return
    for path in paths:
        try:
            source = files.read(path)
            groups = metadata_of(source.text, source.format).groups
        except EncconfError:  # updating it reports it
            continue
        keys = [wrapped.key for group in groups for wrapped in group]
        if any(not is_personal(key) or key.is_own(credentials) for key in keys):
            return
    which = f"the {counted(len(paths), 'encrypted file')}" if len(paths) > 1 else one_line(paths[0])
    raise KeyAccessError(
        f"none of your keys opens {which}, so nothing was changed", hint=with_names(own.advice())
    )


def _is_confirmed(
    options: Options, project: _Project, paths: Sequence[str], config: Config, differs: bool
) -> bool:
    """Show what happens to the files, and return whether the user wants all changes.

    ``differs`` says whether ``.sops.yaml`` or the recipients file changes.
    """
    planned = _update(options, project, paths, config, dry_run=True) if paths else 0
    if options.dry_run or not (differs or planned):
        return False
    what = f"{NAME} and {counted(planned, 'file')}" if planned else NAME
    if project.front.confirm(f"change {what}?"):
        return True
    project.front.note("nothing was changed")
    return False


def _write_recipients(project: _Project, text: str) -> None:
    """Write the recipients file, or remove it if the text is empty."""
    path = trust.fixed(project.folder, RECIPIENTS)
    if text:
        fileio.write_atomic(path, text)
    else:
        os.unlink(path)
    shown = one_line(os.path.relpath(os.path.join(project.folder, RECIPIENTS)))
    project.front.note(f"{'wrote' if text else 'removed'} {shown}")


def _update(
    options: Options,
    project: _Project,
    paths: Sequence[str],
    config: Config,
    *,
    dry_run: bool,
    shows: bool = True,
) -> int:
    """Update the files to the new rules, or say what that would change.  Returns the number of changes.

    If it ``shows``, the plan of a single file is shown.
    """
    wanted = Updating(
        file=paths,
        yes=True,
        dry_run=dry_run,
        json=options.json,
        checklist=options.checklist,
        fail_fast=options.fail_fast,
        verbose=options.verbose,
        config=options.config,
    )
    # Before the question, the plan is enough: the values are listed in the end.
    listed = options.dry_run or not dry_run
    return update(
        wanted,
        project.front,
        paths,
        configs={project.path: config},
        old_config=project.text,
        lists_values=listed,
        shows=shows,
    )


def _difference(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    said = [printable(line) for line in lines if not re.match(r"---|\+\+\+|@@", line)]
    if len(said) == 2 and max(map(len, said)) > _WIDE:
        said = _shortened(said[0], said[1])
    return "\n".join(f"  {line}" for line in said)


_WIDE = 100


def _shortened(before: str, after: str) -> list[str]:
    """Return the two versions of a line with keys between commas, without the keys that stay."""
    old, new = (line[1:].split(",") for line in (before, after))
    name = re.match(r"\s*(?:- +)*[\w-]+:", old[0])
    if name is None or not (len(new) > 1 or len(old) > 1):
        return [before, after]
    keys, others = ([each.strip() for each in (line[0][name.end() :], *line[1:])] for line in (old, new))
    gone, more = ([key for key in one if key not in two] for one, two in ((keys, others), (others, keys)))
    return [f"{sign}{name[0]} …, {', '.join(which)}" for sign, which in (("-", gone), ("+", more)) if which]


# --- yourself ------------------------------------------------------------------------------------


class Asking(VerbOptions):
    """The options of `whoami`."""

    json: bool = False


def whoami(options: Asking, front: Front) -> None:
    """Print the user's recipients, and which files of this repository they open."""
    own = Own.of(front.credentials())
    paths, opened = readable_files(front, own)
    if options.json:
        front.json(
            {
                "keys": [
                    {"recipient": recipient, "place": place, "files": opened[recipient]}
                    for recipient, place in own.places.items()
                ],
                "locked": own.locked,
                "encrypted_files": len(paths),
            }
        )
        return
    for recipient, place in own.places.items():
        front.data(f"{recipient}\n")
        count = f": opens {len(opened[recipient])} of {counted(len(paths), 'encrypted file')} here"
        front.note(place + (count if paths else ""))
    for place in own.locked:
        front.note(f"{place}: protected by a passphrase, so its recipient is not known here")
    for place, found, hint in own.broken:
        front.warn(f"{place}: {found}" if place else found, hint=hint)
    if not own.places and not own.locked and not own.broken:
        front.note("you have no key on this machine")
    if not own.broken and (not own.places or (paths and not any(opened.values()))):
        front.hint(with_names(own.advice()))


def readable_files(front: Front, own: Own) -> tuple[list[str], dict[str, list[str]]]:
    """Return the encrypted files of this repository, and which of them each own key is a recipient of.

    Adds gpg's keys to the own ones, if files are encrypted for PGP keys.
    """
    credentials = front.credentials()
    top = repository(os.getcwd())
    try:
        paths = batch.files(front, [os.path.relpath(top) if top else os.curdir], recursive=True)
    except MissingFileError:
        paths = []
    paths = [path for path in paths if not proposed_file(path)]
    masters: dict[str, set[MasterKey]] = {}
    for path in paths:
        try:
            source = files.read(path)
            groups = metadata_of(source.text, source.format).groups
        except EncconfError:  # check reports it
            continue
        masters[path] = {wrapped.key for group in groups for wrapped in group}
    pgp = {key.name: key for keys in masters.values() for key in keys if key.TYPE == "pgp"}
    if pgp:
        own.add_pgp(credentials)
    for name, key in pgp.items():  # a file may name a subkey, or a key by its short id
        if name not in own.places and key.is_own(credentials):
            own.places[name] = "gpg"
    opened = {
        recipient: [path for path, keys in masters.items() for key in keys if _is_key_of(recipient, key)]
        for recipient in own.places
    }
    return paths, opened


def _is_key_of(recipient: str, key: MasterKey) -> bool:
    """Whether a file's key is that of an own recipient.  An SSH key may be there as its age recipient."""
    if key.name == recipient:
        return True
    return recipient.startswith("ssh-") and identity(AgeKey(recipient)) == identity(key)


def with_names(advice: str, file: str | None = None) -> str:
    """Return an advice with the user's name, and those of people who can add a recipient, as far as known.

    The people are those of `named_in_rules`.
    """
    if SOMEBODY not in advice:
        return advice
    if YOUR_NAME in advice and _is_a_name(name := own_name()):
        advice = advice.replace(YOUR_NAME, quoted(name))
    known = [name for name in named_in_rules(file) if _is_a_name(name)]
    return advice.replace(SOMEBODY, " or ".join(known[:3])) if known else advice


def named_in_rules(file: str | None = None) -> list[str]:
    """Return the names that ``.sops.yaml`` gives to keys in the rule for a file, or in all that apply."""
    start = os.path.dirname(os.path.abspath(file)) if file else os.getcwd()
    try:
        found = find_config(None, start)
        if found is None:
            return []
        config = load(found, fileio.read_text(found))
        number = config.first(config.names(os.path.abspath(file))) if file else None
        numbers = range(len(config.patterns)) if number is None else [number]
        keys = [key for each in numbers for group in config.rule(each).groups for key in group]
        names = Names.of_config(found)
    except EncconfError:
        return []
    return [name for name in dict.fromkeys(map(names.given, keys)) if name]


def own_name() -> str:
    """Return the user's name in git's settings, if it can be a name in .sops.yaml, or else ""."""
    try:
        return printable(members.name_of(said(os.getcwd(), "config", "user.name")))
    except UsageError:
        return ""


# --- keys add: a person in the rules, or master keys in single files ------------------------------


class KeysAdding(Changing):
    """The files, and the master keys to add.

    With a ``name``, ``file`` are a person's keys, for the rules of ``for_files`` or for all rules.
    """

    file: Sequence[str] = ()
    name: str | None = None
    for_files: Sequence[str] = ()
    group: str | None = None
    yes: bool = False
    recursive: bool = False
    changed: bool = False
    keys: Keys = NO_KEYS


def add_keys(options: KeysAdding, front: Front) -> None:
    """Add master keys to the first group of files.  The ciphertexts stay the same."""
    wanted = named_keys(options.keys)
    if options.name is not None:
        add(
            Adding(
                name=options.name,
                keys=[*options.file, *(key.name for key in wanted)],
                for_files=options.for_files,
                group=options.group,
                yes=options.yes,
                dry_run=options.dry_run,
                fail_fast=options.fail_fast,
                json=options.json,
                verbose=options.verbose,
                config=options.config,
            ),
            front,
        )
        return
    if options.for_files or options.group is not None:
        raise UsageError("--for and --group need --name", hint="encconf keys add --name bob age1…")
    if not wanted:
        for word in options.file:
            with suppress(BadKeyError):
                members.key_of(word)
                raise UsageError(
                    "a key needs the name of its owner", hint=f"encconf keys add --name NAME {quoted(word)}"
                )
        raise UsageError(
            "no key was given",
            hint="encconf keys add --name bob age1…; or for a single file: --age age1… FILE",
        )
    paths = batch.files(front, options.file, recursive=options.recursive, changed=options.changed)

    def plan(change: Change) -> Plan:
        return change.planned(lambda rule: rekey.with_keys(rule, wanted), named=wanted)

    Rekeying(front, "keys add", options, plan).run(paths)


def _is_a_name(text: str) -> bool:
    """Whether a text is only a name, no key and no command: a stranger may have written .sops.yaml."""
    if len(text) > 40 or re.search(r"(?i)age1|encconf|sops|[0-9a-f]{16}", text):
        return False
    return re.fullmatch(r"[\w.@+'-]+( [\w.@+'-]+){0,3}", text) is not None
