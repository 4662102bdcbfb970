"""What all sources share: addresses, fields, one call for many, and the table of docs/sources.md."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest
from oracle import clean_environ

from encconf import sources
from encconf.errors import MasterKeyError, MissingExtraError, SourceError, SourceExtraError
from encconf.identities.credentials import Credentials
from encconf.sources import Uri
from encconf.testing.contracts.source import EVERY_REASON, failure

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
SCHEMES = sorted(sources.TABLE)

# --- addresses -------------------------------------------------------------------------------


# --- what goes with every scheme -------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "value", "expected"),
    [
        ("trim_nl=true", "a\n\n", b"a\n"),
        ("trim_nl=true", "a\r\n", b"a"),
        ("trim_nl=true", "a", b"a"),
        ("trim_nl=false", "a\n", b"a\n"),
        ("decode=base64", " YQ==\n", b"a"),
        ("decode=base64", "_w==", SourceError),
        ("decode=base64", "a", SourceError),
        ("decode=rot13", "a", SourceError),
        ("encode=base64", "a", b"YQ=="),
        ("encode=base64&decode=base64", "YQ==", b"YQ=="),
        ("encode=raw&decode=raw", "a", b"a"),
    ],
)
def test_what_can_be_done_with_a_value(query: str, value: str, expected: bytes | type[SourceError]) -> None:
    credentials = Credentials({"A": value})
    if isinstance(expected, bytes):
        assert sources.fetch(f"env:A?{query}", credentials) == expected
        return
    error = failure(f"env:A?{query}", credentials)
    assert error.reason == "wrong"


def test_what_stands_in_for_a_missing_secret() -> None:
    credentials = Credentials({"TREE": '{"a": 1}'})
    for address, value in {
        "env:X?optional=true": b"",
        "env:X?fallback=a%20b": b"a b",
        "env:X?fallback_value=c": b"c",
        "env:X?fallback=": b"",
        "env:TREE?optional=true#b": b"",
        "env:TREE?fallback=d#b": b"d",
    }.items():
        assert sources.fetch(address, credentials) == value
    assert failure("env:X?optional=false", credentials).reason == "missing"


def test_an_empty_value_is_as_good_as_none(tmp_path: Path) -> None:
    """A variable that CI has not set, a file whose command failed, a field that was never filled in."""
    (tmp_path / "empty").touch()
    (tmp_path / "line").write_text("\n")
    credentials = Credentials({"EMPTY": "", "TREE": '{"a": ""}', "PATH": "/bin:/usr/bin"})
    for address in (
        "env:EMPTY",
        "env:TREE#a",
        "env:EMPTY?decode=base64",
        "env:EMPTY?encode=base64",
        "file:/dev/null",
        f"file:{tmp_path}/empty",
        f"file:{tmp_path}/line?trim_nl=true",
        "cmd:true",
        "cmd:echo",
    ):
        error = failure(address, credentials)
        assert (error.reason, error.message) == ("missing", "the value is empty"), address
        if address.startswith("cmd:"):
            assert error.hint == "run the command by itself to see what it prints"
        else:
            assert "?optional=true" in str(error.hint)
            before, mark, field = address.partition("#")
            apart = "&" if "?" in before else "?"
            assert sources.fetch(f"{before}{apart}optional=true{mark}{field}", credentials) == b""
            assert sources.fetch(f"{before}{apart}fallback=x{mark}{field}", credentials) == b"x"
    path = tmp_path / "new"
    for address in (f"file:{path}", f"file:{path}#a", f"file:{path}?decode=base64"):
        with pytest.raises(SourceError, match="an empty value is not stored"):
            sources.store(address, b"", credentials)
    assert not path.exists()


def test_what_is_there_already_may_be_stored_again(tmp_path: Path) -> None:
    path, credentials = tmp_path / "new", Credentials({})
    for address in (f"file:{path}?decode=base64", f"file:{path}.json?decode=base64#a/b"):
        sources.store(address, b"\xff", credentials)
        sources.store(address, b"\xff", credentials)
        with pytest.raises(SourceError, match="was not changed"):
            sources.store(address, b"\xfe", credentials)
        assert sources.fetch(address, credentials) == b"\xff"


# --- fields ----------------------------------------------------------------------------------


# --- one call for many -----------------------------------------------------------------------


class Store(ModuleType):
    """A source ``double:`` that counts its calls and takes as long as its address says."""

    QUERY = ()

    def __init__(self) -> None:
        super().__init__("store_of_sources")
        self.calls = 0
        self.wait = 0.0
        self.errors: list[Exception] = []

    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        self.calls += 1
        time.sleep(self.wait)
        if self.errors:
            raise self.errors.pop(0)
        return b'{"a": "1", "b": "2"}'

    def store(self, uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
        raise sources.exists_error()

    def probe(self, credentials: Credentials) -> sources.Probe:
        time.sleep(self.wait)
        if self.errors:
            raise self.errors.pop(0)
        raise MissingExtraError("it needs a package", hint="pip install it")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    double = Store()
    monkeypatch.setitem(sys.modules, double.__name__, double)
    monkeypatch.setitem(sources.TABLE, "double", sources.Row(double.__name__, asked=True))
    return double


@pytest.mark.parametrize("reason", ["denied", "expired", "unreachable", "slow", "wrong", "unusable"])
@pytest.mark.parametrize("query", ["optional=true", "fallback=x"])
def test_nothing_stands_in_for_a_secret_that_may_be_there(store: Store, reason: str, query: str) -> None:
    store.errors = [SourceError("no", reason=reason, hint="x")]
    assert failure(f"double:x?{query}", Credentials({})).reason == reason


def test_threads_that_read_fields_of_a_secret_share_one_call(store: Store) -> None:
    store.wait = 0.1
    at_once = threading.Barrier(8, timeout=20)
    credentials = Credentials({})
    found: list[bytes] = []

    def ask(field: str) -> None:
        at_once.wait()
        found.append(sources.fetch(f"double:x#{field}", credentials))

    threads = [threading.Thread(target=ask, args=(field,)) for field in "abab" * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [b"1"] * 4 + [b"2"] * 4
    assert store.calls == 1


def test_waiting_threads_get_the_same_failure_and_later_ones_ask_again(store: Store) -> None:
    store.wait = 0.3
    at_once = threading.Barrier(3, timeout=20)
    store.errors = [SourceError("no", reason="denied", hint="ask")]
    credentials = Credentials({})
    found: list[SourceError] = []

    def ask(field: str) -> None:
        at_once.wait()
        found.append(failure(f"double:x#{field}", credentials))

    threads = [threading.Thread(target=ask, args=(field,)) for field in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(error.message, error.reason, error.hint) for error in found] == [("no", "denied", "ask")] * 3
    assert len({id(error) for error in found}) == 3
    assert sorted(str(error.file) for error in found) == ["double:x#a", "double:x#b", "double:x#c"]
    assert store.calls == 1
    assert sources.fetch("double:x#a", credentials) == b"1"
    assert sources.fetch("double:x#b", credentials) == b"2"
    assert store.calls == 2
    assert sources.fetch("double:y#b", credentials) == b"2"
    assert store.calls == 3


def test_what_is_there_and_may_not_be_read_is_not_the_same(store: Store) -> None:
    store.errors = [SourceError("no", reason="denied", hint="ask")]
    with pytest.raises(SourceError, match="exists and was not changed"):
        sources.store("double:x", b'{"a": "1", "b": "2"}', Credentials({}))
    sources.store("double:x", b'{"a": "1", "b": "2"}', Credentials({}))


def test_an_error_of_a_server_becomes_one_of_a_source(store: Store) -> None:
    plain, extra = MasterKeyError("refused"), MissingExtraError("it needs x", hint="pip install x")
    expired = MasterKeyError("old", reason="expired", hint="renew it")
    store.errors = [plain, extra, expired]
    error = failure("double:x", Credentials({}))
    assert (error.reason, error.hint) == ("wrong", sources.HINTS["wrong"])
    error = failure("double:x", Credentials({}))
    assert isinstance(error, SourceExtraError)
    assert (error.reason, error.hint) == ("unusable", "pip install x")
    error = failure("double:x", Credentials({}))
    assert (error.reason, error.hint) == ("expired", "renew it")


def test_a_fault_of_the_program_is_not_hidden(store: Store) -> None:
    store.errors = [ZeroDivisionError("a bug")]
    credentials = Credentials({})
    with pytest.raises(ZeroDivisionError):
        sources.fetch("double:x", credentials)
    assert sources.fetch("double:x#a", credentials) == b"1"  # and no thread waits for ever


def test_a_probe_takes_no_longer_than_it_may(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sources.probe("double", Credentials({}))
    assert (found.usable, found.missing, found.note) == (False, ["it needs a package"], "pip install it")
    monkeypatch.setattr(sources, "PROBE_LIMIT", 0.2)
    store.wait = 20
    begun = time.monotonic()
    found = sources.probe("double", Credentials({}))
    assert (found.usable, found.missing) == (False, ["it did not answer within 0.2 s"])
    assert time.monotonic() - begun < 20
    with pytest.raises(SourceError):
        sources.probe("magic", Credentials({}))


def test_a_library_that_fails_at_a_probe(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    """One that is slow to load may be half loaded when the next probe wants it: that gives no traceback."""
    store.errors = [AttributeError("hunter2")]
    found = sources.probe("double", Credentials({}))
    assert found.missing == ["an answer: its library failed (AttributeError)"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_probe_of_an_empty_machine(scheme: str) -> None:
    found = sources.probe(scheme, Credentials({"NO_GCE_CHECK": "true", "AWS_EC2_METADATA_DISABLED": "true"}))
    assert found.usable is (scheme in ("env", "file", "cmd"))
    assert found.usable or found.missing


@pytest.mark.parametrize(
    ("vendor", "product", "tag", "whose"),
    [
        ("Amazon EC2", "m5.large", "Amazon EC2", "aws"),
        ("Google", "Google Compute Engine", "", "gcp"),
        ("Microsoft Corporation", "Virtual Machine", "7783-7084-3265-9085-8269-3286-77", "azure"),
        ("Microsoft Corporation", "Virtual Machine", "", ""),
        ("LENOVO", "20XW", "No Asset", ""),
    ],
)
def test_whose_machine_this_is(tmp_path: Path, vendor: str, product: str, tag: str, whose: str) -> None:
    names = {"sys_vendor": vendor, "product_name": product, "chassis_asset_tag": tag}
    for name, text in names.items():
        (tmp_path / name).write_text(f"{text}\n")
    assert sources.machine(str(tmp_path)) == whose
    assert sources.machine(str(tmp_path / "nothing")) == ""


# --- packages --------------------------------------------------------------------------------

_WITHOUT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if f"{name}.".startswith(f"{sys.argv[1]}."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from encconf import sources
from encconf.identities.credentials import Credentials
from encconf.errors import SourceExtraError

uri = sources.parse(sys.argv[2])  # naming a secret needs no package
who = Credentials.from_env()
for use in (lambda: sources.fetch(uri, who), lambda: sources.store(uri, b"x", who)):
    try:
        use()
    except SourceExtraError as error:
        print(error.reason, error.hint)
sources.PROBE_LIMIT = 30  # loading takes its time where much else goes on
found = sources.probe(uri.scheme, who)
print(found.usable, found.missing[0] if "pip" in found.missing[0] else found.note)
"""


