"""Roles, and what each may do in which tenant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

EVERYWHERE = "*"


class Role(IntEnum):
    """What somebody may do; each may also do what those before it may."""

    NOBODY = 0  # sees the page for signing in, and whether the server lives
    READER = 1  # sees everything but secrets; changes nothing
    OPERATOR = 2  # decides, acknowledges, snoozes, ticks, plans anew, releases and deletes from quarantine
    ADMIN = 3  # hands out tokens, ends sessions of others, exports the trail

    @property
    def word(self) -> str:
        """As web.toml and the API write it."""
        return self.name.lower()


WORDS = tuple(role.word for role in Role if role is not Role.NOBODY)


def role_of(word: str) -> Role:
    """The role of a word. Raises ValueError."""
    if word not in WORDS:
        raise ValueError(f"{word[:60]!r} is none of {', '.join(WORDS)}")
    return Role[word.upper()]


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in one tenant, by its domain, or everywhere ("*")."""

    role: Role
    tenant: str = EVERYWHERE

    def __str__(self) -> str:
        return self.role.word if self.tenant == EVERYWHERE else f"{self.role.word}:{self.tenant}"


def parse_grant(text: str) -> Grant:
    """`operator` or `operator:contoso.com`. Raises ValueError."""
    word, colon, tenant = text.partition(":")
    if colon and not tenant:
        raise ValueError(f"{text[:60]!r} names no tenant")
    return Grant(role_of(word), tenant or EVERYWHERE)


def role_in(grants: Iterable[Grant], tenant: str) -> Role:
    """The highest role that these give in a tenant."""
    return max((each.role for each in grants if each.tenant in {EVERYWHERE, tenant}), default=Role.NOBODY)


def role_at_all(grants: Iterable[Grant]) -> Role:
    """The role that holds everywhere; READER where there is only one in some tenant."""
    grants = tuple(grants)
    everywhere = role_in((each for each in grants if each.tenant == EVERYWHERE), EVERYWHERE)
    return max(everywhere, Role.READER if grants else Role.NOBODY)
