"""A provider's run: tenants at the same time, each by itself, and one page about all of them."""

from __future__ import annotations

import csv
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli.main import main
from sidedoor.store.model import Alert, Finding, Severity
from sidedoor.watch.live import tools_of
from sidedoor.watch.many import at_once
from sidedoor.watch.results import Results, Row, State, render, row_of
from sidedoor.watch.rounds import Result, Round, Say
from sidedoor.watch.standing import Standing
from sidedoor.watch.tools import Tools
from sidedoor.watch.workspace import Workspace
from tests.watching.world import BRANCH, World

pytestmark = pytest.mark.xdist_group("watching-many")  # what the module makes once is made by one worker
TENANTS, FEW = 24, 4
NOW = datetime(2026, 11, 28, 8, tzinfo=UTC)


def patient(folder: Path) -> World:
    """A tenant with some days of mail; that they are of one October, whenever the test is run, is no alert."""
    world = World(folder)
    settings = folder / "sidedoor.toml"
    settings.write_text(re.sub(r"# stale_hours = \d+", "stale_hours = 8760", settings.read_text("utf-8")), "utf-8")
    world.begun(3)
    return world


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that has run once."""
    world = patient(tmp_path_factory.mktemp("model") / "t")
    assert main(["watch", str(world.folder), "--once", "--quiet"]) == 0
    return world.folder


def copies(model: Path, folder: Path, count: int) -> Path:
    """Tenants side by side."""
    for number in range(count):
        shutil.copytree(model, folder / f"t{number:02}")
        rename(folder / f"t{number:02}", f"t{number:02}.example")
    return folder


@pytest.fixture
def tenants(model: Path, tmp_path: Path) -> Path:
    """Some dozens of tenants."""
    return copies(model, tmp_path / "tenants", TENANTS)


@pytest.fixture
def few(model: Path, tmp_path: Path) -> Path:
    """Enough tenants to tell one from the others."""
    return copies(model, tmp_path / "tenants", FEW)


def rename(folder: Path, domain: str) -> None:
    """Make a copied workspace another tenant's. The store is left behind: it is the other one's."""
    settings = folder / "sidedoor.toml"
    settings.write_text(settings.read_text("utf-8").replace('domain = "northwind.example"', f'domain = "{domain}"'))
    for path in folder.glob("sidedoor.db*"):
        path.unlink()


def watched(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """Exit code and results.json of a run over all."""
    page = folder.parent / "results.html"
    code = main(["watch", str(folder), "--once", "--quiet", "--jobs", "2", "--results", str(page), *more])
    body: dict[str, Any] = json.loads(page.with_suffix(".json").read_text("ascii"))
    return code, body


def by_tenant(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {Path(each["workspace"]).name: each for each in body["tenants"]}


def break_settings(folder: Path) -> None:
    (folder / "sidedoor.toml").write_text('domain = "t.example"\n[watch]\nevery_hours = "often"\n')


def break_link(folder: Path) -> None:
    (folder / "sidedoor.toml").unlink()
    (folder / "sidedoor.toml").symlink_to("nowhere")


def break_store(folder: Path) -> None:
    (folder / "sidedoor.db").write_bytes(b"this is no database, and long enough to be taken for something else")


def lose_database(folder: Path) -> None:
    _set(folder, '# url = ""', 'url = "postgresql://nobody@127.0.0.1:9/nothing"')


def lose_inbox(folder: Path) -> None:
    shutil.rmtree(folder / "inbox")


def lose_service(folder: Path) -> None:
    text = '[collect]\ntenant_id = "t.example"\nclient_id = "11111111-2222-3333-4444-555555555555"\n'
    text += 'token_env = "NO_TOKEN"\nbase_url = "http://127.0.0.1:9"\n'
    settings = folder / "sidedoor.toml"
    before, _, after = settings.read_text("utf-8").partition("[collect]\n")
    settings.write_text(before + text + after, "utf-8")


def _set(folder: Path, old: str, new: str) -> None:
    settings = folder / "sidedoor.toml"
    text = settings.read_text("utf-8")
    assert old in text
    settings.write_text(text.replace(old, new), "utf-8")


FAULTS: dict[str, tuple[Callable[[Path], None], State, str]] = {
    "t01": (break_settings, State.FAILED, "line 3"),
    "t02": (break_link, State.FAILED, "no sidedoor.toml"),
    "t03": (break_store, State.FAILED, "SQLite"),
    "t04": (lose_database, State.FAILED, "PostgreSQL at 127.0.0.1:9"),
    "t05": (lose_inbox, State.INCOMPLETE, "inbox"),
    "t06": (lose_service, State.INCOMPLETE, "history"),
}


def test_what_befalls_some_does_not_stop_the_others_and_the_page_says_so(tenants: Path) -> None:
    for name, (fault, _, _) in FAULTS.items():
        fault(tenants / name)
    code, body = watched(tenants)
    found = by_tenant(body)
    assert len(found) == TENANTS
    for name, (_, state, why) in FAULTS.items():
        said = "; ".join([found[name]["error"] or "", *found[name]["incomplete"]])
        assert (name, found[name]["state"]) == (name, state.value), said
        assert why in said, name
    rest = [each for name, each in found.items() if name not in FAULTS]
    assert {each["state"] for each in rest} == {"done"}
    assert {each["readiness"] for each in rest} == {"not-ready"}
    assert code == max(each["exit_code"] for each in body["tenants"]) == 4
    assert body["totals"]["failed"] == 4
    assert [each["state"] for each in body["tenants"]][:4] == ["failed"] * 4


def test_a_failed_tenant_is_shown_as_it_was(few: Path) -> None:
    lose_database(few / "t01")
    before = json.loads((few / "t01" / "report" / "report.json").read_text("ascii"))
    _, body = watched(few)
    found = by_tenant(body)["t01"]
    assert found["state"] == "failed"
    assert (found["reject_direct_send"], found["readiness"]) == (False, "not-ready")
    assert found["known_at"] == before["generated_at"] <= body["started"]
    assert found["last_success"] is None


def test_the_results_of_one_at_a_time_and_of_some_at_a_time_are_the_same(few: Path) -> None:
    def told(body: dict[str, Any]) -> list[Any]:
        keys = ("tenant", "state", "reject_direct_send", "readiness", "open_alerts", "history_until")
        return [[each[key] for key in keys] for each in body["tenants"]]

    _, some = watched(few)
    _, one = watched(few, "--jobs", "1")
    assert told(some) == told(one)


def test_a_folder_that_may_not_be_read_is_a_tenant_that_failed(few: Path) -> None:
    # Root may read everything, unless these two rights are taken from it (capabilities(7)).
    humble = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    if humble and shutil.which("setpriv") is None:
        pytest.skip("root reads everything here, and setpriv is missing")
    page = few.parent / "results.html"
    (few / "lost+found").mkdir()
    for name in ("t02", "lost+found"):
        (few / name).chmod(0)
    try:
        done = subprocess.run(
            [*humble, sys.executable, "-m", "sidedoor", "watch", str(few), "--once", "--results", str(page)],
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
    finally:
        for name in ("t02", "lost+found"):
            (few / name).chmod(0o700)
    assert done.returncode == 3, done.stderr
    assert "t02: found what cannot be read (Permission denied)" in done.stderr
    assert f"{FEW} workspaces: 1 failed" in done.stdout
    states = {
        name: each["state"] for name, each in by_tenant(json.loads(page.with_suffix(".json").read_text())).items()
    }
    assert states.pop("t02") == "failed"
    assert set(states.values()) == {"done"}


def hostile(workspace: Workspace, *, collect: bool, say: Say) -> Tools:
    """Tools of a run to which something happens, by the tenant's name. Called in the worker."""
    full = workspace.name.startswith("t08")
    soft = 4_096 if full else resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))  # as on a full disk, for this one
    if workspace.name.startswith("t09"):
        os.kill(os.getpid(), signal.SIGKILL)
    if workspace.name.startswith("t10"):
        time.sleep(600)
    if workspace.name.startswith("t11"):
        raise ZeroDivisionError("a fault of ours")
    say("has begun")
    return tools_of(workspace, collect=collect, say=say)


