"""A run over a workspace: each thing is told once, whatever comes twice, late, broken or from the past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidedoor.watch.rounds import Result
from tests.audit.audit_kit import connector
from tests.watching.world import BRANCH, PRINTER, Beginning, World

pytestmark = pytest.mark.xdist_group("watching-run")  # what the module makes once is made by one worker


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    made = World(tmp_path_factory.mktemp("run") / "northwind")
    made.begun()
    assert kinds(made.watch(13)) == []
    return Beginning(made)


@pytest.fixture
def world(beginning: Beginning) -> World:
    return beginning.again()


def kinds(result: Result) -> list[str]:
    assert result.error == ""
    return sorted(alert.finding.kind for alert in result.raised)


def test_the_first_run_is_the_baseline_and_the_next_finds_nothing(world: World) -> None:
    again = world.watch(13, 21)
    assert (again.raised, again.open, again.files, again.days) == ((), (), 0, 0)
    assert world.told() == []


def test_a_new_direct_sender_is_told_of_once(world: World) -> None:
    world.export("14.csv", [*world.usual(14), *world.mail(14, BRANCH, "branch@northwind.example", 4)])
    assert kinds(world.watch(14)) == ["new-sender"]
    for day in (15, 16, 17):
        world.export(f"{day}.csv", [*world.usual(day), *world.mail(day, BRANCH, "branch@northwind.example", 4)])
        assert kinds(world.watch(day)) == []
    assert world.told() == [("raised", "new-sender")]


def test_the_switch_turned_off_and_on_again(world: World) -> None:
    world.reject = True
    world.settle()
    assert kinds(world.watch(14)) == []  # better than it was
    world.reject = False
    world.settle()
    assert kinds(world.watch(14, 21)) == ["direct-send-reopened"]
    world.reject = True
    world.settle()
    over = world.watch(14, 22)
    assert [alert.finding.kind for alert in over.recovered] == ["direct-send-reopened"]
    assert world.told() == [("raised", "direct-send-reopened"), ("recovered", "direct-send-reopened")]


def test_settings_that_cannot_be_read_leave_alerts_as_they_are(world: World) -> None:
    world.connectors = [connector("Hole", SenderIPAddresses=["198.51.100.0/24"], TreatMessagesAsInternal=True)]
    world.settle()
    raised = kinds(world.watch(14))
    assert "connector-added" in raised
    path = world.folder / "inbox" / "InboundConnector.json"
    whole = path.read_text()
    path.write_text(whole[:40])
    blind = world.watch(14, 21)
    assert blind.recovered == ()
    assert any(text.startswith("settings") for text in blind.incomplete)
    path.write_text(whole)
    assert kinds(world.watch(14, 22)) == []


def test_days_late_twice_and_in_pieces_are_told_of_as_if_they_had_come_in_order(world: World, tmp_path: Path) -> None:
    branch = [row for day in (14, 15, 16) for row in world.mail(day, BRANCH, "branch@northwind.example", 4)]
    usual = [row for day in (14, 15, 16) for row in world.usual(day)]
    world.export("16.csv", [*usual[-9:], *branch[8:]])
    assert kinds(world.watch(16)) == ["new-sender"]
    world.export("late.csv", [*usual, *branch])
    world.export("twice.csv", [*usual[:7], *branch[:2]])
    assert kinds(world.watch(16, 21)) == []
    assert world.told() == [("raised", "new-sender")]


def test_dns_that_does_not_answer_changes_nothing(world: World) -> None:
    zone = world.folder / "zones" / "northwind.zone"
    text = zone.read_text()
    zone.write_text("$ORIGIN elsewhere.example.\n@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300\n")
    world.export("14.csv", world.usual(14))
    blind = world.watch(14)
    assert (kinds(blind), blind.recovered) == ([], ())
    zone.write_text(text)
    assert kinds(world.watch(14, 21)) == []


def test_silence_of_dns_counts_from_the_last_run_that_was_told_something(world: World) -> None:
    for day in range(14, 24):
        world.export(f"{day}.csv", world.usual(day))
        assert kinds(world.watch(day)) == []  # nothing else changes meanwhile
    zone = world.folder / "zones" / "northwind.zone"
    zone.write_text("$ORIGIN elsewhere.example.\n@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300\n")
    raised = []
    for day in range(24, 28):
        world.export(f"{day}.csv", world.usual(day))
        raised.append(kinds(world.watch(day)))
    assert raised == [[], [], [], ["dns-unknown"]]  # 72 hours are over in the evening of the fourth day
    assert "Not to be had since 24 Oct 2026" in world.watch(27, 21).open[0].finding.text


def test_a_clock_that_is_set_back(world: World) -> None:
    world.export("14.csv", [*world.usual(14), *world.mail(14, BRANCH, "branch@northwind.example", 4)])
    world.watch(14)
    back = world.watch_at(datetime(2026, 10, 2, 8, tzinfo=UTC))
    assert (kinds(back), back.recovered) == ([], ())
    assert any("clock was set back" in note for note in back.notes)
    assert world.watch(15, 8).started == datetime(2026, 10, 16, 8, tzinfo=UTC)


def test_a_channel_that_is_down_gets_everything_later_once(tmp_path: Path) -> None:
    world = World(tmp_path / "northwind", extra='[alerts.channels.hook]\ntype = "apprise"\nurl = "env:HOOK"\n')
    world.begun()
    environ = pytest.MonkeyPatch()
    environ.setenv("HOOK", "json://127.0.0.1:9/nobody")  # the discard port: refused
    try:
        world.watch(13)
        world.export("14.csv", [*world.usual(14), *world.mail(14, BRANCH, "branch@northwind.example", 4)])
        result = world.watch(14)
        assert kinds(result) == ["new-sender"]
        assert (result.sent, result.waiting) == (1, 1)
        assert any(text.startswith("channel hook") for text in result.incomplete)
        assert world.told() == [("raised", "new-sender")]
    finally:
        environ.undo()


def test_one_workspace_that_fails_does_not_stop_the_others(world: World, tmp_path: Path) -> None:
    from sidedoor.watch.rounds import Round

    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sidedoor.toml").write_text("domain = 3\n")
    results = list(Round([tmp_path / "broken", world.folder], say=lambda _: None).once())
    assert [bool(result.error) for result in results] == [True, False]
    assert results[0].code == 3
    assert "line 1" in results[0].error


def test_an_honest_sender_that_falls_silent(world: World) -> None:
    silent = []
    for day in range(14, 32):
        rows = world.usual(day)
        world.export(f"{day}.csv", [row for row in rows if row["SenderMailFromAddress"] != PRINTER])
        silent.append(kinds(world.watch(day)))
    assert [found for found in silent if found] == [["sender-silent"]]
    world.export("32.csv", [*world.usual(32), *world.mail(32, "203.0.113.10", PRINTER, 5)])
    over = world.watch(32)
    assert [alert.finding.kind for alert in over.recovered] == ["sender-silent"]


Change = Callable[[World], None]


def _spf(text: str) -> Change:
    def change(world: World) -> None:
        world.spf = text

    return change


@pytest.mark.parametrize(
    ("change", "raised"),
    [
        (_spf("v=spf1 ip4:203.0.113.0/24 ip4:198.51.100.0/24 -all"), ["spf-changed"]),
        (_spf("v=spf1 ip4:203.0.113.0/24" + " a:northwind.example" * 11 + " -all"), ["spf-over-limits"]),
    ],
)
def test_records_that_change(world: World, change: Change, raised: list[str]) -> None:
    change(world)
    world.settle()
    assert set(raised) <= set(kinds(world.watch(14)))


def test_retention_deletes_days_and_they_do_not_come_back(world: World) -> None:
    toml = world.folder / "sidedoor.toml"
    toml.write_text(toml.read_text().replace("# history_days = 400", "history_days = 10"))
    world.export("14.csv", world.usual(14))
    world.watch(14)
    kept = sorted(path.name for path in (world.folder / "history").glob("2026-*"))
    assert kept[0] == (datetime(2026, 10, 15, 20, tzinfo=UTC) - timedelta(days=10)).date().isoformat()
    world.watch(14, 21)
    assert kept == sorted(path.name for path in (world.folder / "history").glob("2026-*"))
