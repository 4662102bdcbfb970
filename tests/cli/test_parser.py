"""The parser: what it reads, and how it explains mistakes."""

from __future__ import annotations

import pytest
from cli.argv import ARGV
from hypothesis import example, given
from project import Project

from encconf.cli import parser, table
from encconf.cli.command import Command
from encconf.errors import EncconfError, UsageError


@given(ARGV)
@example(["git", "merge", "--nope"])
@example(["git merge"])
@example(["", "decrypt"])
@example(["-"])
def test_a_line_is_a_command_or_a_mistake(argv: list[str]) -> None:
    failed: EncconfError | None = None
    command = table.command("version")
    values = command.defaults()
    try:
        command, values = parser.parse(list(argv))
    except EncconfError as error:
        failed = error
    if failed is not None:
        named = [row for row in table.commands() if f" {row.name} " in f" {' '.join(argv)} "]
        assert failed.exit_code in {row.failure for row in named} | {1, 100}
        assert failed.hint
    assert values.keys() == command.defaults().keys()
    for option in command.options:
        value = values[option.dest]
        assert option.is_switch == isinstance(value, bool)
        assert not option.choices or value in (None, *option.choices)


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["encrypt", "-i", "--age", "a", "f", "--age=b", "-a", "c"],
         {"in_place": True, "age": ["a", "b", "c"], "file": ["f"]}),
        (["--config", "x", "decrypt", "--config", "y", "f"], {"config": "y", "file": ["f"]}),
        (["--config", "x", "keygen"], {}),
        (["--quiet", "--color", "always", "--color", "never", "version"], {"quiet": True, "color": "never"}),
        (["diff", "-q"], {"quiet": True}),
        (["decrypt", "f", "-o", "-"], {"file": ["f"], "output": "-"}),
        (["decrypt", "-rno", "out", "f", "-"], {"recursive": True, "dry_run": True, "output": "out",
                                                "file": ["f", "-"]}),
        (["decrypt", "-rnoout", "f"], {"recursive": True, "dry_run": True, "output": "out", "file": ["f"]}),
        (["decrypt", "-o=out", "f"], {"output": "out", "file": ["f"]}),
        (["decrypt", "--output=", "--extract=a=b", "f"], {"output": "", "extract": "a=b", "file": ["f"]}),
        (["decrypt", "--output", "-x", "f"], {"output": "-x", "file": ["f"]}),
        (["set", "f", "a", "--", "-5"], {"file": "f", "path": "a", "value": "-5"}),
        (["exec", "f", "g", "--prefix", "P", "--", "a", "--", "-b", "--help"],
         {"file": ["f", "g"], "prefix": "P", "argv": ["a", "--", "-b", "--help"]}),
        (["--color", "never", "exec", "f", "--", "a"], {"color": "never", "file": ["f"], "argv": ["a"]}),
        (["--config", "--", "exec", "f", "--", "a"], {"file": ["f"], "argv": ["a"]}),
        (["exec", "f", "--"], {"file": ["f"]}),
        (["diff", "--", "a", "-b"], {"paths": ["a", "-b"]}),
        (["--", "diff", "a", "--", "b"], {"file": ["a"], "paths": ["b"]}),
        (["git", "--", "install", "--global", "--", "-x"], {"global": True, "pattern": ["-x"]}),
        (["decrypt", "f", "--help"], ["decrypt"]),
        (["--help", "git", "install", "x"], ["git", "install"]),
        (["git", "-h"], ["git"]),
        (["help", "-h"], ["help"]),
        (["--help"], []),
    ],
)  # fmt: skip
def test_the_forms_of_options(argv: list[str], wanted: dict[str, object] | list[str]) -> None:
    command, values = parser.parse(argv)
    if isinstance(wanted, list):
        assert command is table.command("help")
        wanted = {"words": wanted}
    assert values == {**command.defaults(), **wanted}


@pytest.mark.parametrize("argv", [[], ["--quiet"], ["git"], ["--color", "never", "groups"]])
def test_without_a_command_the_help_says_which_there_are(project: Project, argv: list[str]) -> None:
    name = " ".join(each for each in argv if each in table.ALL)
    assert parser.parse(argv)[0] is table.entry(name)
    assert project.run(*argv, code=1).err == project.run(*argv, "--help").out


