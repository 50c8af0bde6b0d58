"""The dates of one file: read as they come, and scanned as a whole where their order has to be proven."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from sidedoor.errors import InputError
from sidedoor.evidence.date_format import DatePattern, parse_date_format
from sidedoor.evidence.dates import AmbiguousDateError, DateError, DateOrder, prove_order, read_timestamp
from sidedoor.evidence.values import RowError


class Clock:
    """Reads the dates of the file at `path`. `all_dates` goes through the file once more, for the proof."""

    def __init__(self, path: Path, date_format: str | None, all_dates: Callable[[], Iterable[str]]) -> None:
        self._path, self._all_dates = path, all_dates
        stated = parse_date_format(date_format) if date_format else None
        self.pattern = stated if isinstance(stated, DatePattern) else None
        self.order: DateOrder | None = stated if isinstance(stated, DateOrder) else None

    def read(self, text: str) -> str:
        """UTC as Record wants it. Raises RowError for no date, InputError where the file's dates are ambiguous."""
        try:
            return read_timestamp(text, self.order)
        except AmbiguousDateError:
            return self._read_ambiguous(text)
        except DateError as error:
            return self._read_stated(text, error)

    def _read_ambiguous(self, text: str) -> str:
        if self.pattern is not None:
            return self._read_stated(text, None)
        self.order = self.prove()
        try:
            return read_timestamp(text, self.order)
        except DateError as error:
            raise RowError(str(error)) from error

    def _read_stated(self, text: str, first: DateError | None) -> str:
        """A date that only the stated pattern explains."""
        if self.pattern is None:
            raise RowError(str(first)) from first
        try:
            return read_timestamp(self.pattern.read(text).isoformat(timespec="microseconds"))
        except DateError as error:
            raise RowError(str(error)) from error

    def prove(self) -> DateOrder:
        """The order of day and month that the file's own dates prove. Raises InputError where they do not."""
        proof = prove_order(self._all_dates())
        if len(proof.orders) == 1:
            return next(iter(proof.orders))
        if not proof.orders:
            one, other = proof.witnesses[0], proof.witnesses[-1]
            raise InputError(
                str(self._path), f"dates of two orders, {one!r} and {other!r}", "one order of day and month throughout"
            )
        raise InputError(
            str(self._path),
            f"dates such as {proof.example!r}, in which day and month cannot be told apart",
            "the order to be stated: add --date-format en-US (month first) or --date-format en-GB (day first)",
        )
