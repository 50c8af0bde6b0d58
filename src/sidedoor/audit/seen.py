"""Flows as the grouping sees them: with SPF looked up once, and undetermined ones beside those they belong to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sidedoor.audit.context import SpfEvidence, SpfLookup
from sidedoor.audit.flow import Flow
from sidedoor.mail.domain import Domain
from sidedoor.mail.network import IPAddress, NetworkError, parse_ip
from sidedoor.policy.decision import Submission

# A determinate submission that an undetermined flow of the same address and sender joins, the likeliest first.
_DETERMINATE = (Submission.DIRECT_SEND, Submission.SENT_DIRECTLY, Submission.INTERNET)
_LEAVES = re.compile(r"[+?~-]?(?:include:|redirect=)(?P<target>.+?)\.?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Service:
    """A network of somebody else that the envelope domain's SPF record lets send: `include:spf.fabrikam.com`."""

    term: str
    owner: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A flow with what DNS and the other flows of its address say of it."""

    flow: Flow
    submission: Submission  # the flow's own, or that of the sender it joins
    address: IPAddress | None
    client: str  # the address as text, "" for none
    spf: SpfEvidence | None
    service: Service | None
    claims: tuple[tuple[str, int], ...]  # (address, messages) it sends as


def see(flows: Sequence[Flow], spf: SpfLookup) -> list[Seen]:
    """Look up SPF once per domain and address, and let undetermined flows join a determinate sender."""
    addresses = {text: _address(text) for text in {flow.client_ip for flow in flows}}
    clients = {text: str(address or "") for text, address in addresses.items()}
    determined = _determined(flows)
    lookups: dict[tuple[str, str], tuple[SpfEvidence | None, Service | None]] = {}
    seen = []
    for flow in flows:
        domain, address = sending_domain(flow), addresses[flow.client_ip]
        evidence: SpfEvidence | None = None
        service = None
        if address is not None and domain:
            key = (domain, clients[flow.client_ip])
            if key not in lookups:
                answer = spf(*key)
                lookups[key] = (answer, _service(domain, answer))
            evidence, service = lookups[key]
        submission = flow.decision.submission
        if submission is Submission.UNDETERMINED:
            submission = _joined(flow, determined)
        seen.append(Seen(flow, submission, address, clients[flow.client_ip], evidence, service, claimed(flow)))
    return seen


@lru_cache(maxsize=65536)
def _address(text: str | None) -> IPAddress | None:
    try:
        return parse_ip(text) if text else None
    except NetworkError:
        return None


def sending_domain(flow: Flow) -> str:
    """The envelope domain, or the listed one where only that is known; "" for the null sender or none."""
    domain = flow.listed_domain if flow.envelope_domain is None else flow.envelope_domain
    return "" if domain in {None, "<>"} else str(domain)


def claimed(flow: Flow) -> tuple[tuple[str, int], ...]:
    """(address, messages) the flow sends as: envelope senders, or header From where they say nothing."""
    named = [(text.lower(), count) for text, count in flow.envelope_senders if text != "<>"]
    return tuple(named or [(text.lower(), count) for text, count in flow.header_froms])


def _determined(flows: Iterable[Flow]) -> Mapping[tuple[str, str], Submission]:
    found: dict[tuple[str, str], Submission] = {}
    for flow in flows:
        submission = flow.decision.submission
        if submission not in _DETERMINATE or not flow.client_ip:
            continue
        for text, _ in claimed(flow):
            key = (flow.client_ip, text)
            found[key] = min(found.get(key, submission), submission, key=_DETERMINATE.index)
    return found


def _joined(flow: Flow, determined: Mapping[tuple[str, str], Submission]) -> Submission:
    joins: Counter[Submission] = Counter()
    for text, count in claimed(flow):
        submission = determined.get((flow.client_ip or "", text))
        if submission is not None:
            joins[submission] += count
    return min(joins, key=lambda found: (-joins[found], found.value), default=Submission.UNDETERMINED)


def _service(domain: str, evidence: SpfEvidence | None) -> Service | None:
    """The first include or redirect on the path that leaves the organisation's own names (RFC 7208 section 5.2)."""
    if evidence is None or evidence.result != "pass":
        return None
    own = Domain(domain)
    for _, term in evidence.path:
        match = _LEAVES.fullmatch(term)
        if match is None:
            continue
        target = Domain(match["target"].lower())
        if not (target.is_at_or_under(own) or own.is_under(target)):
            return Service(term.lower().lstrip("+-?~"), evidence.owner)
    return None
