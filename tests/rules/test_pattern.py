"""Patterns mean what they mean to sops, and a hostile one costs little."""

from __future__ import annotations

import gc
import itertools
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterable

import pytest
import re2
from memory import grows_at_most
from oracle import AgeKey, Sops, SopsError
from pace import at_most
from project import Project

from encconf.errors import PatternError
from encconf.rules import pattern, plain_pattern
from encconf.rules.plain_pattern import Machine, NeedsRe2Error

# As keys of a JSON document these reach Go's regexp as they are.
TEXTS = [
    *"a b k K s S Z 1 _ - ] [ ( . é É ß ſ 日 Ω ω ² Ⅷ ǅ x",
    *("aa", "ab", "ba", "aab", "aaa", "AAA", "abab", "a b", "a.b", "a-b", "a\nb", "\na", "a\n", "\t", "x\\C"),
    *("foo.yaml", "foo.yml", "secrets/prod.enc.yaml", "data", "stringData", "password", "db_password"),
    *("\u2028", "\u2126", "\u212a", "\u0130", "\u0131", "\ufffd", "٣", "e\u0301", "{", "a{,3}", "😀"),
]


def words(text: str) -> list[str]:
    return text.split()


WHAT_PEOPLE_WRITE = words(r"""
^(data|stringData)$ \.yaml$ .*\.ya?ml ^secrets/.*\.enc\.yaml$ (?i)pass(word)? a (^|_)password$ ^[^_]
prod|data \.(yaml|yml)$ secrets[/\\] ^a.b$ ^.$ (?s)^.$
""")
FLAGS_AND_PLACES = words(r"""
^a$ \Aa\z a$ (?m)^a$ (?m)a$ \bb\b \Ba (?i)k (?i)ß (?i)ω (?i:S)x? (?i)a(?-i)B (?U)a+?b (?im-s:a) (?i)[k-s]
(?i)\x{212a} (?)a
""")
CLASSES = words(r"""
\pN \PN \p{Lu} \p{^Lu} \p{Greek} \pZ \p{Lt} \d \D\w\s [[:alpha:]]b [[:^word:]] []a]b [^]a] [a-]b [\d_] [^\D]
[\pN] [é-ü] [\x41-\x43] \W \p{Any} \p{Han} [^\n]$ [[:word:]]{3}
""")
LITERALS = words(r"\Qa.b\E \Qx\C\E \\C \Qa \x{65e5} \141 \t \_ \- \. a{,3} \{ { \012")
GROUPS_AND_REPETITION = words(r"""
(?P<n>a)b (?<n>a)b (?P<n>a)(?P<n>b) (|a)b (?:)x a{2} a{2,}? a{1000} (a*)*b a{0}b ()x (?:a|b)+?$ (a{10}){100}
\pL{3}
""")
ERRORS = words(r"""
( ) a) [ [a a** a++ a?+ * +a a{2}{3} a{1001} a{3,2} (a{100}){11} \ \Z \G \C \1 \8 \e \h \R \X \u0041 \é \xg
\x{110000} \cA (?=a) (?!a) (?<=a) (?>a) (?#c) (?x)a (?P=n) (?P<n (?P<>a) (?P<é>a) (?P<a-b>a) \p{Foo} [[:foo:]]
\Ca \.\C \C\. \Q\C\E\C [a-\d] [z-a] [\z] [\b] (?ii-) (?i [[.a.]] (?--i)
""")
PATTERNS = [
    "", "a b", *WHAT_PEOPLE_WRITE, *FLAGS_AND_PLACES, *CLASSES, *LITERALS, *GROUPS_AND_REPETITION, *ERRORS,
]  # fmt: skip


def of_sops(sops: Sops, recipient: str, text: str) -> list[bool] | None:
    """Which of TEXTS a pattern matches in the real sops; None if it does not compile."""
    quoted = json.dumps(text, ensure_ascii=False)
    rule = f"age: {recipient}, encrypted_regex: {quoted if text else '.*'}"
    config = f"creation_rules: [{{path_regex: {quoted}, {rule}}}, {{{rule}}}]"
    try:
        out = sops.encrypt(json.dumps(dict.fromkeys(TEXTS, "v")), "json", config=config)
    except SopsError as error:
        if "can not compile regexp" not in error.stderr:
            raise
        return None
    return [json.loads(out)[key] != "v" for key in TEXTS]


