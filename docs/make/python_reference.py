"""Write docs/python/reference.md from the docstrings of the public names: `make reference`.

With ``--check``, write nothing: exit 1 if the page is not what the docstrings say.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from pathlib import Path

import encconf
import encconf.testing
from encconf.integrations import pydantic

PAGE = Path(__file__).resolve().parents[1] / "python" / "reference.md"
GROUPS = {
    "Reading": ("load_config", "load_configs", "load", "loads", "loads_all"),
    "Layers": ("load_layers", "plain", "optional"),
    "As python-dotenv": ("load_dotenv", "dotenv_values", "find_dotenv"),
    "Following and changing files": ("watch", "Live", "edit"),
    "Texts": ("encrypt", "decrypt", "find_rule", "Rule", "inspect", "Inspection"),
    "Keys and values": ("Credentials", "DataKeyCache", "Resolve", "MaskedStr", "redact", "RedactFilter"),
    "Errors": ("EncconfError",),
}
MODULES = {
    "encconf.integrations.pydantic": (pydantic, ("encrypted", "EncconfSettingsSource")),
    "encconf.testing": (encconf.testing, ("TestKey", "guarded")),
}
TYPES = """\
In signatures, `Input` is a path, an open file or a resource of a package; `Readable` is an open file or such
a resource; `StrPath` is a path; `Section` is `str | tuple[str, ...]`; `Layer` is an `Input`, `plain(…)`,
`optional(…)` or a mapping; `Notify` is a function that takes a sentence; `T` is the class that you give as
`schema`.
"""


def page() -> str:
    """The whole page."""
    out = [
        "# Reference: Python\n",
        "Made from the docstrings by `make reference`. All names are in the package `encconf`, except where\n"
        "the heading names a module.\n",
        TYPES,
    ]
    groups = {group: (encconf, names) for group, names in GROUPS.items()}
    for group, (module, names) in {**groups, **MODULES}.items():
        out.append(f"## {group if module is encconf else f'`{group}`'}\n")
        for name in names:
            out += entry(name, getattr(module, name))
    return "\n".join(out)


def entry(name: str, thing: object) -> list[str]:
    """Heading, signature and docstring of a name, and of a class's public methods."""
    out = [f"### {name}\n"]
    if inspect.isfunction(thing) or (inspect.isclass(thing) and "__init__" in vars(thing)):
        out.append(f"```text\n{signature(name, thing)}\n```\n")
    out.append(markdown(inspect.getdoc(thing) or ""))
    if inspect.isclass(thing):
        for method, function in vars(thing).items():
            function = inspect.unwrap(getattr(function, "__func__", function))
            if inspect.isfunction(function) and not method.startswith("_"):
                out.append(f"```text\n{signature(f'{name}.{method}', function)}\n```\n")
                out.append(markdown(inspect.getdoc(function) or ""))
    return out


def signature(name: str, thing: object) -> str:
    """``name(parameters) -> result``, on several lines where it is long."""
    function = vars(thing)["__init__"] if inspect.isclass(thing) else thing
    found = inspect.signature(inspect.unwrap(function))  # type: ignore[arg-type]
    words, star = [], False
    for each in found.parameters.values():
        if each.name in ("self", "cls"):
            continue
        if each.kind is each.KEYWORD_ONLY and not star:
            words.append("*")
        star = star or each.kind in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        words.append(_parameter(each))
    result = "" if inspect.isclass(thing) else f" -> {_type(found.return_annotation)}"
    whole = f"{name}({', '.join(words)}){result}"
    if len(whole) <= 100:
        return whole
    return f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){result}"


def _parameter(each: inspect.Parameter) -> str:
    stars = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
    default = ""
    if each.default is not each.empty:
        # The environment and the platform are those of whoever runs this.
        here = {id(os.environ): "os.environ", id(sys.platform): "sys.platform"}
        name = f"{each.default.__module__}.{each.default.__qualname__}" if callable(each.default) else None
        default = f" = {here.get(id(each.default), name or repr(each.default))}"
    return f"{stars}{each.name}: {_type(each.annotation)}{default}"


def _type(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


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


def main(check: bool) -> int:
    """Write the page, or compare it."""
    text = page()
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        print(f"{PAGE.name} is not what the docstrings say: run make reference", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main("--check" in sys.argv[1:]))
