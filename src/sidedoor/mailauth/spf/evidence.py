"""What SPF says of one address, with the terms that decide; and what is remarkable about a record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sidedoor.mailauth.spf.owner import owner_of
from sidedoor.mailauth.spf.terms import SpfResult

Path = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SpfEvidence:
    """The result for an address.

    `path`: (domain, term) from the domain asked about down to the term that decides, empty where none does.
    `cause`: a sentence. `owner`: who runs the record that decides, where an include or redirect leads to somebody
    else's domain; None where it is the domain's own. `needs_message`: undetermined only because a term asks for the
    message's HELO name, local part or reverse name; `SpfSet.check` can tell by the message. `explanation`: what the
    domain has to say to a client that fails (section 6.2), "" where it says nothing; text from a stranger.
    """

    result: SpfResult
    path: Path = ()
    cause: str = ""
    owner: str | None = None
    needs_message: bool = False
    explanation: str = ""

    def within(self, domain: str, term: str, result: SpfResult) -> SpfEvidence:
        """The same evidence seen from the record whose `term` (an include or redirect) led here."""
        return SpfEvidence(result, ((domain, term), *self.path), self.cause, self.owner, self.needs_message)


def foreign_owner(path: Path) -> str | None:
    """The owner of the first domain on the path that is not the first domain's own."""
    if not path:
        return None
    home = owner_of(path[0][0])
    return next((owner for owner in (owner_of(domain) for domain, _ in path[1:]) if owner != home), None)


class SpfWarningId(StrEnum):
    """What is worth an administrator's look; stable ids."""

    ALLOWS_ALL = "spf-allows-all"  # +all, or a network that is the whole internet
    WIDE_NETWORK = "spf-wide-network"  # a network wider than /12 (IPv4) or /32 (IPv6)
    SEVERAL_RECORDS = "spf-several-records"  # more than one SPF record: permerror
    SYNTAX = "spf-syntax"  # the record breaks the grammar: permerror
    NO_RECORD = "spf-no-record"  # an include or redirect leads to a domain without a record: permerror
    MANY_LOOKUPS = "spf-many-lookups"  # more than ten terms that ask DNS: permerror
    VOID_LOOKUP = "spf-void-lookup"  # a term's look-up came back empty; the third is a permerror
    MANY_MX = "spf-many-mx"  # an mx term with more than ten exchangers: permerror
    NEEDS_MESSAGE = "spf-needs-message"  # ptr, or macros of the message: the record alone cannot tell
    NO_ANSWER = "spf-no-answer"  # DNS failed, or could not be asked
    TOO_COMPLEX = "spf-too-complex"  # more evaluation than any honest record needs; given up


@dataclass(frozen=True, slots=True)
class SpfWarning:
    """One remark: about the record of `domain`, at `term` ("" where it is about the whole record)."""

    id: SpfWarningId
    domain: str
    term: str
    text: str