def of_encconf(text: str) -> list[bool] | None:
    try:
        compiled = pattern.compile(text)
    except PatternError:
        return None
    return [compiled.search(key) for key in TEXTS]


@pytest.mark.parametrize("text", PATTERNS)
def test_as_sops(text: str, sops: Sops, age_key: AgeKey) -> None:
    assert of_encconf(text) == of_sops(sops, age_key.recipient, text)


ATOMS = [
    *"aabK_-.|^$*+?()[]é日",
    *words(r"\pN \PL \d \W \s \b \B \A \z \Q \E \C \x41 \1 \. [\d-z] [^\D] \p{Greek}"),
    *words("(?i) (?m) (?s) (?U) (?: (?i: (?P<n> (?P<é> (?= {2} {2,} {,3} {1001} *? +? ??"),
    *words("[a-c] [^a] [[:alpha:]] []a] [a-] aa b"),
]


@pytest.mark.parametrize("seed", range(60))
def test_random_patterns_as_sops(seed: int, sops: Sops, age_key: AgeKey) -> None:
    dice = random.Random(seed)
    text = "".join(dice.choices(ATOMS, k=dice.randint(1, 6)))
    assert of_encconf(text) == of_sops(sops, age_key.recipient, text), text


# --- what is not UTF-8 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "given", "found"),
    [  # measured with Go 1.24's regexp.Match
        ("^.$", b"\xff", True),
        ("^.{2}$", b"\xe2\x82", True),
        (r"^\W$", b"\xff", True),
        (r"^a.b$", b"a\xffb", True),
        ("\ufffd", b"a\xffb", True),
        ("ÿ", b"\xff", False),
        ("^a$", b"a\xff", False),
        ("^.$", "日".encode(), True),
        ("^.$", "\udcff", True),  # a byte of a file's name, as os.fsdecode gives it
        (r"^.\.yaml$", "\udce9.yaml", True),
    ],
)
def test_bytes_that_are_not_utf8(text: str, given: str | bytes, found: bool) -> None:
    assert pattern.compile(text).search(given) is found


def as_go_reads(data: bytes) -> str:
    """Each byte that begins no valid character is one U+FFFD."""
    text = ""
    while data:
        for size in range(1, 5):
            try:
                text += data[:size].decode()
            except UnicodeDecodeError:
                continue
            data = data[size:]
            break
        else:
            text, data = text + "\ufffd", data[1:]
    return text


def test_every_short_sequence_of_bytes_is_read_as_go_reads_it() -> None:
    some = b"\x00A\x7f\x80\x90\x9f\xa0\xbf\xc0\xc2\xe0\xed\xf0\xf4\xff"
    for size in range(4):
        for each in itertools.product(some, repeat=size):
            data = bytes(each)
            compiled = pattern.compile(f"^{as_go_reads(data)}$")
            assert compiled.search(data), data
            assert compiled.search(data.decode(errors="surrogateescape")), data
    for char in "\ud7ff\ud800\udbff\udc00\udfff\ue000":
        shown = "\ufffd" if "\ud800" <= char <= "\udfff" else char
        assert pattern.compile(f"^a{shown}b$").search(f"a{char}b")


def test_a_lone_surrogate_is_no_pattern() -> None:
    with pytest.raises(PatternError, match="lone surrogate"):
        pattern.compile("a\ud800")


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("^(?!a)b", 'invalid perl operator "(?!" at character 2'),
        ("日a++", 'bad repetition operator "++" at character 3'),
        ("x{1001}y", 'invalid repetition size "{1001}" at character 2'),
        ("[z-a]", 'invalid character class range "z-a" at character 2'),
        (r"ab\C", r'invalid escape sequence "\C" at character 3'),
        ("*a", 'no argument for repetition operator "*" at character 1'),
        ("(?P<é>a)", 'invalid named capture group "<é>" at character 4'),
        ("(ab", "missing )"),
        ("\\", "trailing \\"),
    ],
)
def test_an_error_says_what_and_where(text: str, said: str) -> None:
    with pytest.raises(PatternError) as caught:
        pattern.compile(text)
    assert caught.value.message.endswith(said)
    assert f'"{text}"' in caught.value.message
    assert "RE2" in str(caught.value.hint)
    assert caught.value.exit_code == 1


