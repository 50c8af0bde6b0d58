"""Patterns in the measures of a sender: how it authenticates, when it works, and what spoofers do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import lru_cache
from itertools import accumulate, pairwise

from sidedoor.audit.features import Features
from sidedoor.audit.generated import generated
from sidedoor.audit.hostname import HostKind, shared_network

MOST = 0.6  # what "mostly" means of shares
NEARLY_ALL = 0.8
SHORT = 2  # days within which a campaign strikes
_MONTH = 28
MANY = 8  # recipients or names from which on a strike is a burst or a spray
_FAILS = frozenset({"fail", "softfail", "hardfail"})
_TROUBLE = frozenset({"temperror", "permerror", ""})
_ALIGNED = frozenset({"pass", "bestguesspass"})
_FILTERED = ("junked", "quarantined", "blocked")

# Several reasons ask for one pattern of the sender at hand; no more than a few senders are remembered.
_remembered = lru_cache(maxsize=4)


class Standing(Enum):
    """What authentication says of the claim to the author's domain."""

    PASSES = "passes"  # SPF of the author's domain, an aligned signature, or DMARC
    FAILS = "fails"  # asked, and none passes
    UNKNOWN = "unknown"  # no export and no DNS tells, or no record has an opinion


def share(counts: Mapping[str, int], words: Iterable[str], ignore: frozenset[str] = frozenset()) -> float:
    """Share of the results that are one of `words`; 0 where there are none."""
    if not counts:
        return 0.0
    total = sum(counts.values())
    for word in ignore:
        total -= counts.get(word, 0)
    return sum([counts.get(word, 0) for word in words]) / total if total else 0.0


def commonest(counts: Mapping[str, int]) -> str:
    """The word with most messages; the first in the alphabet among equals; "" for none."""
    return min(counts, key=lambda word: (-counts[word], word), default="")


@_remembered
def standing(features: Features) -> Standing:
    """Whether the sender authenticates as the author's domain."""
    if spf_passes(features) or aligned(features) or share(features.dmarc, _ALIGNED) >= MOST:
        return Standing.PASSES
    against = (
        share(features.spf, _FAILS) > 0
        or share(features.spf_exported, _FAILS) > 0
        or share(features.dkim, ("none", "fail")) > 0
        or share(features.dmarc, ("fail",)) > 0
        or share(features.compauth, ("fail",)) > 0
    )
    return Standing.FAILS if against else Standing.UNKNOWN


def spf_passes(features: Features) -> bool:
    """SPF of the author's own domain passes for most of the mail, now or, where unknown now, when it arrived."""
    results = features.spf or features.spf_exported
    return share(results, ("pass",), _TROUBLE) >= MOST


@_remembered
def aligned(features: Features) -> bool:
    """A valid signature on most of the mail, and DMARC content with most of it; or, without DMARC, an own signature."""
    if share(features.dkim, ("pass",)) < MOST:
        return False
    return share(features.dmarc, _ALIGNED) >= MOST if features.dmarc else signed_by_own(features)


def signed_by_own(features: Features) -> bool:
    """Whether most signers, where they are known, are the organisation's own domains."""
    return features.signed_own > 0 and features.signed_own >= MOST * sum(features.signers.values())


@dataclass(frozen=True, slots=True)
class Interval:
    """Active days that come back regularly: days between them, and how often."""

    gap: int
    times: int