@pytest.mark.parametrize(
    ("package", "address", "extra", "environ"),
    [
        ("keyring", "keyring:a/b", "keyring", {}),
        ("requests", "vault:a/b#c", "vault", {"VAULT_ADDR": "http://127.0.0.1:9", "VAULT_TOKEN": "t"}),
        (
            *("requests", "conjur:a/b", "cyberark"),
            {
                "CONJUR_APPLIANCE_URL": "http://127.0.0.1:9",
                "CONJUR_ACCOUNT": "a",
                "CONJUR_AUTHN_LOGIN": "l",
                "CONJUR_AUTHN_API_KEY": "k",
            },
        ),
        ("botocore", "awssm:a", "aws", {"AWS_REGION": "eu-central-1"}),
        ("botocore", "awsssm:/a", "aws", {"AWS_REGION": "eu-central-1"}),
        ("google.cloud.secretmanager_v1", "gcpsm:p/a", "gcp", {"NO_GCE_CHECK": "true"}),
        ("google_crc32c", "gcpsm:p/a", "gcp", {"NO_GCE_CHECK": "true"}),
        ("azure", "azkv:v/a", "azure", {}),
        ("azure.keyvault.secrets", "azkv:v/a", "azure", {}),
    ],
)
def test_a_package_that_is_not_there(package: str, address: str, extra: str, environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, package, address],
        env=clean_environ({"PYTHONPATH": str(ROOT), **environ}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    hint = f"pip install 'encconf[{extra}]'"
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"unusable {hint}"] * 2
    assert lines[2] == f"False {hint}"


