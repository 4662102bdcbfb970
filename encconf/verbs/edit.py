"""Edit a text by hand: what the editor shows, and how the saved text is encrypted.

Text in, text out.  The command line runs the editor.
"""

from __future__ import annotations

from encconf import formats
from encconf.engine import plaintext, sealing
from encconf.engine.admission import rule_of
from encconf.engine.metadata import Metadata
from encconf.errors import EncconfError
from encconf.identities.credentials import Credentials
from encconf.record import Record
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT
from encconf.text.document import splice
from encconf.verbs.encrypt import encrypt_again, plain_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.opening import Notify, Opened
    from encconf.verbs.changes import Check


class Draft(Record):
    """The text that an editor shows, and how the saved text is encrypted.

    ``opened`` is the encrypted file, or None for a new file.  ``rule`` is None if the file keeps its keys and
    its selection; otherwise it gets a new data key.  ``check`` is as in `encconf.verbs.changes.change`.
    ``target`` is the format of the result, if it differs from that of the text.
    """

    text: str
    format: str
    opened: Opened | None = None
    rule: Rule | None = None
    check: Check | None = None
    shows_block: bool = False
    target: str | None = None

    @classmethod
    def of(cls, opened: Opened, *, unchecked: bool = False) -> Draft:
        """Return a draft with the plaintext of an opened file.

        If its MAC is ``unchecked``, its data key cannot be trusted, so the file gets a new one.
        """
        rule = rule_of(opened.metadata) if unchecked else None
        return cls(plaintext.plain_text(opened), opened.document.format, opened=opened, rule=rule)

    def show_block(self) -> None:
        """Show the sops block below the values, so that the user can change the keys there."""
        assert self.opened is not None
        module = formats.module(self.format)
        block = module.render_block(self.opened.metadata.to_block())
        self.text = splice(self.text, module.attach(module.scan(self.text), block))
        self.shows_block = True

    def encrypted(self, edited: str, credentials: Credentials, notify: Notify) -> str:
        """Encrypt the text that the editor saved.  Raises what checking and encrypting raise."""
        if self.shows_block:
            module = formats.module(self.format)
            document = module.scan(edited)
            self.rule = rule_of(Metadata.of(document))
            edited = splice(edited, module.detach(document))
        elif self.check is not None and self.opened is not None:
            self.check(self.opened, self.text, edited)
        if self.opened is not None:
            return encrypt_again(
                self.opened,
                edited,
                self.rule,
                target=self.target,
                new_data_key=self.rule is not None and not self.shows_block,
                credentials=credentials,
                notify=notify,
            )
        target = self.target or self.format
        plain = plain_as(edited, self.format, target)
        return sealing.encrypt(plain, self.rule, format=target, credentials=credentials, notify=notify)

    def rescued(self, edited: str, credentials: Credentials) -> str | None:
        """Encrypt the saved text as a binary file for the file's recipients, even if it cannot be parsed.

        Returns None if that is not possible.
        """
        rule = self.rule or (rule_of(self.opened.metadata) if self.opened is not None else None)
        if rule is None:
            return None
        rule = rule.replace(selection=DEFAULT)
        try:
            return sealing.encrypt(edited, rule, format="binary", credentials=credentials)
        except EncconfError:
            return None
