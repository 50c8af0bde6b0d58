"""What a collection could not get, why, and what to do about it; and collection.json, which says so. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sidedoor.exchange import settings
from sidedoor.exchange.parts import Part
from sidedoor.exchange.plan import Plan
from sidedoor.exchange.windows import iso
from sidedoor.exchange.wire import TRACE_SERVICE, Refusal, RefusedError

SCHEMA = "sidedoor/collection/1"
_SETTLING = 4 * 3600  # seconds: rows as young as this change yet (measured of Graph's traces)
_HOW = {
    "settings": "the permission and the role that docs/collect.md names, or the PowerShell that "
    "`sidedoor collect --script` prints",
    "traces": "run the same command again, or narrow it with --since and --until",
    "hunting": "Defender for Office 365 Plan 2 and ThreatHunting.Read.All",
    "details": "run the same command again, or an extended historical search",
}
_LACKING = {
    "traces": "a historical search of that time, or --since and --until around it into a new folder",
    "hunting": "advanced hunting in the portal, for that time",
    "details": "an extended historical search, or run later into a new folder",
}
_REFUSED: Mapping[Refusal, str] = {
    Refusal.NOT_PROVISIONED: f"add the service principal {TRACE_SERVICE} to the tenant, give it some hours, and run "
    "the same command again; --lists exchange does without it",
    Refusal.UNAUTHORIZED: "a fresh token, or the permission and the role that docs/collect.md names; then run the same "
    "command again",
    Refusal.FORBIDDEN: "the permission and the role that docs/collect.md names; then run the same command again",
}


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that was asked for and not had."""

    what: str
    why: str
    how_to_get_it: str


def how_to_get(what: str, error: Exception) -> str:
    """What to do about a refusal."""
    if what != "hunting" and isinstance(error, RefusedError) and error.refusal in _REFUSED:
        return _REFUSED[error.refusal]
    return _HOW[what]


def missing_of(
    plan: Plan, parts: Mapping[str, Part], found: Sequence[settings.Setting], *, details_asked: bool
) -> list[Missing]:
    """Everything, as things stand. details_asked: whether it is known which messages' details are wanted."""
    missing = [Missing("settings", each.missing, _HOW["settings"]) for each in found if each.missing]
    asked = {each.kind for each in found}
    missing += [
        Missing("settings", f"{kind.value}: not asked for yet", _HOW["traces"])
        for kind in settings.ORDER if kind not in asked
    ]  # fmt: skip
    for name, _ in plan.days():
        missing += _of_part("hunting", name, parts.get(name, Part()))
    for name, _ in plan.windows():
        missing += _of_part("traces", name, parts.get(name, Part()))
    if plan.detail_file in parts:
        missing += _of_part("details", plan.detail_file, parts[plan.detail_file])
    elif plan.details and plan.lists != "none" and not details_asked:
        missing.append(Missing("details", "details: not asked for before all lists are there", _HOW["traces"]))
    return missing


def _of_part(what: str, name: str, part: Part) -> Iterable[Missing]:
    if part.gone:
        yield Missing(what, part.gone, "a historical search, if it goes back so far; the service lists it no more")
    yield from (Missing(what, f"{name}: {why}", _LACKING[what]) for why in part.missing)
    if part.failed:
        yield Missing(what, part.failed, part.how or _HOW[what])
    elif not part.done and not part.gone:
        yield Missing(what, f"{name}: not collected to its end", _HOW["traces"])


def summary(
    plan: Plan, parts: Mapping[str, Part], files: Sequence[str], missing: Sequence[Missing], *, now: datetime,
    requests: int,
) -> bytes:  # fmt: skip
    """collection.json. `files` of settings."""
    body = {
        "schema": SCHEMA, "tenant": plan.tenant, "since": iso(plan.since), "until": iso(plan.until),
        "written": iso(now), "complete": not missing, "settings": files,
        "files": [
            {"path": name, "rows": part.rows, "notes": part.told} for name, part in parts.items() if part.done
        ],
        "requests": requests, "settling_seconds": _SETTLING, "missing": [asdict(each) for each in missing],
    }  # fmt: skip
    return json.dumps(body, indent=1, ensure_ascii=True).encode()
