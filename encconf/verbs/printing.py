"""Whether commands may show plaintext to a person: not with ``ENCCONF_PRINT=never``.

That is for shells whose output others read: those of coding agents, CI steps, shared screens.  Commands that
print values print a mask instead, and those that would write plaintext to a file, or open it in an editor,
refuse.  Programs still get the values (``exec``), and so do servers.  It does not protect against somebody
who can change the environment.
"""

from __future__ import annotations

from encconf.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.engine.opening import Opened
    from encconf.verbs.front import Front

VARIABLE = "ENCCONF_PRINT"
MASK = "**********"


def may_print(environ: Mapping[str, str]) -> bool:
    """Whether plaintext may be shown.  Raises UsageError for a value that means nothing: it may be a typo."""
    word = environ.get(VARIABLE, "")
    if word not in ("", "never", "always"):
        raise UsageError(
            f"{VARIABLE} is neither never nor always",
            hint=f"{VARIABLE}=never hides values; unset it otherwise",
        )
    return word != "never"


def refuse(front: Front, what: str, hint: str | None = None) -> None:
    """Raise UsageError if no plaintext may be shown.  ``what`` continues "ENCCONF_PRINT=never: "."""
    if not may_print(front.environ):
        raise UsageError(f"{VARIABLE}=never: {what}", hint=hint)


def shown(front: Front, opened: Opened) -> Opened:
    """Return an opened file as it may be shown: with a mask for each encrypted value, or as it is."""
    if may_print(front.environ):
        return opened
    front.warn(f"values are masked, because of {VARIABLE}=never")
    from encconf.engine.plaintext import masked

    return masked(opened, MASK)