@pytest.mark.parametrize("argv", [["--version"], ["-v"], ["--color", "never", "-v"], ["-v", "decrypt", "f"]])
def test_the_version(argv: list[str]) -> None:
    assert parser.parse(argv)[0] is table.command("version")


@pytest.mark.parametrize(
    ("argv", "said", "hint", "code"),
    [
        ([""], "unknown command ''", "see: encconf --help", 1),
        (["git install"], "unknown command 'git install'", "see: encconf --help", 1),
        (["rekey", "f"], "unknown command 'rekey'", "did you mean rotate?", 1),
        (["git", "instal"], "unknown command 'instal'", "did you mean install?", 1),
        (["decrypt", "--json", "f"], "unknown option --json", "see: encconf decrypt --help", 1),
        (["decrypt", "-ix", "f"], "unknown option -x", "see: encconf decrypt --help", 1),
        (["decrypt", "-i-", "f"], "-i takes no value", "see: encconf decrypt --help", 1),
        (["--ignore", "check"], "--ignore is an option of the command", "write it after encconf check", 1),
        (["--global", "git", "install"], "--global is an option of the command",
         "write it after encconf git install", 1),
        (["--ours-labe", "git", "merge"], "unknown option --ours-labe", "did you mean --ours-label?", 129),
        (["--nope", "diff"], "unknown option --nope", "see: encconf diff --help", 2),
        (["diff", "--quiet=yes"], "--quiet takes no value", "see: encconf diff --help", 2),
        (["get", "f", "--config"], "--config needs a value", "see: encconf get --help", 1),
        (["check", "--min-severity", "x"], "--min-severity must be one of: note, warning, error",
         "see: encconf check --help", 1),
        (["edit"], "no file was given", "see: encconf edit --help", 100),
        (["unset", "f"], "PATH is missing", "see: encconf unset --help", 1),
        (["get", "f", "a", "b c"], "unexpected argument 'b c'", "see: encconf get --help", 1),
        (["set", "f", "a", "my", "password"], "there is a word after VALUE",
         "quote a VALUE that has spaces", 1),
        (["set", "f", "a", "-Password"], "unknown option",
         "write -- before a VALUE that begins with a dash", 1),
        (["set", "--jsn", "f", "a"], "unknown option --jsn", "did you mean --json?", 1),
        (["git", "merge", "a"], "OURS is missing", "see: encconf git merge --help", 129),
    ],
)  # fmt: skip
def test_mistakes(argv: list[str], said: str, hint: str, code: int) -> None:
    with pytest.raises(EncconfError) as caught:
        parser.parse(argv)
    assert (caught.value.message, caught.value.hint, caught.value.exit_code) == (said, hint, code)


def test_a_flag_of_sops_with_one_dash_is_not_a_short_option(project: Project) -> None:
    with pytest.raises(UsageError, match="unknown option -output"):
        parser.parse(["decrypt", "-output", "x", "f"])
    project.write("f", "a: 1")
    said = project.run("decrypt", "-output", "x", "f", code=1).err
    assert said.startswith("sops metadata not found")


@pytest.mark.parametrize("command", table.commands(), ids=lambda command: command.name)
def test_every_option_is_read(command: Command) -> None:
    argv = command.name.split()
    argv += [argument.dest for argument in command.arguments]
    for option in command.options:
        argv.append(option.names[-1])
        if not option.is_switch:
            argv.append(option.choices[0] if option.choices else "value")
    if command.rest:
        argv += ["--", "program", "--", "-x", "--help"]
    row, values = parser.parse(argv)
    assert row is command
    for option in command.options:
        assert values[option.dest] != command.defaults()[option.dest]
    if command.rest:
        assert values[command.rest] == ["program", "--", "-x", "--help"]


@pytest.mark.parametrize("command", table.commands(), ids=lambda command: command.name)
def test_each_option_changes_its_field(command: Command) -> None:
    """Without options, the fields have their defaults."""
    values = command.defaults()
    for argument in command.arguments:
        if not argument.many:
            values[argument.dest] = "x"
    before = vars(command.options_of(values))
    for option in command.options:
        if not option.field:
            continue
        value: object = True if option.is_switch else ["x"] if option.many else "x"
        after = vars(command.options_of({**values, option.dest: value}))
        assert {name for name in after if after[name] != before[name]} == {option.field}
        if option.key:
            value = {**before[option.field], option.key: value}
        assert after[option.field] == value
