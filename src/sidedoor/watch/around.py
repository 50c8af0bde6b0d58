"""What a run sees beside the mail history: DNS, certificates, the last probe, and non-delivery reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sidedoor.errors import InputError, SidedoorError
from sidedoor.evidence.bounces import Bounce, read_folder
from sidedoor.store.model import Observation
from sidedoor.store.tenant import TenantStore
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch.bounces import bounce_sight
from sidedoor.watch.certificates import read_certificates
from sidedoor.watch.sight import BounceSight, CertificateSight, ProbeSight, Source
from sidedoor.watch.workspace import Workspace

PROBE, BOUNCE = "probe", "bounce"
_FILES = "bounce-files"  # what was read of the folder
_BOUNCES_KEPT = timedelta(days=30)
Probe = Callable[[TenantSnapshot], Observation]


@dataclass(slots=True)
class Around:
    """What was seen, and source -> why where something was wanted and could not be had. notes: sentences for people."""

    certificates: tuple[CertificateSight, ...] = ()
    probe: ProbeSight | None = None
    bounces: tuple[BounceSight, ...] = ()
    untold: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unread_certificates: int | None = None


def look_around(
    workspace: Workspace, store: TenantStore, snapshot: TenantSnapshot, now: datetime, probe: Probe | None
) -> Around:
    """Look at everything that the workspace names. Raises only what the store raises."""
    around = Around()
    _certificates(workspace, snapshot, around)
    if workspace.settings.probe.every_hours:
        every = timedelta(hours=workspace.settings.probe.every_hours)
        around.probe = _probed(every, store, snapshot, now, probe, around)
    _bounces(workspace, store, now, around)
    return around


def _certificates(workspace: Workspace, snapshot: TenantSnapshot, around: Around) -> None:
    places = workspace.settings.certificates
    if not places:
        return
    hosts = [place for each in places if (place := _host(each)) is not None]
    files = [workspace.path(each) for each in places if _host(each) is None]
    reading = read_certificates(files, hosts, snapshot)
    around.certificates = reading.certificates
    around.unread_certificates = len(reading.unread)
    around.notes += [*reading.notes, *(f"{each.where or each.connector}: {each.why}" for each in reading.unread)]
    if unread := [each for each in reading.unread if not each.connector]:
        around.untold[Source.CERTIFICATES] = "; ".join(f"{each.where}: {each.why}" for each in unread)


def _host(text: str) -> tuple[str, int] | None:
    """HOST:PORT; None for a file."""
    host, colon, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and port.isdecimal() and 0 < int(port) < 65_536 and host else None


def _probed(  # noqa: PLR0917  # what a probe rests on
    every: timedelta, store: TenantStore, snapshot: TenantSnapshot, now: datetime, probe: Probe | None, around: Around
) -> ProbeSight | None:
    """Ask the door where that is due; the last answer counts until the next one."""
    last = store.latest_observation(PROBE)
    if probe is not None and (last is None or now - last.at >= every):
        try:
            last = probe(snapshot)
            store.put_observation(last)
        except SidedoorError as error:
            around.untold[Source.PROBE] = str(error)
    return None if last is None else _probe_sight(last)


def _probe_sight(seen: Observation) -> ProbeSight:
    why: Any = seen.body.get("why", ())
    return ProbeSight(seen.at, str(seen.body.get("verdict", "undetermined")), tuple(map(str, why)))


def _bounces(workspace: Workspace, store: TenantStore, now: datetime, around: Around) -> None:
    """Reports about our own door; of mail that is none, or of another door, nothing is kept."""
    folder = workspace.path(workspace.settings.bounces.folder)
    try:
        reading = read_folder(folder, _stamps(store.value(_FILES)))
    except InputError as error:
        around.untold[Source.BOUNCES] = str(error)
    else:
        store.put_observations([_observation(bounce, now) for bounce in reading.bounces])
        store.put_value(_FILES, dict(reading.files))
        around.notes += [f"{folder / name}: {row.why}" for name, row in reading.rejected]
    around.bounces = kept_bounces(store, now)


def kept_bounces(store: TenantStore, now: datetime) -> tuple[BounceSight, ...]:
    """What the store holds of reports, as far back as they count."""
    kept = store.observations(BOUNCE, since=now - _BOUNCES_KEPT)
    return tuple(bounce_sight(Bounce.of_body(seen.body), seen.at) for seen in kept)


def _stamps(value: object) -> dict[str, str]:
    return {str(name): str(stamp) for name, stamp in value.items()} if isinstance(value, dict) else {}


def _observation(bounce: Bounce, now: datetime) -> Observation:
    return Observation(BOUNCE, bounce.key, bounce_sight(bounce, now).at, bounce.as_body())
