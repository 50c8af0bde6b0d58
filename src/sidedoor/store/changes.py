"""What a run of `watch` changes in the store, all of it in one transaction, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sidedoor.store.model import Alert, Baseline, Delivery, Finding, KnownSender


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: its number from `begin_run`, and as in `Run`."""

    number: int
    ended: datetime
    outcome: str
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything one run says. at: the time of the run.

    raised: new alerts. seen: open alerts by id, that still hold, with what holds now. recovered: ids of alerts that
    are over. deliveries: messages about any of these. needless: ids of deliveries that must not go out any more. held:
    id of a delivery that is due -> the time before which it must not go out.
    senders, baseline, values, end: None or empty where the run leaves them alone. gone: keys of known senders
    that turned out to be others of `senders`.
    """

    at: datetime
    raised: tuple[Alert, ...] = ()
    seen: Mapping[str, Finding] = field(default_factory=dict)
    recovered: frozenset[str] = frozenset()
    deliveries: tuple[Delivery, ...] = ()
    needless: frozenset[str] = frozenset()
    held: Mapping[str, datetime] = field(default_factory=dict)
    senders: tuple[KnownSender, ...] = ()
    gone: frozenset[str] = frozenset()
    baseline: Baseline | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    end: RunEnd | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What of the changes was new, by id: the rest another process had done before."""

    raised: frozenset[str] = frozenset()
    recovered: frozenset[str] = frozenset()
    deliveries: frozenset[str] = frozenset()
    needless: frozenset[str] = frozenset()
