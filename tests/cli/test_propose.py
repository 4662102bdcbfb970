"""``encconf propose`` and ``encconf accept``: values from people without a key."""

from __future__ import annotations

import json
from pathlib import Path

import forks
import pytest
from engine import rule
from oracle import AgeKey, Sops
from project import Project

import encconf
from encconf import Resolve
from encconf.errors import ProposalError
from encconf.identities.credentials import Credentials
from encconf.rules.config import find_rule
from encconf.rules.selection import DEFAULT, Selection

from .terminal import Terminal

FILE = "deploy/app.enc.yaml"
PLAIN = "# the database\ndb:\n  password: hunter22\n  port: 5432\nusers: [alice, bob]\n"


@pytest.fixture
def shop(project: Project) -> Project:
    """A repository whose rule matches only the file itself, not a proposal for it."""
    config = f"creation_rules:\n  - path_regex: ^deploy/.*\\.enc\\.\\w+$\n    age: {project.key.recipient}\n"
    project.write(".sops.yaml", config)
    found = find_rule(project.path(FILE), cwd=str(project.folder))
    project.write(FILE, encconf.encrypt(PLAIN, found))
    project.git("init", "-q")
    return project


def sealed(project: Project, text: str, selection: Selection, format: str = "json") -> str:
    return encconf.encrypt(text, rule(project.key, selection=selection), format=format)


def commit(project: Project, author: str = "Bob <bob@example.com>") -> None:
    project.git("add", "-A")
    project.git("commit", "-qm", "x", f"--author={author}")


KEYLESS = {"SOPS_AGE_KEY": ""}


def propose(project: Project, path: str, value: str, *more: str, file: str = FILE) -> str:
    """Propose a value without a key, and return the name of the proposal."""
    before = set(proposals(project))
    done = project.run("propose", *more, file, path, input=value, environ=KEYLESS)
    assert "hint: commit it: git add " in done.err
    (name,) = set(proposals(project)) - before
    return name


def proposals(project: Project) -> list[str]:
    found = project.folder.rglob("*.proposal-*.json")
    return sorted(str(path.relative_to(project.folder)) for path in found)


def proposals_of(project: Project) -> list[str]:
    """The paths that are proposed, in the order in which they are shown."""
    return [json.loads(project.read(name))["path"] for name in proposals(project)]


def plain(project: Project, file: str = FILE) -> str:
    return project.run("decrypt", file).out


