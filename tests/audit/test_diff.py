"""``encconf diff``: what it tells of two versions, with and without a key, and that it tells no values."""

from __future__ import annotations

import json
import random
import time

from audit.sealed_texts import again, seal
from audit.two_sides import changes_in, compare

NOW = "changed-canary"


def test_a_diff_is_what_was_done() -> None:
    """Random changes of random trees: each is reported, and nothing else, with one data key and with two."""
    choice = random.Random(1)
    for _ in range(60):
        tree = {f"k{number}": f"value-{choice.random()}" for number in range(choice.randrange(1, 12))}
        other = dict(tree)
        wanted = set()
        for key in list(tree):
            act = choice.randrange(4)
            if act == 0:
                del other[key]
                wanted.add(f"removed {key}")
            elif act == 1:
                other[key] = f"value-{choice.random()}"
                wanted.add(f"changed {key}")
        if choice.randrange(2):
            other["new"] = f"value-{choice.random()}"
            wanted.add("added new")
        old, new = (json.dumps(each, indent=1) + "\n" for each in (tree, other))
        sealed = seal(old, format="json")
        for after in (again(sealed, new, "json"), seal(new, format="json"), new):
            assert set(changes_in(compare(sealed, after, name="s.json"))) == wanted


def test_linear_in_the_number_of_values() -> None:
    def measure(count: int) -> float:
        old = "".join(f"- name: name-{number}\n  value: value-{number}\n" for number in range(count))
        new = "".join(
            f"- name: name-{number}\n  value: other-{number}\n" for number in range(count - 1, -1, -1)
        )
        start = time.process_time()
        found = compare(f"a:\n{old}", f"a:\n{new}")
        assert len(found.changes) >= count
        return time.process_time() - start

    measure(10)
    small, large = measure(500) + 0.05, measure(5000)
    assert large < 30 * small
