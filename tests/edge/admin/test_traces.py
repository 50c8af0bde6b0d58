"""Message traces out of the decision log: limits, ways of going on, and what they leave out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sidedoor.edge.admin.errors import CmdletError
from sidedoor.evidence.customdata import parse_custom_data
from tests.edge.admin.twin_kit import NOW, Twin, ask, over_http


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
