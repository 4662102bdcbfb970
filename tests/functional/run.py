"""sops's own functional tests (Rust, functional-tests/ of its sources), run against encconf called sops.

    make functional SOPS=PATH [ARGS=…]

PATH is a checkout of sops's sources.  The tests call ``./sops``, whatever that is; they are built and run
as they are, those included that sops's own CI leaves out because they need a service: AWS is moto here,
Vault is OpenBao.  Each ends as it began: nothing of the checkout is written to.

``--real`` runs them against the real sops of this project's tests instead, to compare.  ``--crates FOLDER``
takes the crates from a folder of sources instead of crates.io, as Debian's librust-…-dev packages make
one at /usr/share/cargo/registry; the least versions that the manifest asks for are then left out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from doubles.moto_server import REGION, MotoServer  # noqa: E402
from doubles.openbao import ROOT_TOKEN, OpenBao  # noqa: E402
from oracle import clean_environ, sops_binary  # noqa: E402

KEY = "pgp/sops_functional_tests_key.asc"


def main() -> int:
    parser = argparse.ArgumentParser(description="Run sops's functional tests against encconf.")
    parser.add_argument("checkout", type=Path, help="a checkout of sops's sources")
    parser.add_argument("--real", action="store_true", help="against the real sops")
    parser.add_argument("--crates", type=Path, help="a folder of crates' sources, instead of crates.io")
    parser.add_argument("words", nargs="*", help="for the test program, after --: names of tests …")
    given = parser.parse_args()
    for name in ("functional-tests/src/lib.rs", KEY):
        if not (given.checkout / name).is_file():
            parser.error(f"{given.checkout} is not a checkout of sops's sources: it has no {name}")
    with tempfile.TemporaryDirectory(prefix="functional-") as folder:
        place = Path(folder, "functional-tests")
        shutil.copytree(
            given.checkout / "functional-tests", place, ignore=shutil.ignore_patterns("target", "sops")
        )
        if given.crates is not None:
            _crates_from(place, given.crates.resolve())
        if given.real:
            (place / "sops").symlink_to(sops_binary())
        else:
            _drop_in(place / "sops")
        home = Path(folder, "gnupg")
        home.mkdir(mode=0o700)
        try:
            command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--import"]
            subprocess.run([*command, str((given.checkout / KEY).resolve())], check=True)
            with MotoServer() as aws, OpenBao() as bao:
                environ = {
                    **clean_environ(),
                    **_cargo(),
                    "GNUPGHOME": str(home),
                    "VAULT_ADDR": bao.address,
                    "VAULT_TOKEN": ROOT_TOKEN,
                    **_aws(aws),
                }
                bao.root.sys.enable_secrets_engine("kv", path="kv", options={"version": "1"})
                return _test(place, environ, given.words)
        finally:
            subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


def _drop_in(path: Path) -> None:
    """A program that is encconf, called ``sops``."""
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from encconf.cli import run\n\nrun()\n"
    )
    path.chmod(0o755)


def _aws(server: MotoServer) -> dict[str, str]:
    """The bucket and the key that the tests want, and how they are reached."""
    where = {"LocationConstraint": REGION}
    server.client("s3").create_bucket(Bucket="sops-publish-functional-tests", CreateBucketConfiguration=where)
    arn = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    return {**server.environ, "AWS_REGION": REGION, "FUNCTIONAL_TEST_KMS_ARN": arn}


def _cargo() -> dict[str, str]:
    """Rust's tools keep their own places, and may reach crates.io."""
    home = Path.home()
    places = {"CARGO_HOME": home / ".cargo", "RUSTUP_HOME": home / ".rustup"}
    kept = {name: os.environ.get(name, str(path)) for name, path in places.items()}
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return {**kept, **{name: os.environ.get(name, "") for name in proxies}}


def _crates_from(place: Path, folder: Path) -> None:
    """Let cargo take what is in a folder, in whatever versions."""
    manifest = place / "Cargo.toml"
    text = manifest.read_text()
    head, heading, dependencies = text.partition("[dependencies]\n")
    manifest.write_text(head + heading + re.sub(r'= "[0-9.]+"', '= "*"', dependencies))
    (place / "Cargo.lock").unlink()
    (place / ".cargo").mkdir()
    (place / ".cargo" / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "folder"\n\n'
        f"[source.folder]\ndirectory = {str(folder)!r}\n\n[net]\noffline = true\n"
    )


def _test(place: Path, environ: dict[str, str], words: list[str]) -> int:
    command = ["cargo", "test", "--lib", "--", "--include-ignored", *words]
    return subprocess.run(command, cwd=place, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
