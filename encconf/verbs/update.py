"""Replace the plaintext of an encrypted file."""

from __future__ import annotations

from encconf.engine import changes, checks
from encconf.engine.changes import report
from encconf.errors import EmptyDocumentError, MissingFileError, about
from encconf.io.descriptors import is_terminal
from encconf.record import Options as Base
from encconf.verbs import files
from encconf.verbs.set import scan_to_change, write_changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.opening import Opened
    from encconf.verbs.front import Front


class Options(Base):
    """The file, and the ``source`` of its new plaintext: the name of a file, or None for stdin."""

    file: str
    source: str | None = None
    dry_run: bool = False
    allow_plaintext: bool = False
    input_type: str | None = None
    config: str | None = None


def run(options: Options, front: Front) -> None:
    """Replace the plaintext of an encrypted file.  Unchanged values keep their ciphertexts."""
    file, config, allowed = options.file, options.config, options.allow_plaintext
    source = files.read(file, input_type=options.input_type)
    format = source.format
    if options.source is None and is_terminal(0):
        raise MissingFileError("no plaintext was given", hint="name its file: --from FILE")
    plain = files.read(options.source, input_type=format, plain=True).text
    if not plain.strip():  # usually, the program that should have written it failed
        raise EmptyDocumentError(
            "the new plaintext is empty; nothing was changed",
            hint="to remove all values, use encconf edit FILE",
        ).about(file)
    before: list[str] = []
    refuse = checks.refuse_plaintext(file, config, allowed=allowed, warn=front.warn)

    def check(opened: Opened, old: str, new: str) -> None:
        before[:] = [old]
        refuse(opened, old, new)

    with about(file):
        document, admission = scan_to_change(front, file, source.text, format, config)
        enc = changes.update(
            document,
            format,
            plain,
            credentials=front.credentials(),
            admission=admission,
            check=check,
            notify=front.warn,
        )
    from encconf.audit.diff import between

    done = between(file, before[0], plain, format) if before else []
    if options.dry_run and enc != source.text:
        front.note(report(f"would write {file}", done))
        return
    assert source.path is not None, "update takes no stdin"
    write_changed(front, file, source.path, source.text, enc, done)
