"""plan.json (`sidedoor/plan/1`): the plan for programs, ASCII, the same bytes for the same plan."""

from __future__ import annotations

import json
from typing import Any

from sidedoor.plan.model import Plan
from sidedoor.report.plain import plain
from sidedoor.report.words import iso

SCHEMA = "sidedoor/plan/1"
NAME = "plan.json"


def render(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values; keys are the fields of `plan.model`."""
    body, window = plain(plan), plan.window
    body["window"] = {"start": iso(window[0]), "end": iso(window[1])} if window else {"start": None, "end": None}
    return {"schema": SCHEMA, **body}


def dump(plan: Plan) -> bytes:
    """The file's bytes."""
    return (json.dumps(render(plan), indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")
