"""Write unit files: a drop-in that makes a unit load credentials, and the socket and service that send them.

``systemd-creds`` makes credentials that are encrypted in the unit file or beside it.

Words are escaped according to systemd.syntax(7), systemd.unit(5) (specifiers) and systemd.service(5) (command
lines).  The caller decides where the files are written.  systemd 252 (Debian 12) must know every setting, so
a signal reloads the service, and not ``Type=notify-reload``, which version 253 introduced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from encconf.errors import EncconfError, LimitError, OutputError, UsageError
from encconf.identities.credentials import KEY_VARIABLES
from encconf.io import programs
from encconf.record import Record
from encconf.systemd.rules import NAMES_LIMIT, SIZE_LIMIT, Rule

SOCKET = "%t/{name}/credentials.sock"
"""The path of the socket.  ``%t`` is /run, or the user's $XDG_RUNTIME_DIR."""

IDLE = 60
"""After how many seconds without a request the service ends.  The next request starts it again."""

HEADER = "# Written by: encconf systemd unit\n"

# The service must be able to read files, to connect to systemd and key services, and to lock memory.
_HARDENED = """\
UMask=0077
LimitCORE=0
LimitMEMLOCK=infinity
MemorySwapMax=0
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""
_HARDENED_SYSTEM = """\
CapabilityBoundingSet=
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
"""


class Unit(Record):
    """A file for systemd: its path below a folder of units, and its text."""

    path: str
    text: str


def name_of(unit: str, what: str = "credentials") -> str:
    """Return the name of a unit's socket and service: ``app-credentials`` for app.service.

    For app@one.service it is ``app-credentials@one``, for all instances ``app-credentials@.all``, and for
    app.mount ``app.mount-credentials``.  So no two units share a service, whose values are for one of them.
    """
    stem, _, type = unit.rpartition(".")
    base, at, instance = stem.partition("@")
    kind = "" if type == "service" else f".{type}"
    return f"{base}{kind}-{what}{at}{(instance or '.all') if at else ''}"


def drop_in(unit: str, names: Sequence[str], *, socket: str | None = None, variables: bool = False) -> Unit:
    """Return a drop-in that makes a unit load credentials from the socket.

    With ``variables``, it also sets ``NAME_FILE=%d/NAME``, which many programs read instead of ``NAME``.
    Raises what `check` raises.
    """
    check(unit, names)
    name = name_of(unit)
    lines = ["[Unit]", f"Requires={name}.socket", f"After={name}.socket", "", "[Service]"]
    where = _source(socket) if socket else SOCKET.format(name=plain(name))
    lines += [f"LoadCredential={plain(each)}:{where}" for each in names]
    if variables:
        lines += [f"Environment={_quoted(f'{_variable(each)}=%d/{plain(each)}')}" for each in names]
    return Unit(f"{unit}.d/50-encconf.conf", HEADER + "\n".join([*lines, ""]))


def check(unit: str, names: Sequence[str]) -> None:
    """Raise LimitError or UsageError for names that systemd cannot ask for, or if there are none."""
    if "*" in unit or "?" in unit:
        raise UsageError(
            f"{unit} is a pattern, not the name of a unit", hint="for all instances, use app@.service"
        )
    if not names:
        raise UsageError("no value was found for the unit")
    for credential in names:
        Rule(unit, credential, ())
        instance = 1 if unit.partition("@")[2].startswith(".") else 0  # it has at least one letter
        if len(unit) + instance + len(credential) > NAMES_LIMIT:
            raise LimitError(f"with an instance, the names {unit} and {credential} are too long for systemd")


def socket_unit(unit: str, *, socket: str | None = None) -> Unit:
    """Return the socket unit: systemd listens on the socket, and starts the service."""
    name = name_of(unit)
    where = plain(socket) if socket else SOCKET.format(name=plain(name))
    text = f"""\
{HEADER}[Unit]
Description=Credentials for {plain(unit)}

[Socket]
ListenStream={where}
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
"""
    return Unit(f"{name}.socket", text)


def service_unit(
    unit: str,
    program: Sequence[str],
    files: Sequence[str],
    rules: Sequence[Rule],
    *,
    identity: str | None = None,
    user: bool = False,
    options: Sequence[str] = (),
) -> Unit:
    """Return the service unit.  ``program`` is the command that runs encconf; ``files`` are absolute paths.

    ``identity`` is a file with the key that opens the files.  It is encrypted by systemd-creds if its name
    ends with ``.cred``.  The service gets it as the credential ``encconf-identity``.
    """
    words = [*program, "systemd", "serve", f"--idle={IDLE}", "--reload", *options]
    words += [f"--allow={rule}" for rule in rules]
    words += ["--", *files]
    program_path = _quoted(words[0].replace("%", "%%"))  # systemd expands no variables in it
    command = " \\\n    ".join([program_path, *map(word, words[1:])])
    key = ""
    if identity is not None:
        kind = "LoadCredentialEncrypted" if identity.endswith(".cred") else "LoadCredential"
        key = f"{kind}=encconf-identity:{_source(identity)}\n"
    text = f"""\
{HEADER}[Unit]
Description=Credentials for {plain(unit)}, from encrypted files
Requires={name_of(unit)}.socket

