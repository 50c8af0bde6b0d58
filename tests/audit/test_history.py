"""A history kept by day answers as one audit of all its files does, whatever way it came together."""

from __future__ import annotations

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

from sidedoor.audit.answer import Beside, accepted_of
from sidedoor.audit.classes import classes_of
from sidedoor.audit.discover import Inputs, discover
from sidedoor.audit.engine.kept import open_kept
from sidedoor.audit.history import History, days_of, kept_days
from sidedoor.audit.model import Audit
from sidedoor.audit.run import AuditOptions, Silent, audit, reports_of
from sidedoor.demo.make import make
from sidedoor.demo.traffic import Plan
from sidedoor.errors import InputError
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mailauth.facts import gather
from sidedoor.mailauth.zonefile import read_zones
from sidedoor.plan.run import Question, make_plan
from sidedoor.plan.words import NO_WORDS
from sidedoor.policy.switches import DEFAULT_SWITCHES
from tests.audit.audit_kit import V2_HEADER, csv_text, v2_file, v2_row, write_settings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAYS = 12  # each is made alone; a week and more has them all, with and without people at work


@dataclass
class Tenant:
    """A demo tenant, and what an audit of all its files at once says."""

    folder: Path
    options: AuditOptions
    whole: Audit
    rejected: list[tuple[str, RejectedRow]]

    def history(self, folder: Path) -> History:
        return History(folder, classes_of(self.beside(discover([self.folder])).snapshot), self.options)

    def beside(self, found: Inputs) -> Beside:
        tenant = read_tenant(found.settings)
        dns = gather(accepted_of(tenant.snapshot), self.options.resolver)
        reported = reports_of(found, lambda *_: None, Silent())
        return Beside(replace(tenant.snapshot, mail_exchangers=dns.mx), dns, reported, tenant.warnings)

    def assessed(self, history: History, out: Path) -> Audit:
        found = discover([self.folder])
        out.mkdir(exist_ok=True)
        return history.assess(found, self.beside(found), out).audit


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    root = tmp_path_factory.mktemp("history")
    make(
        root / "demo", Plan(rows=3000, days=DAYS, seed=5, domain="contoso.com", end=datetime(2026, 11, 20, tzinfo=UTC))
    )
    zones = read_zones(sorted((root / "demo" / "zones").iterdir()))
    options = AuditOptions(resolver=zones, now=NOW)
    (root / "report").mkdir()
    rejected: list[tuple[str, RejectedRow]] = []
    whole = audit([root / "demo"], root / "report", options, lambda path, row: rejected.append((path, row)))
    return Tenant(root / "demo", options, whole, rejected)


def same(one: Audit, other: Audit, *but: str) -> None:
    """Everything an audit says is equal; ids of flows differ from run to run."""
    for field in fields(Audit):
        if field.name in but:
            continue
        first, second = getattr(one, field.name), getattr(other, field.name)
        if field.name == "senders":
            first, second = ([replace(each, flow_ids=()) for each in senders] for senders in (first, second))
        assert first == second, field.name


def test_one_batch_answers_as_an_audit(tenant: Tenant, tmp_path: Path) -> None:
    history = tenant.history(tmp_path / "history")
    assert history.add(discover([tenant.folder]))
    assert len(history.settle()) >= DAYS - 1
    same(tenant.assessed(history, tmp_path / "out"), tenant.whole)
    assert sorted(map(str, history.rejected())) == sorted(map(str, tenant.rejected))


def test_files_one_by_one_in_any_order_and_twice(tenant: Tenant, tmp_path: Path) -> None:
    files = [source.path for source in discover([tenant.folder]).histories]
    chance = random.Random(7)
    chance.shuffle(files)
    for path in [*files, chance.choice(files)]:
        tenant.history(tmp_path / "history").add(discover([path]))
        tenant.history(tmp_path / "history").settle()
    history = tenant.history(tmp_path / "history")
    assert history.settle() == ()
    same(tenant.assessed(history, tmp_path / "out"), tenant.whole)


