"""Decisions of the tenant's edges, live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from sidedoor.report.plain import plain
from sidedoor.web.access.access import site_of
from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.access.visitor import Visitor
from sidedoor.web.pages.common import Here, Who, render
from sidedoor.web.problems import Problem
from sidedoor.web.service import edge_log
from sidedoor.web.streams import Streams
from sidedoor.web.tenant import Tenant

router = APIRouter(include_in_schema=False)
_LOOK = 1.0  # seconds between two looks at the logs
_AGAIN = 15.0  # seconds after which the session is looked at again, and a comment shows that the connection lives
_LASTS = 300.0  # seconds; then the browser comes again and is asked who it is
_MOST_CURSOR = 1_000


@router.get("/t/{tenant}/edge")
@needs(Role.READER)
def edge(
    request: Request, tenant: Here, after: Annotated[str | None, Query(max_length=_MOST_CURSOR)] = None
) -> Response:
    """The last decisions; with a script they go on by themselves."""
    return render(request, "edge.html.j2", found=edge_log.decisions(tenant, after), after=after)


@router.get("/t/{tenant}/edge/live")
@needs(Role.READER)
async def live(
    request: Request, tenant: Here, visitor: Who,
    after: Annotated[str | None, Query(max_length=_MOST_CURSOR)] = None,
    last_event_id: Annotated[str | None, Header(max_length=_MOST_CURSOR)] = None,
) -> Response:  # fmt: skip
    """Decisions as they are written, as Server-Sent Events (HTML Standard, section 9.2)."""
    streams: Streams = request.app.state.streams
    if not streams.enter(visitor.session):
        raise Problem(503, "Too many pages follow the edge at once.", headers={"Retry-After": "30"})
    told = _follow(request, tenant, streams, visitor, last_event_id or after)
    return StreamingResponse(told, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _follow(
    request: Request, tenant: Tenant, streams: Streams, visitor: Visitor, cursor: str | None
) -> AsyncIterator[bytes]:
    """Events until the browser goes, or the time is over."""
    loop = asyncio.get_running_loop()
    until, looked = loop.time() + _LASTS, loop.time()
    try:
        yield b"retry: 3000\n\n"
        while loop.time() < until and not streams.closing and not await request.is_disconnected():
            found = await run_in_threadpool(edge_log.decisions, tenant, cursor or "")
            if found.items or found.cursor != cursor:
                cursor = found.cursor
                yield _event(found)
            if loop.time() - looked > _AGAIN:
                looked = loop.time()
                yield b": still there\n\n"
                if not await run_in_threadpool(_still, request, visitor):
                    return
            await asyncio.sleep(_LOOK)
    finally:
        streams.leave(visitor.session)


def _still(request: Request, visitor: Visitor) -> bool:
    """Whether the session is not over. Looking does not put off its end."""
    site = site_of(request)
    return not visitor.session or site.sessions.session(visitor.session, site.clock()) is not None


def _event(found: edge_log.EdgePage) -> bytes:
    """JSON in ASCII has no line break, so nothing that a client said can end an event."""
    items = json.dumps([plain(item) for item in reversed(found.items)], ensure_ascii=True)
    return f"id: {found.cursor}\nevent: decisions\ndata: {items}\n\n".encode("ascii")