def silent(_text: str) -> None:
    """Say nothing; in a worker, so no lambda."""


def test_a_worker_killed_stuck_or_out_of_disk_costs_its_own_tenant_alone(tenants: Path) -> None:
    folders = sorted(tenants.iterdir())
    results = list(at_once(Round(folders, say=silent, tools=hostile), 2, 10.0))
    found = {Path(result.folder).name: result for result in results}
    assert sorted(found) == [folder.name for folder in folders]
    assert found["t08"].code == 2
    assert "cannot be written" in found["t08"].error or "disk" in found["t08"].error
    assert "SIGKILL" in found["t09"].error
    assert "after 0.166667 minutes" in found["t10"].error
    assert found["t11"].error.startswith("internal: ZeroDivisionError: a fault of ours (test_many.py, line ")
    assert {found[name].code for name in ("t09", "t11")} == {70}
    assert {name for name, result in found.items() if result.error} == {"t08", "t09", "t10", "t11"}
    assert all(found[name].standing.closed is False for name in ("t08", "t09", "t10", "t11"))
    again = list(at_once(Round([tenants / name for name in ("t08", "t09", "t10", "t11")], say=silent), 2))
    assert [result.error for result in again if result.error] == []


def test_one_that_runs_already_is_left_to_it(few: Path) -> None:
    from sidedoor.watch.workspace import open_workspace

    with open_workspace(few / "t03").running():
        code, body = watched(few)
    assert code == 2
    assert "another run is under way" in by_tenant(body)["t03"]["error"]
    assert body["totals"]["failed"] == 1


