"""The admin endpoint over HTTP: the service's shapes, limits and faults, and an edge that takes up what is set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.edge.admin.app import Admin, start_admin
from sidedoor.edge.admin.errors import CmdletError, ForbiddenError
from sidedoor.edge.admin.faults import Fault, FaultKind, Faults, read_faults
from sidedoor.edge.admin.quarantine_cmdlets import QuarantineCmdlets
from sidedoor.edge.admin.settings import TenantFolder
from sidedoor.edge.admin.traces import TraceIndex
from sidedoor.edge.spool.model import Held, Kept
from sidedoor.edge.spool.store import Store
from sidedoor.errors import InputError
from sidedoor.evidence.customdata import parse_custom_data
from sidedoor.evidence.tenant_files import read_tenant
from tests.audit.audit_kit import accepted_domain, connector, write_settings
from tests.edge.kill_kit import free_port

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOKEN = "a-token-for-tests-only"


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
            QuarantineCmdlets(self.folder / "spool.db", self.time), self.time, Faults(self.faults),
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
            "connector": None, "outcome": outcome, "handled": {"action": "deliver", "rules": ["A 'rule'"]},
        } | more  # fmt: skip
        with self.log.open("a") as stream:
            stream.write(json.dumps(line) + "\n")


def over_http(twin: Twin, talk: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    """Run `talk` against the endpoint."""
    port = free_port()

    async def run() -> Any:
        runner = await start_admin(twin.admin, "127.0.0.1", port)
        try:
            base, headers = (
                f"http://127.0.0.1:{port}/adminapi/beta/contoso.example",
                {"Authorization": f"Bearer {TOKEN}"},
            )
            async with httpx.AsyncClient(base_url=base, headers=headers) as client:
                return await talk(client)
        finally:
            await runner.close()

    return asyncio.run(run())


async def ask(client: httpx.AsyncClient, cmdlet: str, **parameters: Any) -> httpx.Response:
    return await client.post("/InvokeCommand", json={"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}})


def test_the_shape_of_an_answer(tmp_path: Path) -> None:
    answer = over_http(Twin(tmp_path), lambda client: ask(client, "get-inboundconnector")).json()
    assert answer["@odata.context"].endswith("$metadata#Collection(Exchange.GenericHashTable)")
    assert answer["@adminapi.warnings"] == []
    assert answer["value"][0]["Name"] == "Gateway"
    assert answer["value"][0]["SenderDomains@odata.type"] == "#Collection(String)"


@pytest.mark.parametrize("token", ["", "Bearer wrong", f"Basic {TOKEN}", "Bearer ü"])
def test_without_the_token_there_is_nothing(tmp_path: Path, token: str) -> None:
    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/InvokeCommand", headers={b"Authorization": token.encode()}, json={})

    assert over_http(Twin(tmp_path), talk).status_code == 401


def test_an_unknown_cmdlet_is_nul_bytes(tmp_path: Path) -> None:
    answer = over_http(Twin(tmp_path), lambda client: ask(client, "Remove-Mailbox", Identity="x"))
    assert answer.status_code == 403
    assert set(answer.content) == {0}


def test_v1_is_not_allowed(tmp_path: Path) -> None:
    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(str(client.base_url).replace("beta", "v1.0") + "InvokeCommand", json={})

    assert over_http(Twin(tmp_path), talk).status_code == 405


def test_an_error_says_what_it_was_deep_inside(tmp_path: Path) -> None:
    answer = over_http(Twin(tmp_path), lambda client: ask(client, "Get-InboundConnector", Identity="nobody"))
    error = answer.json()["error"]
    assert answer.status_code == 404
    assert error["message"] == "Invalid Operation"
    assert "nobody" in error["innererror"]["internalexception"]["message"]
    assert error["details"][0]["message"].startswith("Ex6F9304|Microsoft.")


def test_pages(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    for number in range(5):
        twin.run("New-InboundConnector", Name=f"c{number}", SenderDomains="*")

    async def talk(client: httpx.AsyncClient) -> list[str]:
        client.headers["Prefer"] = "odata.maxpagesize=4"
        answer = (await ask(client, "Get-InboundConnector")).json()
        names = [row["Name"] for row in answer["value"]]
        link = answer["@odata.nextLink"]
        again = await client.post(link, json={})
        names += [row["Name"] for row in again.json()["value"]]
        assert (await client.post(link, json={})).json() == again.json()  # an answer that got lost is asked for again
        assert (await client.post(link.replace("skiptoken=", "skiptoken=0"), json={})).status_code == 400
        twin.now += timedelta(minutes=31)
        assert (await client.post(link, json={})).status_code == 400
        return names

    assert over_http(twin, talk) == ["Gateway", "c0", "c1", "c2", "c3", "c4"]


def test_what_is_set_is_in_the_export(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    twin.run("Set-OrganizationConfig", RejectDirectSend=True)
    twin.run("Set-OrganizationConfig", RejectDirectSend=False, WhatIf=True)
    twin.run("New-InboundConnector", Name="Printers", SenderDomains=["contoso.example"],
             SenderIPAddresses=["203.0.113.0/24"], RequireTls=False)  # fmt: skip
    twin.run("Set-InboundConnector", Identity="gateway", Enabled=False)
    snapshot = read_tenant(twin.tenant).snapshot
    assert snapshot.reject_direct_send is True
    assert isinstance(snapshot.inbound_connectors, tuple)
    assert [(each.name, each.enabled) for each in snapshot.inbound_connectors] == [
        ("Gateway", False),
        ("Printers", True),
    ]
    twin.run("Remove-InboundConnector", Identity="Printers", Confirm=False)
    assert [row["Name"] for row in Twin(tmp_path).run("Get-InboundConnector")] == ["Gateway"]


BAD_CONNECTORS: list[dict[str, Any]] = [
    {}, {"Name": "x"}, {"Name": "x", "SenderDomains": []}, {"Name": "GATEWAY", "SenderDomains": "*"},
    {"Name": "x", "SenderDomains": "no domain"}, {"Name": "x", "SenderDomains": "*", "SenderIPAddresses": "10.0.0.0/8"},
    {"Name": "x", "SenderDomains": "*", "SenderIPAddresses": "2001:db8::1"},
    {"Name": "x", "SenderDomains": "*", "SenderIPAddresses": "printer"},
    {"Name": "x", "SenderDomains": "*", "RequireTls": "yes"}, {"Name": "x", "SenderDomains": "*", "Colour": "red"},
    {"Name": "x", "SenderDomains": "*", "RestrictDomainsToIPAddresses": True},
    {"Name": "x", "SenderDomains": "*", "RestrictDomainsToCertificate": True},
    {"Name": "half a \ud83d", "SenderDomains": "*"}, {"Name": "x" * 2_000, "SenderDomains": "*"},
    {"Name": 3, "SenderDomains": "*"},
    {"Name": "x", "SenderDomains": "*", "ConnectorType": "Cloud"},
]  # fmt: skip


@pytest.mark.parametrize("parameters", BAD_CONNECTORS)
def test_connectors_that_the_service_refuses(tmp_path: Path, parameters: dict[str, Any]) -> None:
    twin = Twin(tmp_path)
    with pytest.raises(CmdletError):
        twin.run("New-InboundConnector", **parameters)
    assert [row["Name"] for row in Twin(tmp_path).run("Get-InboundConnector")] == ["Gateway"]


@pytest.mark.parametrize("name", ["'; Remove-Mailbox", "a\u2019b", "$(calc)", "../../etc/passwd", "ü\n\x1b[31m"])
def test_names_stay_names(tmp_path: Path, name: str) -> None:
    twin = Twin(tmp_path)
    twin.run("New-InboundConnector", Name=name, SenderDomains="*")
    assert [row["Name"] for row in Twin(tmp_path).run("Get-InboundConnector")] == ["Gateway", name]
    assert sorted(path.name for path in twin.tenant.iterdir()) == sorted(
        ["AcceptedDomain.json", "InboundConnector.json", "OrganizationConfig.json", "TransportRule.json"]
    )


def test_rules_have_priorities_without_gaps(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    for name in ("a", "b", "c"):
        twin.run("New-TransportRule", Name=name, SenderDomainIs="contoso.example", Quarantine=True, Enabled=name != "c")
    twin.run("Set-TransportRule", Identity="c", Priority=0, Enabled=True)
    twin.run("Remove-TransportRule", Identity="a")
    rows = Twin(tmp_path).run("Get-TransportRule")
    assert [(row["Name"], row["Priority"], row["State"]) for row in rows] == [("c", 0, "Enabled"), ("b", 1, "Enabled")]
    with pytest.raises(CmdletError, match="used together"):
        twin.run("New-TransportRule", Name="d", SetHeaderName="X")


def collect(twin: Twin, size: int) -> list[tuple[str, str]]:
    """All rows, by the service's way of going on; doubles taken out."""
    found: dict[tuple[str, str], None] = {}
    parameters: dict[str, Any] = {"StartDate": "2026-11-18T00:00:00Z", "EndDate": "2026-11-20T12:00:00Z"}
    for _ in range(200):
        rows, warnings = twin.admin.run("Get-MessageTraceV2", {**parameters, "ResultSize": size})
        before = len(found)
        found |= dict.fromkeys((str(row["MessageTraceId"]), str(row["RecipientAddress"])) for row in rows)
        if not warnings:
            return list(found)
        assert "-StartingRecipientAddress" in warnings[0]
        assert len(found) > before, "no way forward"
        parameters |= {"EndDate": rows[-1]["Received"], "StartingRecipientAddress": rows[-1]["RecipientAddress"]}
    raise AssertionError("no end")