def test_an_error_moves_no_cursor_and_fills_no_screen() -> None:
    with pytest.raises(PatternError) as caught:
        pattern.compile("\x1b[2J(\n" + "a" * 4000)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


# --- limits --------------------------------------------------------------------------------------


def test_length() -> None:
    assert pattern.compile("a" * pattern.MAX_LENGTH).search("b") is False
    with pytest.raises(PatternError, match="too long"):
        pattern.compile("a" * (pattern.MAX_LENGTH + 1))


@pytest.mark.parametrize(
    "text", [r"\pL{1000}", r"\PL" * 1300, r"(?i)\pL{99}" * 300, "((a{10}){10}){10}" * 240]
)
def test_programs_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(PatternError):
        pattern.compile(text).search("a" * 100_000)


HOSTILE = {
    "groups": "()" * 2000,
    "nested stars": "(" * 900 + "a" + ")*" * 900,
    "many stars": "(a*)*" * 800,
    "a wide window": "[a-g]*a[a-g]{1000}$",
    "any and again": "(?s)" + ".*a.{30}" * 30 + "$",
    "optional": "(x?){500}x{500}",
    "alternatives": "(a|b|c|d|e|f|g){1000}" * 8,
    "deep repetition": "((a{10}){10}){10}" * 9,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pattern_takes_neither_time_nor_memory(name: str) -> None:
    dice = random.Random(1)
    keys = ["".join(dice.choices("abcdefgx", k=1000)) for _ in range(50)]
    before = time.process_time()
    compiled = pattern.compile(HOSTILE[name])
    with grows_at_most(64 << 10):
        try:
            for number in range(20_000):
                compiled.search(f"{number}{keys[number % 50]}")
                if time.process_time() - before > 30:
                    pytest.fail("still not refused")
        except PatternError as error:
            if "too long" not in error.message:
                raise


@pytest.mark.parametrize("name", ["a wide window", "any and again", "alternatives", "deep repetition"])
def test_a_large_pattern_is_refused_before_it_has_taken_a_second(name: str) -> None:
    compiled = pattern.compile(HOSTILE[name])
    text = "q" * 1000

    def search() -> None:
        for _ in range(500):
            compiled.search(text)

    with pytest.raises(PatternError, match="takes too long"):
        search()


def test_an_ordinary_pattern_is_never_too_much() -> None:
    words = (("db", "api", "smtp", "oauth"), ("user", "pass", "token"), ("dev", "test", "prod"))
    names = "|".join("_".join(name) for name in itertools.product(*words))
    compiled = pattern.compile(f"^({names})$")
    with at_most(5):
        assert sum(compiled.search(f"service_{number}_password_prod") for number in range(100_000)) == 0
        assert compiled.search("smtp_token_test")


def test_re2_is_loaded_by_the_first_pattern_only() -> None:
    code = "import sys, encconf.rules.pattern as p; a = 're2' in sys.modules; p.compile('a'); assert not a"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- without google-re2 -------------------------------------------------------------------------------

PLAIN = words(r"""
a b k S é . \. [ab] [^a] [a-k] [^/] \d \w \W \s [\w-] []a] [^]k] [a-] [-a] [à-é] 1 / _ \- ^ $ \A \z [+--]
[a-b-k] - foo (yaml|json) (?:a|b)
""")
"""What a pattern without google-re2 may consist of."""


def plain(draw: random.Random, depth: int) -> str:
    """A random pattern that does not need google-re2."""
    kind = draw.choice(["one", "one", "group", "or", "and"] if depth else ["one"])
    if kind == "one":
        text = draw.choice(PLAIN)
    elif kind == "group":
        text = f"({plain(draw, depth - 1)}{draw.choice(['', '|'])})"
    else:
        text = plain(draw, depth - 1) + ("|" if kind == "or" else "") + plain(draw, depth - 1)
    if text[-1] in ")]abS." and draw.random() < 0.3:
        text += draw.choice(["*", "+", "?", "*?", "+?"])
    return text


@pytest.fixture
def without_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)


