"""A report.json read again: its senders as values, for `plan` and `close`; `kept_audit` has the whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sidedoor.audit.model import Reason, Sender, Verdict
from sidedoor.errors import InputError
from sidedoor.policy.decision import Submission
from sidedoor.report.json_report import SCHEMA_NAME

NAME = "report.json"
_EXPECTED = f"the {NAME} of an audit ({SCHEMA_NAME}); audit again to make one"
_MOST_BYTES = 1 << 30
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeptReport:
    """What later commands ask of a report; `state` is its readiness."""

    senders: tuple[Sender, ...]
    generated_at: datetime
    window: tuple[datetime, datetime] | None
    state: str


def read(folder: Path) -> KeptReport:
    """Read the report in a folder. Raises InputError."""
    return read_body(folder, _kept)


def read_body(folder: Path, convert: Callable[[Mapping[str, Any]], T]) -> T:
    """What `convert` makes of the JSON values; what it complains of is the file's fault. Raises InputError."""
    path = folder / NAME
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(str(path), "more than 1 GB", _EXPECTED)
        body = json.loads(path.read_bytes())
        if body["schema"] != SCHEMA_NAME:
            raise InputError(str(path), f"the schema {str(body['schema'])[:60]!r}", _EXPECTED)
        return convert(body)
    except OSError as error:
        raise InputError(str(path), f"nothing to read ({error.strerror})", _EXPECTED) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            str(path), f"something else ({type(error).__name__}: {str(error)[:100]})", _EXPECTED
        ) from error


def _kept(body: Mapping[str, Any]) -> KeptReport:
    senders = tuple(map(sender_of, body["senders"]))
    return KeptReport(senders, time_of(body["generated_at"]), window_of(body), str(body["readiness"]["state"]))


def window_of(body: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """First and last time of the history; None where nothing was dated."""
    start, end = body["window"]["start"], body["window"]["end"]
    return None if start is None else (time_of(start), time_of(end))


def time_of(text: str) -> datetime:
    """A time, or the start of a day, as report.json writes it."""
    return datetime.fromisoformat(text)


def sender_of(row: Mapping[str, Any]) -> Sender:
    """One of `senders`."""
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
        first_seen=time_of(row["first_seen"]),
        last_seen=time_of(row["last_seen"]),
        active_days=int(row["active_days"]),
        authentication=row["authentication"],
        would_reject=int(row["would_reject_messages"]),
        would_reject_unknown=int(row["would_reject_unknown_messages"]),
        recommendation=str(row["recommendation"]),
        header_from=tuple(map(str, row["header_from"])),
        product=row["product"],
        claims_product=row["claims_product"],
    )
