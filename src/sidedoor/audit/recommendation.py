"""One or two sentences on what to do about a sender."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from sidedoor.audit import patterns
from sidedoor.audit.features import Features
from sidedoor.audit.hostname import HostKind, host_kind, shared_network
from sidedoor.audit.identify import claimed, proved
from sidedoor.audit.model import Verdict
from sidedoor.audit.naming import networks, printable
from sidedoor.audit.patterns import commonest
from sidedoor.policy.decision import Submission

# From this many networks on, an address list would be out of date before it is in place.
_WANDERS = 3
_EXPORT = (
    "A hunting export (EmailEvents) or an extended historical search tells more than a message trace: "
    "who authenticated, and the HELO name."
)
_SHARED = "Never a connector by address: other customers send from the same networks."


def recommend(features: Features, verdict: Verdict, tls: Sequence[str], *, would_reject: int, unknown: int) -> str:
    """Advice by verdict. `tls` are the TLS words of the flows; the counts say what RejectDirectSend would refuse."""
    match verdict:
        case Verdict.SPOOFING:
            return _against(features, would_reject=would_reject)
        case Verdict.UNCLEAR:
            return _ask(features)
        case Verdict.LEGITIMATE:
            return _migrate(features, tls, affected=would_reject + unknown > 0)


def _against(features: Features, *, would_reject: int) -> str:
    if would_reject:
        return "Nothing to migrate: RejectDirectSend stops it."
    if features.submission is Submission.UNDETERMINED:
        return "Nothing to migrate: RejectDirectSend stops it if its envelope sender is in your domain. " + _EXPORT
    if features.submission is Submission.SENT_DIRECTLY:
        return (
            "Nothing to migrate. RejectDirectSend does not stop it, because its envelope sender is foreign; "
            "a Partner connector that takes mail from your filter only does."
        )
    if features.foreign_envelope:
        return (
            "Nothing to migrate. RejectDirectSend does not stop it, because only its header From is yours and its "
            "envelope sender is foreign; DMARC at p=reject, honoured by your anti-phishing policy, does."
        )
    return (
        "Nothing to migrate. RejectDirectSend does not stop it as your connectors are; look at the decision's reason."
    )


def _ask(features: Features) -> str:
    """Whom to ask, and which export would tell."""
    subject = _subject(features)
    if features.people:
        who = f"Ask {printable(commonest(features.people))} whether this mail is theirs."
    elif features.claims:
        who = f"Ask who owns {printable(commonest(features.claims))}, and whether {subject} is yours."
    else:
        who = f"Ask your network and application owners whether {subject} is yours."
    if patterns.forwarder(features):
        who += " It looks like a forwarder."
    known = bool(features.kinds) and (features.dmarc or features.dkim or features.compauth or features.spf_exported)
    return who if known else f"{who} {_EXPORT}"


def _subject(features: Features) -> str:
    if features.service:
        return f"the service behind {printable(features.service)}"
    if not features.addresses:
        return "the sender"
    return f"{features.addresses[0]}" if len(features.addresses) == 1 else f"{networks(features.addresses)[0]}"


def _migrate(features: Features, tls: Sequence[str], *, affected: bool) -> str:
    if not affected:
        return "Nothing to do: RejectDirectSend does not affect it."
    if patterns.forwarder(features):
        return (
            "RejectDirectSend would refuse this mail and no other way of submitting helps, since others wrote it: "
            "ask the forwarding host to rewrite the envelope sender (SRS), or give it an inbound connector of its own."
        )
    entry = proved(features)
    if entry is not None:
        return f"{entry.advice} {_SHARED}" if entry.shared_addresses else entry.advice
    if features.service or _is_service(features):
        return (
            "Give the service a return path in a subdomain that is no accepted domain, or a connector by its TLS "
            f"certificate. {_SHARED}"
        )
    claim = claimed(features)
    advice = _host_advice(features, tls)
    return advice if claim is None else f"{advice} If it is {claim.entry.name}, as it says: {claim.entry.advice}"


def _is_service(features: Features) -> bool:
    """Hosts in shared networks, or foreign hosts that wander while a signature holds."""
    names = (*features.reverse, *features.hosts)
    if any(shared_network(name) for name in names):
        return True
    foreign = host_kind(commonest(features.hosts)) in {HostKind.HOST, HostKind.MAIL_HOST} and not features.own_host
    return foreign and patterns.aligned(features) and any("." in host for host in features.hosts)


def _host_advice(features: Features, tls: Sequence[str]) -> str:
    certificate = any(word not in {"", "none"} for word in tls) and any("." in host for host in features.hosts)
    by_certificate = " It speaks TLS under a host name: a connector by certificate is the firmer choice."
    seen = networks(features.addresses)
    if any(isinstance(address, ipaddress.IPv6Address) for address in features.addresses):
        return (
            "Connectors list no IPv6 addresses: give it a connector by TLS certificate, or let it log in "
            "(SMTP AUTH, High Volume Email or Graph)."
        )
    if not seen:
        return "Its address is unknown: find it in an export with client addresses before choosing a connector."
    if len(seen) >= _WANDERS:
        advice = (
            "Its address changes: let it log in (SMTP AUTH, High Volume Email or Graph) or relay through a fixed host."
        )
        return advice + (by_certificate if certificate else "")
    advice = f"An inbound connector for {', '.join(seen)}, provided that the address is static and nobody else's."
    return advice + (by_certificate if certificate else "")
