"""Many alerts of one kind in one run, told of by one with a list. Pure.

Its subject names the moment of the run, so it is raised once whatever becomes of its members; it is over with the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sidedoor.report.text import shorten
from sidedoor.store.model import Finding
from sidedoor.watch.find.made import MOST_TEXT, MOST_TITLE, MOST_VALUE
from sidedoor.watch.kinds import AT_ONCE, KINDS

_MOST_LISTED = 20


def gathered(findings: Sequence[Finding], now: datetime) -> Finding:
    """The one for all of `findings`, which are of one kind and not empty."""
    return _finding(f"{AT_ONCE}{now.astimezone(UTC).isoformat()}", len(findings), findings, now)


def still(subject: str, raised: int, members: Sequence[Finding], since: datetime) -> Finding:
    """The same while `members` go on, of `raised` in the beginning."""
    return _finding(subject, raised, members, since)


def is_gathered(finding: Finding) -> bool:
    """Whether it stands for others."""
    return finding.subject.startswith(AT_ONCE)


def count_of(finding: Finding) -> int:
    """How many it stood for when it was raised; 0 where that cannot be told."""
    word = dict(finding.evidence).get("at once", "")
    return int(word) if word.isascii() and word.isdigit() else 0


def _finding(subject: str, raised: int, members: Sequence[Finding], since: datetime) -> Finding:
    """The worst first: whatever the rest is, they are read."""
    ordered = sorted(members, key=lambda each: (-each.severity.rank, each.subject))
    info = KINDS.get(ordered[0].kind)
    title = info.title if info else ordered[0].kind
    left = "" if len(ordered) == raised else f" {len(ordered):,} of them go on."
    text = (
        f"{raised:,} alerts of this kind came up in one run, so this one tells of all.{left} "
        f"{info.means if info else ''} Each has an alert of its own, where it is decided about."
    )
    evidence = [("at once", f"{raised}"), ("go on", f"{len(ordered)}")]
    evidence += [(each.severity.value, shorten(each.title, MOST_VALUE)) for each in ordered[:_MOST_LISTED]]
    if len(ordered) > _MOST_LISTED:
        evidence.append(("more", f"{len(ordered) - _MOST_LISTED:,} not listed"))
    return Finding(
        kind=ordered[0].kind,
        subject=subject,
        severity=ordered[0].severity,
        title=shorten(f"{title}: {raised:,} at once", MOST_TITLE),
        text=shorten(text, MOST_TEXT),
        advice=info.do if info else ordered[0].advice,
        source=ordered[0].source,
        evidence=tuple(evidence),
        since=since,
    )