@pytest.mark.parametrize("size", [3, 10, 1_000])
def test_a_trace_is_whole_whatever_the_page(tmp_path: Path, size: int) -> None:
    twin = Twin(tmp_path)
    for number in range(60):
        twin.took(number, NOW - timedelta(hours=1, seconds=number // 2))
    twin.took(99, NOW, outcome="refused")
    assert len(collect(twin, size)) == 60


def test_traces_grow_and_forget(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    assert twin.run("Get-MessageTraceV2") == []
    twin.took(1, NOW - timedelta(hours=1))
    assert len(twin.run("Get-MessageTraceV2")) == 1
    twin.took(2, NOW - timedelta(days=3))
    with twin.log.open("a") as stream:
        stream.write('{"half a li')
    assert len(twin.run("Get-MessageTraceV2")) == 1
    assert len(twin.run("Get-MessageTraceV2", StartDate="2026-11-15")) == 2
    twin.log.rename(twin.folder / "log.1")
    twin.took(3, NOW - timedelta(minutes=1))
    assert len(twin.run("Get-MessageTraceV2")) == 2
    twin.now = NOW + timedelta(days=91)
    assert twin.run("Get-MessageTraceV2", StartDate="2027-02-12", EndDate="2027-02-19") == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"ResultSize": 5_001}, {"ResultSize": 0}, {"StartDate": "2026-11-01", "EndDate": "2026-11-12"},
        {"StartDate": "2026-01-01", "EndDate": "2026-01-02"}, {"StartDate": "soon"}, {"StartDate": "2026-11-20T13:00"},
        {"Sender": "x"}, {"StartDate": 5},
    ],
)  # fmt: skip
def test_traces_that_the_service_refuses(tmp_path: Path, parameters: dict[str, Any]) -> None:
    with pytest.raises(CmdletError):
        Twin(tmp_path).run("Get-MessageTraceV2", **parameters)


