"""whatif.json.gz beside a plan: what `plan.what_if` is asked of, so that a page answers at once without the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from sidedoor.audit.engine.kept import KeptFlow
from sidedoor.audit.facts import DecisionKey
from sidedoor.plan.model import ConnectorProposal
from sidedoor.plan.what_if import WhatIf
from sidedoor.policy.switches import Switches
from sidedoor.report.from_plain import from_plain
from sidedoor.report.packed import packed, unpacked
from sidedoor.report.plain import plain
from sidedoor.tenant.snapshot import TenantSnapshot

NAME = "whatif.json.gz"
SCHEMA = "sidedoor/whatif/1"
_EXPECTED = f"the {NAME} of a plan ({SCHEMA}); plan again to make one"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the file holds; the settings stand in tenant.json."""

    proposals: tuple[ConnectorProposal, ...]
    flows: tuple[KeptFlow, ...]
    filters: tuple[IPv4Network, ...] = ()


def dump(proposals: Sequence[ConnectorProposal], flows: Sequence[KeptFlow], filters: Sequence[IPv4Network]) -> bytes:
    """The file's bytes: gzip, the same for the same values. Each decision key stands once."""
    numbers: dict[DecisionKey, int] = {}
    rows = [[numbers.setdefault(flow.key, len(numbers)), flow.sender, flow.messages] for flow in flows]
    body = {
        "schema": SCHEMA,
        "proposals": [plain(proposal) for proposal in proposals],
        "filters": list(map(str, filters)),
        "keys": [list(astuple(key)) for key in numbers],
        "flows": rows,
    }
    return packed(body)


def read(folder: Path) -> Kept | None:
    """The file in a plan's folder; None where there is none. Raises InputError."""
    return unpacked(folder / NAME, SCHEMA, _EXPECTED, _kept)


def _kept(body: dict[str, Any]) -> Kept:
    keys = [DecisionKey(*row) for row in body["keys"]]
    return Kept(
        tuple(from_plain(ConnectorProposal, row) for row in body["proposals"]),
        tuple(KeptFlow(keys[int(number)], str(sender), int(messages)) for number, sender, messages in body["flows"]),
        tuple(map(IPv4Network, body["filters"])),
    )


def what_if(kept: Kept, snapshot: TenantSnapshot, switches: Switches) -> WhatIf:
    """To be asked, under the settings that the report rests on."""
    return WhatIf(snapshot, switches, kept.proposals, kept.flows, kept.filters)
