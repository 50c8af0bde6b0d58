"""Graph's message traces: links that end, lead in a circle or to strangers, and a principal that is not there yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sidedoor.exchange.graph import PAGE
from sidedoor.exchange.missing import Missing
from sidedoor.exchange.parts import read_csv
from sidedoor.exchange.wire import TRACE_SERVICE
from tests.exchange.fake_service import FakeClock, Service
from tests.exchange.kit import collect as run_over

NAMES = {
    "MessageTraceId": "id", "MessageId": "messageId", "Received": "receivedDateTime", "SenderAddress": "senderAddress",
    "RecipientAddress": "recipientAddress", "FromIP": "fromIP", "Status": "status", "Size": "size",
}  # fmt: skip


class GraphService(Service):
    """The same messages by Graph; `lie` says what its links do."""

    lie = ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "graph" not in request.url.host:
            return super().__call__(request)
        if self.lie == "unprovisioned":
            body = {"error": {"message": f"The service principal {TRACE_SERVICE} is missing"}}
            return httpx.Response(401, content=json.dumps(body).encode())
        asked = parse_qs(urlsplit(str(request.url)).query)
        if "skip" in asked and self.lie == "ends":
            return httpx.Response(400, json={"error": {"message": "the link has ended"}})
        words = asked["$filter"][0].split()
        skip = 0 if self.lie == "circle" else int(asked.get("skip", ["0"])[0])
        found = [row for row in self.rows if words[2] <= row["Received"] <= words[6]]
        page: dict[str, Any] = {
            "value": [{new: row[old] for old, new in NAMES.items()} for row in found[skip : skip + PAGE]]
        }
        if len(found) > skip + PAGE:
            host = "https://evil.example" if self.lie == "stranger" else "https://graph.microsoft.com"
            parts = httpx.URL(str(request.url)).copy_merge_params({"skip": str(skip + PAGE)})
            page["@odata.nextLink"] = f"{host}{parts.raw_path.decode()}"
        return httpx.Response(200, json=page)


def collect(folder: Path, service: GraphService) -> list[Missing]:
    return run_over(folder, service, service.clock, lists="graph")[0]


@pytest.mark.parametrize("lie", ["", "ends", "circle", "stranger"])
def test_no_link_loses_or_doubles_a_row(tmp_path: Path, lie: str) -> None:
    service = GraphService(11_000, FakeClock(), crowd=3)
    service.lie = lie
    missing = collect(tmp_path, service)
    ids = [row["id"] for path in sorted(tmp_path.glob("GraphMessageTraces-*.csv")) for row in read_csv(path)]
    assert len(ids) == len(set(ids))
    assert missing or sorted(ids) == sorted(row["MessageTraceId"] for row in service.rows)
    if lie in {"", "ends"}:
        assert missing == []


def test_a_principal_that_is_not_there_yet_is_said(tmp_path: Path) -> None:
    service = GraphService(10, FakeClock())
    service.lie = "unprovisioned"
    missing = collect(tmp_path, service)
    assert {each.what for each in missing} == {"traces"}
    assert "service principal" in missing[0].why
