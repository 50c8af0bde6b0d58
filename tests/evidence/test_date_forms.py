"""Dates: the forms that speak for themselves, those that need an order, and what proves one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.errors import UsageError
from sidedoor.evidence.date_format import DatePattern, parse_date_format
from sidedoor.evidence.dates import (
    AmbiguousDateError,
    DateError,
    DateOrder,
    possible_orders,
    prove_order,
    read_timestamp,
)

MDY, DMY, YMD = DateOrder.MDY, DateOrder.DMY, DateOrder.YMD
CLEAR = [
    ("2026-11-03T08:25:40.1234567Z", "2026-11-03 08:25:40.123456"),
    ("2026-11-03T08:25:40.9999999Z", "2026-11-03 08:25:40.999999"),  # cut off: rounding would move it to another second
    ("2026-11-03T08:25:40Z", "2026-11-03 08:25:40.000000"),
    ("2026-11-03T08:25:40", "2026-11-03 08:25:40.000000"),
    ("2026-11-03 08:25:40.5", "2026-11-03 08:25:40.500000"),
    ("2026-11-03T08:25:40+02:00", "2026-11-03 06:25:40.000000"),
    ("2026-11-03T23:25:40.25-0530", "2026-11-04 04:55:40.250000"),
    ("2026-11-03T08:25Z", "2026-11-03 08:25:00.000000"),
    ("2026-11-03", "2026-11-03 00:00:00.000000"),
    ("/Date(1793694340000)/", "2026-11-03 08:25:40.000000"),
    (r"\/Date(1793694340001)\/", "2026-11-03 08:25:40.001000"),
    ("Nov 3, 2026 8:25:40 AM", "2026-11-03 08:25:40.000000"),
    ("November 3, 2026 8:25:40\u202fPM", "2026-11-03 20:25:40.000000"),
    ("3 Nov 2026 08:25:40", "2026-11-03 08:25:40.000000"),
    ("Nov 3, 2026 12:05:00 AM", "2026-11-03 00:05:00.000000"),
    ("Nov 3, 2026 12:05:00 PM", "2026-11-03 12:05:00.000000"),
    ("03.11.2026 08:25:40", "2026-11-03 08:25:40.000000"),
    ("3.11.2026 8:25", "2026-11-03 08:25:00.000000"),
    ("2026/11/3 8:25:40", "2026-11-03 08:25:40.000000"),
    ("2026. 11. 03. 8:25:40", "2026-11-03 08:25:40.000000"),
    (" 2026-11-03T08:25:40Z ", "2026-11-03 08:25:40.000000"),
]
AMBIGUOUS = [
    ("11/3/2026 8:25:40 AM", MDY, "2026-11-03 08:25:40.000000"),
    ("3/11/2026 08:25", DMY, "2026-11-03 08:25:00.000000"),
    ("11-03-26 08:25:40", MDY, "2026-11-03 08:25:40.000000"),
    ("26-11-03 08:25:40", YMD, "2026-11-03 08:25:40.000000"),
    ("25/12/2026 08:25:40", DMY, "2026-12-25 08:25:40.000000"),
    ("11/3/2026 8:25:40\u202fPM", MDY, "2026-11-03 20:25:40.000000"),
]
NO_DATES = [
    "", "yesterday", "2026-02-30T00:00:00Z", "2026-13-01", "1999-12-31T23:59:59Z", "2101-01-01T00:00:00Z",
    "2026-11-03T24:00:00Z", "2026-11-03T08:25:60Z", "31.02.2026 08:00", "Foo 3, 2026 8:00:00 AM",
    "Nov 3, 2026 13:00:00 AM", "/Date(99999999999999999)/", "/Date(-5)/", "2026-11-03T08:25:40Z trailing",
    "٢٠٢٦-11-03T08:25:40Z", "=cmd|'/c calc'!A1", "111/3/2026", "0", "2026-11-03T08:25:40+99:99",
]  # fmt: skip


@pytest.mark.parametrize(("text", "utc"), CLEAR)
def test_a_date_that_speaks_for_itself(text: str, utc: str) -> None:
    assert read_timestamp(text) == utc
    assert read_timestamp(text, MDY) == read_timestamp(text, DMY) == utc
    assert not possible_orders(text)


@pytest.mark.parametrize(("text", "order", "utc"), AMBIGUOUS)
def test_a_culture_date_needs_an_order(text: str, order: DateOrder, utc: str) -> None:
    with pytest.raises(AmbiguousDateError):
        read_timestamp(text)
    assert read_timestamp(text, order) == utc


@pytest.mark.parametrize("text", NO_DATES)
def test_no_date(text: str) -> None:
    with pytest.raises(DateError):
        read_timestamp(text, MDY)


@given(st.text(max_size=80) | st.from_regex(r"[0-9]{1,4}[./-][0-9]{1,4}[./-][0-9]{1,4}[ T0-9:.APMZ+-]{0,20}"))
def test_any_text_is_a_moment_between_2000_and_2100_or_a_date_error(text: str) -> None:
    for order in (None, *DateOrder):
        try:
            utc = read_timestamp(text, order)
        except DateError:
            continue
        assert "2000" <= utc[:4] <= "2100"
        assert len(utc) == 26
        assert read_timestamp(utc) == utc


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 12, 31)))  # noqa: DTZ001
def test_a_printed_moment_is_read_again(moment: datetime) -> None:
    written = moment.replace(tzinfo=UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    seconds = f"{written[:19]}.000000"
    assert read_timestamp(moment.isoformat() + "Z") == written
    assert read_timestamp(f"{moment.day}.{moment.month}.{moment.year} {moment:%H:%M:%S}") == seconds
    assert read_timestamp(f"{moment:%m/%d/%Y %I:%M:%S %p}", MDY) == seconds
    assert read_timestamp(f"{moment:%d/%m/%Y %H:%M:%S}", DMY) == seconds


PROOFS = [
    (["11/3/2026 8:00", "11/4/2026 8:00"], {MDY, DMY}),
    (["11/3/2026 8:00", "11/25/2026 8:00"], {MDY}),
    (["3/11/2026 8:00", "25/11/2026 8:00"], {DMY}),
    (["11/25/2026 8:00", "25/11/2026 8:00"], set()),
    (["11-03-26"], {MDY, DMY, YMD}),
    (["25-11-26"], {DMY, YMD}),  # two-digit years: the first number may be one
    (["11-25-26"], {MDY}),
    (["2026-11-25T08:00:00Z", "31.12.2026", "99/99/2026"], {MDY, DMY, YMD}),  # nothing here proves anything
]


@pytest.mark.parametrize(("texts", "orders"), PROOFS)
def test_what_a_file_proves(texts: list[str], orders: set[DateOrder]) -> None:
    assert prove_order(texts).orders == orders
    assert prove_order(reversed(texts)).orders == orders


STATED = [
    ("en-US", "11/3/2026 8:25:40 AM"),
    ("mdy", "11/3/2026 8:25:40 AM"),
    ("en-GB", "03/11/2026 08:25:40"),
    ("de-de", "03.11.2026 08:25:40"),
    ("fr-FR", "03/11/2026 08:25:40"),
    ("dmy", "3-11-2026 8:25:40"),
    ("ymd", "26/11/03 08:25:40"),
    ("sv-SE", "2026-11-03 08:25:40"),
]
PATTERNS = [
    ("M/d/yyyy h:mm:ss tt", "11/3/2026 8:25:40 AM"),
    ("M/d/yyyy h:mm:ss tt", "11/3/2026 8:25:40\u202fAM"),
    ("dd/MM/yyyy HH:mm:ss", "03/11/2026 08:25:40"),
    ("dddd, d MMMM yyyy 'at' HH:mm:ss", "Tuesday, 3 November 2026 at 08:25:40"),
    ("yyyyMMdd'T'HHmmss", "20261103T082540"),
    ("%m/%d/%Y %I:%M:%S %p", "11/03/2026 08:25:40 AM"),
    ("%d-%b-%y %H:%M:%S", "03-Nov-26 08:25:40"),
    ("%Y%%%m%%%d %H.%M.%S%z", "2026%11%03 10.25.40+0200"),
]


@pytest.mark.parametrize(("stated", "text"), STATED)
def test_a_stated_order(stated: str, text: str) -> None:
    order = parse_date_format(stated)
    assert isinstance(order, DateOrder)
    assert read_timestamp(text, order) == "2026-11-03 08:25:40.000000"


@pytest.mark.parametrize(("stated", "text"), PATTERNS)
def test_a_stated_pattern(stated: str, text: str) -> None:
    pattern = parse_date_format(stated)
    assert isinstance(pattern, DatePattern)
    assert pattern.read(text) == datetime(2026, 11, 3, 8, 25, 40, tzinfo=UTC)
    with pytest.raises(DateError):
        pattern.read("something else")


@pytest.mark.parametrize(
    "stated", ["", "xx-YY", "M/d", "%Q", "%", "q/w/e", "yyyy yyyy MM dd", "%d%d%m%Y", "(" * 50, "M" * 200]
)
def test_no_date_format(stated: str) -> None:
    with pytest.raises(UsageError, match="--date-format"):
        parse_date_format(stated)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_stated_format_is_understood_or_refused(stated: str, text: str) -> None:
    try:
        understood = parse_date_format(stated)
    except UsageError:
        return
    if isinstance(understood, DatePattern):
        try:
            assert understood.read(text).tzinfo is UTC
        except DateError:
            return
