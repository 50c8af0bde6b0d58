"""The timeline as geometry: days gathered into bars, bars into rectangles of an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sidedoor.audit.model import DayCount
from sidedoor.report.words import count, day

MAX_BARS = 92  # a quarter, which is what Exchange Online keeps, shown day by day
_LEAST = 3.0  # pixels: a single spoofed message must be seen beside thousands of scans
_KINDS = ("legitimate", "unclear", "spoofing")  # bottom to top


@dataclass(frozen=True, slots=True)
class Bar:
    """Direct Send of one or several days."""

    first: date
    last: date
    legitimate: int
    spoofing: int
    unclear: int

    @property
    def total(self) -> int:
        return self.legitimate + self.spoofing + self.unclear

    @property
    def label(self) -> str:
        """`3 Nov 2026` or `3 Nov 2026 to 9 Nov 2026`."""
        return day(self.first) if self.first == self.last else f"{day(self.first)} to {day(self.last)}"

    @property
    def text(self) -> str:
        """The whole bar in words."""
        parts = f"{self.legitimate:,} legitimate, {self.unclear:,} unclear, {self.spoofing:,} spoofing"
        return f"{self.label}: {count(self.total, 'message')} ({parts})"


@dataclass(frozen=True, slots=True)
class Block:
    """One rectangle; `kind` is an assessment."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One bar as drawn: its words and its rectangles."""

    text: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale or a date below it, at `position` pixels."""

    position: float
    label: str
    anchor: str = "end"


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing `width` by `height` pixels; the plot's left, right, top and bottom edges; all in SVG coordinates."""

    id: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    columns: tuple[Column, ...]
    scale: tuple[Tick, ...]
    dates: tuple[Tick, ...]


def gather(days: Sequence[DayCount]) -> tuple[Bar, ...]:
    """Bars from the first day to the last, empty ones included, at most MAX_BARS; () without days."""
    if not days:
        return ()
    first, last = min(item.day for item in days), max(item.day for item in days)
    step = -(-((last - first).days + 1) // MAX_BARS)
    sums = [[0, 0, 0] for _ in range((last - first).days // step + 1)]
    for item in days:
        bar = sums[(item.day - first).days // step]
        bar[0] += item.legitimate
        bar[1] += item.spoofing
        bar[2] += item.unclear
    return tuple(_bar(first, last, step, index, counts) for index, counts in enumerate(sums))


def _bar(first: date, last: date, step: int, index: int, counts: Sequence[int]) -> Bar:
    start = first + timedelta(days=index * step)
    end = last if (last - start).days < step else start + timedelta(days=step - 1)
    return Bar(start, end, counts[0], counts[1], counts[2])


def chart(bars: Sequence[Bar], id_: str, width: int, height: int) -> Chart:
    """Draw bars into `width` by `height` pixels."""
    top_value = nice(max((bar.total for bar in bars), default=0))
    left, right, top, bottom = 14 + 8 * len(f"{top_value:,}"), width - 8, 12, height - 28
    slot = (right - left) / max(len(bars), 1)
    pixels = (bottom - top) / top_value
    columns = tuple(_column(bar, left + index * slot, slot, bottom, pixels) for index, bar in enumerate(bars))
    scale = tuple(
        Tick(round(bottom - value * pixels, 1), f"{value:,}") for value in sorted({0, top_value // 2, top_value})
    )
    return Chart(id_, width, height, left, right, top, bottom, columns, scale, _dates(bars, left, slot, width))


def nice(value: int) -> int:
    """The smallest of 2, 4, 10, 20, 40, 50 (times a power of ten) that is not below `value`; its half is whole."""
    power = 1
    while True:
        for step in (2, 4, 10):
            if value <= step * power:
                return step * power
        power *= 10


def _column(bar: Bar, x: float, slot: float, bottom: float, pixels: float) -> Column:
    gap = min(slot * 0.25, 4.0)
    blocks: list[Block] = []
    base = bottom
    for kind in _KINDS:
        value: int = getattr(bar, kind)
        if value:
            tall = max(value * pixels, _LEAST)
            base -= tall
            blocks.append(Block(kind, round(x + gap / 2, 1), round(base, 1), round(slot - gap, 1), round(tall, 1)))
    return Column(bar.text, tuple(blocks))


def _dates(bars: Sequence[Bar], left: float, slot: float, width: int) -> tuple[Tick, ...]:
    """A date below the first bar, the last one and, where there is room, those between."""
    if not bars:
        return ()
    wanted = max(2, width // 190)
    last = len(bars) - 1
    indexes = sorted({round(last * part / (wanted - 1)) for part in range(wanted)})
    ticks = []
    for index in indexes:
        anchor = "middle" if 0 < index < last else "start" if index == 0 else "end"
        offset = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        ticks.append(Tick(round(left + (index + offset) * slot, 1), day(bars[index].first), anchor))
    return tuple(ticks)
