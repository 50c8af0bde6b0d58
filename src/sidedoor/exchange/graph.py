"""Microsoft Graph: message traces with their details, and advanced hunting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote, urlencode

from sidedoor.exchange.clouds import Cloud
from sidedoor.exchange.http import Call, Http
from sidedoor.exchange.pacing import Pacer
from sidedoor.exchange.wire import Refusal, RefusedError, Row, rows_of

PAGE = 5_000
_HUNTING_SECONDS = 200.0  # a query may take three minutes (advanced-hunting-limits)
_MOST_HUNTED = 256 << 20  # 100,000 rows are some 100 MB
_TRACES = "/v1.0/admin/exchange/tracing/messageTraces"


@dataclass(frozen=True, slots=True)
class GraphPage:
    """One page of traces; `link` leads to the next, "" where there is none or it is not the service's."""

    rows: list[Row]
    link: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Microsoft Graph with one tenant's token."""

    http: Http
    cloud: Cloud

    def traces(self, start: str, end: str, link: str, pacer: Pacer) -> GraphPage:
        """Traces received between two times, the newest first; from `link` on where one is given."""
        # $select, $orderby and $count are ignored by the service; `or`, `ne` and `not` too, without an error.
        query = {"$filter": f"receivedDateTime ge {start} and receivedDateTime le {end}", "$top": str(PAGE)}
        call = self._call("GET", f"{_TRACES}?{urlencode(query, quote_via=quote)}")
        if link and not self.http.allowed(link, call):
            raise RefusedError(Refusal.REDIRECTED, 200, "a next page on another host")
        # Statuses added later are shown only to those who ask (exchangeMessageTrace, unknownFutureValue).
        headers = {"Prefer": "include-unknown-enum-members"}
        body = self.http.ask(replace(call, url=link or call.url, headers=headers), pacer)
        return GraphPage(rows_of(body), str(body.get("@odata.nextLink") or ""))

    def details(self, trace: str, recipient: str, pacer: Pacer) -> list[Row]:
        """The events of one message for one recipient."""
        who = quote(recipient.replace("'", "''"), safe="@")
        path = f"{_TRACES}/{quote(trace, safe='')}/getDetailsByRecipient(recipientAddress='{who}')"
        return rows_of(self.http.ask(self._call("GET", path), pacer))

    def hunt(self, query: str, pacer: Pacer) -> list[Row]:
        """The rows of an advanced hunting query (security.runHuntingQuery)."""
        call = self._call("POST", "/v1.0/security/runHuntingQuery", {"Query": query, "Timespan": "P30D"})
        call = replace(call, key="results", seconds=_HUNTING_SECONDS, most=_MOST_HUNTED)
        return rows_of(self.http.ask(call, pacer), "results")

    def _call(self, method: str, path: str, body: Row | None = None) -> Call:
        return Call(method, f"{self.cloud.graph}{path}", self.cloud.graph_scope, body, key="value")


def kusto_time(when: datetime) -> str:
    """A literal of the query language; built from a datetime, so nothing but a time can stand in it."""
    return f"datetime({when.strftime('%Y-%m-%dT%H:%M:%S.%f')}Z)"
