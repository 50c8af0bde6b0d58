"""Evidence to reasons: each function looks at one kind of evidence and yields (reason id, values for its text)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sidedoor.audit import patterns
from sidedoor.audit.features import Features
from sidedoor.audit.hostname import HostKind, fold_host, host_kind, shared_network
from sidedoor.audit.identify import in_words
from sidedoor.audit.patterns import MOST, SHORT, commonest, share
from sidedoor.catalogue.match import Strength

Found = Iterator[tuple[str, Mapping[str, object]]]
_TROUBLE = frozenset({"temperror", "permerror", ""})
_NEW_DAYS = 7


def percent(part: float) -> str:
    """0.934 as `93 %`."""
    return f"{round(part * 100)} %"


def spf(features: Features) -> Found:
    """SPF evaluated now; else as exported; else unknown."""
    now = {word: count for word, count in features.spf.items() if word not in _TROUBLE}
    then = {word: count for word, count in features.spf_exported.items() if word not in _TROUBLE}
    if features.spf_foreign * 2 > features.messages:
        yield "spf-foreign", {"domain": features.envelope_domain}
    elif now:
        yield from _spf_now(features, now)
    elif share(then, ("pass",)) >= MOST:
        yield "spf-passed-then", {"share": percent(share(then, ("pass",)))}
    elif then:
        result = commonest({word: count for word, count in then.items() if word != "pass"})
        yield ("spf-failed-then" if "fail" in result else "spf-none"), {"result": result}
    else:
        yield "spf-unknown", {}


def _spf_now(features: Features, now: Mapping[str, int]) -> Found:
    if share(now, ("pass",)) >= MOST:
        if features.service:
            owner = f", a network of {features.owner}" if features.owner else ""
            yield "spf-service", {"term": features.service, "owner": owner}
        else:
            path = features.evidence.path if features.evidence else ()
            yield "spf-listed", {"term": path[-1][1] if path else "a term of it"}
        return
    result = commonest({word: count for word, count in now.items() if word != "pass"})
    if result in {"fail", "softfail"}:
        yield f"spf-{result}", {}
    else:
        yield "spf-none", {"result": result}


def dkim(features: Features) -> Found:
    """DKIM, weighed by whether DMARC takes the signature for the author's (RFC 7489 section 3.1.1)."""
    results = {word: count for word, count in features.dkim.items() if word not in _TROUBLE}
    if not results:
        return
    if patterns.aligned(features) and features.dmarc:
        yield "dkim-aligned", {"share": percent(share(features.dmarc, ("pass", "bestguesspass")))}
    elif patterns.aligned(features):
        yield "dkim-own", {"domain": commonest(features.signers)}
    elif features.signers and not patterns.signed_by_own(features) and share(results, ("pass",)) >= MOST:
        yield "dkim-foreign", {"domain": commonest(features.signers)}
    elif share(results, ("pass",)) >= MOST:
        yield ("dkim-other-domain" if share(features.dmarc, ("fail",)) >= MOST else "dkim-valid"), {}
    else:
        yield ("dkim-none" if commonest(results) == "none" else "dkim-fail"), {}


def dmarc(features: Features) -> Found:
    """DMARC, which speaks for header From."""
    passed, failed = share(features.dmarc, ("pass", "bestguesspass")), share(features.dmarc, ("fail",))
    if passed >= MOST:
        yield "dmarc-pass", {"share": percent(passed)}
    elif failed >= MOST:
        yield "dmarc-fail", {"share": percent(failed)}


def compauth(features: Features) -> Found:
    """Microsoft's composite authentication."""
    words = ", ".join(sorted(features.compauth_reason)[:4]) or "not told"
    if share(features.compauth, ("pass",)) >= MOST:
        yield "compauth-pass", {"reasons": words}
    elif share(features.compauth, ("fail",)) >= MOST:
        yield "compauth-fail", {"reasons": words}


def history(features: Features) -> Found:
    """For how long, and how regularly."""
    days, interval = len(features.days), patterns.recurring(features)
    if patterns.persistent(features):
        window = features.window_days
        yield "persistent", {"days": days, "span": features.span_days, "window": window}
    elif interval is not None:
        yield "recurring", {"gap": interval.gap, "times": interval.times}
    elif days >= 4:
        yield "several-days", {"days": days}
    if (features.window_end - features.first_seen).days < _NEW_DAYS < features.window_days:
        yield "new", {"date": features.first_seen.date().isoformat()}
    if features.vouched:
        yield "same-address", {"address": features.vouched}
    hours = patterns.rhythm(features)
    if hours is not None:
        yield "rhythm", {"share": percent(hours.share), "start": f"{hours.start:02}", "end": f"{hours.end:02}"}


