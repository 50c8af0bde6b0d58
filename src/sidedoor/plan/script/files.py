"""All files of a plan for people, by name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from sidedoor.plan.model import ConnectorProposal, ConnectorSettings, Plan, RuleProposal, RuleStage
from sidedoor.plan.script.hunting import queries
from sidedoor.plan.script.letters import letters
from sidedoor.plan.script.powershell import literal
from sidedoor.tenant.snapshot import ConnectorKind

_BOM = "\ufeff"  # Windows PowerShell 5.1 reads a file without it as the machine's old code page
_PARAMETERS = """[CmdletBinding()]
param([switch] $Apply)
"""
_MARK = "made by sidedoor plan"
_MOST_BLOCKERS = 20
_README = """{state}

What to run, in this order, in a session of Connect-ExchangeOnline. Each script shows what it would do
and changes nothing, unless it is called with -Apply. Each may be run again.

{lines}

{between}A connector and the switch take up to 30 minutes to be in force everywhere: wait before you judge.
90-rollback.ps1 takes back what the scripts before it made, the last first. Where it switches
RejectDirectSend off it stops there; run it again half an hour later for the rest.
"""
_BETWEEN = """Before {script} everybody whose letter in owners/ asks for a change must have made it:
{why}.

"""
_REFUSES = (
    "its connectors refuse all other mail of their domains that comes without a login (5.7.51), before the switch"
)
_NEXT = "what has not moved is refused from then on (5.7.68)"


_OURS = re.compile(r"scripts/[1-9]0-[a-z-]+\.ps1|owners/[0-9a-f]{10}\.txt|hunting/[a-z-]+\.(?:defender|sentinel)\.kql")


def is_ours(name: str) -> bool:
    """Whether a file of a plan's folder has a name that a plan gives: `scripts/60-lockdown.ps1`."""
    return _OURS.fullmatch(name) is not None


def plan_files(plan: Plan) -> dict[str, bytes]:
    """Relative name -> content: scripts, letters, queries."""
    scripts = {name: (about, _script(about, data, body)) for name, about, data, body in _scripts(plan)}
    made = {f"scripts/{name}": (_BOM + body).encode("utf-8") for name, (_, body) in scripts.items()}
    made["scripts/README.txt"] = _readme(plan, {name: about for name, (about, _) in scripts.items()})
    made |= {f"owners/{name}": body.encode("utf-8") for name, body in letters(plan).items()}
    made |= {f"hunting/{name}": body.encode("utf-8") for name, body in queries(plan).items()}
    return made


def _readme(plan: Plan, scripts: Mapping[str, str]) -> bytes:
    lines = "\n".join(f"  {name:<24} {about}" for name, about in scripts.items())
    state = "The plan is READY."
    if not plan.ready:
        number = "1 thing is" if len(plan.blockers) == 1 else f"{len(plan.blockers)} things are"
        state = f"The plan is NOT READY: {number} in the way (plan.json, blockers)."
        state += "\n40-switch.ps1 refuses to switch until they are decided in plan.toml and planned again."
    refuses = any(
        not each.lockdown and (each.settings.restrict_to_addresses or each.settings.restrict_to_certificate)
        for each in plan.connectors
    )
    script, why = ("30-connectors.ps1", _REFUSES) if refuses else ("40-switch.ps1", _NEXT)
    between = _BETWEEN.format(script=script, why=why)
    return _README.format(state=state, lines=lines, between=between).encode("ascii")


