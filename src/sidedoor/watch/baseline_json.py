"""A baseline as JSON values and back (`sidedoor/watch-baseline/1`). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sidedoor.store.model import KnownSender, Severity
from sidedoor.tenant.codec import CodecError, fact_of, members
from sidedoor.tenant.codec import decode as decode_snapshot
from sidedoor.tenant.codec import encode as values_of
from sidedoor.tenant.snapshot import MailExchanger
from sidedoor.watch.sight import Baseline, DomainSight, Tolerated

SCHEMA = "sidedoor/watch-baseline/1"


def encode(baseline: Baseline) -> dict[str, Any]:
    """The values; the same baseline gives the same, whatever the order it was put together in."""
    return {
        "schema": SCHEMA,
        "at": values_of(baseline.at),
        "closed_since": values_of(baseline.closed_since),
        "history_since": values_of(baseline.history_since),
        "told": encode_told(baseline.told),
        "senders": [values_of(baseline.senders[key]) for key in sorted(baseline.senders)],
        "snapshot": values_of(baseline.snapshot),
        "domains": _sorted({name: values_of(row) for name, row in baseline.domains.items()}),
        "tolerated": [
            {"kind": kind, "subject": subject, **values_of(baseline.tolerated[kind, subject])}
            for kind, subject in sorted(baseline.tolerated)
        ],
    }


def _sorted(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: values[key] for key in sorted(values)}


def encode_told(told: Mapping[str, datetime]) -> dict[str, Any]:
    """`Baseline.told` alone."""
    return _sorted({source: values_of(when) for source, when in told.items()})


def decode_told(values: object) -> dict[str, datetime]:
    """What `encode_told` was given; {} for None. Raises CodecError, TypeError, ValueError."""
    return {} if values is None else {str(source): time_of(when) for source, when in members(values).items()}


def decode(values: object) -> Baseline:
    """The baseline that `encode` was given. Raises CodecError, and nothing else, for anything else."""
    try:
        return _baseline(members(values))
    except CodecError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise CodecError(f"no baseline ({type(error).__name__}: {str(error)[:200]})") from error


def _baseline(body: Mapping[str, Any]) -> Baseline:
    if body["schema"] != SCHEMA:
        raise CodecError(f"the schema {str(body['schema'])[:60]!r} in place of {SCHEMA}")
    senders = [_sender(members(row)) for row in _rows(body["senders"])]
    return Baseline(
        at=time_of(body["at"]),
        senders={sender.key: sender for sender in senders},
        snapshot=decode_snapshot(body["snapshot"]),
        domains={str(name): domain_of(members(row)) for name, row in members(body["domains"]).items()},
        closed_since=_moment(body["closed_since"]),
        history_since=_moment(body["history_since"]),
        told=decode_told(body["told"]),
        tolerated=dict(_tolerated(members(row)) for row in _rows(body["tolerated"])),
    )


def _rows(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise CodecError("a list is missing")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise CodecError(f"{str(value)[:60]!r} is no text")
    return value


def time_of(value: object) -> datetime:
    """A time with its zone. Raises CodecError, ValueError."""
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise CodecError(f"{str(value)[:60]!r} has no time zone")
    return moment


def _moment(value: object) -> datetime | None:
    return None if value is None else time_of(value)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise CodecError(f"{str(value)[:60]!r} is no whole number")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(item) for item in _rows(value))


def _sender(row: Mapping[str, Any]) -> KnownSender:
    return KnownSender(
        key=_text(row["key"]),
        id=_text(row["id"]),
        name=_text(row["name"]),
        assessment=_text(row["assessment"]),
        places=frozenset(_places(_rows(row["places"]))),
        first_seen=time_of(row["first_seen"]),
        last_seen=time_of(row["last_seen"]),
        messages=_count(row["messages"]),
        accepted=bool(row["accepted"]),
    )


def _places(rows: list[Any]) -> Iterable[tuple[str, str]]:
    for row in rows:
        address, domain = _texts(row)
        yield address, domain


def domain_of(row: Mapping[str, Any]) -> DomainSight:
    """What DNS said of a domain, from `tenant.codec.encode`'s values of it. Raises CodecError, ValueError, KeyError."""
    lookups = row["spf_lookups"]
    return DomainSight(
        mx=fact_of(row["mx"], _texts),
        exchanger=fact_of(row["exchanger"], MailExchanger),
        spf=fact_of(row["spf"], _record),
        spf_lookups=None if lookups is None else _count(lookups),
        spf_troubles=_texts(row["spf_troubles"]),
        dmarc=fact_of(row["dmarc"], _record),
    )


def _record(value: object) -> str | None:
    return None if value is None else _text(value)


def _tolerated(row: Mapping[str, Any]) -> tuple[tuple[str, str], Tolerated]:
    kept = Tolerated(Severity(row["severity"]), _texts(row["mark"]), _text(row["source"]), time_of(row["at"]))
    return (_text(row["kind"]), _text(row["subject"])), kept
