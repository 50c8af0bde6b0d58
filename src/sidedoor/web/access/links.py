"""Links that sign in once: what `sidedoor web` prints at its start, for whoever sits at this machine."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sidedoor.store.sessions import digest_of
from sidedoor.store.store import Store
from sidedoor.web.access.roles import Grant, Role, parse_grant

PURPOSE = "sign-in"
LASTS = timedelta(minutes=30)
_BYTES = 32


def make_link(store: Store, who: str, role: Role, now: datetime) -> str:
    """The token of a link that signs `who` in, once, within half an hour."""
    token = secrets.token_urlsafe(_BYTES)
    store.put_token(digest_of(token), PURPOSE, now + LASTS, {"who": who, "grants": [str(Grant(role))]})
    return token


def use_link(store: Store, token: str, now: datetime) -> tuple[str, tuple[Grant, ...]] | None:
    """Who may sign in with the token, and as what; None where it was used, is over, or never was."""
    if not 0 < len(token) <= 4 * _BYTES:
        return None
    taken = store.take_token(digest_of(token), PURPOSE, now)
    if taken is None:
        return None
    body = taken["value"]
    return str(body["who"]), tuple(map(parse_grant, body["grants"]))
