"""What `encconf check` says about a repository that it has never seen: right, short, and safe to follow."""

from __future__ import annotations

import base64
import json

import pytest
from audit.checked import sound
from audit.repo import ALICE, BOB, DATABASE, Repo, rule, seal
from oracle import AgeKey
from project import Project

from encconf.audit.names import short
from encconf.keys import MasterKey, master_key

PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + ("A1b2" * 16 + "\n") * 3 + "QQ==\n-----END RSA PRIVATE KEY-----\n"
PGP = PEM.replace("RSA PRIVATE KEY-----\n", "PGP PRIVATE KEY BLOCK-----\n\n", 1)


def found(repo: Repo, slug: str) -> dict[str, str]:
    return {each.file: each.severity for each in repo.only(slug)}


class TestPlaceholders:
    @pytest.mark.parametrize(
        "value",
        [
            "REPLACE_WITH_TOKEN", "CHANGE_THIS", "changeit", "change_me_please", "TODO_X", "TODO", "ADD_ME",
            "FILL_IN", "SET_ME", "put-your-key-here", "${BOOTSTRAP_TOKEN}",
            "<argocd | jsonPath {.x} | base64encode>",
        ],
    )  # fmt: skip
    def test_they_are_no_secrets(self, repo: Repo, value: str) -> None:
        sound(repo)
        repo.write("b.enc.yaml", f"password: '{value}'\n")
        assert found(repo, "not-encrypted") == {}

    @pytest.mark.parametrize("value", ["hunter2", "additional-pass", "settle", "Replacement9", "admin"])
    def test_what_only_looks_like_one(self, repo: Repo, value: str) -> None:
        sound(repo)
        repo.write("b.enc.yaml", f"password: {value}\n")
        assert found(repo, "not-encrypted") == {"b.enc.yaml": "error"}

    def test_a_template_of_a_secret_without_apiversion(self, repo: Repo) -> None:
        sound(repo)
        repo.write(
            "b.enc.yaml",
            "kind: Secret\nmetadata: {name: x}\nstringData:\n  token: ${TOKEN}\n  admin-user: admin\n",
        )
        assert found(repo, "not-encrypted") == {}


class TestObjects:
    def object(self, **values: str) -> str:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        lines = "".join(f"  {key}: {value}\n" for key, value in encoded.items())
        return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\ndata:\n{lines}"

    def test_addresses_and_images_are_no_secrets(self, repo: Repo) -> None:
        sound(repo)
        image = "quay.io/cilium/cilium:v1.2.3"
        repo.write("a.yaml", self.object(image=image, host="db.example.org", port="5432"))
        assert found(repo, "not-encrypted") == {}
        repo.write("a.yaml", self.object(host="db.example.org", JWT_SECRET="short"))
        assert found(repo, "not-encrypted") == {"a.yaml": "warning"}


class TestPrivateKeys:
    @pytest.mark.parametrize(
        ("name", "text", "line"),
        [
            (".env", "A=1\nSOPS_AGE_KEY={key}\n", 2),
            ("deploy.sh", "#!/bin/sh\nexport SOPS_AGE_KEY='{key}' # mine\n", 2),
            ("wrangler.jsonc", '{{\n  "vars": {{"SOPS_AGE_KEY": "{key}"}}\n}}\n', 2),
            (".github/workflows/x.yaml", "env:\n  SOPS_AGE_KEY: {key}\n", 2),
            ("keys.txt", "# created: now\n{key}\n", 2),
        ],
    )
    def test_an_identity_anywhere_in_a_line(self, repo: Repo, name: str, text: str, line: int) -> None:
        sound(repo)
        repo.write(name, text.format(key=ALICE.identity))
        (each,) = repo.only("private-key")
        assert (each.file, each.line, each.severity) == (name, line, "error")
        assert each.message == "an age identity in plaintext, which opens a.enc.yaml"

    def test_it_is_as_dangerous_as_what_it_opens(self, repo: Repo) -> None:
        local = AgeKey.generate()
        sound(repo)
        repo.write("local.enc.yaml", seal(DATABASE, rule(local)))
        repo.write("local.key", local.identity + "\n")
        repo.write("unused.key", AgeKey.generate().identity + "\n")
        assert found(repo, "private-key") == {"local.key": "note", "unused.key": "warning"}
        messages = [each.message for each in repo.only("private-key")]
        assert "an age identity in plaintext, which opens local.enc.yaml" in messages
        assert "an age identity in plaintext, which opens no file here" in messages
        repo.write("prod.enc.yaml", seal(DATABASE, rule(local, ALICE)))
        assert found(repo, "private-key")["local.key"] == "error"

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("private.asc", PGP),
            ("terraform.tfstate", json.dumps({"resources": [{"private_key_pem": PEM}]})),
            ("values.yaml", "tls:\n  key: |\n    " + PEM.replace("\n", "\n    ").rstrip() + "\n"),
        ],
    )
    def test_keys_of_pgp_and_in_other_files(self, repo: Repo, name: str, text: str) -> None:
        sound(repo)
        repo.write(name, text)
        assert found(repo, "private-key") == {name: "error"}

    def test_code_and_documentation_may_quote_one(self, repo: Repo) -> None:
        sound(repo)
        repo.write("README.md", f"```\n{PEM}```\n")
        repo.write("tests.py", f'KEY = """{PEM}"""\n')
        assert found(repo, "private-key") == {}


