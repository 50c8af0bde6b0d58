"""Killed at any point, twice at once, on a full disk, without its database: no alert lost or doubled, history exact."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidedoor.audit.history import days_of
from tests.store.postgres import MISSING, Postgres
from tests.watching.child import run
from tests.watching.world import BRANCH, FIRST, Beginning, World

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("watching-faults")  # what the module makes once is made by one worker


def evening(day: int) -> datetime:
    return datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), UTC) + timedelta(hours=20)


def start(world: World, day: int, *limit: str) -> subprocess.Popen[str]:
    """A run in a process of its own, which has begun when this returns."""
    command = [sys.executable, "-m", "tests.watching.child", str(world.folder), evening(day).isoformat(), *limit]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": ".:src"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    return process


def busy(world: World, day: int) -> None:
    """A day with news: two new senders, a burst, the switch turned off, a new connector's worth of changes."""
    rows = world.usual(day) + world.spoofs(day, 60)
    for number, address in enumerate((BRANCH, "203.0.113.99")):
        rows += world.mail(day, address, f"branch{number}@northwind.example", 4)
    world.export(f"{day}.csv", rows)
    world.reject = False
    world.settle()


def lines(world: World) -> Counter[tuple[str, str, str]]:
    """Messages that the channel got: occasion, kind and subject."""
    path = world.folder / "alerts.jsonl"
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines() if path.exists() else ())
    return Counter((row["occasion"], row["kind"], row["subject"]) for row in rows)


def messages(world: World) -> int:
    report = json.loads((world.folder / "report" / "report.json").read_text(encoding="ascii"))
    found: int = report["coverage"]["messages"]
    return found


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    made = World(tmp_path_factory.mktemp("faults") / "northwind", reject=True)
    made.begun()
    assert run(made.folder, evening(13)).error == ""
    return Beginning(made)


@pytest.fixture
def world(beginning: Beginning) -> World:
    return beginning.again()


def days(world: World) -> list[str]:
    return [day.name for day in days_of(world.folder / "history")]


def test_killed_at_any_point_the_next_run_mends_it(beginning: Beginning) -> None:
    calm = beginning.again()
    busy(calm, 14)
    assert run(calm.folder, evening(14)).error == ""
    undisturbed = lines(calm), messages(calm), days(calm)
    world = beginning.again()
    busy(world, 14)
    chance = random.Random(4)
    for _ in range(6):
        process = start(world, 14)
        time.sleep(chance.random() * 3)
        process.kill()
        process.communicate()
    assert run(world.folder, evening(14)).error == ""
    assert (lines(world), messages(world), days(world)) == undisturbed
    assert set(lines(world).values()) == {1}


def test_twice_at_once_one_runs_and_the_other_says_so(world: World) -> None:
    busy(world, 14)
    first, second = start(world, 14), start(world, 14)
    said = [process.communicate()[0].strip() for process in (first, second)]
    codes = sorted([first.returncode, second.returncode])
    assert codes in ([0, 2], [0, 0])  # the second may have come when the first was done
    assert all("another run is under way" in text for text in said if text != "done")
    assert set(lines(world).values()) == {1}


def test_a_full_disk_is_said_and_costs_nothing(world: World) -> None:
    before = messages(world)
    busy(world, 14)
    for limit in ("4096", "40000", "200000"):
        process = start(world, 14, limit)
        out, err = process.communicate()
        assert "Traceback" not in out + err
        assert process.returncode in {0, 2, 70}, out
        assert messages(world) >= before
    assert run(world.folder, evening(14)).error == ""
    assert set(lines(world).values()) == {1}
    assert ("raised", "direct-send-reopened", "") in lines(world)


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_a_database_that_is_gone_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Postgres() as server:
        monkeypatch.setenv("SIDEDOOR_STORE", server.make("watched"))
        world = World(tmp_path / "northwind", reject=True)
        toml = world.folder / "sidedoor.toml"
        toml.write_text(toml.read_text().replace('# url = ""', 'url = "env:SIDEDOOR_STORE"'))
        world.begun()
        assert run(world.folder, evening(13)).error == ""
        busy(world, 14)
        server.stop()
        gone = run(world.folder, evening(14))
        assert gone.code == 4
        assert "@" not in gone.error
        assert lines(world) == Counter()
        server.start()
        back = run(world.folder, evening(14))
        assert "direct-send-reopened" in {alert.finding.kind for alert in back.raised}
        assert run(world.folder, evening(14)).raised == ()
        assert set(lines(world).values()) == {1}
