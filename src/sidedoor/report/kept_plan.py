"""A plan.json read again, for the pages that show it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sidedoor.errors import InputError
from sidedoor.plan.model import Plan
from sidedoor.report.from_plain import from_plain
from sidedoor.report.plan_json import NAME, SCHEMA

_EXPECTED = f"the {NAME} of a plan ({SCHEMA}); plan again to make one"
_MOST_BYTES = 256 << 20


def read(folder: Path) -> Plan | None:
    """The plan in a folder; None where there is none yet. Raises InputError."""
    path = folder / NAME
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(str(path), "more than 256 MB", _EXPECTED)
        return _plan(path, json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(str(path), f"nothing to read ({error.strerror})", _EXPECTED) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(str(path), f"something else ({str(error)[:100]})", _EXPECTED) from error


def _plan(path: Path, body: dict[str, Any]) -> Plan:
    if body["schema"] != SCHEMA:
        raise InputError(str(path), f"the schema {str(body['schema'])[:60]!r}", _EXPECTED)
    window = body["window"]
    pair = None if window["start"] is None else [window["start"], window["end"]]
    made: Plan = from_plain(Plan, body | {"window": pair})
    return made
