"""Encrypted files and a key, as an application has them."""

from __future__ import annotations

from application import key as key
from application import write as write