def test_a_root_that_is_not_there_does_not_stop_the_others(few: Path) -> None:
    lost, empty = few.parent / "lost", few.parent / "empty"
    empty.mkdir()
    code, body = watched(few, str(lost), str(empty))
    assert code == 3
    states = {name: each["state"] for name, each in by_tenant(body).items()}
    assert (states.pop("lost"), states.pop("empty")) == ("failed", "failed")
    assert set(states.values()) == {"done"}
    assert len(states) == FEW


def test_one_at_a_time_a_killed_run_still_costs_itself_alone(few: Path) -> None:
    _set(few / "t01", 'domain = "t01.example"', 'domain = "t09.example"')
    results = list(at_once(Round(sorted(few.iterdir()), say=silent, tools=hostile), 1))
    assert {Path(result.folder).name for result in results if result.error} == {"t01"}
    assert len(results) == FEW


def test_a_tenant_that_is_not_there_any_more_is_named(few: Path) -> None:
    assert watched(few)[0] == 0
    shutil.rmtree(few / "t02")
    for _ in range(2):  # and again, as long as the disk is not mounted
        code, body = watched(few)
        assert (code, len(body["tenants"])) == (3, FEW)
        assert body["tenants"][0]["tenant"] == "t02.example"
        assert "no workspace is in" in body["tenants"][0]["error"]
    path = few.parent / "results.json"
    long_ago = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    path.write_text(path.read_text("ascii").replace(body["tenants"][0]["gone_since"], long_ago), "ascii")
    code, body = watched(few)
    assert (code, len(body["tenants"])) == (0, FEW - 1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other"}', '{"schema": "sidedoor/watch-results/1"}'])
def test_a_broken_page_of_before_is_left_alone_and_stops_no_run(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "results.json").write_text(text)
    code = main(["watch", str(model), "--once", "--results", str(tmp_path / "results.html")])
    assert code == 3
    said = capsys.readouterr()
    assert "northwind.example: 0 open alerts" in said.out
    assert "no page of results was written" in said.err
    assert (tmp_path / "results.json").read_text() == text
    assert not (tmp_path / "results.html").exists()


@pytest.mark.parametrize(
    "more", [["--jobs", "2"], ["--results", "r.html"], ["--once", "--results", "r.txt"], ["--once", "--jobs", "0"]]
)
def test_options_that_do_not_go_together(model: Path, more: list[str]) -> None:
    assert main(["watch", str(model), *more]) == 2


def test_alerts_are_counted_and_the_exit_code_says_whether_it_is_quiet(few: Path) -> None:
    assert watched(few, "--require-quiet")[0] == 0
    world = patient(few / "new")
    rename(world.folder, "northwind.example")
    assert main(["watch", str(world.folder), "--once", "--quiet"]) == 0
    world.export("3.csv", [*world.usual(3), *world.mail(3, BRANCH, "branch@northwind.example", 4)])
    code, body = watched(few, "--require-quiet")
    assert code == 1
    assert body["tenants"][0]["tenant"] == "northwind.example"
    assert body["tenants"][0]["open_alerts"]["critical"] == 0
    assert body["tenants"][0]["worst"][0]["title"] in (few.parent / "results.html").read_text("utf-8")
    assert body["totals"]["with_alerts"] == 1
    with (few.parent / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["workspace"] for row in rows] == [each["workspace"] for each in body["tenants"]]
    assert rows[0]["reject_direct_send"] == "false"


HOSTILE = "<script>alert(1)</script>\"'=cmd\u202e&"


def result(name: str, *levels: Severity, **more: Any) -> Result:
    """A result with open alerts."""
    opened = tuple(
        Alert(f"a{n}", Finding("new-sender", f"s{n}", level, f"{HOSTILE} {level}", "x", "y", "history"), NOW, NOW)
        for n, level in enumerate(levels)
    )
    return replace(Result(name, f"/t/{name}", open=opened, started=NOW, standing=Standing(True, "ready", NOW)), **more)


def test_the_worst_come_first() -> None:
    made = [
        result("quiet"), result("info", Severity.INFO), result("two", Severity.SERIOUS, Severity.SERIOUS),
        result("one", Severity.SERIOUS, Severity.WARNING), result("critical", Severity.CRITICAL),
        result("lost", error="gone", code=4), result("part", incomplete=("dns: no answer",)),
    ]  # fmt: skip
    rows = Results.of(map(row_of, made), NOW, NOW).rows
    assert [row.tenant for row in rows] == ["lost", "critical", "two", "one", "info", "part", "quiet"]


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.outside: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [value or "" for name, value in attrs if name in {"src", "href"} or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_in_itself_and_nothing_breaks_out() -> None:
    rows = [
        row_of(result(HOSTILE, Severity.CRITICAL, error=HOSTILE, code=3)),
        row_of(result("part", incomplete=(HOSTILE,), waiting=2)),
        row_of(result("quiet")),
    ]
    html = render(Results.of(rows, NOW, NOW + timedelta(seconds=90)))
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert "script" not in page.tags
    assert page.outside == ["#tenants"]
    assert "\u202e" not in html
    assert "1 tenant could not be looked at" in page.text
    assert page.text.count("<script>alert(1)</script>") == 4
    assert page.tags.count("tr") == 4


@pytest.mark.parametrize(
    ("made", "headline"),
    [
        ([result("a"), result("b")], "All quiet"),
        ([result("a", Severity.CRITICAL), result("b")], "1 tenant with alerts that cannot wait"),
        ([result("a", Severity.INFO)], "Nothing urgent"),
    ],
)
def test_the_headline_is_the_answer(made: list[Result], headline: str) -> None:
    assert headline in Page(render(Results.of(map(row_of, made), NOW, NOW))).text


def test_little_is_kept_of_a_result() -> None:
    many = result("a", *[Severity.INFO] * 5_000)
    row = row_of(many)
    assert isinstance(row, Row)
    assert (row.alerts[Severity.INFO], len(row.worst)) == (5_000, 3)
