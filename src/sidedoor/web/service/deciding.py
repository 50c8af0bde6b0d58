"""What people say of a sender: checked, and kept with who and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from sidedoor.mail.address import AddressError, parse_address
from sidedoor.report import words
from sidedoor.store.errors import StaleError
from sidedoor.store.model import Decision, Word
from sidedoor.web.access.visitor import Visitor
from sidedoor.web.problems import Problem
from sidedoor.web.roll import METHODS
from sidedoor.web.service.describe import STRICT, doc
from sidedoor.web.service.senders import Said, said_of
from sidedoor.web.tenant import Tenant

MOST_NOTE = 4_000
_MOST_OWNER = 254  # RFC 5321 section 4.5.3.1.3: a path of 256 octets, its brackets among them
_METHOD_NAMES = ", ".join(METHODS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to say of a sender; all of it takes the place of what was said before."""

    __pydantic_config__ = STRICT
    assessment: Annotated[Word, doc("What it is; empty to say nothing.")] = Word.NONE
    owner: Annotated[str, doc("A mail address, or empty.", max_length=_MOST_OWNER)] = ""
    method: Annotated[str, doc(f"One of {_METHOD_NAMES}; or empty.", max_length=40)] = ""
    note: Annotated[str, doc("For colleagues.", max_length=MOST_NOTE)] = ""
    due: Annotated[date | None, doc("The day by which it must have moved.")] = None


class Invalid(Problem):  # as Problem
    """Values that cannot be taken: field -> what is wrong with it."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(422, " ".join(errors.values()), errors=dict(errors))
        self.errors = dict(errors)


class Stale(Problem):  # as Problem
    """Somebody else decided in between; `current` is what holds now."""

    def __init__(self, current: Decision) -> None:
        self.current = said_of(current)
        at = "" if current.at is None else f" on {words.minute(current.at)}"
        detail = f"{current.by or 'Somebody'} changed this{at}, after you had opened it. Nothing of yours was kept."
        super().__init__(412, detail)


def checked(wanted: Wanted) -> Wanted:
    """The values as they are kept. Raises Invalid, with every mistake at once."""
    errors = {}
    owner, method, note = wanted.owner.strip(), wanted.method.strip(), wanted.note.replace("\r\n", "\n").strip()
    if owner:
        try:
            owner = str(parse_address(owner))
        except AddressError as error:
            errors["owner"] = f"The owner is no mail address: {error}."
    if len(owner) > _MOST_OWNER:
        errors["owner"] = f"The owner's address has more than {_MOST_OWNER} characters."
    if method and method not in METHODS:
        errors["method"] = "There is no such method."
    if len(note) > MOST_NOTE:
        errors["note"] = f"The note has more than {MOST_NOTE:,} characters."
    if errors:
        raise Invalid(errors)
    return Wanted(wanted.assessment, owner, method, note, wanted.due)


def decide(tenant: Tenant, key: str, wanted: Wanted, version: int, visitor: Visitor) -> Said:
    """Keep it, if nobody was faster. version: of what the visitor saw. Raises Invalid, Stale, SidedoorError."""
    of = checked(wanted)
    change = Decision(key, of.assessment, of.owner, of.method, of.note, of.due, version=version)
    try:
        return said_of(tenant.store.decide(change, visitor.who, visitor.via, tenant.clock()))
    except StaleError as error:
        raise Stale(error.current) from error
