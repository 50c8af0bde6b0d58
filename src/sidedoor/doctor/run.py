"""The whole look, in order."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor import __version__
from sidedoor.doctor.features import features, known_names
from sidedoor.doctor.machine import machine
from sidedoor.doctor.model import Check, Diagnosis
from sidedoor.doctor.network import ASKED, dns, reach, unasked
from sidedoor.doctor.workspace import workspace_checks
from sidedoor.errors import UsageError

if TYPE_CHECKING:
    from sidedoor.mailauth.resolver import Resolver
    from sidedoor.watch.workspace import Workspace

CORE = ("audit",)
"""What is asked about where nothing is named."""


@dataclass(frozen=True, slots=True)
class Asked:
    """resolver: whom to ask for DNS; None: nobody, and no connection is made either."""

    features: tuple[str, ...] = ()
    workspace: Path | None = None
    resolver: Resolver | None = None
    now: datetime | None = None


def names_of(text: str) -> tuple[str, ...]:
    """What `--for audit,web` names. Raises UsageError."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    if unknown := [name for name in names if name not in known_names()]:
        raise UsageError(f"--for {unknown[0][:40]}: expected some of {', '.join(known_names())}")
    return names


def diagnose(asked: Asked) -> Diagnosis:
    """Look. Raises nothing of what it finds."""
    checks: list[Check] = []
    workspace = None
    if asked.workspace is not None:
        network = asked.resolver is not None
        checks, workspace = workspace_checks(asked.workspace, asked.now or datetime.now(UTC), network=network)
    return Diagnosis(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        features=features(),
        machine=[*machine(), *_network(asked.resolver, workspace)],
        workspace=checks,
        wanted=frozenset(asked.features or CORE),
    )


def _network(resolver: Resolver | None, workspace: Workspace | None) -> Iterator[Check]:
    if resolver is None:
        yield unasked()
        return
    yield dns(resolver, ASKED if workspace is None else workspace.name)
    if workspace is not None:
        yield from reach(_services(workspace))


def _services(workspace: Workspace) -> Iterable[str]:
    """Where a run of `watch` signs in and asks."""
    from sidedoor.exchange.clouds import CLOUDS

    wanted = workspace.settings.collect
    if not wanted.tenant_id:
        return ()
    cloud = CLOUDS[wanted.cloud.value]
    return (wanted.authority_url or cloud.authority, wanted.base_url or cloud.exchange)
