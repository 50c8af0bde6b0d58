"""Values from JSON, by the types of our dataclasses: `plain` the other way round."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from sidedoor.policy.decision import Certainty


def from_plain(kind: Any, value: Any) -> Any:  # noqa: PLR0911  # one return for each kind of value
    """The value of type `kind` that `plain` wrote as `value`. Raises ValueError, TypeError or KeyError."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return _one_of(inner, value)
    if origin is tuple:
        return _tuple(inner, value)
    if origin is not None and issubclass(origin, Mapping):
        return {from_plain(inner[0], key): from_plain(inner[1], item) for key, item in dict(value).items()}
    if kind is Certainty:
        return Certainty[str(value).upper()]
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{field.name: from_plain(hints[field.name], value[field.name]) for field in fields(kind)})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind is datetime or kind is date:
        return kind.fromisoformat(value)
    if kind is type(None) or not isinstance(value, kind):
        raise TypeError(f"{str(value)[:60]!r} is no {getattr(kind, '__name__', kind)}")
    return value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _tuple(inner: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:60]!r} is no list")
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(from_plain(inner[0], item) for item in value)
    return tuple(from_plain(each, item) for each, item in zip(inner, value, strict=True))


def _one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return from_plain(kind, value)
        except (ValueError, TypeError, KeyError):
            continue
    raise TypeError(f"{str(value)[:60]!r} is none of {kinds}")
