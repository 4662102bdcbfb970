"""A destination rule of ``.sops.yaml``: where a file is published, and how it is encrypted there.

The types of its members are checked here.
"""

from __future__ import annotations

from encconf.rules.creation import Creation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.rules.config import Rule
    from encconf.rules.grammar import Section

TEXTS = (
    *("s3_bucket", "s3_prefix", "gcs_bucket", "gcs_prefix"),
    *("vault_path", "vault_address", "vault_kv_mount_name"),
)
"""The members that say where to publish."""


class Destination:
    """A destination rule.  ``settings`` are those of its members that say where to publish.

    `encconf.publish.find_destination` completes ``settings``, and sets ``kind`` (s3, gcs or vault) and
    ``rule``.
    The published file is encrypted by that rule; None means that it is published decrypted or as it is.
    """

    kind = ""
    rule: Rule | None = None

    def __init__(self, section: Section, notices: list[str]) -> None:
        self.place = section.place
        self.path_regex = section.string("path_regex")
        self.settings: dict[str, str | int] = {name: text for name in TEXTS if (text := section.string(name))}
        self.vault_kv_version = section.integer("vault_kv_version")
        self.omit_extensions = section.boolean("omit_extensions")
        self.recreation = Creation(section.section("recreation_rule"), notices)
        section.report(notices)
