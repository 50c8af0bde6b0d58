"""The first half of a run: what is new is read into the history, and the answer told anew where anything changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sidedoor.audit.answer import accepted_of
from sidedoor.audit.history import History
from sidedoor.errors import InputError
from sidedoor.report import kept_report, tenant_json
from sidedoor.report.kept_report import KeptReport
from sidedoor.store.tenant import TenantStore
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch import seen as seen_file
from sidedoor.watch.assessing import Asked, ask, assess, fingerprint, history_of
from sidedoor.watch.domains import domain_sights
from sidedoor.watch.reading import look
from sidedoor.watch.seeing import unread_settings
from sidedoor.watch.seen import Seen
from sidedoor.watch.sight import DomainSight, Source
from sidedoor.watch.tools import Collected, Tools
from sidedoor.watch.workspace import Workspace

_UNTIL = "collected-until"  # the store's value
_DNS_PATIENCE = timedelta(hours=24)


@dataclass(slots=True)
class Learned:
    """What the first half came to. report, seen: the answer in force, None where there is none yet.

    snapshot: the settings as they are now, unknown where they could not be read. files, days: read anew.
    """

    report: KeptReport | None = None
    seen: Seen | None = None
    snapshot: TenantSnapshot = field(default_factory=TenantSnapshot)
    domains: dict[str, DomainSight] = field(default_factory=dict)
    untold: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    truncated: tuple[str, ...] = ()
    until: datetime | None = None
    files: int = 0
    days: int = 0
    rows: int = 0


def learn(workspace: Workspace, store: TenantStore, tools: Tools, now: datetime) -> Learned:
    """Collect, read, and assess. What cannot be had is in `untold`; raises only where disk or store fail."""
    learned = Learned()
    _collect(workspace, store, tools, now, learned)
    asked, still = _ask(workspace, tools, now, learned), None
    if asked is not None:
        try:
            still = _read(workspace, tools, asked, learned)
        except InputError as error:
            learned.untold[Source.HISTORY] = str(error)
    learned.report, learned.seen = in_force(workspace, still)
    return learned


def _collect(workspace: Workspace, store: TenantStore, tools: Tools, now: datetime, learned: Learned) -> None:
    text = store.value(_UNTIL)
    since = datetime.fromisoformat(text) if isinstance(text, str) else None
    collected = Collected(since)
    if tools.collect is not None:
        tools.progress.step("asking the tenant")
        collected = tools.collect(workspace, since, now)
        if collected.until is not None:
            store.put_value(_UNTIL, collected.until.isoformat())
    learned.until = collected.until or since
    learned.notes += collected.missing
    learned.untold.update({Source.SETTINGS: collected.settings} if collected.settings else {})
    learned.untold.update({Source.HISTORY: collected.history} if collected.history else {})


def _ask(workspace: Workspace, tools: Tools, now: datetime, learned: Learned) -> Asked | None:
    """Settings and DNS; None where not even the files can be listed."""
    before = _last_settings(workspace)
    tools.progress.step("asking DNS")
    try:
        asked = ask(workspace, look(workspace), tools.resolver, now, before)
    except InputError as error:
        learned.untold |= {Source.SETTINGS: str(error), Source.HISTORY: str(error)}
        return None
    learned.snapshot = asked.now
    learned.notes += asked.warnings
    learned.untold = {**unread_settings(asked.now), **learned.untold}
    if asked.unread:
        learned.untold[Source.SETTINGS] = asked.unread
    learned.domains, untold = domain_sights(accepted_of(asked.snapshot), asked.dns, tools.resolver)
    learned.untold |= untold
    return asked


def _last_settings(workspace: Workspace) -> TenantSnapshot | None:
    """What the last answer rested on; None where there is none that this version can read."""
    try:
        return tenant_json.read(workspace.report).snapshot
    except InputError:
        return None


def _read(workspace: Workspace, tools: Tools, asked: Asked, learned: Learned) -> Seen | None:
    """New files into the history; then the answer, where anything that it rests on has changed.

    Returns what stands beside the answer, if that stays as it is and was read for this.
    """
    now = asked.options.now
    history = history_of(workspace, asked, tools.progress)
    added = history.add(asked.found)
    days = history.settle()
    days += _forget(workspace, history, now)
    learned.files, learned.days = len(added), len(days)
    learned.notes += [f"{source.path}: {source.note}" for source in added if source.note]
    learned.rows = sum(source.rows for source in history.sources())
    learned.truncated = tuple(
        source.path for source in history.sources() if "cut off" in source.note or "truncated" in source.note
    )
    name = fingerprint(asked)
    last = _last_seen(workspace)
    if not history.days() or (last is not None and not days and not added and last.fingerprint == name):
        return last
    if last is not None and _dns_is_out(workspace, asked) and now - last.generated_at < _DNS_PATIENCE:
        learned.untold[Source.HISTORY] = "DNS does not answer: the senders are told anew when it does"
        return last
    assess(workspace, history, asked, tools.progress)
    return None


def _forget(workspace: Workspace, history: History, now: datetime) -> tuple[str, ...]:
    """Days past their retention, deleted."""
    days = workspace.settings.retention.history_days
    return history.forget_before((now - timedelta(days=days)).date()) if days else ()


def _dns_is_out(workspace: Workspace, asked: Asked) -> bool:
    """Whether DNS was asked and did not tell what verdicts rest on."""
    return bool(asked.dns.spf_unknown) and not workspace.settings.dns.offline


def _last_seen(workspace: Workspace) -> Seen | None:
    """What the last answer rested on; None where there is none, or none of this version."""
    try:
        with workspace.publishing():
            return seen_file.read(workspace.report)
    except InputError:
        return None


def in_force(workspace: Workspace, seen: Seen | None = None) -> tuple[KeptReport | None, Seen | None]:
    """The answer that was given last; nothing where there is none, or none of this version.

    seen: what stands beside it, where that was read by this run already, which is the only one that replaces it.
    """
    try:
        with workspace.publishing():
            seen = seen or seen_file.read(workspace.report)
            if seen is None:
                return None, None
            daily = {name: one.daily for name, one in seen.senders.items()}
            return kept_report.read(workspace.report, daily), seen
    except InputError:
        return None, None