def test_without_re2_a_plain_pattern_means_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """RE2 itself is the judge of random patterns, and of those that people write."""
    draw = random.Random(0)
    patterns = [draw.choice(["", "(?i)", "(?s)"]) + plain(draw, 3) for _ in range(500)]
    patterns = [*(each for each in patterns if "(?i)" not in each or "é" not in each), *WHAT_PEOPLE_WRITE]
    patterns += [r"\t", r"a\n", "[[a]b", "[a:]b", "[:a]b", r"[\t-a]b", "^a*$", "^(ab)*$", "(a?)*b"]
    some = [
        "".join(draw.choices("abkKsS.\n1/_-]é\u212a\u017f +", k=size)) for size in range(9) for _ in "123"
    ]
    texts = [*some, *TEXTS, *WHAT_PEOPLE_WRITE, b"\xff".decode(errors="surrogateescape")]

    def results() -> list[list[bool]]:
        return [list(map(pattern.compile(each).search, texts)) for each in patterns]

    assert repr(pattern.compile("^a")) == "Pattern('^a')"
    with_re2 = results()
    monkeypatch.setitem(sys.modules, "re2", None)
    for text, expected, found in zip(patterns, with_re2, results(), strict=True):
        assert found == expected, text
    assert sum(map(sum, with_re2)) > len(patterns)


def strings(pieces: Iterable[str], sizes: Iterable[int]) -> list[str]:
    """All texts of so many pieces."""
    every = list(pieces)
    return ["".join(each) for size in sizes for each in itertools.product(every, repeat=size)]


ASCII = list(map(chr, range(128)))
FOLDED = "ksé\u212a\u017f"
FLAGS = ["", "(?i)", "(?s)", "(?is)", "(?si)", "(?i)(?s)"]
SMALL = {
    "structure": strings(r"ab^$.*+?|()\-]", range(4)) + strings("ab$*?|()", [4]),
    "classes": [f"[{each}]" for each in strings(words(r"a b k - ^ ] \d \D \- \] [ : \\ \x"), range(4))],
    "escapes": [
        f"{flags}{before}\\{char}{after}"
        for char, flags in itertools.product([*ASCII, *"é£"], ["", "(?is)"])
        for before, after in (("", ""), ("[", "]"), ("[^", "]"), ("[!-", "]"), ("[", "-~]"), ("", ".+"))
    ],
    "literals": [
        f"{flags}{before}{char}{after}"
        for char, flags in [
            *itertools.product(ASCII, FLAGS[:2]),
            *itertools.product("ksé\u212a\u017f", FLAGS),
        ]
        for before, after in (("", ""), ("[", "]"), ("[^", "]"), ("[!-", "]"), ("[", "-~]"), ("a", "."))
    ],
    "flags": strings(words("(?i) (?s) (?is) (?m) (?-i) (?: (?i: (? ? ( ) k . | *"), range(4)),
}
"""All small patterns of some pieces."""
SMALL_TEXTS = [
    *("", *"abkKsS-^]5 \t\n_.é\u212a\u017f", "a\nb"),
    *words("aa ab ba bb aab abb bab a- -- aaab (a)"),
]
READ = re.compile(
    r"""(?xs)
    (?: \(\?(?:i|s|is|si)\) )*
    (?: \((?:\?:|(?!\?)) | \|
      | (?: \^ | \$ | \\[Az] ) (?![*+?{])
      | (?: \) | [^\\(){}\[\]^$.|*+?] | \. | \\[DWS] | ESCAPE
          | \[\^?+\]?+ (?: [^\]\\\[] | \[(?!:) | ESCAPE )*\] )
        (?: [*+?]\?? (?![*+?{]) )?
    )*""".replace("ESCAPE", r"\\(?:[dwstnr]|[^0-9A-Za-z\x80-\U0010ffff])")
)
"""What a pattern without google-re2 may consist of, as the module says."""


