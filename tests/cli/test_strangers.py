"""A stranger can change every file, but has no key: what commands do with what they wrote."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import forks
import pytest
from oracle import AgeKey, Sops
from project import Project

from encconf import api, formats, keys
from encconf.engine.metadata import Metadata, metadata_of
from encconf.engine.opening import open_text
from encconf.envelope import WrappedKey
from encconf.errors import EncconfError
from encconf.git.copies import Copies
from encconf.identities.credentials import Credentials
from encconf.rules.config import Rule
from encconf.text.document import splice

FILE = "s.enc.yaml"
SECRET = "password: kW8vQz2LrTx9\nport: 5432\n"


@pytest.fixture
def stranger() -> AgeKey:
    return AgeKey.generate()


def listing(text: str, *entries: WrappedKey, version: str = "3.13.3") -> str:
    """The file as somebody without a key writes it: with these entries in each of its groups."""
    yaml = formats.get("yaml")
    document = yaml.scan(text)
    metadata = Metadata.of(document)
    groups = [[*group, *entries] for group in metadata.groups]
    block = metadata.replace(groups=groups, version=version).to_block()
    return splice(text, yaml.attach(document, yaml.render_block(block)))


def entry(key: AgeKey, enc: str = "garbage", **members: object) -> WrappedKey:
    return WrappedKey(keys.master_key("age", key.recipient), enc, None, members)


def mixed(key: AgeKey) -> WrappedKey:
    """An entry whose data key, it claims, a sops before 3.3.0 wrapped in another way."""
    return entry(key, context={"a": "b", "c": "d"})


def opens(project: Project, key: AgeKey, file: str = FILE) -> bool:
    try:
        api.decrypt(project.read(file), credentials=Credentials(key.environ()))
    except EncconfError:
        return False
    return True


def refused(project: Project, stranger: AgeKey, *command: str, **options: object) -> None:
    """The command stops, names the stranger in full, and has no hint with their key."""
    before = project.read(FILE)
    done = project.run(*command, code=1, **options)  # type: ignore[arg-type]
    assert "error[stranger]" in done.err
    error, _, hint = done.err.partition("hint: ")
    assert stranger.recipient in error
    assert hint
    assert stranger.recipient not in hint
    assert "--add-age" not in done.err
    assert project.read(FILE) == before
    assert not opens(project, stranger)


@pytest.fixture
def groups(project: Project) -> Project:
    """A file with two key groups, both of them ours."""
    other = AgeKey.generate()
    project.environ["SOPS_AGE_KEY"] += f"\n{other.identity}"
    project.write(
        ".sops.yaml",
        "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n"
        f"      - age: [{project.key.recipient}]\n      - age: [{other.recipient}]\n",
    )
    project.write("s.yaml", SECRET)
    project.run("encrypt", "s.yaml")
    return project


@pytest.fixture
def simple(project: Project) -> Project:
    project.rules()
    project.write("s.yaml", SECRET)
    project.run("encrypt", "s.yaml")
    return project


# --- entries in the block ------------------------------------------------------------------------


@pytest.mark.parametrize("with_rule", [True, False])
def test_new_shares_are_not_for_entries_of_a_stranger(
    groups: Project, stranger: AgeKey, with_rule: bool
) -> None:
    groups.write(FILE, listing(groups.read(FILE), entry(stranger)))
    if not with_rule:
        groups.path(".sops.yaml").unlink()
    new = AgeKey.generate().recipient
    for command in (
        ["keys", "add", "--age", new, FILE],
        ["keys", "add", "-n", "--age", new, FILE],
        ["groups", "add", "-i", "-f", FILE, "--age", new],
        ["groups", "delete", "-i", "-f", FILE, "--threshold", "1", "1"],
        ["rotate", FILE],
        ["set", "--ignore-mac", FILE, "port", "1"],
    ):
        refused(groups, stranger, *command)
    # What wraps nothing still works, and the entry still opens nothing.
    groups.run("set", FILE, "port", "5433")
    assert not opens(groups, stranger)


def test_a_spoiled_entry_of_a_stranger_is_not_wrapped_again(simple: Project, stranger: AgeKey) -> None:
    """sops before 3.3.0 mixed up encryption contexts, so such entries are wrapped if recipients change."""
    simple.write(FILE, listing(simple.read(FILE), mixed(stranger), version="3.2.0"))
    for command in (["keys", "add", "--age", AgeKey.generate().recipient, FILE], ["rotate", FILE]):
        refused(simple, stranger, *command)
    simple.write("new", SECRET.replace("5432", "1"))
    for command in (
        ["set", FILE, "port", "5433"],
        ["unset", FILE, "port"],
        ["edit", FILE],
        ["update", FILE, "--from", "new"],
    ):
        simple.run(*command, environ=simple.editor('echo "b: 1" >> "$1"'))
        assert not opens(simple, stranger)
    assert "version: 3.2.0" in simple.read(FILE), "whoever opens the entry has to know"
    assert "port: 1" in Sops(simple.key.environ()).decrypt(simple.read(FILE), "yaml")


def test_keys_add_wraps_only_for_the_new_key(simple: Project, stranger: AgeKey) -> None:
    """Also without a .sops.yaml: the other entries stay as they are."""
    simple.path(".sops.yaml").unlink()
    simple.write(FILE, listing(simple.read(FILE), entry(stranger)))
    new = AgeKey.generate()
    simple.run("keys", "add", "--age", new.recipient, FILE)
    assert opens(simple, new)
    assert not opens(simple, stranger)
    assert "garbage" in simple.read(FILE)


def test_your_own_key_needs_no_rule(simple: Project) -> None:
    simple.path(".sops.yaml").unlink()
    simple.run("rotate", FILE)
    assert opens(simple, simple.key)


# --- sops ----------------------------------------------------------------------------------------


def test_sops_s_commands_refuse_strangers(
    groups: Project, stranger: AgeKey, as_sops: Callable[..., str]
) -> None:
    groups.write(FILE, listing(groups.read(FILE), entry(stranger)))
    new = AgeKey.generate().recipient
    for command in (
        ["rotate", "-i", FILE],
        ["rotate", "-i", "--add-age", new, FILE],
        ["groups", "add", "-i", "-f", FILE, "--age", new],
        ["groups", "delete", "-i", "-f", FILE, "--shamir-secret-sharing-threshold", "1", "1"],
    ):
        assert stranger.recipient in as_sops(groups, command)
        assert not opens(groups, stranger)


@pytest.fixture
def as_sops(tmp_path: Path) -> Callable[..., str]:
    def run(project: Project, command: list[str]) -> str:
        folder = project.home / "bin"
        folder.mkdir(exist_ok=True)
        if not (folder / "sops").exists():
            project.run("shim", str(folder))
        done = subprocess.run(
            [folder / "sops", *command], cwd=project.folder, env=project.environ, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        return done.stderr.partition("hint")[0]

    return run


# --- the data key --------------------------------------------------------------------------------


def planted(project: Project, stranger: AgeKey, text: str) -> str:
    """A file for our recipients, under a data key that the stranger knows.  Also returns nothing else."""
    ours, theirs = (keys.master_key("age", key.recipient) for key in (project.key, stranger))
    full = api.encrypt(text, Rule([[ours, theirs]]), credentials=Credentials(project.key.environ()))
    yaml = formats.get("yaml")
    document = yaml.scan(full)
    metadata = Metadata.of(document)
    kept = metadata.replace(groups=[[each for each in metadata.groups[0] if each.key == ours]])
    project.write("planted.full", full)
    return splice(full, yaml.attach(document, yaml.render_block(kept.to_block())))


def knows(project: Project, stranger: AgeKey) -> bool:
    """Whether the stranger opens the file with the data key of the planted one."""
    yaml = formats.get("yaml")
    text, full = project.read(FILE), project.read("planted.full")
    document = yaml.scan(text)
    theirs = Metadata.of(yaml.scan(full)).groups
    block = yaml.render_block(Metadata.of(document).replace(groups=theirs).to_block())
    project.write("tried.enc.yaml", splice(text, yaml.attach(document, block)))
    return opens(project, stranger, "tried.enc.yaml")


GUESSED = "password: changeme1234\nport: 5432\nhost: smtp.example.com\n"


class TestACopy:
    """A stranger copies a file to where the rule names them, and waits until somebody updates the files."""

    @pytest.fixture
    def two(self, project: Project, stranger: AgeKey) -> Project:
        mine = project.key.recipient
        project.write(
            ".sops.yaml",
            f"creation_rules:\n  - path_regex: ^prod/\n    age: {mine}\n"
            f"  - path_regex: ^dev/\n    age: {mine},{stranger.recipient}\n",
        )
        project.write("prod/s.enc.yaml", SECRET)
        project.run("encrypt", "-i", "prod/s.enc.yaml")
        project.git("init", "-q")
        project.git("add", ".")
        return project

    def test_it_gets_no_recipient_who_may_not_open_the_original(self, two: Project, stranger: AgeKey) -> None:
        copy = "dev/x.enc.yaml"
        text = two.read("prod/s.enc.yaml")
        for copied, command in (
            (text, ("updatekeys", "-r", "-y", ".")),
            (text, ("keys", "add", "--yes", "--name", "bob", AgeKey.generate().recipient)),
            (listing(text, entry(stranger)), ("rotate", "-r", ".")),
        ):
            two.write(copy, copied)
            done = two.run(*command, code=1)
            assert f"error[stranger]: {copy}: it has the data key of prod/s.enc.yaml" in done.err
            assert stranger.recipient in done.err
            assert two.read(copy) == copied
            assert not opens(two, stranger, copy)
            two.write("prod/s.enc.yaml", text)

    def test_nor_does_one_that_lists_them_while_somebody_is_removed(
        self, two: Project, stranger: AgeKey
    ) -> None:
        copy = listing(two.read("prod/s.enc.yaml"), entry(stranger), entry(AgeKey.generate()))
        two.write("dev/x.enc.yaml", copy)
        done = two.run("updatekeys", "-y", "dev/x.enc.yaml", code=1)
        assert "it has the data key of prod/s.enc.yaml" in done.err
        assert two.read("dev/x.enc.yaml") == copy

    def test_nor_where_git_cannot_list_the_files(self, two: Project, stranger: AgeKey) -> None:
        two.git("config", "core.bare", "true")
        two.run("rotate", "prod/s.enc.yaml")
        two.write("dev/x.enc.yaml", two.read("prod/s.enc.yaml"))
        done = two.run("updatekeys", "-r", "-y", "prod", "dev", code=1)
        assert "dev/x.enc.yaml: it has the data key of prod/s.enc.yaml" in done.err

    def test_nor_does_one_that_git_merges(self, two: Project, stranger: AgeKey) -> None:
        two.write("dev/x.enc.yaml", "port: 1\n")
        two.run("encrypt", "-i", "dev/x.enc.yaml")
        base = two.read("dev/x.enc.yaml")
        two.git("add", ".")
        two.git("commit", "-qm", "x")
        two.run("set", "dev/x.enc.yaml", "debug", "true")
        ours, theirs = two.read("dev/x.enc.yaml"), listing(two.read("prod/s.enc.yaml"), entry(stranger))
        texts = {"b": base, "o": ours, "t": theirs}
        names = [str(two.write(f"../{name}", text)) for name, text in texts.items()]
        done = two.run("git", "merge", *names, "dev/x.enc.yaml", code=129)
        assert "their side: it has the data key of prod/s.enc.yaml" in done.err
        two.write("../o", ours)
        two.run("rotate", "dev/x.enc.yaml")
        two.write("../t", two.read("dev/x.enc.yaml"))  # a new data key, which no other file has
        two.run("git", "merge", *names, "dev/x.enc.yaml")

    def test_nor_while_only_a_value_changes(self, two: Project, stranger: AgeKey) -> None:
        copy = listing(two.read("prod/s.enc.yaml"), mixed(stranger), version="3.2.0")
        two.write("dev/x.enc.yaml", copy)
        two.run("set", "dev/x.enc.yaml", "port", "1")
        assert not opens(two, stranger, "dev/x.enc.yaml")

    def test_a_new_value_in_a_file_with_other_readers_is_warned_about(
        self, two: Project, stranger: AgeKey
    ) -> None:
        """The other way round: a branch replaces the file by one that more people may open."""
        two.write("dev/x.enc.yaml", "password: devs\n")
        two.run("encrypt", "-i", "dev/x.enc.yaml")
        two.write("prod/s.enc.yaml", two.read("dev/x.enc.yaml"))
        for command in (["set", "prod/s.enc.yaml", "password", "new"], ["edit", "prod/s.enc.yaml"]):
            done = two.run(*command, environ=two.editor('echo "b: 1" >> "$1"'))
            assert f"can be read by age {stranger.recipient}, and creation_rules[0]" in done.err
            assert "encconf updatekeys prod/s.enc.yaml" in done.err
        assert "can be read" not in two.run("set", "dev/x.enc.yaml", "password", "new").err

    @pytest.mark.posix
    def test_nor_does_a_link_to_a_file(self, two: Project, stranger: AgeKey, tmp_path: Path) -> None:
        """A shell names it, too, for dev/*.yaml."""
        original = two.read("prod/s.enc.yaml")
        two.path("dev").mkdir()
        two.path("dev/x.enc.yaml").symlink_to("../prod/s.enc.yaml")
        for command in (["updatekeys", "-y"], ["rotate"]):
            done = two.run(*command, "dev/x.enc.yaml", code=1)
            assert "error[stranger]: dev/x.enc.yaml: it is a link to prod/s.enc.yaml" in done.err
            assert stranger.recipient in done.err
            assert two.read("prod/s.enc.yaml") == original
        two.run("set", "dev/x.enc.yaml", "port", "1")
        assert "port: 1" in two.run("decrypt", "prod/s.enc.yaml").out
        # Plaintext that it leads to, which git ignores or does not know.
        two.write("prod/p.yaml", SECRET)
        (tmp_path / "outside.yaml").write_text(SECRET)
        two.path("dev/p.yaml").symlink_to("../prod/p.yaml")
        two.path("dev/o.yaml").symlink_to(tmp_path / "outside.yaml")
        two.git("add", "dev")
        for name in ("p", "o"):
            for command in (["encrypt"], ["encrypt", "-i"]):
                assert "it is a link to" in two.run(*command, f"dev/{name}.yaml", code=1).err
            assert not two.path(f"dev/{name}.enc.yaml").exists()
        two.write(".env", "PASSWORD=kW8vQz2LrTx9\n")
        two.path("dev/.env").symlink_to("../.env")
        two.git("add", "-f", "dev/.env")
        assert "it is a link to .env" in two.run("import", "dev/.env", code=1).err
        two.git("rm", "-q", "--cached", "dev/o.yaml")
        two.run("encrypt", "dev/o.yaml")  # it is your own
        two.run("encrypt", "--age", stranger.recipient, "dev/p.yaml")  # you name them

    def test_nor_does_one_whose_mac_you_ignore(self, two: Project, stranger: AgeKey) -> None:
        """The file gets a new data key then.  Its author can make the MAC invalid."""
        copy = listing(two.read("prod/s.enc.yaml"), entry(stranger))
        copy = re.sub(r"lastmodified: .*", 'lastmodified: "2020-01-01T00:00:00Z"', copy)
        two.write("dev/x.enc.yaml", copy)
        for program, command in (
            ("encconf", ["set", "--ignore-mac", "dev/x.enc.yaml", "port", "1"]),
            ("encconf", ["edit", "--ignore-mac", "dev/x.enc.yaml"]),
            ("sops", ["edit", "--ignore-mac", "dev/x.enc.yaml"]),
        ):
            editor = two.editor('echo "a: 1" > "$1"')
            done = forks.run(program, command, cwd=two.folder, environ={**two.environ, **editor})
            assert done.returncode == 1
            assert b"it has the data key of prod/s.enc.yaml" in done.stderr
            assert two.read("dev/x.enc.yaml") == copy
        for saved in two.folder.glob("dev/*.unsaved-*"):
            assert stranger.recipient not in saved.read_text()

    def test_nor_does_one_whose_new_data_key_would_hide_it(self, two: Project) -> None:
        """It lists only those who may open the original, but its rule names others."""
        two.write("dev/x.enc.yaml", copy := two.read("prod/s.enc.yaml"))
        two.run("rotate", "-r", ".", code=1)
        assert two.read("dev/x.enc.yaml") == copy

    def test_nor_does_one_of_a_proposal(self, two: Project, stranger: AgeKey) -> None:
        two.run("propose", "prod/s.enc.yaml", "password", input="kW8vQz2LrTx0")
        (proposal,) = two.path("prod").glob("*.proposal-*")
        two.write("dev/x.json", proposal.read_text())
        done = two.run("updatekeys", "-y", "dev/x.json", code=1)
        assert f"it has the data key of prod/{proposal.name}" in done.err

    @pytest.mark.parametrize("shared", ["token: kW8vQz2LrTx9\n", SECRET])
    def test_nor_does_one_over_which_you_encrypt(self, two: Project, stranger: AgeKey, shared: str) -> None:
        """Also if both have secrets in common, so that your file could be a new version of it."""
        two.write("prod/s.enc.yaml", shared + "other: Zt5yHq8BnMw2\n" if shared != SECRET else shared)
        two.run("encrypt", "-i", "prod/s.enc.yaml")
        original = two.read("prod/s.enc.yaml")
        two.write("dev/x.enc.yaml", original)
        two.write("dev/x.yaml", shared)
        done = two.run("encrypt", "dev/x.yaml")
        assert "a recipient was added: every value is re-encrypted with a new data key" in done.err
        assert opens(two, stranger, "dev/x.enc.yaml")
        entries = Metadata.of(formats.get("yaml").scan(two.read("dev/x.enc.yaml"))).groups[0]
        theirs = next(held for held in entries if held.key.name == stranger.recipient)
        two.write("tried.enc.yaml", listing(original, theirs))
        assert not opens(two, stranger, "tried.enc.yaml")

    def test_nor_does_one_in_a_submodule_or_around_it(self, two: Project, stranger: AgeKey) -> None:
        two.write("sub/.sops.yaml", two.read(".sops.yaml"))
        two.write("sub/prod/t.enc.yaml", SECRET)
        two.run("encrypt", "-i", "sub/prod/t.enc.yaml")
        two.write("sub/dev/x.enc.yaml", two.read("prod/s.enc.yaml"))
        two.write("dev/y.enc.yaml", two.read("sub/prod/t.enc.yaml"))
        two.git("-C", "sub", "init", "-q")
        two.git("-C", "sub", "add", ".")
        two.git("-C", "sub", "commit", "-qm", "theirs")
        two.git("add", "sub")
        done = two.run("updatekeys", "-y", "sub/dev/x.enc.yaml", "dev/y.enc.yaml", code=1)
        assert "sub/dev/x.enc.yaml: it has the data key of prod/s.enc.yaml" in done.err
        assert "dev/y.enc.yaml: it has the data key of sub/prod/t.enc.yaml" in done.err

    def test_a_pgp_message_that_was_packed_in_another_way_hides_no_copy(self, two: Project) -> None:
        """Its data key shows whose it is."""
        key = keys.master_key("pgp", "0123456789ABCDEF0123456789ABCDEF01234567")
        one, other = (WrappedKey(key, f"{word}\n=abcd") for word in ("packed", "otherwise"))
        text = two.read("prod/s.enc.yaml")
        data_key = open_text(text, format="yaml", credentials=Credentials(two.key.environ())).data_key
        original = two.write("prod/s.enc.yaml", listing(text, one))
        copy = metadata_of(listing(text, other), "yaml")
        copy = copy.replace(groups=[[held for held in copy.groups[0] if held.key == key]])
        copies = Copies([])
        path = str(two.path("dev/x.enc.yaml"))
        assert copies.others(path, copy) == {}
        assert list(copies.others(path, copy, data_key)) == [str(original)]
        assert copies.others(path, copy, bytes(32)) == {}

    def test_one_that_our_branch_has_already_gets_no_readers_by_a_merge(
        self, two: Project, stranger: AgeKey
    ) -> None:
        """Their side only removes a recipient, which gives the file a new data key."""
        gone = entry(AgeKey.generate())
        two.write(".sops.yaml", two.read(".sops.yaml").rstrip() + f",{gone.key.name}\n")
        two.git("add", ".")
        two.git("commit", "-qm", "x")
        text = two.read("prod/s.enc.yaml")
        base, theirs = listing(text, entry(stranger), gone), listing(text, entry(stranger))
        two.write("dev/x.enc.yaml", base)
        two.run("set", "dev/x.enc.yaml", "port", "1")
        texts = {"b": base, "o": two.read("dev/x.enc.yaml"), "t": theirs}
        names = [str(two.write(f"../{name}", text)) for name, text in texts.items()]
        done = two.run("git", "merge", *names, "dev/x.enc.yaml", code=129)
        assert "our side: it has the data key of prod/s.enc.yaml" in done.err

    def test_you_can_add_whom_you_name_and_who_may_open_the_original(
        self, two: Project, stranger: AgeKey
    ) -> None:
        two.write("dev/x.enc.yaml", two.read("prod/s.enc.yaml"))
        two.run("keys", "add", "--age", stranger.recipient, "dev/x.enc.yaml")
        assert opens(two, stranger, "dev/x.enc.yaml")
        two.write("dev/x.enc.yaml", two.read("prod/s.enc.yaml"))
        two.run("decrypt", "-i", "dev/x.enc.yaml")
        two.run("encrypt", "-i", "dev/x.enc.yaml")
        two.run("updatekeys", "-r", "-y", ".")
        assert opens(two, stranger, "dev/x.enc.yaml")


@pytest.mark.parametrize("command", ["encrypt", "update", "import"])
def test_a_data_key_that_a_stranger_knows_is_not_reused(
    simple: Project, stranger: AgeKey, command: str
) -> None:
    simple.write(FILE, planted(simple, stranger, GUESSED))
    new = GUESSED.replace("changeme1234", "kW8vQz2LrTx9")
    if command == "import":
        simple.write(".env", "PASSWORD=kW8vQz2LrTx9\n")
        done = simple.run("import", ".env", "-o", FILE, "--force")
    else:
        simple.write("s.yaml", new)
        done = simple.run(
            *(["encrypt", "s.yaml"] if command == "encrypt" else ["update", FILE, "--from", "s.yaml"])
        )
    assert "new data key" in done.err
    assert "kW8vQz2LrTx9" in simple.run("decrypt", FILE).out
    assert not knows(simple, stranger)


def test_the_data_key_of_a_file_with_our_secrets_stays(simple: Project) -> None:
    before = simple.read(FILE)
    simple.write("s.yaml", SECRET.replace("5432", "5433"))
    done = simple.run("encrypt", "s.yaml")
    assert "data key" not in done.err
    assert before.splitlines()[0] == simple.read(FILE).splitlines()[0]
    Sops(simple.key.environ()).decrypt(simple.read(FILE), "yaml")


def test_a_file_that_does_not_change_is_not_written(project: Project) -> None:
    """Also if it has no secret that shows who made it."""
    project.rules()
    project.write("s.yaml", "a: 1\n")
    project.run("encrypt", "s.yaml")
    before = project.read(FILE)
    assert "up to date" in project.run("encrypt", "s.yaml").err
    assert project.read(FILE) == before


# --- an edit that cannot be saved ----------------------------------------------------------------


@pytest.mark.parametrize("with_rule", [True, False])
def test_an_unsaved_edit_is_not_for_a_stranger(simple: Project, stranger: AgeKey, with_rule: bool) -> None:
    simple.write(FILE, listing(simple.read(FILE), entry(stranger)))
    if not with_rule:
        simple.path(".sops.yaml").unlink()
    simple.run("edit", FILE, environ=simple.editor('echo "secret: [" > "$1"'), code=2)
    (saved,) = simple.folder.glob(f"{FILE}.unsaved-*")
    assert stranger.recipient not in saved.read_text()
    unsaved = ["decrypt", "--input-type", "binary", saved.name]
    assert simple.run(*unsaved).out == "secret: [\n"
    simple.run(*unsaved, environ=stranger.environ(), code=128)
