"""The HTTP side, by aiohttp: `POST /adminapi/beta/{tenant}/InvokeCommand`, a bearer token, the service's limits.

Shapes of answers and errors are those that were measured of the service; see docs/admin-endpoint.md.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from sidedoor.edge.admin.errors import CmdletError, ForbiddenError
from sidedoor.edge.admin.faults import Fault, FaultKind, Faults
from sidedoor.edge.admin.quarantine_cmdlets import QuarantineCmdlets
from sidedoor.edge.admin.settings import Row, TenantFolder
from sidedoor.edge.admin.tenant_cmdlets import CMDLETS
from sidedoor.edge.admin.traces import TraceIndex

_MOST_BODY = 1 << 20
_REQUESTS, _WINDOW = 100, timedelta(minutes=5)
_THROTTLED = "Your recent queries have surpassed the permitted limit, please try again later."
_PAGE = re.compile(r"odata\.maxpagesize=(\d{1,6})")
_NULS = bytes(64)
_USUAL_PAGE, _MOST_PAGES = 1_000, 1_000
_TRACES = ("get-messagetracev2", "get-messagetracedetailv2")
_EARLY = {
    FaultKind.THROTTLED: (429, "TooManyRequests"),
    FaultKind.UNAUTHORIZED: (401, "Unauthorized"),
    FaultKind.FORBIDDEN: (403, ""),
    FaultKind.REDIRECTED: (302, "Found"),
    FaultKind.BROKEN: (500, "InternalServerError"),
    FaultKind.UNAVAILABLE: (503, "ServiceUnavailable"),
    FaultKind.NULS: (200, ""),
}
"""Faults instead of an answer: the status, and the code in the body ("": the body is NUL bytes)."""


@dataclass(slots=True)
class Admin:
    """What the endpoint rests on. `throttle`: trace requests within five minutes before 429."""

    token: str
    folder: TenantFolder
    traces: TraceIndex | None
    quarantine: QuarantineCmdlets
    now: Callable[[], datetime]
    faults: Faults
    throttle: int = _REQUESTS

    def run(self, cmdlet: str, parameters: Mapping[str, object]) -> tuple[Sequence[Row], Sequence[str]]:
        """Rows and warnings. Raises CmdletError, ForbiddenError."""
        name = {known.casefold(): known for known in CMDLETS}.get(cmdlet.casefold())
        if name is not None:
            return CMDLETS[name](self.folder, parameters), []
        others: Mapping[str, Callable[[Mapping[str, object]], Sequence[Row]]] = {
            "get-quarantinemessage": self.quarantine.get,
            "release-quarantinemessage": self.quarantine.release,
            "delete-quarantinemessage": self.quarantine.delete,
        }
        if cmdlet.casefold() in others:
            return others[cmdlet.casefold()](parameters), []
        if self.traces is not None and cmdlet.casefold() in _TRACES:
            self.traces.refresh()
            if cmdlet.casefold() == _TRACES[0]:
                return self.traces.list(parameters)
            return self.traces.detail(parameters), []
        raise ForbiddenError


class Endpoint:
    """The handlers; one request changes settings at a time."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._lock = asyncio.Lock()
        self._asked: deque[datetime] = deque()
        self._pages: dict[str, Sequence[Row]] = {}

    def application(self) -> web.Application:
        """For aiohttp."""
        app = web.Application(client_max_size=_MOST_BODY)
        app.router.add_post("/adminapi/beta/{tenant:[0-9A-Za-z.-]{1,253}}/InvokeCommand", self.invoke)
        app.router.add_post("/adminapi/v1.0/{tenant}/InvokeCommand", _not_allowed)
        return app

    async def invoke(self, request: web.Request) -> web.StreamResponse:
        """One cmdlet, or one more page of its rows."""
        if not self._authorized(request):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        try:
            if "$skiptoken" in request.query:
                return self._page(request, request.query["$skiptoken"])
            return await self._cmdlet(request)
        except CmdletError as error:
            return _failure(error)
        except ForbiddenError:
            return web.Response(status=403, body=_NULS, content_type="application/json")

    async def _cmdlet(self, request: web.Request) -> web.StreamResponse:
        cmdlet, parameters = _asked(await request.read())
        fault = self._admin.faults.next(cmdlet)
        if fault is not None and fault.kind in _EARLY:
            return _early(fault)
        if cmdlet.casefold() in _TRACES and self._throttled():
            return _early(Fault(FaultKind.THROTTLED, seconds=int(_WINDOW.total_seconds())))
        async with self._lock:
            rows, warnings = await asyncio.to_thread(self._admin.run, cmdlet, parameters)
        return await self._answer(request, list(rows), warnings, fault)

    def _authorized(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._admin.token}".encode())

    def _throttled(self) -> bool:
        """100 requests in five minutes, list and detail together."""
        now = self._admin.now()
        while self._asked and now - self._asked[0] >= _WINDOW:
            self._asked.popleft()
        if len(self._asked) >= self._admin.throttle:
            return True
        self._asked.append(now)
        return False

    async def _answer(
        self, request: web.Request, rows: list[Row], warnings: Sequence[str], fault: Fault | None
    ) -> web.StreamResponse:
        if fault is not None and rows and fault.kind is FaultKind.DOUBLED:
            rows.append(rows[-1])
        if fault is not None and fault.kind is FaultKind.SHORT:
            rows = rows[:-1]
        data = json.dumps(self._sheet(request, rows, warnings)).encode()
        if fault is not None and fault.kind is FaultKind.CUT:
            return await _cut(request, data)
        return web.Response(body=data, content_type="application/json")

    def _sheet(self, request: web.Request, rows: Sequence[Row], warnings: Sequence[str]) -> dict[str, object]:
        """As many rows as the client wants at a time, with a link to the rest."""
        told = _PAGE.search(request.headers.get("Prefer", ""))
        size = max(1, int(told[1])) if told else _USUAL_PAGE
        body = _envelope(request.match_info["tenant"], rows[:size], warnings)
        if len(rows) > size:
            body["@odata.nextLink"] = self._next_link(request, rows[size:])
        return body

    def _next_link(self, request: web.Request, rest: Sequence[Row]) -> str:
        if len(self._pages) > _MOST_PAGES:
            self._pages.clear()  # they end after a while; a page that has ended is answered 400
        token = secrets.token_hex(8)
        self._pages[token] = rest
        return f"{request.url.origin()}{request.path}?$skiptoken={token}"

    def _page(self, request: web.Request, token: str) -> web.Response:
        rows = self._pages.pop(token, None)
        if rows is None:
            raise CmdletError("Expired or invalid pagination request. Default expiry time is 30 minutes.")
        return web.json_response(self._sheet(request, rows, ()))


