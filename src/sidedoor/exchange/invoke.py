"""Exchange Online's InvokeCommand: a cmdlet by REST, as the PowerShell module does it: reading, and the one switch.

The endpoint is not documented by Microsoft; its shapes are those that several clients measured (docs/collect.md).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from sidedoor.errors import UsageError
from sidedoor.exchange.clouds import Cloud
from sidedoor.exchange.http import Call, Http, allowed
from sidedoor.exchange.pacing import Pacer
from sidedoor.exchange.wire import Refusal, RefusedError, Row, rows_of

_MOST_PAGES = 500
_READING = "Get-"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a cmdlet gave. `context`: the answer's @odata.context. `cut`: why pages are missing, "" where none are."""

    rows: list[Row]
    warnings: tuple[str, ...] = ()
    context: str = ""
    cut: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The admin API of one tenant (GUID or a domain of it). `anchor`: of X-AnchorMailbox."""

    http: Http
    cloud: Cloud
    tenant: str
    anchor: Callable[[], str]

    def run(
        self, cmdlet: str, parameters: Mapping[str, object], *, pacer: Pacer | None = None, page: int = 1000
    ) -> Rows:
        """Run a cmdlet and follow its pages. Raises RefusedError, UnreachableError; never writes."""
        if not cmdlet.startswith(_READING):
            raise UsageError(f"{cmdlet} is no reading cmdlet")
        call = self._call(cmdlet, parameters, page)
        body = self.http.ask(call, pacer)
        rows = _rows(body)
        warnings = body.get("@adminapi.warnings")
        more, cut = self._pages(call, body, pacer)
        told = tuple(str(each) for each in warnings) if isinstance(warnings, list) else ()
        return Rows(rows + more, told, str(body.get("@odata.context") or ""), cut)

    def set_reject_direct_send(self, value: bool) -> None:
        """All that Sidedoor ever writes to a tenant. Safe to repeat. Raises RefusedError, UnreachableError.

        After either it may have been made all the same: look.
        """
        call = self._call("Set-OrganizationConfig", {"RejectDirectSend": value}, 1000)
        self.http.ask(replace(call, writes=True))

    def _call(self, cmdlet: str, parameters: Mapping[str, object], page: int) -> Call:
        headers = {
            "X-AnchorMailbox": self.anchor(),
            "X-ResponseFormat": "json",
            "X-CmdletName": cmdlet,
            "X-SerializationLevel": "Partial",
            "Prefer": f"odata.maxpagesize={page}",
            "client-request-id": str(uuid.uuid4()),
        }
        url = f"{self.cloud.exchange}/adminapi/beta/{quote(self.tenant, safe='')}/InvokeCommand"
        # An empty object: null is refused.
        body = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": dict(parameters)}}
        return Call("POST", url, f"{self.cloud.exchange}/.default", body, headers, self.cloud.hosts)

    def _pages(self, call: Call, body: Row, pacer: Pacer | None) -> tuple[list[Row], str]:
        """The rows behind the first page. A page that cannot be had is no end: the answer is incomplete."""
        rows: list[Row] = []
        followed: set[str] = set()
        while link := body.get("@odata.nextLink"):
            if not isinstance(link, str) or link in followed or len(followed) >= _MOST_PAGES:
                return rows, "its pages lead in a circle"
            if not allowed(link, call):
                return rows, "a page lies on a host that is not the service's"
            followed.add(link)
            try:
                # The same body goes to the next link; back ends that have forgotten it answer 400.
                body = self.http.ask(Call("POST", link, call.scope, call.body, call.headers, call.hosts), pacer)
                rows += _rows(body)
            except RefusedError as error:
                return rows, f"a further page is refused: {error}"
        return rows, ""


def _rows(body: Row) -> list[Row]:
    found = rows_of(body)
    if found is None:
        raise RefusedError(Refusal.GARBLED, 200, "no list of values")
    return found
