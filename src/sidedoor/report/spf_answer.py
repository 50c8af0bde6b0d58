"""What `sidedoor spf` has found, for its writers; and Microsoft's two opinions on how a record should end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sidedoor.mailauth.spf import SpfEvidence, SpfSet
from sidedoor.mailauth.spf.findings import Finding
from sidedoor.mailauth.spf.tree import Branch

# The name of a service by the domain of its record, None where nobody knows.
NameOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What Microsoft says about the end of a record, and where."""

    says: str
    source: str


# The two texts disagree; neither takes back the other. Whoever decides should see both.
OPINIONS = (
    Opinion(
        "soft fail (~all) beside Direct Send",
        'Exchange team blog, "Introducing more control over Direct Send in Exchange Online", 28 April 2025',
    ),
    Opinion(
        "hard fail (-all), with a DMARC policy of reject",
        "Microsoft Threat Intelligence on phishing that abuses complex routing, 6 January 2026",
    ),
)
BEARING = "Neither closes the door: SPF exempts nothing from RejectDirectSend, and Direct Send is let in without it."


@dataclass(frozen=True, slots=True)
class SpfAnswer:
    """`covers`: the addresses asked about, as written, each with what the record says."""

    spf: SpfSet
    tree: Branch
    findings: tuple[Finding, ...]
    covers: tuple[tuple[str, SpfEvidence], ...] = ()
    name_of: NameOf = lambda _: None

    @property
    def rest(self) -> SpfEvidence | None:
        """What the record says of everybody who is not listed; None where there is no record to use.

        That is what it says of the most IPv4 addresses: often its `all`, sometimes the error that comes before.
        """
        if self.tree.record is None:
            return None
        sizes: Counter[SpfEvidence] = Counter()
        for first, last, evidence in self.spf.runs(4):
            sizes[evidence] += last - first + 1
        return sizes.most_common(1)[0][0]

    def label(self, branch: Branch) -> str:
        """The name of the service that runs a branch, "" where it is the domain's own or nobody knows one."""
        return (self.name_of(branch.domain) or "") if branch.owner else ""
