"""What the assessment is told beside the flows: the organisation's domains, the window, DNS, who logs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sidedoor.audit.elsewhere import NoReports, Reported
from sidedoor.catalogue.catalogue import Catalogue, load_catalogue
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact


class SpfEvidence(Protocol):
    """An SPF evaluation made now, for one envelope domain and one client address (RFC 7208)."""

    @property
    def result(self) -> str:
        """pass, fail, softfail, neutral, none, temperror or permerror (RFC 7208 section 2.6)."""

    @property
    def path(self) -> tuple[tuple[str, str], ...]:
        """(domain, term) from the envelope domain's record down to the term that matched."""

    @property
    def owner(self) -> str | None:
        """Who runs the network that matched, where an include names somebody; None for the organisation itself."""


# (envelope domain, client address) -> evidence, or None where DNS could not be asked.
SpfLookup = Callable[[str, str], SpfEvidence | None]


@dataclass(frozen=True, slots=True)
class AssessmentContext:
    """Everything outside the flows.

    window: the first and last instant the exports cover (UTC).
    reverse_names: client address -> names its PTR records give; an empty tuple means it has none.
    authenticated_use: address in lower case -> messages it submitted with a login or from its mailbox. An empty
    mapping means that nothing is known of logins, not that nobody logs in.
    reported: DMARC reports of other receivers.
    """

    accepted_domains: AbstractSet[Domain]
    window: tuple[datetime, datetime]
    spf: SpfLookup
    reverse_names: Mapping[str, Fact[tuple[str, ...]]] = field(default_factory=dict)
    authenticated_use: Mapping[str, int] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=load_catalogue)
    reported: Reported = field(default_factory=NoReports)
