"""The live tenant asked by `watch`: each run fetches what came since the last one, into a folder of its own.

A run that was cut off is gone on with first. Rows of the last hours can still change, so a run begins that much before
the end of the last one; the history knows a row that comes again. Settings go to `settings/`, where the newest count.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sidedoor.errors import InputError, SidedoorError
from sidedoor.evidence.tenant_files import is_tenant_export, read_tenant
from sidedoor.exchange.clock import Clock, SystemClock
from sidedoor.exchange.clouds import Cloud
from sidedoor.exchange.collect import Collection
from sidedoor.exchange.graph import Graph
from sidedoor.exchange.http import Http
from sidedoor.exchange.invoke import Exchange
from sidedoor.exchange.links import checked_base
from sidedoor.exchange.mailbox import Mailbox
from sidedoor.exchange.missing import Missing
from sidedoor.exchange.pacing import mailbox_pacer
from sidedoor.exchange.parts import Store
from sidedoor.exchange.plan import Plan, checked_stretch, hunting_since, planned
from sidedoor.exchange.sign_in import SignIn
from sidedoor.exchange.tokens import Tokens
from sidedoor.report.atomic import write_files
from sidedoor.watch.bounces import fetch_bounces
from sidedoor.watch.tools import Collected
from sidedoor.watch.workspace import Workspace

_SETTLING = timedelta(hours=4)
_STALE = timedelta(days=9)  # a list asks for ten days at most: an older unfinished run is left as it is
_SUMMARY = "collection.json"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LiveCollector:
    """See `tools.Collector`."""

    say: Say
    clock: Clock

    def __call__(self, workspace: Workspace, since: datetime | None, now: datetime) -> Collected:
        """Go on with what was cut off, then fetch what is new; settings and bounces on the way."""
        _prune(workspace, now)
        try:
            with ExitStack() as stack:
                live = _Live(workspace, self, stack)
                return live.collect(since, now)
        except SidedoorError as error:
            return Collected(None, (str(error),), settings=str(error), history=str(error))


class _Live:
    """Signed in."""

    def __init__(self, workspace: Workspace, of: LiveCollector, stack: ExitStack) -> None:
        self.workspace, self.wanted = workspace, workspace.settings.collect
        self.say, self.clock = of.say, of.clock
        signed = _sign_in(workspace)
        self.cloud = _cloud(signed, self.wanted.graph_url)
        self.tokens: Tokens = signed.tokens(self.cloud, of.say)
        self.http = Http(self.tokens, of.clock, of.say)
        stack.callback(self.http.close)

    def collect(self, since: datetime | None, now: datetime) -> Collected:
        missing: list[Missing] = []
        until = since
        unfinished = _unfinished(self.workspace.collected, now)
        if unfinished is not None:
            missing += self._run(unfinished, None, now)
            until = _until(unfinished, missing) or until
        start = now - timedelta(days=self.wanted.first_days) if until is None else until - _SETTLING
        folder = self.workspace.collected / f"{now:%Y%m%dT%H%M%SZ}"
        fresh = self._run(folder, start, now)
        missing += fresh
        until = _until(folder, fresh) or until
        settings = "; ".join(each.why for each in fresh if each.what == "settings")
        _keep_settings(folder, self.workspace.tenant_settings)
        traces = "; ".join(each.why for each in missing if each.what == "traces")
        notes = [f"{each.what}: {each.why}" for each in missing] + self._bounces(now)
        return Collected(until, tuple(notes), settings=settings, history=traces)

    def _run(self, folder: Path, since: datetime | None, now: datetime) -> list[Missing]:
        """One collection to its end. Raises UnreachableError with all kept that has come."""
        with Store(folder) as store:
            plan = self._plan(store, since, now)
            exchange = Exchange(self.http, self.cloud, plan.tenant, self.tokens.anchor)
            collection = Collection(
                plan, store, exchange, Graph(self.http, self.cloud), self.clock, self.say,
                lambda path: read_tenant(path, explicit=False).snapshot,
            )  # fmt: skip
            return collection.run()

    def _plan(self, store: Store, since: datetime | None, now: datetime) -> Plan:
        start, end = checked_stretch(since, None, now)
        hunting = hunting_since(start, now) if self.wanted.hunting else None
        asked = Plan(
            self.wanted.tenant_id, start, end, self.wanted.lists.value, self.wanted.details, hunting, (since, None)
        )
        return planned(asked, store.plan if store.load() else None)

    def _bounces(self, now: datetime) -> list[str]:
        """New reports out of the mailbox; problems as sentences."""
        wanted = self.workspace.settings.bounces
        if not wanted.mailbox:
            return []
        folder = self.workspace.path(wanted.folder)
        folder.mkdir(parents=True, exist_ok=True)
        mailbox = Mailbox(self.http, self.cloud, wanted.mailbox, mailbox_pacer(self.clock))
        try:
            return fetch_bounces(mailbox, folder, now).problems
        except SidedoorError as error:
            return [f"bounces of {wanted.mailbox}: {error}"]


def _sign_in(workspace: Workspace) -> SignIn:
    wanted = workspace.settings.collect
    return SignIn(
        tenant_id=wanted.tenant_id,
        client_id=wanted.client_id or None,
        certificate=workspace.path(wanted.certificate) if wanted.certificate else None,
        certificate_passphrase_env=wanted.certificate_passphrase_env or None,
        secret_env=wanted.secret_env or None,
        device_code=False,
        token_env=wanted.token_env or None,
        cloud=wanted.cloud.value,
        base_url=wanted.base_url or None,
        authority_url=wanted.authority_url or None,
    )


def _cloud(signed: SignIn, graph_url: str) -> Cloud:
    cloud = signed.addresses()
    return replace(cloud, graph=checked_base(graph_url)) if graph_url else cloud


def _unfinished(collected: Path, now: datetime) -> Path | None:
    """The newest run, if it did not come to its end and is young enough to go on with."""
    folders = _runs(collected)
    if not folders or _complete(folders[-1]) is not False:
        return None
    return folders[-1] if now - _begun(folders[-1]) < _STALE else None


def _runs(collected: Path) -> list[Path]:
    return sorted(path for path in collected.iterdir() if path.is_dir()) if collected.is_dir() else []


def _begun(folder: Path) -> datetime:
    try:
        return datetime.strptime(folder.name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _complete(folder: Path) -> bool | None:
    """Whether a run came to its end; None where it does not say."""
    try:
        return bool(json.loads((folder / _SUMMARY).read_bytes())["complete"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _until(folder: Path, missing: Iterable[Missing]) -> datetime | None:
    """Up to when a run's traces are all there; None where some are missing."""
    if any(each.what == "traces" for each in missing):
        return None
    try:
        return datetime.fromisoformat(json.loads((folder / _SUMMARY).read_bytes())["until"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep_settings(folder: Path, place: Path) -> None:
    """The settings of a run, put where the newest count. Raises OutputError."""
    found = [path for path in sorted(folder.glob("*.json")) if path.name != _SUMMARY and _is_setting(path)]
    write_files({place / path.name: path.read_bytes() for path in found})


def _is_setting(path: Path) -> bool:
    try:
        return is_tenant_export(path)
    except InputError:
        return False


def _prune(workspace: Workspace, now: datetime) -> None:
    """Runs past their retention: what they brought is in the history."""
    days = workspace.settings.retention.collected_days
    for folder in _runs(workspace.collected) if days else ():
        if _complete(folder) and now - _begun(folder) > timedelta(days=days):
            shutil.rmtree(folder, ignore_errors=True)


def collector(say: Say) -> LiveCollector:
    """By the machine's clock."""
    return LiveCollector(say, SystemClock())
