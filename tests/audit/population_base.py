"""What a labelled random population is made of: shapes of mail, and what the exports would tell of them.

Every flow is tied to the truth by its id: `Population.truth` maps it to the name of who really sent it, and the kind.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import Enum

from sidedoor.audit.context import AssessmentContext, SpfEvidence
from sidedoor.audit.flow import Flow
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact
from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Certainty, Decision, Step, Submission, Verdict

START = date(2026, 8, 24)
QUARTER = 92
OFFICE = (7, 8, 9, 10, 12, 13, 14, 15)


class Evidence(Enum):
    """How much the exports tell."""

    FULL = "full"  # hunting data and headers: HELO, results, treatment; DNS answers
    DNS = "dns"  # a message trace, and DNS
    TRACE = "trace"  # a message trace alone


class Truth(Enum):
    """Who it really is."""

    HONEST = "honest"
    SPOOF = "spoof"


@dataclass(frozen=True)
class Spf:
    """What the fake DNS answers."""

    result: str
    path: tuple[tuple[str, str], ...] = ()
    owner: str | None = None


@dataclass(frozen=True)
class Origin:
    """Who sent a flow."""

    name: str
    kind: str
    truth: Truth


@dataclass
class Population:
    """A tenant's history."""

    domain: str
    rng: random.Random
    evidence: Evidence
    window: int = QUARTER
    flows: list[Flow] = field(default_factory=list)
    truth: dict[int, Origin] = field(default_factory=dict)
    listed: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # network -> (SPF term, owner)
    reverse: dict[str, Fact[tuple[str, ...]]] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    _asked: dict[tuple[str, str], Spf | None] = field(default_factory=dict)

    def spf(self, domain: str, address: str) -> SpfEvidence | None:
        """The fake DNS: own networks pass, services pass through their include, the rest fails softly."""
        if self.evidence is Evidence.TRACE:
            return None
        ip = ipaddress.ip_address(address)
        for network, (term, owner) in self.listed.items():
            if ip in ipaddress.ip_network(network):
                return Spf("pass", ((domain, term),), owner)
        if domain == self.domain or domain.endswith("." + self.domain):
            return Spf("softfail", ((domain, "~all"),))
        return Spf("pass", ((domain, "ip4:" + address),))

    def context(self) -> AssessmentContext:
        """What `make_senders` is told."""
        start = datetime.combine(START, datetime.min.time(), UTC)
        window = (start, start + timedelta(days=self.window) - timedelta(seconds=1))
        logins = {} if self.evidence is Evidence.TRACE else dict.fromkeys(self.people, 40)
        domains = {Domain(self.domain), Domain(f"{self.domain.partition('.')[0]}.onmicrosoft.com")}
        reverse = {} if self.evidence is Evidence.TRACE else self.reverse
        return AssessmentContext(frozenset(domains), window, self.spf, reverse, logins)

    def add(self, origin: Origin, shape: Shape) -> None:
        """One flow, with what the exports would tell of it."""
        number = len(self.flows) + 1
        self.flows.append(_flow(self, number, shape))
        self.truth[number] = origin


@dataclass(frozen=True)
class Shape:
    """What a flow looks like to somebody who knows everything. `senders` and `days` map to messages."""

    ip: str
    helo: str
    senders: Mapping[str, int]
    days: Mapping[int, int]
    recipients: int
    hours: Sequence[int] = OFFICE
    self_addressed: float = 0.0
    dkim: str = "none"
    envelope_domain: str | None = None
    junk: float = 0.0
    tls: str = "none"
    foreign: bool = False  # a foreign envelope sender under an own-domain header From


def _flow(population: Population, number: int, shape: Shape) -> Flow:
    rng, full = population.rng, population.evidence is Evidence.FULL
    messages = sum(shape.days.values())
    days = tuple(START + timedelta(days=day) for day in sorted(shape.days))
    hours = [0] * 24
    for _ in range(messages):
        hours[rng.choice(shape.hours)] += 1
    busy = [hour for hour, count in enumerate(hours) if count]
    domain = shape.envelope_domain or population.domain
    decision = _decision(foreign=shape.foreign, determined=population.evidence is Evidence.FULL)
    senders = tuple(sorted(shape.senders.items(), key=lambda item: (-item[1], item[0])))
    envelopes = ((f"bounce@{domain}", messages),) if shape.foreign else senders
    flow = Flow(
        id=number,
        client_ip=shape.ip,
        envelope_domain=domain,
        listed_domain=None,
        header_from_domain=population.domain,
        helo=shape.helo,
        tls=shape.tls,
        connector="",
        direction="incoming",
        decision=decision,
        messages=messages,
        distinct_senders=len(envelopes),
        distinct_recipients=min(shape.recipients, messages),
        self_addressed=round(messages * shape.self_addressed),
        first_seen=datetime.combine(days[0], datetime.min.time(), UTC) + timedelta(hours=busy[0]),
        last_seen=datetime.combine(days[-1], datetime.min.time(), UTC) + timedelta(hours=busy[-1]),
        days=days,
        hours=tuple(hours),
        envelope_senders=envelopes[:50],
        header_froms=senders[:50],
        own_header_from=True,
    )
    if full:
        return _with_results(flow, population, shape, messages)
    return replace(flow, helo=None, tls=None, connector=None)


def _with_results(flow: Flow, population: Population, shape: Shape, messages: int) -> Flow:
    domain = shape.envelope_domain or population.domain
    answer = population.spf(domain, shape.ip)
    spf = answer.result if answer else "none"
    passes = (spf == "pass" and not shape.foreign) or shape.dkim == "pass"
    junked = round(messages * shape.junk)
    treatments = {"junked": junked, "delivered": messages - junked}
    return replace(
        flow,
        spf={spf: messages},
        dkim={shape.dkim: messages},
        dmarc={"pass" if passes else "fail": messages},
        compauth={"pass" if passes else "fail": messages},
        compauth_reason={"100" if passes else "601": messages},
        treatments={word: count for word, count in treatments.items() if count},
    )


def _decision(*, foreign: bool, determined: bool) -> Decision:
    submission, refused = Submission.UNDETERMINED, None
    if determined:
        submission, refused = (Submission.INTERNET, False) if foreign else (Submission.DIRECT_SEND, True)
    return Decision(
        Verdict.ACCEPT, Reply(250, "2.1.5", "OK"), submission, Step.ACCEPTED, Certainty.DOCUMENTED, would_reject=refused
    )


def weekdays(population: Population, first: int = 0, last: int | None = None) -> list[int]:
    """Day numbers from Monday to Friday."""
    days = range(first, population.window if last is None else last)
    return [day for day in days if (START + timedelta(days=day)).weekday() < 5]


def some(population: Population, days: Sequence[int], low: float, high: float) -> list[int]:
    """A random share, between `low` and `high`, of `days`."""
    return sorted(population.rng.sample(days, max(1, round(len(days) * population.rng.uniform(low, high)))))


def daily(rng: random.Random, days: Iterable[int], low: int, high: int) -> dict[int, int]:
    """Messages for each day."""
    return {day: rng.randint(low, high) for day in days}


def spread(rng: random.Random, names: Sequence[str], messages: int) -> dict[str, int]:
    """`messages` shared out among names, each at least one where there are enough."""
    counts = dict.fromkeys(names[:messages], 1)
    for _ in range(messages - len(counts)):
        counts[rng.choice(names)] += 1
    return counts
