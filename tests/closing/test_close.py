"""`sidedoor close` and `sidedoor reopen` by the command line, against an admin API and a door of the tests' own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.audit_kit import accepted_domain, connector
from tests.closing.closing_kit import BLANK, MISSING, SCAN, TOKEN, Tenant, World, door, fresh_report, world

FORCED = "--even-if-honest-mail-is-refused"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh report with its plan; to be copied."""
    return fresh_report(tmp_path_factory.mktemp("planned"))


@pytest.fixture
def ready(planned: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(shutil.copytree(planned, tmp_path / "report"), capsys, monkeypatch) as made:
        yield made


def test_the_change_and_its_inverse_are_shown_and_nothing_is_changed_without_yes(ready: World) -> None:
    code, said = ready.close()
    assert code == 1
    assert "change:  Set-OrganizationConfig -RejectDirectSend $true\n" in said
    assert "inverse: Set-OrganizationConfig -RejectDirectSend $false\n" in said
    assert ready.tenant.sets == []
    assert ready.records() == []


def test_it_closes_proves_and_records_and_reopens(ready: World) -> None:
    code, said = ready.close("--yes")
    assert (code, ready.tenant.sets) == (0, [{"RejectDirectSend": True}])
    assert "\nDirect Send: closed. Recorded in " in said
    (record,) = ready.records()
    assert (record["state"], record["answer"], record["former"]) == ("proven", "done", {"RejectDirectSend": False})
    assert (record["before"]["reject_direct_send"], record["after"]["reject_direct_send"]) == (False, True)
    assert (record["probe_before"]["verdict"], record["probe"]["verdict"]) == ("undetermined", "closed")
    code, said = ready.run("reopen", "--yes", "--endpoint", ready.endpoint)
    assert (code, ready.tenant.switch) == (0, False)
    assert "as it was: off" in said
    (record,) = ready.records("reopen")
    assert (record["state"], record["change"]) == ("proven", {"RejectDirectSend": False})


def no_connectors(tenant: Tenant) -> None:
    tenant.connectors.clear()


def other_connector(tenant: Tenant) -> None:
    tenant.connectors[0]["SenderIPAddresses"] = ["203.0.113.99"]


def one_more_connector(tenant: Tenant) -> None:
    tenant.connectors.append(connector("Somebody's", SenderIPAddresses=["198.51.100.1"]))


def one_more_domain(tenant: Tenant) -> None:
    tenant.domains.append(accepted_domain("new.example"))


def no_switch(tenant: Tenant) -> None:
    tenant.switch = MISSING


CHANGED: list[tuple[Callable[[Tenant], None], str, bool]] = [
    (no_connectors, "connectors-missing", True),
    (no_switch, "switch-unknown", True),
    (other_connector, "tenant-differs", False),
    (one_more_connector, "tenant-differs", False),
    (one_more_domain, "tenant-differs", False),
]


@pytest.mark.parametrize(("change", "obstacle", "can_be_forced"), CHANGED)
def test_a_tenant_that_changed_since_the_plan_stops_it(
    ready: World, change: Callable[[Tenant], None], obstacle: str, can_be_forced: bool
) -> None:
    change(ready.tenant)
    code, said = ready.close("--yes")
    assert (code, ready.tenant.sets, ready.records()) == (1, [], [])
    assert f"in the way: {obstacle}: " in said
    assert "Not closed." in said
    code, said = ready.close("--yes", FORCED)
    assert (code, len(ready.tenant.sets)) == ((0, 1) if can_be_forced else (1, 0))
    if can_be_forced:
        (record,) = ready.records()
        assert record["forced"] is True
        assert {each["id"] for each in record["obstacles"]} == {obstacle}


@pytest.mark.parametrize("cmdlet", ["Get-OrganizationConfig", "Get-AcceptedDomain", "Get-InboundConnector"])
def test_settings_that_cannot_be_read_stop_it(ready: World, cmdlet: str) -> None:
    ready.tenant.failing[cmdlet] = 403
    code, said = ready.close("--yes", FORCED)
    assert (code, ready.tenant.sets) == (4, [])
    assert "403" in said


@pytest.mark.parametrize("cmdlet", ["Get-TransportRule", "Get-HostedConnectionFilterPolicy"])
def test_settings_that_the_plan_does_not_rest_on_may_be_unknown(ready: World, cmdlet: str) -> None:
    ready.tenant.failing[cmdlet] = 403
    code, said = ready.close("--yes")
    assert code == 0
    assert f"not known: {cmdlet}" in said


def test_an_old_history_and_a_plan_that_is_not_ready_stop_it(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(fresh_report(tmp_path, days_ago=9), capsys, monkeypatch) as made:
        (made.folder / "plan.toml").write_text(f"[senders.{sender(made.folder)}]\nassessment = 'unclear'\n", "ascii")
        code, said = made.close("--yes")
        assert (code, made.tenant.sets) == (1, [])
        assert "plan-not-ready" in said
        assert "history-old" in said


def sender(folder: Path) -> str:
    """The id of the one sender."""
    body = json.loads((folder / "report.json").read_text("utf-8"))
    found: str = next(each["id"] for each in body["senders"] if SCAN in each["mail_from"])
    return found


def test_a_second_close_changes_nothing_and_looks_again(ready: World) -> None:
    ready.close("--yes")
    code, said = ready.close()
    assert code == 0
    assert "on already" in said
    code, said = ready.close("--yes")
    assert (code, len(ready.tenant.sets)) == (0, 1)
    _, second = ready.records()
    assert (second["change"], second["state"], second["probe"]["verdict"]) == (None, "proven", "closed")
    no_connectors(ready.tenant)  # closed is closed, whatever stands in the way of closing
    code, said = ready.close()
    assert code == 0
    assert "Not closed" not in said


def test_a_blank_switch_is_told_and_recorded_as_blank(ready: World) -> None:
    ready.tenant.switch = BLANK
    code, said = ready.close("--yes")
    assert code == 0
    assert "blank" in said
    (record,) = ready.records()
    assert record["former"] == {"RejectDirectSend": None}
    code, said = ready.run("reopen", "--yes")
    assert (code, ready.tenant.sets[-1]) == (0, {"RejectDirectSend": False})  # the cmdlet takes no null
    assert "as it was: blank" in said
    code, said = ready.run("reopen", "--yes")
    assert (code, len(ready.tenant.sets)) == (0, 2)


@pytest.mark.parametrize(
    ("way", "answer"),
    [("403", "refused: "), ("400", "refused: "), ("429", "done"), ("cut", "done"), ("204", "done")],
)
def test_a_change_that_was_made_although_its_answer_went_wrong_is_told_as_made(
    ready: World, way: str, answer: str
) -> None:
    ready.tenant.ways = [way]
    code, _ = ready.close("--yes")
    assert code == 0
    (record,) = ready.records()
    assert (record["state"], record["after"]["reject_direct_send"]) == ("proven", True)
    assert record["answer"].startswith(answer)


def test_a_change_that_is_refused_is_told_as_not_made(ready: World) -> None:
    ready.tenant.ways = ["not 403"]
    code, said = ready.close("--yes")
    assert (code, ready.tenant.switch) == (4, False)
    assert "it reads as before" in said
    (record,) = ready.records()
    assert (record["state"], record["after"]["reject_direct_send"]) == ("unchanged", False)


def test_it_is_killed_between_the_change_and_the_answer(ready: World) -> None:
    ready.tenant.ways = ["held"]
    command = [sys.executable, "-m", "sidedoor", "close", str(ready.folder), *ready.options, "--no-probe", "--yes"]
    process = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert ready.tenant.held.wait(30)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    (record,) = ready.records()
    assert (record["state"], record["former"], record["ended"]) == ("pending", {"RejectDirectSend": False}, None)
    code, said = ready.close("--yes")
    assert code == 0
    assert "on already" in said
    code, said = ready.run("reopen", "--yes")
    assert (code, ready.tenant.switch) == (0, False)
    assert "as it was: off" in said


@pytest.mark.parametrize(
    "more", [("--endpoint", "a b"), ("--recipient", "x@elsewhere.example"), ("--send",), ("--wait", "-1")]
)
def test_what_is_wrong_with_the_question_is_told_before_anything_is_changed(
    ready: World, more: tuple[str, ...]
) -> None:
    code, _ = ready.run("close", "--endpoint", ready.endpoint, *more, "--yes")
    assert (code, ready.tenant.sets, ready.records()) == (2, [], [])


def test_nothing_is_changed_where_nothing_can_be_recorded(ready: World) -> None:
    shut = ready.folder / "plan"
    for path in sorted(shut.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    shut.rmdir()
    shut.write_text("a file where the folder should be", "ascii")
    code, said = ready.close("--yes")
    assert (code, ready.tenant.sets) == (2, [])
    assert "cannot be written" in said
    code, _ = World(ready.folder / "nowhere", ready.tenant, ready.base, "", ready.capsys).run("reopen", "--yes")
    assert code == 3


def test_without_a_probe_it_says_that_the_door_was_not_asked(ready: World) -> None:
    code, said = ready.run("close", "--no-probe", "--yes")
    assert code == 0
    assert "the door was not asked" in said


def test_a_door_that_stays_open_is_not_proven_closed(ready: World) -> None:
    with door(Tenant(switch=False)) as elsewhere:
        code, said = ready.run("close", "--endpoint", elsewhere, "--wait", "0", "--yes")
    assert code == 1
    assert "Direct Send: not proven yet" in said
    (record,) = ready.records()
    assert (record["state"], record["looks"][-1]["RejectDirectSend"]) == ("changed", True)


def test_a_door_that_cannot_be_asked_from_here_is_not_waited_for(ready: World) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
        code, said = ready.run("close", "--endpoint", endpoint, "--wait", "600", "--yes")
    assert code == 1
    assert "the door does not tell from here" in said
    assert "no use in waiting" in said
    (record,) = ready.records()
    assert (record["state"], record["after"]["reject_direct_send"]) == ("changed", True)


def test_the_token_is_in_no_record(ready: World) -> None:
    ready.tenant.ways = ["400"]
    ready.close("--yes")
    for path in ready.folder.rglob("*.json"):
        assert TOKEN not in path.read_text("utf-8", "replace")


def test_fresh_reports_are_ready(planned: Path) -> None:
    assert json.loads((planned / "plan" / "plan.json").read_text("ascii"))["ready"] is True
