"""Points in time as exports write them, read into `YYYY-MM-DD HH:MM:SS.ffffff` UTC.

Unambiguous by themselves: ISO 8601, `/Date(ms)/`, `Nov 3, 2026 8:25:40 AM`, year-first and dotted dates. Everything
else (`11/3/2026 8:25:40 AM`) depends on the culture of the machine that wrote it; it is read only where the order of
day and month was stated or is proven by the file (docs/decisions/0003-culture-dates.md).
A time without a zone is UTC: that is what every export of Exchange Online and Defender writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

_EARLIEST, _LATEST = 2000, 2100  # a year outside is a misread column, not mail
_MAX_TEXT = 64


class DateError(ValueError):
    """The text is no point in time, or an impossible one; the message says why."""


class AmbiguousDateError(DateError):
    """The text is a date only under a stated order of day and month."""


class DateOrder(Enum):
    """The order of the numbers in a culture's short date."""

    MDY = "mdy"  # 11/3/2026 is the third of November
    DMY = "dmy"  # 3/11/2026 is the third of November
    YMD = "ymd"  # 26/11/03 is the third of November


class ClockText(NamedTuple):
    """The time of day as a pattern matched it; None for parts that were not written.

    half: a or p of a twelve-hour clock. zone: `Z` or an offset; None means UTC.
    """

    hour: str | None
    minute: str | None
    second: str | None
    fraction: str | None
    half: str | None
    zone: str | None


_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]{1,9}))?(?:Z|\+00:?00)?"
)
_ISO_OFFSET = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?)?"
    r" ?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_EPOCH = re.compile(r"\\?/Date\((-?[0-9]{1,16})(?:[+-][0-9]{4})?\)\\?/")
