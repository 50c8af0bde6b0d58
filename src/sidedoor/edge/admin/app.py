"""The HTTP side, by aiohttp: InvokeCommand, Graph's message traces, a bearer token, the service's limits.

Shapes of answers and errors are those that were measured of the service; see docs/admin-endpoint.md.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from aiohttp import web

from sidedoor.edge.admin import wire
from sidedoor.edge.admin.errors import CmdletError, ForbiddenError, unavailable
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.faults import Fault, FaultKind
from sidedoor.edge.admin.graph import list_details, list_traces
from sidedoor.edge.admin.pages import Pages, Rest
from sidedoor.edge.admin.quota import Quota
from sidedoor.edge.admin.state import TRACES, Admin
from sidedoor.edge.admin.traces import TraceIndex
from sidedoor.edge.admin.wire import Reply, Sheet

__all__ = ["Admin", "AdminServer", "start_admin"]

_MOST_BODY = 1 << 20
_PAGE = re.compile(r"odata\.maxpagesize=(\d{1,6})")
_USUAL_PAGE = 1_000
_TENANT = "{tenant:[0-9A-Za-z.-]{1,253}}"
_GRAPH = "/v1.0/admin/exchange/tracing/messageTraces"
T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Endpoint:
    """The handlers. What they rest on is asked by one thread at a time."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._lock = asyncio.Lock()
        self._quota = Quota(admin.now, admin.throttle)
        self._pages = Pages(admin.now)

    def application(self) -> web.Application:
        """For aiohttp."""
        app = web.Application(client_max_size=_MOST_BODY, middlewares=[self._guard])
        app.router.add_post(f"/adminapi/beta/{_TENANT}/InvokeCommand", self.invoke)
        app.router.add_post("/adminapi/v1.0/{tenant}/InvokeCommand", _not_allowed)
        app.router.add_get(_GRAPH, self.graph_list, allow_head=False)
        app.router.add_get(_GRAPH + "/{id}/{call}", self.graph_details, allow_head=False)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The token first; then whatever happens is an answer."""
        graph = request.path.startswith("/v1.0/")
        if not _has_host(request):
            return _response(Reply(400))
        try:
            if not self._authorized(request):
                headers = {"WWW-Authenticate": "Bearer"}
                refused = wire.graph_refusal(401, "InvalidAuthenticationToken", "Access token is invalid.", headers)
                return _response(refused if graph else Reply(401, b"", headers))
            return await handler(request)
        except CmdletError as error:
            refused = wire.graph_refusal(error.status, "BadRequest", str(error)) if graph else wire.refusal(error)
            return _response(refused)
        except ForbiddenError:
            return _response(Reply(403, wire.NULS, {"Content-Type": "application/json"}))
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001  # a fault of ours must not show a traceback, nor end the edge
            self._admin.say(f"admin endpoint: {type(error).__name__} where it should not be; answered 500")
            return _response(wire.reply(500, {"error": {"code": "InternalServerError", "message": ""}}))

    def _authorized(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, f"Bearer {self._admin.token}".encode())

    async def invoke(self, request: web.Request) -> web.StreamResponse:
        """One cmdlet, or one more page of its rows."""
        if "$skiptoken" in request.query:
            rest = self._pages.get(request.query["$skiptoken"])
            fault = self._admin.faults.next(rest.cmdlet, page=True)
            if fault is not None and wire.is_early(fault):
                return _response(wire.early(fault, _elsewhere(request)))
            return await self._sheet(request, rest, (), fault)
        cmdlet, parameters = _asked(await request.read())
        fault = self._admin.faults.next(cmdlet)
        if fault is not None and wire.is_early(fault):
            return _response(wire.early(fault, _elsewhere(request)))
        if cmdlet.casefold() in TRACES and (seconds := self._quota.wait()):
            return _response(wire.throttled(seconds))
        unfiltered = fault is not None and fault.kind is FaultKind.UNFILTERED
        rows, warnings = await self._blocking(partial(self._admin.run, cmdlet, parameters, unfiltered=unfiltered))
        rest = Rest(cmdlet, rows, 0, self._admin.now())
        return await self._sheet(request, rest, warnings, fault)

    async def graph_list(self, request: web.Request) -> web.StreamResponse:
        """Message traces in Graph's form."""
        query = dict(request.query)
        fault, refused = self._graph_fault(request, "messageTraces", page="$skiptoken" in query)
        if refused is not None:
            return _response(refused)
        unfiltered = fault is not None and fault.kind is FaultKind.UNFILTERED
        page = await self._blocking(lambda: list_traces(self._index(), query, unfiltered=unfiltered))
        rows = _changed(list(page.rows), fault)
        link = str(request.url.update_query({"$skiptoken": page.token})) if page.token else ""
        return await _send(
            request, wire.reply(200, replace(page, rows=rows).body(_lying(request, fault) or link)), fault
        )

    async def graph_details(self, request: web.Request) -> web.StreamResponse:
        """The events of one message for one recipient."""
        fault, refused = self._graph_fault(request, "getDetailsByRecipient")
        if refused is not None:
            return _response(refused)
        trace, call = request.match_info["id"], request.match_info["call"]
        body = await self._blocking(lambda: list_details(self._index(), trace, call))
        return await _send(request, wire.reply(200, body), fault)

    def _graph_fault(self, request: web.Request, name: str, *, page: bool = False) -> tuple[Fault | None, Reply | None]:
        """The fault on order, and what is answered instead where there is such a thing."""
        fault = self._admin.faults.next(name, page=page)
        if fault is not None and wire.is_early(fault):
            return fault, wire.early(fault, _elsewhere(request), graph=True)
        seconds = self._quota.wait()
        return fault, wire.throttled(seconds, graph=True) if seconds else None

    def _index(self) -> TraceIndex:
        try:
            return self._admin.index()
        except (OSError, sqlite3.Error) as error:
            raise unavailable(f"The decision log cannot be read: {error}") from error

    async def _blocking(self, run: Callable[[], T]) -> T:
        async with self._lock:
            return await asyncio.to_thread(run)

    async def _sheet(
        self, request: web.Request, rest: Rest, warnings: Sequence[str], fault: Fault | None
    ) -> web.StreamResponse:
        """As many rows as the client wants at a time, with a link to the rest."""
        told = _PAGE.search(request.headers.get("Prefer", ""))
        size = max(1, int(told[1])) if told else _USUAL_PAGE
        end = rest.at + size
        link = _lying(request, fault)
        if not link and end < len(rest.rows):
            token = self._pages.keep(rest.cmdlet, rest.rows, end)
            link = str(request.url.update_query({"$skiptoken": token}))
        sheet = Sheet(request.match_info["tenant"], _changed(list(rest.rows[rest.at : end]), fault), warnings, link)
        as_clixml = request.headers.get("X-ResponseFormat", "").casefold() == "clixml"
        select = [name for name in request.query.get("$select", "").split(",") if name.strip()]
        return await _send(request, sheet.reply(as_clixml=as_clixml, select=select), fault)


