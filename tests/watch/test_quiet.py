"""Quiet hours: over midnight, in any zone, on the days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.watch.quiet import QuietError, QuietHours, parse_quiet

BERLIN, NEW_YORK, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
NIGHT = QuietHours(time(22), time(6), BERLIN)


def moment(text: str) -> datetime:
    """UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "release"),
    [
        (NIGHT, "2026-11-24T12:00", "2026-11-24T12:00"),
        (NIGHT, "2026-11-24T21:30", "2026-11-25T05:00"),  # 22:30 in Berlin, to 6:00
        (NIGHT, "2026-11-25T04:59", "2026-11-25T05:00"),
        (NIGHT, "2026-11-25T05:00", "2026-11-25T05:00"),
        (NIGHT, "2026-07-24T20:30", "2026-07-25T04:00"),  # summer time
        (QuietHours(time(9), time(17), NEW_YORK), "2026-11-24T15:00", "2026-11-24T22:00"),
        # 29 March 2026: two o'clock becomes three; half past two never is.
        (QuietHours(time(22), time(2, 30), BERLIN), "2026-03-29T00:30", "2026-03-29T01:30"),
        (NIGHT, "2026-03-28T22:00", "2026-03-29T04:00"),
        # 25 October 2026: three o'clock becomes two; half past two is twice.
        (QuietHours(time(22), time(2, 30), BERLIN), "2026-10-25T00:10", "2026-10-25T00:30"),
        (QuietHours(time(22), time(2, 30), BERLIN), "2026-10-25T01:10", "2026-10-25T01:30"),
        (NIGHT, "2026-10-24T21:00", "2026-10-25T05:00"),
    ],
)
def test_release(hours: QuietHours, now: str, release: str) -> None:
    assert hours.release(moment(now)) == moment(release)


times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))


@given(
    times, times, st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, UTC]),
    st.integers(0, 3 * 365 * 24 * 60).map(lambda minutes: moment("2025-01-01T00:00") + timedelta(minutes=minutes)),
)  # fmt: skip
def test_it_ends_within_a_day_and_it_is_not_quiet_then(start: time, end: time, zone: ZoneInfo, now: datetime) -> None:
    if start == end:
        return
    hours = QuietHours(start, end, zone)
    free = hours.release(now)
    assert timedelta(0) <= free - now <= timedelta(hours=26)
    assert (free == now) is not hours.holds(now)
    # On the day that repeats an hour, it may be quiet once more after an end within that hour.
    assert not hours.holds(free) or hours.release(free) - now <= timedelta(hours=26)


def test_the_text_of_the_settings() -> None:
    assert parse_quiet("22:00-06:00", BERLIN) == NIGHT
    assert parse_quiet(" 9:30 - 17:45 ", UTC) == QuietHours(time(9, 30), time(17, 45), UTC)
    assert parse_quiet("", BERLIN) is None


@pytest.mark.parametrize(
    "text", ["22-6", "24:00-06:00", "22:00", "22:00-22:00", "nachts", "22:00-06:00:00", "٢٢:٠٠-٠٦:٠٠"]
)
def test_other_texts_are_our_error(text: str) -> None:
    with pytest.raises(QuietError):
        parse_quiet(text, UTC)
