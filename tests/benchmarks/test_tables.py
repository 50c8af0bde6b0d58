"""The table at the end and the page of results."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import markdown as site
from hypothesis import given
from hypothesis import strategies as st

from gather.form import Row
from gather.goals import Goal, Of
from gather.machine import commit, machine, processor
from gather.results import cell, markdown
from gather.table import WIDTH, Answer, Outcome, show

NOW = datetime(2026, 11, 28, 11, 5, tzinfo=UTC)
FAST = Goal("fast", "edge", "at least 3 times the peer", Of.RATIO, "", 3.0, None)
LATE = Goal("late", "web", "pages within 200 ms", Of.FIGURE, "ms", None, 200.0)
NEVER = Goal("never", "engines", "DuckDB through Ibis no more than 1.1 times", Of.RATIO, "", None, 1.1)
LONG = "1,000,000 messages in one hundred and seven formats that nobody has heard of: refused"


def row(what: str, ours: float, unit: str, theirs: float | None, goal: Goal | None, *, met: bool | None) -> Row:
    ratio = None if theirs is None else ours / theirs
    bound = goal.bound() if goal else ""
    return Row(what, ours, unit, "peer" if theirs else "", theirs, ratio, None, goal.id if goal else "", bound, met)


def outcomes() -> list[Outcome]:
    edge = Outcome("edge", 81.4, 0.31, {"messages": 8_000, "rounds": 3})
    edge.rows = [
        row("taken, 1 a connection", 7_479, "/s", 1_888, FAST, met=True),
        row("taken, 10 a connection", 5_000, "/s", 2_000, FAST, met=False),
        row(LONG, 123_456_789, "/s", 23_456_789, None, met=None),
        Row("in pairs", 3.0, "s", "floor", 2.0, 1.5, (1.4, 1.6), "", "", None),
    ]
    edge.left_out = [("Postfix's own queue", "needs root")]
    edge.peers = {"parsedmarc": "11.1.0"}
    web = Outcome("web", 5, None, failed="exit code 1: the server | did not\nstart")
    web.rows = [row("today", 120.4, "ms", None, LATE, met=True)]
    return [edge, web]


def printed(*hints: str) -> str:
    out = io.StringIO()
    show(outcomes(), [FAST, LATE, NEVER], hints, out)
    return out.getvalue()


def test_the_table() -> None:
    text = printed()
    flat = " ".join(text.split())
    assert "edge messages 8,000, rounds 3, took 81 s, load before it 0.3" in flat
    assert "taken, 1 a connection 7,479/s peer 1,888/s 3.96 >= 3 met" in flat
    assert "taken, 10 a connection 5,000/s peer 2,000/s 2.50 >= 3 MISSED" in flat
    assert "left out: Postfix's own queue: needs root" in flat
    assert "1 of 3 goals met MISSED: edge: at least 3 times the peer (3.96, 2.5)" in flat
    assert "not measured: engines: DuckDB through Ibis no more than 1.1 times" in flat
    assert "FAILED: web: exit code 1" in flat
    assert printed("A quick run.").endswith("\nA quick run.\n")


def test_the_table_is_narrow_and_cuts_nothing() -> None:
    assert max(map(len, printed().splitlines())) <= WIDTH == 100
    assert "…" not in printed()
    assert set(LONG.split()) <= set(printed().split())


def test_the_page() -> None:
    page = markdown(outcomes(), [FAST, LATE, NEVER], {"Cores": "2 of 2", "Versions": "duckdb 1.4"}, NOW)
    assert "| Date | 2026-11-28 11:05 UTC |\n| Cores | 2 of 2 |\n| Versions | duckdb 1.4, parsedmarc 11.1.0 |" in page
    assert "1 met, 1 MISSED, 1 not measured." in page
    assert "| `edge`: at least 3 times the peer | >= 3 | 3.96, 2.5 | **MISSED** |" in page
    assert "| `engines`: DuckDB through Ibis no more than 1.1 times | &lt;= 1.1 |  | **not measured** |" in page
    assert "| taken, 1 a connection | 7,479/s | peer 1,888/s | 3.96 | >= 3 | met |" in page
    assert "| in pairs | 3 s | floor 2 s | 1.50 (1.4 to 1.6) |  |  |" in page
    assert "**FAILED**: exit code 1: the server \\| did not start" in page
    assert "- left out: Postfix's own queue: needs root" in page
    assert "**A quick run.**" not in page


def test_the_page_is_markdown_with_its_tables() -> None:
    page = markdown(outcomes(), [FAST, LATE, NEVER], {"Cores": "2"}, NOW, ["A quick run."])
    html = site.markdown(page, extensions=["tables"])
    assert html.count("<table>") == 4  # the machine, the goals, and two benchmarks
    assert html.count("<h2>") == 4
    assert "<strong>A quick run.</strong>" in html


@given(st.text())
def test_a_cell_stays_a_cell(text: str) -> None:
    shown = cell(text)
    assert len(shown.splitlines()) <= 1
    assert shown.count("|") == shown.count("\\|")
    assert "<" not in shown


def test_many_rows_of_a_goal_are_its_best_and_its_worst() -> None:
    rows = tuple(row(f"page {n}", n, "ms", None, LATE, met=n <= 200) for n in (90, 20, 210, 50, 70))
    assert (Answer(LATE, rows).values(), Answer(LATE, rows).word) == ("20 ms to 210 ms in 5 rows", "MISSED")
    rates = tuple(row(f"rate {n}", n, "/s", 10, FAST, met=n >= 30) for n in (90, 20, 210, 50, 70))
    assert Answer(FAST, rates).values() == "21 to 2 in 5 rows"


def test_the_machine(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A Processor @ 2.10GHz\nflags: x\n", "utf-8")
    assert processor(tmp_path / "cpuinfo") == "A Processor @ 2.10GHz"
    assert processor(tmp_path / "none")
    assert commit(tmp_path) == "unknown"
    facts = machine(tmp_path)
    assert list(facts)[:3] == ["Processor", "Cores", "Memory"]
    assert "duckdb" in facts["Versions"]
    assert str(tmp_path) not in " ".join(facts.values())
