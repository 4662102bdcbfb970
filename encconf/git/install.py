"""``encconf git install``: put the drivers into git's configuration, and their files into .gitattributes.

The setting ``cachetextconv`` is not used: with it, git keeps the plaintexts in the repository, as notes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from encconf import formats
from encconf.errors import EncconfError, OutputError, UsageError
from encconf.git import attributes, repository, run, textconv
from encconf.git.attributes import ATTRIBUTES, END_OF_LINE
from encconf.identities.credentials import KEY_VARIABLES
from encconf.io import fileio, programs, trust
from encconf.text.printable import listed

PATTERNS = tuple(f"*.enc{suffix}" for suffix in formats.SUFFIXES)
"""The usual patterns.  `install` adds them if encrypted files have such names, or if it knows no files."""

_NAMED = 7  # how many of the added patterns the report names
SECTIONS = ("diff.encconf", "merge.encconf", "mergetool.encconf")


def settings(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the settings for git's configuration.

    ``./`` makes sure that the name of a file is never read as an option.  git quotes the names and labels.
    """
    program = command(environ)
    driver = program.replace("%", "%%")
    labels = "--base-label=%S --ours-label=%X --theirs-label=%Y"
    return {
        "diff.encconf.textconv": textconv.driver(program),
        "merge.encconf.name": "encrypted files",
        "merge.encconf.driver": f"{driver} git merge %O %A %B ./%P --marker-size=%L {labels}",
        "mergetool.encconf.cmd": f'{program} git mergetool "$BASE" "$LOCAL" "$REMOTE" "./$MERGED"',
        "mergetool.encconf.trustExitCode": "true",
        "mergetool.encconf.hideResolved": "false",  # else git changes the versions, line by line
    }


def is_installed(root: str, names: Sequence[str], environ: Mapping[str, str] = os.environ) -> bool:
    """Whether git shows and merges these files of a repository decrypted: its attributes and its commands.

    A clone has the attributes, but not the commands, which are in no commit.
    """
    if attributes.without_drivers(root, names):
        return False
    if set(names) <= {*attributes.with_other_diffs(root, names)}:
        return True
    return all(_get(["-C", root, "config"], f"{name}.encconf.{what}", environ) for name, what in _COMMANDS)


_COMMANDS = (("diff", "textconv"), ("merge", "driver"))


