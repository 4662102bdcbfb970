"""Edit a text by hand: what the editor shows, and how the saved text is encrypted.

Text in, text out.  The command line runs the editor.
"""

from __future__ import annotations

from encconf import formats
from encconf.engine import plaintext, sealing
from encconf.engine.admission import Admission, rule_of
from encconf.engine.metadata import Metadata
from encconf.errors import EncconfError, StrangerError
from encconf.identities.credentials import Credentials
from encconf.keys import TABLE, key_class
from encconf.record import Record
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT
from encconf.text.document import splice
from encconf.verbs.reencrypt import encrypt_again, plain_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.metadata import Opened
    from encconf.engine.opening import Notify
    from encconf.verbs.changes import Check


class Draft(Record):
    """The text that an editor shows, and how the saved text is encrypted.

    ``opened`` is the encrypted file, or None for a new file.  ``rule`` is None if the file keeps its keys and
    its selection; otherwise it gets a new data key.  If a data key is wrapped, the ``admission`` decides for
    whom; by default those whom the rule names.  ``edits`` is False if the text does not come from the file,
    whose data key may then be a stranger's.  ``check`` is as in `encconf.verbs.changes.change`.  ``target``
    is the format of the result, if it differs from that of the text.
    """

    text: str
    format: str
    opened: Opened | None = None
    rule: Rule | None = None
    admission: Admission | None = None
    edits: bool = True
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
        module = formats.get(self.format)
        block = module.render_block(self.opened.metadata.to_block())
        self.text = splice(self.text, module.attach(module.scan(self.text), block))
        self.shows_block = True

    def encrypted(self, edited: str, credentials: Credentials, notify: Notify) -> str:
        """Encrypt the text that the editor saved.  Raises what checking and encrypting raise."""
        if self.shows_block:
            module = formats.get(self.format)
            document = module.scan(edited)
            metadata = Metadata.of(document)
            self.rule = rule_of(metadata)
            self.admission = self._with_typed(metadata)
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
                admission=self.admission,
                edits=self.edits,
                credentials=credentials,
                notify=notify,
            )
        target = self.target or self.format
        plain = plain_as(edited, self.format, target)
        return sealing.encrypt(
            plain,
            self.rule,
            format=target,
            admission=self.admission,
            credentials=credentials,
            notify=notify,
        )

    def _with_typed(self, metadata: Metadata) -> Admission:
        """Return the admission that also has the keys which the user has typed into the block."""
        assert self.opened is not None
        before = {wrapped.key for group in self.opened.metadata.groups for wrapped in group}
        typed = [
            key_class(wrapped.key.TYPE).from_entry(wrapped.entry)
            for group in metadata.groups
            for wrapped in group
            if wrapped.key not in before and wrapped.key.TYPE in TABLE
        ]
        return (self.admission or Admission()).naming(typed)

    def rescued(self, edited: str, credentials: Credentials) -> str | None:
        """Encrypt the saved text as a binary file, even if it cannot be parsed.

        It is for the recipients of the file if they are admitted, and else only for your own keys among them.
        Returns None if that is not possible.
        """
        rule = self.rule or (rule_of(self.opened.metadata) if self.opened is not None else None)
        if rule is None:
            return None
        rule = rule.replace(selection=DEFAULT)
        admission = self.admission or Admission.of(self.rule)
        try:
            admission.admit(rule, credentials)
        except StrangerError:
            own = [key for group in rule.groups for key in group if key.is_own(credentials)]
            rule, admission = rule.replace(groups=[own], threshold=None), Admission()
        try:
            return sealing.encrypt(
                edited, rule, format="binary", admission=admission, credentials=credentials
            )
        except EncconfError:
            return None
