"""The plan's files: scripts, letters, hunting queries; one by one, or all in one."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from sidedoor.web.book import PLAN, Book
from sidedoor.web.problems import Problem
from sidedoor.web.service.describe import doc

FOLDERS = {"scripts": "Scripts", "owners": "Letters to owners", "hunting": "Hunting queries"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST_FILES = 20_000
_MOST_OCTETS = 64 << 20


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A file of the plan."""

    folder: Annotated[str, doc("scripts, owners or hunting.")]
    name: str
    size: Annotated[int, doc("Octets.")]
    about: str


def files_of(book: Book) -> tuple[PlanFile, ...]:
    """Scripts, letters and queries of the plan: plain files with plain names, nothing else that may lie there."""
    names = {choice.sender: choice.name for choice in (book.plan.choices if book.plan else ())}
    found = [
        PlanFile(folder, path.name, path.stat().st_size, names.get(path.stem, _about(path.name)))
        for folder in FOLDERS
        for path in sorted((book.folder / PLAN / folder).glob("*"))
        if _NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    ]
    return tuple(found[:_MOST_FILES])


_ABOUT = {
    "10-check.ps1": "Is the tenant the one that the plan was made for?",
    "20-tag-rule.ps1": "Mark what still comes by Direct Send",
    "30-connectors.ps1": "Connectors for those that stay",
    "40-switch.ps1": "RejectDirectSend",
    "50-verify.ps1": "Is everything as planned?",
    "60-lockdown.ps1": "Take mail from the filter only",
    "70-quarantine-rule.ps1": "Hold what comes beside the filter",
    "90-rollback.ps1": "Everything back, in reverse order",
    "README.txt": "What to run, in which order",
}


def _about(name: str) -> str:
    return _ABOUT.get(name, name.partition(".")[0].replace("-", " "))


def file_of(book: Book, folder: str, name: str) -> bytes:
    """The content of one file of the list. Raises Problem."""
    if not any(file.folder == folder and file.name == name for file in files_of(book)):
        raise Problem(404, "The plan has no such file.")
    return _path(book, folder, name).read_bytes()


def _path(book: Book, folder: str, name: str) -> Path:
    return book.folder / PLAN / folder / name


def archive(book: Book) -> bytes:
    """All files in one zip, the same bytes for the same plan. Raises Problem where there is none, or too much."""
    files = files_of(book)
    if not files:
        raise Problem(404, "There is no plan yet.")
    if sum(file.size for file in files) > _MOST_OCTETS:
        raise Problem(413, "The plan is too large for one file; take its files one by one.")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in files:
            entry = zipfile.ZipInfo(f"plan/{file.folder}/{file.name}")  # with the date that zip begins with
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            packed.writestr(entry, _path(book, file.folder, file.name).read_bytes())
    return out.getvalue()
