"""whatif.json.gz beside a plan: what `plan.what_if` is asked of, so that a page answers at once without the history."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from sidedoor.audit.engine.kept import KeptFlow
from sidedoor.audit.facts import DecisionKey
from sidedoor.errors import InputError
from sidedoor.plan.model import ConnectorProposal
from sidedoor.plan.what_if import WhatIf
from sidedoor.policy.switches import Switches
from sidedoor.report.from_plain import from_plain
from sidedoor.report.plain import plain
from sidedoor.tenant.snapshot import TenantSnapshot

NAME = "whatif.json.gz"
SCHEMA = "sidedoor/whatif/1"
_EXPECTED = f"the {NAME} of a plan ({SCHEMA}); plan again to make one"
_MOST_BYTES = 1 << 30


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
    return gzip.compress(json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode("ascii"), 1, mtime=0)


def read(folder: Path) -> Kept | None:
    """The file in a plan's folder; None where there is none. Raises InputError."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with gzip.open(path) as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InputError(str(path), "more than 1 GB", _EXPECTED)
        body = json.loads(data)
        if body["schema"] != SCHEMA:
            raise InputError(str(path), f"the schema {str(body['schema'])[:60]!r}", _EXPECTED)
        return _kept(body)
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise InputError(str(path), f"something else ({str(error)[:100]})", _EXPECTED) from error


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
