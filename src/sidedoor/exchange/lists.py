"""Message trace lists of one window, page by page: how to go on, which rows have been here before, when it is over.

Get-MessageTraceV2 has no pages. A full answer ends somewhere in a crowd of rows of one instant, and the next query,
by the last row's time *and* recipient, gives some of them again. Graph has pages whose links may end, or lead in a
circle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Protocol

from sidedoor.exchange.graph import PAGE, Graph
from sidedoor.exchange.invoke import Exchange
from sidedoor.exchange.pacing import Pacer
from sidedoor.exchange.windows import Window, iso, ticks, ticks_of
from sidedoor.exchange.wire import RefusedError, Row, text_of
from sidedoor.exchange.work import RECENT, Cursor, Line, Step

_MOST_EMPTY = 200


@dataclass(frozen=True, slots=True)
class Position:
    """Where a listing stands. end, recipient: of the last row, as it was written; "" at the start. link: Graph's."""

    end: str = ""
    recipient: str = ""
    link: str = ""
    empty: int = 0  # pages in a row that brought nothing new

    def cursor(self) -> Cursor:
        """For the state file."""
        return {"end": self.end, "recipient": self.recipient, "link": self.link, "empty": self.empty}

    @staticmethod
    def of(cursor: Cursor) -> Position:
        """From the state file."""
        empty = cursor.get("empty")
        end, recipient, link = (str(cursor.get(name) or "") for name in ("end", "recipient", "link"))
        return Position(end, recipient, link, empty if isinstance(empty, int) else 0)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. more: the service says that there are more rows. full: as many as it gives at most."""

    rows: Sequence[Row]
    more: bool
    full: bool
    link: str = ""
    told: Sequence[str] = ()


class Lister(Protocol):
    """A source of message traces."""

    @property
    def columns(self) -> Line:
        """Names of the cells that are kept; the subject is not among them, because nothing needs it."""

    @property
    def time(self) -> str:
        """The column of the time."""

    @property
    def recipient(self) -> str:
        """The column of the recipient."""

    def page(self, window: Window, at: Position) -> Page:
        """One request. Raises RefusedError, UnreachableError."""


@dataclass(frozen=True, slots=True)
class V2Lister:
    """Get-MessageTraceV2."""

    exchange: Exchange
    pacer: Pacer
    columns: Line = (
        "MessageTraceId", "MessageId", "Received", "SenderAddress", "RecipientAddress", "FromIP", "ToIP", "Status",
        "Size",
    )  # fmt: skip
    time: str = "Received"
    recipient: str = "RecipientAddress"

    def page(self, window: Window, at: Position) -> Page:
        """5,000 rows at most; the only sign of a cut answer is a warning."""
        parameters: dict[str, object] = {
            "StartDate": iso(window.start), "EndDate": at.end or iso(window.end), "ResultSize": PAGE,
        }  # fmt: skip
        if at.end:
            # One of the two alone goes round for ever.
            parameters["StartingRecipientAddress"] = at.recipient
        found = self.exchange.run("Get-MessageTraceV2", parameters, pacer=self.pacer, page=PAGE)
        more = bool(found.cut) or any("more results" in each.lower() for each in found.warnings)
        told = [each for each in found.warnings if "more results" not in each.lower()]
        return Page(found.rows, more, len(found.rows) >= PAGE, told=[*told, *([found.cut] if found.cut else [])])


@dataclass(frozen=True, slots=True)
class GraphLister:
    """Graph's messageTraces."""

    graph: Graph
    pacer: Pacer
    columns: Line = (
        "id", "messageId", "receivedDateTime", "senderAddress", "recipientAddress", "fromIP", "toIP", "status", "size",
    )  # fmt: skip
    time: str = "receivedDateTime"
    recipient: str = "recipientAddress"

    def page(self, window: Window, at: Position) -> Page:
        """By link where there is one; a link that has ended is asked again by time."""
        start, end = iso(window.start), at.end or iso(window.end)
        told = []
        try:
            found = self.graph.traces(start, end, at.link, self.pacer)
        except RefusedError as error:
            if not at.link:
                raise
            told.append(f"a next page is refused ({error}); asked again by time")
            found = self.graph.traces(start, end, "", self.pacer)
        return Page(found.rows, bool(found.link), len(found.rows) >= PAGE, found.link, told)


