"""EmailEvents by advanced hunting: cut answers are halved, strangers left out, and what it tells is not asked again."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.exchange.clouds import CLOUDS
from sidedoor.exchange.collect import Collection
from sidedoor.exchange.graph import Graph
from sidedoor.exchange.http import Http
from sidedoor.exchange.hunting import COLUMNS
from sidedoor.exchange.invoke import Exchange
from sidedoor.exchange.missing import Missing
from sidedoor.exchange.parts import Store, read_csv
from sidedoor.exchange.plan import Plan
from sidedoor.exchange.windows import iso, ticks
from tests.exchange.fake_service import NOW, FakeClock, FakeTokens, Service

CAP = 10_000


class Hunted(Service):
    """The same messages in EmailEvents. At most `CAP` rows an answer; `faults_of_day`: statuses by day."""

    queries: list[str]
    faults_of_day: dict[str, int]
    stray = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.queries, self.faults_of_day = [], {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("runHuntingQuery"):
            return super().__call__(request)
        query = json.loads(request.content)["Query"]
        self.queries.append(query)
        start, end = (ticks(found) for found in re.findall(r"datetime\(([^)]+)\)", query))
        assert start is not None
        assert end is not None
        for day, status in self.faults_of_day.items():
            if day in query:
                return httpx.Response(status, json={"error": {"message": "no"}})
        found = [row for row in self.rows if start <= (ticks(row["Received"]) or 0) < end][:CAP]
        results = [self.event(row) for row in found]
        if self.stray and found:
            results.append(self.event({**found[0], "Received": iso(NOW - timedelta(days=300))}))
        return httpx.Response(200, json={"schema": [], "results": results})

    @staticmethod
    def event(row: dict[str, Any]) -> dict[str, Any]:
        known = {
            "Timestamp": row["Received"], "NetworkMessageId": row["MessageTraceId"].upper(), "Connectors": None,
            "SenderMailFromAddress": row["SenderAddress"], "RecipientEmailAddress": row["RecipientAddress"],
            "SenderIPv4": row["FromIP"], "EmailDirection": "Inbound", "NewColumn": {"a": 1},
        }  # fmt: skip
        return {name: known.get(name) for name in (*COLUMNS, "NewColumn")}


def collect(folder: Path, service: Hunted, details: int = 0) -> list[Missing]:
    tokens, cloud = FakeTokens(), CLOUDS["global"]
    http = Http(tokens, service.clock, lambda _: None, httpx.MockTransport(service))
    begin = NOW - timedelta(days=7)
    with Store(folder) as store:
        store.load()
        return Collection(
            Plan("contoso.example", begin, NOW, "exchange", details, begin), store,
            Exchange(http, cloud, "contoso.example", tokens.anchor), Graph(http, cloud), service.clock, lambda _: None,
            lambda path: read_tenant(path, explicit=False).snapshot,
        ).run()  # fmt: skip


def hunted(folder: Path) -> list[tuple[str, str]]:
    return [
        (row["NetworkMessageId"].lower(), row["RecipientEmailAddress"])
        for path in sorted(folder.glob("EmailEvents-*.csv"))
        for row in read_csv(path)
    ]


def test_an_answer_that_was_cut_is_asked_for_in_halves(tmp_path: Path) -> None:
    service = Hunted(23_000, FakeClock())
    assert collect(tmp_path, service) == []
    assert len(hunted(tmp_path)) == len(set(hunted(tmp_path))) == 23_000
    assert len(service.queries) > 7 + 4


def test_more_of_one_instant_than_an_answer_holds_is_said(tmp_path: Path) -> None:
    service = Hunted(CAP + 5, FakeClock(), crowd=CAP + 5)
    missing = collect(tmp_path, service)
    assert {each.what for each in missing} == {"hunting"}
    assert len(hunted(tmp_path)) == CAP


def test_rows_of_other_times_are_left_out(tmp_path: Path) -> None:
    service = Hunted(50, FakeClock())
    service.stray = True
    assert collect(tmp_path, service) == []
    assert len(hunted(tmp_path)) == 50


def test_what_emailevents_tells_is_not_asked_for_in_detail(tmp_path: Path) -> None:
    service = Hunted(60, FakeClock())
    assert collect(tmp_path, service, details=50) == []
    assert service.asked == []


@pytest.mark.parametrize("status", [403, 500])
def test_a_right_that_is_missing_is_asked_for_once_and_said(tmp_path: Path, status: int) -> None:
    service = Hunted(60, FakeClock())
    service.faults_of_day = {"EmailEvents": status}
    missing = collect(tmp_path, service, details=5)
    assert {each.what for each in missing} == {"hunting"}
    assert len(missing) == 7
    assert len(service.queries) == (1 if status == 403 else 7)
    assert len(service.asked) == 5  # then details are worth having
    service.faults_of_day = {}
    assert collect(tmp_path, service, details=5) == []
    assert len(hunted(tmp_path)) == 60
