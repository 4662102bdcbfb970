"""Opening many files whose data keys a KMS holds, beside sops, against one local KMS.

    .venv/bin/python bench/keys.py            200 files, 20 keys, 50 ms added to each call

The KMS is moto (tests/doubles/moto_server.py) in a process of its own.  Printed are:

*200 files*, each with its own data key: ``encconf.load_configs`` against ``sops -d`` for each, one after
the other.  *One file 200 times* with a `DataKeyCache`: how many calls that makes.  *One data key for 20
keys*: how many calls long it takes to wrap it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from oracle import Sops  # noqa: E402

import encconf  # noqa: E402
from encconf.engine.admission import Admission  # noqa: E402
from encconf.envelope.wrap import wrap_for  # noqa: E402
from encconf.keys import master_key  # noqa: E402
from encconf.rules.config import Rule  # noqa: E402

REGION = "eu-central-1"


def client(url: str) -> Any:
    import boto3

    return boto3.client("kms", region_name=REGION, endpoint_url=url)


def verdict(reached: bool) -> str:
    return "reached" if reached else "not reached"


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--files", type=int, default=200)
    options.add_argument("--keys", type=int, default=20)
    options.add_argument("--delay", type=float, default=0.05, help="seconds added to each call")
    given = options.parse_args()

    for name in [name for name in os.environ if name.startswith(("AWS_", "SOPS_"))]:
        del os.environ[name]
    server = subprocess.Popen(
        [sys.executable, "-m", "doubles.moto_server", "--delay", str(given.delay)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent / "tests",
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        environ = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing-secret-of-nobody",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        os.environ.update(environ)
        measure(given.files, given.keys, given.delay, client(url), Sops(environ))
    finally:
        assert server.stdin is not None
        server.stdin.close()
        server.wait(10)


def measure(files: int, keys: int, delay: float, kms: Any, sops: Sops) -> None:
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    credentials = encconf.Credentials.from_env(os.environ)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rule = Rule([[master_key("kms", arn)]])
        paths = []
        for number in range(files):
            path = folder / f"f{number}.yaml"
            path.write_text(
                encconf.encrypt(f"n: {number}\nsecret: s{number}\n", rule, credentials=credentials)
            )
            paths.append(path)

        started = time.perf_counter()
        encconf.load_configs(paths, credentials=encconf.Credentials.from_env(os.environ))
        ours = time.perf_counter() - started
        started = time.perf_counter()
        for path in paths:
            sops.run("-d", str(path))
        theirs = time.perf_counter() - started
        print(
            f"{files} files: encconf {ours:.2f} s, sops {theirs:.2f} s: {theirs / ours:.1f} x faster "
            f"(target 15: {verdict(theirs / ours >= 15)})"
        )

        cache = encconf.DataKeyCache()
        started = time.perf_counter()
        for _ in range(files):
            encconf.load_config(paths[0], credentials=credentials, cache=cache)
        took = time.perf_counter() - started
        print(
            f"one file {files} times: {took:.2f} s, which leaves room for {int(took / delay)} call (target 1)"
        )

        arns = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(keys)]
        rule = Rule([[master_key("kms", each) for each in arns]])
        many = Admission.of(rule).admit(rule, credentials)
        times = []
        for _ in range(4):  # the first makes the connections
            started = time.perf_counter()
            wrap_for(bytes(32), many, None, credentials, "2026-01-01T00:00:00Z")
            times.append(time.perf_counter() - started)
        took = min(times)
        print(
            f"one data key for {keys} keys: {took * 1000:.0f} ms, {took / delay:.1f} calls' time "
            f"(target 2: {verdict(took <= 2 * delay)})"
        )


if __name__ == "__main__":
    main()
