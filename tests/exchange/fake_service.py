"""Get-MessageTraceV2 and the settings as the service answers them, with a list of faults and a clock of its own."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from sidedoor.exchange.windows import iso

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAGE = 5_000
THROTTLED, REFUSED = 429, 401


@dataclass
class FakeClock:
    """Hours pass at once."""

    at: datetime = NOW
    slept: float = 0.0

    def now(self) -> datetime:
        return self.at

    def steady(self) -> float:
        return (self.at - NOW).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.slept += seconds


@dataclass
class FakeTokens:
    """Counts how often a fresh token was asked for."""

    fresh: int = 0

    def token(self, scope: str, *, fresh: bool = False) -> str:
        self.fresh += fresh
        return f"SECRET-{self.fresh}"

    def anchor(self) -> str:
        return "APP:x@contoso.example"


Fault = Callable[[httpx.Request], httpx.Response]


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    return lambda _: httpx.Response(code, content=body, headers=headers)


def cut(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("cut off", request=request)


FAULTS: dict[str, Fault] = {
    "429": status(THROTTLED, b"{}", **{"Retry-After": "30"}),
    "429 without a time": status(THROTTLED, b"{}"),
    "token ended": status(REFUSED, b"{}"),
    "200 of NUL bytes": status(200, b"\0" * 100),
    "half an answer": status(200, b'{"value": [{"a'),
    "500": status(500, b"oops"),
    "503": status(503, b""),
    "cut": cut,
    "throttled by words": status(400, json.dumps({"error": {"message": "You surpassed the permitted limit"}}).encode()),
}


@dataclass
class Service:
    """Messages, newest first; `faults` are shown once each, in order, before true answers."""

    count: int
    clock: FakeClock
    faults: Iterable[str] = ()
    crowd: int = 1  # so many messages of one instant
    times: deque[float] = field(default_factory=deque)
    most: int = 0
    rows: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._faults = deque(self.faults)
        start = NOW - timedelta(days=5)
        self.rows = [
            {
                "MessageTraceId": f"{number:08x}-0000-0000-0000-000000000000",
                "MessageId": f"<{number}@x>",
                "Received": iso(start - timedelta(milliseconds=number // self.crowd * 37)),
                "SenderAddress": f"a{number % 3}@contoso.example",
                "RecipientAddress": f"u{number % self.crowd:05d}@contoso.example",
                "FromIP": f"203.0.113.{number % 7}",
                "ToIP": None,
                "Status": "Delivered",
                "Size": number,
            }
            for number in range(self.count)
        ]
        self._upward = self.rows[::-1]
        self._times = [row["Received"] for row in self._upward]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """httpx's mock transport asks this."""
        wanted = json.loads(request.content)["CmdletInput"]
        cmdlet, given = wanted["CmdletName"], wanted["Parameters"]
        if cmdlet.startswith("Get-MessageTrace"):
            self._counted()
        if self._faults and cmdlet == "Get-MessageTraceV2":
            return FAULTS[self._faults.popleft()](request)
        if cmdlet == "Get-MessageTraceV2":
            return self._page(given)
        return httpx.Response(200, json={"value": SETTINGS.get(cmdlet, [])})

    def _counted(self) -> None:
        """Requests within five minutes, as the service counts them."""
        now = self.clock.steady()
        self.times.append(now)
        while self.times and now - self.times[0] >= 300:
            self.times.popleft()
        self.most = max(self.most, len(self.times))

    def _page(self, given: dict[str, Any]) -> httpx.Response:
        """Rows of the window; the boundary's instant again from the starting recipient on."""
        end, first = given["EndDate"], given.get("StartingRecipientAddress")
        low, high = bisect_left(self._times, given["StartDate"]), bisect_right(self._times, end)
        found = self._upward[max(low, high - PAGE - self.crowd - 1) : high][::-1]
        if first is not None:
            found = [row for row in found if row["Received"] < end or row["RecipientAddress"] >= first]
        more = ["There are more results, use the following command to get more."] if len(found) > PAGE else []
        return httpx.Response(200, json={"value": found[:PAGE], "@adminapi.warnings": more})


SETTINGS: dict[str, list[dict[str, Any]]] = {
    "Get-OrganizationConfig": [{"Name": "contoso.onmicrosoft.com", "IsMixedMode": False, "RejectDirectSend": False}],
    "Get-AcceptedDomain": [
        {"DomainName": "contoso.example", "Name": "contoso.example", "DomainType": "Authoritative",
         "MatchSubDomains": False, "Default": True, "InitialDomain": False}
    ],
    "Get-HostedConnectionFilterPolicy": [
        {"Name": "Default", "IsDefault": True, "IPAllowList": [], "IPBlockList": [], "EnableSafeList": False}
    ],
}  # fmt: skip
