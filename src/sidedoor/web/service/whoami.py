"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from sidedoor.web.access.visitor import Visitor
from sidedoor.web.service.describe import doc


@dataclass(frozen=True, slots=True)
class Me:
    """Somebody who is signed in, or a program."""

    who: Annotated[str, doc("As the trail names them.")]
    grants: Annotated[tuple[str, ...], doc("`operator`, or `operator:contoso.com` in one tenant only.")]
    csrf: Annotated[str, doc("For X-CSRF-Token; empty where a token was shown and none is needed.")]


def me(visitor: Visitor) -> Me:
    """The visitor for showing."""
    return Me(visitor.who, tuple(map(str, visitor.grants)), visitor.csrf)
