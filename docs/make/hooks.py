"""What mkdocs.yml cannot say about the site: pages from outside docs/, their links, and the navigation.

MkDocs loads this file as a hook.  The pages are written for readers of the repository, so a link is a path
in the repository; here each becomes a link of the site.  A link to a file that the site does not have becomes
plain text, unless `repo_url` is set.  With it, examples also name that repository instead of OWNER/encconf.
A diagram, which GitHub draws, becomes a table.  A link whose text is a path shows the title of its page.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
MOVED = {
    "README.md": "index.md",
    "docs/README.md": "contents.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "fixtures/README.md": "project/fixtures.md",
}
"""Pages that have another place in the site: path in the repository, path in the site."""
EXCLUDED = {"decisions/template.md"}

OWNER = "https://github.com/OWNER/encconf"
"""The address that the pages show, since the repository can be anywhere."""

_PLACES = {place: name for name, place in MOVED.items()}
_LINK = re.compile(r"(!?)\[((?:[^][]|\[[^]]*\])*)\]\(([^)\s]+)\)")
_SOURCE = re.compile(r"""\b(src|srcset|href)=(["'])([^"']+)\2""")
_MERMAID = re.compile(r"^```mermaid\nflowchart TD\n(.*?)^```$", flags=re.M | re.S)
_CODE = re.compile(r"`[^`\n]+`")
_FENCE = re.compile(r"^ *(`{3,}|~{3,}).*?^ *\1 *$", flags=re.M | re.S)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace each name with a * in the navigation by the pages that it stands for."""
    docs = Path(config.docs_dir)
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    rest = sorted(pages - set(_names(config.nav)) - EXCLUDED - {"README.md"})
    config.nav = _expanded(config.nav, rest)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/, and move those that have another place."""
    for name, place in MOVED.items():
        moved = files.get_file_from_path(name.removeprefix("docs/")) if name.startswith("docs/") else None
        if moved is not None:
            files.remove(moved)
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, **_: Any) -> str:
    """Make the links of a page those of the site, and its examples those of the repository."""
    if config.repo_url:
        address = config.repo_url.rstrip("/")
        path = urlsplit(address).path.strip("/")
        markdown = markdown.replace(OWNER, address).replace("uses: OWNER/encconf@", f"uses: {path}@")
    markdown = _MERMAID.sub(lambda found: _table_of_arrows(found[1]), markdown)
    place: str = page.file.src_uri
    name = _PLACES.get(place, f"docs/{place}")
    out, at = [], 0
    for fence in _FENCE.finditer(markdown):
        out += [_linked(markdown[at : fence.start()], name, place, config), fence[0]]
        at = fence.end()
    return "".join([*out, _linked(markdown[at:], name, place, config)])


def place_of(name: str) -> str:
    """Where the site has a file of the repository; "" for nowhere."""
    if name in MOVED:
        return MOVED[name]
    if not name.startswith("docs/"):
        return ""
    inside = name.removeprefix("docs/")
    return "" if inside in EXCLUDED else inside


def _linked(text: str, name: str, place: str, config: MkDocsConfig) -> str:
    def target(link: str) -> str | None:
        path, hash, anchor = link.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return link
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        if (ROOT / wanted).is_dir():
            wanted = f"{wanted}/README.md"
        there = place_of(wanted)
        if not there:
            return f"{config.repo_url.rstrip('/')}/blob/main/{wanted}" if config.repo_url else None
        return posixpath.relpath(there, posixpath.dirname(place) or ".") + hash + anchor

    def link(match: re.Match[str]) -> str:
        there, shown = target(match[3]), match[2]
        page = (ROOT / name).parent / match[3].partition("#")[0]
        if shown.endswith(".md") and page.is_file():
            shown = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        return shown if there is None else f"{match[1]}[{shown}]({there})"

    def source(match: re.Match[str]) -> str:
        return f"{match[1]}={match[2]}{target(match[3]) or match[3]}{match[2]}"

    # Python-Markdown splits no cell at a | in code, and would show the backslash that GitHub needs there.
    text = _CODE.sub(lambda code: code[0].replace("\\|", "|"), text)
    return _SOURCE.sub(source, _LINK.sub(link, text))


def _table_of_arrows(lines: str) -> str:
    """The arrows of a diagram as a table: drawing them would need a program from elsewhere."""
    rows = [re.sub(r"\s*&\s*", ", ", line.strip()).split(" --> ") for line in lines.splitlines()]
    return "| from | to |\n|---|---|\n" + "\n".join(f"| {start} | {ends} |" for start, ends in rows)


def _names(nav: Any) -> list[str]:
    if isinstance(nav, dict):
        return [name for each in nav.values() for name in _names(each)]
    if isinstance(nav, list):
        return [name for each in nav for name in _names(each)]
    return [nav]


def _expanded(nav: Any, rest: list[str]) -> Any:
    if isinstance(nav, dict):
        return {title: _expanded(each, rest) for title, each in nav.items()}
    if not isinstance(nav, list):
        return nav
    out: list[Any] = []
    for each in nav:
        if isinstance(each, str) and each.endswith("*"):
            out += [name for name in rest if posixpath.dirname(name) == posixpath.dirname(each)]
        else:
            out.append(_expanded(each, rest))
    return out
