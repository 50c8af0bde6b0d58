"""The collector against a service with faults, under a clock that lets hours pass at once."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.errors import UnreachableError
from sidedoor.exchange.estimate import Estimate
from sidedoor.exchange.missing import Missing
from tests.exchange.fake_service import FAULTS, PAGE, FakeClock, Service
from tests.exchange.kit import collect as run_over
from tests.exchange.kit import keys as rows_of


def collect(folder: Path, service: Service, details: int = 0) -> tuple[list[Missing], list[str]]:
    """One run; what is missing and what was said."""
    return run_over(folder, service, service.clock, details=details)


def keys(folder: Path) -> list[str]:
    """Message ids of all collected rows."""
    return [key for key, _ in rows_of(folder)]


def test_every_row_once_over_pages_and_crowds(tmp_path: Path) -> None:
    service = Service(12_345, FakeClock(), crowd=600)
    missing, _ = collect(tmp_path, service)
    assert missing == []
    assert sorted(keys(tmp_path)) == sorted(row["MessageTraceId"] for row in service.rows)
    assert json.loads((tmp_path / "collection.json").read_text())["complete"] is True


@given(st.lists(st.sampled_from(sorted(FAULTS)), max_size=5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_fault_loses_or_doubles_a_row(tmp_path_factory: pytest.TempPathFactory, faults: list[str]) -> None:
    folder = tmp_path_factory.mktemp("run")
    service = Service(5_500, FakeClock(), [fault for fault in faults if fault != "token ended"] + ["token ended"], 3)
    missing, _ = collect(folder, service)
    assert missing == []
    assert sorted(keys(folder)) == sorted(row["MessageTraceId"] for row in service.rows)


def test_a_cut_that_lasts_is_taken_up_where_it_was(tmp_path: Path) -> None:
    service = Service(11_000, FakeClock())
    answer, asked = service.__call__, 0

    class Breaking(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            nonlocal asked
            asked += b"MessageTraceV2" in request.content
            if asked > 10:
                raise httpx.ConnectError("gone", request=request)
            return answer(request)

    with pytest.raises(UnreachableError):
        collect(tmp_path, Breaking(0, service.clock))
    missing, _ = collect(tmp_path, service)
    assert missing == []
    assert sorted(keys(tmp_path)) == sorted(row["MessageTraceId"] for row in service.rows)


def test_the_limit_is_kept_and_the_estimate_is_true(tmp_path: Path) -> None:
    clock = FakeClock()
    service = Service(2_000, clock, senders=200)
    _, said = collect(tmp_path, service, details=1_000)
    assert service.most <= 100
    assert len(service.asked) == 1_000
    assert any("at most 1,000 requests" in line for line in said)
    # Ten windows of two requests at least, and the details: what was said before is what it took, but for the margins.
    assert Estimate(len(service.asked) + 20).seconds <= clock.slept <= Estimate(len(service.asked) + 20).seconds + 300
    assert any("details of 1,000 messages: 1,000 requests, 45 min" in line for line in said)
    assert any("the rest takes" in line for line in said)
    assert any("100 requests are all the service takes for now; going on in" in line for line in said)


def test_a_million_messages_with_details_where_they_decide(tmp_path: Path) -> None:
    clock = FakeClock()
    service = Service(1_000_000, clock, senders=500)
    missing, said = collect(tmp_path, service, details=2_000)
    assert missing == []
    assert service.most <= 100
    rows = json.loads((tmp_path / "collection.json").read_text())["files"]
    assert sum(file["rows"] for file in rows if file["path"].startswith("MessageTraceV2")) == 1_000_000
    assert len(set(service.asked)) == 2_000
    assert any(
        "in all, with 1,000,000 messages and all those details: 2,220 requests, 1 h 50 min" in line for line in said
    )
    assert 6_600 <= clock.slept < 7_200


def test_a_redirect_to_a_stranger_gets_no_token(tmp_path: Path) -> None:
    asked: list[str] = []
    service = Service(10, FakeClock())

    class Leading(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            asked.append(request.url.host)
            if b"MessageTraceV2" in request.content:
                return httpx.Response(302, headers={"Location": "https://evil.example/take-my-token"})
            return service(request)

    missing, _ = collect(tmp_path, Leading(0, service.clock))
    assert {each.what for each in missing} == {"traces"}
    assert "evil.example" not in asked


def test_settings_that_answer_403_with_nul_bytes_are_missing_and_the_rest_is_there(tmp_path: Path) -> None:
    service = Service(10, FakeClock())

    class Forbidding(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            if b"Get-InboundConnector" in request.content:
                return httpx.Response(403, content=b"\0" * 64)
            return service(request)

    missing, _ = collect(tmp_path, Forbidding(0, service.clock))
    assert [each.what for each in missing] == ["settings"]
    assert "Get-InboundConnector" in missing[0].why
    assert len(keys(tmp_path)) == 10
    assert not (tmp_path / "InboundConnector.json").exists()


def test_a_service_that_ignores_the_filter_and_gives_the_same_again_is_found_out(tmp_path: Path) -> None:
    service = Service(PAGE + 100, FakeClock())

    class Ignoring(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            if b"MessageTraceV2" in request.content:
                return httpx.Response(200, json={"value": service.rows[:PAGE], "@adminapi.warnings": ["more results"]})
            return service(request)

    missing, said = collect(tmp_path, Ignoring(0, service.clock))
    assert "traces" in {each.what for each in missing}
    assert len(set(keys(tmp_path))) == len(keys(tmp_path)) == PAGE
    assert any("ignored its filter" in line for line in said)


def test_a_refused_service_says_what_is_missing(tmp_path: Path) -> None:
    clock = FakeClock()
    service = Service(10, clock, ["token ended"] * 400)
    missing, _ = collect(tmp_path, service)
    assert {each.what for each in missing} == {"traces"}
    assert "right" in missing[0].why


def test_no_token_is_on_disk_or_in_what_is_said(tmp_path: Path) -> None:
    _, said = collect(tmp_path, Service(100, FakeClock(), ["429", "token ended", "500"]))
    assert not any("SECRET" in line for line in said)
    assert not any(b"SECRET" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
