"""Search for an identity that opens an age file, in one place after another.

The places are those of sops 3.13.3 (age/keysource.go), but the search stops at the first identity that opens
the file.  Identities that a person must unlock come last.  SSH keys are read only if the file is encrypted
for one, or for an age recipient that may be derived from one.
"""

from __future__ import annotations

from encconf.errors import NO_IDENTITY, BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.identities.places import AgeSource
from encconf.keys.age_identity import SSH, Identity, Locked, LockedSsh, derived, identities_in, label_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from encconf.keys.age_identity import Stanza


class Search:
    """One search.  ``looked`` are the places that were read, and ``trouble`` is what failed there."""

    def __init__(self, recipient: str, enc: str, stanzas: list[Stanza], credentials: Credentials) -> None:
        self._recipient = recipient
        self._file = enc.encode()
        self._stanzas = stanzas
        self._credentials = credentials
        self._over_ssh = any(kind in SSH for kind, _ in stanzas)
        self.looked: list[AgeSource] = []
        self.trouble: list[MasterKeyError] = []

    def run(self) -> bytes:
        """Return the content of the file.  Raises NotMyKeyError and MasterKeyError."""
        for identity in self._identities():
            try:
                data_key = identity.open(self._file, self._credentials)
                if data_key is not None:
                    self._notify_of_broken()
                    return data_key
                if identity.is_for(self._recipient):
                    raise MasterKeyError("your identity matches but does not open it: the entry was changed")
            except MasterKeyError as error:
                self.trouble.append(error)
        raise self._failure()

    def _identities(self) -> Iterator[Identity]:
        """Yield the identities in all places.  Those that a person must unlock come last.

        Of these, SSH keys that the recipient is derived from come first.
        """
        related: list[Locked] = []
        locked: list[Locked] = []
        for source in self._credentials.age_sources():
            identities = self._relatives(source)
            if not source.ssh or self._over_ssh:
                identities += identities_in(source, self._recipient, self._credentials)
            elif not identities:
                continue
            self.looked.append(source)
            for identity in identities:
                if not isinstance(identity, Locked):
                    yield identity
                elif source.how == "source" and self._credentials.named("age_passphrase")[1]:
                    # A named place comes before others, unless a person must be asked.
                    yield from self._unlocked(identity)
                elif isinstance(identity, LockedSsh) and identity.derive:
                    related.append(identity)
                else:
                    locked.append(identity)
        for lock in [*related, *locked]:
            yield from self._unlocked(lock)

    def _unlocked(self, lock: Locked) -> Sequence[Identity]:
        try:
            return lock.unlock(self._stanzas, self._credentials)
        except MasterKeyError as error:
            self.trouble.append(error)
            return []

    def _relatives(self, source: AgeSource) -> list[Identity | Locked]:
        """Return the SSH keys in a place that this recipient is derived from.

        This does not run a command: it may ask a person, and few recipients are derived.
        """
        found: list[Identity | Locked] = []
        if not _is_x25519(self._recipient) or source.how != ("file" if source.ssh else "source"):
            return found
        for identity in identities_in(source, self._recipient, self._credentials):
            public = identity.public if isinstance(identity, Locked) else identity.public()
            if not public.startswith("ssh-"):
                continue
            from encconf.keys import ssh_to_age

            try:
                if ssh_to_age.recipient(public) != self._recipient:
                    continue
                if isinstance(identity, Locked):
                    found.append(LockedSsh(identity.data, identity.place, public, derive=True))
                else:
                    found.append(derived(identity.private, public))
            except BadKeyError:  # a key of another kind
                pass
            except ValueError:  # pyrage reads less of the file than `cryptography`
                place = source.place(self._credentials.home)
                self.trouble.append(MasterKeyError(f"{place} is a damaged SSH private key"))
        return found

    def _notify_of_broken(self) -> None:
        """Notify the user if another key opened the file because a named source could not be used."""
        for source in self.looked:
            if source.how == "source" and source.broken:
                self._credentials.say(f"{self._named(source)}: {source.found}; another key opened the file")

    # --- the report ------------------------------------------------------------------------

    def _failure(self) -> MasterKeyError:
        """Return the error that says why nothing opened the file, and which places were read."""
        credentials = self._credentials
        notes = [self._place(source) for source in self.looked]
        if not self._over_ssh:
            for source in credentials.age_sources():
                if source.ssh and source.variable and source.where and source not in self.looked:
                    notes.append(f"{source.place(credentials.home)} (not read: no SSH key can open it)")
        if credentials.home is None:
            variable = "USERPROFILE" if credentials.platform == "win32" else "HOME"
            notes.append(f"{variable} (unset, so no key file can be found below it)")
        places = ", ".join(notes)
        if self.trouble:
            first = self.trouble[0]
            return MasterKeyError(f"{first.message}\nlooked in: {places}", hint=first.hint)
        broken = [source for source in self.looked if source.broken]
        if broken:
            unfit = ", ".join(map(self._named, broken))
            hint = next((source.hint for source in broken if source.hint), None)
            return MasterKeyError(f"{NO_IDENTITY}; not usable: {unfit}\nlooked in: {places}", hint=hint)
        return NotMyKeyError(f"{NO_IDENTITY}\nlooked in: {places}")

    def _place(self, source: AgeSource) -> str:
        """Return a place for the report, such as ``SOPS_AGE_KEY_FILE=~/k.txt (2 keys: age1…, age1…)``."""
        notes = []
        keys: list[str] = []
        used = source.parsed.get(self._recipient if source.how == "command" else "")
        if used is None and source.reused:
            used = next(filter(None, source.parsed.values()))
        for identity in used or ():
            if isinstance(identity, Identity):
                keys.append(label_of(identity.public()) or "an SSH key")
            elif (unlocked := identity.unlocked()) is not None:
                keys += [label_of(each.public()) for each in unlocked]
            else:
                notes.append(
                    f"protected by a passphrase{identity.public and ': '}{label_of(identity.public)}"
                )
        if keys:
            some = ", ".join(keys[:4]) + (f", and {len(keys) - 4} more" if len(keys) > 4 else "")
            notes.append(f"{len(keys)} key{'s' if len(keys) > 1 else ''}: {some}")
        if source.found or not notes:
            notes.append(source.found or "no key")
        return f"{source.place(self._credentials.home)} ({'; '.join(notes)})"

    def _named(self, source: AgeSource) -> str:
        """Return the variable that names the place, or the source itself."""
        return (source.variable if source.how != "source" else None) or source.place(self._credentials.home)


def is_own(recipient: str, credentials: Credentials) -> bool:
    """Whether a recipient belongs to one of your identities.

    This asks no person: it knows an identity with a passphrase only if it was unlocked, and those of
    SOPS_AGE_KEY_CMD only if it was run.  That an identity opens an entry would prove nothing, since anyone
    can write another recipient into it.
    """
    for source in credentials.age_sources():
        if source.how == "command":
            found = [identity for identities in source.parsed.values() for identity in identities]
        else:
            found = [*identities_in(source, recipient, credentials)]
        for identity in found:
            for each in (identity.unlocked() or ()) if isinstance(identity, Locked) else (identity,):
                if each.is_for(recipient):
                    return True
            public = identity.public if isinstance(identity, Locked) else identity.public()
            if public == " ".join(recipient.split()[:2]):
                return True
            if public.startswith("ssh-ed25519 ") and _is_x25519(recipient):
                from encconf.keys import ssh_to_age

                try:
                    if ssh_to_age.recipient(public) == recipient:
                        return True
                except BadKeyError:  # a damaged key
                    pass
    return False


def _is_x25519(recipient: str) -> bool:
    return recipient.startswith("age1") and recipient.count("1") == 1
