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
from sidedoor.exchange.http import Call, Http
from sidedoor.exchange.pacing import Pacer
from sidedoor.exchange.wire import Refusal, RefusedError, Row, rows_of

_MOST_PAGES = 500
_READING = "Get-"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a cmdlet gave. `context`: the answer's @odata.context. `cut`: why pages are missing, "" where none are.

    link: where a further page is said to lie, "" where none is.
    """

    rows: list[Row]
    warnings: tuple[str, ...] = ()
    context: str = ""
    cut: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The admin API of one tenant (GUID or a domain of it). `anchor`: of X-AnchorMailbox."""

    http: Http
    cloud: Cloud
    tenant: str
    anchor: Callable[[], str]

    def run(self, cmdlet: str, parameters: Mapping[str, object]) -> Rows:
        """Run a cmdlet and follow its pages. Raises RefusedError, UnreachableError; never writes."""
        call = self._reading(cmdlet, parameters, 1000)
        found = _rows(self.http.ask(call))
        more, cut = self._pages(call, found.link)
        return replace(found, rows=found.rows + more, cut=cut)

    def page(
        self, cmdlet: str, parameters: Mapping[str, object], pacer: Pacer, *, size: int = 1000, link: str = ""
    ) -> Rows:
        """One page of a cmdlet's answer, or what lies behind `link`. Raises RefusedError, UnreachableError."""
        call = self._reading(cmdlet, parameters, size)
        return _rows(self.http.ask(self._behind(call, link) if link else call, pacer))

    def set_reject_direct_send(self, value: bool) -> None:
        """All that Sidedoor ever writes to a tenant. Safe to repeat. Raises RefusedError, UnreachableError.

        After either it may have been made all the same: look.
        """
        call = self._call("Set-OrganizationConfig", {"RejectDirectSend": value}, 1000)
        self.http.ask(replace(call, writes=True))

    def _reading(self, cmdlet: str, parameters: Mapping[str, object], size: int) -> Call:
        if not cmdlet.startswith(_READING):
            raise UsageError(f"{cmdlet} is no reading cmdlet")
        return replace(self._call(cmdlet, parameters, size), key="value")

    def _call(self, cmdlet: str, parameters: Mapping[str, object], size: int) -> Call:
        headers = {
            "X-ResponseFormat": "json",
            "X-CmdletName": cmdlet,
            "X-SerializationLevel": "Partial",
            "Prefer": f"odata.maxpagesize={size}",
            "client-request-id": str(uuid.uuid4()),
        }
        url = f"{self.cloud.exchange}/adminapi/beta/{quote(self.tenant, safe='')}/InvokeCommand"
        # An empty object: null is refused.
        body = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": dict(parameters)}}
        return Call("POST", url, self.cloud.exchange_scope, body, headers, self.cloud.hosts, anchor=self.anchor)

    def _behind(self, call: Call, link: str) -> Call:
        """The same body goes to the next link. Raises RefusedError for a link that leaves the service."""
        if not self.http.allowed(link, call):
            raise RefusedError(Refusal.REDIRECTED, 200, "a page on another host")
        return replace(call, url=link)

    def _pages(self, call: Call, link: str) -> tuple[list[Row], str]:
        """The rows behind the first page. A page that cannot be had is no end: the answer is incomplete."""
        rows: list[Row] = []
        followed: set[str] = set()
        while link:
            if link in followed or len(followed) >= _MOST_PAGES:
                return rows, "its pages lead in a circle"
            followed.add(link)
            try:
                # Back ends that have forgotten the link answer 400.
                found = _rows(self.http.ask(self._behind(call, link)))
            except RefusedError as error:
                return rows, f"a further page is refused: {error}"
            rows, link = rows + found.rows, found.link
        return rows, ""


def _rows(body: Row) -> Rows:
    warnings, link = body.get("@adminapi.warnings"), body.get("@odata.nextLink")
    told = tuple(str(each) for each in warnings) if isinstance(warnings, list) else ()
    # A link that is none says that there is more, and not where: it leads nowhere.
    return Rows(rows_of(body), told, str(body.get("@odata.context") or ""), link=str(link) if link else "")
