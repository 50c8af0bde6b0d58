"""Sessions: begun once somebody is known, found again by a cookie, over after a while."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sidedoor.store.model import WebSession
from sidedoor.store.sessions import digest_of
from sidedoor.store.store import Store
from sidedoor.web.access.roles import Grant, parse_grant
from sidedoor.web.access.visitor import NOBODY, Visitor

_BYTES = 32
_TOUCH = timedelta(minutes=1)  # no write for each request


@dataclass(frozen=True, slots=True)
class Life:
    """How long a session lasts without a request, and altogether."""

    idle: timedelta
    whole: timedelta


def begin(store: Store, who: str, grants: Sequence[Grant], life: Life, now: datetime) -> str:
    """Begin a session; returns the cookie's value, which is kept nowhere."""
    secret = secrets.token_urlsafe(_BYTES)
    store.sweep(now)
    store.put_session(
        WebSession(
            digest_of(secret), who, tuple(map(str, grants)), now + min(life.idle, life.whole),
            secrets.token_urlsafe(_BYTES), now,
        )
    )  # fmt: skip
    return secret


def find(store: Store, secret: str, life: Life, now: datetime) -> Visitor:
    """Who has the cookie; NOBODY where the session is over or there is none. Puts off its end."""
    if not 0 < len(secret) <= 4 * _BYTES:
        return NOBODY
    session = store.session(digest_of(secret), now)
    if session is None or session.began + life.whole <= now or session.began > now + _TOUCH:
        return NOBODY
    expires = min(now + life.idle, session.began + life.whole)
    if expires - session.expires >= _TOUCH:
        store.put_session(replace(session, expires=expires))
    try:
        grants = tuple(map(parse_grant, session.roles))
    except ValueError:  # a role that a newer version knows
        return NOBODY
    return Visitor(session.who, grants, "web", session.csrf, session.id_hash)


def end(store: Store, visitor: Visitor) -> None:
    """End the visitor's own session."""
    if visitor.session:
        store.drop_session(visitor.session)
