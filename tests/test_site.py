"""`make docs` builds the documentation site without network or warnings, and its pages are readable.

A real browser opens the pages: none is wider than a phone, text has enough contrast in both colour schemes,
the search works, and the pages load nothing from other sites.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from audit.browser import Browser
from project import ROOT

_MAKE = ROOT / "docs" / "make"
_PAGES = (
    *("index.html", "tutorial.html", "formats.html"),
    *("reference/command-line.html", "reference/errors.html"),
)
_WIDTHS = (360, 768, 1280)
_SKIPPED = "input, .md-search, .md-header, .md-clipboard, .headerlink, [hidden], .md-toggle, .md-overlay"

_LOW_CONTRAST = """
(() => {
  const parse = text => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(") ? found.map((n, i) => i < 3 ? n * 255 : n) : found;
  };
  const light = rgb => {
    const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = (top, below) => {
    const a = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a));
  };
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const bad = [];
  for (const e of document.querySelectorAll("article *, .md-nav--primary a, .md-nav--secondary a")) {
    if (e.closest(SKIPPED) || !e.getClientRects().length) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const below = behind(e);
    const a = light(over(parse(getComputedStyle(e).color), below)), b = light(below);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const what = `${e.tagName}.${e.className} ${ratio.toFixed(2)} ${e.textContent.slice(0, 40)}`;
    if (ratio < 4.5) bad.push(what);
  }
  return [...new Set(bad)].slice(0, 10);
})()
""".replace("SKIPPED", f'"{_SKIPPED}"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does, without network."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    nowhere = "http://127.0.0.1:9"
    offline = {"NO_MKDOCS_2_WARNING": "1", "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **offline}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


class Served:
    """The site on a local server.  ``/`` makes the address of a page, as with a `Path`."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __truediv__(self, name: str) -> Served:
        return Served(f"{self.address}/{name}")

    def as_uri(self) -> str:
        return self.address


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[Served]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield Served(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as one:
        yield one


def test_every_page_of_the_repository_is_in_the_site(site: Path) -> None:
    moved = {"docs/README.md": "contents.html", "docs/decisions/template.md": ""}
    for path in ROOT.glob("docs/**/*.md"):
        name = path.relative_to(ROOT).as_posix()
        place = name.removeprefix("docs/").replace("README.md", "index.md").replace(".md", ".html")
        if place := moved.get(name, place):
            assert (site / place).is_file(), place
    for place in ("index", "project/changelog", "project/security", "project/contributing"):
        assert (site / f"{place}.html").is_file(), place
    assert not list(site.glob("**/*.py"))


def test_every_link_leads_somewhere(site: Path) -> None:
    anchors: dict[Path, set[str]] = {}
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        anchors[page] = set(re.findall(r"""\bid=["']?([^"'\s>]+)""", text)) | {"", "__skip"}
    for page in anchors:
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"""<(?:a|link|img|script)\b[^>]*?\s(?:href|src)=["']([^"']+)["']""", text):
            parts = urlsplit(link)
            if parts.scheme or page.name == "404.html":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), (page.name, link)
            if target in anchors:
                assert unquote(parts.fragment) in anchors[target], (page.name, link)


def test_code_and_links_are_as_on_github(site: Path) -> None:
    assert "auto|always|never" in (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<code>[^<]*\\\|[^<]*</code>", text), page.name
        assert not re.findall(r"<a [^>]*>[^<]*\.md</a>", text), page.name


def test_examples_name_the_repository_if_it_is_known() -> None:
    shown = runpy.run_path(str(_MAKE / "hooks.py"))["on_page_markdown"]
    page = SimpleNamespace(file=SimpleNamespace(src_uri="ci.md"))
    text = "uses: OWNER/encconf@v1\nrepo: https://github.com/OWNER/encconf\n[code](../action.yml)"
    unknown = shown(text, page, SimpleNamespace(repo_url=None))
    assert unknown == "uses: OWNER/encconf@v1\nrepo: https://github.com/OWNER/encconf\ncode"
    address = "https://github.com/acme/encconf"
    known = shown(text, page, SimpleNamespace(repo_url=address))
    assert known == f"uses: acme/encconf@v1\nrepo: {address}\n[code]({address}/blob/main/action.yml)"
    for name in ("ci.md", "check.md"):
        assert "OWNER/encconf" in (ROOT / "docs" / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("name", _PAGES)
def test_a_page_fits_every_width(served: Served, browser: Browser, name: str) -> None:
    for width in _WIDTHS:
        browser.open(served / name, width=width, phone=width < 500)
        wide = browser.run("document.documentElement.scrollWidth")
        assert wide <= width, (name, width, wide)
        own = (served.address, "data:", "blob:")
        assert [each for each in browser.requests if not each.startswith(own)] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(served: Served, browser: Browser, scheme: str) -> None:
    browser.prefer(scheme)
    try:
        for name in _PAGES:
            browser.open(served / name)
            wanted = "slate" if scheme == "dark" else "default"
            browser.wait(f"document.body.dataset.mdColorScheme === '{wanted}'")
            assert browser.run(_LOW_CONTRAST) == [], name
    finally:
        browser.prefer("light")


def test_the_search_finds_a_command(served: Served, browser: Browser) -> None:
    browser.open(served / "index.html")
    browser.click(".md-search__input")
    browser.type("updatekeys")
    browser.wait("document.querySelectorAll('.md-search-result__item').length > 0")


def test_the_reference_is_that_of_the_tables() -> None:
    """make reference"""
    code = (
        "import reference\n"
        "for name, made in reference.PAGES.items():\n"
        "    assert (reference.FOLDER / name).read_text(encoding='utf-8') == made(), name\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=_MAKE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run make reference: {done.stderr}"


def test_the_man_pages(tmp_path: Path) -> None:
    """make man"""
    code = (
        "import sys, pathlib, manual\n"
        "for name, text in manual.pages().items():\n"
        "    path = pathlib.Path(sys.argv[1], name)\n"
        "    path.parent.mkdir(exist_ok=True)\n"
        "    path.write_text(text, encoding='utf-8')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=_MAKE, check=True)
    pages = sorted(str(path) for path in tmp_path.rglob("*.[17]"))
    assert len(pages) > 40
    lint = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False
    )
    assert (lint.returncode, lint.stdout) == (0, "")
    shown = subprocess.run(
        ["mandoc", "-T", "ascii", "-O", "width=72", str(tmp_path / "man1" / "encconf-encrypt.1")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    shown = re.sub(".\b", "", shown)
    assert "encconf encrypt [OPTIONS] [FILE...]" in shown
    assert "--in-place, -i" in shown


def test_the_pictures() -> None:
    """make pictures"""
    code = "import pictures; print(pictures.terminal()); print(chr(0)); print(pictures.benchmark())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=_MAKE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    terminal, benchmark = done.stdout.split("\0")
    for picture, name in ((terminal, "terminal.svg"), (benchmark, "benchmark.svg")):
        root = ElementTree.fromstring(picture.strip())
        kept = ElementTree.parse(ROOT / "docs" / "pictures" / name).getroot()
        assert len(root) == len(kept), f"{name}: run make pictures"
    assert 'new" x=' in terminal
    assert "n3w-pa55" in terminal
