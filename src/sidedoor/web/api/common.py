"""What all endpoints share: how values become JSON, what can go wrong, and how that is described."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from sidedoor.report.plain import plain
from sidedoor.web.book import Book
from sidedoor.web.pages.common import Here, Report, TheSite, Who
from sidedoor.web.problems import PROBLEM_JSON, Problem

__all__ = ["PREFIX", "Here", "Report", "TheSite", "Who", "errors", "there", "told"]
PREFIX = "/api/v1"
_MEANS = {
    400: "The request cannot be read.",
    401: "No token, or one that does not count.",
    403: "The role does not suffice; or a session without its X-CSRF-Token.",
    404: "There is none; or it is in a tenant that you may not see.",
    409: "Not possible as things are now.",
    412: "Somebody changed it meanwhile: `current` holds what it is now.",
    413: "Too much at once.",
    422: "Values that do not fit: `errors` names them.",
    428: "Say in If-Match which version you saw.",
    429: "Too many wrong tokens.",
    503: "A file or the store cannot be used now; Retry-After says when to try again.",
}
_USUAL = (400, 401, 403, 422, 429, 503)


def errors(*more: int) -> dict[int | str, dict[str, Any]]:
    """Descriptions of what an endpoint may answer beside what was asked (RFC 9457)."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _MEANS[status], "content": {PROBLEM_JSON: {"schema": schema}}}
        for status in sorted({*_USUAL, *more})
    }


def told(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON: ASCII, so that nothing a stranger wrote can hide in it."""
    return Response(
        json.dumps(plain(value), ensure_ascii=True, allow_nan=False), status, dict(headers or {}), "application/json"
    )


def there(book: Book | None) -> Book:
    """The report. Raises Problem where there is none yet."""
    if book is None:
        raise Problem(404, "There is no report yet.")
    return book


def listed(values: Iterable[object]) -> Response:
    """Values as an array."""
    return told(list(values))
