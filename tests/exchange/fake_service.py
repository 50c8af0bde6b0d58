"""The trace cmdlets and the settings as the service answers them, with faults, lies and a clock of its own."""

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
    set_back: timedelta = timedelta(0)  # the time of day is wrong by so much; the steady count is not

    def now(self) -> datetime:
        return self.at - self.set_back

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
    "503 with a time": status(503, b"", **{"Retry-After": "7"}),
    "list in place of an object": status(200, b"[]"),
    "error under 200": status(200, b'{"error": {"code": "InternalServerError", "message": "failed late"}}'),
    "rows that are none": status(200, b'{"value": [1, null, "x"]}'),
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
    senders: int = 3
    lie: str = ""  # one of LIES
    page: int = PAGE
    one_recipient: bool = False  # all mail is for one mailbox: a crowd has no order that a query could go on in
    times: deque[float] = field(default_factory=deque)
    most: int = 0
    asked: list[str] = field(default_factory=list)  # messages whose details were asked for
    rows: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._faults = deque(self.faults)
        start = NOW - timedelta(days=5)
        self.rows = [
            {
                "MessageTraceId": f"{number:08x}-0000-0000-0000-000000000000",
                "MessageId": f"<{number}@x>",
                "Received": iso(start - timedelta(milliseconds=number // self.crowd * 37)),
                "SenderAddress": f"a{number % self.senders}@contoso.example",
                "RecipientAddress": f"u{0 if self.one_recipient else number % self.crowd:05d}@contoso.example",
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
            return self._page(request, given)
        if cmdlet == "Get-MessageTraceDetailV2":
            self.asked.append(given["MessageTraceId"])
            return self._details(given)
        return httpx.Response(200, json={"value": SETTINGS.get(cmdlet, [])})

    def _counted(self) -> None:
        """Requests within five minutes, as the service counts them."""
        now = self.clock.steady()
        self.times.append(now)
        while self.times and now - self.times[0] >= 300:
            self.times.popleft()
        self.most = max(self.most, len(self.times))

    def _page(self, request: httpx.Request, given: dict[str, Any]) -> httpx.Response:
        """Rows of the window; the boundary's instant again from the starting recipient on."""
        end, first, lie = given["EndDate"], given.get("StartingRecipientAddress"), self.lie
        low, high = bisect_left(self._times, given["StartDate"]), bisect_right(self._times, end)
        if lie == "start ignored":
            low = 0
        if lie == "filter ignored":
            low, high, first = 0, len(self._times), None
        found = self._upward[max(low, high - self.page - self.crowd - 1) : high][::-1]
        if lie == "ascending":
            found = self._upward[low : min(high, low + self.page + 1)]
        if first is not None:
            found = [row for row in found if row["Received"] < end or row["RecipientAddress"] >= first]
        cut, rows = len(found) > self.page, found[: self.page]
        body: dict[str, Any] = {"value": list(rows), "@adminapi.warnings": [MORE] if cut else []}
        LIES[lie](body, str(request.url), cut)
        return httpx.Response(200, json=body)

    def _details(self, given: dict[str, Any]) -> httpx.Response:
        """What the server's own connector and the envelope were; nothing where a key is not that of a message."""
        row = self.rows[int(given["MessageTraceId"][:8], 16)]
        if row["RecipientAddress"] != given["RecipientAddress"] or "StartDate" not in given:
            return httpx.Response(200, json={"value": []})
        told = {"ConnectorId": "AM9\\Default AM9", "ReturnPath": row["SenderAddress"]}
        parts = [f'<MEP Name="{name}" String="{value}" />' for name, value in told.items()]
        blob = f"S:ProxiedClientIPAddress={row['FromIP']};S:ProxiedClientHostname=x"
        data = f'<root>{"".join(parts)}<MEP Name="CustomData" Blob="{blob}" /></root>'
        event = {
            "MessageTraceId": row["MessageTraceId"], "MessageId": row["MessageId"], "Date": row["Received"],
            "Event": "Receive", "Action": "", "Detail": "Message received by: AM9", "Data": data,
        }  # fmt: skip
        return httpx.Response(200, json={"value": [event]})


MORE = "There are more results, use the following command to get more. Get-MessageTraceV2 -EndDate ..."
Lie = Callable[[dict[str, Any], str, bool], None]


def _warned(text: str) -> Lie:
    def lie(body: dict[str, Any], _url: str, cut: bool) -> None:
        body["@adminapi.warnings"] = [text] if cut and text else []

    return lie


def _linked(link: str) -> Lie:
    def lie(body: dict[str, Any], url: str, cut: bool) -> None:
        if cut:
            body["@odata.nextLink"] = link.replace("HERE", url.partition("?")[0])

    return lie


def _outside(body: dict[str, Any], _url: str, _cut: bool) -> None:
    """Rows of another time, which the filter should have left out, at the page's end."""
    old = iso(NOW - timedelta(days=200))
    strange = [{**row, "MessageTraceId": f"f{row['MessageTraceId'][1:]}", "Received": old} for row in body["value"][:3]]
    body["value"] += strange


def _moved_on(body: dict[str, Any], _url: str, _cut: bool) -> None:
    """The row at the boundary has been delivered since it was listed first."""
    if body["value"]:
        body["value"][0] = {**body["value"][0], "Status": "GettingStatus"}


LIES: dict[str, Lie] = {
    "": lambda body, url, cut: None,
    "start ignored": lambda body, url, cut: None,
    "filter ignored": lambda body, url, cut: None,
    "ascending": lambda body, url, cut: None,
    "other words": _warned("Results were truncated. Go on with -StartingRecipientAddress."),
    "no words": _warned(""),
    "noise": _warned("This cmdlet will change next year."),
    "rows of other times": _outside,
    "status changes": _moved_on,
    "rows twice": lambda body, url, cut: body["value"].extend(list(body["value"])),
    "link in a circle": _linked("HERE?$skiptoken=again"),
    "link to a stranger": _linked("https://evil.example/next"),
    "link that is none": _linked("http://[zz"),
    "link of control characters": _linked("HERE?\0\n"),
}
"""What the service may do beside answering. Of the last rows some, or none, are to be had by following it."""


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
