"""The pages of docs/python: what each one says, how little of their programs is about encconf, and its types.

That the programs work is tested by tests/test_pages.py, which runs the pages.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pages
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "python"
PROGRAMS = sorted(
    path.name
    for path in FOLDER.glob("*.md")
    if path.name not in ("README.md", "reference.md") and not path.name.startswith("from-")
)
MAIN = {
    "FastAPI": ("fastapi.md", "app.py"),
    "Django": ("django.md", "shop/settings.py"),
    "Flask": ("flask.md", "app.py"),
    "Celery": ("celery.md", "tasks.py"),
    "a pytest suite": ("pytest.md", "test_app.py"),
    "a service that reloads": ("asyncio.md", "service.py"),
    "an editing script": ("README.md", "change.py"),
    "a notebook": ("jupyter.md", "cell.py"),
}
OTHERS = [("lambda.md", "handler.py"), ("docker.md", "app.py"), ("airflow.md", "encconf_backend.py")]
OTHERS += [("gunicorn.md", "shop_secrets.py"), ("gunicorn.md", "gunicorn.conf.py"), ("asyncio.md", "main.py")]
OTHERS += [("django.md", "shop/urls.py"), ("flask.md", "other.py"), ("pytest.md", "app.py")]
SHOWN = [*MAIN.values(), *OTHERS]


def program(page: str, name: str) -> str:
    """A file that a page shows."""
    (text,) = [
        block.partition("\n")[2]
        for _, block in pages.blocks(FOLDER / page)
        if block.startswith(f"# {name}\n")
    ]
    return text


def about_encconf(source: str) -> int:
    """The lines of a program that mention encconf, or what is imported from it; imports included."""
    tree = ast.parse(source)
    names = {"encconf"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "encconf":
            names |= {alias.asname or alias.name for alias in node.names}
    lines = {
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(each.name == "encconf" for each in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "encconf")
        or (isinstance(node, ast.Name) and (node.id in names or node.id.startswith("encconf_")))
    }
    return len(lines)


def test_the_lines_of_glue() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| \[(.+?)\]\([\w.#-]+\) \| (\d) \|$", readme, flags=re.MULTILINE))
    counted = {name: str(about_encconf(program(*where))) for name, where in MAIN.items()}
    assert table == counted
    assert set(counted.values()) <= {"0", "1", "2"}


@pytest.mark.parametrize("page", PROGRAMS)
def test_a_page_says_what_a_reader_needs(page: str) -> None:
    text = (FOLDER / page).read_text(encoding="utf-8")
    assert re.search(r"^    pip install .*encconf", text, flags=re.MULTILINE)
    assert "**What others see.**" in text
    assert "**In tests**" in text or page == "pytest.md"
    assert page in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "name"), SHOWN)
def test_a_program_is_short(page: str, name: str) -> None:
    assert len(program(page, name).splitlines()) <= 30


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every program, README.md's Python, and the typing test of the public API, each in its own folder."""
    folder = tmp_path_factory.mktemp("typed")

    def write(where: str, name: str, text: str) -> None:
        path = folder / f"page_{where}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("from app import", f"from page_{where}.app import"))

    for page, name in SHOWN:
        if name != "gunicorn.conf.py":  # settings of gunicorn, without a type
            write(page.removesuffix(".md"), name, program(page, name))
    for page in (ROOT / "README.md", *FOLDER.glob("*.md")):
        code = [block for language, block in pages.blocks(page) if language == "python"]
        if code and page.name != "from-dotenv.md":  # it shows libraries without types
            write("first" if page.parent == ROOT else page.stem, "python_blocks.py", "\n".join(code))
    write("api", "public_api.py", (ROOT / "tests" / "typing" / "public_api.py").read_text())
    return folder


def test_mypy_strict(written: Path) -> None:
    (written / "mypy.ini").write_text(
        "[mypy]\nstrict = True\n"
        # Django, Celery and Airflow have no types; a test function needs none.
        "disable_error_code = import-untyped, misc, untyped-decorator\n"
        # Airflow imports a thousand modules that its page does not use.
        "[mypy-airflow.*]\nfollow_imports = skip\n"
        "[mypy-page_pytest.test_app]\ndisallow_untyped_defs = False\n"
        # pydantic-settings: without its plugin, mypy does not know that the sources fill in the fields.
        "[mypy-page_fastapi.app]\ndisable_error_code = call-arg\n"
    )
    command = [sys.executable, "-m", "mypy", "--explicit-package-bases", "--namespace-packages", "."]
    command.append("--no-incremental")  # a cache would only be written
    done = subprocess.run(command, cwd=written, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows"])
def test_pyright(written: Path, system: str) -> None:
    """All pages; on the other systems the public API, whose types are all that could differ there."""
    pages = sorted(written.glob("page_*" if system == "Linux" else "page_api"))
    # pydantic-settings: pyright does not know that the sources fill in the fields.
    off = {"page_fastapi": {"reportCallIssue": False}, "page_jupyter": {"reportUnusedExpression": False}}
    rules = {
        "typeCheckingMode": "standard",
        "pythonVersion": "3.11",
        "pythonPlatform": system,
        "executionEnvironments": [
            {"root": folder.name, "extraPaths": [str(ROOT), "."], **off.get(folder.name, {})}
            for folder in pages
        ],
        "include": [folder.name for folder in pages],
    }
    (written / "pyrightconfig.json").write_text(json.dumps(rules))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "basedpyright", "-p", str(written)),
            *("--pythonpath", sys.executable, "--outputjson"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == sum(len(list(folder.rglob("*.py"))) for folder in pages)
    assert [f"{each['file']}: {each['message']}" for each in found["generalDiagnostics"]] == []


def test_every_public_name_is_in_the_typing_test() -> None:
    import encconf

    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(ast.parse((ROOT / "tests" / "typing" / "public_api.py").read_text()))
        if isinstance(node, (ast.Name, ast.Attribute))
    }
    assert set(encconf.__all__) - names == set()
