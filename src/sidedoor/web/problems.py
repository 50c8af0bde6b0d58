"""What went wrong, as pages and programs are told: problem details (RFC 9457) or a page, never what is inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from sidedoor.report.plain import plain
from sidedoor.web.render import page

API = "/api/"
PROBLEM_JSON = "application/problem+json"
_TITLES = {
    400: "The request cannot be read",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not there",
    405: "Not possible here",
    409: "Not possible now",
    412: "Changed meanwhile",
    413: "Too large",
    421: "Wrong server",
    422: "Not a valid value",
    428: "Which version?",
    429: "Too many tries",
    500: "Something went wrong",
    503: "Not to be had at the moment",
}


class Problem(Exception):  # noqa: N818  # it is an answer, not a fault
    """An answer that is no page. detail: a sentence for people. more: members of the JSON (RFC 9457 section 3.2)."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, dict(headers or {}), more


def title(status: int) -> str:
    """The problem's title."""
    return _TITLES.get(status, _TITLES[400] if status < 500 else _TITLES[500])


def wants_json(scope: Scope) -> bool:
    """Whether a program asks."""
    return bool(scope["path"].startswith(API))


def answer(scope: Scope, problem: Problem) -> Response:
    """The problem as whoever asks can read it."""
    if wants_json(scope):
        body = {"type": "about:blank", "title": title(problem.status), "status": problem.status,
                "detail": problem.detail, **problem.more}  # fmt: skip
        content = json.dumps(plain(body), ensure_ascii=True).encode("ascii")
        return Response(content, problem.status, problem.headers, PROBLEM_JSON)
    html = page("problem.html.j2", title=title(problem.status), detail=problem.detail, status=problem.status)
    return Response(html, problem.status, problem.headers, "text/html")


def refusal(scope: Scope, status: int, detail: str) -> Response:
    """A problem that needs nothing but its number and a sentence."""
    return answer(scope, Problem(status, detail))