def _changed(rows: list[Row], fault: Fault | None) -> list[Row]:
    """The rows with what a fault does to them."""
    if fault is not None and fault.kind is FaultKind.DOUBLED:
        return rows + rows[-1:]
    if fault is not None and fault.kind is FaultKind.SHORT:
        return rows[:-1]
    return rows


def _lying(request: web.Request, fault: Fault | None) -> str:
    if fault is None or fault.kind is not FaultKind.LYING_LINK:
        return ""
    return fault.location or str(request.url)


def _elsewhere(request: web.Request) -> str:
    """This server by another name, as a client sees another region."""
    url = request.url
    return str(url.with_host("127.0.0.1" if url.host == "localhost" else "localhost"))


def _has_host(request: web.Request) -> bool:
    """Whether links can be made of the Host that the client names."""
    try:
        return bool(request.url.host)
    except ValueError:
        return False


async def _not_allowed(_: web.Request) -> web.StreamResponse:
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


def _response(reply: Reply) -> web.StreamResponse:
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


async def _send(request: web.Request, reply: Reply, fault: Fault | None) -> web.StreamResponse:
    """The answer, or half of it and then nothing."""
    if fault is None or fault.kind is not FaultKind.CUT:
        return _response(reply)
    response = web.StreamResponse(headers={**reply.headers, "Content-Length": str(len(reply.body))})
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


class AdminServer:
    """A listening endpoint."""

    def __init__(self, runner: web.AppRunner, admin: Admin) -> None:
        self._runner, self._admin = runner, admin

    @property
    def port(self) -> int:
        """Where it listens; the system's choice where 0 was asked for."""
        port: int = self._runner.addresses[0][1]
        return port

    async def close(self) -> None:
        """Answer nobody any more, and forget the traces."""
        await self._runner.cleanup()
        await asyncio.to_thread(self._admin.close)


async def start_admin(admin: Admin, host: str = "127.0.0.1", port: int = 0) -> AdminServer:
    """Listen inside the running event loop until `close()`. Raises OSError."""
    runner = web.AppRunner(Endpoint(admin).application(), access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return AdminServer(runner, admin)
