"""plan.json (`sidedoor/plan/1`): the plan for programs, ASCII, the same bytes for the same plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from sidedoor.errors import InputError
from sidedoor.plan.model import Plan
from sidedoor.policy.decision import Certainty
from sidedoor.report.text import without_surrogates
from sidedoor.report.words import iso

SCHEMA = "sidedoor/plan/1"
NAME = "plan.json"
_EXPECTED = f"a {NAME} ({SCHEMA}) that sidedoor plan has written"


def render(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values; keys are the fields of `plan.model`."""
    body = {field.name: _plain(getattr(plan, field.name)) for field in fields(plan)}
    window = plan.window
    body["window"] = {"start": iso(window[0]), "end": iso(window[1])} if window else {"start": None, "end": None}
    return {"schema": SCHEMA, **body}


def dump(plan: Plan) -> bytes:
    """The file's bytes."""
    return (json.dumps(render(plan), indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def read(path: Path) -> dict[str, Any]:
    """A plan.json's values. Raises InputError."""
    try:
        body = json.loads(path.read_bytes())
        if not isinstance(body, dict) or body.get("schema") != SCHEMA:
            raise InputError(str(path), "another file", _EXPECTED)
    except OSError as error:
        raise InputError(str(path), f"nothing to read ({error.strerror})", _EXPECTED) from error
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), "no JSON", _EXPECTED) from error
    return body


def _plain(value: object) -> Any:  # noqa: PLR0911  # one return for each kind of value
    if value is None or isinstance(value, bool | int | float):
        return value.word if isinstance(value, Certainty) else value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {without_surrogates(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(type(value).__name__)
