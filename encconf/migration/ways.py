"""The seven ways to keep passwords out of plaintext files, and whether this machine can use them.

`look` asks each kind of source (`encconf.sources`) for its identity and for what is missing.  It asks all of
them at the same time, and waits at most two seconds for each.  It fetches no secrets except identities for
opening files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from encconf import sources
from encconf.errors import EncconfError
from encconf.identities.credentials import KEY_VARIABLES, AgeSource, Credentials
from encconf.io import programs
from encconf.record import Record
from encconf.sources import PROBE_LIMIT, Probe
from encconf.text.path import spell
from encconf.text.printable import printable

Look = Callable[[Credentials], Probe]


class Way(Record):
    """One way: its ``name`` and title, the ``schemes`` of its sources, and the next steps after an import.

    In a step, ``{file}`` is the encrypted file, ``{name}`` one of its names, and ``{flags}`` are options for
    names in lower case; all are quoted for a shell.  ``{path}`` is the file, quoted for Python.
    """

    name: str
    title: str
    schemes: tuple[str, ...]
    steps: tuple[str, ...]


def _way(name: str, title: str, schemes: str, *steps: str) -> Way:
    return Way(name, title, tuple(schemes.split()), steps)


WAYS = (
    _way("environment", "variables that the system sets", "env", "encconf exec {flags}{file} -- PROGRAM"),
    _way(
        "systemd",
        "credentials of systemd",
        "systemd",
        "encconf systemd unit --unit UNIT {flags}{file}",
        "encconf export --format systemd-creds -o FOLDER {flags}{file}",
    ),
    _way("keyring", "the system's keyring", "keyring", "encconf keygen --to keyring:encconf/identity --use"),
    _way(
        "cyberark",
        "CyberArk",
        "cyberark conjur",
        "encconf set {file} {name} ref+cyberark://SAFE/OBJECT",
        "encconf keygen --to conjur:VARIABLE",
    ),
    _way(
        "vault",
        "HashiCorp Vault or OpenBao",
        "vault",
        "encconf set {file} {name} ref+vault://MOUNT/PATH#/FIELD",
        "encconf keygen --to vault:MOUNT/PATH#identity",
    ),
    _way(
        "cloud",
        "the secret manager of a cloud",
        "awssm awsssm gcpsm azkv",
        "encconf set {file} {name} ref+awssm://NAME",
        "encconf keygen --to awssm:NAME",
    ),
    _way("sops", "SOPS files in git", "", "git add {file}", "load_config({path})"),
)
"""In the order of the table in docs/choosing.md."""


_HELPS = ("systemd-creds", ".sops.yaml")  # parts that are useless on their own


class Found(Record):
    """What this machine has for a way: a `Probe` for each of its parts."""

    way: Way
    parts: dict[str, Probe]

    @property
    def usable(self) -> bool:
        """Whether a part is usable that is useful on its own."""
        return any(probe.usable for label, probe in self.parts.items() if label not in _HELPS)


def steps(way: Way, file: str, names: Sequence[str]) -> list[str]:
    """Return the next steps of a way, for a file and its names."""
    import json
    import shlex

    flags = _flags(names)
    path = spell((names[0],)) if names else "NAME"  # a name may contain a dot
    words = {"file": shlex.quote(file), "name": shlex.quote(path)}
    return [step.format(**words, flags=flags, path=json.dumps(file)) for step in way.steps]


_DOTENV = re.compile(r"(?i)\b(python-dotenv|django-environ|environs|python-decouple|django-dotenv)\b")
_PYTHON = ("pyproject.toml", "requirements.txt", "setup.cfg", "setup.py", "Pipfile", "manage.py")
_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


def project_steps(folder: str, file: str, dialect: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    """Return how the programs of a project get the values of a file with these keys: labels and commands."""
    import json
    import shlex

    names = frozenset(os.listdir(folder))
    word, path = shlex.quote(file), json.dumps(file)
    exec = f"encconf exec {_flags(keys)}{word} --"
    rows = []
    if dialect == "systemd":
        rows.append(("systemd", f"encconf systemd unit --unit UNIT {_flags(keys)}{word}"))
    if names.intersection(_PYTHON):
        texts = [
            _text(os.path.join(folder, name))
            for name in sorted(names)
            if name in _PYTHON or (name.startswith("requirements") and name.endswith(".txt"))
        ]
        if library := next((found[1] for text in texts if (found := _DOTENV.search(text))), None):
            where = "instead of" if "dotenv" in library else "before the lines of"
            rows.append(
                ("Python", f"from encconf import load_dotenv; load_dotenv({path})  # {where} {library}")
            )
        else:
            rows.append(("Python", f"import encconf; values = encconf.load_config({path})"))
    if "manage.py" in names:
        rows.append(("Django", f"{exec} python manage.py runserver"))
    if names.intersection(_COMPOSE):
        rows.append(("compose", f"{exec} docker compose up"))
    if "package.json" in names:
        rows.append(("npm", f"{exec} npm start"))
    if not rows or [label for label, _ in rows] == ["Python"]:
        rows.append(("any program", f"{exec} PROGRAM"))
    return rows


def _flags(names: Sequence[str]) -> str:
    """Return the options that keep names in lower case."""
    return "" if all(name == name.upper() for name in names) else "--keep-case "


def _text(path: str) -> str:
    from encconf.io import fileio

    try:
        return fileio.read_bytes(path, regular=True, limit=1 << 20).decode(errors="replace")
    except EncconfError:
        return ""


def look(ways: Sequence[Way], credentials: Credentials, cwd: str) -> list[Found]:
    """Find out whether ways can be used on this machine.  All parts are asked at the same time."""
    from encconf.io.threads import side_by_side

    if len(ways) > 1:
        # Importing requests silences a warning of urllib3, which another thread could undo meanwhile.
        with suppress(ImportError):
            import requests  # noqa: F401

    parts = [(way, label, work) for way in ways for label, work in _parts(way, cwd).items()]

    def probe(part: tuple[Way, str, Look]) -> Probe:
        return part[2](credentials)

    found = {way.name: Found(way, {}) for way in ways}
    for (way, label, _), result in side_by_side(probe, parts):
        found[way.name].parts[label] = (
            sources.failed_probe(result) if isinstance(result, EncconfError) else result
        )
    return list(found.values())


def _parts(way: Way, cwd: str) -> dict[str, Look]:
    parts: dict[str, Look] = {f"{scheme}:": partial(sources.probe, scheme) for scheme in way.schemes}
    if way.name == "environment":
        parts["exec"] = lambda credentials: Probe(True, user(), note="encconf exec, encconf export")
    elif way.name == "systemd":
        parts["serve"] = _manager
        parts["systemd-creds"] = _systemd_creds
    elif way.name == "sops":
        parts["age"] = lambda credentials: sources.in_time(lambda: _identities(credentials))
        parts["pgp"] = _pgp
        parts[".sops.yaml"] = lambda credentials: _rules(cwd)
    return parts


def user() -> str:
    """Return the user of this process, according to the system."""
    try:
        import pwd
    except ImportError:
        return os.environ.get("USERNAME", "")
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _manager(credentials: Credentials) -> Probe:
    """Probe for a running systemd manager: the system's for root, or else the user's own."""
    if not hasattr(os, "geteuid"):
        return Probe(False, missing=["systemd (not on this system)"])
    runtime = credentials.environ.get("XDG_RUNTIME_DIR") or ""
    version = _said_by(["systemctl", "--version"], credentials)
    if version is None:
        return Probe(False, missing=["systemd (systemctl not found)"])
    if not version:
        return Probe(False, missing=["systemd (systemctl --version prints nothing)"])
    words = version.split()
    note = " ".join(words[:2])
    if len(words) > 1 and words[1].isdigit() and int(words[1]) < 247:
        return Probe(False, missing=["systemd 247 or newer (LoadCredential=)"], note=note)
    if os.geteuid() == 0:
        if os.path.isdir("/run/systemd/system"):
            return Probe(True, user(), note=note)
        return Probe(False, missing=["a running systemd (this machine was started without it)"], note=note)
    if runtime and os.path.exists(os.path.join(runtime, "systemd", "private")):
        return Probe(True, user(), note=f"{note}, systemctl --user")
    return Probe(False, missing=["a systemd user manager (loginctl enable-linger), or root"], note=note)


def _systemd_creds(credentials: Credentials) -> Probe:
    """Probe for the program that encrypts for LoadCredentialEncrypted=, and for a key that it can use."""
    version = _said_by(["systemd-creds", "--version"], credentials)
    if not version:
        return Probe(False, missing=["systemd-creds (systemd 250 or newer)"])
    tpm = (_said_by(["systemd-creds", "has-tpm2"], credentials) or "").split("\n")[0] == "yes"
    secret = credentials.environ.get("SYSTEMD_CREDENTIAL_SECRET") or "/var/lib/systemd/credential.secret"
    there = os.access(secret, os.R_OK)
    note = f"TPM: {'yes' if tpm else 'no'}, key of the host: {'yes' if there else 'not yet'}"
    if there or os.geteuid() == 0:
        return Probe(True, user(), note=note)
    return Probe(False, missing=["root, who can read this machine's key"], note=note)


def _said_by(command: list[str], credentials: Credentials) -> str | None:
    """Return what a program prints; "" if it takes too long, None if it is not installed."""
    from subprocess import TimeoutExpired

    try:
        done = programs.run(command, credentials.environ, without=KEY_VARIABLES, timeout=PROBE_LIMIT / 2)
    except TimeoutExpired:
        return ""
    except OSError:
        return None
    return done.stdout.decode(errors="replace")


def _identities(credentials: Credentials) -> Probe:
    """Probe for age identities for opening files.  No commands are run."""
    found: list[str] = []
    notes: list[str] = []
    missing: list[str] = []
    for source in credentials.age_sources():
        if not source.where:
            continue
        place = source.place(credentials.home)
        if source.may_run_program:
            notes.append(f"{source.variable or place} may start a program, which was not run")
            continue
        recipient, why = _recipient(source, credentials)
        if recipient is not None:
            found.append(recipient)
            notes.append(place)
        elif source.variable or why not in ("not there", ""):
            missing.append(f"{place} ({why or 'it contains no key'})")
    if not found and not notes and not missing:
        missing.append("a key: encconf keygen creates one")
    return Probe(bool(found or notes), ", ".join(found) or None, missing, ", ".join(notes))


def _recipient(source: AgeSource, credentials: Credentials) -> tuple[str | None, str]:
    from encconf.keys.age import is_locked, recipient_in

    data = source.read("", credentials)
    if data is None:
        return None, source.found
    if is_locked(data):
        return None, "protected by a passphrase"
    return recipient_in(data), ""


def _pgp(credentials: Credentials) -> Probe:
    """Probe for secret keys in the user's gpg home.  This does not run gpg, which would start its agent."""
    if programs.find(credentials.gpg, credentials.environ) is None:
        return Probe(False, missing=[f"{printable(credentials.gpg)} (the program)"])
    home = credentials.environ.get("GNUPGHOME") or os.path.join(credentials.home or "", ".gnupg")
    try:
        count = sum(name.endswith(".key") for name in os.listdir(os.path.join(home, "private-keys-v1.d")))
    except OSError:
        count = 0
    if not count:
        return Probe(False, missing=["a secret key in gpg"])
    return Probe(True, note=f"secret keys: {count}")


def _rules(cwd: str) -> Probe:
    from encconf.rules.config import find_config

    path = find_config(None, cwd, foreign=True)
    if path is None:
        return Probe(False, missing=[".sops.yaml (encconf init creates one)"])
    return Probe(True, note=printable(os.path.relpath(path, cwd)))
