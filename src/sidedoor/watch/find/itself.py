"""About the watcher: what it does not know, and for how long already. Silence is never taken for good news."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sidedoor.report.words import count, minute
from sidedoor.store.model import Finding, Severity
from sidedoor.watch.find.made import listed, made
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, Sight, Source, Thresholds, dns_source

_FOURFOLD = 4  # so many times the first limit, and it is serious


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:
    """What is old, cut off, or cannot be had."""
    yield from _history(sight, baseline, thresholds)
    if sight.truncated:
        text = f"{count(len(sight.truncated), 'export')} ended at the service's limit: {listed(sight.truncated, 5)}."
        yield made(Kind.COLLECTION_INCOMPLETE, "", "", text, evidence=[("exports", listed(sorted(sight.truncated)))])
    stale, long = timedelta(hours=thresholds.stale_hours), timedelta(hours=thresholds.untold_hours)
    watched: list[tuple[Kind, str, str, timedelta]] = [
        (Kind.SETTINGS_UNREADABLE, "", Source.SETTINGS, stale),
        (Kind.PROBE_FAILED, "", Source.PROBE, long),
        (Kind.BOUNCES_UNREADABLE, "", Source.BOUNCES, long),
        (Kind.CERTIFICATES_UNREADABLE, "", Source.CERTIFICATES, long),
        *((Kind.DNS_UNKNOWN, name, dns_source(name), long) for name in sorted(sight.domains)),
    ]
    for kind, subject, source, limit in watched:
        why, since = reason(source, sight), baseline.told.get(source, baseline.at)
        if why and sight.now - since > limit:
            serious = kind is Kind.SETTINGS_UNREADABLE and sight.now - since > _FOURFOLD * limit
            severity = Severity.SERIOUS if serious else Severity.WARNING
            text = f"Not to be had since {minute(since)}, for {_span(sight.now - since)}: {why}."
            yield made(
                kind, subject, subject, text, severity=severity, evidence=[("since", minute(since)), ("reason", why)],
                since=since, source=Source.SELF,
            )  # fmt: skip


def _history(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:
    since = sight.history_until or baseline.at
    old, limit = sight.now - since, timedelta(hours=thresholds.stale_hours)
    if old <= limit:
        return
    known = f"complete until {minute(since)}" if sight.history_until else "not complete for any time"
    why = sight.untold.get(Source.HISTORY, "")
    text = f"The mail history is {known}, {_span(old)} ago at least. {why}".rstrip()
    yield made(
        Kind.HISTORY_STALE, "", "", text,
        severity=Severity.SERIOUS if old > _FOURFOLD * limit else Severity.WARNING,
        evidence=[("complete until", minute(sight.history_until) if sight.history_until else "never"), ("reason", why)],
        since=since + limit,
    )  # fmt: skip


def reason(source: str, sight: Sight) -> str:
    """Why a source did not tell, "" where it did. A probe that proved nothing did not."""
    if source.partition(":")[0] == Source.DNS and Source.DNS in sight.untold:
        return sight.untold[Source.DNS] or "no reason is known"
    if source in sight.untold:
        return sight.untold[source] or "no reason is known"
    if source == Source.PROBE and sight.probe is not None and sight.probe.verdict not in {"open", "closed"}:
        return listed(sight.probe.why, 3) or "the probe proved nothing"
    return ""


def _span(time: timedelta) -> str:
    hours = int(time.total_seconds() // 3600)
    return count(hours, "hour") if hours < 48 else count(hours // 24, "day")