class TestNothingIsEncrypted:
    def test_a_dotenv_file_with_secrets_that_git_has(self, repo: Repo) -> None:
        text = "SECRET_KEY=abcdef0123456789\nDB_PASSWORD=correct-horse\nDEBUG=1\n"
        for name in (".env", "x/.env.production", ".env.example", "tests/.env"):
            repo.write(name, text)
        repo.write("y/.env", "DEBUG=1\nDB_PASSWORD=${DB_PASSWORD}\n")
        expected = {".env": "warning", "x/.env.production": "warning", "tests/.env": "note"}
        assert found(repo, "not-encrypted") == expected
        said = next(each for each in repo.only("not-encrypted") if each.file == ".env")
        assert said.message == "SECRET_KEY, DB_PASSWORD are plaintext, but nothing here is encrypted"
        assert (said.hint or "").startswith("Make an encrypted file from it (encconf import .env).")
        sound(repo)
        assert found(repo, "not-encrypted") == {}


class TestTwins:
    @pytest.mark.parametrize("name", [".env", ".env.production", "secrets.env", "secrets.yaml"])
    @pytest.mark.parametrize("format", ["dotenv", "yaml"])
    def test_plaintext_beside_its_encrypted_copy(self, repo: Repo, name: str, format: str) -> None:
        repo.rules(path=r"app\.enc\.")
        sealed = {"dotenv": "DB_PASSWORD=correct-horse\nAPI_TOKEN=0123456789\n"}
        sealed["yaml"] = "db:\n  password: correct-horse\napi-token: '0123456789'\n"
        ending = {"dotenv": "env", "yaml": "yaml"}[format]
        repo.write(f"x/app.enc.{ending}", seal(sealed[format], format=format))
        plain = "API_TOKEN: '0123456789'\nDB_PASSWORD: correct-horse\n"
        repo.write(f"x/{name}", plain if name.endswith("yaml") else sealed["dotenv"])
        assert found(repo, "plain-twin") == {f"x/{name}": "error"}

    def test_other_files_beside_it(self, repo: Repo) -> None:
        repo.rules(path=r"app\.enc\.")
        repo.write("app.enc.env", seal("PORT=5432\nDB_PASSWORD=correct-horse\n", format="dotenv"))
        repo.write(".env", "PORT=8080\nHOST=localhost\n")
        repo.write(".env.example", "DB_PASSWORD=correct-horse\nPORT=5432\n")
        repo.write("secrets.env", "DB_PASSWORD=${DB_PASSWORD}\n")
        repo.write("y/.env", "DB_PASSWORD=correct-horse\nPORT=5432\n")
        assert found(repo, "plain-twin") == {}


