"""What a run saw beside senders and bounces, as JSON values that the store keeps: a page can compare again. Pure.

Senders are those of the report, bounces those of the store; `sight.Sight` has all of it together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sidedoor.tenant.codec import CodecError, members
from sidedoor.tenant.codec import decode as decode_snapshot
from sidedoor.tenant.codec import encode as values_of
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch.baseline_json import domain_of, time_of
from sidedoor.watch.sight import CertificateSight, DomainSight, ProbeSight

SCHEMA = "sidedoor/watch-sight/1"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The part of a `Sight` that is neither senders nor bounces; fields as there."""

    now: datetime
    history_until: datetime | None
    snapshot: TenantSnapshot
    domains: Mapping[str, DomainSight] = field(default_factory=dict)
    certificates: tuple[CertificateSight, ...] = ()
    probe: ProbeSight | None = None
    untold: Mapping[str, str] = field(default_factory=dict)
    truncated: tuple[str, ...] = ()


def encode(around: Surroundings) -> dict[str, Any]:
    """The values."""
    values: dict[str, Any] = values_of(around)
    return {"schema": SCHEMA, **values}


def decode(values: object) -> Surroundings:
    """What `encode` was given. Raises CodecError, and nothing else, for anything else."""
    try:
        return _surroundings(members(values))
    except CodecError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise CodecError(f"no sight of a run ({type(error).__name__}: {str(error)[:200]})") from error


def _surroundings(body: Mapping[str, Any]) -> Surroundings:
    if body["schema"] != SCHEMA:
        raise CodecError(f"the schema {str(body['schema'])[:60]!r} in place of {SCHEMA}")
    until, probe = body["history_until"], body["probe"]
    return Surroundings(
        now=time_of(body["now"]),
        history_until=None if until is None else time_of(until),
        snapshot=decode_snapshot(body["snapshot"]),
        domains={str(name): domain_of(members(row)) for name, row in members(body["domains"]).items()},
        certificates=tuple(_certificate(members(row)) for row in body["certificates"]),
        probe=None if probe is None else ProbeSight(time_of(probe["at"]), str(probe["verdict"]), _texts(probe["why"])),
        untold={str(source): str(why) for source, why in members(body["untold"]).items()},
        truncated=_texts(body["truncated"]),
    )


def _certificate(row: Mapping[str, Any]) -> CertificateSight:
    return CertificateSight(
        str(row["connector"]), _texts(row["names"]), time_of(row["not_after"]), str(row["where"])
    )  # fmt: skip


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise CodecError("a list is missing")
    return tuple(map(str, values))
