"""The compose files in the docs: what they name exists, in the container and on the host."""

from __future__ import annotations

from pathlib import Path

import pages
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FILES = [
    (name, block)
    for name in ("docs/containers.md", "docs/python/docker.md")
    for language, block in pages.blocks(ROOT / name)
    if language == "yaml" and block.startswith("# compose.yaml")
]


@pytest.mark.parametrize(("name", "text"), FILES)
def test_every_secret_of_a_service_is_defined(name: str, text: str) -> None:
    compose = yaml.safe_load(text)
    assert set(compose) == {"services", "secrets"}
    known = {"image", "build", "environment", "secrets"}
    for service in compose["services"].values():
        assert set(service) <= known
        assert service.keys() & {"image", "build"}
        assert set(service["secrets"]) <= set(compose["secrets"])
        for variable, path in service.get("environment", {}).items():
            assert variable.endswith("_FILE")
            assert path.removeprefix("/run/secrets/") in service["secrets"]
    for secret in compose["secrets"].values():
        assert list(secret) == ["file"]


def test_there_is_one_on_each_page() -> None:
    assert [name for name, _ in FILES] == ["docs/containers.md", "docs/python/docker.md"]


def test_the_secrets_are_those_that_export_writes() -> None:
    """The page writes them with ``export --dir`` (tests/test_pages.py runs that)."""
    page = (ROOT / "docs/containers.md").read_text(encoding="utf-8")
    compose = yaml.safe_load(FILES[0][1])
    for name, secret in compose["secrets"].items():
        assert secret["file"] == f"/dev/shm/shop/{name}"
        assert f"-r--------… {name}\n" in page
