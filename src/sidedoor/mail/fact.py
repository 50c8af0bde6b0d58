"""A fact is known, known to be absent, or unknown with its reason.

`Fact[T]` is the type of anything an export may or may not tell. *Known absent* is expressed inside `T`
(`Fact[Connector | None]`: `None` says "there was none"); *unknown* is the value `Unknown`, never `None`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Unknown:
    """The fact could not be had. `reason` is a short phrase: "a message trace has no connector column"."""

    reason: str


Fact: TypeAlias = T | Unknown


def known(fact: Fact[T]) -> bool:
    """Whether the fact was obtained (its value may still be "none")."""
    return not isinstance(fact, Unknown)


def value_or(fact: Fact[T], default: T) -> T:
    """The value, or `default` where unknown. Only for display: decisions must look at `Unknown`."""
    return default if isinstance(fact, Unknown) else fact


def map_fact(fact: Fact[T], function: Callable[[T], U]) -> Fact[U]:
    """`function` applied to a known value; an unknown stays unknown, with its reason."""
    return fact if isinstance(fact, Unknown) else function(fact)
