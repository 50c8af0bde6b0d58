"""Faults on order: what the service does on bad days, for those who test a client. Each is used in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path

from sidedoor.errors import InputError

_MOST_OCTETS = 1 << 20


class FaultKind(Enum):
    """What happens instead of, or to, an answer."""

    THROTTLED = "throttled"  # 429 with Retry-After
    UNAUTHORIZED = "unauthorized"  # 401: the token has ended; with `page`, between two pages
    NOT_PROVISIONED = "not-provisioned"  # 401: Graph's message traces are not set up in the tenant yet
    FORBIDDEN = "forbidden"  # 403 with a body of NUL bytes; JSON in Graph
    REDIRECTED = "redirected"  # 302 to another region: the same server by another name, or `location`
    BROKEN = "broken"  # 500
    UNAVAILABLE = "unavailable"  # 503 with Retry-After
    NULS = "nuls"  # 200 with a body of NUL bytes
    EXPIRED = "expired"  # 400: the server has forgotten the page
    CUT = "cut"  # the connection ends within the body
    DOUBLED = "doubled"  # the last row stands twice
    SHORT = "short"  # a row is missing at the end and nothing says so
    LYING_LINK = "lying-link"  # a next link where there is nothing more: to the same page again, or to `location`
    UNFILTERED = "unfiltered"  # message traces: what was asked for is ignored without an error


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    cmdlet: "" for any; Graph's requests are called messageTraces and getDetailsByRecipient. after: answers of that
    kind that go well before it. times: how often. page: at further pages only. seconds: of Retry-After.
    location: where to, for those that lead elsewhere.
    """

    kind: FaultKind
    cmdlet: str = ""
    after: int = 0
    seconds: int = 1
    location: str = ""
    times: int = 1
    page: bool = False


@dataclass(slots=True)
class _Waiting:
    fault: Fault
    after: int = field(init=False)
    times: int = field(init=False)

    def __post_init__(self) -> None:
        self.after, self.times = self.fault.after, self.fault.times


class Faults:
    """A list of faults that are still to come."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._waiting = [_Waiting(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """One more, behind the others."""
        self._waiting.append(_Waiting(fault))

    def next(self, cmdlet: str, *, page: bool = False) -> Fault | None:
        """The fault for this request, taken off the list."""
        for waiting in self._waiting:
            fault = waiting.fault
            if fault.cmdlet.casefold() not in {"", cmdlet.casefold()} or (fault.page and not page):
                continue
            if waiting.after:
                waiting.after -= 1
                continue
            waiting.times -= 1
            if waiting.times <= 0:
                self._waiting.remove(waiting)
            return fault
        return None


def read_faults(path: Path) -> list[Fault]:
    """A JSON array of objects with the fields of `Fault`. Raises InputError."""
    kinds = ", ".join(kind.value for kind in FaultKind)
    expected = f"an array of objects with kind: {kinds}"
    try:
        with path.open("rb") as stream:
            given = json.loads(stream.read(_MOST_OCTETS))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), f"no list of faults ({error})", expected) from error
    if not isinstance(given, list):
        raise InputError(str(path), "no list", expected)
    return [_fault(path, number, each, expected) for number, each in enumerate(given, start=1)]


def _fault(path: Path, number: int, given: object, expected: str) -> Fault:
    known = {each.name: type(each.default) for each in fields(Fault) if each.name != "kind"}
    try:
        assert isinstance(given, Mapping), "no object"
        rest = {name: value for name, value in given.items() if name != "kind"}
        wrong = [name for name, value in rest.items() if type(value) is not known.get(name)]
        wrong += [name for name, value in rest.items() if isinstance(value, int) and value < 0]
        assert not wrong, f"not as it should be: {', '.join(wrong)}"
        return Fault(FaultKind(given.get("kind")), **rest)
    except (AssertionError, ValueError) as error:
        raise InputError(str(path), f"number {number}: {error}", expected) from error
