"""Details: the heaviest flows first, a message that fails is passed over, and what they tell decides."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import httpx
import pytest

from sidedoor.cli.main import main
from sidedoor.errors import UnreachableError
from sidedoor.exchange.pacing import TRACE_REQUESTS, Pacer
from tests.exchange.fake_service import FakeClock, Service
from tests.exchange.kit import collect


def events(folder: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((folder / "MessageTraceDetailV2.json").read_text())
    return found


def uneven(service: Service) -> Service:
    """Flows of 60, 30 and 10 rows, and one of a foreign sender, which a list decides."""
    for number, row in enumerate(service.rows):
        flow = 0 if number < 60 else 1 if number < 90 else 2 if number < 100 else 3
        row["FromIP"], row["SenderAddress"] = f"203.0.113.{flow}", f"a{flow}@contoso.example"
        if flow == 3:
            row["SenderAddress"] = "news@fabrikam.example"
    return service


def test_the_heaviest_undetermined_flow_is_asked_about_first(tmp_path: Path) -> None:
    service = uneven(Service(150, FakeClock()))
    missing, said = collect(tmp_path, service, service.clock, details=7)
    flow = {row["MessageTraceId"]: row["FromIP"][-1] for row in service.rows}
    assert [flow[key] for key in service.asked] == ["0", "1", "2", "0", "1", "2", "0"]
    assert len(set(service.asked)) == 7
    assert missing == []
    assert any("undetermined by lists alone: 100 rows of 3 flows" in line for line in said)
    assert any("details of 7 messages" in line for line in said)


def test_what_details_tell_decides(tmp_path: Path) -> None:
    service = uneven(Service(150, FakeClock()))
    collect(tmp_path / "export", service, service.clock, details=3)
    assert main(["audit", str(tmp_path / "export"), "-o", str(tmp_path / "report"), "--offline", "-q"]) == 0
    table = duckdb.read_parquet(str(tmp_path / "report" / "messages.parquet"))
    rows = table.filter("submission = 'direct-send'").select("network_message_id, would_reject").fetchall()
    assert {key for key, _ in rows} == set(service.asked)
    assert all(would for _, would in rows)
    senders = json.loads((tmp_path / "report" / "report.json").read_text())["senders"]
    assert sum(sender["would_reject"] is True for sender in senders) >= 1


class Poisoned(Service):
    """Breaks at some messages, for ever or so many times."""

    poison: dict[str, int]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if b"Get-MessageTraceDetailV2" in request.content:
            key = json.loads(request.content)["CmdletInput"]["Parameters"]["MessageTraceId"]
            if self.poison.get(key, 0) > 0:
                self.poison[key] -= 1
                self.asked.append(key)
                return self.broken
        return super().__call__(request)

    broken = httpx.Response(500)


@pytest.mark.parametrize("status", [500, 403, 200])
def test_a_message_that_fails_is_passed_over_and_asked_about_again(tmp_path: Path, status: int) -> None:
    service = Poisoned(30, FakeClock())
    service.broken = httpx.Response(status, content=b"\0" * 64)
    first, second = service.rows[0]["MessageTraceId"], service.rows[1]["MessageTraceId"]
    # The first fails once and for ever, the second comes right when it is asked about again.
    service.poison = {first: 1_000, second: 7 if status != 403 else 1}
    missing, _ = collect(tmp_path, service, service.clock, details=12)
    assert len({event["MessageTraceId"] for event in events(tmp_path)}) == 11
    assert second in {event["MessageTraceId"] for event in events(tmp_path)}
    assert [each.why for each in missing] == [
        "MessageTraceDetailV2.json: details of 1 of 12 messages: the service gave none"
    ]


def test_a_service_that_breaks_at_every_message_is_left_and_taken_up_later(tmp_path: Path) -> None:
    service = Poisoned(30, FakeClock())
    service.poison = {row["MessageTraceId"]: 1_000 for row in service.rows}
    missing, _ = collect(tmp_path, service, service.clock, details=12)
    assert {each.what for each in missing} == {"details"}
    assert len(set(service.asked)) == 3
    service.poison = {}
    missing, _ = collect(tmp_path, service, service.clock, details=12)
    assert missing == []
    assert len({event["MessageTraceId"] for event in events(tmp_path)}) == 12


def test_one_broken_window_does_not_stop_the_others_and_a_broken_service_does(tmp_path: Path) -> None:
    class Breaking(Service):
        broken: tuple[str, ...] = ("2026-08",)

        def __call__(self, request: httpx.Request) -> httpx.Response:
            given = json.loads(request.content)["CmdletInput"]
            if given["CmdletName"] == "Get-MessageTraceV2" and given["Parameters"]["StartDate"].startswith(self.broken):
                return httpx.Response(500)
            return super().__call__(request)

    service = Breaking(50, FakeClock())
    missing, _ = collect(tmp_path / "one", service, service.clock, details=3)
    assert [each.what for each in missing] == ["traces"]
    assert "HTTP 500" in missing[0].why
    assert len(events(tmp_path / "one")) == 3  # what is there is worth its details
    service.broken = ("2026",)
    with pytest.raises(UnreachableError):
        collect(tmp_path / "all", service, service.clock, details=3)
    told = json.loads((tmp_path / "all" / "collection.json").read_text())
    assert {each["what"] for each in told["missing"]} == {"traces", "details"}


def test_requests_of_the_run_before_count_too(tmp_path: Path) -> None:
    clock = FakeClock()
    service = Service(2_000, clock)
    answer, left = service.__call__, 80

    def cutting(request: httpx.Request) -> httpx.Response:
        nonlocal left
        left -= b"Get-MessageTrace" in request.content
        if left < 0:
            raise KeyboardInterrupt
        return answer(request)

    for _ in range(4):
        left = 80
        try:
            collect(tmp_path, cutting, clock, details=200)
            break
        except KeyboardInterrupt:
            continue
    assert len(events(tmp_path)) == len(set(service.asked)) > TRACE_REQUESTS
    assert service.most <= TRACE_REQUESTS


def test_a_clock_that_was_set_back_makes_no_request_too_early_and_none_too_late() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 2, 100.0)
    pacer.wait()
    pacer.wait()
    sent = pacer.sent()
    clock.set_back = timedelta(days=1)
    again = Pacer(clock, 2, 100.0)
    again.remember(sent)
    again.wait()
    assert 100 <= clock.slept <= 110  # as if they had been sent just now, not yesterday's tomorrow
    pacer.wait()
    assert clock.slept <= 110
