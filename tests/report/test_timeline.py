"""The timeline loses no message, draws within its frame and never grows with the window."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.audit.model import DayCount
from sidedoor.report.timeline import MAX_BARS, chart, gather, nice

counts = st.integers(0, 10**7)
days = st.lists(st.builds(DayCount, st.dates(), counts, counts, counts), max_size=12)


@given(days)
def test_bars_hold_every_message_once(given_days: list[DayCount]) -> None:
    bars = gather(given_days)
    assert len(bars) <= MAX_BARS
    for kind in ("legitimate", "spoofing", "unclear"):
        assert sum(getattr(bar, kind) for bar in bars) == sum(getattr(item, kind) for item in given_days)
    for before, after in pairwise(bars):
        assert before.last + timedelta(days=1) == after.first


@given(days, st.sampled_from([340, 1_000]))
def test_everything_is_within_the_frame(given_days: list[DayCount], width: int) -> None:
    drawn = chart(gather(given_days), "c", width, 240)
    for column in drawn.columns:
        for block in column.blocks:
            assert drawn.left <= block.x <= block.x + block.width <= drawn.right + 0.2
            assert -10 <= block.y <= block.y + block.height <= drawn.bottom + 0.2
            assert block.width > 0


def test_one_spoof_among_thousands_is_seen() -> None:
    column = chart(gather([DayCount(date(2026, 11, 3), 100_000, 1, 0)]), "c", 1_000, 240).columns[0]
    spoof = next(block for block in column.blocks if block.kind == "spoofing")
    assert spoof.height >= 3


def test_quiet_days_between_are_shown() -> None:
    bars = gather([DayCount(date(2026, 11, 1), 1, 0, 0), DayCount(date(2026, 11, 5), 1, 0, 0)])
    assert [bar.total for bar in bars] == [1, 0, 0, 0, 1]


def test_a_year_is_shown_by_several_days_a_bar() -> None:
    bars = gather([DayCount(date(2026, 1, 1), 1, 0, 0), DayCount(date(2026, 12, 31), 0, 1, 0)])
    assert bars[0].label == "1 Jan 2026 to 4 Jan 2026"
    assert bars[-1].last == date(2026, 12, 31)


@pytest.mark.parametrize(("value", "top"), [(0, 2), (2, 2), (3, 4), (5, 10), (11, 20), (399, 400), (401, 1_000)])
def test_nice(value: int, top: int) -> None:
    assert nice(value) == top


def test_no_days_no_bars() -> None:
    assert gather([]) == ()