def _scripts(plan: Plan) -> Iterator[tuple[str, str, Mapping[str, object], str]]:
    """Name, what it is for, its data, its body. Only those that have something to do."""
    connectors = _connectors([each for each in plan.connectors if not each.lockdown])
    locks = _connectors([each for each in plan.connectors if each.lockdown])
    tags = _rules([each for each in plan.rules if each.stage is RuleStage.TAG])
    holds = _rules([each for each in plan.rules if each.stage is RuleStage.QUARANTINE])
    planned = {"RejectDirectSend": plan.tenant.reject_direct_send, "AcceptedDomains": plan.tenant.accepted_domains}
    blockers = tuple(f"{each.id}: {each.text}" for each in plan.blockers[:_MOST_BLOCKERS])
    everything = {"Planned": planned, "Connectors": (*connectors, *locks), "Rules": (*tags, *holds)}
    about = "Is the tenant the one that the plan was made for?"
    yield "10-check.ps1", about, everything | {"Blockers": blockers}, "check"
    if tags:
        about = "Mark what still comes by itself; let it run two to four weeks."
        yield "20-tag-rule.ps1", about, {"Rules": tags}, "rules"
    if connectors:
        about = "Connectors for those that stay."
        yield "30-connectors.ps1", about, {"Connectors": connectors, "Blockers": blockers}, "connectors"
    about = "RejectDirectSend, when all owners have moved."
    yield "40-switch.ps1", about, {"Connectors": connectors, "Blockers": blockers}, "switch"
    yield "50-verify.ps1", "Is everything as planned?", everything, "verify"
    if locks:
        about = "Take mail from the filter only."
        yield "60-lockdown.ps1", about, {"Connectors": locks, "Blockers": blockers}, "connectors"
    if holds:
        yield "70-quarantine-rule.ps1", "Hold what comes beside the filter.", {"Rules": holds}, "rules"
    back = (*_named(holds), *locks[::-1], {"What": "switch"}, *connectors[::-1], *_named(tags))
    yield "90-rollback.ps1", "Everything back, in reverse order.", {"Planned": planned, "Steps": back}, "rollback"


def _script(about: str, data: Mapping[str, object], body: str) -> str:
    head = f"# {about} Changes nothing without -Apply. Made by sidedoor plan.\n{_PARAMETERS}"
    empty = {"Mark": _MARK, "Planned": {}, "Blockers": (), "Connectors": (), "Rules": (), "Steps": ()}
    lines = "".join(f"${name} = {literal(value)}\n" for name, value in (empty | dict(data)).items())
    return f"{head}{lines}{_body('head')}\n{_body(body)}".replace("\n", "\r\n")


def _body(name: str) -> str:
    return files("sidedoor.plan.script").joinpath("bodies", f"{name}.ps1").read_text(encoding="ascii")


def _connectors(proposals: Sequence[ConnectorProposal]) -> tuple[Mapping[str, object], ...]:
    return tuple(map(_connector, proposals))


def _connector(each: ConnectorProposal) -> Mapping[str, object]:
    """Settings: all as they are to be. Change and Back: only what is different, so that nothing else is touched."""
    settings = _settings(each.settings, each.kind)
    before = None if each.before is None else _settings(each.before, each.kind)
    differs = [] if before is None else [name for name in settings if settings[name] != before[name]]
    return {
        "What": "connector",
        "Name": each.name,
        "Action": each.action.value,
        "Lockdown": each.lockdown,
        "Settings": settings,
        "Before": before,
        "Change": {name: settings[name] for name in differs},
        # $null empties a list; an empty array may be taken for nothing said.
        "Back": {} if before is None else {name: None if before[name] == () else before[name] for name in differs},
    }


def _settings(settings: ConnectorSettings, kind: ConnectorKind) -> dict[str, Any]:
    """By the cmdlet's parameters. RequireTls is always said: a new connector would have it on by default."""
    partner = kind is ConnectorKind.PARTNER
    return {
        "ConnectorType": kind.value,
        "Enabled": settings.enabled,
        "SenderDomains": settings.sender_domains,
        "SenderIPAddresses": settings.addresses,
        "TlsSenderCertificateName": settings.certificate_name,
        "RequireTls": settings.require_tls,
        "RestrictDomainsToIPAddresses": settings.restrict_to_addresses if partner else None,
        "RestrictDomainsToCertificate": settings.restrict_to_certificate if partner else None,
    }


def _rules(proposals: Sequence[RuleProposal]) -> tuple[Mapping[str, object], ...]:
    return tuple(
        {"What": "rule", "Name": each.name, "Comment": _comment(each), "Parameters": each.parameters}
        for each in proposals
    )


def _named(rules: Sequence[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    """What a rollback needs of rules, the last first."""
    yield from ({"What": "rule", "Name": each["Name"]} for each in reversed(rules))


def _comment(rule: RuleProposal) -> str:
    """Says who made it, and tells one plan's rule from another's of the same name."""
    text = json.dumps(dict(rule.parameters), sort_keys=True, ensure_ascii=True)
    return f"{_MARK} {hashlib.sha256(text.encode('ascii')).hexdigest()[:12]}"
