"""A probe's transcript as JSON (`sidedoor/probe/1`)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sidedoor.probe.model import Attempt, ProbeResult
from sidedoor.report.text import clean
from sidedoor.report.words import utc

SCHEMA = "sidedoor/probe/1"


def render(result: ProbeResult) -> dict[str, Any]:
    """The values."""
    return {
        "schema": SCHEMA,
        "domain": result.domain,
        "started": _moment(result.started),
        "ended": _moment(result.ended),
        "verdict": result.verdict.value,
        "why": [clean(text) for text in result.why],
        "notes": [clean(text) for text in result.notes],
        "attempts": [_attempt(each) for each in result.attempts],
    }


def dump(result: ProbeResult) -> str:
    """ASCII text."""
    return json.dumps(render(result), indent=2, ensure_ascii=True)


def _moment(at: datetime) -> str:
    """RFC 3339 in UTC, milliseconds: how long a server took to answer is evidence too."""
    return utc(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _attempt(made: Attempt) -> dict[str, Any]:
    return {
        "host": made.target.host,
        "port": made.target.port,
        "role": made.target.role.value,
        "sender": made.sender.value,
        "envelope_sender": made.envelope_sender,
        "recipient": made.recipient,
        "tls": made.tls,
        "outcome": made.outcome.value,
        "stage": made.stage.value,
        "reply": clean(made.reply),
        "sent": made.sent,
        "local": made.local,
        "remote": made.remote,
        "notes": [clean(text) for text in made.notes],
        "transcript": [{"at": _moment(line.at), "who": line.who, "text": clean(line.text)} for line in made.transcript],
    }
