"""The ciphertexts of a text that is being encrypted: old ones for what is unchanged, and new ones."""

from __future__ import annotations

from encconf.engine import cipher
from encconf.engine.cipher import split
from encconf.engine.comments import comment_aad, stored
from encconf.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.engine.opening import Opened
    from encconf.engine.reuse import Old
    from encconf.formats import Format
    from encconf.rules.selection import Chosen, Selection
    from encconf.text.document import Document, Edit, Value

_NUMBERS = {"int", "float"}


class Ciphertexts:
    """The ciphertexts under one data key.

    ``sources`` are files under the same data key, whose ciphertexts are reused: the twin, if its data key is
    kept, and donors.  ``replaced`` is the twin, whatever its data key.
    """

    __slots__ = ("_module", "_replaced", "_sources", "encrypt")

    def __init__(
        self, module: Format, data_key: bytes, sources: Sequence[Opened], replaced: Opened | None
    ) -> None:
        self._module = module
        self._sources = sources
        self._replaced = replaced
        self.encrypt = cipher.Encryptor(data_key)

    def kept(self, plain: Document) -> list[Old | None]:
        """For each leaf of a plaintext, what has the ciphertext that it keeps, or None for a new value."""
        return self._paired(self._sources, plain)

    def of_leaves(
        self,
        plain: Document,
        chosen: bytearray,
        kept: list[Old | None],
        *,
        retypes: bool,
        integers: bool = False,
    ) -> tuple[list[Value], list[str | None], bytearray]:
        """Return each leaf's value, its ciphertext (None for plaintext), and if that was a plain scalar.

        If ``retypes`` is True, a leaf takes the type of the ciphertext that it keeps, since an old sops may
        have stored an integer as a float (see `formats.json.Json.token`).  Otherwise, a leaf keeps only a
        ciphertext of its own type.  If ``integers`` is True, an integer never becomes a float, nor a float an
        integer.
        """
        values: list[Value] = list(plain.leaves)
        encs: list[str | None] = [None] * len(plain.leaves)
        were_plain = bytearray(len(plain.leaves))
        new: list[int] = []
        # If the replaced file gets a new data key, its lines stay as they were.
        before = self._paired([self._replaced] if self._replaced and not self._sources else [], plain)
        for index, (leaf, is_chosen, old) in enumerate(zip(plain.leaves, chosen, kept, strict=True)):
            if not is_chosen or leaf.data is None or (not leaf.data and not self._module.seals_empty):
                continue
            was = old[1] if old is not None else None
            if leaf.data == self._module.null and was is not None and was.sealed is None:
                continue  # rops left it as plaintext, and would do so again
            if (
                was is not None
                and was.sealed is not None
                and (
                    was.type == leaf.type
                    or (retypes and not (integers and {was.type, leaf.type} == _NUMBERS))
                )
            ):
                values[index] = was
                encs[index] = was.sealed
            else:
                new.append(index)
                old = before[index]
            were_plain[index] = old is not None and old[0].style == ""
        made = self.encrypt.leaves([plain.leaves[index] for index in new])
        for index, enc in zip(new, made, strict=True):
            encs[index] = enc
        return values, encs, were_plain

    def _paired(self, sources: Sequence[Opened], plain: Document) -> list[Old | None]:
        """For each leaf, its old leaf in one of the sources with its value, or None."""
        if not sources:
            return [None] * len(plain.leaves)
        from encconf.engine.reuse import reused_leaves

        return reused_leaves(sources, plain, self._module)

    def of_comments(
        self, plain: Document, final: Document, chosen: Chosen, selection: Selection
    ) -> list[Edit]:
        """Return the edits that encrypt the chosen comments of the ``final`` text.  Raises ConfigError."""
        if not final.comments:
            return []
        reused: dict[int, str] = {}
        if self._sources:
            from encconf.engine.reuse import reused_comments

            reused = reused_comments(self._sources, plain, final, self._module)
        edits: list[Edit] = []
        for index, comment in enumerate(final.comments):
            if not chosen.comments[index]:
                continue
            data = stored(comment)
            if not data or split(data):
                # A comment that could not be decrypted must not be encrypted twice.
                continue
            enc = reused.get(index) or self.encrypt("comment", data, comment_aad(comment.scope.aad))
            if selection.kind == "unencrypted_comment_regex" and selection.matches(enc):
                raise ConfigError(
                    "unencrypted_comment_regex matches an encrypted comment: the file could not be read back",
                    hint="make the pattern more exact, for example by anchoring it with ^ and $",
                )
            edits.append((comment.start, comment.end, enc))
        return edits
