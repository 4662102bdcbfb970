"""The keys of the user, and what to do if none of them opens a file.

`Own.advice` is the one answer: errors, `whoami`, `init` and `doctor` give it.
"""

from __future__ import annotations

from encconf.errors import SOMEBODY, YOUR_NAME, MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.age import Locked, identities_in
from encconf.text.printable import quoted


class Own:
    """The keys of the user on this machine.

    ``places`` has where each recipient's key is.  ``locked`` are the places of keys with a passphrase, whose
    recipients are not known.  ``broken`` are places that cannot be used, with the reason and perhaps a hint.
    ``empty`` are variables that are set to nothing, as in a job of CI that gets no secrets.
    ``unread`` says that a command or a store may have more keys.
    """

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self.locked: list[str] = []
        self.broken: list[tuple[str, str, str | None]] = []
        self.empty: list[str] = []
        self.unread = False

    @classmethod
    def of(
        cls, credentials: Credentials, *, commands: bool = True, stores: bool = True, pgp: bool = False
    ) -> Own:
        """Look for the keys of the user: with ``commands``, in ``stores``, and with ``pgp`` in gpg's keyring.

        A command or a store may ask a person, or take long.  If it was asked before, its answer is used.
        """
        own = cls()
        try:
            sources = credentials.age_sources()
        except MasterKeyError as error:  # the configuration file is broken
            own.broken.append(("", error.message, error.hint))
            sources = []
        for source in sources:
            if (source.may_run_program and not commands) or (source.how == "source" and not stores):
                found = [each for identities in source.parsed.values() for each in identities]
                own.unread = own.unread or (bool(source.where) and not source.parsed)
            else:
                found = [*identities_in(source, "", credentials)]
            place = source.place(credentials.home)
            for each in found:
                for identity in (each.unlocked() or ()) if isinstance(each, Locked) else (each,):
                    own.places.setdefault(identity.public(), place)
                if isinstance(each, Locked) and each.public:
                    own.places.setdefault(each.public, place)
                elif isinstance(each, Locked) and not each.unlocked():
                    own.locked.append(place)
            if source.variable is not None and source.where == "":
                own.empty.append(source.variable)
            if source.broken:
                own.broken.append((place, source.found, source.hint))
        if pgp:
            own.add_pgp(credentials)
        return own

    def add_pgp(self, credentials: Credentials) -> None:
        """Add the keys in gpg's keyring."""
        from encconf.keys.pgp import secret_fingerprints

        for fingerprint in secret_fingerprints(credentials):
            self.places.setdefault(fingerprint, "gpg")

    @property
    def recipient(self) -> str | None:
        """The recipient to send to others, or None.  A plugin's key does not know its recipient."""
        known = [each for each in self.places if each and not each.startswith("age-plugin-")]
        return next((each for each in known if each.startswith("age1")), next(iter(known), None))

    def advice(self) -> str:
        """Return what to do if none of the keys opens a file."""
        for place, found, hint in self.broken:
            what = f"{place}: {found}" if place else found
            return f"{what}; {hint}" if hint else f"correct {what}"
        if (recipient := self.recipient) is not None:
            return line_to_send(recipient)
        if self.unread:
            return "run encconf whoami, which prints your recipient and who can add it"
        if self.locked:
            return (
                f"unlock your key ({self.locked[0]}): run this in a terminal, or set ENCCONF_AGE_PASSPHRASE"
            )
        if self.places:
            return line_to_send("RECIPIENT-OF-YOUR-PLUGIN")
        create = f"create a key with encconf keygen, and send the line that it prints to {SOMEBODY}"
        if self.empty:
            return f"{self.empty[0]} is empty: set it to your key; if you have none, {create}"
        return create

    @property
    def state(self) -> str:
        """What the first line of an error says."""
        if self.places or self.locked or self.broken or self.unread:
            return "none of your keys opens this file"
        return "you have no key on this machine, so you cannot open this file"


def line_to_send(recipient: str) -> str:
    """Return the advice to send a recipient to somebody who can add it."""
    return f"send this line to {SOMEBODY}: encconf keys add --name {YOUR_NAME} {quoted(recipient)}"
