"""Values that a reader of unit files or env files may misread."""

from __future__ import annotations

AWKWARD = [
    "plain", "two words", "a#b", "a #b", "# c", ";", "a;b", '"quoted"', "'single'", "it's", "it's \"both\"",
    "$HOME ${HOME} $(id)", "it's $HOME", "back\\slash", "it's \\ \\\\ \\n", "C:\\new", "`id`", "it's `id`",
    "one\ntwo\n", "it's\ntwo\\\nthree", "a\r\nb", "\r", "ünï☃\U0001f600", " spaces ", "trailing  ",
    "\ttab\t", "", "=", "-n", "%41 %h %%", "\x01\x1b[0m\x7f", "\u2028\x85\ufeff", "'", '"', "\\", "\\\\",
    "a'b\"c`d$e\\f", "x" * 5000,
]  # fmt: skip
