"""Tokens for programs: made by an admin, shown once, kept as digests, worthless as soon as somebody says so."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sidedoor.store.model import WebToken
from sidedoor.store.sessions import digest_of
from sidedoor.store.store import Store
from sidedoor.web.access.roles import Grant, parse_grant
from sidedoor.web.access.visitor import NOBODY, Visitor

PURPOSE = "api"
_PREFIX = "sdt_"  # so that a scanner for leaked secrets can know it
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token as people see it. id: the beginning of its digest, which tells nothing of it."""

    id: str
    label: str
    grants: tuple[Grant, ...]
    made_by: str
    made_at: datetime
    expires: datetime


def make_bearer(
    store: Store, label: str, grants: Sequence[Grant], *, who: str, expires: datetime, now: datetime
) -> tuple[str, Bearer]:
    """A new token: the secret, which is not seen again, and what is kept of it."""
    secret = _PREFIX + secrets.token_urlsafe(_BYTES)
    body = {"label": label, "grants": list(map(str, grants)), "made_by": who, "made_at": now.isoformat()}
    store.put_token(digest_of(secret), PURPOSE, expires, body)
    return secret, _shown(WebToken(digest_of(secret), body, expires))


def find_bearer(store: Store, secret: str, now: datetime) -> Visitor:
    """Who has the token; NOBODY where there is none, or it is over."""
    if not secret.startswith(_PREFIX) or len(secret) > 4 * _BYTES:
        return NOBODY
    token = store.token(digest_of(secret), PURPOSE, now)
    if token is None:
        return NOBODY
    shown = _shown(token)
    return Visitor(f"{shown.label} (token {shown.id})", shown.grants, "api")


def bearers(store: Store, now: datetime) -> list[Bearer]:
    """All tokens that still count."""
    return [_shown(token) for token in store.tokens(PURPOSE, now)]


def drop_bearer(store: Store, token_id: str, now: datetime) -> Bearer | None:
    """Make a token worthless; None where there is none of that id."""
    for token in store.tokens(PURPOSE, now):
        if _shown(token).id == token_id:
            store.drop_token(token.token_hash, PURPOSE)
            return _shown(token)
    return None


def _shown(token: WebToken) -> Bearer:
    body = token.body
    return Bearer(
        token.token_hash[:12], str(body["label"]), tuple(map(parse_grant, body["grants"])), str(body["made_by"]),
        datetime.fromisoformat(body["made_at"]), token.expires,
    )  # fmt: skip