class TestPropose:
    def test_a_value_needs_no_key_and_changes_nothing_before_it_is_accepted(self, shop: Project) -> None:
        before = shop.read(FILE)
        name = propose(shop, "stripe.key", "sk-live-1234\n")
        assert shop.read(FILE) == before
        assert "sk-live-1234" not in shop.read(name)
        assert plain(shop) == PLAIN
        commit(shop)
        done = shop.run("accept", "-y", FILE)
        assert "stripe.key = **********\n  proposed: by Bob <bob@example.com> since 20" in done.out
        assert "sk-live-1234" not in done.out + done.err
        assert plain(shop) == PLAIN + "stripe:\n  key: sk-live-1234\n"
        assert proposals(shop) == []

    def test_it_says_what_is_there_already(self, shop: Project) -> None:
        done = shop.run("propose", FILE, "db.port", input="5433", environ=KEYLESS)
        assert "db.port has a value already, which the proposed one would replace" in done.err
        done = shop.run("propose", FILE, "db.port", input="5434", environ=KEYLESS)
        assert "db.port is proposed already: deploy/app.enc.yaml.proposal-" in done.err
        for value in ("dora", "erik"):  # a list can get both
            done = shop.run("propose", FILE, "users[]", input=value, environ=KEYLESS)
            assert "proposed already" not in done.err
        done = shop.run("propose", FILE, "db.prot", input="1", environ=KEYLESS)
        assert "db.prot does not exist yet: did you mean db.port?" in done.err

    def test_what_could_not_be_accepted_is_refused(self, shop: Project) -> None:
        for path, value, code, said in (
            ("db", "x", 2, "db is a mapping, which no proposal replaces"),
            ("users", "x", 2, "users is a list, which no proposal replaces"),
            ("users[7]", "x", 1, "the list has 2 items"),
            ("db.port.x", "x", 1, "db.port is a single value"),
            ("", "x", 91, "a proposal is for one value"),
            ("a", "", 1, "no value was given for a"),
            ("sops.x", "x", 203, 'the name "sops" is reserved'),
        ):
            done = shop.run("propose", FILE, path, input=value, environ=KEYLESS, code=code)
            assert said in done.err
        found = find_rule(shop.path("deploy/x.enc.bin"), cwd=str(shop.folder))
        shop.write("deploy/x.enc.bin", encconf.encrypt("x", found, format="binary"))
        done = shop.run("propose", "deploy/x.enc.bin", "a", input="x", environ=KEYLESS, code=2)
        assert "the file is a single value, to which nothing can be added" in done.err
        assert proposals(shop) == []

    def test_set_without_a_key_names_the_proposal(self, shop: Project) -> None:
        done = shop.run("set", FILE, "db.port", "5433", environ=KEYLESS, code=128)
        command = done.err.partition("or propose the value, without a key: ")[2].splitlines()[0]
        shop.run(*command.split()[1:], input="5433", environ=KEYLESS)
        assert len(proposals(shop)) == 1
        done = shop.run("whoami", environ=KEYLESS)
        assert "create a key with encconf keygen" in done.err

    def test_references_of_a_proposal_are_not_resolved(self, shop: Project) -> None:
        """Anyone can propose a value, and fetching it could run a program."""
        name = propose(shop, "db.host", f"ref+cmd:touch {shop.path('ran')}")
        environ = {"ENCCONF_REF_ALLOW": "cmd"}
        for words in (
            ("exec", "--resolve", name, "--", "true"),
            ("export", "--resolve", "--format", "json", name),
            ("get", "--resolve", name, "value"),
        ):
            done = shop.run(*words, environ=environ, code=2)
            assert "is a proposal" in done.err
        rules = Resolve(schemes=["cmd"])
        for load in (encconf.load_config, lambda *given, **more: encconf.load_configs([*given], **more)):
            with pytest.raises(ProposalError):
                load(shop.path(name), resolve=rules, credentials=Credentials.from_env(shop.environ))
        with pytest.raises(ProposalError):
            encconf.loads_all(
                shop.read(name), format="json", resolve=rules, credentials=Credentials.from_env(shop.environ)
            )
        assert not shop.path("ran").exists()

    def test_a_value_without_a_secret_is_refused(self, shop: Project) -> None:
        """Nothing of it would be encrypted."""
        for value in ("null", '""', "[]", "{}", '{"a": [null, {"b": ""}]}'):
            done = shop.run("propose", "--json", FILE, "new", input=value, environ=KEYLESS, code=2)
            assert "there is nothing to encrypt in this value" in done.err
        assert proposals(shop) == []
        for value in ("false", "0", '{"a": [null, {"b": 1}]}'):
            propose(shop, "new", value, "--json")

    def test_a_new_file_has_no_value_yet(self, shop: Project) -> None:
        done = shop.run("propose", "deploy/new.enc.yaml", "a", input="sk-live-1234", environ=KEYLESS)
        assert "deploy/new.enc.yaml does not exist yet; accepting the proposal creates it" in done.err
        assert "has a value already" not in done.err

    def test_the_selection_of_an_existing_file_counts(self, shop: Project) -> None:
        """The rule would encrypt the value, the file would not; and the other way round."""
        shop.write(FILE, sealed(shop, PLAIN, Selection("encrypted_regex", "^password$"), "yaml"))
        done = shop.run("propose", FILE, "db.host", input="x", environ=KEYLESS, code=1)
        assert "db.host would be saved as plaintext, because of encrypted_regex: ^password$" in done.err
        inner = '{"password": "x", "a": [{"b": "y"}, null], "c": ""}'
        for value, path in ((inner, "new.a[0].b"), ('["x"]', "new[0]")):
            done = shop.run("propose", "--json", FILE, "new", input=value, environ=KEYLESS, code=1)
            assert f"{path} would be saved as plaintext" in done.err
        propose(shop, "new", '{"password": ["x", {"b": 1}]}', "--json")
        shop.write(FILE, sealed(shop, PLAIN, Selection("encrypted_regex", "^db$"), "yaml"))
        shop.write(".sops.yaml", shop.read(".sops.yaml") + "    encrypted_regex: ^password$\n")
        propose(shop, "db.host", "x")

    def test_a_proposal_is_for_the_rule_s_recipients_and_never_for_those_of_the_block(
        self, shop: Project
    ) -> None:
        stranger = AgeKey.generate()
        entry = f"        - recipient: {stranger.recipient}\n          enc: x\n"
        shop.write(FILE, shop.read(FILE).replace("    age:\n", f"    age:\n{entry}"))
        assert stranger.recipient in shop.read(FILE)
        assert stranger.recipient not in shop.read(propose(shop, "a", "sk-live-1234"))

    def test_two_people_who_propose_do_not_conflict_in_git(self, shop: Project) -> None:
        commit(shop)
        shop.git("checkout", "-qb", "bob")
        propose(shop, "a", "bob's")
        commit(shop)
        shop.git("checkout", "-q", "-")
        propose(shop, "b", "carol's")
        commit(shop, "Carol <carol@example.com>")
        shop.git("merge", "-q", "bob")
        done = shop.run("accept", "-y", FILE)
        assert "by Bob" in done.out
        assert "by Carol" in done.out
        assert plain(shop).endswith("\na: bob's\nb: carol's\n") or plain(shop).endswith(
            "b: carol's\na: bob's\n"
        )

    def test_under_the_name_sops_none_can_be_changed(self, shop: Project) -> None:
        """Only its value is encrypted: a new one beside it would be saved as plaintext."""
        name = propose(shop, "stripe.key", "sk-live-1234")
        before = shop.read(name)
        for args in (("set", name, '["password"]', '"secret"'), ("unset", name, '["path"]'), ("edit", name)):
            done = forks.run("sops", args, cwd=shop.folder, environ={**shop.environ, "EDITOR": "true"})
            assert done.returncode != 0
            assert b"a proposal, which cannot be changed" in done.stderr
        assert shop.read(name) == before

    def test_sops_reads_a_proposal_like_any_file(self, shop: Project, sops: Sops) -> None:
        name = propose(shop, "a.b", "sk-live-1234")
        said = {"proposal_for": FILE, "path": "a.b", "value": "sk-live-1234"}
        sops = sops.with_environ(shop.key.environ())
        assert json.loads(sops.run("decrypt", str(shop.path(name)), input="").stdout) == said

    def test_a_new_file_and_other_formats(self, shop: Project) -> None:
        propose(shop, "db.password", "sk-live-1234", file="deploy/new.enc.toml")
        propose(shop, "TOKEN", "sk-live-1234", file="deploy/new.enc.env")
        for file, text in (
            ("new.enc.toml", '[db]\npassword = "sk-live-1234"\n'),
            ("new.enc.env", "TOKEN=sk-live-1234\n"),
        ):
            shop.run("accept", "-y", f"deploy/{file}")
            assert plain(shop, f"deploy/{file}") == text

    def test_a_value_as_json(self, shop: Project) -> None:
        propose(shop, "users[]", '{"name": "carol", "pin": 1234}', "--json")
        propose(shop, "db.port", "5433", "--json")
        shop.run("accept", "-y", FILE)
        found = encconf.loads(shop.read(FILE), credentials=Credentials.from_env(shop.environ))
        assert found["users"][2] == {"name": "carol", "pin": 1234}
        assert found["db"]["port"] == 5433


