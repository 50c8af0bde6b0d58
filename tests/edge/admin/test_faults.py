"""Faults on order."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from sidedoor.edge.admin.faults import Fault, FaultKind, read_faults
from sidedoor.errors import InputError
from tests.edge.admin.twin_kit import Twin, ask, over_http


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
