"""Faults in encconf's own reading of the SOPS format.  The test kit alone must detect each.

    .venv/bin/python tests/testkit_mutants.py [WORD…]

Each fault is one replacement in a copy of encconf, which then reads the vectors until the first one that fails.
`make mutants` is something else: small faults of any kind, for all tests.
"""

# ruff: noqa: E501
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / "fixtures" / "testkit"


class Fault(NamedTuple):
    """A replacement in a module, and the sections of the kit that must detect it."""

    what: str
    module: str
    old: str
    new: str
    sections: str


_DOCUMENT, _MAC, _SEAL = "text/document.py", "engine/mac.py", "engine/cipher.py"
_SELECTION, _SHAMIR = "rules/selection.py", "envelope/shamir.py"
FAULTS = [
    # the additional data
    Fault("another separator", _DOCUMENT, 'f"{self.aad}{step}:"', 'f"{self.aad}{step}."', "additional data"),
    Fault("no colon at the end", _SEAL, 'f"{around}{step}:"', 'f"{around}{step}"', "additional data"),
    Fault("numbers of items", _SEAL, "around if type(step) is int else f", "f", "additional data"),
    Fault("keys in lower case", _SEAL, "aad.encode(", "aad.lower().encode(", "dotenv"),
    # the MAC
    Fault("values in reverse", _MAC, 'b"".join([value.data for value in counted if', 'b"".join([value.data for value in reversed(counted) if', "MAC"),
    Fault("values sorted", _MAC, 'b"".join([value.data for value in counted if value.data and value.type != "comment"])', 'b"".join(sorted([value.data for value in counted if value.data and value.type != "comment"]))', "MAC"),
    Fault("lower case", _MAC, "found.hexdigest().upper()", "found.hexdigest()", "MAC"),
    Fault("a separator between values", _MAC, 'b"".join([value.data', 'b" ".join([value.data', "MAC"),
    Fault("only encrypted values, always", _MAC, "counted = compress(values, chosen) if only_encrypted else values", "counted = compress(values, chosen)", "MAC"),
    Fault("all values, always", _MAC, "counted = compress(values, chosen) if only_encrypted else values", "counted = values", "MAC"),
    Fault("no start of mac_only_encrypted", _MAC, "sha512(_ONLY_ENCRYPTED if only_encrypted else b\"\")", 'sha512(b"")', "MAC"),
    Fault("comments count", _MAC, 'if value.data and value.type != "comment"', "if value.data", "YAML"),
    Fault("another date is right, too", _MAC, "date = purpose % lastmodified.encode()\n    parts", 'date = b"2026-01-02T03:04:05Z"\n    parts', "MAC"),
    Fault("a missing MAC is right", _MAC, "    if not mac:\n", "    if not mac:\n        return\n    if not mac:\n", "MAC"),
    # types
    Fault("int is called integer", _SEAL, '"int", "float", "bool"', '"integer", "float", "bool"', "types"),
    Fault("float is called double", _SEAL, '"float", "bool", "time", "comment"]', '"double", "bool", "time", "comment"]', "types"),
    Fault("bool is called boolean", _SEAL, '"bool", "time", "comment"]', '"boolean", "time", "comment"]', "types"),
    Fault("no times", _SEAL, '"bool", "time", "comment"]', '"bool", "comment"]', "types"),
    Fault("any type is right", _SEAL, "    if not _is_of(leaf, type, data):", "    if False:", "types"),
    Fault("booleans count as they are spelled", "engine/opening.py", "            opened = _as_spelled_by_sops(opened)\n", "", "types"),
    Fault("a zero in front makes an octal number", _SEAL, 'digits.lstrip(b"0") or b"0"', 'b"%d" % int(digits, 8)', "types"),
    # which values are encrypted
    Fault("another default", _SELECTION, 'DEFAULT = Selection("unencrypted_suffix", "_unencrypted")', 'DEFAULT = Selection("unencrypted_suffix", "_plain")', "selection,types"),
    Fault("suffixes are prefixes", _SELECTION, "text.endswith(suffix)", "text.startswith(suffix)", "selection"),
    Fault("encrypted_suffix is the opposite", _SELECTION, 'return not self.kind.startswith("un")', 'return not self.kind.startswith("un") and self.kind != "encrypted_suffix"', "selection"),
    Fault("unencrypted_suffix is the opposite", _SELECTION, 'return not self.kind.startswith("un")', 'return not self.kind.startswith("un") or self.kind == "unencrypted_suffix"', "selection"),
    Fault("encrypted_regex is the opposite", _SELECTION, 'return not self.kind.startswith("un")', 'return not self.kind.startswith("un") and self.kind != "encrypted_regex"', "selection"),
    Fault("unencrypted_regex is the opposite", _SELECTION, 'return not self.kind.startswith("un")', 'return not self.kind.startswith("un") or self.kind == "unencrypted_regex"', "selection"),
    Fault("encrypted_comment_regex is the opposite", _SELECTION, 'return not self.kind.startswith("un")', 'return not self.kind.startswith("un") and self.kind != "encrypted_comment_regex"', "selection"),
    Fault("unencrypted_comment_regex is the opposite", _SELECTION, 'return not self.kind.startswith("un")', 'return not self.kind.startswith("un") or self.kind == "unencrypted_comment_regex"', "selection"),
    Fault("patterns match at the start only", "rules/pattern.py", "self._regex.search(data) is not None", "self._regex.match(data) is not None", "selection"),
    Fault("only the last key is tested", _SELECTION, "found = known[id(at)] = found or own(at)", "found = known[id(at)] = False", "selection"),
    Fault("comments count for all values below", _SELECTION, 'item = (id(comment.scope), comment.before)', "item = (id(comment.scope), None)", "selection"),
    Fault("two settings are right", _SELECTION, "if len(found) > 1:", "if len(found) > 9:", "selection"),
    # comments in lists
    Fault("encrypted items of lists are no comments", _SEAL, '        return isinstance(leaf.step, int)\n', "        return False\n", "YAML"),
    # Shamir
    Fault("another field", _SHAMIR, "0x11B", "0x11D", "key groups"),
    Fault("x is the first byte", _SHAMIR, "xs = [part[-1] for part in parts]", "xs = [part[0] for part in parts]", "key groups"),
    Fault("the value at 1", _SHAMIR, "times(other, inverse(other ^ x))", "times(other ^ 1, inverse(other ^ x))", "key groups"),
    Fault("one share less is enough", "envelope/unwrap.py", "needed = quorum(threshold, groups)", "needed = max(1, quorum(threshold, groups) - 1)", "key groups"),
    # the data key and ENC
    Fault("an empty string must be encrypted", _SEAL, "if not is_chosen or not data:", "if not is_chosen or data is None:", "values"),
    Fault("plaintext is right where a value must be encrypted", _SEAL, "            if accept_plain:", "            if True:", "values"),
    Fault("nothing may follow ENC", "engine/cipher.py", r"\]\s*\Z", r"\]\Z", "values"),
    Fault("the block is flattened otherwise", "formats/flat.py", 'if kind == "map":', 'if kind == "list":', "dotenv"),
    Fault("line breaks of dotenv stay", "formats/dotenv.py", 'line = line.replace("\\\\n", "\\n")', "pass", "dotenv"),
]  # fmt: skip


