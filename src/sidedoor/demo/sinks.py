"""Writers that take the history one message at a time, each in the bytes its format comes in."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from sidedoor.demo.broken import Broken
from sidedoor.demo.message import Message

_PAGE = 5000  # rows Get-MessageTraceV2 gives at once; the last of a page is the first of the next
_GRAPH_PAGE = 500


class Sink(Protocol):
    """Takes messages, newest first, then `finish`."""

    def add(self, message: Message) -> None:
        """Write one message."""

    def finish(self) -> None:
        """Write what must come last. The file itself is closed by the caller's ExitStack."""


class CsvSink:
    """A CSV, with a row of `broken` after every `gap` messages; `rejected` tells afterwards which rows they are."""

    def __init__(
        self,
        stack: ExitStack,
        path: Path,
        header: Sequence[str],
        rows: Callable[[Message], Iterable[Sequence[str]]],
        *,
        encoding: str,
        broken: Sequence[Broken] = (),
        quoted: bool = False,
        gap: int = 97,
    ) -> None:
        file = stack.enter_context(path.open("w", encoding=encoding, newline=""))
        self._writer = csv.writer(file, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator="\r\n")
        self._writer.writerow(header)
        self._name, self._rows, self._broken, self._gap = path.name, rows, list(broken), gap
        self._messages = self._written = 0
        self.rejected: list[dict[str, object]] = []

    def add(self, message: Message) -> None:
        """Its rows, and a broken row when its turn has come."""
        for row in self._rows(message):
            self._write(row)
        self._messages += 1
        if self._broken and self._messages % self._gap == 0:
            self._write_broken()

    def repeat(self, row: Sequence[str]) -> None:
        """The row once more, as at the border of two pages."""
        self._write(row)

    def finish(self) -> None:
        """The broken rows that a short history had no room for."""
        while self._broken:
            self._write_broken()

    def _write(self, row: Sequence[str]) -> None:
        self._writer.writerow(row)
        self._written += 1

    def _write_broken(self) -> None:
        broken = self._broken.pop(0)
        self._write(broken.cells)
        self.rejected.append({"file": self._name, "row": self._written, "why": broken.why})


class PagedSink:
    """Pages of Get-MessageTraceV2 joined into one CSV: the row at each border stands twice."""

    def __init__(self, inner: CsvSink, row: Callable[[Message], Sequence[str]]) -> None:
        self._inner, self._row, self._messages = inner, row, 0

    def add(self, message: Message) -> None:
        """The message, twice where a page ends with it."""
        self._inner.add(message)
        self._messages += 1
        if self._messages % _PAGE == 0:
            self._inner.repeat(self._row(message))

    def finish(self) -> None:
        """Nothing of its own."""
        self._inner.finish()


class GraphSink:
    """Graph's messageTraces in files of a page each: a page but the last has a nextLink."""

    def __init__(self, folder: Path, row: Callable[[Message], dict[str, object]]) -> None:
        self._folder, self._row, self._page = folder, row, 1
        self._rows: list[dict[str, object]] = []

    def add(self, message: Message) -> None:
        """Keep the message, and write the page before it once that is full."""
        if len(self._rows) == _GRAPH_PAGE:
            self._write({"@odata.nextLink": "https://graph.microsoft.com/v1.0/next"})
        self._rows.append(self._row(message))

    def finish(self) -> None:
        """The last page."""
        self._write({})

    def _write(self, link: dict[str, object]) -> None:
        context = {"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#admin/exchange/tracing/messageTraces"}
        text = json.dumps({**context, **link, "value": self._rows}, indent=1)
        (self._folder / f"graph_page{self._page}.json").write_text(text, encoding="utf-8")
        self._page, self._rows = self._page + 1, []


class JsonSink:
    """A JSON array of a few objects, as ConvertTo-Json writes it."""

    def __init__(self, path: Path, row: Callable[[Message], dict[str, str]]) -> None:
        self._path, self._row = path, row
        self._rows: list[dict[str, str]] = []

    def add(self, message: Message) -> None:
        """Keep it for the end."""
        self._rows.append(self._row(message))

    def finish(self) -> None:
        """Write the array."""
        self._path.write_text(json.dumps(self._rows, indent=1), encoding="utf-8")
