"""``encconf import``: make an encrypted file from a plaintext one (see `encconf.migration`)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from encconf import api, formats
from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.console import Console
from encconf.cli.shared import CREDENTIALS, DRY_RUN, JSON, KEYS, SELECTION
from encconf.engine.cipher import is_ciphertext
from encconf.errors import (
    AlreadyEncryptedError,
    EmptyDocumentError,
    EncconfError,
    KeyAccessError,
    LeftOutError,
    LostBlockError,
    NotEncryptedError,
    OutputError,
    ParseError,
    UsageError,
    about,
)
from encconf.git import exposures, repository
from encconf.io import fileio
from encconf.migration import dialects, history, ways
from encconf.migration.dialects import Reading
from encconf.migration.history import Past
from encconf.record import Record
from encconf.rules.config import NAME, Rule
from encconf.text.document import position
from encconf.text.path import called_a_secret
from encconf.text.printable import counted, listed, quoted, visible
from encconf.verbs import files
from encconf.verbs.rule import Selecting, refuse_link, rule_for

_BLOCK = re.compile(r"^[^#\n]*(-----BEGIN [A-Z0-9 ]+-----)", re.M)


class Options(Selecting):
    file: str
    output: str | None = None
    dialect: Literal["dotenv", "systemd", "shell", "docker"] | None = None
    literal: Sequence[str] = ()
    cast: bool = False
    delete: bool = False
    force: bool = False
    dry_run: bool = False
    json: bool = False


def import_(options: Options, console: Console) -> None:
    """Make an encrypted file from a plaintext file, and report on the old file and on the next steps.

    Raises LeftOutError at the end if a variable of the old file is not in the new one.
    """
    file, output = options.file, options.output
    cast, delete, dry_run = options.cast, options.delete, options.dry_run
    if file in fileio.STDIN:
        file = "/dev/stdin"
    if output is None and fileio.is_special(file):
        raise UsageError("the new file needs a name", hint="name it: -o FILE")
    path, old = _plain_file(file, delete)
    if options.dialect is None:
        _refuse_sections(file, old)
    dialect = options.dialect or dialects.guess(os.path.abspath(file))
    reading = dialects.read(old, dialect)
    texts, needy = _values(file, reading, options.literal)
    _refuse_unquoted_keys(file, old, reading)
    _warn_of_reading(console, file, old, reading)
    target = output or _default_target(file)
    format, flat = _format_of(target, cast=cast)
    values: Mapping[str, dialects.Value] = _cast(console, old, texts) if cast else texts
    if not cast and not flat:
        _warn_of_texts(console, texts)
    body = dialects.render(reading, values, format)
    rule = rule_for(target, options, also=[file], notify=console.warn)
    refuse_link(file, rule, options, encrypted=_default_target)
    clear = _left_plaintext(body, format, rule)
    if clear:
        console.warn(f"{listed(clear)} will be readable in {target}, because {rule.name} does not encrypt it")
    made = _Target(console, target, files.target_path(target, named=output is not None), format, values)
    written = made.write(body, rule, force=options.force, dry_run=dry_run)
    state = exposures([file])[file]
    left_out = _left_out(old, reading, needy, target)
    whole = {name: reading.written[name] for name in needy if name in reading.written}
    if delete and not dry_run:
        _delete(console, file, path, old, made, left_out)
    elif state == "tracked" and options.json:  # otherwise, the history and the next steps tell
        files.warn_if_exposed(console, [file])
    steps = {way.name: ways.steps(way, target, list(values)) for way in ways.WAYS}
    report = {
        "file": file,
        "dialect": dialect,
        "output": target,
        "written": written,
        "deleted": not os.path.lexists(file),
        "names": list(values),
        "plaintext": clear,
        "lost_lines": reading.lost,
        "left_out": needy,
        "git": _history(console, file, {**texts, **whole}, dialect, state),
        "next": steps,
    }
    if options.json:
        console.json(report)
    elif written or dry_run or not delete:  # otherwise, the first run printed the steps
        console.lines(_next_text(file, target, dialect, list(values), options, state))
    if left_out is not None:
        raise left_out.about(file)


def _format_of(target: str, *, cast: bool) -> tuple[str, bool]:
    """Return the format of the new file, and whether it has only texts.  Raises UsageError."""
    if target in fileio.STDOUT:
        raise UsageError("import writes to a file, not to stdout", hint="name one: -o FILE")
    format = files.format_by_name(target, None)
    flat = formats.get(format).flat
    if cast and flat:
        raise UsageError(f"{format} has no booleans or numbers", hint="write YAML instead: -o NAME.enc.yaml")
    return format, flat


IMPORT = Command(
    "import",
    """Create an encrypted file from a .env or another file of variables.

    .env becomes secrets.enc.yaml next to it, encrypted by the rule in .sops.yaml for that name. The
    extension of the new file sets its format. Values are parsed the way the program that used FILE parsed
    them:

    - dotenv: python-dotenv
    - systemd: EnvironmentFile=
    - shell: a shell that sources it
    - docker: --env-file

    encconf then checks that git ignores FILE and that it was never committed, and prints the next steps for
    this project. FILE is kept unless you use --delete.

    Exit code 1: the file was written, but it lacks some variables, which the error names.
    """,
    Options,
    import_,
    arguments=[Argument("file")],
    options=[
        Option("--output", "-o", metavar="FILE", help="The file to create: .yaml, .json, .toml or .env."),
        Option(
            "--dialect",
            metavar="DIALECT",
            help=(
                "The program that reads FILE today (by default, dotenv; systemd for /etc/default and "
                "similar)."
            ),
        ),
        Option(
            "--literal",
            metavar="NAME",
            utf8=True,
            help="Keep ${…} in the value of NAME as written. Repeatable; '*' means all.",
        ),
        Option(
            "--cast",
            help=(
                "Convert values like true, False and 5432 to booleans and integers, except quoted values and "
                "those whose names say that they are secrets."
            ),
        ),
        Option("--delete", help="Delete FILE after verifying the new one."),
        Option("--force", "-f", help="Replace an existing output file whose values differ."),
        DRY_RUN,
        JSON,
        *KEYS,
        *SELECTION,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf import .env",
        "encconf import --delete -o prod.enc.yaml .env.production",
        "encconf import --dialect systemd -o app.enc.yaml /etc/default/app",
    ],
)


# --- reading ---------------------------------------------------------------------------------


def _plain_file(file: str, delete: bool) -> tuple[str, str]:
    """Return the path of a file, with links followed, and its text.  Raises if it is encrypted already."""
    path = fileio.resolve(file)
    if delete and (os.path.islink(file) or fileio.is_special(path)):
        raise UsageError("it is not a regular file, so it is not deleted").about(file)
    with about(file, instead=path):
        text = fileio.read_text(path)
    if formats.find(text, file) is not None:
        hint = f"encconf edit {quoted(file)}"
        raise AlreadyEncryptedError("this file is already encrypted", hint=hint).about(file)
    return path, text


_SECTION = re.compile(r"\[[A-Za-z0-9 ._-]{1,40}\]")


def _refuse_sections(file: str, text: str) -> None:
    """Refuse a unit of systemd or an INI file: its settings would become variables."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and line[0] not in "#;"), "")
    if _SECTION.fullmatch(first):
        unit = "of a unit of systemd, import its EnvironmentFile, or a file with what Environment= sets"
        hint = f"{unit}; INI needs no import: encconf encrypt {quoted(file)}"
        raise UsageError(f"it begins with the section {first}, so it has no variables", hint=hint).about(file)