def detected(fault: Fault | None, folder: Path) -> str:
    """Return the first vector that fails in a copy of encconf with a fault, or "" if all pass."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "encconf", copy / "encconf")  # with its bytecode, which is faster
    if fault is not None:
        module = copy / "encconf" / fault.module
        text = module.read_text()
        if fault.old not in text:
            raise ValueError(f"{fault.what}: {fault.module} has changed, so the fault must change, too")
        module.write_text(text.replace(fault.old, fault.new))
    command = [sys.executable, __file__, "--child", str(copy), fault.sections if fault else ""]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def child(copy: str, sections: str) -> int:
    """Read vectors with the encconf of a folder, and print the first that fails."""
    sys.path[:0] = [copy, str(KIT)]
    import forks
    import run as runner

    forks.load()
    from encconf.cli import run

    assert sys.modules["encconf"].__file__ == str(Path(copy, "encconf", "__init__.py"))

    class Forking(runner.Desk):
        def start(
            self, argv: list[str], folder: Path, environ: dict[str, str]
        ) -> subprocess.CompletedProcess[bytes]:
            read, write = os.pipe()
            process = os.fork()
            if not process:
                os.dup2(write, 1)
                os.dup2(os.open(os.devnull, os.O_RDWR), 2)
                os.chdir(folder)
                os.environ.clear()
                os.environ.update(environ)
                sys.argv = argv
                run()
            os.close(write)
            with open(read, "rb") as pipe:
                out = pipe.read()
            _, status = os.waitpid(process, 0)
            return subprocess.CompletedProcess(argv, os.waitstatus_to_exitcode(status), out, b"")

    index = json.loads((KIT / "vectors.json").read_text())
    options = runner.parser().parse_args(["--command", "sops decrypt --output-type json {file}"])
    wanted = {name for name in sections.split(",") if name} or {"values", "MAC", "selection"}
    with tempfile.TemporaryDirectory() as name:
        desk = Forking(index, options, Path(name))
        for vector in index["vectors"]:
            if vector["section"] in wanted:
                result, why = desk.read(vector)
                if result == "fail":
                    print(f"{vector['number']} {vector['purpose']}: {why}")
                    return 1
    return 0


def main(words: list[str]) -> int:
    """Print which vector detects each fault."""
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        if wrong := detected(None, Path(name)):
            print(f"without a fault: {wrong}")
            return 1
        for fault in FAULTS:
            if words and not any(word in fault.what for word in words):
                continue
            found = detected(fault, Path(name))
            missed += not found
            print(f"{fault.what}: {found.split(':')[0] or 'NOT DETECTED'}", flush=True)
    return int(bool(missed))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        sys.exit(child(*sys.argv[2:]))
    sys.exit(main(sys.argv[1:]))