class TestAccept:
    def test_it_says_what_it_removed_and_keeps_what_changed_meanwhile(self, shop: Project) -> None:
        name = propose(shop, "a", "sk-live-1234")
        terminal = Terminal(shop, "accept", FILE, environ={})
        terminal.wait_for("[y/N]")
        other = shop.read(name) + "\n"
        shop.write(name, other)
        terminal.type("y\r")
        terminal.wait_for(f"{name} changed in the meantime and stays")
        assert terminal.end() == 0
        assert shop.read(name) == other
        assert f"removed {name}\n" in shop.run("accept", "-y", FILE).err
        assert proposals(shop) == []

    def test_one_that_cannot_be_read_is_not_in_the_way_of_others(self, shop: Project) -> None:
        propose(shop, "a", "sk-live-1234")
        shop.write(f"{FILE}.proposal-01234567.json", "{}")
        done = shop.run("accept", "-y", FILE, code=2)
        assert "1 proposal of 2 cannot be accepted" in done.err
        assert plain(shop) == PLAIN + "a: sk-live-1234\n"

    def test_a_proposal_is_accepted_by_the_name_of_its_file(self, shop: Project) -> None:
        name = propose(shop, "a", "sk-live-1234")
        done = shop.run("accept", "-y", name, code=1)
        assert f"{name}: this is a proposal" in done.err
        assert f"hint: encconf accept {FILE}\n" in done.err
        assert (proposals(shop), plain(shop)) == ([name], PLAIN)

    def test_the_values_of_the_first_document_count(self, shop: Project) -> None:
        shop.write(FILE, sealed(shop, "a: 1\n---\nb: 2\n", DEFAULT, "yaml"))
        for path in ("a", "b"):
            propose(shop, path, "sk-live-1234")
        shown = json.loads(shop.run("accept", "-n", "--json", FILE).out)["proposals"]
        assert sorted((each["path"], each["state"]) for each in shown) == [("a", "replaces"), ("b", "new")]

    def test_it_stays_if_a_single_value_is_in_its_way_by_now(self, shop: Project) -> None:
        name = propose(shop, "stripe.key", "sk-live-1234")
        shop.run("set", FILE, "stripe", "x")
        done = shop.run("accept", "-y", FILE, code=1)
        assert "stripe is a single value" in done.err
        assert proposals(shop) == [name]

    def test_it_asks_for_each_and_keeps_what_is_refused(self, shop: Project) -> None:
        propose(shop, "a", "sk-live-1234")
        propose(shop, "b", "sk-live-5678")
        terminal = Terminal(shop, "accept", "--show-values", FILE, environ={})
        first = "sk-live-1234" if proposals_of(shop)[0] == "a" else "sk-live-5678"
        terminal.wait_for("[y/N]")
        terminal.type("y\r")
        terminal.wait_for("[y/N]")
        terminal.type("n\r")
        left = proposals(shop)[1]  # they are asked for in this order
        terminal.wait_for(f"rm {left}")
        assert terminal.end() == 0
        assert first in plain(shop)
        assert proposals(shop) == [left]

    def test_without_a_terminal_it_needs_yes(self, shop: Project) -> None:
        propose(shop, "a", "sk-live-1234")
        done = shop.run("accept", FILE, code=1)
        assert "use --yes" in done.err
        assert "a = **********" in done.out
        assert plain(shop) == PLAIN

    def test_as_json_and_without_changes(self, shop: Project) -> None:
        name = propose(shop, "db.port", "5433")
        done = json.loads(shop.run("accept", "-n", "--json", FILE).out)
        assert done == {
            "file": FILE,
            "proposals": [{
                "proposal": name, "path": "db.port", "state": "replaces",
                "author": None, "since": None, "commit": None, "error": None,
            }],
        }  # fmt: skip
        shown = json.loads(shop.run("accept", "-n", "--json", "--show-values", FILE).out)
        assert shown["proposals"][0]["value"] == "5433"
        assert json.loads(shop.run("accept", "--json", "deploy/other.enc.yaml").out)["proposals"] == []
        assert proposals(shop) == [name]
        shop.path(name).unlink()
        for path, value in (("db.port", "5432"), ("db.password", "hunter22")):
            propose(shop, path, value)
        shown = json.loads(shop.run("accept", "-n", "--json", FILE).out)["proposals"]
        assert [each["state"] for each in shown] == ["same", "same"]

    def test_some_of_them_by_path_or_name(self, shop: Project) -> None:
        first, second, third = (
            propose(shop, "a", "sk-live-1"),
            propose(shop, "a", "sk-live-2"),
            propose(shop, "b", "x3"),
        )
        done = shop.run("accept", "-y", FILE, code=2)
        assert f"{second} is for the same value" in done.out
        assert plain(shop) == PLAIN + "b: x3\n"
        shop.run("accept", "-y", FILE, second)
        assert plain(shop) == PLAIN + "b: x3\na: sk-live-2\n"
        assert proposals(shop) == [first]
        assert third not in proposals(shop)
        assert "nothing is proposed for nope" in shop.run("accept", "-y", FILE, "nope", code=1).err
        propose(shop, "d.e", "x5")
        shop.run("accept", "-y", FILE, '["d"]["e"]')
        assert plain(shop) == PLAIN + "b: x3\na: sk-live-2\nd:\n  e: x5\n"
        assert proposals(shop) == [first]

    def test_what_a_stranger_can_do_to_a_proposal(self, shop: Project) -> None:
        """Turn it to another path or file, read along, or write a value that everybody can read."""
        name = propose(shop, "db.test_password", "sk-live-1234")
        text, stranger = shop.read(name), AgeKey.generate()
        tree = json.loads(text)
        entry = {"recipient": stranger.recipient, "enc": "x"}
        open_block = {**tree["sops"], "encrypted_regex": "^nothing$"}
        for said, changed in (
            ("MAC mismatch", text.replace("db.test_password", "db.password")),
            ("for another file: deploy/b.enc.yaml", text.replace(FILE, "deploy/b.enc.yaml")),
            (
                "who know the value: age " + stranger.recipient,
                {**tree, "sops": {**tree["sops"], "age": [*tree["sops"]["age"], entry]}},
            ),
            ("its sops block is not that of a proposal", {**tree, "value": "sk-test", "sops": open_block}),
            ("not the content of one", {**tree, "more": "x"}),
        ):
            shop.write(name, changed if isinstance(changed, str) else json.dumps(changed, indent=2))
            assert said in shop.run("accept", "-n", FILE).out
        shop.run("accept", "-y", FILE, code=2)
        assert plain(shop) == PLAIN
        shop.path(name).unlink()
        shop.path(name).symlink_to(shop.home / "elsewhere")
        assert "it is a symbolic link" in shop.run("accept", "-y", FILE, code=3).err

    def test_a_value_of_another_file_is_not_accepted(self, shop: Project, sops: Sops) -> None:
        """Somebody copies it: it would be encrypted for all who can open the file, perhaps also for them."""
        secret = {"value": "of the production server"}
        narrow = Selection("encrypted_regex", "^value$", True)
        only = sealed(shop, json.dumps({"region": "eu", **secret}), narrow)
        # Without the strict check, nothing says where the name of the file ends: its MAC fits.
        prod = shop.home / "prod.json"
        prod.write_text(json.dumps({"host": f"{FILE}db", "kind": ".password", **secret}))
        options = ("--encrypted-regex", "^value$", "--age", shop.key.recipient)
        whole = sops.run("encrypt", *options, str(prod), cwd=shop.home).stdout.decode()
        for text, file, path, said in (
            (only, FILE, "db.password", "its sops block is not that of a proposal"),
            (whole, FILE, "db.password", "another program than encconf wrote it"),
        ):
            tree = json.loads(text)
            made = {"proposal_for": file, "path": path, "value": tree["value"], "sops": tree["sops"]}
            name = f"{file}.proposal-01234567.json"
            shop.write(name, json.dumps(made))
            done = shop.run("accept", "-y", file, code=2)
            assert said in done.err
            assert plain(shop) == PLAIN
            shop.path(name).unlink()

    def test_of_two_values_in_one_place_neither_is_accepted(self, shop: Project) -> None:
        """Each is shown, but the second one would replace the first."""
        for path, value in (
            ("token", "sk-live-1"), ("token.a", "sk-live-2"),
            ("users[0]", "sk-live-3"), ("users[-2]", "sk-live-4"),
            ("users[]", "carol22"), ("users[]", "dave333"),
        ):  # fmt: skip
            propose(shop, path, value)
        done = shop.run("accept", "-y", FILE, code=2)
        assert done.out.count("is for the same value, or a part of it") == 4
        assert len(proposals(shop)) == 4
        assert plain(shop).startswith(PLAIN[:-2])
        assert "carol22" in plain(shop)
        assert "dave333" in plain(shop)

    def test_a_value_is_not_saved_as_plaintext(self, shop: Project) -> None:
        name = propose(shop, "db.token", "sk-live-1234")
        of_new = propose(shop, "db.token", "sk-live-1234", file="deploy/new.enc.yaml")
        before = sealed(shop, PLAIN, Selection("encrypted_regex", "^password$"), "yaml")
        shop.write(".sops.yaml", shop.read(".sops.yaml") + "    encrypted_regex: ^password$\n")
        shop.write(FILE, before)
        done = shop.run("accept", "-y", FILE, code=1)
        said = "db.token would be saved as plaintext, because of encrypted_regex: ^password$"
        assert said in done.err
        done = shop.run("propose", FILE, "db.token", input="sk-live-5678", environ=KEYLESS, code=1)
        assert said in done.err
        assert said in shop.run("accept", "-y", "deploy/new.enc.yaml", code=1).err
        assert (shop.read(FILE), proposals(shop)) == (before, [name, of_new])
        assert not shop.path("deploy/new.enc.yaml").exists()

    def test_a_proposal_of_another_folder_is_not_accepted(self, shop: Project) -> None:
        """Somebody copies the proposal for the test server's file to the production server's."""
        shop.write("deploy/prod/app.enc.yaml", shop.read(FILE))
        name = propose(shop, "db.password", "sk-live-1234")
        there = shop.path("deploy/prod") / Path(name).name
        there.write_text(shop.read(name))
        done = shop.run("accept", "-y", "deploy/prod/app.enc.yaml", code=2)
        assert "it was made for another file: deploy/app.enc.yaml" in done.err

    def test_it_stays_if_the_value_would_replace_a_mapping_by_now(self, shop: Project) -> None:
        name = propose(shop, "stripe", "sk-live-1234")
        shop.run("set", FILE, "stripe.key", "x")
        done = shop.run("accept", "-y", FILE, code=2)
        assert "stripe is a mapping, which no proposal replaces" in done.err
        assert proposals(shop) == [name]


