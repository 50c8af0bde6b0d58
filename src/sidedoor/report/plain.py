"""Values as JSON has them, for the files that programs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from sidedoor.policy.decision import Certainty
from sidedoor.report.text import without_surrogates
from sidedoor.report.words import iso


def plain(value: object) -> Any:  # noqa: PLR0911  # one return for each kind of value
    """Tuples as arrays, mappings and dataclasses in their own order, sets sorted, text without lone surrogates."""
    if isinstance(value, Certainty):
        return value.word
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return without_surrogates(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, date):
        return iso(value) if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, Mapping):
        return {without_surrogates(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return without_surrogates(str(value))