def recurrence(days: Sequence[date]) -> Interval | None:
    """A weekly, monthly or other regular interval of at least three occasions; None where there is none.

    An occasion is a run of neighbouring days. Intervals may differ by a fifth, for months and weekends.
    """
    starts = [day for place, day in enumerate(days) if place == 0 or (day - days[place - 1]).days > 2]
    gaps = [(later - earlier).days for earlier, later in pairwise(starts)]
    if len(gaps) < 2:
        return None
    middle = sorted(gaps)[len(gaps) // 2]
    regular = [gap for gap in gaps if abs(gap - middle) <= max(1, middle // 5)]
    if middle < 5 or len(regular) * 5 < len(gaps) * 4:
        return None
    return Interval(middle, len(starts))


@_remembered
def persistent(features: Features) -> bool:
    """A long record: many days that reach over most of the window. A short window must be filled more densely."""
    window = features.window_days
    if window >= _MONTH:
        return len(features.days) >= 10 and features.span_days * 10 >= window * 6
    return len(features.days) >= max(5, window // 2) and features.span_days >= max(7, window * 8 // 10)


def established(features: Features) -> bool:
    """A record long enough to vouch for a sender that does not authenticate."""
    return not features.rival and (persistent(features) or recurring(features) is not None)


@_remembered
def recurring(features: Features) -> Interval | None:
    """A regular interval over three weeks and most of the window."""
    enough = max(21, features.window_days * 6 // 10)
    return recurrence(features.days) if features.span_days >= enough else None


@dataclass(frozen=True, slots=True)
class FixedHours:
    """Hours of the day (UTC), `end` not included, and the share of messages within."""

    start: int
    end: int
    share: float


@_remembered
def rhythm(features: Features) -> FixedHours | None:
    """The narrowest circular span of at most ten hours with nearly all messages; None without one or with few days.

    Of a sender that comes back at intervals fewer days are asked, and an hour or two kept.
    """
    total = sum(features.hours)
    seldom = len(features.days) < 5
    if total < 8 or (seldom and recurring(features) is None):
        return None
    running = list(accumulate(features.hours * 2, initial=0))
    for width in (1, 2) if seldom else (1, 2, 3, 6, 10):
        sums = [running[start + width] - running[start] for start in range(24)]
        best = max(range(24), key=lambda start: (sums[start], -start))
        if sums[best] >= NEARLY_ALL * total:
            return FixedHours(best, (best + width) % 24, sums[best] / total)
    return None


@_remembered
def burst(features: Features) -> bool:
    """Many recipients within two days, hardly any of them twice."""
    strikes = max(features.recipients, features.recipients_most)
    return len(features.days) <= SHORT and strikes >= MANY and strikes * 2 >= features.messages


def self_addressed(features: Features) -> bool:
    """Nearly all messages go to the address they claim to come from."""
    return features.self_share >= NEARLY_ALL


@_remembered
def lure(features: Features) -> bool:
    """A wave of self-addressed messages within a few hours. Scan-to-self is spread over days and hours."""
    busy = sum(1 for count in features.hours if count)
    return self_addressed(features) and features.messages >= 3 and len(features.days) <= SHORT and busy <= 3


@_remembered
def spray(features: Features) -> bool:
    """Many claimed addresses within two days, each for few messages; generated bounce addresses do not count."""
    if len(features.days) > SHORT or features.distinct_claims < MANY or generated(features.claims):
        return False
    return features.distinct_claims * 3 >= features.messages


@_remembered
def mostly_people(features: Features) -> bool:
    """Most of the mail claims addresses of people who log in."""
    return features.people_share >= MOST


@_remembered
def forwarder(features: Features) -> bool:
    """Own-domain mail that comes back: several people's addresses, over days, to few recipients, from a mail host.

    A signature, where its result is known, must have survived: forwarding breaks SPF, not DKIM (RFC 7208 appendix D).
    """
    names = len(features.people) if features.logins_known else len(features.claims)
    if names < 3 or len(features.days) < 3 or self_addressed(features):
        return False
    # Numbered local parts look made up, unless their owners are known to log in.
    if generated(features.claims) and not features.logins_known:
        return False
    if features.dkim and share(features.dkim, ("pass",)) < 0.5 and not features.foreign_envelope:
        return False
    if features.own_host or features.service or spf_passes(features):
        return False
    few = features.recipients <= max(3, names) or features.foreign_envelope
    return few and _from_mail_host(features)


def _from_mail_host(features: Features) -> bool:
    """Whether most mail is greeted by a mail host; where no greeting is known, logins must vouch for the people."""
    if not features.kinds:
        return features.logins_known
    kind = max(features.kinds, key=lambda kind: (features.kinds[kind], kind.value))
    dotted = features.logins_known and any("." in host for host in features.hosts)
    return kind is HostKind.MAIL_HOST or (kind is HostKind.HOST and dotted)


@_remembered
def person_borrowed(features: Features) -> bool:
    """The address of somebody who logs in, claimed for a few days only; not scan-to-self over days, no forwarder."""
    if not mostly_people(features) or forwarder(features):
        return False
    return len(features.days) <= 3 and not (self_addressed(features) and len(features.days) > SHORT)


def voucher(features: Features) -> bool:
    """Whether a device of ours is so well known at its address that others there are probably our own.

    Not a service or a foreign mail host: their addresses serve strangers too.
    """
    if features.service or forwarder(features) or any(map(shared_network, features.reverse)):
        return False
    if spf_passes(features):
        return True
    ours = features.own_host or features.kinds.get(HostKind.DEVICE, 0) * 2 > features.messages
    return persistent(features) and bool(ours) and not features.rival and not share(features.dkim, ("pass",))


@_remembered
def filtered_share(features: Features) -> float:
    """Share of the messages that the filters did not let through to the inbox."""
    return share(features.treatments, _FILTERED)


@dataclass(frozen=True, slots=True)
class Charges:
    """What speaks positively for a spoofer. `grave` are deeds no honest sender does by habit."""

    grave: int
    light: int
    support: int

    def prove(self, authentication: Standing) -> bool:
        """Whether a verdict of spoofing may rest on them: more is needed where nothing is known to fail."""
        if authentication is Standing.PASSES:
            return False
        if authentication is Standing.FAILS:
            return self.grave >= 1 or (self.light >= 1 and self.light + self.support >= 2)
        return self.grave >= 2 or (self.grave >= 1 and self.light + self.support >= 1)


@_remembered
def charges(features: Features) -> Charges:
    """Count the deeds. Names and the filters' verdict only support: honest devices have bad ones too."""
    if forwarder(features) or features.vouched:
        return Charges(0, 0, 0)
    borrowed = person_borrowed(features)
    # Forwarding breaks SPF and keeps signatures: unless their fate is known, it is the innocent explanation.
    signatures = bool(features.dkim or features.dmarc)
    once = self_addressed(features) and len(features.days) <= SHORT and not lure(features)
    nameless = features.kinds.get(HostKind.NAMELESS, 0) > 0 and features.kinds.keys() <= {HostKind.NAMELESS}
    return Charges(
        grave=lure(features) + spray(features) + (borrowed and signatures),
        light=burst(features) + once + (borrowed and not signatures),
        support=nameless + (filtered_share(features) >= MOST) + (bool(features.rival) and not mostly_people(features)),
    )