def test_days_delivered_late_and_overlapping(tenant: Tenant, tmp_path: Path) -> None:
    """The trace in pieces of random rows, each holding rows of the piece before; the history knows each row once."""
    with (tenant.folder / "MessageTraceV2.csv").open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows, header = list(reader), reader.fieldnames or ()
    sound = [row for row in rows if row["Received"] and None not in row and None not in row.values()]
    chance = random.Random(3)
    chance.shuffle(sound)
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "trace.csv").write_text(csv_text(sound, header), encoding="utf-8", newline="")
    history, size = tenant.history(tmp_path / "history"), len(sound) // 5
    for start in range(0, len(sound), size):
        piece = tmp_path / f"piece-{start}.csv"
        piece.write_text(csv_text(sound[max(0, start - 100) : start + size], header), encoding="utf-8", newline="")
        history.add(discover([piece]))
        history.settle()
    inputs = discover([tenant.folder]).settings
    (tmp_path / "report").mkdir()
    whole = audit([tmp_path / "all", *inputs], tmp_path / "report", tenant.options, lambda *_: None)
    found = discover([tmp_path / "all", *inputs])
    (tmp_path / "out").mkdir()
    pieces = history.assess(found, tenant.beside(found), tmp_path / "out").audit
    same(pieces, whole, "coverage")
    assert pieces.coverage.messages == whole.coverage.messages


def test_a_plan_of_a_history_is_the_plan_of_the_audit(tenant: Tenant, tmp_path: Path) -> None:
    history = tenant.history(tmp_path / "history")
    history.add(discover([tenant.folder]))
    history.settle()
    senders = tenant.assessed(history, tmp_path / "out").senders
    question = partial(
        Question, senders=senders, snapshot=tenant.whole.snapshot, switches=DEFAULT_SWITCHES, words=NO_WORDS,
        catalogue=tenant.options.catalogue, now=NOW, folder="",
    )  # fmt: skip
    with open_kept(tenant.folder.parent / "report" / "messages.parquet") as messages:
        whole = make_plan(question(history=messages))
        places = messages.places()
    for _ in range(2):  # counted, then as kept
        with kept_days(tmp_path / "history", tmp_path / "out") as days:
            assert days.places() == places
            assert make_plan(question(history=days)) == whole
    assert whole.connectors
    assert len(list(history.days()[3].glob("asked-*.parquet"))) in {1, 2}


KILLED = """
import sys
from pathlib import Path
from tests.audit.test_history import AuditOptions, NOW, Tenant, discover, read_zones
folder = Path(sys.argv[1])
tenant = Tenant(folder, AuditOptions(resolver=read_zones(sorted((folder / "zones").iterdir())), now=NOW), None, [])
history = tenant.history(Path(sys.argv[2]))
print("go", flush=True)
for source in discover([folder]).histories:
    history.add(discover([source.path]))
    history.settle()
"""


def test_killed_at_any_point_the_next_run_mends_it(tenant: Tenant, tmp_path: Path) -> None:
    chance = random.Random(11)
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tenant.folder), str(tmp_path / "history")],
            stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": ".:src"},
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        time.sleep(chance.random())  # the whole takes several times as long
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    history = tenant.history(tmp_path / "history")
    history.add(discover([tenant.folder]))
    history.settle()
    same(tenant.assessed(history, tmp_path / "out"), tenant.whole)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Tenant, Path]]:
    """Northwind, with nothing but its settings so far."""
    write_settings(tmp_path / "northwind")
    (tmp_path / "northwind" / "zones").mkdir()
    options = AuditOptions(resolver=read_zones([]), now=NOW)
    yield Tenant(tmp_path / "northwind", options, None, []), tmp_path  # type: ignore[arg-type]
    shutil.rmtree(tmp_path / "northwind")


def test_a_message_on_both_sides_of_midnight_is_one(small: tuple[Tenant, Path]) -> None:
    tenant, folder = small
    history = tenant.history(folder / "history")
    late = v2_row(1, Received="2026-11-03T23:59:59.0000000Z")
    history.add(discover([v2_file(folder / "one.csv", [late])]))
    early = v2_row(1, Received="2026-11-04T00:00:01.0000000Z", Subject="the same, as another query saw it")
    history.add(discover([v2_file(folder / "two.csv", [early])]))
    history.settle()
    assert [day.name for day in history.days()] == ["2026-11-03"]
    assert tenant.assessed(history, folder / "out").coverage.messages == 1


