"""The page of ``encconf access --html``, in a real browser; hostile names; what is in the wheel."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from oracle import AgeKey
from project import ROOT

from encconf.audit import access
from encconf.audit.names import Names
from encconf.audit.page import page

from .browser import Browser
from .team import Team

NOW = 1_750_000_000
ARN = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555abcdef"
HOSTILE_NAMES = (
    "</script><script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "<!--<script>",
    "</script x='",
    "{{7*7}} ${7*7} `",
    "evil\u202ename\u2066",
    "'; document.title='owned'; //",
)
HOSTILE_PATHS = (
    "<img src=x onerror=document.title='owned'>.yaml",
    "a\"b'c&lt;d.yaml",
    "javascript:alert(1).yaml",
    "line\nfeed\u202e.yaml",
    "]]>-->.yaml",
    "\udcff.yaml",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """Five files: one that takes two people, one open to a service, one with somebody out."""
    team = Team(tmp_path_factory.mktemp("page") / "team", tmp_path_factory.mktemp("home"))
    team.config("alice", "bob", "carol", "dave")
    team.write("dev/leak.yaml", "a: value\n")
    team.commit()
    team.seal("dev/api.yaml", ["alice", "bob", "carol"])
    team.seal("dev/leak.yaml", ["alice"])
    team.seal("prod/api.yaml", ["alice", "bob"])
    team.seal("prod/root.yaml", ["alice"], ["bob"], ["carol"], threshold=2)
    text = team.seal("prod/web.yaml", ["dave"]).read_text()
    entry = (
        f"    kms:\n        - arn: {ARN}\n          created_at: '2025-01-01T00:00:00Z'\n          enc: AA==\n"
    )
    team.write("prod/web.yaml", text.replace("sops:\n", f"sops:\n{entry}"))
    team.commit()
    team.share("dev/api.yaml", ["alice", "bob"], rotate=True)
    team.share("prod/api.yaml", ["alice"], rotate=False)
    team.commit(days=30)
    return team


@pytest.fixture(scope="module")
def file(team: Team, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("out") / "access.html"
    done = team.project().run("access", "--html", str(file))
    assert "5 files, 4 people, 1 service" in done.err
    return file


def rows(browser: Browser) -> list[str]:
    """The paths that are shown, in their order."""
    shown = browser.run("[...document.querySelectorAll('#files tbody tr')].filter(r => !r.hidden)"
                        ".map(r => r.querySelector('button').textContent)")  # fmt: skip
    assert isinstance(shown, list)
    return shown


def heads(browser: Browser) -> list[str]:
    """The people that have a column."""
    shown = browser.run(
        "[...document.querySelectorAll('#files thead .who')].filter(h => h.offsetParent)"
        ".map(h => h.textContent)"
    )
    assert isinstance(shown, list)
    return shown


def type_into(browser: Browser, selector: str, text: str) -> None:
    browser.click(selector)
    browser.run(f"document.querySelector('{selector}').select()")
    browser.type(text)


ALL = ["dev/api.yaml", "dev/leak.yaml", "prod/api.yaml", "prod/root.yaml", "prod/web.yaml"]


class TestInTheBrowser:
    def test_it_opens_without_an_error_and_asks_for_nothing(self, browser: Browser, file: Path) -> None:
        browser.open(file)
        assert browser.run("document.documentElement.dataset.ready") == "yes"
        assert rows(browser) == ALL
        assert heads(browser) == ["alice", "bob", "carol", "dave", "AWS KMS 11111111-222…abcdef (eu-west-1)"]
        for _ in range(2):
            browser.click("#theme")
        browser.run("localStorage.clear()")
        assert browser.console == []
        assert browser.requests == [file.as_uri()]

    def test_the_matrix_says_who(self, browser: Browser, file: Path) -> None:
        browser.open(file)
        cells = browser.run(
            "Object.fromEntries([...document.querySelectorAll('#files tbody tr')].map(r => "
            "[r.querySelector('button').textContent, [...r.cells].slice(2).map(c => c.className)]))"
        )
        assert cells == {
            "dev/api.yaml": ["s reads", "s reads", "s former", "none", "none"],
            "dev/leak.yaml": ["s reads", "none", "none", "none", "none"],
            "prod/api.yaml": ["s reads", "s exposed", "none", "none", "none"],
            "prod/root.yaml": ["s part", "s part", "s part", "none", "none"],
            "prod/web.yaml": ["none", "none", "none", "s reads", "s reads"],
        }
        # Nothing is said by a colour alone.
        words = browser.run("document.querySelector('.exposed .unseen').textContent")
        assert words == "Still open"

    def test_search(self, browser: Browser, file: Path) -> None:
        browser.open(file)
        browser.press("/")
        assert browser.run("document.activeElement.id") == "find"
        browser.type("yaml PROD")
        browser.wait("document.getElementById('count').textContent.startsWith('3 of')")
        assert rows(browser) == ["prod/api.yaml", "prod/root.yaml", "prod/web.yaml"]
        type_into(browser, "#find", "b.yaml prod")
        assert rows(browser) == ["prod/web.yaml"]
        type_into(browser, "#find-people", "bob, car")
        assert heads(browser) == ["bob", "carol"]
        assert browser.run("document.getElementById('count').textContent") == "1 of 5 files, 2 of 5 readers"
        type_into(browser, "#find", "nothing like it")
        assert rows(browser) == []
        assert browser.run("document.getElementById('nothing').offsetParent !== null")

    def test_filters(self, browser: Browser, file: Path) -> None:
        browser.open(file)
        for value, wanted in (
            ("several", ["prod/root.yaml"]),
            ("services", ["prod/web.yaml"]),
            ("out", ["dev/api.yaml", "prod/api.yaml"]),
            ("attention", ["dev/leak.yaml", "prod/api.yaml"]),
            ("all", ALL),
        ):
            browser.run(
                f"(() => {{ const s = document.getElementById('filter'); s.value = '{value}';"
                " s.dispatchEvent(new Event('change')); })()"
            )
            assert rows(browser) == wanted, value

    def test_order(self, browser: Browser, file: Path) -> None:
        browser.open(file)
        browser.click("#files thead [data-sort=path] button")
        assert rows(browser) == ALL[::-1]
        browser.click("#files thead [data-sort=readers] button")
        assert rows(browser)[0] == "prod/root.yaml"
        browser.click("#files thead .who:nth-child(4) button")  # bob: who reads comes first
        assert rows(browser)[:3] == ["dev/api.yaml", "prod/root.yaml", "prod/api.yaml"]
        sorted_by = browser.run("document.querySelector('[aria-sort]').textContent")
        assert sorted_by == "bob"

    def test_the_details_of_a_file(self, browser: Browser, file: Path) -> None:
        browser.open(file)
        browser.click("#files tbody tr:nth-child(4) .name button")
        text = browser.run("document.getElementById('detail').innerText")
        assert "prod/root.yaml" in text
        assert "It takes a key of 2 of its 3 groups to open it." in text
        assert re.search(r"Group 1\s+.*alice\s+since 2025-01-03 \([0-9a-f]{7}\)\s+age1", text, flags=re.S)
        browser.press("Escape")
        browser.wait("!document.getElementById('detail').open")
        browser.click("#files tbody tr:nth-child(3) td.exposed")
        text = browser.run("document.getElementById('detail').innerText")
        assert "bob was removed on 2025-02-02, but the data key is the same" in text
        browser.click("#close")
        assert not browser.run("document.getElementById('detail').open")

    def test_the_details_of_a_person(self, browser: Browser, file: Path) -> None:
        browser.open(file)
        browser.click("#tab-people")
        browser.click("#people-table tbody tr:nth-child(2) th button")
        text = browser.run("document.getElementById('detail').innerText")
        assert [line for line in text.splitlines() if line.endswith(".yaml")] == [
            "prod/api.yaml", "dev/api.yaml", "prod/root.yaml",
        ]  # fmt: skip
        browser.press("Escape")

    def test_what_people_open_together(self, browser: Browser, file: Path) -> None:
        browser.open(file)
        browser.click("#tab-people")
        said = "document.getElementById('together').textContent"
        browser.click("#people-table tbody tr:nth-child(2) .pick")
        assert browser.run(said) == "bob can open 1 of 5 files"
        browser.click("#people-table tbody tr:nth-child(3) .pick")
        assert browser.run(said) == "bob + carol can open 2 of 5 files together"
        browser.click("#show-together")
        assert rows(browser) == ["dev/api.yaml", "prod/root.yaml"]
        assert heads(browser) == ["bob", "carol"]
        browser.click("#tab-people")
        browser.click("#clear")
        assert rows(browser) == ALL

    def test_the_keyboard_is_enough(self, browser: Browser, file: Path) -> None:
        browser.open(file)
        browser.run("document.getElementById('tab-matrix').focus()")
        browser.press("ArrowRight")
        assert browser.run("document.activeElement.id") == "tab-people"
        assert browser.run("document.getElementById('matrix').hidden")
        browser.press("ArrowLeft")
        browser.run("document.querySelector('#files tbody button').focus()")
        browser.press("Enter")
        browser.wait("document.getElementById('detail').open")
        browser.press("Escape")

    def test_dark_as_the_system_and_as_one_likes(self, browser: Browser, file: Path) -> None:
        background = "getComputedStyle(document.body).backgroundColor"
        try:
            browser.prefer("light")
            browser.open(file)
            light = browser.run(background)
            browser.click("#theme")
            dark = browser.run(background)
            assert dark != light
            browser.click("#theme")
            assert browser.run(background) == light
            browser.run("localStorage.clear()")
            browser.prefer("dark")
            browser.open(file)
            assert browser.run(background) == dark
            assert browser.run("document.getElementById('theme').textContent") == "Light"
        finally:
            browser.run("localStorage.clear()")
            browser.prefer("light")

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_its_texts_can_be_read_in_both(self, scheme: str, browser: Browser, file: Path) -> None:
        """Contrast of 4.5 at least (WCAG AA), of every text that is shown."""
        try:
            browser.prefer(scheme)
            browser.open(file)
            low = browser.run(_CONTRAST)
            browser.click("#tab-people")
            low += browser.run(_CONTRAST)
            assert low == []
        finally:
            browser.prefer("light")

    def test_on_a_phone(self, browser: Browser, file: Path) -> None:
        browser.open(file, width=360, height=740, phone=True)
        assert browser.run("document.documentElement.scrollWidth") == 360, "no scrolling to the side"
        # The table scrolls in its box, and the names of the files stay in view.
        browser.run("document.querySelector('#matrix .box').scrollLeft = 1000")
        left = browser.run("document.querySelector('#files tbody th').getBoundingClientRect().left")
        assert 0 <= left < 40
        small = browser.run(
            "[...document.querySelectorAll('#files td.s, button, select, input:not(.pick)')]"
            ".filter(e => e.offsetParent)"
            ".filter(e => e.getBoundingClientRect().height < 20).map(e => e.outerHTML)"
        )
        assert small == []
        browser.click("#tab-people")
        assert browser.run("document.documentElement.scrollWidth") == 360
        browser.click("#people-table tbody th button")
        assert browser.run("document.getElementById('detail').getBoundingClientRect().width") <= 360
        browser.press("Escape")

    def test_without_scripts_the_table_is_there(self, browser: Browser, file: Path) -> None:
        try:
            browser.scripts(False)
            browser.open(file)
            assert rows(browser) == ALL
            shown = browser.run(
                "[...document.querySelectorAll('.scripted')].filter(e => e.offsetParent).length"
            )
            assert shown == 0
            assert browser.run("document.getElementById('people-table').offsetParent !== null")
        finally:
            browser.scripts(True)

    def test_nothing_but_its_own_script_is_run(self, browser: Browser, file: Path, tmp_path: Path) -> None:
        """The policy keeps out what somebody put into the page."""
        text = file.read_text().replace(
            "<main>",
            "<main><script>document.title='owned'</script><img src='https://example.com/x.png'>"
            "<img src=x onerror=\"document.title='owned'\"><style>body{display:none}</style>",
        )
        changed = tmp_path / "changed.html"
        changed.write_text(text)
        browser.open(changed)
        assert browser.run("document.title") == "team: who can read what"
        assert browser.run("getComputedStyle(document.body).display") == "block"
        assert len([line for line in browser.console if "Content Security Policy" in line]) >= 3

    def test_many_files_and_people(self, browser: Browser, tmp_path: Path, home: Path) -> None:
        """300 files and 40 people: shown and searched at once."""
        names = [f"person-{number}" for number in range(40)]
        team = Team(tmp_path / "team", home)
        team.config(*names)
        text = team.seal("0.yaml", names).read_text()
        for number in range(1, 300):
            team.write(f"folder-{number % 7}/{number}.yaml", text)
        out = tmp_path / "big.html"
        team.project().run("access", "--html", str(out))
        browser.open(out)
        took = browser.run(
            "(() => { const t = performance.now(); const f = document.getElementById('find');"
            " f.value = 'folder-3/'; f.dispatchEvent(new Event('input')); document.body.offsetHeight;"
            " return performance.now() - t; })()"
        )
        assert took < 2000
        shown = "[...document.querySelectorAll('#files tbody tr:not([hidden])')]"
        assert (
            browser.run(f"{shown}.map((row) => row.querySelector('summary b').textContent).join()")
            == "43 files"
        )
        assert "43 of 300 files" in browser.run("document.getElementById('count').textContent")

    def test_files_with_the_same_readers_share_a_row(
        self, browser: Browser, tmp_path: Path, home: Path
    ) -> None:
        names = [f"person-{number}" for number in range(12)]
        team = Team(tmp_path / "team", home)
        team.config(*names)
        texts = [team.seal(f"x{who}.yaml", names[who:]).read_text() for who in range(3)]
        for number in range(600):
            team.write(f"app-{number % 3}/{number}.yaml", texts[number % 3])
        out = tmp_path / "big.html"
        team.project().run("access", "--html", str(out), "app-0", "app-1", "app-2")
        browser.open(out)
        assert browser.run("document.querySelectorAll('#files tbody tr').length") == 3
        assert browser.run("document.querySelectorAll('*').length") < 800
        row = "document.querySelectorAll('#files tbody tr')[1]"
        assert browser.run(f"{row}.querySelector('summary').textContent") == "app-1/200 files"
        browser.run(f"{row}.querySelector('summary').click()")
        browser.run("new Promise((done) => setTimeout(done, 100))")
        assert browser.run(f"{row}.querySelectorAll('pre button').length") == 200
        browser.run(f"{row}.querySelectorAll('pre button')[3].click()")
        assert browser.run("document.getElementById('detail').open")
        assert browser.run("document.getElementById('detail-title').textContent").startswith("app-1/")


_CONTRAST = """
(() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return found.length > 3 ? found : [...found, 1];
  };
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] === 1) return c;
    }
    return [255, 255, 255, 1];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const [text, e] = [walker.currentNode.textContent, walker.currentNode.parentElement];
    if (!text.trim() || !e.offsetParent || e.closest(".unseen, script, style, option")) continue;
    const pair = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) low.push([text, ratio]);
  }
  return low;
})()
"""


class TestHostileNames:
    def found(self, tmp_path: Path, home: Path) -> access.Report:
        team = Team(tmp_path / "team", home)
        recipients = {f"h{number}": name for number, name in enumerate(HOSTILE_NAMES)}
        lines = json.dumps({name: [team.key(key).recipient] for key, name in recipients.items()})
        team.write("people.json", lines)
        for path in HOSTILE_PATHS:
            team.seal(path, list(recipients))
        team.commit()
        team.share(HOSTILE_PATHS[0], ["h0"], rotate=False)
        team.commit()
        names = Names.for_files((), None, [str(team.folder / "people.json")])
        paths = [str(team.folder / path) for path in HOSTILE_PATHS]
        found = access.report(paths, names, now=NOW)
        assert not found.problems
        for file in found.files:
            file.path = file.path.removeprefix(f"{team.folder}/")
        return found

    def test_they_are_shown_and_do_nothing(self, browser: Browser, tmp_path: Path, home: Path) -> None:
        text = page(self.found(tmp_path, home), title="<script>document.title='owned'</script>")
        out = tmp_path / "hostile.html"
        out.write_text(text, encoding="utf-8")
        browser.open(out)
        assert browser.run("document.documentElement.dataset.ready") == "yes"
        assert browser.run("document.title") == "<script>document.title='owned'</script>: who can read what"
        for number in range(1, len(HOSTILE_PATHS) + 1):
            browser.click(f"#files tbody tr:nth-child({number}) .name button")
            browser.press("Escape")
        browser.click("#tab-people")
        for number in range(1, len(HOSTILE_NAMES) + 1):
            browser.click(f"#people-table tbody tr:nth-child({number}) .pick")
            browser.click(f"#people-table tbody tr:nth-child({number}) th button")
            browser.press("Escape")
        assert "owned" not in str(browser.run("document.title")).replace("document.title='owned'", "")
        assert browser.run("document.images.length") == 0
        assert browser.run("document.scripts.length") == 2
        assert browser.console == []
        assert browser.requests == [out.as_uri()]
        shown = rows(browser)
        assert "a\"b'c&lt;d.yaml" in shown
        assert "line\\nfeed\\u202e.yaml" in shown

    def test_no_tag_and_no_control_character_comes_from_them(self, tmp_path: Path, home: Path) -> None:
        plain = page(self.found(tmp_path, home), title="t")
        assert "\u202e" not in plain
        assert "\u2066" not in plain
        tags = _Tags()
        tags.feed(plain)
        assert tags.scripts == 2
        assert "img" not in tags.seen
        assert not {name for name in tags.attributes if name.startswith("on")}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.scripts += tag == "script"


def test_the_same_report_is_the_same_page(team: Team) -> None:
    found = access.report([str(team.folder / "dev" / "api.yaml")], Names(), now=NOW)
    assert page(found, title="x") == page(found, title="x")
    assert "https://" not in page(found, title="x").replace("https://www.w3.org", "")


def test_to_stdout(team: Team) -> None:
    done = team.project().run("access", "--html", "-", "dev/api.yaml")
    assert done.out.startswith("<!doctype html>\n")


def test_the_wheel_has_its_parts(tmp_path: Path) -> None:
    """hatchling takes every file of the package that git does not ignore."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {"packages": ["encconf"]}
    script = (
        "from importlib.resources import files; folder = files('encconf.audit')\n"
        "print(*(len(folder.joinpath(name).read_text()) for name in ('page.html', 'page.css', 'page.js')))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {script}"],
        capture_output=True,
        check=True,
    )
    assert all(int(size) > 1000 for size in done.stdout.split())
    ignored = subprocess.run(
        [
            "git",
            "check-ignore",
            "--no-index",
            *(f"encconf/audit/page.{ending}" for ending in ("html", "css", "js")),
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert ignored.returncode != 0


def test_a_key_of_somebody_unknown_is_short_in_the_heads(tmp_path: Path, home: Path) -> None:
    team = Team(tmp_path / "team", home)
    key: AgeKey = team.key("x")
    team.seal("s.yaml", ["x"])
    found = access.report([str(team.folder / "s.yaml")], Names(), now=NOW)
    label = f"{key.recipient[:8]}…{key.recipient[-4:]}"
    assert f"<span>{label}</span>" in page(found, title="x")