class TestNothingElseUsesIt:
    def test_programs_do_not_load_it(self, shop: Project) -> None:
        name = propose(shop, "a", "sk-live-1234")
        shop.write(".sops.yaml", shop.read(".sops.yaml") + "destination_rules:\n  - s3_bucket: b\n")
        for words in (
            ["exec", name, "--", "env"],
            ["export", "--format", "json", name],
            ["exec-env", name, "env"],
            ["publish", "-n", name],
        ):
            done = shop.run(*words, code=2)
            assert "the file is a proposal" in done.err
            assert "sk-live-1234" not in done.out
        with pytest.raises(ProposalError, match="is a proposal"):
            encconf.load_config(shop.path(name), credentials=Credentials.from_env(shop.environ))
        assert shop.run("get", name, "value").out == "sk-live-1234"

    def test_git_gets_no_drivers_for_it(self, shop: Project) -> None:
        propose(shop, "a", "sk-live-1234")
        shop.run("git", "install")
        assert "proposal" not in shop.read(".gitattributes")

    def test_updatekeys_and_rotate_follow_the_rule_of_the_file(self, shop: Project) -> None:
        name = propose(shop, "a", "sk-live-1234")
        other = AgeKey.generate()
        rules = shop.read(".sops.yaml")
        shop.write(".sops.yaml", rules.replace("    age: ", f"    age: {other.recipient},"))
        assert "keys-differ" in shop.run("check", ".", code=1).out
        shop.run("updatekeys", "-y", "-r", ".")
        shop.run("rotate", "-r", ".")
        assert other.recipient in shop.read(name)
        shop.run("accept", "-y", FILE)
        assert plain(shop) == PLAIN + "a: sk-live-1234\n"


