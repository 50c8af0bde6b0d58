"""Tokens for programs, and sessions of people: what an admin hands out and takes back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from sidedoor.web.access import bearer
from sidedoor.web.access.bearer import Bearer
from sidedoor.web.access.roles import EVERYWHERE, Grant, Role, role_of
from sidedoor.web.access.visitor import Visitor
from sidedoor.web.problems import Problem
from sidedoor.web.service.deciding import Invalid
from sidedoor.web.service.describe import STRICT, doc
from sidedoor.web.site import Site

_log = logging.getLogger(__name__)
MOST_DAYS = 366
_MOST_LABEL = 60


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """A token to be made."""

    __pydantic_config__ = STRICT
    label: Annotated[str, doc("What it is for; the trail names it so.", min_length=1, max_length=_MOST_LABEL)]
    role: Annotated[str, doc("reader, operator or admin.", max_length=20)] = "reader"
    tenants: Annotated[tuple[str, ...], doc("Domains of tenants; none: all.", max_length=1_000)] = ()
    days: Annotated[int, doc("How long it counts.", ge=1, le=MOST_DAYS)] = 90


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token, without its secret."""

    id: str
    label: str
    grants: Annotated[tuple[str, ...], doc("`operator`, or `operator:contoso.com` in one tenant only.")]
    made_by: str
    made_at: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class TokenMade(TokenView):
    """A new token."""

    secret: Annotated[str, doc("For the Authorization header, as Bearer. It is not shown again.")]


def tokens(site: Site) -> tuple[TokenView, ...]:
    """All that count."""
    return tuple(TokenView(*_parts(each)) for each in bearer.bearers(site.sessions, site.clock()))


def make_token(site: Site, wanted: TokenWanted, visitor: Visitor) -> TokenMade:
    """Make one. Raises Invalid."""
    label = " ".join(wanted.label.split())
    errors = {}
    if not 0 < len(label) <= _MOST_LABEL or not label.isprintable():
        errors["label"] = f"Say in up to {_MOST_LABEL} characters what it is for."
    if unknown := [name for name in wanted.tenants if name not in site.tenants]:
        errors["tenants"] = f"There is no tenant {unknown[0][:60]!r}."
    if not 1 <= wanted.days <= MOST_DAYS:
        errors["days"] = f"It counts for 1 to {MOST_DAYS} days."
    try:
        role = role_of(wanted.role)
    except ValueError:
        errors["role"] = "A role is reader, operator or admin."
        role = Role.NOBODY
    if role is Role.ADMIN and wanted.tenants:
        errors["role"] = "An admin is one everywhere."
    if errors:
        raise Invalid(errors)
    grants = [Grant(role, tenant) for tenant in wanted.tenants or (EVERYWHERE,)]
    now = site.clock()
    secret, made = bearer.make_bearer(
        site.sessions, label, grants, who=visitor.who, expires=now + timedelta(days=wanted.days), now=now
    )
    _log.info("%s made the token %s (%s): %s", visitor.who, made.id, label, _words(grants))
    return TokenMade(*_parts(made), secret)


def revoke_token(site: Site, token_id: str, visitor: Visitor) -> None:
    """Make one worthless. Raises Problem where there is none."""
    gone = bearer.drop_bearer(site.sessions, token_id, site.clock())
    if gone is None:
        raise Problem(404, "There is no such token (any more).")
    _log.info("%s revoked the token %s (%s)", visitor.who, gone.id, gone.label)


def end_sessions(site: Site, who: str, visitor: Visitor) -> int:
    """End all sessions of somebody; how many there were."""
    ended = site.sessions.drop_sessions_of(who)
    _log.info("%s ended %d session(s) of %s", visitor.who, ended, who)
    return ended


def _parts(each: Bearer) -> tuple[str, str, tuple[str, ...], str, datetime, datetime]:
    return each.id, each.label, tuple(map(str, each.grants)), each.made_by, each.made_at, each.expires


def _words(grants: Sequence[Grant]) -> str:
    return ", ".join(map(str, grants))
