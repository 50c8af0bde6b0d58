"""What a run of `watch` is given from outside: time, names, the live tenant, and whom to tell."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from sidedoor.audit.run import Progress, Silent
from sidedoor.mailauth.resolver import Resolver
from sidedoor.watch.around import Probe
from sidedoor.watch.channels.interface import Outlet
from sidedoor.watch.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Collected:
    """What asking the live tenant came to. until: the history is complete up to then, None where that is not known.

    missing: sentences. settings: why the settings could not be read, "" where they were. history: likewise.
    """

    until: datetime | None = None
    missing: tuple[str, ...] = ()
    settings: str = ""
    history: str = ""


class Collector(Protocol):
    """Fetches settings, traces and bounces of a live tenant into the workspace."""

    def __call__(self, workspace: Workspace, since: datetime | None, now: datetime) -> Collected:
        """since: what came before is there already, None for nothing. What cannot be had is said, never raised."""


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid.uuid4().hex


def _silent(_text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Tools:
    """collect, probe: None where nobody is asked. say: a sentence for people. now: UTC."""

    resolver: Resolver
    outlets: tuple[Outlet, ...] = ()
    collect: Collector | None = None
    probe: Probe | None = None
    now: Callable[[], datetime] = _now
    new_id: Callable[[], str] = _new_id
    say: Callable[[str], None] = _silent
    progress: Progress = field(default_factory=Silent)
