"""A report.json read again: its senders as values, for `plan` and `close`; `kept_audit` has the whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from sidedoor.audit.model import Reason, Sender, Verdict
from sidedoor.errors import InputError
from sidedoor.policy.decision import Submission
from sidedoor.report.json_report import SCHEMA_NAME

NAME = "report.json"
_EXPECTED = f"the {NAME} of an audit ({SCHEMA_NAME}); audit again to make one"
_MOST_BYTES = 1 << 30
T = TypeVar("T")
Daily = Mapping[str, Mapping[date, int]]
_NO_COUNTS: Mapping[date, int] = MappingProxyType({})
_NO_DAYS: Daily = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KeptReport:
    """What later commands ask of a report; `state` is its readiness."""

    senders: tuple[Sender, ...]
    generated_at: datetime
    window: tuple[datetime, datetime] | None
    state: str


def read(folder: Path, daily: Daily = _NO_DAYS) -> KeptReport:
    """Read the report in a folder. daily: sender's id -> its messages by day, kept elsewhere. Raises InputError."""
    return read_body(folder, lambda body: _kept(body, daily))


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


def _kept(body: Mapping[str, Any], daily: Daily) -> KeptReport:
    state = str(body["readiness"]["state"])
    return KeptReport(senders_of(body["senders"], daily), time_of(body["generated_at"]), window_of(body), state)


def window_of(body: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """First and last time of the history; None where nothing was dated."""
    start, end = body["window"]["start"], body["window"]["end"]
    return None if start is None else (time_of(start), time_of(end))


def time_of(text: str) -> datetime:
    """A time, or the start of a day, as report.json writes it."""
    return datetime.fromisoformat(text)


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def _known(row: Mapping[str, Any], key: str) -> str | None:
    return None if row[key] is None else _text(row, key)


def _texts(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = row[key]
    if not isinstance(values, list) or set(map(type, values)) - {str}:
        raise TypeError(f"{key} is no list of texts")
    return tuple(values)


def _count(row: Mapping[str, Any], key: str) -> int:
    value = row[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{key} is no count")
    return value


def _number(row: Mapping[str, Any], key: str) -> float:
    value = row[key]
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise TypeError(f"{key} is no number")
    return float(value)


def _results(row: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    found = row["authentication"]
    for counts in found.values():
        for result in counts:
            _count(counts, result)
    return {name: dict(counts) for name, counts in found.items()}


def _reason(row: Mapping[str, Any]) -> Reason:
    return _one_reason(row["id"], row["text"], row["weight"])


@lru_cache(10_000, typed=True)  # thousands of senders share a few hundred
def _one_reason(name: object, text: object, weight: object) -> Reason:
    row = {"id": name, "text": text, "weight": weight}
    return Reason(_text(row, "id"), _text(row, "text"), _number(row, "weight"))


def senders_of(rows: Iterable[Mapping[str, Any]], daily: Daily = _NO_DAYS) -> tuple[Sender, ...]:
    """`senders`, no id twice. Raises TypeError, ValueError, KeyError or AttributeError."""
    found = tuple(_sender(row, daily) for row in rows)
    if len({sender.id for sender in found}) != len(found):
        raise ValueError("two senders have the same id")
    return found


def _sender(row: Mapping[str, Any], daily: Daily) -> Sender:
    """Raises TypeError, ValueError, KeyError or AttributeError where it is not as the report's schema has it."""
    return Sender(
        id=_text(row, "id"),
        name=_text(row, "name"),
        submission=Submission(row["submission"]),
        assessment=Verdict(row["assessment"]),
        confidence=_number(row, "confidence"),
        reasons=tuple(map(_reason, row["reasons"])),
        networks=_texts(row, "networks"),
        envelope_domains=_texts(row, "envelope_domains"),
        mail_from=_texts(row, "mail_from"),
        helo=_texts(row, "helo"),
        service=_known(row, "service"),
        messages=_count(row, "messages"),
        recipients=_count(row, "recipients"),
        first_seen=time_of(row["first_seen"]),
        last_seen=time_of(row["last_seen"]),
        active_days=_count(row, "active_days"),
        authentication=_results(row),
        would_reject=_count(row, "would_reject_messages"),
        would_reject_unknown=_count(row, "would_reject_unknown_messages"),
        recommendation=_text(row, "recommendation"),
        header_from=_texts(row, "header_from"),
        product=_known(row, "product"),
        claims_product=_known(row, "claims_product"),
        daily=daily.get(row["id"], _NO_COUNTS),
    )
