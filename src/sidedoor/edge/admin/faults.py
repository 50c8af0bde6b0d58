"""Faults on order: what the service does on bad days, for those who test a client. Each is used once, in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sidedoor.errors import InputError


class FaultKind(Enum):
    """What happens instead of, or to, an answer."""

    THROTTLED = "throttled"  # 429 with Retry-After
    UNAUTHORIZED = "unauthorized"  # 401: the token has ended
    FORBIDDEN = "forbidden"  # 403 with a body of NUL bytes
    REDIRECTED = "redirected"  # 302 to another region
    BROKEN = "broken"  # 500
    UNAVAILABLE = "unavailable"  # 503 with Retry-After
    CUT = "cut"  # the connection ends within the body
    DOUBLED = "doubled"  # the last row stands twice
    SHORT = "short"  # a row is missing at the end and nothing says so
    NULS = "nuls"  # 200 with a body of NUL bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """`cmdlet` "" for any. after: answers of that cmdlet that go well before it. seconds: of Retry-After."""

    kind: FaultKind
    cmdlet: str = ""
    after: int = 0
    seconds: int = 1
    location: str = ""


class Faults:
    """A list of faults that are still to come."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._waiting = [[fault.after, fault] for fault in faults]

    def next(self, cmdlet: str) -> Fault | None:
        """The fault for this request, taken off the list."""
        for waiting in self._waiting:
            left, fault = waiting
            assert isinstance(fault, Fault)
            assert isinstance(left, int)
            if fault.cmdlet.casefold() in {"", cmdlet.casefold()}:
                if left == 0:
                    self._waiting.remove(waiting)
                    return fault
                waiting[0] = left - 1
        return None


def read_faults(path: Path) -> list[Fault]:
    """A JSON array of objects with kind, cmdlet, after, seconds, location. Raises InputError."""
    try:
        given = json.loads(path.read_bytes()[: 1 << 20])
        faults = [Fault(FaultKind(each.pop("kind")), **each) for each in given]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            str(path),
            f"no list of faults ({error})",
            f"objects with kind: {', '.join(kind.value for kind in FaultKind)}",
        ) from error
    if not isinstance(given, list):
        raise InputError(str(path), "no list", "an array of objects with kind")
    return faults
