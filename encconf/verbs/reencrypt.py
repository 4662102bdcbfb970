"""Encrypt a plaintext by a rule or with the keys of an encrypted text, in its own or another format."""

from __future__ import annotations

from encconf import formats
from encconf.engine import sealing
from encconf.engine.admission import Admission, rule_of
from encconf.errors import AlreadyEncryptedError, LostBlockError
from encconf.formats import sniff
from encconf.identities.credentials import Credentials
from encconf.rules.config import Rule
from encconf.text.document import Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.metadata import Opened
    from encconf.engine.opening import Notify


def refuse_encrypted(text: str, name: str, format: str) -> None:
    """Raise AlreadyEncryptedError if a text is a SOPS file of a format other than ``format``.

    Raises LostBlockError for a file of an unknown name that was one.

    `encconf.engine.sealing.encrypt` itself refuses a SOPS file of the same format.
    """
    if (found := sniff.find(text, name)) not in (None, format):
        raise AlreadyEncryptedError(
            f"this is already a SOPS file, in {found} format",
            hint="to change it: encconf edit FILE; to encrypt it again as a whole: --input-type binary",
        )
    if found is None and formats.get(format).single_value and sniff.has_ciphertext(text):
        raise LostBlockError("a value in it")


def encrypt_again(
    opened: Opened,
    plain: str | Document,
    rule: Rule | None = None,
    *,
    target: str | None = None,
    new_data_key: bool = False,
    admission: Admission | None = None,
    edits: bool = True,
    credentials: Credentials | None = None,
    notify: Notify | None = None,
) -> str:
    """Return the encrypted text of an opened file, with another plaintext, rule, data key or format.

    Without a ``rule``, the file keeps its keys and its selection.  If a data key must be wrapped, the
    ``admission`` decides for whom.  Unchanged values keep their ciphertexts, unless the file gets a new data
    key.  It always gets one if ``target`` is another format, and if the plaintext does not come from the file
    (``edits`` is False) and the file may be a stranger's.
    """
    format = opened.document.format
    twin: Opened | None = opened
    admission = admission or Admission.of(rule)
    if target not in (None, format):
        plain = plain_as(plain, format, target)
        twin, new_data_key, format = None, False, target
    if twin is None or new_data_key:
        rule = rule or rule_of(opened.metadata)
    return sealing.encrypt(
        plain,
        rule,
        format=format,
        twin=twin,
        new_data_key=new_data_key,
        admission=admission,
        edits_twin=edits,
        credentials=credentials,
        notify=notify,
    )


def plain_as(
    plain: str | Document,
    format: str,
    target: str,
    *,
    indent: int | None = None,
    rewrite: bool = False,
    whole: bool = False,
) -> str | Document:
    """Convert a plaintext to another format, or with ``rewrite`` rewrite it in its own format.

    Unless it is to be ``whole``, a format that holds one document gets the first one, as in sops.
    Raises AlreadyEncryptedError, and what reading and writing the text raise.
    """
    if format == target and not (rewrite and formats.get(format).indent is not None):
        return plain
    from encconf.formats import emit

    # The trees lack a sops block, so it would be lost: `scan_plain` refuses one.
    document = sealing.scan_plain(plain, format) if isinstance(plain, str) else plain
    trees = emit.trees_of(document)
    if whole:
        emit.refuse_several(trees, target)
    return emit.render(trees, target, indent=indent)