def test_what_is_forgotten_is_gone(small: tuple[Tenant, Path]) -> None:
    tenant, folder = small
    history = tenant.history(folder / "history")
    rows = [v2_row(day, Received=f"2026-11-{day:02d}T08:00:00.0000000Z") for day in range(1, 11)]
    path = v2_file(folder / "ten.csv", rows)
    history.add(discover([path]))
    history.settle()
    assert len(history.forget_before(date(2026, 11, 6))) == 5
    assert history.forget_before(date(2026, 11, 6)) == ()
    assert tenant.assessed(history, folder / "out").coverage.messages == 5
    assert not history.add(discover([path]))  # and does not come back with the file
    assert not [each for each in (folder / "history").rglob("*") if "2026-11-05" in str(each)]


def test_a_file_that_grows_is_there_once(small: tuple[Tenant, Path]) -> None:
    """A log is read again whole; what it was before is not kept beside it."""
    tenant, folder = small
    history, inbox = tenant.history(folder / "history"), folder / "inbox"
    inbox.mkdir()
    for count in (2, 5, 9):
        v2_file(inbox / "log.csv", [v2_row(number) for number in range(count)])
        history.add(discover([inbox]))
        history.settle()
    assert [source.records for source in history.sources()] == [9]
    assert len(list((folder / "history").glob("*/*.part.parquet"))) == len(history.days())
    v2_file(inbox / "log.csv", [v2_row(number) for number in range(20, 22)])  # rotated: another file of the same name
    history.add(discover([inbox]))
    history.settle()
    assert tenant.assessed(history, folder / "out").coverage.messages == 11


def test_what_is_forgotten_does_not_come_back_with_a_file_that_grows(small: tuple[Tenant, Path]) -> None:
    tenant, folder = small
    history = tenant.history(folder / "history")
    rows = [v2_row(day, Received=f"2026-11-{day:02d}T08:00:00.0000000Z") for day in range(1, 11)]
    history.add(discover([v2_file(folder / "log.csv", rows[:8])]))
    history.forget_before(date(2026, 11, 6))
    (source,) = history.add(discover([v2_file(folder / "log.csv", rows)]))
    history.settle()
    assert source.note == "5 days before 2026-11-06 are not kept any more"
    assert [day.name for day in history.days()] == [f"2026-11-{day:02d}" for day in range(6, 11)]


def test_a_file_that_cannot_be_read_is_noted_and_tried_again_when_it_changes(small: tuple[Tenant, Path]) -> None:
    tenant, folder = small
    inbox = folder / "inbox"
    inbox.mkdir()
    v2_file(inbox / "good.csv", [v2_row(1)])
    (inbox / "odd.csv").write_text(csv_text([v2_row(2, Received="03/04/2026 08:00")], V2_HEADER))
    history = tenant.history(folder / "history")
    added = {Path(source.path).name: source for source in history.add(discover([inbox]))}
    assert added["odd.csv"].note.startswith("not read")
    assert added["good.csv"].records == 1
    assert history.add(discover([inbox])) == []
    v2_file(inbox / "odd.csv", [v2_row(2)])
    assert [Path(source.path).name for source in history.add(discover([inbox]))] == ["odd.csv"]


def test_no_history_is_an_error_and_not_an_empty_answer(small: tuple[Tenant, Path]) -> None:
    tenant, folder = small
    history = tenant.history(folder / "history")
    history.settle()
    with pytest.raises(InputError, match="no mail history"):
        tenant.assessed(history, folder / "out")


def test_scratch_of_another_thread_is_no_day(tmp_path: Path) -> None:
    for name in ("2026-10-01", ".sidedoor-x", "sources"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.message-trace-v2.part.parquet").touch()
    assert [day.name for day in days_of(tmp_path)] == ["2026-10-01"]
