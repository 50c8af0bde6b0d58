"""Findings as they leave this package: in plain words, on one line, and of bounded length whatever strangers wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from sidedoor.plan.script import powershell
from sidedoor.report.text import shorten
from sidedoor.store.model import Finding, Severity
from sidedoor.watch.kinds import AT_ONCE, KINDS, Kind, Part
from sidedoor.watch.sight import Source, dns_source

Evidence = Iterable[tuple[str, str]]

MOST_TITLE, MOST_TEXT, MOST_VALUE, MOST_EVIDENCE, MOST_SUBJECT = 160, 1_200, 300, 24, 200
_MOST_NAMED = 10  # items of a list that are named in a text
_MOST_QUOTED = 120  # a name in a command; longer ones are not Exchange's


def made(
    kind: Kind,
    subject: str,
    what: str,
    text: str,
    *,
    severity: Severity | None = None,
    evidence: Evidence = (),
    advice: str = "",
    since: datetime | None = None,
    source: Source | None = None,
) -> Finding:
    """A finding. what: names the subject in the title, "" where there is none. advice: in place of the kind's own.

    Evidence without a value is left out.
    """
    info = KINDS[kind]
    pairs = [(shorten(name, 40), shorten(value, MOST_VALUE)) for name, value in evidence if value]
    return Finding(
        kind=kind.value,
        subject=subject_of(subject),
        severity=severity or info.severity,
        title=shorten(f"{info.title}: {what}" if what else info.title, MOST_TITLE),
        text=shorten(text, MOST_TEXT),
        advice=shorten(advice or info.do, MOST_TEXT),
        source=_source(source or info.rests_on[0].source, subject),
        evidence=tuple(pairs[:MOST_EVIDENCE]),
        since=since,
    )


def _source(source: Source, subject: str) -> str:
    return dns_source(subject) if source is Source.DNS else source.value


def subject_of(name: str) -> str:
    """A name as a subject: as it is, or with its SHA-256 where it is very long, holds what no text may, or begins as
    subjects of alerts for many do.
    """
    borrowed = name.startswith(AT_ONCE)
    if shorten(name, MOST_SUBJECT) == name and not borrowed:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{'' if borrowed else shorten(name, MOST_SUBJECT - 20)} #{mark}"


def listed(items: Sequence[object], most: int = _MOST_NAMED) -> str:
    """`a, b and 3 more`."""
    named = [shorten(str(item), 100) for item in items[:most]]
    return ", ".join(named) + (f" and {len(items) - most:,} more" if len(items) > most else "")


def quoted(name: str) -> str:
    """A name in a command, as a PowerShell literal; a placeholder where it is too long to be typed."""
    return powershell.text(name) if len(name) <= _MOST_QUOTED else "NAME"


def parts_of(kind: str) -> tuple[Part, ...]:
    """What must be told before an alert of this kind may be over; of a kind nobody knows any more nothing."""
    info = KINDS.get(kind)
    return () if info is None else info.rests_on
