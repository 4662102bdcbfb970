"""Many files at once, and the cache that a caller owns."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import credentials, rule
from oracle import AgeKey

import encconf
from encconf import api
from encconf.errors import KeyAccessError, MissingFileError


def _files(folder: Path, key: AgeKey, count: int) -> list[Path]:
    paths = []
    for number in range(count):
        path = folder / f"f{number}.yaml"
        path.write_text(api.encrypt(f"n: {number}\n", rule(key), credentials=credentials(key)))
        paths.append(path)
    return paths


def test_in_order(tmp_path: Path, age_key: AgeKey) -> None:
    paths = _files(tmp_path, age_key, 40)
    assert encconf.load_configs(paths, credentials=credentials(age_key)) == [{"n": n} for n in range(40)]
    assert encconf.load_configs([], credentials=credentials(age_key)) == []


def test_the_first_error_is_raised_with_its_file(tmp_path: Path, age_key: AgeKey) -> None:
    paths = _files(tmp_path, age_key, 3)
    other = _files(tmp_path, age_key, 1)[0].rename(tmp_path / "other.yaml")
    other.write_text(api.encrypt("a: 1\n", rule(AgeKey.generate()), credentials=credentials(age_key)))
    with pytest.raises(KeyAccessError, match=r"other\.yaml"):
        encconf.load_configs([*paths[1:], other, tmp_path / "missing.yaml"], credentials=credentials(age_key))
    with pytest.raises(MissingFileError, match=r"missing\.yaml"):
        encconf.load_configs([tmp_path / "missing.yaml", other], credentials=credentials(age_key))


def test_a_cache_opens_without_the_key(tmp_path: Path, age_key: AgeKey) -> None:
    path = _files(tmp_path, age_key, 1)[0]
    cache = encconf.DataKeyCache()
    assert encconf.load_config(path, credentials=credentials(age_key), cache=cache) == {"n": 0}
    nobody = credentials()
    assert encconf.load_config(path, credentials=nobody, cache=cache) == {"n": 0}
    cache.clear()
    with pytest.raises(KeyAccessError):
        encconf.load_config(path, credentials=nobody, cache=cache)
