"""Guess whether a plaintext file was meant to be encrypted, and whether it contains secrets.

The guesses use the names and folders that people use for secrets, examples and templates, and the content of
the files.  They decide whether a plaintext file is reported, and how severe the finding is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from encconf.text.document import Document, Leaf
from encconf.text.path import called_a_secret

MARKS = frozenset(("enc", "sops", "encrypted"))
"""One of these words between dots in a name says that the file is meant to be encrypted."""
WORDS = (".enc", ".sops", "secret")
"""Each name for which `has_encrypted_name` or `is_secrets` is true has one of these words."""

# These are compiled when they are first needed, since they apply to few files.
_LOOKS = (
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAGE-SECRET-KEY-"
    rb"|\b(?:gh[pousr]|glpat|github_pat|xox[abeprs]|[rs]k_live|hv[sb])[-_.][A-Za-z0-9_-]{10}"
    rb"|\bAKIA[A-Z0-9]{16}\b|\beyJ[\w-]{8,500}\.eyJ[\w-]{8,4000}\.[\w-]{8}"
    rb"|\b[a-z][a-z0-9+.-]{1,20}://[^/\s:@]*:[^/\s:@${<]{3,}@"
)
"""Private keys, tokens of well-known services, and addresses with a password."""
_REFERENCE = rb"\s*(?:\$\{|\$\(|\{\{|ref\+|op://|vault:|arn:|/|\./|<)"
_MARKED = rf"(?i)(?:\A|[._-])(?:{'|'.join(MARKS)})(?=[._-]|\Z)"
_SECRETS = r"(?i)\A\.?secrets?(?:[._].*)?\.\w+\Z|[._-]secrets\.\w+\Z"
_SECRET = r"(?i)[._-]secret\.\w+\Z"
_FOLDER = r"(?i)(?:\A|/)[._]?(?:secrets?|sops)/"
_EXAMPLES = "example sample template tmpl tpl dist demo dummy fake placeholder schema"
"""Words in the names of files that hold no secrets.  They may also end in s."""
_ENDINGS = (
    "j2 jinja jinja2 gotmpl erb mustache hbs bootstrap pub md mdx rst adoc htm html css nix py go rs rb js"
    " mjs jsx ts tsx java kt c h cc cpp cs php pl lua sh bash zsh fish ps1 bat tf hcl cue jsonnet libsonnet"
    " lock sum mod svg png jpg jpeg gif ico webp pdf woff woff2 proto sql patch diff"
)
_NAMES = (
    "readme license changelog makefile dockerfile justfile taskfile.yaml taskfile.yml kustomization.yaml"
    " kustomization.yml"
)
_MADE_UP = (
    r"(?i)(?:\A|/)(?:tests?|test[-_]?data|test[-_][\w-]+|[\w-]+[-_]tests?|(?:\w+[-_])?fixtures?|examples?|samples?|demos?|mocks?"
    r"|__tests__|spec|specs)/"
)
_LOCAL = (
    r"(?i)(?:\A|[/._-])(?:local|localhost|tests?|testing|ci|sandbox|examples?|samples?|demo|dummy|fixtures?)"
    r"(?=[/._-]|\Z)"
)
_LEFT = r"(?i)(?:\A|/)(?:[._](?:archived?|trash|old)|archived?|trash|deprecated|graveyard)/"
_OTHERWISE = (
    b"\0GITCRYPT\0", b"$ANSIBLE_VAULT;", b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----",
    b"-----BEGIN PGP MESSAGE-----", b"version https://git-lfs.github.com/",
)  # fmt: skip
_PLACEHOLDER = (
    rb"(?i)\$\{|\$\(|\{\{|\A\s*<[^<>\n]+>\s*\Z|(?-i:<[A-Z][A-Z0-9_ -]+>)|<your[^<>\n]*>"
    rb"|\A\s*(?:\$\w+|ref\+\S+|op://\S+|vault:\S+|arn:\S+|/run/\S+)\s*\Z"
    rb"|\A\W*(?:change[-_ ]?(?:me|this|it)[\w-]*|replace[-_ ]?(?:me|this|with[\w-]*)?|your?[-_ ][\w-]*"
    rb"|(?:add|fill|set|put|enter|paste)[-_ ](?:me|it|in|this|here|your?|the|a)[\w-]*|insert[-_ ]\w*|example"
    rb"|placeholder|(?:todo|fixme)[-_\w]*|dummy|redacted|x{3,}|\*{3,}|\.{3,}|null|none)\b"
)
_DEFAULT_NAME = rb"(?i)\s*(?:admin(?:istrator)?|root|user(?:name)?|postgres|default)\s*"
"""A name that programs have by default.  As a password, it is a secret all the same."""
_HARMLESS = (
    rb"\s*(?:\d{1,5}|[a-z]{1,12}|(?:[a-z+]{2,12}://)?(?:[a-z0-9-]{1,40}\.)+(?:[a-z]{2,24}|\d{1,3})(?::\d{1,5})?"
    rb"(?:/[a-z0-9._-]{1,40})*/?(?::[a-z0-9._-]{1,40})?)\s*"
)
"""A port, a word, an address without a password, or the name of an image."""
_KINDS = (b"Secret", b"SopsSecret")
_KIND = rb"""(?m)^["']?kind["']?:[ \t]*["']?(\w+)"""
_VERSION = rb"""(?m)^["']?apiVersion["']?:"""
_LATER = rb"(?<=\n)---(?=[ \t\r\n])"
_ABOUT = ("apiVersion", "kind", "metadata", "type")
_OBJECT_SECRET = rb"""(?m)^kind:[ \t]*["']?Secret["']?[ \t]*(?:#.*)?\r?$"""


def has_encrypted_name(name: str) -> bool:
    """Whether a file's name says that it is encrypted: ``x.enc.yaml``, ``.env.sops``."""
    return not MARKS.isdisjoint(name.rpartition("/")[2].lower().split(".")[1:])


def plain_name(base: str) -> str:
    """Return ``x.yaml`` for ``x.enc.yaml``, or "" for a name that does not say that it is encrypted."""
    if (marked := re.search(_MARKED, base)) is None:
        return ""
    rest = base[: marked.start()] + base[marked.end() :]
    return rest if marked.start() or base.startswith(".") else rest[1:]  # x.yaml for enc.x.yaml


def is_secrets(base: str) -> bool:
    """Whether a file's name says that it holds secrets, such as ``secrets.yaml``."""
    return re.search(_SECRETS, base) is not None


def says_secret(name: str) -> bool:
    """Whether a file's name, or one of its folders, says that it holds secrets."""
    base = name.rpartition("/")[2]
    return bool(
        has_encrypted_name(base) or is_secrets(base) or re.search(_SECRET, base) or re.search(_FOLDER, name)
    )


def is_public(name: str) -> bool:
    """Whether a name is that of an example, a template, a public key, source code or documentation."""
    base = name.rpartition("/")[2].lower()
    _, dot, ending = base.rpartition(".")
    if base in _NAMES.split() or (dot and ending in _ENDINGS.split()) or re.fullmatch(r"\.git\w+", base):
        return True
    examples = _EXAMPLES.split()
    return any(word.removesuffix("s") in examples for word in re.split(r"[._-]", base))


def is_example(name: str) -> bool:
    """Whether a file is in a folder of tests or examples."""
    return re.search(_MADE_UP, name) is not None


def is_local(name: str) -> bool:
    """Whether a file is for tests, or for a developer's own machine: ``local.yaml``, ``.env.test``."""
    return is_example(name) or re.search(_LOCAL, name) is not None


def is_archived(name: str) -> bool:
    """Whether a file is in a folder for files that are no longer used."""
    return re.search(_LEFT, name) is not None


def is_encrypted_otherwise(data: bytes) -> bool:
    """Whether another tool encrypted the file (git-crypt, Ansible Vault, age, PGP) or stores it (git LFS)."""
    return data.lstrip().startswith(_OTHERWISE)


def holds_object_secret(data: bytes) -> bool:
    """Whether a text may contain a Kubernetes Secret.  `hidden` says whether it has values worth hiding."""
    return b"Secret" in data and re.search(_OBJECT_SECRET, data) is not None


def only_other_objects(data: bytes) -> bool:
    """Whether a YAML text certainly contains only Kubernetes objects that are not Secrets."""
    kinds = re.findall(_KIND, data)
    return not any(kind.endswith(_KINDS) for kind in kinds) and len(kinds) == len(
        re.findall(_VERSION, data)
    ) > len(re.findall(_LATER, data))


def hidden(document: Document, leaves: Iterable[Leaf]) -> list[Leaf]:
    """Return the values that are worth hiding.

    These are not booleans, dates, placeholders, references to secrets elsewhere, or values in Kubernetes
    objects that are not Secrets.
    """
    objects = _objects(document)
    found = []
    for leaf in leaves:
        kind = objects.get(id(leaf.scope.root))
        if kind is not None and (kind not in _KINDS or leaf.path[0] in _ABOUT):
            continue
        if leaf.type in ("bool", "time") or not leaf.data:
            continue
        in_base64 = kind is not None and leaf.path[0] == "data"
        if is_placeholder(leaf.data, in_base64=in_base64):
            continue
        if called_a_secret(leaf.path) or not re.fullmatch(_DEFAULT_NAME, leaf.data):
            found.append(leaf)
    return found


def object_secrets(document: Document) -> list[Leaf]:
    """Return the values of the Kubernetes Secrets in a document that are worth hiding.

    These are not addresses, names of images, words and small numbers under keys that call them no secret.
    """
    values = [leaf for leaf in document.leaves if leaf.path[:1] in (("data",), ("stringData",))]
    found = [leaf for leaf in hidden(document, values) if leaf.type == "str"]
    return [leaf for leaf in found if called_a_secret(leaf.path) or not _is_harmless(leaf)]


def _is_harmless(leaf: Leaf) -> bool:
    data = leaf.data or b""
    if leaf.path[0] == "data":
        data = _from_base64(data)
    return re.fullmatch(_HARMLESS, data) is not None


def _objects(document: Document) -> dict[int, bytes]:
    """Return the kind of each Kubernetes object in a document, by the id of its root scope."""
    said: dict[int, dict[object, bytes]] = {}
    for leaf in document.leaves:
        if (
            leaf.step in ("apiVersion", "kind") and leaf.type == "str"
        ):  # those of inner scopes are not asked for
            said.setdefault(id(leaf.scope), {})[leaf.step] = leaf.data or b""
    return {
        root: about["kind"]
        for root, about in said.items()
        if len(about) == 2 or about.get("kind") in _KINDS  # a template may lack the apiVersion
    }


def looks_like_a_secret(leaf: Leaf) -> bool:
    """Whether a plaintext value is a private key, a token or an address with a password."""
    return leaf.type == "str" and re.search(_LOOKS, leaf.data or b"") is not None


def is_named_like_a_secret(leaf: Leaf) -> bool:
    """Whether the key of a plaintext value says that it is a secret, and it is not just a reference."""
    called = leaf.type == "str" and called_a_secret((leaf.step,))
    return called and re.match(_REFERENCE, leaf.data or b"") is None


def why_secret(leaf: Leaf) -> str:
    """Return why a plaintext value may be a secret, after the word "it", or "" if it seems to be none."""
    if is_placeholder(leaf.data or b""):
        return ""
    if looks_like_a_secret(leaf):
        return "looks like a secret"
    return "has a name like a secret" if is_named_like_a_secret(leaf) else ""


def is_placeholder(data: bytes, *, in_base64: bool = False) -> bool:
    """Whether a value stands for one that someone or something fills in, or is empty."""
    if in_base64:
        data = _from_base64(data)
    return not data.strip() or re.search(_PLACEHOLDER, data) is not None or _is_empty(data)


def _from_base64(data: bytes) -> bytes:
    """Return what is encoded in base64, or the data itself if it is no base64."""
    from binascii import Error, a2b_base64

    with suppress(Error):
        return a2b_base64(b"".join(data.split()), strict_mode=True)
    return data


def _is_empty(data: bytes) -> bool:
    """Whether the data is JSON that contains no value."""
    if data.lstrip()[:1] not in (b"{", b"["):
        return False
    import json

    try:
        left = [json.loads(data)]
    except (ValueError, RecursionError):
        return False
    while left:
        value = left.pop()
        if isinstance(value, (dict, list)):
            left += value.values() if isinstance(value, dict) else value
        elif value not in ("", None):
            return False
    return True