def recipients(features: Features) -> Found:
    """To whom, and how often."""
    days = len(features.days)
    most = features.recipients_most
    if patterns.burst(features):
        yield "burst", {"messages": features.messages, "recipients": max(features.recipients, most), "days": days}
    elif features.recipients <= 25 and features.messages >= 3 * features.recipients and days >= 3:
        yield "few-recipients", {"recipients": features.recipients, "messages": features.messages}
    part = percent(features.self_share)
    if patterns.lure(features):
        yield "self-addressed-lure", {"share": part}
    elif patterns.self_addressed(features) and days <= SHORT:
        yield "self-addressed-once", {"days": days}
    elif features.self_share >= 0.3 and days > SHORT:
        yield "scan-to-self", {"share": part, "days": days}


def claims(features: Features) -> Found:
    """As whom."""
    days, example = len(features.days), commonest(features.people)
    if patterns.forwarder(features):
        names = len(features.people) or len(features.claims)
        yield "forwarder", {"senders": names, "days": days}
        return
    if patterns.spray(features):
        yield "spray", {"senders": features.distinct_claims, "days": days}
    if patterns.person_borrowed(features):
        yield "person-elsewhere", {"example": example, "days": days}
    elif patterns.mostly_people(features) and not patterns.self_addressed(features):
        yield "person-often", {"example": example, "days": days}
    elif features.logins_known and features.claims and not features.people and not features.self_addressed:
        yield "service-address", {}
    if features.rival:
        yield "address-of-another", {"address": features.rival}


def treatment(features: Features) -> Found:
    """What the filters did, and how much there was."""
    filtered = patterns.filtered_share(features)
    delivered = share(features.treatments, ("delivered",))
    if filtered >= MOST:
        yield "filtered", {"share": percent(filtered)}
    elif delivered >= MOST:
        yield "delivered", {"share": percent(delivered)}
    yield "volume", {"messages": features.messages}


def greeting(features: Features) -> Found:
    """HELO: RFC 5321 section 4.1.4 forbids to refuse mail for it, and it is as weak as evidence."""
    if not features.kinds:
        return
    host = commonest(features.hosts)
    kind = host_kind(host)
    values = {"host": host or "nothing"}
    if kind is HostKind.NAMELESS:
        yield "helo-nameless", values
    elif kind in {HostKind.LITERAL, HostKind.DYNAMIC}:
        yield "helo-literal", values
    elif features.own_host:
        yield "helo-own", {"host": features.own_host}
    elif kind is HostKind.DEVICE:
        yield "helo-device", values


def reverse(features: Features) -> Found:
    """PTR names."""
    if not features.reverse:
        if features.reverse_absent:
            yield "reverse-absent", {}
        return
    name = features.reverse[0]
    greetings = {fold_host(host) for host in features.hosts}
    agreeing = next((name for name in features.reverse if name in greetings), "")
    if features.reverse_own:
        yield "reverse-own", {"name": name}
    elif agreeing:
        yield "reverse-matches", {"name": agreeing}
    elif host_kind(name) is HostKind.DYNAMIC or shared_network(name):
        yield "reverse-generic", {"name": name}


def reports(features: Features) -> Found:
    """Other receivers' DMARC reports: a hint, because reports are strangers' words about other mail."""
    seen = features.elsewhere
    if seen is None:
        return
    values = {"messages": seen.messages, "reporters": len(seen.reporters), "passed": seen.passed}
    if seen.passed >= MOST * seen.messages:
        yield "reports-pass", values
    elif seen.failed >= MOST * seen.messages:
        yield "reports-fail", values
    else:
        yield "reports-mixed", values


def catalogue(features: Features) -> Found:
    """Who it is by the catalogue. It weighs nothing: an entry that is wrong must not flip a verdict."""
    if not features.matches:
        return
    best = features.matches[0]
    found = {"name": best.entry.name, "trait": in_words(best.best)}
    yield ("known-service" if best.strength is Strength.PROOF else "says-it-is"), found


LOOKS: tuple[Callable[[Features], Found], ...] = (
    spf, dkim, dmarc, compauth, history, recipients, claims, treatment, greeting, reverse, reports, catalogue,
)  # fmt: skip
"""Every look at the evidence, in the order reasons are told."""
