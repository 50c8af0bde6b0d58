"""Which role each page needs, declared where the page is; what declares none is refused to everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sidedoor.web.access.roles import Role

F = TypeVar("F", bound=Callable[..., Any])
_NEEDED: dict[Callable[..., Any], Role] = {}


def needs(role: Role) -> Callable[[F], F]:
    """The endpoint is for those who have `role`, in the tenant that its path names."""

    def declare(endpoint: F) -> F:
        _NEEDED[endpoint] = role
        return endpoint

    return declare


def needed(endpoint: Callable[..., Any]) -> Role | None:
    """The role that was declared; None where none was."""
    return _NEEDED.get(endpoint)
