"""All files of a plan for people, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

from sidedoor.plan.model import ConnectorProposal, ConnectorSettings, Plan, RuleProposal, RuleStage
from sidedoor.plan.script.hunting import queries
from sidedoor.plan.script.letters import letters
from sidedoor.plan.script.powershell import literal
from sidedoor.tenant.snapshot import ConnectorKind

_BOM = "\ufeff"  # Windows PowerShell 5.1 reads a file without it as the machine's old code page
_PARAMETERS = """[CmdletBinding()]
param([switch] $Apply)
"""
_README = """What to run, in this order, in a session of Connect-ExchangeOnline. Each script shows what it would do
and changes nothing, unless it is called with -Apply. Each may be run again.

{lines}

A connector and the switch take up to 30 minutes to be in force everywhere: wait before you judge.
Scripts 20 to 40 are taken back by 90-rollback.ps1, in reverse order.
"""


def plan_files(plan: Plan) -> dict[str, bytes]:
    """Relative name -> content: scripts, letters, queries."""
    scripts = {name: (about, _script(about, data, body)) for name, about, data, body in _scripts(plan)}
    lines = "\n".join(f"  {name:<24} {about}" for name, (about, _) in scripts.items())
    made = {f"scripts/{name}": (_BOM + body).encode("utf-8") for name, (_, body) in scripts.items()}
    made["scripts/README.txt"] = _README.format(lines=lines).encode("ascii")
    made |= {f"owners/{name}": body.encode("utf-8") for name, body in letters(plan).items()}
    made |= {f"hunting/{name}": body.encode("utf-8") for name, body in queries(plan).items()}
    return made


def _scripts(plan: Plan) -> Iterator[tuple[str, str, Mapping[str, object], str]]:
    """Name, what it is for, its data, its body. Only those that have something to do."""
    connectors = [each for each in plan.connectors if not each.lockdown]
    locks = [each for each in plan.connectors if each.lockdown]
    tags = [each for each in plan.rules if each.stage is RuleStage.TAG]
    holds = [each for each in plan.rules if each.stage is RuleStage.QUARANTINE]
    planned = {"RejectDirectSend": plan.tenant.reject_direct_send, "AcceptedDomains": plan.tenant.accepted_domains}
    everything = {"Planned": planned, "Connectors": _connectors(plan.connectors), "Rules": _rules(plan.rules)}
    yield "10-check.ps1", "Is the tenant the one that the plan was made for?", everything, "check"
    if tags:
        about = "Mark what still comes by itself; let it run two to four weeks."
        yield "20-tag-rule.ps1", about, {"Rules": _rules(tags)}, "rules"
    if connectors:
        yield (
            "30-connectors.ps1",
            "Connectors for those that stay.",
            {"Connectors": _connectors(connectors)},
            "connectors",
        )
    yield "40-switch.ps1", "RejectDirectSend, when all owners have moved.", {}, "switch"
    yield "50-verify.ps1", "Is everything as planned?", {"Connectors": _connectors(plan.connectors)}, "verify"
    if locks:
        about = "Take mail from the filter only."
        yield "60-lockdown.ps1", about, {"Connectors": _connectors(locks)}, "connectors"
    if holds:
        yield "70-quarantine-rule.ps1", "Hold what comes beside the filter.", {"Rules": _rules(holds)}, "rules"
    yield "90-rollback.ps1", "Everything back, in reverse order.", everything, "rollback"


def _script(about: str, data: Mapping[str, object], body: str) -> str:
    head = f"# {about} Changes nothing without -Apply. Made by sidedoor plan.\n{_PARAMETERS}"
    values = {"Mark": "made by sidedoor plan", "Planned": {}, "Connectors": (), "Rules": ()} | dict(data)
    lines = "".join(f"${name} = {literal(value)}\n" for name, value in values.items())
    return f"{head}{lines}{_body('head')}\n{_body(body)}".replace("\n", "\r\n")


def _body(name: str) -> str:
    return files("sidedoor.plan.script").joinpath("bodies", f"{name}.ps1").read_text(encoding="ascii")


def _connectors(proposals: Sequence[ConnectorProposal]) -> tuple[Mapping[str, object], ...]:
    return tuple(
        {
            "Name": each.name,
            "Action": each.action.value,
            "Kind": each.kind.value,
            "Settings": _settings(each.settings, each.kind),
            "Before": None if each.before is None else _settings(each.before, each.kind),
        }
        for each in proposals
    )


def _settings(settings: ConnectorSettings, kind: ConnectorKind) -> Mapping[str, object]:
    partner = kind is ConnectorKind.PARTNER
    return {
        "Enabled": settings.enabled,
        "SenderDomains": settings.sender_domains,
        "SenderIPAddresses": settings.addresses,
        "TlsSenderCertificateName": settings.certificate_name,
        "RequireTls": settings.require_tls and partner,
        "RestrictDomainsToIPAddresses": settings.restrict_to_addresses and partner,
        "RestrictDomainsToCertificate": settings.restrict_to_certificate and partner,
    }


def _rules(proposals: Sequence[RuleProposal]) -> tuple[Mapping[str, object], ...]:
    return tuple({"Name": each.name, "Parameters": each.parameters} for each in proposals)