def install(
    folder: str,
    patterns: Sequence[str] = (),
    *,
    everywhere: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> list[str]:
    """Set up diffs and merges for the repository that a folder is in, or ``everywhere`` for the user.

    Encrypted files, and those that ``.sops.yaml`` will encrypt, get patterns of their own.  If there are
    none, files whose names say that they are encrypted get patterns.  ``patterns`` are added, too.
    Returns what was done, one sentence each, or nothing if everything was set up already.  Raises UsageError
    outside a repository, and EncconfError if git refuses.
    """
    for pattern in patterns:
        if not pattern or pattern[0] in '#!"[' or pattern.split() != [pattern]:
            raise UsageError(
                f"{pattern!r} is not a pattern for .gitattributes", hint="such as: secrets/*.yaml"
            )
    config, file = _places(folder, everywhere, environ)
    done = []
    wanted = settings(environ)
    changed = [name for name, value in wanted.items() if _get(config, name, environ) != value]
    for name in changed:
        _set(config, name, wanted[name], environ)
    if any(name.startswith("diff.") for name in changed):
        done.append("git diff now shows encrypted files decrypted")
    if any(name.startswith("merge") for name in changed):
        done.append("git merge, rebase, cherry-pick and stash now merge them by value")
    root = os.path.dirname(file)
    there = {} if everywhere else attributes.encrypted(root)
    of_rules = [] if everywhere else attributes.patterns_of_rules(root, there)
    usual = any(".enc." in os.path.basename(name) for name in there) or not (there or of_rules)
    added = _add_attributes(file, [*(PATTERNS if usual else ()), *patterns])
    left: list[str] = []
    if not everywhere:
        here = attributes.patterns_for(attributes.without_drivers(root, there), root)
        added += _add_attributes(file, [*here, *of_rules])
        left = attributes.without_drivers(root, there)
    if added:
        done.append(f"added {listed(added, _NAMED)} to {file}")
    if not everywhere and (other := attributes.with_other_diffs(root, there)):
        done.append(
            f"git diff does not decrypt {listed(other, 5)}, since another diff attribute stays: "
            "git check-attr diff FILE shows it"
        )
    if left:
        done.append(f"git still merges {listed(left, 5)} line by line: git check-attr merge FILE shows why")
    return done


def _set(config: list[str], name: str, value: str, environ: Mapping[str, str]) -> None:
    try:
        done = programs.run(["git", *config, name, value], environ, without=KEY_VARIABLES)
    except OSError:
        message, hint = programs.missing("git", environ)
        raise EncconfError(message, hint=hint) from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or None
        raise EncconfError(f"git does not set {name} (exit code {done.returncode})", hint=said)


def uninstall(folder: str, *, everywhere: bool = False, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Remove what `install` has set and written.  Returns what was done, one sentence each."""
    config, file = _places(folder, everywhere, environ)
    done = []
    for section in SECTIONS:
        if run([*config, "--remove-section", section], environ)[0] == 0:
            done.append(f"removed {section} from git's configuration")
    old = fileio.read_existing(file)
    if old is None:
        return done
    lines = []
    for line in old.splitlines(keepends=True):
        words = line.split()
        if line.lstrip()[:1] == "#" or not {*ATTRIBUTES} & {*words}:
            lines.append(line)
            continue
        left = [word for word in words if word not in ATTRIBUTES]
        if len(left) > 1 and left[1:] != [END_OF_LINE]:
            lines.append(" ".join(left) + "\n")
    new = "".join(lines)
    if new != old:
        if new:
            fileio.write_atomic(file, new, replacing=old)
        else:
            os.unlink(file)
        done.append(f"removed the drivers from {file}")
    return done


def command(environ: Mapping[str, str] = os.environ) -> str:
    """Return the command with which git calls encconf: its name, or its path.

    If only this virtual environment has encconf, its path is used.  Otherwise git diff would fail wherever
    the environment is not active.  The path is also used if PATH has folders whose programs encconf does not
    run (see `programs`), since git would.
    """
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    if sys.prefix != sys.base_prefix:
        scripts = os.path.dirname(os.path.abspath(sys.executable))
        folders = [folder for folder in folders if os.path.abspath(folder) != scripts]
    path = os.pathsep.join(folders)
    found = programs.find("encconf", {**environ, "PATH": path})
    if found is None:
        return " ".join(map(_quoted, programs.own_command()))
    trusted = programs.environment({**environ, "PATH": path})["PATH"] == path
    return "encconf" if trusted else _quoted(found)


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word.replace("\\", "/") if os.name == "nt" else word)


def _places(folder: str, everywhere: bool, environ: Mapping[str, str]) -> tuple[list[str], str]:
    """Return the arguments with which git reads and writes its settings, and the file of attributes.

    git follows links of your own files, but not that of a repository's attributes.
    """
    if everywhere:
        _regular(_user_configuration(environ))
        return ["config", "--global"], _regular(_user_attributes(environ))
    root = repository(folder)
    if root is None:
        raise UsageError(
            "this is not a git repository",
            hint="create one with git init, or use --global for all your repositories",
        )
    return ["-C", root, "config", "--local"], trust.fixed(root, ".gitattributes")


def _get(config: list[str], name: str, environ: Mapping[str, str]) -> str:
    return run([*config, "--get", name], environ)[1].rstrip("\n")


def _regular(path: str) -> str:
    """Return the path of one of your own files, with links followed.

    Raises OutputError for a device or a pipe: git replaces even /dev/null by a file, if root may.
    """
    path = fileio.resolve(path)
    if fileio.is_special(path):
        hint = "run git config --global --list --show-origin, and look at GIT_CONFIG_GLOBAL"
        raise OutputError("cannot be written: it is not a regular file", hint=hint).about(path)
    return path


def _user_configuration(environ: Mapping[str, str]) -> str:
    """Return the file that ``git config --global`` writes."""
    if (named := environ.get("GIT_CONFIG_GLOBAL")) is not None:
        return named
    own = os.path.join(os.path.expanduser("~"), ".gitconfig")
    other = os.path.join(_configuration_folder(environ), "config")
    return other if os.path.exists(other) and not os.path.exists(own) else own


def _user_attributes(environ: Mapping[str, str]) -> str:
    if configured := _get(["config", "--global", "--type=path"], "core.attributesFile", environ):
        return configured
    return os.path.join(_configuration_folder(environ), "attributes")


def _configuration_folder(environ: Mapping[str, str]) -> str:
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(home, "git")


def _add_attributes(path: str, patterns: Sequence[str]) -> list[str]:
    """Add missing lines, and missing drivers to lines.  Returns the patterns of these lines.

    A pattern that has another driver, or says something about line breaks, keeps that.
    """
    old = fileio.read_existing(path)
    lines = (old or "").splitlines(keepends=True)
    at = {words[0]: number for number, line in enumerate(lines) if (words := line.split())}
    added = []
    for pattern in dict.fromkeys(patterns):
        line = lines[at[pattern]] if pattern in at else ""
        names = {word.lstrip("-!").partition("=")[0] for word in line.split()[1:]}
        missing = [word for word in attributes.wanted(pattern) if word.partition("=")[0] not in names]
        if names & {"binary", "text"} and END_OF_LINE in missing:
            missing.remove(END_OF_LINE)  # somebody has decided about the line breaks
        if not missing:
            continue
        added.append(pattern)
        if line:
            body = line.rstrip()
            lines[at[pattern]] = f"{body} {' '.join(missing)}{line[len(body) :]}"
            continue
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(f"{pattern} {' '.join(missing)}\n")
    if added:
        fileio.make_folders(os.path.dirname(path))
        fileio.write_atomic(path, "".join(lines), replacing=old)
    return added
