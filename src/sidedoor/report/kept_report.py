"""A report.json read again: its senders as values, for `plan` and `close`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sidedoor.audit.model import Reason, Sender, Verdict
from sidedoor.errors import InputError
from sidedoor.policy.decision import Submission
from sidedoor.report.json_report import SCHEMA_NAME

NAME = "report.json"
_EXPECTED = f"the {NAME} of an audit ({SCHEMA_NAME}); audit again to make one"
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class KeptReport:
    """What later commands ask of a report; `state` is its readiness."""

    senders: tuple[Sender, ...]
    generated_at: datetime
    window: tuple[datetime, datetime] | None
    state: str


def read(folder: Path) -> KeptReport:
    """Read the report in a folder. Raises InputError."""
    path = folder / NAME
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(str(path), "more than 1 GB", _EXPECTED)
        body = json.loads(path.read_bytes())
        if body["schema"] != SCHEMA_NAME:
            raise InputError(str(path), f"the schema {str(body['schema'])[:60]!r}", _EXPECTED)
        start, end = body["window"]["start"], body["window"]["end"]
        return KeptReport(
            tuple(map(_sender, body["senders"])),
            _time(body["generated_at"]),
            None if start is None else (_time(start), _time(end)),
            str(body["readiness"]["state"]),
        )
    except OSError as error:
        raise InputError(str(path), f"nothing to read ({error.strerror})", _EXPECTED) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            str(path), f"something else ({type(error).__name__}: {str(error)[:100]})", _EXPECTED
        ) from error


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _sender(row: Mapping[str, Any]) -> Sender:
    return Sender(
        id=str(row["id"]),
        name=str(row["name"]),
        submission=Submission(row["submission"]),
        assessment=Verdict(row["assessment"]),
        confidence=float(row["confidence"]),
        reasons=tuple(Reason(str(each["id"]), str(each["text"]), float(each["weight"])) for each in row["reasons"]),
        networks=tuple(map(str, row["networks"])),
        envelope_domains=tuple(map(str, row["envelope_domains"])),
        mail_from=tuple(map(str, row["mail_from"])),
        helo=tuple(map(str, row["helo"])),
        service=row["service"],
        messages=int(row["messages"]),
        recipients=int(row["recipients"]),
        first_seen=_time(row["first_seen"]),
        last_seen=_time(row["last_seen"]),
        active_days=int(row["active_days"]),
        authentication=row["authentication"],
        would_reject=int(row["would_reject_messages"]),
        would_reject_unknown=int(row["would_reject_unknown_messages"]),
        recommendation=str(row["recommendation"]),
        header_from=tuple(map(str, row["header_from"])),
        product=row["product"],
        claims_product=row["claims_product"],
    )