[Service]
Type=notify
{key}ExecStart={command}
ExecReload=/bin/sh -c "kill -HUP ${{MAINPID}}"
{_HARDENED}{"" if user else _HARDENED_SYSTEM}"""
    return Unit(f"{name_of(unit)}.service", text)


def restart_units(unit: str, files: Sequence[str], *, user: bool = False) -> list[Unit]:
    """Return the units that restart a unit when one of these files changes: a path unit and its service.

    For a template, they restart all instances that run.  The unit then asks for its credentials again, and
    the service has read the new file (``serve --reload``).
    """
    name = name_of(unit, "restart")
    paths = "".join(f"PathChanged={plain(file)}\n" for file in files)
    path = f"""\
{HEADER}[Unit]
Description=Changes of the encrypted files for {plain(unit)}

[Path]
{paths}
[Install]
WantedBy={"default" if user else "multi-user"}.target
"""
    manager = ["--user"] if user else []
    command = " ".join(map(word, ["systemctl", *manager, "try-restart", "--", unit.replace("@.", "@*.")]))
    service = f"""\
{HEADER}[Unit]
Description=Restart of {plain(unit)} with new values

[Service]
Type=oneshot
ExecStart={command}
"""
    return [Unit(f"{name}.path", path), Unit(f"{name}.service", service)]


def _variable(credential: str) -> str:
    """Return the variable for a credential: ``DB_PASSWORD_FILE`` for ``db.password``."""
    name = re.sub(r"[^A-Z0-9_]", "_", credential.upper())
    return f"_{name}_FILE" if name[0].isdigit() else f"{name}_FILE"


def plain(text: str) -> str:
    """Return the value of a setting that knows no quotes: only specifiers are escaped.

    Raises UsageError for control characters, and for blanks at its ends.
    """
    if not text.isprintable() or text != text.strip() or text.endswith("\\"):
        raise UsageError(f"{text!r} is not allowed in a unit file")
    return text.replace("%", "%%")


def load_encrypted(name: str, path: str) -> str:
    """Return the line that loads a file of systemd-creds.  Raises UsageError for a path with blanks."""
    return f"LoadCredentialEncrypted={plain(name)}:{_source(path)}\n"


def _source(path: str) -> str:
    """Return a path to load a credential from.  With a blank in it, systemd 257 could not start the unit."""
    if " " in path:
        raise UsageError(f"{path!r} contains blanks, so systemd cannot load a credential from it")
    return plain(path)


def word(text: str) -> str:
    """Return a word of a command line: in quotes if needed, with specifiers and variables escaped.

    Raises UsageError for a NUL.
    """
    if "\0" in text:
        raise UsageError("a NUL is not allowed in a unit file")
    return _quoted(text.replace("%", "%%").replace("$", "$$"))


def _quoted(text: str) -> str:
    """Return a text as one word: in double quotes if needed.  Bytes that are not UTF-8 are kept."""
    if text and all(sign.isalnum() or sign in "_-./:=@%$,+*?[]" for sign in text):
        return text
    signs = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    quoted = "".join(signs.get(sign) or (sign if sign.isprintable() else _bytes(sign)) for sign in text)
    return f'"{quoted}"'


def _bytes(sign: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in sign.encode("utf-8", "surrogateescape"))


# --- credentials that systemd-creds encrypts ------------------------------------------------------
# The program encrypts with the key of this host, of its TPM, or both.  Only this machine's systemd can open
# the result, and only under the same name.  Values are passed through stdin and stdout.


class CredsError(EncconfError):
    """systemd-creds is missing, or could not encrypt."""

    slug = "systemd-creds"


def encrypt(name: str, value: bytes, environ: Mapping[str, str], *, key: str = "auto") -> str:
    """Return an encrypted credential, as base64 lines.

    It is decrypted again, since some keys can only encrypt.  Raises CredsError, LimitError or OutputError.
    """
    if len(value) + len(name) > SIZE_LIMIT:
        raise LimitError(f"{name} has {len(value)} bytes, and systemd takes 1 MiB in all")
    sealed = _run(["encrypt", f"--with-key={key}", f"--name={name}", "-", "-"], value, environ)
    if _run(["decrypt", f"--name={name}", "-", "-"], sealed, environ) != value:
        raise OutputError(f"the output of systemd-creds for {name} cannot be opened")
    return sealed.decode("ascii")


def setting(name: str, sealed: str) -> str:
    """Return the lines of a unit file that contain a credential."""
    return (
        f"SetCredentialEncrypted={name}: \\\n"
        + " \\\n".join(f"        {line}" for line in sealed.split())
        + "\n"
    )


def _run(words: list[str], data: bytes, environ: Mapping[str, str]) -> bytes:
    from subprocess import TimeoutExpired

    try:
        done = programs.run(["systemd-creds", *words], environ, without=KEY_VARIABLES, data=data, timeout=60)
    except FileNotFoundError:
        message, hint = programs.missing("systemd-creds", environ)
        raise CredsError(message, hint=f"it comes with systemd 250 or newer; {hint}") from None
    except TimeoutExpired:
        raise CredsError("systemd-creds did not finish in time") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise CredsError(f"systemd-creds {words[0]}: {said[-1] if said else 'failed'}")
    return done.stdout