@pytest.mark.parametrize("name", SMALL)
def test_without_re2_every_small_pattern_means_the_same_or_is_refused(name: str) -> None:
    """RE2 is the judge of what each matches, and `READ` of what is refused."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    read = 0
    for text in dict.fromkeys(SMALL[name]):
        if "-[:" in text:
            continue  # a range up to a bracket, or a class with a name
        try:
            judge = re2.compile(text.encode(), options)
        except re2.error:
            judge = None
        plain = READ.fullmatch(text) and (text.isascii() or not re.match(r"\(\?s?i", text))
        try:
            machine = Machine(text)
        except NeedsRe2Error:
            assert not (judge and plain), text
            continue
        assert judge, text
        assert plain, text
        read += 1
        for each in SMALL_TEXTS:
            assert machine.search(each) is (judge.search(each.encode()) is not None), (text, each)
    assert read > 150


def test_without_re2_few_steps_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many different texts are searched, and whatever was kept is right."""
    monkeypatch.setattr(plain_pattern, "MAX_KEPT", 500)
    text = "(a|b)*a" + "(a|b)" * 9  # has a thousand states
    machine, judge = Machine(text), re2.compile(text)
    draw = random.Random(0)
    for _ in range(300):
        text = "".join(draw.choices("aabbc", k=60))
        assert machine.search(text) is (judge.search(text) is not None)
    seen: set[int] = set()
    waiting: list[object] = [*vars(machine).values()]
    states = 0
    while waiting:
        for each in (here := waiting.pop(), *gc.get_referents(here)):
            is_state = type(each).__name__ == "_State"
            if id(each) not in seen and (is_state or isinstance(each, dict)):
                seen.add(id(each))
                waiting.append(each)
                states += is_state
    assert 1 < states < 200


def test_without_re2_groups_may_be_fifty_deep() -> None:
    assert Machine("(" * 50 + "a" + ")" * 50).search("a")
    with pytest.raises(NeedsRe2Error):
        Machine("(" * 51 + "a" + ")" * 51)


@pytest.mark.usefixtures("without_re2")
@pytest.mark.parametrize(
    "text", [r"a{2}", r"\bx", r"\pL", "[[:alpha:]]", "(?m)^a", "(?i)é", "(", "[a", "a\\", "a**", "(?P<n>a)"]
)
def test_without_re2_others_are_refused(text: str) -> None:
    with pytest.raises(PatternError, match="is wrong, or needs the package google-re2") as found:
        pattern.compile(text)
    assert (found.value.hint or "").startswith("pip install google-re2")


@pytest.mark.usefixtures("without_re2")
@pytest.mark.parametrize("text", ["(a*)*b", "(a|aa)+b", "(a|a)*(a|a)*(a|a)*b", ".*.*.*.*.*=.*b", "((a?)+)+b"])
def test_without_re2_a_hostile_pattern_takes_no_time(text: str) -> None:
    """Each takes Python's `re` exponential or polynomial time."""
    compiled = pattern.compile(text)
    with at_most(2):
        assert not compiled.search("a" * 200_000)


@pytest.mark.usefixtures("without_re2")
def test_without_re2_a_large_pattern_ends() -> None:
    """Each text leads through other nodes, so that few steps can be reused."""
    compiled = pattern.compile("(a|b)*a" + "(a|b)" * 800)
    text = "".join(random.Random(0).choices("ab", k=700_000))
    with at_most(10), pytest.raises(PatternError, match="takes too long"):
        any(compiled.search(text[at : at + 700]) for at in range(0, len(text), 700))


def test_without_re2_the_main_job_works(project: Project) -> None:
    project.write("app.yaml", "db:\n    password: hunter2-and-more\n    port: 5432\n")
    encconf = "import sys; sys.modules['re2'] = None; from encconf.cli import run; run()"
    code = "import os; print(os.environ['DB_PASSWORD'], os.environ['DB_PORT'])"
    show = ["exec", "--redact", "app.enc.yaml", "--", sys.executable, "-c", code]
    said = []
    for words in (["init"], ["encrypt", "app.yaml"], ["check"], show):
        done = subprocess.run(
            [sys.executable, "-c", encconf, *words],
            cwd=project.folder,
            env=project.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        said.append((words[0], done.returncode, done.stderr))
    assert said == [(words, 0, said[at][2]) for at, words in enumerate(["init", "encrypt", "check", "exec"])]
    assert "hunter2" not in done.stdout
