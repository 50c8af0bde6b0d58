"""What a run over a workspace is given: DNS, channels, the live tenant and the door, as its settings say."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime

from sidedoor.errors import UsageError
from sidedoor.mail.domain import parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.resolver import Resolver
from sidedoor.mailauth.source import resolver_of
from sidedoor.probe.matrix import Wanted, request_of
from sidedoor.probe.run import probe
from sidedoor.report.probe_json import render
from sidedoor.store.model import Observation
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch.around import PROBE, Probe
from sidedoor.watch.channels.settings import Surroundings, read_channels
from sidedoor.watch.kinds import KINDS
from sidedoor.watch.tools import Collector, Tools
from sidedoor.watch.workspace import Workspace

Say = Callable[[str], None]


def tools_of(workspace: Workspace, *, collect: bool, say: Say) -> Tools:
    """Everything but the clock. Raises InputError, UsageError for settings that do not fit together."""
    settings = workspace.settings
    zones = tuple(map(workspace.path, settings.dns.zones))
    resolver = resolver_of(zones, offline=settings.dns.offline)
    around = Surroundings(workspace.folder / "sidedoor.toml", os.environ, KINDS.keys())
    return Tools(
        resolver,
        read_channels({"channels": settings.alerts.channels}, around),
        _collector(say) if collect and settings.collect.tenant_id else None,
        _prober(workspace, resolver, zones=bool(zones)),
        say=say,
    )


def _collector(say: Say) -> Collector:
    # Whoever lays exports into the inbox needs nothing that talks to the service.
    from sidedoor.watch.collecting import collector

    return collector(say)


def _prober(workspace: Workspace, resolver: Resolver, *, zones: bool) -> Probe:
    """Asks the front door of the workspace's domain, before DATA."""
    settings = workspace.settings

    def ask(snapshot: TenantSnapshot) -> Observation:
        if isinstance(snapshot.accepted_domains, Unknown):
            raise UsageError(f"the door is not probed: {snapshot.accepted_domains.reason}")
        wanted = Wanted(endpoint=settings.probe.endpoints, recipient=settings.probe.recipient or None)
        request = request_of(parse_domain(settings.domain), snapshot, wanted, resolver, zones=zones)
        result = probe(request)
        body = render(result)
        return Observation(PROBE, f"{result.started:%Y%m%dT%H%M%S.%f}", datetime.now(UTC), body)

    return ask
