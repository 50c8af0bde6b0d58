"""The plan as a checklist, and its files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.book import Book
from sidedoor.web.pages.common import Here, Report, Who, at, back, download, no_report, render
from sidedoor.web.problems import Problem
from sidedoor.web.service import plan_files, planning

router = APIRouter(include_in_schema=False)
_STEPS = 100  # shown at once


@router.get("/t/{tenant}/plan")
@needs(Role.READER)
def plan(request: Request, tenant: Here, book: Report, page: Annotated[int, Query(ge=1, le=100_000)] = 1) -> Response:
    """The checklist; of a plan with very many steps, a page of it."""
    if book is None:
        return no_report(request)
    view = planning.plan(tenant, book)
    if not view.there:
        return render(request, "no_plan.html.j2", readable=view.readable)
    pages = max(1, -(-len(view.steps) // _STEPS))
    at_page = min(page, pages)
    entries = tenant.roll(book).by_key
    return render(
        request, "plan.html.j2", plan=view, entries=entries, folders=plan_files.FOLDERS, is_done=planning.is_done,
        steps=view.steps[(at_page - 1) * _STEPS : at_page * _STEPS], page=at_page, pages=pages, most=_STEPS,
    )  # fmt: skip


@router.post("/t/{tenant}/plan")
@needs(Role.OPERATOR)
def plan_anew(tenant: Here, visitor: Who) -> Response:
    """Make the plan anew, from the same history and what people have decided since."""
    planning.plan_anew(tenant, visitor)
    return back(at(tenant, "plan"), "planned")


@router.post("/t/{tenant}/plan/steps/{step}")
@needs(Role.OPERATOR)
def tick(tenant: Here, book: Report, visitor: Who, step: str, done: Annotated[bool, Form()]) -> Response:
    """Say that a step is done, or is not."""
    planning.tick(tenant, _there(book), step, done, visitor)
    return back(at(tenant, "plan"), "ticked" if done else "unticked")


@router.get("/t/{tenant}/plan/files/{folder}/{name}")
@needs(Role.READER)
def file(book: Report, folder: str, name: str) -> Response:
    """A script, a letter or a query."""
    return download(plan_files.file_of(_there(book), folder, name), name, "text/plain")


@router.get("/t/{tenant}/plan.zip")
@needs(Role.READER)
def everything(tenant: Here, book: Report) -> Response:
    """All files in one."""
    return download(plan_files.archive(_there(book)), f"sidedoor-plan-{tenant.name}.zip", "application/zip")


def _there(book: Book | None) -> Book:
    if book is None:
        raise Problem(404, "There is no report yet, and so no plan.")
    return book
