"""Test the main functions of the installed encconf on any system, with only Python: python smoke.py

It is for Windows and macOS, because the other tests need programs of Linux.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PLAIN = (
    b"# the database\r\ndb:\r\n    host: localhost\r\n"
    b'    password: "pa55-w\xc3\xb6rd"   # rotate\r\n    port: 5432\r\n'
)


def run(*words: str, code: int = 0, **environ: str) -> str:
    """Run encconf, and return what it prints."""
    command = [sys.executable, "-m", "encconf", *words]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, check=False)
    assert done.returncode == code, (words, done)
    assert b"Traceback" not in done.stderr, done
    return done.stdout.decode()


def main() -> None:
    """Encrypt, change, decrypt and load a file."""
    recipient = run("keygen", "-o", "key.txt").strip()
    os.environ["SOPS_AGE_KEY_FILE"] = "key.txt"
    rules = f"creation_rules:\n  - path_regex: ^conf/\n    age: {recipient}\n"
    Path(".sops.yaml").write_text(rules, encoding="utf-8")
    Path("conf").mkdir()
    plain = Path("conf", "app.yaml")
    plain.write_bytes(PLAIN)
    run("encrypt", str(plain))
    sealed = Path("conf", "app.enc.yaml")
    assert b"localhost" not in sealed.read_bytes()

    run("decrypt", "-o", "again.yaml", str(sealed))
    assert Path("again.yaml").read_bytes() == PLAIN  # with CRLF, to the byte
    before = sealed.read_bytes().splitlines()
    run("set", str(sealed), "db.host", "elsewhere")
    changed = [new for old, new in zip(before, sealed.read_bytes().splitlines(), strict=True) if old != new]
    assert 2 <= len(changed) <= 3, changed
    assert run("get", str(sealed), "db.host") == "elsewhere"

    editor = Path("editor.py")
    editor.write_text(
        "import sys\nfrom pathlib import Path\nfile = Path(sys.argv[1])\n"
        "file.write_bytes(file.read_bytes().replace(b'5432', b'5433'))\n",
        encoding="utf-8",
    )
    words = [sys.executable, str(editor.resolve())]
    run("edit", str(sealed), EDITOR=subprocess.list2cmdline(words) if os.name == "nt" else " ".join(words))
    show = "import os; print(os.environ['DB_HOST'], os.environ['DB_PORT'])"
    assert run("exec", str(sealed), "--", sys.executable, "-c", show).split() == ["elsewhere", "5433"]
    assert json.loads(run("export", "--format", "json", str(sealed)))["DB_PORT"] in ("5433", 5433)

    import encconf

    config = encconf.load_config(sealed)
    assert config == {"db": {"host": "elsewhere", "password": "pa55-wörd", "port": 5433}}
    run("rotate", str(sealed))
    assert encconf.load_config(sealed) == config
    other = Path("other.txt")
    run("keygen", "-o", str(other))
    run("decrypt", str(sealed), code=128, SOPS_AGE_KEY_FILE=str(other))
    assert json.loads(run("filestatus", str(sealed))) == {"encrypted": True}
    print(f"encconf {encconf.__version__} works on {sys.platform}, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder, "home")
        home.mkdir()
        os.environ.update(HOME=str(home), USERPROFILE=str(home), APPDATA=str(home), XDG_CONFIG_HOME=str(home))
        work = Path(folder, "work")
        work.mkdir()
        os.chdir(work)
        main()
        os.chdir(folder)
