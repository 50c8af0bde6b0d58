"""All findings of a run, by pure comparison: the same sight, baseline and thresholds give the same findings.

One module for each family; each yields what it finds and knows nothing of alerts. What nobody told is no finding, in
either direction (`untold`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sidedoor.store.model import Finding
from sidedoor.watch.find import (
    certificates,
    connectors,
    dns,
    itself,
    moves,
    refusals,
    senders,
    settings,
    silence,
    traffic,
)
from sidedoor.watch.find.untold import Untold
from sidedoor.watch.kinds import KINDS
from sidedoor.watch.sight import Baseline, Sight, Thresholds

__all__ = ["FAMILIES", "Untold", "everything", "find", "mark", "tolerated"]

Family = Callable[[Sight, Baseline, Thresholds], Iterator[Finding]]

FAMILIES: tuple[Family, ...] = (
    senders.find, moves.find, silence.find, traffic.find, settings.find, connectors.find, certificates.find, dns.find,
    refusals.find, itself.find,
)  # fmt: skip
_ORDER: Mapping[str, int] = {kind: place for place, kind in enumerate(KINDS)}


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> list[Finding]:
    """What holds now and was not accepted: by kind as in docs/alerts.md, then by subject; one of each."""
    return [finding for finding in everything(sight, baseline, thresholds) if not tolerated(finding, baseline)]


def everything(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> list[Finding]:
    """The same with what was accepted as it is."""
    untold = Untold.of(sight, baseline)
    found: dict[tuple[str, str], Finding] = {}
    for family in FAMILIES:
        for finding in family(sight, baseline, thresholds):
            key = (finding.kind, finding.subject)
            if not untold.bars(finding.source) and (key not in found or _worse(finding, found[key])):
                found[key] = finding
    return sorted(found.values(), key=lambda finding: (_ORDER[finding.kind], finding.subject))


def _worse(one: Finding, other: Finding) -> bool:
    """Two of one subject: connectors whose long names begin alike cannot be, but two exports of one may."""
    return (one.severity.rank, one.text) > (other.severity.rank, other.text)


def tolerated(finding: Finding, baseline: Baseline) -> bool:
    """Whether a person said that it is right as it is, and it is as it was, and no worse."""
    kept = baseline.tolerated.get((finding.kind, finding.subject))
    return kept is not None and kept.mark == mark(finding) and finding.severity.rank <= kept.severity.rank


def mark(finding: Finding) -> tuple[str, ...]:
    """What must stay as it is for an accepted finding to stay accepted: some of its evidence (`KindInfo.marks`)."""
    info = KINDS.get(finding.kind)
    values = dict(finding.evidence)
    return tuple(values.get(name, "") for name in (info.marks if info and info.marks else ()))