async def _not_allowed(_: web.Request) -> web.Response:
    return web.Response(status=405)


def _asked(body: bytes) -> tuple[str, Mapping[str, object]]:
    """`{"CmdletInput": {"CmdletName": ..., "Parameters": {...}}}`."""
    try:
        given = json.loads(body)["CmdletInput"]
        name, parameters = given["CmdletName"], given.get("Parameters")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CmdletError("Invalid Operation") from error
    if not isinstance(name, str) or not isinstance(parameters, dict):
        raise CmdletError("Parameters must be an object; for none it is {}.")
    return name[:200], parameters


def _envelope(tenant: str, rows: Sequence[Row], warnings: Sequence[str]) -> dict[str, object]:
    return {
        "@odata.context": f"https://outlook.office365.com/adminapi/beta/{tenant}/$metadata#Collection(Exchange.GenericHashTable)",
        "adminapi.warnings@odata.type": "#Collection(String)",
        "@adminapi.warnings": list(warnings),
        "value": [_typed(row) for row in rows],
    }


def _typed(row: Row) -> Row:
    """With the keys beside keys that tell types of lists."""
    out: Row = {}
    for name, value in row.items():
        if isinstance(value, list):
            out[f"{name}@odata.type"] = "#Collection(String)"
        out[name] = value
    return out


def _failure(error: CmdletError) -> web.Response:
    message = str(error)
    body = {
        "error": {
            "code": "BadRequest" if error.status == 400 else "NotFound",
            "message": "Invalid Operation",
            "details": [{"code": "Client", "target": "", "message": f"|{error.exception}|{message}"}],
            "innererror": {
                "message": "Invalid Operation",
                "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
                "stacktrace": "",
                "internalexception": {"message": message, "type": error.exception, "stacktrace": ""},
            },
        },
        "adminapi.warnings@odata.type": "#Collection(String)",
        "@adminapi.warnings": [],
    }
    return web.json_response(body, status=error.status)


def _early(fault: Fault) -> web.Response:
    """Faults that come before the cmdlet runs."""
    status, code = _EARLY[fault.kind]
    headers = {}
    if status in {429, 503}:
        headers["Retry-After"] = str(fault.seconds)
    if status == 302:
        headers["Location"] = fault.location
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if not code:
        return web.Response(status=status, headers=headers, body=_NULS, content_type="application/json")
    message = _THROTTLED if status == 429 else ""
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)


async def _cut(request: web.Request, data: bytes) -> web.StreamResponse:
    """Half of the body, then nothing."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(data))})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


async def start_admin(admin: Admin, host: str, port: int) -> web.AppRunner:
    """Listen inside the running event loop; `cleanup()` ends it. Raises OSError."""
    runner = web.AppRunner(Endpoint(admin).application(), access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
