"""Rows that are fetched page by page: they wait for their client for 30 minutes, and not beyond a bound."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sidedoor.edge.admin.errors import CmdletError
from sidedoor.edge.admin.export_file import Row

_LIFE = timedelta(minutes=30)
_MOST_WAITING, _MOST_ROWS = 1_000, 200_000
_EXPIRED = "Expired or invalid pagination request. Default expiry time is 30 minutes."


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of an answer: `rows` from `at` on."""

    cmdlet: str
    rows: Sequence[Row]
    at: int
    until: datetime


class Pages:
    """`keep` gives a token, `get` what it stands for; the oldest make room."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._waiting: dict[str, Rest] = {}

    def keep(self, cmdlet: str, rows: Sequence[Row], at: int) -> str:
        """A token for the rows from `at` on."""
        token = secrets.token_hex(16)
        self._waiting[token] = Rest(cmdlet, rows, at, self._now() + _LIFE)
        held = sum(len(rest.rows) - rest.at for rest in self._waiting.values())
        for old, rest in list(self._waiting.items()):
            if old != token and (len(self._waiting) > _MOST_WAITING or held > _MOST_ROWS or rest.until <= self._now()):
                held -= len(rest.rows) - rest.at
                del self._waiting[old]
        return token

    def get(self, token: str) -> Rest:
        """The rest, as often as it is asked for. Raises CmdletError where it has ended."""
        rest = self._waiting.get(token)
        if rest is None or rest.until <= self._now():
            raise CmdletError(_EXPIRED)
        return rest
