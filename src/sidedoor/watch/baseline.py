"""The baseline: what the first run saw, what got better since, and what people accepted. Pure.

Nothing that is worse enters it by itself, and nothing is compared before it was told once: a source that is first told
in the tenth run begins in the tenth run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from sidedoor.audit.model import Verdict
from sidedoor.mail.fact import Unknown
from sidedoor.store.model import KnownSender
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch.accept import accept, acceptable, known_as
from sidedoor.watch.find import Untold, everything
from sidedoor.watch.find.dns import weakness
from sidedoor.watch.find.door import DECIDED, WEEK, known_until
from sidedoor.watch.find.itself import reason
from sidedoor.watch.settings_growth import grown_settings
from sidedoor.watch.sight import Baseline, DomainSight, SenderSight, Sight, Source, Thresholds, Tolerated, dns_source

__all__ = ["accept", "acceptable", "first", "grown"]


def first(sight: Sight) -> Baseline:
    """The baseline of a first run: everything it was told, as it is."""
    return grown(Baseline(sight.now, {}, TenantSnapshot(), {}), sight)


def grown(baseline: Baseline, sight: Sight, thresholds: Thresholds | None = None) -> Baseline:
    """The baseline after a run: what is told for the first time, and what is better than it was. After `find`."""
    limits, settings_told = thresholds or Thresholds(), not reason(Source.SETTINGS, sight)
    return Baseline(
        at=baseline.at,
        senders=dict(_senders(baseline, sight)),
        snapshot=grown_settings(baseline.snapshot, sight.snapshot) if settings_told else baseline.snapshot,
        domains=_domains(baseline, sight),
        closed_since=_closed_since(baseline, sight) if settings_told else baseline.closed_since,
        history_since=baseline.history_since or (None if reason(Source.HISTORY, sight) else sight.now),
        told={**baseline.told, **dict.fromkeys(_told(sight), sight.now)},
        tolerated=_tolerated(baseline, sight, limits),
    )


def _told(sight: Sight) -> Iterator[str]:
    sources = (Source.HISTORY, Source.SETTINGS, Source.CERTIFICATES, Source.PROBE, Source.BOUNCES)
    for source in (*(each.value for each in sources), *map(dns_source, sight.domains)):
        if not reason(source, sight):
            yield source


def _closed_since(baseline: Baseline, sight: Sight) -> datetime | None:
    """Without a break: mail that came in while the door was open for an hour must not count as mail after closing."""
    flag = sight.snapshot.reject_direct_send
    if isinstance(flag, Unknown):
        return baseline.closed_since
    return (baseline.closed_since or sight.now) if flag else None


def _senders(baseline: Baseline, sight: Sight) -> Iterator[tuple[str, KnownSender]]:
    if reason(Source.HISTORY, sight):
        yield from baseline.senders.items()
        return
    begins, seen = baseline.history_since is None, {each.key: each for each in sight.senders}
    for key, known in baseline.senders.items():
        if key in seen:
            yield key, _fresh(known, seen[key]) if known.accepted else known
        elif known.assessment != Verdict.SPOOFING.value:
            yield key, known  # an honest one that is not seen any more is the more worth knowing
    for key, each in seen.items():
        if key not in baseline.senders and (begins or each.word in DECIDED or _spent(each, sight)):
            yield key, known_as(each)


def _spent(seen: SenderSight, sight: Sight) -> bool:
    """A spoofer that was told of and has gone: should it come back, it is no new sender."""
    return seen.assessment is Verdict.SPOOFING and seen.sender.last_seen < known_until(sight) - WEEK


def _fresh(known: KnownSender, seen: SenderSight) -> KnownSender:
    """What it is called and when it was seen; where it belongs stays as it was accepted."""
    now = known_as(seen)
    if now == known:
        return known
    return replace(
        known, id=now.id, name=now.name, assessment=now.assessment, messages=now.messages,
        last_seen=max(known.last_seen, now.last_seen),
    )  # fmt: skip


def _domains(baseline: Baseline, sight: Sight) -> dict[str, DomainSight]:
    domains = dict(baseline.domains)
    for name, now in sight.domains.items():
        domains[name] = _domain(domains[name], now) if name in domains else now
    return domains


def _domain(before: DomainSight, now: DomainSight) -> DomainSight:
    """What was unknown and is told; a record where there was none; a DMARC policy that asks for more."""
    domain = before
    if not isinstance(now.spf, Unknown) and (isinstance(before.spf, Unknown) or before.spf in {None, now.spf}):
        domain = replace(domain, spf=now.spf, spf_lookups=now.spf_lookups, spf_troubles=now.spf_troubles)
    if not isinstance(now.dmarc, Unknown) and (isinstance(before.dmarc, Unknown) or _stricter(before.dmarc, now.dmarc)):
        domain = replace(domain, dmarc=now.dmarc)
    if isinstance(before.mx, Unknown):
        domain = replace(domain, mx=now.mx)
    if isinstance(before.exchanger, Unknown):
        domain = replace(domain, exchanger=now.exchanger)
    return domain


def _stricter(before: str | None, now: str | None) -> bool:
    return not weakness(before, now) and (before is None or bool(weakness(now, before)))


def _tolerated(baseline: Baseline, sight: Sight, thresholds: Thresholds) -> Mapping[tuple[str, str], Tolerated]:
    """Without those that are over: if they come back, they are news."""
    if not baseline.tolerated:
        return {}
    found = {(each.kind, each.subject) for each in everything(sight, baseline, thresholds)}
    untold = Untold.of(sight, baseline)
    return {
        key: kept
        for key, kept in baseline.tolerated.items()
        if key in found or untold.keeps(key[0], key[1], kept.source)
    }
