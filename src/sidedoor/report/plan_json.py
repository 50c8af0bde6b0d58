"""plan.json (`sidedoor/plan/1`): the plan for programs, ASCII, the same bytes for the same plan."""

from __future__ import annotations

import json
from typing import Any

from sidedoor.plan.model import Plan
from sidedoor.report.plain import plain
from sidedoor.report.words import iso

SCHEMA = "sidedoor/plan/1"
NAME = "plan.json"
_MOST_INDENTED = 500


def render(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values; keys are the fields of `plan.model`."""
    body, window = plain(plan), plan.window
    body["window"] = {"start": iso(window[0]), "end": iso(window[1])} if window else {"start": None, "end": None}
    return {"schema": SCHEMA, **body}


def dump(plan: Plan) -> bytes:
    """The file's bytes: indented for people where that is not too much for them, else an item a line."""
    body = render(plan)
    if len(plan.choices) <= _MOST_INDENTED:
        text = json.dumps(body, indent=2, ensure_ascii=True, allow_nan=False)
    else:
        text = "{\n" + ",\n".join(f"{_line(key)}: {_items(value)}" for key, value in body.items()) + "\n}"
    return (text + "\n").encode("ascii")


def _items(value: Any) -> str:
    return "[\n" + ",\n".join(map(_line, value)) + "\n]" if isinstance(value, list) and value else _line(value)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
