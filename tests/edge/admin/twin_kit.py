"""A twin without its edge: an export, a log, a spool and a clock, with the admin endpoint over them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from sidedoor.edge.admin.app import start_admin
from sidedoor.edge.admin.faults import Fault, Faults
from sidedoor.edge.admin.quarantine_cmdlets import QuarantineCmdlets
from sidedoor.edge.admin.settings import TenantFolder
from sidedoor.edge.admin.state import Admin
from sidedoor.edge.admin.traces import TraceIndex
from sidedoor.edge.quarantine import open_spools
from tests.audit.audit_kit import accepted_domain, connector, write_settings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOKEN = "a-token-for-tests-only"
BETA = "/adminapi/beta/contoso.example"
GRAPH = "/v1.0/admin/exchange/tracing"
Answers = list[dict[str, Any]]


@dataclass
class Twin:
    """An export, a log, a spool and a clock, with the admin side over them."""

    folder: Path
    faults: Sequence[Fault] = ()
    now: datetime = NOW
    admin: Admin = field(init=False)

    def __post_init__(self) -> None:
        tenant = self.folder / "tenant"
        if not tenant.exists():
            write_settings(tenant, [accepted_domain("contoso.example", Default=True)], [connector("Gateway")])
            (tenant / "TransportRule.json").write_text('{"cmdlet": "Get-TransportRule", "value": []}')
        self.tenant, self.log = tenant, self.folder / "log.jsonl"
        self.admin = Admin(
            TOKEN, TenantFolder(tenant), TraceIndex(self.log, "mx.example", self.time),
            QuarantineCmdlets(lambda: open_spools(self.folder), self.time), self.time, Faults(self.faults),
        )  # fmt: skip

    def time(self) -> datetime:
        return self.now

    def run(self, cmdlet: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows."""
        return [dict(row) for row in self.admin.run(cmdlet, parameters)[0]]

    def took(self, number: int, when: datetime, *, outcome: str = "kept", **more: Any) -> None:
        """A line of the edge's log."""
        line = {
            "schema": "sidedoor/edge-log/1", "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "transaction": f"t{number}", "client_ip": "203.0.113.10", "helo": "MFP;HQ3",
            "envelope_sender": "scan@contoso.example", "recipient": f"u{number % 7}@contoso.example", "size": 100,
            "tls": None, "connector": None, "outcome": outcome, "final": None,
            "handled": {"action": "deliver", "rules": ["A 'rule'"]},
        } | more  # fmt: skip
        with self.log.open("a") as stream:
            stream.write(json.dumps(line) + "\n")


def over_http(twin: Twin, talk: Callable[[httpx.AsyncClient], Awaitable[Any]], path: str = BETA) -> Any:
    """Run `talk` against the endpoint."""

    async def run() -> Any:
        server = await start_admin(twin.admin)
        try:
            base = f"http://127.0.0.1:{server.port}{path}"
            async with httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
                return await talk(client)
        finally:
            await server.close()

    return asyncio.run(run())


async def ask(client: httpx.AsyncClient, cmdlet: str, **parameters: Any) -> httpx.Response:
    return await client.post("/InvokeCommand", json={"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}})
