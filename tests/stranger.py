"""The stranger of the game (`game`): everything that somebody without a key can do to a repository.

Each trick changes files in a folder, which is the victim's work tree or that of a branch.  It returns what it
did, for the report, or None if nothing fits.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from witness import Text

if TYPE_CHECKING:
    from game import Game

Trick = Callable[["Stranger", Path], str | None]
TRICKS: dict[str, tuple[Trick, int]] = {}
"""Each trick, with how often it is drawn."""


def trick(weight: int = 2) -> Callable[[Trick], Trick]:
    def known(function: Trick) -> Trick:
        TRICKS[function.__name__] = function, weight
        return function

    return known


class Stranger:
    """Plays against the victim of a game, and knows what is public."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.draw = game.draw
        self.recipient = game.stranger_recipient

    def files(self, folder: Path) -> list[Path]:
        """The encrypted files in a folder."""
        return self.game.encrypted(folder)

    def text(self, folder: Path) -> tuple[Path, Text] | None:
        """One of the encrypted files."""
        files = self.files(folder)
        if not files:
            return None
        path = self.draw.choice(files)
        found = Text.read(self.game.format_of(path), path.read_text(errors="replace"))
        return (path, found) if found is not None else None

    def wrapped(self, text: Text) -> str:
        """An ``enc`` for the stranger's entry: it cannot have the data key in it."""
        import pyrage

        kind = self.draw.choice(["noise", "noise", "copy", "key", "share", "empty"])
        if kind == "copy" and (entries := text.entries()):
            return str(self.draw.choice(entries).get("enc", ""))
        if kind == "empty":
            return ""
        if kind == "noise":
            body = base64.b64encode(b"age-encryption.org/v1\n" + secrets.token_bytes(90)).decode()
            return f"-----BEGIN AGE ENCRYPTED FILE-----\n{body}\n-----END AGE ENCRYPTED FILE-----\n"
        size = 32 if kind == "key" else 33
        to = pyrage.x25519.Recipient.from_str(self.recipient)
        return str(pyrage.encrypt(secrets.token_bytes(size), [to], armored=True).decode())

    def entry(self, text: Text) -> dict[str, Any]:
        return {"recipient": self.recipient, "enc": self.wrapped(text)}

    # --- the block -------------------------------------------------------------------------------

    @trick(8)
    def entries(self, folder: Path) -> str | None:
        """Entries for the stranger, in every key group or in some."""
        found = self.text(folder)
        if found is None:
            return None
        path, text = found
        groups = text.groups()
        chosen = groups if self.draw.random() < 0.7 else [self.draw.choice(groups)]
        for group in chosen:
            group.setdefault("age", [])
            group["age"].insert(self.draw.choice([0, len(group["age"])]), self.entry(text))
        path.write_text(text.text())
        return f"adds an entry for the stranger to {len(chosen)} of {len(groups)} key groups of {path.name}"

    @trick(6)
    def spoiled(self, folder: Path) -> str | None:
        """An entry that counts as damaged by sops 3.2.0, and would be wrapped again."""
        found = self.text(folder)
        if found is None:
            return None
        path, text = found
        text.block["version"] = self.draw.choice(["3.2.0", "3.2.0", "3.0.5", "3.1.1", "2.0.0", "3.3.0"])
        for group in text.groups():
            entry = self.entry(text)
            entry["context"] = self.draw.choice([{"a": "b", "c": "d"}, {"a": "b"}, {"": ""}])
            group.setdefault("age", []).append(entry)
        path.write_text(text.text())
        return f"adds an entry with a context to {path.name}, whose version is {text.block['version']}"

    @trick(4)
    def renamed(self, folder: Path) -> str | None:
        """An entry of somebody else under the stranger's name."""
        found = self.text(folder)
        if found is None or not found[1].entries():
            return None
        path, text = found
        copies = self.draw.random() < 0.5
        for group in text.groups():
            if group.get("age"):
                entry = self.draw.choice(group["age"])
                changed = {**entry, "recipient": self.recipient}
                group["age"][group["age"].index(entry)] = changed
                if copies:
                    group["age"].append(entry)
        path.write_text(text.text())
        return f"puts the stranger's name on entries of {path.name}{' twice' if copies else ''}"

    @trick(2)
    def threshold(self, folder: Path) -> str | None:
        found = self.text(folder)
        if found is None:
            return None
        path, text = found
        text.block["shamir_threshold"] = self.draw.choice([0, 1, 2, 3, 255])
        path.write_text(text.text())
        return f"sets shamir_threshold: {text.block['shamir_threshold']} in {path.name}"

    @trick(5)
    def regrouped(self, folder: Path) -> str | None:
        """Key groups where there were none, or one group where there were several, with the stranger."""
        found = self.text(folder)
        if found is None:
            return None
        path, text = found
        groups = text.groups()
        if len(groups) > 1:
            if self.draw.random() < 0.6:
                for _ in range(self.draw.choice([1, 2])):
                    text.block["key_groups"].append({"age": [self.entry(text)]})
                what = "adds a key group for the stranger"
            else:
                text.block["age"] = [*text.entries(), self.entry(text)]
                del text.block["key_groups"]
                what = "merges the key groups, with the stranger in them"
            if self.draw.random() < 0.5:
                text.block["shamir_threshold"] = self.draw.choice([1, 2])
        else:
            own = {"age": text.block.pop("age", [])}
            text.block["key_groups"] = [own] * self.draw.choice([1, 1, 2])
            text.block["key_groups"].append({"age": [self.entry(text)]})
            text.block["shamir_threshold"] = self.draw.choice([0, 1, 2])
            what = "makes key groups, with the stranger in one"
        path.write_text(text.text())
        return f"{what}, in {path.name}"

    @trick(3)
    def selection(self, folder: Path) -> str | None:
        """Another selection of the values to encrypt, with which new ones would stay plaintext."""
        found = self.text(folder)
        if found is None:
            return None
        path, text = found
        for name in ("unencrypted_suffix", "encrypted_regex", "encrypted_suffix", "unencrypted_regex"):
            text.block.pop(name, None)
        name, value = self.draw.choice([
            ("encrypted_regex", "^(db|password|token)$"), ("encrypted_regex", "^nothing$"),
            ("unencrypted_regex", "^secret"), ("unencrypted_suffix", ""), ("encrypted_suffix", "_none"),
            ("unencrypted_regex", "(?i)secret.*"),
        ])  # fmt: skip
        text.block[name] = value
        if self.draw.random() < 0.5:
            text.block["mac_only_encrypted"] = True
        path.write_text(text.text())
        return f"sets {name}: {value} in {path.name}"

    @trick(3)
    def members(self, folder: Path) -> str | None:
        """Dates, versions and members that encconf knows, or does not know."""
        found = self.text(folder)
        if found is None:
            return None
        path, text = found
        done = []
        for _ in range(self.draw.choice([1, 2, 3])):
            name, value = self.draw.choice([
                ("lastmodified", "2099-01-01T00:00:00Z"), ("version", "9.9.9"), ("version", ""),
                ("encconf_merge", f"{'0' * 40} {'1' * 40} {'2' * 40}"), ("encconf_conflict", "ENC[x]"),
                ("encconf_layout", "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]"),
                ("unknown_member", {"a": [self.recipient]}), ("mac", ""), ("mac_only_encrypted", True),
            ])  # fmt: skip
            text.block[name] = value
            done.append(name)
        for entry in text.entries():
            if self.draw.random() < 0.3:
                entry["created_at"] = self.draw.choice(["2001-01-01T00:00:00Z", "", "x"])
                entry["role"] = "x"
        path.write_text(text.text())
        return f"writes {', '.join(done)} into the block of {path.name}"

    @trick(3)
    def merged(self, folder: Path) -> str | None:
        """A file that claims to be merged without a key, from versions that the stranger picks."""
        found = self.text(folder)
        if found is None:
            return None
        path, text = found
        game = self.game
        name = os.path.relpath(path, folder)
        versions = [f"{commit}:{name}" for commit in ("main", "evil", "work", "main~1")]
        ids = [each for each in map(game.object, versions) if each] or ["0" * 40]
        if self.draw.random() < 0.5:
            old = path.read_text()
            if self.forge(path) is not None:
                ids.append(game.object(path.read_text(), write=True))
            if self.draw.random() < 0.5:
                path.write_text(old)
            again = Text.read(text.format, path.read_text())
            text = again if again is not None else text
        text.block["encconf_merge"] = " ".join(self.draw.choice(ids) for _ in range(3))
        if self.draw.random() < 0.5:
            text.groups()[0].setdefault("age", []).append(self.entry(text))
        path.write_text(text.text())
        return f"writes into {path.name} that it was merged without a key"

    @trick(2)
    def transplanted(self, folder: Path) -> str | None:
        """The block of another file or version."""
        found, other = self.text(folder), self.text(folder)
        if found is None or other is None or found[0] == other[0]:
            return None
        path, text = found
        text.block = other[1].block
        path.write_text(text.text())
        return f"copies the block of {other[0].name} to {path.name}"

    @trick(2)
    def plugin(self, folder: Path) -> str | None:
        """An entry whose recipient is that of a plugin, or of another kind of key."""
        found = self.text(folder)
        if found is None:
            return None
        path, text = found
        entry = {
            "recipient": "age1evil1qgrswpc8qurswpc8qurswpc8qurswpc8qurswpc8qurswpc8qursw67verj",
            "enc": self.wrapped(text),
        }
        group = self.draw.choice(text.groups())
        if self.draw.random() < 0.6:
            group.setdefault("age", []).insert(0, entry)
            what = "an age plugin"
        else:
            key = {"fp": "A" * 40, "created_at": "2020-01-01T00:00:00Z", "enc": self.wrapped(text)}
            group.setdefault("pgp", []).append(key)
            what = "a PGP key"
        path.write_text(text.text())
        return f"adds an entry of {what} to {path.name}"

    # --- whole files -----------------------------------------------------------------------------

    @trick(8)
    def replaced(self, folder: Path) -> str | None:
        """A file of the stranger's for the same people, under a data key that the stranger knows."""
        files = self.files(folder)
        if not files:
            return None
        path = self.draw.choice(files)
        return self.forge(path)

    @trick(2)
    def disguised(self, folder: Path) -> str | None:
        """A file of the stranger's in another format than its name says."""
        files = self.files(folder)
        if not files:
            return None
        return self.forge(
            self.draw.choice(files), self.draw.choice(["yaml", "json", "dotenv", "ini", "toml"])
        )

    def forge(self, path: Path, format: str | None = None) -> str | None:
        game = self.game
        plain = game.plain_of(path)
        if plain is None:
            return None
        old = Text.read(game.format_of(path), path.read_text(errors="replace"))
        format = format or game.format_of(path)
        if format != plain.format:
            plain = type(plain)(format, plain.pairs)
        groups = (
            [[str(entry.get("recipient")) for entry in group.get("age") or ()] for group in old.groups()]
            if old
            else []
        )
        groups = [[each for each in group if each in game.recipients.values()] for group in groups]
        if not groups or not all(groups):
            groups = [[game.recipients["victim"]]]
        if len(groups) > 1 and self.draw.random() < 0.3:  # one person of several groups would be enough
            everyone = [each for group in groups for each in group]
            groups = [everyone] if self.draw.random() < 0.5 else [everyone for _ in groups]
        named = [[*dict.fromkeys(group), self.recipient] for group in groups]
        rule: dict[str, Any] = {"key_groups": [{"age": group} for group in named]}
        if len(named) > 1:
            rule["shamir_threshold"] = min(len(named), 2)
        # Names are public, and so are common values and those that the file leaves unencrypted.
        if self.draw.random() < 0.4:
            rule["encrypted_regex"] = "."
        elif self.draw.random() < 0.3:
            rule["mac_only_encrypted"] = True
        config = game.folder / "bin" / "stranger.yaml"
        config.write_text(json.dumps({"creation_rules": [rule]}))
        source = game.folder / "bin" / f"source{path.suffix}"
        source.write_text(plain.forged(self.draw))
        made = game.folder / "bin" / f"made.enc{path.suffix}"
        made.unlink(missing_ok=True)
        done = game.machine.run(
            ["--config", str(config), "encrypt", "--output", str(made), "--input-type", format,
             "--output-type", format, str(source)],
            cwd=game.folder / "bin", environ={**game.plain_environ, "HOME": "/nonexistent"},
        )  # fmt: skip
        if done.code or not made.exists():
            raise AssertionError(f"the stranger cannot encrypt: {done.err}")
        text = Text.read(format, made.read_text())
        assert text is not None
        keys = game.witness.stranger.data_keys(made.read_bytes())
        assert keys, "the stranger does not know their own data key"
        game.witness.stranger.known |= keys
        stays = self.draw.random() < 0.25
        if not stays:
            for group in text.groups():
                group["age"] = [each for each in group["age"] if each["recipient"] != self.recipient]
        path.write_text(text.text())
        listed = "and lists themselves" if stays else "and removes their own entry"
        return f"replaces {path.name} by a file under a data key that they know, {listed}"

    @trick(4)
    def replaced_by_plaintext(self, folder: Path) -> str | None:
        files = self.files(folder)
        if not files:
            return None
        path = self.draw.choice(files)
        plain = self.game.plain_of(path)
        if plain is None:
            return None
        path.write_text(plain.forged(self.draw, planted=True))
        return f"replaces {path.name} by plaintext"

    @trick(2)
    def damaged(self, folder: Path) -> str | None:
        files = self.files(folder)
        if not files:
            return None
        path = self.draw.choice(files)
        text = path.read_text(errors="replace")
        kind = self.draw.choice(["no block", "cut", "twice"])
        if kind == "no block" and (found := Text.read(self.game.format_of(path), text)):
            found.block = {}
            text = found.text().replace("sops:\n", "").replace("[sops]\n", "")
        elif kind == "cut":
            text = text[: self.draw.randrange(len(text) + 1)]
        else:
            text += text
        path.write_text(text)
        return f"damages {path.name}: {kind}"

    # --- links, names and programs ---------------------------------------------------------------

    @trick(3)
    def link(self, folder: Path) -> str | None:
        """A link instead of a file, or where a new file may be written."""
        game = self.game
        files = self.files(folder)
        new = [folder / "new.enc.yaml", folder / "legacy.enc.yaml", folder / "secrets.enc.yaml"]
        new += [folder / f".encconf-{self.draw.randrange(9)}", folder / "new.enc.yaml.unsaved"]
        path = self.draw.choice([*files, *new])
        target = game.folder / self.draw.choice(
            ["outside/new.yaml", "home/.ssh/authorized_keys", "home/.profile"]
        )
        path.unlink(missing_ok=True)
        path.symlink_to(os.path.relpath(target, game.repository))
        return f"makes {path.name} a link to {path.readlink()}, which does not exist"

    @trick(2)
    def link_to_other(self, folder: Path) -> str | None:
        """A link to an encrypted file of another project, which only commands for folders may meet."""
        path = folder / f"other{self.draw.randrange(3)}.enc.yaml"
        if path.is_symlink():
            return None
        path.symlink_to("../outside/other.enc.yaml")
        return f"makes {path.name} a link to {path.readlink()}"

    @trick(5)
    def fixed(self, folder: Path) -> str | None:
        """A link in place of a file that encconf writes by its name."""
        game = self.game
        name = self.draw.choice([".gitattributes", ".gitattributes", ".gitignore", ".sops.yaml"])
        if name == ".sops.yaml" and (folder / name).exists():
            name = ".gitattributes"
        target = self.draw.choice([".bashrc", ".bashrc", ".zlogin"])
        path = folder / name
        path.unlink(missing_ok=True)
        path.symlink_to(f"../home/{target}")
        if self.draw.random() < 0.6 and (files := self.files(folder)):
            source = self.draw.choice(files)
            new = folder / f";touch${{IFS}}{game.mark('bashrc')};:{source.suffix}".replace("/", "_")
            new.write_bytes(source.read_bytes())
        return f"makes {name} a link to ../home/{target}"

    @trick(4)
    def names(self, folder: Path) -> str | None:
        """Copies of encrypted files under names that a shell, git or encconf could take for more."""
        files = self.files(folder)
        if not files:
            return None
        path = self.draw.choice(files)
        name = self.draw.choice([
            "$(touch MARK).enc", "`touch MARK`.enc", "a\nb.enc", "-rf.enc", "--config=x.enc",
            ";touch MARK;.enc", "a'b\"c.enc", "%s%n%P.enc", "*.enc", "!x.enc", "#x.enc", "[a].enc", "~.enc",
            "a b.enc", "é\u202e.enc", "x\x1b[31m.enc",
        ])  # fmt: skip
        name = name.replace("MARK", f"name{self.draw.randrange(100)}") + path.suffix
        (folder / name).write_bytes(path.read_bytes())
        return f"copies {path.name} to {name!r}"

    @trick(4)
    def keys(self, folder: Path) -> str | None:
        """An encrypted file of the stranger's whose keys are commands."""
        game = self.game
        keys = [
            *("$(touch MARK)", "`touch MARK`", "a;touch MARK;", "a\n touch MARK\n", "'; touch MARK; '"),
            *("\x1b[31mred", "db[", "*", "~/x", "$HOME", "a|touch MARK", "a&&touch MARK", "\\$(touch MARK)"),
        ]
        chosen = self.draw.sample(keys, 3)
        tree = {key.replace("MARK", str(game.mark("completion"))): "x" for key in chosen}
        few = self.draw.sample(chosen, self.draw.choice([1, 1, 3]))
        tree["db"] = {key.replace("MARK", str(game.mark("completion"))): "y" for key in few}
        path = folder / f"keys{self.draw.randrange(3)}.enc.json"
        entry = {"recipient": game.recipients["victim"], "enc": "x"}
        sops = {"age": [entry], "lastmodified": "2024-01-01T00:00:00Z", "mac": "x", "version": "3.9.0"}
        path.write_text(json.dumps({**tree, "sops": sops}, indent=2))
        return f"writes {path.name} with keys such as {chosen[0]!r}"

    @trick(4)
    def programs(self, folder: Path) -> str | None:
        """Programs in the work tree, named as those that encconf runs."""
        game = self.game
        names = [
            *("gpg", "gpg2", "git", "age-plugin-evil", "age-plugin-yubikey", "sops", "ssh-keygen", "vim"),
            *("nano", "vi", "editor", "op", "systemd-creds", "pass", "less", "age", "python3"),
            *("gcc", "cc", "ld", "objdump", "ldconfig", "systemctl", "az", "gcloud"),
        ]
        place = folder / "conf" if (folder / "conf").is_dir() and self.draw.random() < 0.3 else folder
        for name in names:
            path = place / name
            path.write_text(f"#!/bin/sh\n: > {game.mark(name)}\nexit 1\n")
            path.chmod(0o755)
        return "puts programs named git, gpg, age-plugin-yubikey … into the work tree"

    @trick(4)
    def package(self, folder: Path) -> str | None:
        """Python modules in the work tree."""
        game = self.game
        code = f"open({str(game.mark('python'))!r}, 'w').close()\nraise SystemExit(1)\n"
        for name in (
            "encconf/__init__.py",
            "encconf/__main__.py",
            "pyrage.py",
            "sitecustomize.py",
            "ruamel.py",
        ):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(code)
        return "puts the packages encconf and pyrage into the work tree"

    @trick(5)
    def proposal(self, folder: Path) -> str | None:
        """A value of the stranger's, proposed as anybody can, or a changed proposal."""
        game = self.game
        files = [path for path in self.files(folder) if path.suffix != ".txt"]
        there = [path for path in game.proposals(folder) if path.is_file() and not path.is_symlink()]
        if there and self.draw.random() < 0.6:
            return self._changed_proposal(folder, self.draw.choice(there))
        if not files:
            return None
        path = self.draw.choice(files)
        where = self.draw.choice(["db.password", "db.new", "db", "sops.age", "password"])
        if path.suffix == ".env":
            where = where.removeprefix("db.").upper()
        value = f"proposed{self.draw.getrandbits(64):016x}"
        config = game.folder / "bin" / "rules.yaml"
        people = [game.recipients["victim"], *([self.recipient] if self.draw.random() < 0.3 else ())]
        config.write_text(f"creation_rules:\n  - age: [{', '.join(people)}]\n")
        more = self.draw.choice([[], ["--config", str(config)]])
        name = path.relative_to(folder)
        words = (
            ["propose", *more, "--", str(name), where]
            if str(name)[:1] == "-"
            else ["propose", *more, str(name), where]
        )
        game.machine.run(words, cwd=folder, environ=game.plain_environ, input=value.encode())
        return f"proposes {where} for {name}, with their own rule: {bool(more)}"

    def _changed_proposal(self, folder: Path, path: Path) -> str:
        kind = self.draw.choice(
            ["path", "file", "rename", "loadable", "link", "entry", "broken", "selection"]
        )
        text = path.read_text(errors="replace")
        new = f"{self.draw.getrandbits(32):08x}"
        target = path.with_name(path.name[:-13] + f"{new}.json")
        if kind == "path":
            path.write_text(text.replace('"path": "', '"path": "db.', 1))
        elif kind == "file":
            others = self.files(folder)
            other = self.draw.choice(others) if others else path
            there = other.with_name(f"{other.name}.proposal-{new}.json")
            there.write_text(
                text.replace('"proposal_for": "', f'"proposal_for": "{other.name}', 1)
                if self.draw.random() < 0.5
                else text
            )
        elif kind == "rename":
            path.rename(target)
        elif kind == "loadable":
            (folder / f"extra{new}.enc.json").write_text(text)
        elif kind == "link":
            target.symlink_to(self.draw.choice(["../outside/other.enc.yaml", "/etc/passwd", "nowhere"]))
        elif kind == "entry":
            found = Text.read("json", text)
            if found is not None:
                for group in found.groups():
                    group.setdefault("age", []).append(self.entry(found))
                path.write_text(found.text())
        elif kind == "selection":
            path.write_text(text.replace('"^value$"', '"^nothing$"'))
        else:
            path.write_text(text[: self.draw.randrange(len(text) + 1)])
        return f"changes the proposal {path.name.rpartition('.proposal-')[0]} ({kind})"

    @trick(3)
    def attributes(self, folder: Path) -> str | None:
        path = folder / ".gitattributes"
        if path.is_symlink():
            return None
        line = self.draw.choice([
            "* merge=encconf diff=encconf", "*.yaml -merge", "*.enc.* merge=union", "* filter=evil",
            "secrets.yaml merge=encconf", "*.enc.yaml merge=encconf !diff", "* text=auto eol=crlf",
            "*.enc.* ident", "* working-tree-encoding=UTF-16",
        ])  # fmt: skip
        with path.open("a") as file:
            file.write(line + "\n")
        return f"adds {line!r} to .gitattributes"

    # --- rules -----------------------------------------------------------------------------------

    @trick(3)
    def rules(self, folder: Path) -> str | None:
        """Rules on a branch only: in the work tree, they would be the victim's own."""
        place = folder / "conf" if (folder / "conf").is_dir() and self.draw.random() < 0.3 else folder
        path = place / ".sops.yaml"
        if folder == self.game.repository or path.is_symlink():
            return None
        kind = self.draw.choice(["add", "first", "anchor", "new"])
        old = path.read_text() if path.exists() else ""
        if kind == "add" and "- age: [" in old:
            text = old.replace("- age: [", f"- age: [{self.recipient}, ")
        elif kind == "anchor" and "creation_rules:\n" in old:
            text = f"x: &all\n  age: {self.recipient}\n" + old.replace(
                "creation_rules:\n", "creation_rules:\n  - {<<: *all, path_regex: '.*'}\n"
            )
        else:
            text = f"creation_rules:\n  - age: [{self.recipient}, {self.game.recipients['victim']}]\n"
        path.write_text(text)
        return f"names the stranger in {path.relative_to(folder)} ({kind})"

    @trick(2)
    def parent(self, folder: Path) -> str | None:
        """A .sops.yaml of another user, in a folder above that everybody may write to."""
        game = self.game
        if os.geteuid() or folder != game.repository or (folder / ".sops.yaml").exists():
            return None
        game.folder.chmod(0o1777)
        path = game.folder / ".sops.yaml"
        path.write_text(f"creation_rules:\n  - age: {self.recipient}\n")
        os.chown(path, 65534, 65534)
        return "puts a .sops.yaml into the folder above the repository, as another user"
