"""A workspace's plan: from its history and what people decided, into report/plan, with what a page's what-if asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sidedoor.audit.engine.kept import KeptHistory
from sidedoor.audit.history import kept_days
from sidedoor.audit.model import Verdict
from sidedoor.catalogue.catalogue import load_catalogue
from sidedoor.plan.lockdown import filter_networks, lockdown
from sidedoor.plan.model import Method, Plan
from sidedoor.plan.run import Question, make_plan
from sidedoor.plan.what_if import classes_with
from sidedoor.plan.words import NO_WORDS, SenderWord, Words, read_words
from sidedoor.report import kept_report, plan_json, tenant_json, whatif_json
from sidedoor.report.kept_report import KeptReport
from sidedoor.report.plan_folder import write_plan
from sidedoor.report.tenant_json import KeptSettings
from sidedoor.store.model import Decision, Word
from sidedoor.store.store import open_store
from sidedoor.store.tenant import TenantStore
from sidedoor.watch import seen
from sidedoor.watch.seeing import answer_of
from sidedoor.watch.workspace import Workspace, open_workspace

FOLDER = "plan"
_MADE = "plan"  # the store's value: what the plan in place rests on


def replan(workspace: Workspace, store: TenantStore, now: datetime) -> Plan:
    """Make the plan anew and put it in place. While the workspace's run is held (`workspace.running`).

    Raises InputError where there is no report yet, or it lacks what a plan rests on.
    """
    settings, report = tenant_json.read(workspace.report), kept_report.read(workspace.report)
    rests_on = _rests_on(workspace, store, report.generated_at)
    words = _words(workspace, store, report)
    with kept_days(workspace.history, workspace.report) as history:
        catalogue = workspace.settings.inputs.catalogue
        question = Question(
            report.senders, history, settings.snapshot, settings.switches, words,
            load_catalogue(workspace.path(catalogue) if catalogue else None), now, str(workspace.report),
        )  # fmt: skip
        plan = make_plan(question)
        asked = _what_if(settings, words, plan, history)
    with workspace.publishing():
        write_plan(workspace.report / FOLDER, plan, {whatif_json.NAME: asked})
    store.put_value(_MADE, rests_on)
    return plan


def _what_if(settings: KeptSettings, words: Words, plan: Plan, history: KeptHistory) -> bytes:
    """The plan's connectors, and the lock-down where the plan has none but one can be made."""
    proposals = list(plan.connectors)
    lock = lockdown(settings.snapshot, words.filter)
    if lock is not None and not any(each.lockdown for each in proposals):
        proposals.append(lock)
    flows = history.flows(classes_with(settings.snapshot, proposals))
    return whatif_json.dump(proposals, flows, filter_networks(settings.snapshot, words.filter))


def said_of(folder: Path) -> Words:
    """What people said about the senders of a workspace's report. Raises InputError."""
    workspace = open_workspace(folder)
    with open_store(workspace.store_url) as store:
        return _words(workspace, store.tenant(workspace.name), kept_report.read(workspace.report))


def _words(workspace: Workspace, store: TenantStore, report: KeptReport) -> Words:
    decisions = store.decisions()
    answer = answer_of(report, seen.read(workspace.report), store.known_senders(), decisions)
    return words_of(workspace, decisions, answer.keys)


def words_of(workspace: Workspace, decisions: Mapping[str, Decision], keys: Mapping[str, str]) -> Words:
    """What people said on the page, above what plan.toml in the workspace says. keys: report's id -> lasting key.

    Raises InputError for a plan.toml that cannot be read.
    """
    path = workspace.folder / "plan.toml"
    words = read_words(path) if path.exists() else NO_WORDS
    senders = {name: word for name, word in words.senders.items() if name in keys}
    for identity, key in keys.items():
        if key in decisions:
            senders[identity] = _word(senders.get(identity, SenderWord()), decisions[key])
    return replace(words, senders=senders)


def _word(word: SenderWord, said: Decision) -> SenderWord:
    return replace(
        word,
        assessment=word.assessment if said.assessment is Word.NONE else Verdict(said.assessment.value),
        method=Method(said.method) if said.method else word.method,
        owner=said.owner or word.owner,
        note=said.note or word.note,
    )


def stale(workspace: Workspace, store: TenantStore, report_at: datetime) -> bool:
    """Whether the plan in place is not of the report of that time, or older than what people decided."""
    if not (workspace.report / FOLDER / plan_json.NAME).exists():
        return True
    return bool(store.value(_MADE) != _rests_on(workspace, store, report_at))


def _rests_on(workspace: Workspace, store: TenantStore, report_at: datetime) -> dict[str, str]:
    """Of which report and which words a plan is made."""
    said = workspace.folder / "plan.toml"
    words = str(said.stat().st_mtime_ns) if said.exists() else ""
    return {"report": report_at.isoformat(), "said": _last_word(store), "words": words}


def _last_word(store: TenantStore) -> str:
    """When somebody decided something last."""
    return max((each.at.isoformat() for each in store.decisions().values() if each.at is not None), default="")
