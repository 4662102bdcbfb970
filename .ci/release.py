"""Build the release into dist/ and check it: `make release-check`, and the workflow release.yml.

The wheel and the source archive are built twice, in two folders, and must be the same to the byte, with the
project URLs below ENCCONF_PROJECT_URL.  With a tag in TAG, the version, the changelog and that address must
be those of a release; without one, a sample address will do.

The tests on Windows (`make windows`) and on other systems are not part of it: CONTRIBUTING.md says what to
run before a release.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from email import message_from_bytes
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
URLS = {"Homepage", "Documentation", "Changelog", "Issues"}
VARIABLE = "ENCCONF_PROJECT_URL"
SAMPLE = "https://example.com/OWNER/encconf"


def build(into: Path) -> dict[str, str]:
    """Build from a copy of what git tracks; returns the SHA-256 of each file."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, tracked.decode().split("\0")):
            if (ROOT / name).is_file():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, source / name)
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(into)]
        environ = {
            **os.environ,
            "SOURCE_DATE_EPOCH": epoch(),
            VARIABLE: os.environ.get(VARIABLE) or SAMPLE,
        }
        done = subprocess.run(command, cwd=source, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(into.iterdir())}


def epoch() -> str:
    """The time of the last commit, which the files in the archives get."""
    command = ["git", "log", "-1", "--format=%ct"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def missing(tag: str) -> list[str]:
    """What a release of this tag lacks."""
    code = (ROOT / "encconf" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"', code, flags=re.M)
    version = found[1] if found else ""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    lacks = []
    if tag != f"v{version}":
        lacks.append(f"the tag is {tag}, and the version is {version}")
    if not re.search(rf"^## \[?{re.escape(version)}\]? . \d{{4}}-\d\d-\d\d$", changes, flags=re.M):
        lacks.append(f"CHANGELOG.md has no dated section: ## {version} - YYYY-MM-DD")
    if f"| encconf | {version} |" not in (ROOT / "docs" / "testkit.md").read_text(encoding="utf-8"):
        lacks.append("docs/testkit.md is about another version: make testkit ARGS=encconf")
    if not os.environ.get(VARIABLE):
        lacks.append(f"{VARIABLE} is not set: the address of the repository, for the project URLs")
    return lacks


def wrong_urls(wheel: Path, address: str) -> str:
    """What is wrong with the URLs and links of a wheel's metadata; "" for nothing."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    urls = dict(each.split(", ", 1) for each in metadata.get_all("Project-URL", []))
    if absent := URLS - set(urls):
        return f"no project URL for: {', '.join(sorted(absent))}"
    if elsewhere := [url for url in urls.values() if not f"{url}/".startswith(f"{address.rstrip('/')}/")]:
        return f"project URLs that are not below {address}: {', '.join(elsewhere)}"
    links = re.findall(r"""(?:\]\(|src="|href=")([^)"\s]+)""", str(metadata.get_payload()))
    if relative := [link for link in links if not re.match(r"[a-z]+:|#", link)]:
        return f"the description has links that PyPI cannot follow: {', '.join(relative)}"
    return ""


def main() -> None:
    """Build, compare, check."""
    tag = os.environ.get("TAG")
    lacks = missing(tag) if tag else []
    if lacks:
        raise SystemExit("\n".join(f"release: {each}" for each in lacks))
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    with tempfile.TemporaryDirectory() as again:
        first, second = build(dist), build(Path(again))
    if first != second:
        raise SystemExit(f"release: two builds differ:\n{first}\n{second}")
    address = os.environ.get(VARIABLE) or SAMPLE
    (wheel,) = dist.glob("*.whl")
    if wrong := wrong_urls(wheel, address):
        raise SystemExit(f"release: {wrong}")
    files = map(str, dist.iterdir())
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
    for name, digest in first.items():
        print(f"{digest}  {name}")
    if address == SAMPLE:
        print(f"These have the sample address {SAMPLE}. A release needs {VARIABLE}.")


if __name__ == "__main__":
    main()