class TestCheck:
    def test_it_lists_proposals(self, shop: Project) -> None:
        name = propose(shop, "a", "sk-live-1234")
        commit(shop)
        done = shop.run("check")
        assert f"{name}" in done.out
        assert "a is proposed for deploy/app.enc.yaml, by Bob <bob@example.com> since 20" in done.out
        assert "encconf accept deploy/app.enc.yaml" in done.out
        shop.run("check", "--strict", "--verify")

    def test_wrong_recipients_are_an_error(self, shop: Project) -> None:
        name = propose(shop, "a", "sk-live-1234")
        stranger = AgeKey.generate()
        tree = json.loads(shop.read(name))
        tree["sops"]["age"].append({**tree["sops"]["age"][0], "recipient": stranger.recipient})
        shop.write(name, json.dumps(tree, indent=2))
        done = shop.run("check", ".", code=1)
        assert "[keys-differ]" in done.out
        assert "The others know the value" in done.out

    def test_what_cannot_be_accepted_is_an_error(self, shop: Project) -> None:
        name = propose(shop, "a", "sk-live-1234")
        text = shop.read(name)
        for said, changed in (
            ("is not encrypted", '{"password": "x"}'),
            ("it was made for another file", text.replace("app.enc", "b.enc")),
            ("not the content of one", text.replace('"path"', '"paths"')),
        ):
            shop.write(name, changed)
            done = shop.run("check", ".", code=1)
            assert "[bad-proposal]" in done.out
            assert said in done.out

    def test_a_proposal_under_another_name(self, shop: Project) -> None:
        name = propose(shop, "a", "sk-live-1234")
        shop.path(name).rename(shop.path("deploy/extra.enc.json"))
        assert "under another name" in shop.run("check", ".", code=1).out


def test_a_proposal_is_shown_as_one_and_is_not_edited(shop: Project) -> None:
    """Only its value is encrypted, so any other member would be plaintext."""
    name = propose(shop, "db.port", "7")
    assert f"proposed: db.port for {FILE}: " in shop.run("access").out
    report = json.loads(shop.run("access", "--json").out)
    assert [file["proposes"] for file in report["files"]] == [None, f"db.port for {FILE}"]
    before = shop.read(name)
    for words in (("set", name, "token", "secret"), ("unset", name, "value"), ("edit", name)):
        assert "the file is a proposal, which cannot be changed" in shop.run(*words, code=2).err
    assert shop.read(name) == before
    done = shop.run("accept", "-y", FILE)
    assert f"wrote {FILE}: changed db.port\n" in done.err
