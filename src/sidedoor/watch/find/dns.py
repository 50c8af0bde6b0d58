"""What domains publish against the baseline, and SPF records that are errors by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.dmarc import DmarcError, DmarcRecord, parse_dmarc
from sidedoor.mailauth.spf.evidence import SpfWarningId
from sidedoor.mailauth.spf.parser import SpfSyntaxError, parse_spf
from sidedoor.mailauth.spf.terms import All, SpfResult
from sidedoor.mailauth.spf.walk import MAX_LOOKUPS
from sidedoor.store.model import Finding, Severity
from sidedoor.tenant.snapshot import MailExchanger
from sidedoor.watch.find.made import listed, made
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, DomainSight, Sight, Thresholds

_OVER = frozenset({SpfWarningId.MANY_LOOKUPS.value, SpfWarningId.MANY_MX.value})
_WORDS = {
    SpfWarningId.SEVERAL_RECORDS.value: "there are several SPF records",
    SpfWarningId.SYNTAX.value: "a term breaks the grammar",
    SpfWarningId.NO_RECORD.value: "an include or redirect leads to a domain without a record",
    SpfWarningId.VOID_LOOKUP.value: "a term leads to a name that does not exist",
    SpfWarningId.TOO_COMPLEX.value: "it takes more evaluation than receivers do",
}


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:  # noqa: ARG001
    """Domain by domain. A domain that the baseline does not know yet is compared from the next run on."""
    for name in sorted(sight.domains):
        now, before = sight.domains[name], baseline.domains.get(name)
        yield from _faults(name, now)
        if before is not None:
            yield from _spf(name, before, now)
            yield from _dmarc(name, before, now)
            yield from _mx(name, before, now)


def _faults(name: str, now: DomainSight) -> Iterator[Finding]:
    if isinstance(now.spf, Unknown):
        return
    lookups, record = now.spf_lookups or 0, now.spf or ""
    if lookups > MAX_LOOKUPS or _OVER.intersection(now.spf_troubles):
        text = (
            f"The SPF record of {name} takes {lookups} look-ups of {MAX_LOOKUPS} (RFC 7208 section 4.6.4): receivers "
            "treat it as an error for all mail that no earlier term passes, your own among it."
        )
        evidence = [("look-ups", f"{lookups}"), ("record", record), ("troubles", listed(now.spf_troubles))]
        yield made(Kind.SPF_OVER_LIMITS, name, name, text, evidence=evidence)
    troubles = [each for each in now.spf_troubles if each not in _OVER]
    if troubles:
        # Two look-ups that come back empty are allowed (section 4.6.4); how many there are is not told here.
        hard = any(each != SpfWarningId.VOID_LOOKUP for each in troubles)
        words = "; ".join(_WORDS.get(each, each) for each in troubles)
        text = f"In the SPF record of {name}, {words}."
        text += "" if hard else " The third that does so makes the record an error."
        evidence = [("troubles", listed(troubles)), ("record", record)]
        severity = Severity.SERIOUS if hard else Severity.WARNING
        yield made(Kind.SPF_BROKEN, name, name, text, severity=severity, evidence=evidence)


def _spf(name: str, before: DomainSight, now: DomainSight) -> Iterator[Finding]:
    if isinstance(before.spf, Unknown) or isinstance(now.spf, Unknown) or before.spf == now.spf:
        return
    if now.spf is None:
        severity, text = Severity.SERIOUS, f"{name} publishes no SPF record any more: nobody can tell your mail by it."
    elif before.spf is None:
        severity, text = Severity.INFO, f"{name} publishes an SPF record, and published none before."
    elif lets_all_pass(now.spf) and not lets_all_pass(before.spf):
        severity, text = Severity.SERIOUS, f"The SPF record of {name} lets every address pass now."
    else:
        severity, text = Severity.WARNING, f"The SPF record of {name} is another: {_terms(before.spf, now.spf)}."
    yield made(
        Kind.SPF_CHANGED, name, name, text, severity=severity,
        evidence=[("was", before.spf or "none"), ("is", now.spf or "none")],
        advice=f"Accept the alert if it was meant; `sidedoor spf {name}` shows what the record allows.",
    )  # fmt: skip


def lets_all_pass(text: str) -> bool:
    """Whether a record ends in +all."""
    try:
        record = parse_spf(text)
    except SpfSyntaxError:
        return False
    return any(isinstance(term, All) and term.qualifier.result is SpfResult.PASS for term in record.mechanisms)


def _terms(before: str, now: str) -> str:
    old, new = before.split(), now.split()
    added, removed = [each for each in new if each not in old], [each for each in old if each not in new]
    parts = [f"{word} {listed(terms, 6)}" for word, terms in (("added", added), ("removed", removed)) if terms]
    return "; ".join(parts) or "the order of its terms changed"


def _dmarc(name: str, before: DomainSight, now: DomainSight) -> Iterator[Finding]:
    if isinstance(before.dmarc, Unknown) or isinstance(now.dmarc, Unknown) or before.dmarc == now.dmarc:
        return
    weaker = weakness(before.dmarc, now.dmarc)
    text = f"The DMARC record of {name} is another."
    if weaker:
        text = f"DMARC of {name} is weaker: {weaker}. Spoofs in its name that receivers held back may get through."
    yield made(
        Kind.DMARC_CHANGED, name, name, text, severity=Severity.SERIOUS if weaker else Severity.INFO,
        evidence=[("was", before.dmarc or "none"), ("is", now.dmarc or "none")],
    )  # fmt: skip


_RANK = {"none": 0, "quarantine": 1, "reject": 2}


def weakness(before: str | None, now: str | None) -> str:
    """In what a DMARC record asks less of receivers than before (RFC 7489 section 6.3), "" in nothing."""
    old, new = _record(before), _record(now)
    if old is None:
        return ""
    if new is None:
        return (
            f"it was {old}, and there is none now" if now is None else f"it was {old}, and receivers cannot read it now"
        )
    pairs = (("p", old.p, new.p), ("sp", old.sp or old.p, new.sp or new.p))
    parts = [f"{tag} was {was} and is {is_}" for tag, was, is_ in pairs if _RANK[is_] < _RANK[was]]
    if new.pct < old.pct:
        parts.append(f"pct was {old.pct} and is {new.pct}")
    if new.testing and not old.testing:
        parts.append("it is in testing mode")
    return "; ".join(parts)


def _record(text: str | None) -> DmarcRecord | None:
    if text is None:
        return None
    try:
        return parse_dmarc(text)
    except DmarcError:
        return None


def _mx(name: str, before: DomainSight, now: DomainSight) -> Iterator[Finding]:
    if isinstance(before.mx, Unknown) or isinstance(now.mx, Unknown) or before.mx == now.mx:
        return
    was, is_ = before.exchanger, now.exchanger
    text = f"Mail for {name} goes to {listed(now.mx, 5) or 'nobody'}, and went to {listed(before.mx, 5) or 'nobody'}."
    elsewhere = not isinstance(was, Unknown) and not isinstance(is_, Unknown) and was is not is_
    if elsewhere:
        text += " " + _ways(is_)
    yield made(
        Kind.MX_CHANGED, name, name, text, severity=Severity.SERIOUS if elsewhere else Severity.WARNING,
        evidence=[("was", listed(before.mx) or "none"), ("is", listed(now.mx) or "none")],
    )  # fmt: skip


def _ways(where: MailExchanger | Unknown) -> str:
    match where:
        case MailExchanger.EXCHANGE_ONLINE:
            return "That is Exchange Online itself: a filter that stood in front is passed by."
        case MailExchanger.NONE:
            return "No mail can be delivered to it."
        case _:
            return "That is not, or not only, Exchange Online: mail handed to it directly is round the filter now."