def test_a_detail_hides_the_device_where_the_service_does(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    twin.took(1, NOW - timedelta(hours=1))
    row = twin.run("Get-MessageTraceV2")[0]
    both = {"MessageTraceId": row["MessageTraceId"], "RecipientAddress": row["RecipientAddress"]}
    events = twin.run("Get-MessageTraceDetailV2", **both)
    assert [event["Event"] for event in events] == ["Receive", "Transport rule", "Deliver"]
    data = events[0]["Data"]
    assert 'MEP Name="ClientIP" String="127.0.0.1"' in data
    custom = parse_custom_data(data.partition('Name="CustomData" Blob="')[2].partition('"')[0])
    assert "203.0.113.10" in str(custom)
    assert twin.run("Get-MessageTraceDetailV2", MessageTraceId=row["MessageTraceId"]) == []
    assert twin.run("Get-MessageTraceDetailV2", RecipientAddress=row["RecipientAddress"]) == []


def test_traces_are_throttled(tmp_path: Path) -> None:
    twin = Twin(tmp_path)

    async def talk(client: httpx.AsyncClient) -> list[int]:
        codes = [(await ask(client, "Get-MessageTraceV2")).status_code for _ in range(101)]
        last = await ask(client, "Get-MessageTraceDetailV2")
        assert (last.status_code, last.headers["Retry-After"]) == (429, "300")
        assert (await ask(client, "Get-AcceptedDomain")).status_code == 200
        twin.now += timedelta(minutes=5)
        return [*codes, (await ask(client, "Get-MessageTraceV2")).status_code]

    assert over_http(twin, talk) == [200] * 100 + [429, 200]


def test_the_quarantine(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    store = Store(tmp_path / "spool.db")
    for number in (1, 2):
        message = Kept(f"q{number}", NOW, "a@far.example", ("desk@contoso.example",), b"Subject: hold\r\n\r\nx\r\n")
        store.add([], [Held(message, "transport rule Hold")])
    rows = twin.run("Get-QuarantineMessage")
    assert [(row["Subject"], row["PolicyName"]) for row in rows] == [("hold", "transport rule Hold")] * 2
    twin.run("Release-QuarantineMessage", Identity=rows[0]["Identity"], ReleaseToAll=True)
    twin.run("Delete-QuarantineMessage", Identity=rows[1]["Identity"], Confirm=False)
    assert twin.run("Get-QuarantineMessage") == []
    assert store.count() == 1
    store.close()
    with pytest.raises(CmdletError, match="couldn't be found"):
        twin.run("Delete-QuarantineMessage", Identity=rows[1]["Identity"])


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FaultKind.THROTTLED, 429), (FaultKind.UNAUTHORIZED, 401), (FaultKind.FORBIDDEN, 403), (FaultKind.REDIRECTED, 302),
     (FaultKind.BROKEN, 500), (FaultKind.UNAVAILABLE, 503), (FaultKind.NULS, 200)],
)  # fmt: skip
def test_faults_come_when_they_are_ordered(tmp_path: Path, kind: FaultKind, status: int) -> None:
    twin = Twin(
        tmp_path, [Fault(kind, "Get-AcceptedDomain", after=1, seconds=7, location="https://elsewhere.example/")]
    )

    async def talk(client: httpx.AsyncClient) -> list[int]:
        names = ["Get-AcceptedDomain", "Get-InboundConnector", "Get-AcceptedDomain", "Get-AcceptedDomain"]
        return [(await ask(client, name)).status_code for name in names]

    assert over_http(twin, talk) == [200, 200, status, 200]


