"""A repository with a history."""

from __future__ import annotations

from encconf.audit import access, history
from encconf.audit.names import Names

from .team import Team

NOW = 1_800_000_000

FILE = "secrets.enc.yaml"


def history_of(team: Team, path: str = FILE) -> history.FileHistory:
    content = (team.folder / path).read_bytes()
    ((_, found),) = history.histories(str(team.folder), [path], lambda _: content)
    return found


def report(team: Team, *paths: str) -> access.Report:
    names = Names.of_config(str(team.folder / ".sops.yaml"))
    return access.report([str(team.folder / path) for path in paths or (FILE,)], names, now=NOW)


def states(team: Team, path: str = FILE) -> dict[str, str]:
    (file,) = report(team, path).files
    return {reader.person.label: reader.state for reader in file.readers}


def times(team: Team, name: str, path: str = FILE) -> list[tuple[str | None, str | None, str | None, bool]]:
    """For each span of somebody: the commits of its start, its end and the data key's, and if it is over."""
    wanted = f"age:{team.key(name).recipient}"
    return [
        (
            span.start.commit or None,
            (span.end and span.end.commit) or None,
            span.until.commit if span.until else None,
            span.end is not None,
        )
        for span in history_of(team, path).spans.get(wanted, [])
    ]
