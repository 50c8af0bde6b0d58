"""Lists of message traces: rows of one window, newest first, a step a page; nothing lost, nothing twice.

Get-MessageTraceV2 has no pages. A full answer ends somewhere in a crowd of rows of one instant, and the next query,
by the last row's time *and* recipient, gives some of them again. Graph has pages whose links may end, or lead in a
circle. Nobody's word that there are no more rows is taken: a window ends when a query from its last row brings none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from itertools import pairwise
from typing import Protocol

from sidedoor.exchange.graph import PAGE, Graph
from sidedoor.exchange.http import BrokenError
from sidedoor.exchange.invoke import Exchange
from sidedoor.exchange.pacing import Pacer
from sidedoor.exchange.windows import Window, iso, iso_of, ticks, ticks_of
from sidedoor.exchange.wire import RefusedError, Row, text_of
from sidedoor.exchange.work import Cursor, Line, Step

_MOST_EMPTY = 200
# "There are more results, use the following command to get more. Get-MessageTraceV2 ..."; the wording is no contract.
_CUT = ("more results", "startingrecipientaddress", "truncat")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a listing stands. end, recipient: of the oldest row, as it was written; "" at the start. link: a next page.

    empty: pages in a row that brought nothing. tried: the link is followed although a query by time brought nothing.
    stepped: `end` is before an instant that holds more rows than can be listed. ended: the service's own word, not yet
    proven, is that there are no more.
    """

    end: str = ""
    recipient: str = ""
    link: str = ""
    empty: int = 0
    tried: bool = False
    stepped: bool = False
    ended: bool = False

    def cursor(self) -> Cursor:
        """For the state file."""
        return asdict(self)

    @staticmethod
    def of(cursor: Cursor) -> Position:
        """From the state file."""
        empty = cursor.get("empty")
        end, recipient, link = (str(cursor.get(name) or "") for name in ("end", "recipient", "link"))
        tried, stepped, ended = (cursor.get(name) is True for name in ("tried", "stepped", "ended"))
        return Position(end, recipient, link, empty if isinstance(empty, int) else 0, tried, stepped, ended)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. cut: the service says that it left rows out. full: as many rows as it gives at most."""

    rows: Sequence[Row]
    cut: bool
    full: bool
    link: str = ""
    told: Sequence[str] = ()


class Lister(Protocol):
    """A source of message traces."""

    @property
    def columns(self) -> Line:
        """Names of the cells that are kept, the message's key first; no subject, because nothing needs it."""

    @property
    def time(self) -> str:
        """The column of the time."""

    @property
    def recipient(self) -> str:
        """The column of the recipient."""

    def page(self, window: Window, at: Position) -> Page:
        """One request; by link where there is one. Raises RefusedError, UnreachableError."""


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
        """5,000 rows at most; the usual sign of a cut answer is a warning, and there is no link."""
        parameters: dict[str, object] = {
            "StartDate": iso(window.start), "EndDate": at.end or iso(window.end), "ResultSize": PAGE,
        }  # fmt: skip
        if at.recipient:
            # One of the two alone goes round for ever.
            parameters["StartingRecipientAddress"] = at.recipient
        found = self.exchange.page("Get-MessageTraceV2", parameters, self.pacer, size=PAGE, link=at.link)
        cut = any(sign in each.lower() for each in found.warnings for sign in _CUT)
        told = [each for each in found.warnings if not any(sign in each.lower() for sign in _CUT)]
        return Page(found.rows, cut, len(found.rows) >= PAGE, found.link, told)


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
        """5,000 rows at most, and a link where there are more."""
        found = self.graph.traces(iso(window.start), at.end or iso(window.end), at.link, self.pacer)
        return Page(found.rows, cut=False, full=len(found.rows) >= PAGE, link=found.link)