class TestHints:
    def test_a_rule_that_cannot_be_used(self, repo: Repo) -> None:
        repo.config("  - path_regex: enc\n    age: age1broken\n")
        repo.write("a.enc.yaml", DATABASE)
        (each,) = repo.only("not-encrypted")
        assert each.hint is not None
        assert each.hint.startswith("Correct that rule, then encrypt the file (encconf encrypt -i a.enc.")

    def test_what_is_no_secret_need_not_change(self, repo: Repo) -> None:
        sound(repo)
        repo.write("b.enc.yaml", "greeting: hello world\n")
        (each,) = repo.only("not-encrypted")
        assert each.hint is not None
        assert "change its secrets" not in each.hint
        assert "If nothing in it is secret" in each.hint
        repo.write("b.enc.yaml", "password: hello world\n")
        (each,) = repo.only("not-encrypted")
        assert "change its secrets" in (each.hint or "")

    def test_an_extra_recipient_may_be_one_to_keep(self, repo: Repo) -> None:
        repo.write("a.enc.yaml", seal(DATABASE, rule(ALICE, BOB)))
        (each,) = repo.only("keys-differ")
        assert "To keep somebody, name their key in the rule first." in (each.hint or "")
        assert BOB.recipient not in (each.hint or "")

    def test_a_setting_for_the_format(self, repo: Repo) -> None:
        repo.rules("input_type: yaml")
        sound_text = seal(DATABASE)
        repo.write("a.enc.yaml", sound_text)
        (each,) = repo.only("config-notice")
        assert "--input-type" in (each.hint or "")

    def test_explain_finds_the_file_that_sops_ignores(self, project: Project) -> None:
        project.write(".sops.yml", f"creation_rules: [{{age: {ALICE.recipient}}}]\n")
        done = project.run("explain", "a.yaml", code=1)
        assert "git mv " in done.err
        assert "encconf init" not in done.err

    def test_a_template_of_a_configuration(self, repo: Repo) -> None:
        repo.config("  - path_regex: enc\n    age: ${BOOTSTRAP_AGE_PUBLIC_KEY}\n")
        assert {each.severity for each in repo.only("bad-config")} == {"note"}

    def test_a_rule_that_cannot_be_used_is_an_error_but_a_placeholder_is_a_warning(self, repo: Repo) -> None:
        cases = [
            ("age: age1YOUR_KEY_HERE", "warning"),
            ("age: [age1xxxxxxxxxxxxxxxxx]", "warning"),
            ("age: age1…", "warning"),
            ("pgp: REPLACE-WITH-FINGERPRINT", "warning"),
            (f"age: {ALICE.recipient[:-1]}", "error"),
            ("pgp: 90841E59A95F47801F29227FD4AD18E8EB15561", "error"),
            (f"encrypted_regex: (?!x_y)\n    age: {ALICE.recipient}", "error"),
        ]
        repo.config("".join(f"  - path_regex: ^{at}$\n    {text}\n" for at, (text, _) in enumerate(cases)))
        found = repo.only("bad-config")
        assert [each.severity for each in sorted(found, key=lambda each: each.line or 0)] == [
            severity for _, severity in cases
        ]


def kms(arn: str) -> MasterKey:
    return master_key("kms", arn)


def test_labels_tell_keys_apart() -> None:
    uuid = "920aff2e-c5f1-4040-943a-047fa387b27e"
    arns = [
        f"arn:aws:kms:us-east-1:111122223333:key/{uuid}+arn:aws:iam::111122223333:role/deploy",
        f"arn:aws:kms:eu-west-1:111122223333:key/{uuid}",
        f"arn:aws:kms:us-east-1:111122223333:key/a{uuid[1:]}",
        "arn:aws:kms:us-east-1:111122223333:alias/sops",
        "arn:aws:kms:us-east-1:444455556666:alias/sops",
    ]
    labels = [short(kms(arn)) for arn in arns]
    assert len(set(labels)) == len(arns)
    assert labels[0] == "AWS KMS 920aff2e-c5f…87b27e (us-east-1)"
    assert short(master_key("pgp", "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4")) == "PGP 3D16CEE4A27381B4"


class TestAccess:
    def test_without_encrypted_files_the_report_is_empty(self, project: Project) -> None:
        for path in project.folder.iterdir():
            if path.is_file():
                path.unlink()
        done = project.run("access", "--json")
        assert json.loads(done.out)["files"] == []
        assert "no encrypted files found here" in done.err
        assert "<table" in project.run("access", "--html", "-").out
