"""Senders and decisions."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header, Path
from starlette.responses import Response

from sidedoor.store.model import Decision
from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.api.common import PREFIX, Here, Report, Who, errors, there, told
from sidedoor.web.pages.senders import asked
from sidedoor.web.problems import Problem
from sidedoor.web.query import SenderQuery
from sidedoor.web.roll import Entry
from sidedoor.web.service import senders as service
from sidedoor.web.service.deciding import Stale, Wanted, decide
from sidedoor.web.service.senders import Said, SenderDetail, SenderPage, said_of
from sidedoor.web.tenant import Tenant

router = APIRouter(prefix=PREFIX, tags=["senders"])
_MOST_TRAIL = 50
_TAG = re.compile(r'"v(\d{1,9})"')
Key = Annotated[str, Path(description="The sender's lasting key.", max_length=400)]
_EXAMPLE = {
    "assessment": "legitimate", "owner": "facilities@contoso.com", "method": "partner-address",
    "note": "The printers at head office.", "due": "2026-12-01",
}  # fmt: skip


@router.get("/tenants/{tenant}/senders", response_model=SenderPage, responses=errors(404))
@needs(Role.READER)
def list_senders(tenant: Here, book: Report, query: Annotated[SenderQuery, Depends(asked)]) -> Response:
    """Search, filter, sort and page through the senders of the newest report."""
    book = there(book)
    return told(service.senders(book, tenant.roll(book), query, tenant.clock().date()))


@router.get("/tenants/{tenant}/senders/{key}", response_model=SenderDetail, responses=errors(404))
@needs(Role.READER)
def get_sender(tenant: Here, book: Report, key: Key) -> Response:
    """One sender: evidence, places, authentication, days, the plan's way in, and who said what."""
    book = there(book)
    entry = _entry(tenant, book, key)
    return told(service.sender(book, entry, tenant.store.trail(key, _MOST_TRAIL), tenant.clock().date()))


@router.get("/tenants/{tenant}/senders/{key}/decision", response_model=Said, responses=errors(404))
@needs(Role.READER)
def get_decision(tenant: Here, book: Report, key: Key) -> Response:
    """What people decided of a sender. The ETag is what a change names in If-Match."""
    _entry(tenant, there(book), key)
    kept = said_of(tenant.store.decisions([key]).get(key) or Decision(key))
    return told(kept, headers={"ETag": _tag(kept)})


@router.put("/tenants/{tenant}/senders/{key}/decision", response_model=Said, responses=errors(404, 412, 428))
@needs(Role.OPERATOR)
def put_decision(
    tenant: Here, book: Report, visitor: Who, key: Key,
    wanted: Annotated[Wanted, Body(examples=[_EXAMPLE])],
    if_match: Annotated[str | None, Header(description="The ETag of what you saw.", max_length=100)] = None,
) -> Response:  # fmt: skip
    """Say what a sender is, whose, and by when it moves. Takes the place of all that was said before."""
    _entry(tenant, there(book), key)
    try:
        kept = decide(tenant, key, wanted, _version(if_match), visitor)
    except Stale as error:
        error.more["current"] = error.current
        error.headers["ETag"] = _tag(error.current)
        raise
    return told(kept, headers={"ETag": _tag(kept)})


def _entry(tenant: Tenant, book: Report, key: str) -> Entry:
    found = tenant.roll(there(book)).by_key.get(key)
    if found is None:
        raise Problem(404, "There is no such sender in the newest report.")
    return found


def _tag(said: Said) -> str:
    return f'"v{said.version}"'


def _version(if_match: str | None) -> int:
    """The version a change was made on. Raises Problem where none is named: nobody overwrites unseen."""
    if if_match is None:
        raise Problem(428, "Say in If-Match which version you saw: the ETag of the decision.")
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise Problem(422, "If-Match is no ETag of a decision.", errors={"if-match": 'expected "v" and a number'})
    return int(found[1])