def test_faults_within_an_answer(tmp_path: Path) -> None:
    kinds = [Fault(FaultKind.DOUBLED), Fault(FaultKind.SHORT), Fault(FaultKind.CUT)]

    async def talk(client: httpx.AsyncClient) -> list[int]:
        counts = [len((await ask(client, "Get-InboundConnector")).json()["value"]) for _ in range(2)]
        with pytest.raises(httpx.HTTPError):
            await ask(client, "Get-InboundConnector")
        return counts

    assert over_http(Twin(tmp_path, kinds), talk) == [2, 0]


def test_a_file_of_faults(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text(
        '[{"kind": "throttled", "cmdlet": "Get-MessageTraceV2", "after": 2, "seconds": 30}, {"kind": "cut"}]'
    )
    assert read_faults(path) == [Fault(FaultKind.THROTTLED, "Get-MessageTraceV2", 2, 30), Fault(FaultKind.CUT)]
    for bad in ("", "{}", '[{"kind": "sulking"}]', '[{"kind": "cut", "colour": 1}]', "[1]"):
        path.write_text(bad)
        with pytest.raises(InputError, match="objects with kind"):
            read_faults(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=10), inner, max_size=3), max_leaves=8,
)  # fmt: skip
NAMES = ("Name", "Identity", "SenderDomains", "SenderIPAddresses", "Priority", "StartDate", "ResultSize", "Quarantine",
         "RejectDirectSend", "MessageTraceId", "RecipientAddress", "WhatIf", "Enabled")  # fmt: skip


@given(
    st.sampled_from(["New-InboundConnector", "Set-InboundConnector", "Remove-InboundConnector", "New-TransportRule",
                     "Set-TransportRule", "Set-OrganizationConfig", "Get-MessageTraceV2", "Get-MessageTraceDetailV2",
                     "Get-QuarantineMessage", "Release-QuarantineMessage", "Get-AcceptedDomain", "x"]),
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), JSON, max_size=5),
)  # fmt: skip
def test_any_parameters_are_answered_or_refused(
    tmp_path_factory: pytest.TempPathFactory, cmdlet: str, parameters: dict[str, Any]
) -> None:
    twin = Twin(tmp_path_factory.mktemp("twin"))
    try:
        twin.admin.run(cmdlet, parameters)
    except (CmdletError, ForbiddenError):
        return
    read_tenant(twin.tenant)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"CmdletInput": 3}', b'{"CmdletInput": {"CmdletName": "Get-AcceptedDomain"}}', b"[" * 100_000,
     b"\xff", b'{"CmdletInput": {"CmdletName": [], "Parameters": {}}}'],
)  # fmt: skip
def test_bodies_that_are_no_question(tmp_path: Path, body: bytes) -> None:
    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/InvokeCommand", content=body)

    assert over_http(Twin(tmp_path), talk).status_code == 400


def test_an_export_with_two_places_for_one_thing_is_refused(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    (twin.tenant / "again.json").write_text((twin.tenant / "AcceptedDomain.json").read_text())
    with pytest.raises(InputError, match="already"):
        TenantFolder(twin.tenant)