# .NET since ICU writes U+202F before AM; \s holds it.
_CLOCK = (
    r"(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-9]{2})(?:[:.](?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?\s?[Mm]\.?)?(?:\s*(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?"
)
_NAMED = re.compile(
    r"(?:(?P<m1>[A-Za-z]{3,9})\.? (?P<d1>[0-9]{1,2})|(?P<d2>[0-9]{1,2}) (?P<m2>[A-Za-z]{3,9})\.?),? "
    r"(?P<year>[0-9]{4}),?\s+" + _CLOCK
)
_CULTURE = re.compile(
    r"(?P<a>[0-9]{1,4})(?P<sep>[./-]) ?(?P<b>[0-9]{1,2})(?P=sep) ?(?P<c>[0-9]{4}|[0-9]{1,2})(?:\.?,?[T\s]\s*"
    + _CLOCK
    + ")?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def _real_day(iso: str) -> bool:
    """Whether `YYYY-MM-DD` is a day of the calendar between 2000 and 2100."""
    try:
        return _EARLIEST <= datetime.strptime(iso, "%Y-%m-%d").replace(tzinfo=UTC).year <= _LATEST
    except ValueError:
        return False


def read_timestamp(text: str, order: DateOrder | None = None) -> str:
    """UTC as `YYYY-MM-DD HH:MM:SS.ffffff`; fractions beyond a microsecond are cut off, not rounded.

    Raises AmbiguousDateError where only a stated `order` makes it a date, DateError where it is none.
    """
    match = _ISO.fullmatch(text)  # the common case, and the fast one
    if match is None:
        return _written(_instant(text.strip(), order))
    day, clock, fraction = match.groups()
    if not _real_day(day):
        raise DateError(f"{text!r} is no possible date")
    return f"{day} {clock}.{(fraction or '')[:6]:0<6}"


def _written(moment: datetime) -> str:
    if not _EARLIEST <= moment.year <= _LATEST:
        raise DateError(f"the year {moment.year}: mail is from {_EARLIEST} to {_LATEST}")
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _instant(text: str, order: DateOrder | None) -> datetime:
    if len(text) > _MAX_TEXT:
        raise DateError(f"{text[:_MAX_TEXT]!r}... is no date")
    if match := _ISO_OFFSET.fullmatch(text):
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        return assemble(int(year), int(month), int(day), ClockText(hour, minute, second, fraction, None, zone))
    if match := _EPOCH.fullmatch(text):
        try:
            return _UNIX + timedelta(milliseconds=int(match[1]))
        except OverflowError as error:
            raise DateError(f"{text!r} is no possible date") from error
    if match := _NAMED.fullmatch(text):
        return _with_clock(
            match, int(match["year"]), month_number(match["m1"] or match["m2"]), int(match["d1"] or match["d2"])
        )
    if match := _CULTURE.fullmatch(text):
        return _culture(match, order)
    raise DateError(f"{text!r} is no date" if text else "no date")


def month_number(name: str) -> int:
    """1 to 12 of an English month name or its abbreviation. Raises DateError."""
    if name[:3].lower() not in _MONTHS:
        raise DateError(f"{name!r} is no English month")
    return _MONTHS.index(name[:3].lower()) + 1


def assemble(year: int, month: int, day: int, clock: ClockText) -> datetime:
    """A UTC moment out of what a pattern matched. Raises DateError where there is no such moment."""
    hours = int(clock.hour or 0)
    if clock.half:
        if not 1 <= hours <= 12:
            raise DateError(f"hour {hours} of a half day")
        hours = hours % 12 + (12 if clock.half in "Pp" else 0)
    try:
        micros = int(f"{(clock.fraction or '')[:6]:0<6}")
        local = datetime(year, month, day, hours, int(clock.minute or 0), int(clock.second or 0), micros, tzinfo=UTC)
        return local - _offset(clock.zone)
    except (ValueError, OverflowError) as error:
        raise DateError(f"no possible date: {error}") from error


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone[0] not in "+-":
        return timedelta(0)
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    if size > timedelta(hours=14):
        raise ValueError(f"an offset of {zone}")
    return -size if zone[0] == "-" else size


def _with_clock(match: re.Match[str], year: int, month: int, day: int) -> datetime:
    return assemble(year, month, day, ClockText(*(match[name] for name in ClockText._fields)))


def _culture(match: re.Match[str], order: DateOrder | None) -> datetime:
    """A short date. Dotted is day-first in every culture of .NET, four digits first is year-first."""
    a, b, c = match["a"], match["b"], match["c"]
    if len(a) == 4:
        order = DateOrder.YMD
    elif len(a) == 3 or len(c) == 1:
        raise DateError(f"{match[0]!r} is no date")
    elif match["sep"] == ".":
        order = DateOrder.DMY
    elif order is None:
        raise AmbiguousDateError(f"{match[0]!r}: day and month cannot be told apart")
    year, month, day = {
        DateOrder.YMD: (a, b, c),
        DateOrder.MDY: (c, a, b),
        DateOrder.DMY: (c, b, a),
    }[order]
    return _with_clock(match, int(year) + (2000 if len(year) == 2 else 0), int(month), int(day))


def possible_orders(text: str) -> frozenset[DateOrder]:
    """The orders under which a culture-shaped date is a date; empty where the text does not depend on the order."""
    match = _CULTURE.fullmatch(text.strip()) if len(text) <= _MAX_TEXT else None
    if match is None or len(match["a"]) > 2 or len(match["c"]) == 1 or match["sep"] == ".":
        return frozenset()
    candidates = [DateOrder.MDY, DateOrder.DMY] + ([DateOrder.YMD] if len(match["c"]) == 2 else [])
    return frozenset(order for order in candidates if _is_date(match, order))


def _is_date(match: re.Match[str], order: DateOrder) -> bool:
    try:
        _culture(match, order)
    except DateError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Proof:
    """What a file's dates say of their order: the `orders` that fit them all.

    `example` is the first date that needs an order; `witnesses` those that ruled an order out. No orders are left
    where one date proves month-first and another day-first.
    """

    orders: frozenset[DateOrder]
    example: str
    witnesses: tuple[str, ...]


def prove_order(texts: Iterable[str]) -> Proof:
    """Look at every culture-shaped date; impossible ones prove nothing (their rows are rejected one by one)."""
    orders, example, witnesses = frozenset(DateOrder), "", []
    seen: set[str] = set()  # a day that has spoken once has nothing to add, and most rows share a few days
    for text in texts:
        day = text.partition(" ")[0]
        if day in seen or not (possible := possible_orders(text)):
            continue
        seen.add(day)
        example = example or text
        if not orders <= possible:
            orders &= possible
            witnesses.append(text)
        if not orders:
            break
    return Proof(orders, example, tuple(witnesses))