@dataclass(slots=True)
class ListWork:
    """The traces of one window into one CSV file. label: what it is, for people.

    What was seen is remembered for the whole window, some 70 bytes a row: a circle of links may be long.
    """

    lister: Lister
    window: Window
    name: str
    label: str = "message traces"
    _seen: set[int] = field(default_factory=set)

    @property
    def header(self) -> Line:
        """As Export-Csv writes them."""
        return self.lister.columns

    def start(self) -> Cursor:
        """At the end of the window."""
        return Position().cursor()

    def resume(self, lines: Iterable[Line]) -> None:
        """What has been kept is known again."""
        for line in lines:
            self._new(line)

    def progress(self, rows: int, cursor: Cursor | None) -> str:
        """How many rows, and back to when: the newest come first."""
        back = "" if cursor is None else f" so far, back to {Position.of(cursor).end or iso(self.window.end)}"
        return f"{self.label}: {rows:,} rows{back}"

    def step(self, cursor: Cursor) -> Step:
        """One page."""
        at = Position.of(cursor)
        page = self._page(at)
        ours = [row for row in page.rows if self.window.holds(text_of(row, self.lister.time))]
        fresh: list[Row] = []
        lines: list[Line] = []
        for row in ours:
            if self._new(line := self._line(row)):
                fresh.append(row)
                lines.append(line)
        after, missing = self._after(at, page, ours, fresh)
        return Step(lines, None if after is None else after.cursor(), missing, self._oddities(page, ours))

    def _page(self, at: Position) -> Page:
        """By link, or, where the link has ended, by time."""
        try:
            return self.lister.page(self.window, at)
        except (RefusedError, BrokenError) as error:
            if not at.link:
                raise
            told = f"a next page is refused ({error}); asked again by time"
        page = self.lister.page(self.window, replace(at, link=""))
        return replace(page, told=[*page.told, told])

    def _line(self, row: Row) -> Line:
        """The cells that are kept. Halves of characters become `?`: no file can hold them."""
        cells = (text_of(row, name) for name in self.lister.columns)
        return tuple(cell if cell.isascii() else cell.encode("utf-8", "replace").decode() for cell in cells)

    def _new(self, line: Line) -> bool:
        """Whether a row is not one that came before: a message is listed once for each recipient.

        What else is in the row does not count. A row of the boundary comes again with another status, if it has been
        delivered meanwhile.
        """
        key, recipient = line[0].lower(), line[self.lister.columns.index(self.lister.recipient)].lower()
        told = (key, recipient) if key else line
        digest = int.from_bytes(blake2b("\0".join(told).encode(), digest_size=8).digest())
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True

    def _after(
        self, at: Position, page: Page, ours: Sequence[Row], fresh: Sequence[Row]
    ) -> tuple[Position | None, Sequence[str]]:
        """Where to go on; None where the window is done, or with what is missing where it goes no further."""
        if fresh:
            return self._onward(at, page, fresh)
        if page.link not in {"", at.link} and not ours and at.empty < _MOST_EMPTY:
            # An empty page may stand between others, and one of another time where the filter is ignored.
            return replace(at, link=page.link, empty=at.empty + 1), ()
        if at.link and not at.tried:
            return replace(at, link="", empty=0), ()  # its links lead nowhere: by time once more
        return self._doubted(at, page, len(ours))

    def _doubted(self, at: Position, page: Page, ours: int) -> tuple[Position | None, Sequence[str]]:
        """Neither link nor time brings anything new: the end, unless the service says something else."""
        more = page.cut or page.full or at.empty >= _MOST_EMPTY
        # A page that goes on before the window has left nothing of it out; unless those rows are strangers in a page
        # that was cut within an instant: then there are more of that instant than the last row.
        past = self._is_past(page.rows) and not (more and ours > 1)
        if at.ended or past:
            return None, ()  # its word is proven
        if page.link and not at.link:
            return replace(at, link=page.link, tried=True), ()  # by time there is nothing more; it says there is
        return self._stuck(at, page.rows) if more else (None, ())

    def _onward(self, at: Position, page: Page, fresh: Sequence[Row]) -> tuple[Position, Sequence[str]]:
        """From the oldest row on, the one of this page or one before it."""
        end, recipient = self._oldest(fresh) or (at.end, at.recipient)
        known, now = ticks(at.end), ticks(end)
        if known is not None and now is not None and known < now:
            end, recipient = at.end, at.recipient
        missing: list[str] = []
        if not page.link and (page.cut or page.full) and not _sorted(fresh, self.lister.time):
            missing.append(
                f"messages of {iso(self.window.start)} to {at.end or iso(self.window.end)}: a cut answer was not "
                "sorted by time, so what lies between its rows is not known"
            )
        return Position(end, recipient, page.link, ended=not (page.link or page.cut or page.full)), missing

    def _stuck(self, at: Position, rows: Sequence[Row]) -> tuple[Position | None, Sequence[str]]:
        """The service says that there are more rows and gives the same again. Once: step over the instant."""
        where, found, begin = at.end or iso(self.window.end), ticks(at.end), ticks_of(self.window.start)
        end = ticks_of(self.window.end) if found is None else found
        times = [ticks(text_of(row, self.lister.time)) for row in rows]
        outside = sum(time is not None and time > end for time in times)
        if found is not None and not at.stepped and not outside and found > begin:
            why = f"messages of the instant {where}: as many as the service lists, perhaps more"
            return Position(iso_of(found - 1), stepped=True), [why]
        why = f"; {outside} rows were of other times, as if it ignored the filter" if outside else ""
        back = f"messages before {where}, back to {iso(self.window.start)}"
        return None, [f"{back}: the service says there are more and gives the same again{why}"]

    def _oddities(self, page: Page, ours: Sequence[Row]) -> list[str]:
        told, end = list(page.told), ticks_of(self.window.end)
        times = [ticks(text_of(row, self.lister.time)) for row in page.rows]
        # A row at the very end of the window was asked for: it is the next window's.
        if outside := len(page.rows) - len(ours) - times.count(end):
            told.append(f"{outside} rows of other times were left out: the service ignored its filter")
        if not _sorted(ours, self.lister.time):
            told.append("a page was not sorted by time")
        return told

    def _is_past(self, rows: Sequence[Row]) -> bool:
        """Whether a page ends before the window begins: rows come newest first."""
        last = ticks(text_of(rows[-1], self.lister.time)) if rows else None
        return last is not None and last < ticks_of(self.window.start) and _sorted(rows, self.lister.time)

    def _oldest(self, rows: Sequence[Row]) -> tuple[str, str] | None:
        """Time and recipient of the oldest row, which is the last one unless the service did not sort.

        No recipient where those of that instant are not in order: what would come after the last is not known, and by
        the time alone the whole instant comes again.
        """
        timed = [(found, row) for row in rows if (found := ticks(text_of(row, self.lister.time)))]
        if not timed:
            return None
        oldest = min(found for found, _ in timed)
        crowd = [row for found, row in timed if found == oldest]
        recipients = [text_of(row, self.lister.recipient) for row in crowd]
        ordered = all(one.lower() <= other.lower() for one, other in pairwise(recipients))
        return text_of(crowd[-1], self.lister.time), recipients[-1] if ordered else ""


def _sorted(rows: Iterable[Mapping[str, object]], time: str) -> bool:
    times = [found for row in rows if (found := ticks(text_of(row, time))) is not None]
    return all(earlier >= later for earlier, later in pairwise(times))
