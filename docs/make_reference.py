"""Write docs/python/reference.md from the docstrings of the public names: `make reference`."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import encconf

PAGE = Path(__file__).resolve().parent / "python" / "reference.md"
GROUPS = {
    "Reading": ("load_config", "load_configs", "load", "loads", "loads_all"),
    "Layers": ("load_layers", "plain", "optional"),
    "Following and changing files": ("watch", "Live", "edit"),
    "Texts": ("encrypt", "decrypt", "find_rule", "Rule", "inspect", "Inspection"),
    "Keys and values": ("Credentials", "DataKeyCache", "Resolve", "MaskedStr"),
    "Errors": ("EncconfError",),
}


def page() -> str:
    """The whole page."""
    out = [
        "# Reference: Python\n",
        "All of this is in the package `encconf`. `make reference` makes this page from the docstrings.\n",
    ]
    for group, names in GROUPS.items():
        out.append(f"## {group}\n")
        for name in names:
            out += entry(name, getattr(encconf, name))
    return "\n".join(out)


def entry(name: str, thing: object) -> list[str]:
    """Heading, signature and docstring of a name, and of a class's public methods."""
    out = [f"### {name}\n"]
    if inspect.isfunction(thing):
        out.append(f"```text\n{signature(name, thing)}\n```\n")
    out.append(markdown(inspect.getdoc(thing) or ""))
    if inspect.isclass(thing):
        for method, function in vars(thing).items():
            function = inspect.unwrap(getattr(function, "__func__", function))
            if inspect.isfunction(function) and not method.startswith("_"):
                out.append(f"`{signature(f'{name}.{method}', function)}`\n")
                out.append(markdown(inspect.getdoc(function) or ""))
    return out


def signature(name: str, function: object) -> str:
    """``name(parameters) -> result``, on several lines where it is long."""
    found = inspect.signature(inspect.unwrap(function))  # type: ignore[arg-type]
    parameters = [each for each in found.parameters.values() if each.name not in ("self", "cls")]
    text = str(found.replace(parameters=parameters)).replace("'", "")
    whole = f"{name}{text}"
    if len(whole) <= 100:
        return whole
    words, star = [], False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        words.append(str(each).replace("'", ""))
    result = str(found.return_annotation).replace("'", "")
    return f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f") -> {result}"


def markdown(doc: str) -> str:
    """A docstring's own marks as Markdown; examples as blocks that are only shown."""
    out: list[str] = []
    for paragraph in doc.split("\n\n"):
        if paragraph.startswith(">>>"):
            lines = [re.sub(r"  # doctest: \+SKIP$", "", line) for line in paragraph.splitlines()]
            out.append("```text\n" + "\n".join(lines) + "\n```\n")
        else:
            text = re.sub(r"``(.+?)``", r"`\1`", paragraph)
            out.append(re.sub(r"`encconf\.[\w.]+\.(\w+)`", r"`\1`", text) + "\n")
    return "\n".join(out)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