def test_an_address_loads_no_sdk() -> None:
    code = (
        "import sys\nfrom encconf import sources\nfrom encconf.identities.credentials import Credentials\n"
        "for scheme in sources.TABLE: sources.parse(f'{scheme}:a/b?optional=true')\n"
        "assert sources.fetch('env:A', Credentials({'A': '1'})) == b'1'\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env=clean_environ({"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    foreign = {
        "azure",
        "boto3",
        "botocore",
        "google",
        "grpc",
        "hvac",
        "keyring",
        "requests",
        "subprocess",
        "typing",
    }
    assert foreign & set(done.stdout.split()) == set()


# --- the page --------------------------------------------------------------------------------


def _rows(heading: str) -> dict[str, str]:
    """The rows of the table under a heading, by their first cell."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", section, re.MULTILINE)
    return dict(rows[1:])


def test_the_page_has_every_scheme() -> None:
    rows = _rows("All sources")
    assert [name.strip("`:") for name in rows] == list(sources.TABLE)
    for name, row in rows.items():
        address, who, read, write = row.split(" | ")
        assert address.startswith(f"`{name.strip('`')}")
        assert who
        assert read
        assert (write == "cannot be written") is (name.strip("`:") not in sources.writable())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_tells_what_its_module_does(scheme: str) -> None:
    module = importlib.import_module(sources.TABLE[scheme].module)
    sections = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    (section,) = [text for text in sections if re.search(rf"`{scheme}:", text.partition("\n")[0])]
    for name in module.QUERY:
        assert f"`{name}" in section, name
    docstring = str(module.__doc__)
    permissions = set(re.findall(r"\b(?:secretsmanager|ssm|kms):[A-Z]\w+|secretmanager\.\w+\.\w+", docstring))
    for permission in permissions:
        assert f"`{permission}`" in PAGE
    for variable in re.findall(
        r"\b(?:VAULT|CYBERARK|CONJUR|ENCCONF|GCP|GOOGLE|AWS)_[A-Z_]+[A-Z]\b", docstring
    ):
        assert variable in PAGE, variable


def test_the_page_has_every_reason() -> None:
    assert tuple(_rows("Errors")) == EVERY_REASON
    assert set(sources.HINTS) == set(EVERY_REASON)


def test_every_alias_leads_to_one_scheme() -> None:
    assert not set(sources.ALIASES) & set(sources.TABLE)
    assert len(sources.ALIASES) == sum(len(row.aliases) for row in sources.TABLE.values())
