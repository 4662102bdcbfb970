"""A destination rule as it is written, with checked shapes; `encconf.publish` gives it its meaning."""

from __future__ import annotations

from encconf.rules.creation import Creation, report_members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.rules.grammar import Section

TEXTS = (
    *("s3_bucket", "s3_prefix", "gcs_bucket", "gcs_prefix"),
    *("vault_path", "vault_address", "vault_kv_mount_name"),
)
"""The members that say where."""


class DestinationRule:
    """``settings`` are those of the `TEXTS` that it has; ``recreation`` is how a file is encrypted there."""

    def __init__(self, section: Section, notices: list[str]) -> None:
        known = ("path_regex", *TEXTS, "vault_kv_version", "recreation_rule", "omit_extensions")
        section.report(known, notices)
        self.place = section.place
        self.path_regex = section.string("path_regex")
        self.settings = {name: text for name in TEXTS if (text := section.string(name))}
        self.vault_kv_version = section.integer("vault_kv_version")
        self.omit_extensions = section.boolean("omit_extensions")
        again = section.section("recreation_rule")
        report_members(again, notices)
        self.recreation = Creation(again)
