"""What people answer on the command line: alerts, decisions, deletion; and the plan that follows."""

from __future__ import annotations

import json

import duckdb
import pytest

from sidedoor.cli.main import main
from sidedoor.store.store import open_store
from sidedoor.watch.workspace import open_workspace
from tests.watching.world import BRANCH, PRINTER, Beginning, World

pytestmark = pytest.mark.xdist_group("watching-answers")  # what the module makes once is made by one worker


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    made = World(tmp_path_factory.mktemp("answers") / "northwind")
    made.begun()
    made.watch(13)
    made.export("14.csv", [*made.usual(14), *made.mail(14, BRANCH, "branch@northwind.example", 4)])
    made.watch(14)
    return Beginning(made)


@pytest.fixture
def world(beginning: Beginning) -> World:
    return beginning.again()


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    capsys.readouterr()
    assert main([str(each) for each in arguments]) == code
    printed = capsys.readouterr()
    return printed.out + printed.err


def alerts(world: World, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in said(capsys, "alerts", "list", world.folder, "--json").splitlines()]


def test_an_alert_is_listed_shown_acknowledged_snoozed_and_accepted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (alert,) = alerts(world, capsys)
    name = str(alert["id"])[:8]
    listed = said(capsys, "alerts", "list", world.folder)
    assert listed.startswith(name)
    assert all(len(line) <= 80 for line in listed.splitlines())
    shown = said(capsys, "alerts", "show", world.folder, name)
    assert "Do: " in shown
    assert BRANCH in shown
    assert "acknowledged" in said(capsys, "alerts", "acknowledge", world.folder, name)
    assert "snoozed" in said(capsys, "alerts", "snooze", world.folder, name, "--days", 3)
    assert "no longer" in said(capsys, "alerts", "snooze", world.folder, name, "--days", 0)
    assert "accepted" in said(capsys, "alerts", "accept", world.folder, name)
    over = world.watch(14, 22)
    assert [each.finding.kind for each in over.recovered] == ["new-sender"]
    assert said(capsys, "alerts", "list", world.folder) == "No alert is open.\n"
    assert str(alert["id"]) in said(capsys, "alerts", "list", world.folder, "--all", "--json")
    with open_store(open_workspace(world.folder).store_url) as store:
        done = [entry.what for entry in store.tenant("northwind.example").trail()]
    assert done == ["acknowledge", "snooze", "snooze", "accept"][::-1]


def test_an_alert_that_is_not_there(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no open alert" in said(capsys, "alerts", "show", world.folder, "beef\x1b[31m", code=2)


def test_a_decision_is_kept_and_the_plan_follows(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads((world.folder / "report" / "report.json").read_text())
    sender = next(row["id"] for row in report["senders"] if PRINTER in row["mail_from"])
    said(
        capsys,
        "decide",
        world.folder,
        sender,
        "--as",
        "legitimate",
        "--method",
        "smtp-auth-oauth",
        "--owner",
        "it@x.example",
    )
    assert world.watch(14, 22).error == ""
    plan = json.loads((world.folder / "report" / "plan" / "plan.json").read_text())
    (choice,) = [each for each in plan["choices"] if each["sender"] == sender]
    assert (choice["method"], choice["overridden"]) == ("smtp-auth-oauth", True)
    said(capsys, "plan", world.folder, "--quiet")
    again = json.loads((world.folder / "report" / "plan" / "plan.json").read_text())
    assert again["choices"] == plan["choices"]
    said(capsys, "decide", world.folder, sender, "--method", "none")
    said(capsys, "decide", world.folder, "nobody", "--as", "spoofing", code=2)
    said(capsys, "decide", world.folder, sender, code=2)


def test_a_person_is_forgotten(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    anna, other = "anna@northwind.example", "removed-"
    before = json.loads((world.folder / "report" / "report.json").read_text())["coverage"]["messages"]
    said(capsys, "forget", world.folder, "--address", anna, code=2)
    said(capsys, "forget", world.folder, "--address", anna, "--yes")
    query = f"SELECT DISTINCT recipient FROM read_parquet('{world.folder}/history/*/messages.parquet')"
    with duckdb.connect(":memory:") as connection:
        recipients = [text for (text,) in connection.execute(query).fetchall()]
    assert recipients
    assert all(text.startswith(other) for text in recipients)
    kept = [path for path in world.folder.rglob("*") if path.is_file() and "inbox" not in path.parts]
    assert [path for path in kept if anna.encode() in path.read_bytes()] == []
    after = json.loads((world.folder / "report" / "report.json").read_text())["coverage"]["messages"]
    assert after == before


def test_days_and_everything_are_forgotten(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "forget", world.folder, "--before", "2026-10-10", "--yes")
    days = sorted(path.name for path in (world.folder / "history").glob("2026-*"))
    assert days[0] == "2026-10-10"
    assert world.watch(14, 23).error == ""
    said(capsys, "forget", world.folder, "--before", "2026-10-10", "--everything", "--yes", code=2)
    said(capsys, "forget", world.folder, "--everything", "--yes")
    assert not world.folder.exists()


def test_watch_on_the_command_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "watch", world.folder, "--once", "--require-quiet", code=1)
    assert text.startswith("northwind.example: ")
    assert all(len(line) <= 80 for line in text.splitlines())
    body = json.loads(said(capsys, "watch", world.folder, "--once", "--json"))
    assert body["schema"] == "sidedoor/watch/1"
    assert {alert["kind"] for alert in body["open"]} >= {"new-sender"}
    assert said(capsys, "watch", world.folder, "--once", "--quiet") == ""
    assert "no workspace" in said(capsys, "watch", world.folder / "inbox", "--once", code=3)