def _values(
    file: str, reading: Reading, literal: Sequence[str]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the values to encrypt, and the names that the file alone does not give, with what they need.

    Values that ``literal`` names are kept as written.  Raises EmptyDocumentError if there are none.
    """
    unknown = [name for name in literal if name not in reading.variables and name != "*"]
    if unknown:
        raise UsageError(f"{listed(unknown)} is not in {file}", hint="--literal takes names of variables")
    for name, value in reading.written.items():
        if is_ciphertext(value):
            raise LostBlockError(f"the value of {name}").about(file)
    found: dict[str, str] = {}
    needy: dict[str, list[str]] = {}
    for variable in reading.variables.values():
        if variable.name in literal or "*" in literal:
            found[variable.name] = variable.written
        elif variable.needs:
            needy[variable.name] = sorted(set(variable.needs))
        else:
            found[variable.name] = variable.value
    if not found:
        format = formats.get(files.format_by_name(file, None))
        hint = f"to read it as another program does: --dialect {'|'.join(dialects.DIALECTS)}"
        if needy:
            hint = f"to keep ${{…}} as written: --literal {next(iter(needy))}"
        elif not (format.environment or format.single_value):
            hint = f"it may be {format.name}, which needs no import: encconf encrypt {quoted(file)}"
        raise EmptyDocumentError(f"it has no variables that {reading.dialect} would read", hint=hint).about(
            file
        )
    return found, needy


_NAMED = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]{0,39})\s*=\s*[^=\s]")


def _left_out(
    text: str, reading: Reading, needy: Mapping[str, Sequence[str]], target: str
) -> LeftOutError | None:
    """Return the error that names the variables which are not in the new file, or None."""
    if not reading.lost and not needy:
        return None
    lines = text.splitlines()
    parts = []
    for number in reading.lost:
        line = lines[number - 1] if number <= len(lines) else ""
        # Other lines may be the rest of a value of several lines, so nothing of them is shown.
        name = found[1] if (found := _NAMED.match(line)) else ""
        parts.append(f"line {number}{f' ({name})' if name else ''}")
    hints = []
    if parts:
        others = "|".join(each for each in dialects.DIALECTS if each != reading.dialect)
        parts[-1] += f", which {reading.dialect} cannot read"
        hints.append(f"correct the line, or name the program that reads the file (--dialect {others})")
    for name, needs in needy.items():
        parts.append(f"{name}, which needs {listed(needs)}")
    if needy:
        hints.append(
            "write the final value into the file, or keep it as written: "
            + " ".join(f"--literal {quoted(name)}" for name in list(needy)[:5])
        )
    what = "; ".join(parts[:8]) + (f"; and {len(parts) - 8} more" if len(parts) > 8 else "")
    return LeftOutError(f"not in {target}: {what}", hint="; ".join(hints))


def _cast(console: Console, text: str, values: Mapping[str, str]) -> dict[str, dialects.Value]:
    """Return the values, converted except quoted ones and secrets, and say which were converted."""
    in_quotes = _in_quotes(text)
    kept = [name for name in values if called_a_secret((name,)) or name in in_quotes]
    cast = dialects.cast({name: value for name, value in values.items() if name not in kept})
    found: dict[str, dialects.Value] = {name: cast.get(name, value) for name, value in values.items()}
    for type, said in ((bool, "boolean"), (int, "integer")):
        names = [name for name, value in found.items() if value.__class__ is type]
        if names:
            console.note(f"converted to {said}: {listed(names, 12)}")
    still = [name for name in kept if dialects.SPELLED.fullmatch(values[name])]
    if still:
        console.note(
            f"kept as text, because it is quoted or its name says that it is secret: {listed(still, 12)}"
        )
    return found


def _in_quotes(text: str) -> set[str]:
    """Return the names whose last value is in quotes."""
    found: dict[str, bool] = {}
    for line in text.split("\n"):
        name, sign, value = line.partition("=")
        if sign:
            words = name.split(maxsplit=1)
            name = words[1] if len(words) == 2 and words[0] == "export" else name
            found[name.strip()] = value.lstrip(" \t")[:1] in ("'", '"')
    return {name for name, is_quoted in found.items() if is_quoted}


def _refuse_unquoted_keys(file: str, text: str, reading: Reading) -> None:
    """Raise ParseError for a private key of several lines without quotes.

    Its last line may look like a name with an empty value, and names are not encrypted.
    """
    whole = [value for value in reading.written.values() if "-----END " in value]
    for block in _BLOCK.finditer(text):
        if not any(block[1] in value for value in whole):
            raise ParseError(
                f"a key begins here, but {reading.dialect} does not read it to its end",
                line=position(text, block.start(1))[0],
                hint="put quotes around all of it",
            ).about(file)


def _warn_of_texts(console: Console, texts: Mapping[str, str]) -> None:
    """Warn about texts that look like booleans, because most languages treat every text as true."""
    words = [name for name, text in texts.items() if text.lower() in ("true", "false")]
    if words:
        console.warn(
            f"{listed(words)}: kept as text, and the text 'False' is true in Python",
            hint="to convert such values to booleans and integers, repeat this with --cast --force",
        )
    for sentence in dialects.misread(texts):
        console.note(sentence)


def _warn_of_reading(console: Console, file: str, text: str, reading: Reading) -> None:
    if reading.twice:
        console.warn(
            f"{file}: {listed(dict.fromkeys(reading.twice))} occurs more than once; the last one counts"
        )
    differences = dialects.differences(text, reading)
    in_order = dict.fromkeys([*reading.variables, *differences])
    others = []
    for other in dialects.DIALECTS:
        if names := [name for name in in_order if other in differences.get(name, ())]:
            others.append(f"{other} ({listed(names, 4)})")
    if others:
        console.note(
            f"{file} was read as {reading.dialect} does; others read it differently: {', '.join(others)}"
        )


# --- writing ---------------------------------------------------------------------------------


def _default_target(file: str) -> str:
    """Return ``secrets.enc.yaml`` for ``.env``, ``app.enc.yaml`` for ``app.env``, in the same folder."""
    folder, name = os.path.split(file)
    if name == ".env" or name.startswith(".env."):
        name = f"secrets{name.removeprefix('.env')}"
    return os.path.join(folder, f"{name.removesuffix('.env') or 'secrets'}.enc.yaml")


def _left_plaintext(text: str, format: str, rule: Rule) -> list[str]:
    """Return the names whose values the rule does not encrypt."""
    document = formats.get(format).scan(text, comments=True)
    chosen = rule.selection.choose(document).leaves
    return [
        str(leaf.step)
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True)
        if not is_chosen and leaf.data
    ]


class _Target(Record):
    """The encrypted file to make: its name, its format, and its values."""

    console: Console
    name: str
    path: str
    format: str
    values: Mapping[str, dialects.Value]

    def write(self, plain: str, rule: Rule, *, force: bool, dry_run: bool) -> bool:
        """Encrypt the file.  Returns False if it has the same values already, and for a dry run.

        Raises OutputError if it has different values, unless ``force`` is set.
        """
        with about(self.name, instead=self.path):
            there = fileio.read_existing(self.path)
        if there is not None:
            differing, added = self._differing(there, force)
            if not differing and not added:
                self.console.note(f"{self.name} already has the same values and was not changed")
                return False
            if differing and not force:
                raise OutputError(
                    f"this file exists and has other values: {listed(differing)}",
                    hint="to replace its values, use --force; to write another file, -o FILE",
                ).about(self.name)
        count = counted(len(self.values), "value")
        if dry_run:
            self.console.note(f"would write {self.name}: {count}")
            return False
        with about(self.name, instead=self.path):
            enc = api.encrypt(
                plain,
                rule,
                format=self.format,
                twin=there if formats.find(there or "", self.name) is not None else None,
                credentials=self.console.credentials(),
                notify=self.console.warn,
            )
            fileio.write_atomic(self.path, enc, replacing=there)
        try:
            self.verify()
            self.console.note(f"wrote {self.name}: {count}, verified")
        except KeyAccessError:
            self.console.note(f"wrote {self.name}: {count}; not verified, because you have no key for it")
        return True

    def verify(self) -> None:
        """Open the new file.  Raises OutputError if its values differ, and the errors of opening."""
        with about(self.name):
            if self._values_in(fileio.read_text(self.path)) != self.values:
                raise OutputError("the file reads back differently")

    def _differing(self, text: str, force: bool) -> tuple[list[str], list[str]]:
        """Return the names whose values in the encrypted text differ, and those that it does not have."""
        try:
            found = self._values_in(text)
        except NotEncryptedError:
            return ["all of them (it is not encrypted)"], []
        except EncconfError:
            if not force:
                raise
            return ["all of them"], []
        differing = [name for name, value in found.items() if value != self.values.get(name)]
        return differing, [name for name in self.values if name not in found]

    def _values_in(self, text: str) -> dict[str, object]:
        return api.loads(text, format=self.format, credentials=self.console.credentials())


def _delete(
    console: Console, file: str, path: str, text: str, target: _Target, left_out: LeftOutError | None
) -> None:
    """Delete the old file, after a check that the new one can be opened and has all of its values."""
    if left_out is not None:
        hint = f"{left_out.hint}; then delete it"
        raise UsageError(f"it is not deleted: {left_out.message}", hint=hint).about(file)
    target.verify()
    try:
        if fileio.read_text(path) != text:
            raise OutputError("it has changed in the meantime, so it is not deleted").about(file)
        os.unlink(path)
    except OSError as error:
        raise OutputError(f"it cannot be deleted: {error.strerror}").about(file) from None
    console.note(f"deleted {file}; copies, backups and free disk blocks may still contain it")


# --- git -------------------------------------------------------------------------------------


def _history(
    console: Console, file: str, values: Mapping[str, str], dialect: str, state: str | None
) -> dict[str, object] | None:
    """Report what git knows about the old file.  Returns None if it is not in a repository."""
    if repository(os.path.dirname(os.path.abspath(file))) is None:
        _say_of_exposure(console, file, state, "")
        return None
    report: dict[str, object] = {"tracked": state == "tracked", "ignored": state is None}
    status = console.status()
    done = status.watch("git") if status is not None else lambda: None
    try:
        past = history.past(file, values, dialect, console.environ)
    finally:
        done()
    if past is None:
        console.warn(f"git could not tell whether {file} was ever committed")
        _say_of_exposure(console, file, state, "")
        return report
    report |= {name: getattr(past, name) for name in ("commits", "pushed", "rotate", "earlier", "complete")}
    part = "" if past.complete else " in the part of the history that is here and not too large to read"
    _say_of_exposure(console, file, state, "" if past.commits else f"was never committed{part}")
    if past.commits:
        _print_history(console, file, past, part)
    return report


def _say_of_exposure(console: Console, file: str, state: str | None, committed: str) -> None:
    """Say in one line who else can read the old file: others on this machine, or the next commit."""
    faults, fixes = [], []
    if os.path.lexists(file):
        if files.is_readable_to_others(file):
            faults, fixes = ["others on this machine can read it"], [f"chmod 600 {quoted(file)}"]
        if state == "untracked":
            faults.append("git does not ignore it")
            fixes.append(files.ignoring([file], tracked=False))
    if faults:
        said = ", and ".join(faults) + (f"; it {committed}" if committed else "")
        console.warn(f"{file}: {said}", hint=" && ".join(fixes))
    elif committed:
        console.note(f"{file} {committed}")


def _print_history(console: Console, file: str, past: Past, part: str) -> None:
    newest = past.commits[0][:12]
    where = f"a commit ({newest})" if len(past.commits) == 1 else f"{len(past.commits)} commits (to {newest})"
    pushed = ", and on a remote" if past.pushed else ""
    console.warn(f"{file} is in {where}{pushed}{part}: anyone with the repository has those values")
    if past.rotate:
        secrets = [name for name in past.rotate if called_a_secret((name,))]
        others = [name for name in past.rotate if name not in secrets]
        said = ", ".join(secrets or others)
        if secrets and others:
            said += f"; and if they are secret: {', '.join(others)}"
        console.hint(f"change at the source, because the current value was committed: {said}")
    if past.earlier:
        console.hint(
            f"earlier values were committed; make sure that they no longer work: {', '.join(past.earlier)}"
        )


# --- what comes next -------------------------------------------------------------------------


def _next_text(
    file: str, target: str, dialect: str, names: Sequence[str], options: Options, state: str | None
) -> str:
    """Return what to do next in this project."""
    folder = os.path.dirname(os.path.abspath(file))
    word = quoted(target)
    rows = ways.project_steps(folder, target, dialect, names)
    if repository(folder) is not None:
        if state == "tracked":
            rows.append(("git", files.ignoring([file], tracked=True)))
        more = [each for each in (NAME, ".gitattributes") if os.path.exists(os.path.join(folder, each))]
        rows.append(("git", " ".join(["git add", word, *more])))
    same = [f"--literal {quoted(name)}" for name in options.literal]
    same += ["--cast"] if options.cast else []
    same += [f"--dialect {options.dialect}"] if options.dialect else []
    same += [f"-o {quoted(options.output)}"] if options.output else []
    rows.append(("if it works", " ".join(["encconf import --delete", *same, quoted(file)])))
    rows.append(("other stores", "encconf doctor lists them: keyring, Vault, clouds, systemd"))
    width = max(len(label) for label, _ in rows)
    lines = [f"  {label:{width}}  {what}\n" for label, what in rows]
    return visible("".join(["Next steps:\n", *lines]))
