"""A quirk of values that begin with a quote, in dotenv files that sops wrote."""

from __future__ import annotations

import engine
import pytest
from engine import credentials
from oracle import AgeKey, Sops

from encconf import api
from encconf.engine import changes
from encconf.errors import EmitError
from encconf.verbs import rekey

TORN = ["T='$a\nabc==x'\nB=1\n", "T='$a\nX=1\nabc==x'\nB=1\n", 'T="\\\n# x\n# x"\nB=1\n']


@pytest.mark.parametrize("text", TORN)
def test_a_quote_that_a_later_line_ends(text: str, age_key: AgeKey, sops: Sops) -> None:
    """To sops it is part of a value of one line; nothing that is done to another value may lose a line."""
    theirs = sops.encrypt(text, "dotenv", age=age_key.recipient)
    creds = credentials(age_key)
    by_name = api.loads_all(theirs, format="dotenv", credentials=creds)
    plain = api.decrypt(theirs, format="dotenv", credentials=creds)
    assert plain == sops.decrypt(theirs, "dotenv") == text
    for change in (
        lambda: engine.change(theirs, "dotenv", (("B",), "2"), credentials=creds),
        lambda: engine.change(theirs, "dotenv", (("T",), "2"), credentials=creds),
        lambda: engine.change(theirs, "dotenv", (("T",), changes.REMOVED), credentials=creds),
        lambda: api.encrypt(text.replace("B=1", "B=2"), format="dotenv", twin=theirs, credentials=creds),
        lambda: rekey.carry_out(
            rekey.plan_change(theirs, rekey.with_keys, format="dotenv", new_data_key=True), credentials=creds
        ),
    ):  # fmt: skip
        with pytest.raises(EmitError, match=r"value at T begins with a quote that ends several lines later"):
            change()
    first = text.partition("\n")[0]
    mended = text.replace(first, f'T="{first[2:]}"' if "'" in first else "T='\"'")
    again = api.encrypt(mended, format="dotenv", twin=theirs, credentials=creds)
    assert {**by_name[0], "T": '"'} == {
        **api.loads_all(again, format="dotenv", credentials=creds)[0], "T": '"'
    }  # fmt: skip
    sops.decrypt(again, "dotenv")
