"""The files that both programs are given."""

from __future__ import annotations

PLAIN = """\
a:
    b: hello
    "n": 5
l:
    - 1
    - two
f: 1.5
t: 2024-01-02T00:00:00Z
nul: null
boo: true
multi: |-
    one
    two
"""

FLAT = 'a: x\nf: 1.5\nt: 2024-01-02T00:00:00Z\nboo: true\nbig: 1e+30\ni: 7\nquoted: "12"\n'

FILES = {
    "e.yaml!": PLAIN,
    "e.yml!": FLAT.replace("big: 1e+30\n", ""),
    "q.yaml!": FLAT,
    "e.json!": '{\n\t"a": {\n\t\t"b": "hello",\n\t\t"n": 5\n\t},\n\t"l": [\n\t\t1,\n\t\t"two"\n\t]\n}\n',
    "e.env!": "A=x y\n#note\nB=1\nC=two\\nlines\n",
    "e.ini!": "[s]\na = 1\nlong = two words\n\n[t]\nb = x\n",
    "comments.ini!": "a = 1\n[s]\n# one\n# two\nb = 1\n; three\n; four: 1\n;five\nc = 1\n",
    "e.bin!": "some text\nof many lines\n",
    "p.yaml": "a: 1\nb: two\n",
    "p.json": '{"a": 1}',
    "p.env": "foo = bar\n# note\nB=1\n",
    "p.ini": "[foo]\nbar = baz\n",
    "p.bin": '""{}any bytes',
    "ini.yaml!": "s:\n    int: 123\n    float: 1.23\n    bool: true\n    date: 2025-01-02\n"
    "    time: 2025-01-02 03:04:05\n    string: a b\n",
    "time.yaml!": "a: 2024-01-01\nb: 2006-01-02T15:04:05+07:06\n",
    "multi.yaml!": "a: 1\n---\nb: two\n",
    "nul.yaml!": 'a: "x\\0y"\n',
    "bad.yaml": "a: [",
    "bad.json": "{",
    "empty.yaml": "",
    "blank.yaml": " \n\n",
    "comments.yaml": "# one\n\n# two\n",
    "list.yaml": "- a\n",
}
