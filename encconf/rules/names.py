"""The names of a plaintext file and of the encrypted file next to it, which ``encconf encrypt`` writes."""

from __future__ import annotations

import os


def encrypted_name(path: str) -> str:
    """Return ``secrets.enc.yaml`` for ``secrets.yaml``, "" for a name that has ``.enc`` already."""
    folder, name = os.path.split(path)
    if name == ".env":  # the extension is all there is
        return os.path.join(folder, ".enc.env")
    if name == ".enc.env":
        return ""
    stem, extension = os.path.splitext(path)
    return "" if stem.endswith(".enc") else f"{stem}.enc{extension}"


def plain_name(path: str) -> str:
    """Return the opposite of `encrypted_name`; a name without ``.enc`` stays as it is."""
    folder, name = os.path.split(path)
    if name == ".enc.env":
        return os.path.join(folder, ".env")
    stem, extension = os.path.splitext(path)
    return stem.removesuffix(".enc") + extension