@dataclass(slots=True)
class ListWork:
    """The traces of one window into one CSV file."""

    lister: Lister
    window: Window
    name: str
    _seen: set[bytes] = field(default_factory=set)
    _order: deque[bytes] = field(default_factory=deque)

    @property
    def header(self) -> Line:
        """As Export-Csv writes them."""
        return self.lister.columns

    def start(self) -> Cursor:
        """At the end of the window."""
        return Position().cursor()

    def resume(self, lines: Sequence[Line]) -> None:
        """What has been kept of the last pages is known again."""
        for line in lines:
            self._new(line)

    def step(self, cursor: Cursor) -> Step:
        """One page."""
        at = Position.of(cursor)
        page = self.lister.page(self.window, at)
        ours = [row for row in page.rows if self.window.holds(text_of(row, self.lister.time))]
        lines = [line for row in ours if self._new(line := self._line(row))]
        after, missing = self._after(at, page, ours, new=bool(lines))
        return Step(lines, after, missing, _oddities(page, ours, self.lister.time))

    def _line(self, row: Row) -> Line:
        return tuple(text_of(row, name) for name in self.lister.columns)

    def _new(self, line: Line) -> bool:
        """Whether a row is not one of the last pages' again. Rows that differ in anything are different rows."""
        digest = blake2b("\0".join(line).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        self._order.append(digest)
        if len(self._order) > RECENT:
            self._seen.discard(self._order.popleft())
        return True

    def _after(self, at: Position, page: Page, ours: Sequence[Row], *, new: bool) -> tuple[Cursor | None, list[str]]:
        """Where to go on; None with what is missing where the service does not get any further."""
        if not (page.more or page.full) or self._is_past(page.rows):
            return None, []
        if new:
            end, recipient = self._last(page.rows) or (at.end, at.recipient)
            return Position(end, recipient, page.link).cursor(), []
        if not ours and page.link not in {"", at.link} and at.empty < _MOST_EMPTY:
            # An empty page may stand between others, and one of another time where the filter is ignored.
            return Position(at.end, at.recipient, page.link, at.empty + 1).cursor(), []
        if at.link:
            return Position(at.end, at.recipient).cursor(), []  # its links lead nowhere: by time once more
        return None, [self._stuck(at, len(page.rows) - len(ours))]

    def _is_past(self, rows: Sequence[Row]) -> bool:
        """Whether a page ends before the window begins: rows come newest first."""
        last = ticks(text_of(rows[-1], self.lister.time)) if rows else None
        return last is not None and last < ticks_of(self.window.start) and _sorted(rows, self.lister.time)

    def _last(self, rows: Sequence[Row]) -> tuple[str, str] | None:
        """Time and recipient of the oldest row, which is the last one unless the service did not sort."""
        timed = [(found, number) for number, row in enumerate(rows) if (found := ticks(text_of(row, self.lister.time)))]
        if not timed:
            return None
        oldest = min(found for found, _ in timed)
        row = rows[max(number for found, number in timed if found == oldest)]
        return text_of(row, self.lister.time), text_of(row, self.lister.recipient)

    def _stuck(self, at: Position, outside: int) -> str:
        where = at.end or iso(self.window.end)
        why = f"; {outside} rows were of other times, as if it ignored the filter" if outside else ""
        return (
            f"messages before {where}, back to {iso(self.window.start)}: the service says there are more and gives "
            f"the same again{why}"
        )


def _oddities(page: Page, ours: Sequence[Row], time: str) -> list[str]:
    told = list(page.told)
    if len(ours) < len(page.rows):
        told.append(f"{len(page.rows) - len(ours)} rows of other times were left out: the service ignored its filter")
    if not _sorted(ours, time):
        told.append("a page was not sorted by time")
    return told


def _sorted(rows: Iterable[Mapping[str, object]], time: str) -> bool:
    times = [found for row in rows if (found := ticks(text_of(row, time))) is not None]
    return all(earlier >= later for earlier, later in pairwise(times))
