"""``encconf init --agents``."""

from __future__ import annotations

import json

from project import Project


def test_rules_go_into_the_settings_that_exist(sealed: Project) -> None:
    sealed.git("init", "-q")
    sealed.write(
        ".claude/settings.json",
        '{\n    "permissions": {"deny": ["Read(./.env)"], "allow": ["Read"]},\n    "x": "é"\n}\n',
    )
    sealed.write(".cursorignore", "node_modules/")
    sealed.write(".gemini/settings.json", "{}")
    done = sealed.run("init", "--agents")
    assert "added" in done.err
    settings = json.loads(sealed.read(".claude/settings.json"))
    assert settings["permissions"]["allow"] == ["Read"]
    assert settings["x"] == "é"
    assert settings["env"] == {"ENCCONF_PRINT": "never"}
    deny = settings["permissions"]["deny"]
    assert {"Read(./.env)", "Read(./**/.env)", "Read(./secrets.yaml)", "Read(~/.config/sops/age/**)"} <= set(
        deny
    )
    lines = sealed.read(".cursorignore").splitlines()
    assert lines[:2] == ["node_modules/", "# encconf: plaintext and keys"]
    assert {".env", "!.env.enc", "/secrets.yaml", "*.agekey"} <= set(lines)
    assert ".env" in sealed.read(".geminiignore")
    assert not sealed.path(".aiderignore").exists()
    before = {name: sealed.read(name) for name in (".cursorignore", ".claude/settings.json")}
    assert "has these rules already" in sealed.run("init", "--agents").err
    assert {name: sealed.read(name) for name in before} == before


def test_git_s_own_matching_agrees(sealed: Project) -> None:
    """The files for agents are in the syntax of .gitignore: encrypted files stay readable."""
    sealed.git("init", "-q")
    sealed.write(".aiderignore", "")
    sealed.run("init", "--agents")
    sealed.write(".git/info/exclude", sealed.read(".aiderignore"))
    names = [
        "secrets.yaml",
        ".env",
        "a/.env.local",
        "keys.txt",
        "a/id_ed25519",
        ".env.enc",
        "secrets.enc.yaml",
    ]
    found = sealed.git("check-ignore", *names).split()
    assert found == names[:5]


def test_without_agents_and_by_hand(sealed: Project) -> None:
    assert "no settings of a coding agent" in sealed.run("init", "--agents").err
    sealed.write(".github/copilot-instructions.md", "x")
    done = sealed.run("init", "--agents")
    assert "content exclusion" in done.err


def test_links_and_broken_settings_are_not_followed_or_overwritten(sealed: Project) -> None:
    sealed.path(".cursorignore").symlink_to(sealed.home / ".bashrc")
    assert "it is a symbolic link" in sealed.run("init", "--agents", code=3).err
    assert not (sealed.home / ".bashrc").exists()
    sealed.path(".cursorignore").unlink()
    for text in ("{// a comment\n}", '["x"]', '{"permissions": {"deny": "x"}}'):
        sealed.write(".claude/settings.json", text)
        assert "was not changed" in sealed.run("init", "--agents").err
        assert sealed.read(".claude/settings.json") == text


def test_a_branch_that_switches_the_mask_off_is_reported(sealed: Project) -> None:
    sealed.write(".claude/settings.json", '{"env": {"ENCCONF_PRINT": "always"}}')
    assert ".claude/settings.json sets ENCCONF_PRINT, but not to never" in sealed.run("init", "--agents").err
    assert '"ENCCONF_PRINT": "always"' in sealed.read(".claude/settings.json")
