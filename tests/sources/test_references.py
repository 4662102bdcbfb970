"""References to secrets kept elsewhere: a double that counts, sources that are here, a real OpenBao."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oracle import AgeKey
from pace import at_most
from project import Project
from sources.store import DOUBLE, ENV, Store

import encconf
from encconf import api
from encconf.engine.opening import open_text
from encconf.errors import SourceError, UnresolvedError, is_temporary
from encconf.identities.credentials import Credentials
from encconf.sources import references
from encconf.sources.references import Resolve

if TYPE_CHECKING:
    from doubles.openbao import OpenBao


class TestAsking:
    def test_each_secret_once_and_all_at_once(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        """The barrier opens only when eight calls are there at the same time."""
        barrier = threading.Barrier(8, timeout=20)
        store.meanwhile = lambda path: barrier.wait() and None
        tree = {
            f"k{n}": [f"ref+double://json/{n // 3}#/a", f"ref+double://json/{n // 3}#/n"] for n in range(24)
        }
        loaded = api.loads(seal(tree), credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert loaded == {f"k{n}": [f"json/{n // 3}", "7"] for n in range(24)}
        assert sorted(store.calls) == [f"json/{n}" for n in range(8)]

    def test_not_too_many_at_once(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        now, peak = set(), 0
        lock = threading.Lock()

        def meanwhile(path: str) -> None:
            nonlocal peak
            with lock:
                now.add(path)
                peak = max(peak, len(now))
            time.sleep(0.002)
            with lock:
                now.discard(path)

        store.meanwhile = meanwhile
        tree = [f"ref+double://{n}" for n in range(100)]
        loaded = api.loads(seal({"a": tree}), credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert loaded == {"a": [f"<{n}>" for n in range(100)]}
        assert 2 <= peak <= 16

    def test_once_for_many_files(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store, tmp_path: Path
    ) -> None:
        paths = []
        for number in range(5):
            path = tmp_path / f"f{number}.yaml"
            path.write_text(seal({"same": "ref+double://same", "own": f"ref+double://{number}"}))
            paths.append(path)
        rules = Resolve(schemes=DOUBLE)
        loaded = encconf.load_configs(paths, credentials=credentials(), resolve=rules)
        assert loaded == [{"same": "<same>", "own": f"<{n}>"} for n in range(5)]
        assert sorted(store.calls) == ["0", "1", "2", "3", "4", "same"]
        paths[3].write_text(seal({"x": ["ref+double://no/1", "fine"]}))
        paths[4].write_text(seal({"y": "ref+double://no/2"}))
        with pytest.raises(UnresolvedError) as caught:
            encconf.load_configs(paths, credentials=credentials(), resolve=rules)
        assert caught.value.file is None
        assert f"\n  {paths[3]}: x[0]  double:no/1  denied" in caught.value.message
        assert f"\n  {paths[4]}: y  double:no/2  denied" in caught.value.message
        with pytest.raises(UnresolvedError) as caught:
            encconf.load_configs(paths[:4], credentials=credentials(), resolve=rules)
        assert caught.value.file == str(paths[3])

    def test_load_config_names_the_file(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store, tmp_path: Path
    ) -> None:
        path = tmp_path / "app.enc.yaml"
        path.write_text(seal({"a": "ref+double://no/x"}))
        with pytest.raises(UnresolvedError) as caught:
            encconf.load_config(path, credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert str(caught.value) == (
            f"{path}: its only reference could not be resolved\n"
            "  a  double:no/x  denied, and s3cret is not told"
        )
        assert caught.value.hint == "ask for it"
        assert caught.value.slug == "reference"

    def test_slow_ones_keep_no_other_waiting(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        ever = threading.Event()

        def hang(path: str) -> None:
            if path.startswith("slow"):
                ever.wait(60)

        store.meanwhile = hang
        tree = {"a": "ref+double://fast", "b": "ref+double://slow/1", "c": "ref+double://slow/2#/x"}
        begun = time.monotonic()
        try:
            with pytest.raises(UnresolvedError) as caught:
                api.loads(
                    seal(tree), credentials=credentials(), resolve=Resolve(schemes=DOUBLE, call_timeout=1)
                )
            assert "\n  b  double:slow/1  no answer within 1 s\n  c  double:slow/2#x" in caught.value.message
            assert "fast" not in caught.value.message
            many = {"a": [f"ref+double://slow/{n}" for n in range(3, 40)]}
            with pytest.raises(UnresolvedError, match=r"37 of 37 .*\n.*no answer within 0\.2 s for all"):
                api.loads(seal(many), credentials=credentials(), resolve=Resolve(schemes=DOUBLE, timeout=0.2))
        finally:
            ever.set()
        assert time.monotonic() - begun < 20

    def test_another_try_is_worth_it_only_if_it_may_help_all(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        """The exit code says so: a supervisor starts the program again."""

        def meanwhile(path: str) -> None:
            raise SourceError("not now", reason="slow" if path.startswith("slow") else "denied")

        store.meanwhile = meanwhile
        for names, again in ((["slow/1", "slow/2"], True), (["slow/1", "x"], False), (["x"], False)):
            sealed = seal({"a": [f"ref+double://{name}" for name in names]})
            with pytest.raises(UnresolvedError) as caught:
                api.loads(sealed, credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
            assert is_temporary(caught.value) is again

    def test_a_bug_in_a_source_is_no_silence(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        def meanwhile(path: str) -> None:
            raise ZeroDivisionError

        store.meanwhile = meanwhile
        with pytest.raises(ZeroDivisionError):
            api.loads(
                seal({"a": "ref+double://x"}), credentials=credentials(), resolve=Resolve(schemes=DOUBLE)
            )


class TestHostile:
    def test_too_many(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        rules = Resolve(schemes=DOUBLE)
        just = seal({"a": "ref+double://x+" * references.LIMIT})
        assert api.loads(just, credentials=credentials(), resolve=rules) == {"a": "<x>" * references.LIMIT}
        store.calls.clear()
        with pytest.raises(UnresolvedError, match="the files have more than 1000 references"):
            api.loads(seal({"a": ["ref+double://x+" * 600] * 2}), credentials=credentials(), resolve=rules)
        assert store.calls == []

    def test_too_large(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], tmp_path: Path
    ) -> None:
        rules = Resolve(schemes=["file"])
        path = tmp_path / "big"
        path.write_bytes(b"x" * references.VALUE_LIMIT)
        made = credentials()
        sealed = seal({"a": f"ref+file://{path}"})
        assert len(str(api.loads(sealed, credentials=made, resolve=rules)["a"])) == references.VALUE_LIMIT
        with pytest.raises(UnresolvedError, match="are larger than 64 MiB"):
            api.loads(seal({"a": f"ref+file://{path}+" * 65}), credentials=made, resolve=rules)
        path.write_bytes(b"x" * (references.VALUE_LIMIT + 1))
        with pytest.raises(UnresolvedError, match=r"a  file:.*  the value is larger than 1024 KiB"):
            api.loads(sealed, credentials=credentials(), resolve=rules)

    def test_what_is_no_text(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], tmp_path: Path
    ) -> None:
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        sealed = seal(
            {"a": f"ref+file://{tmp_path}/bytes", "b": f"ref+file://{tmp_path}/bytes?encode=base64"}
        )
        with pytest.raises(UnresolvedError, match=r"1 of 2 .*\n  a  .*the value is not UTF-8 text"):
            api.loads(sealed, credentials=credentials(), resolve=Resolve(schemes=["file"]))

    @pytest.mark.parametrize(
        ("query", "value"),
        [
            *(("optional=true", ""), ("fallback=", ""), ("fallback=b", "b")),
            *(("encode=base64&fallback=b", "b"), ("encode=base64&fallback=%C3%A4", "ä")),
        ],
    )
    def test_what_stands_in_for_an_empty_secret(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], query: str, value: str
    ) -> None:
        sealed = seal({"a": f"ref+file:///dev/null?{query}"})
        loaded = api.loads(sealed, credentials=credentials(), resolve=Resolve(schemes=["file"]))
        assert loaded == {"a": value}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("ref+double://a/ref+double://b", "a reference inside a reference is not resolved"),
            ("ref+double://secretref+double://b#/x", "a reference inside a reference is not resolved"),
            ("ref+dubble://a", "dubble is not a source"),
            ("ref+double://a?versoin=1", "double: has no setting versoin"),
            ("x ref+s3://bucket/key#/a y", "s3 is not a source"),
            ("ref+double://no/%0A%1b[2Jx", "double:no/??[2Jx  denied"),
            ("ref+double://json/a#/%0anone", "has no field ?none"),
            ("ref+double://json/a#/deep/c", "has no field deep/c"),
        ],
    )
    def test_addresses(
        self,
        seal: Callable[..., str],
        credentials: Callable[..., Credentials],
        store: Store,
        text: str,
        said: str,
    ) -> None:
        with pytest.raises(UnresolvedError) as caught:
            api.loads(seal({"a": text}), credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert said in caught.value.message
        assert "\x1b" not in caught.value.message
        assert caught.value.message.count("\n") == 1

    def test_no_value_is_shown(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials]
    ) -> None:
        sealed = seal(
            {"a": "pa55 ref+env://A+ pa56", "b": "ref+env://B?fallback=f4llback", "c": "ref+env://C"}
        )
        with pytest.raises(UnresolvedError) as caught:
            api.loads(sealed, credentials=credentials(A="v4lue"), resolve=ENV)
        report = f"{caught.value!r} {caught.value} {caught.value.hint}"
        assert "env:C" in report
        for secret in ("pa55", "pa56", "v4lue", "f4llback"):
            assert secret not in report
        assert repr(Resolve(schemes=["vault"], hosts=["h:1"])) == (
            "Resolve(schemes=('vault',), hosts=['https://h:1'], timeout=30, call_timeout=20)"
        )

    def test_long_texts_take_no_time(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        texts = [
            "ref+" * 200_000,
            "ref+a" * 150_000,
            "ref+" + "a" * 800_000,
            'ref+double://"' + '",' * 400_000,
        ]
        with at_most(5):
            for text in texts:
                assert references.pieces(text)


# --- a real OpenBao --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBao]:
    from doubles.openbao import OpenBao

    with OpenBao() as server:
        server.root.sys.enable_secrets_engine("kv", path="old/kv", options={"version": "1"})
        kv = server.root.secrets.kv
        kv.v2.create_or_update_secret("app", {"password": "first"})
        kv.v2.create_or_update_secret("app", {"password": "hunter2", "port": 5432, "deep": {"x": ["y"]}})
        kv.v2.create_or_update_secret("other", {"token": "t0ken", "ca": "-----BEGIN CERTIFICATE-----\nx\n"})
        kv.v1.create_or_update_secret("app", {"password": "old one"}, mount_point="old/kv")
        yield server


READ = (("secret/data/*", "read"), ("old/kv/*", "read"))


@pytest.mark.services
class TestOpenBao:
    @pytest.fixture
    def made(self, bao: OpenBao, credentials: Callable[..., Credentials]) -> Callable[..., Credentials]:
        def with_token(*rules: tuple[str, str], **environ: str) -> Credentials:
            token = bao.token(*(rules or READ))
            return credentials(
                **{"VAULT_ADDR": bao.address, "VAULT_TOKEN": token, "HOME": "/nonexistent", **environ}
            )

        return with_token

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("ref+vault://secret/data/app#/password", "hunter2"),
            ("ref+vault://secret/app#/password", "hunter2"),
            ("ref+vault://secret/app/password", "hunter2"),
            ("ref+vault://secret/data/app/password", "hunter2"),
            ("ref+openbao://secret/data/app#/password", "hunter2"),
            ("secretref+vault://secret/data/app#/password+", "hunter2"),
            ("ref+vault:secret/app#password", "hunter2"),
            ("ref+vault://secret/data/app?version=1#/password", "first"),
            ("ref+vault://secret/data/app?proto=http#/password", "hunter2"),
            ("ref+vault://secret/data/app?address=ADDRESS#/password", "hunter2"),
            ("ref+vault://secret/data/app#/port", "5432"),
            ("ref+vault://secret/data/app#/deep/x/0", "y"),
            ("ref+vault://secret/data/app#/deep", '{"x":["y"]}'),
            ("ref+vault://secret/data/none?fallback=z#/x", "z"),
            ("ref+vault://old/kv/app#/password", "old one"),
            ("ref+vault://secret/data/other#/ca", "-----BEGIN CERTIFICATE-----\nx\n"),
            (
                "postgres://app:ref+vault://secret/data/app#/password+@db:ref+vault://secret/app#/port+/x",
                "postgres://app:hunter2@db:5432/x",
            ),
        ],
    )
    def test_values(
        self,
        seal: Callable[..., str],
        made: Callable[..., Credentials],
        bao: OpenBao,
        text: str,
        expected: str,
    ) -> None:
        sealed = seal({"a": {"b": [text.replace("ADDRESS", bao.address)]}})
        assert api.loads(sealed, credentials=made(), resolve=True) == {"a": {"b": [expected]}}

    def test_one_call_for_each_secret(
        self, seal: Callable[..., str], bao: OpenBao, credentials: Callable[..., Credentials], tmp_path: Path
    ) -> None:
        """The token is good for three requests: what kind of mount it is, and two secrets."""
        paths = []
        for number in range(6):
            tree = [f"ref+vault://secret/data/{name}#/{field}" for name, field in
                    (("app", "password"), ("app", "port"), ("other", "token"))]  # fmt: skip
            paths.append(tmp_path / f"{number}.yaml")
            paths[-1].write_text(seal({"a": tree * 5}))
        bao.token(*READ)
        policy = bao.root.sys.list_policies()["data"]["keys"]
        made = bao.root.auth.token.create(
            policies=[name for name in policy if name.startswith("policy-")], num_uses=3
        )
        environ = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": made["auth"]["client_token"]}
        loaded = encconf.load_configs(paths, credentials=credentials(**environ), resolve=True)
        assert loaded == [{"a": ["hunter2", "5432", "t0ken"] * 5}] * 6
        with pytest.raises(UnresolvedError):  # and now it is used up
            encconf.load_config(paths[0], credentials=credentials(**environ), resolve=True)

    def failure(self, sealed: str, made: Credentials, rules: Resolve | bool = True) -> str:
        with pytest.raises(UnresolvedError) as caught:
            api.loads(sealed, credentials=made, resolve=rules)
        report = f"{caught.value.message}\n{caught.value.hint}"
        for secret in ("hunter2", "t0ken", "root-token", made.environ.get("VAULT_TOKEN", "none")):
            assert secret not in report
        return report

    def test_wrong_missing_denied_expired(
        self, seal: Callable[..., str], made: Callable[..., Credentials]
    ) -> None:
        fine = {"fine": "ref+vault://secret/data/app#/password"}
        said = self.failure(seal({**fine, "db": {"pw": "ref+vault://secret/data/none#/x"}}), made())
        assert said.startswith("1 of 2 references could not be resolved\n  db.pw  vault:secret/data/none#x  ")
        assert "Vault has no such secret" in said
        said = self.failure(seal({**fine, "b": "ref+vault://secret/data/app#/nope"}), made())
        assert "\n  b  vault:secret/data/app#nope  the secret has no field nope" in said
        said = self.failure(seal({**fine, "c": "ref+vault://secret"}), made())
        assert "\n  c  vault:secret  " in said
        said = self.failure(seal(fine), made(("secret/data/other", "read")))
        assert said.startswith(
            "its only reference could not be resolved\n  fine  vault:secret/data/app#password"
        )
        assert "read on secret/data/app" in said
        said = self.failure(seal(fine), made(VAULT_TOKEN="s.0123456789"))
        assert "the Vault token is not valid, or has expired" in said

    def test_unreachable_and_slow(
        self, seal: Callable[..., str], made: Callable[..., Credentials], silent: str, nobody_there: str
    ) -> None:
        sealed = seal({"a": "ref+vault://secret/data/app#/password"})
        begun = time.monotonic()
        said = self.failure(sealed, made(VAULT_ADDR=f"http://{silent}"), Resolve(call_timeout=0.3))
        assert "  a  vault:secret/data/app#password  no answer within 0.3 s" in said
        assert time.monotonic() - begun < 10
        said = self.failure(sealed, made(VAULT_ADDR=f"http://{nobody_there}"))
        assert "Connection refused" in said

    def test_no_other_server_gets_the_token(
        self, seal: Callable[..., str], made: Callable[..., Credentials]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as evil:
            evil.settimeout(0.3)
            address = f"http://127.0.0.1:{evil.getsockname()[1]}"
            for spelled in (
                address,
                f"{address}/",
                f"http://x@{address[7:]}",
                address.replace("127.0.0.1", "localhost"),
            ):
                sealed = seal({"a": f"ref+vault://secret/data/app?address={spelled}#/password"})
                said = self.failure(sealed, made())
                assert "references may not name the server" in said
            with pytest.raises(TimeoutError):
                evil.accept()


# --- the command line ------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Project:
    made = Project(tmp_path, home, AgeKey.generate())
    made.rules()
    made.environ.update({"APP_PW": "p$w 'x'", "ENCCONF_REF_ALLOW": "env:APP_"})
    tree = {
        "db": {"pw": "ref+env://APP_PW", "url": "x:ref+env://APP_PW+@h"},
        "other": {"no": "ref+env://HOME"},
    }
    made.write("s.json", json.dumps(tree))
    made.run("encrypt", "-i", "s.json")
    return made


class TestCommandLine:
    SHOW = (sys.executable, "-c", "import os; print(os.environ.get('DB_PW', os.environ.get('PW')))")

    def test_exec(self, project: Project) -> None:
        assert project.run("exec", "s.json", "--", *self.SHOW).out == "ref+env://APP_PW\n"
        done = project.run("exec", "--resolve", "--section", "db", "s.json", "--", *self.SHOW)
        assert done.out == "p$w 'x'\n"

    def test_what_may_not_be_resolved_starts_no_program(self, project: Project) -> None:
        done = project.run("exec", "--resolve", "s.json", "--", "touch", "ran", code=1)
        assert done.err == (
            "encconf: error[reference]: s.json: 1 of 3 references could not be resolved\n"
            "  other.no  references to env: are not allowed here\n"
            "encconf: hint: to allow them: ENCCONF_REF_ALLOW=env, or "
            "resolve=Resolve(schemes=[…])\n"
        )
        assert not project.path("ran").exists()

    def test_export(self, project: Project) -> None:
        done = project.run("export", "--resolve", "--format", "json", "--section", "db", "s.json")
        assert json.loads(done.out) == {"PW": "p$w 'x'", "URL": "x:p$w 'x'@h"}
        assert "ref+env" in project.run("export", "--format", "json", "s.json").out
        project.run("export", "--resolve", "--format", "dotenv", "-o", "out.env", "s.json", code=1)
        assert not project.path("out.env").exists()

    def test_get(self, project: Project) -> None:
        assert project.run("get", "s.json", "db.pw").out == "ref+env://APP_PW"
        assert project.run("get", "--resolve", "s.json", "db.pw").out == "p$w 'x'"
        done = project.run("get", "--resolve", "--json", "s.json", "db")
        assert json.loads(done.out) == {"pw": "p$w 'x'", "url": "x:p$w 'x'@h"}
        assert "  other.no  " in project.run("get", "--resolve", "s.json", code=1).err
        environ = {"ENCCONF_REF_ALLOW": "env"}
        done = project.run("get", "--resolve", "s.json", environ=environ)
        assert json.loads(done.out)["other"] == {"no": str(project.home)}
        project.run("get", "--resolve", "--ignore-mac", "s.json", "db.pw", code=8)

    @pytest.mark.parametrize("name", ["l.yaml", "l.toml", "l.json"])
    def test_an_index_from_the_end(self, project: Project, name: str) -> None:
        text = 'l = ["a", "ref+env://APP_PW"]\n' if name == "l.toml" else '{"l": ["a", "ref+env://APP_PW"]}'
        project.write(name, text)
        project.run("encrypt", "-i", name)
        for path in ("l[1]", "l[-1]"):
            assert project.run("get", "--resolve", name, path).out == "p$w 'x'"
        assert project.run("get", "--resolve", name, "l[0]").out == "a"


def test_only_references_below_a_path(
    seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
) -> None:
    text = seal({"a": ["ref+double://x", "ref+double://y"], "b": "ref+double://z"})
    opened = open_text(text, format="yaml", credentials=credentials())
    place = ("", opened.document, opened.values, None)
    for under, asked in ((("a", 0), ["x"]), (("a", -1), ["x", "y"]), (("a",), ["x", "y"]), (("b",), ["z"])):
        store.calls.clear()
        references.resolve([place], Resolve(schemes=DOUBLE), credentials(), under)
        assert sorted(store.calls) == asked, under


@pytest.mark.usefixtures("store")
def test_advice_for_one_of_several_problems_is_below_it(
    seal: Callable[..., str], credentials: Callable[..., Credentials]
) -> None:
    tree = ["ref+double://no/x", "ref+env://NOWHERE", "ref+env://NOT_HERE"]
    rules = Resolve(schemes=["double", "env"])
    usual, asked = "set it where you start this program", "\n    ask for it\n"
    for count, hint, below in ((1, "ask for it", False), (2, None, True), (3, usual, True)):
        with pytest.raises(UnresolvedError) as caught:
            api.loads(seal({"a": tree[:count]}), credentials=credentials(), resolve=rules)
        assert caught.value.hint == hint
        assert (asked in caught.value.message) == below
        assert (usual in caught.value.message) == (count == 2)


@pytest.mark.usefixtures("store")
def test_how_much_all_values_may_be(
    seal: Callable[..., str], credentials: Callable[..., Credentials], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "TOTAL_LIMIT", 6)
    tree = ["ref+double://x", "ref+double://y"]
    rules = Resolve(schemes=DOUBLE)
    assert api.loads(seal({"a": tree}), credentials=credentials(), resolve=rules) == {"a": ["<x>", "<y>"]}
    with pytest.raises(UnresolvedError, match="the values of the references are larger than"):
        api.loads(seal({"a": [*tree, "ref+double://z"]}), credentials=credentials(), resolve=rules)
