"""What an edge of the tenant holds back: listed, viewed as text, released, deleted; each with its line in the trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

from sidedoor.edge.spool.model import Quarantined, SpoolError
from sidedoor.edge.spool.store import Store
from sidedoor.store.model import TrailEntry
from sidedoor.web.access.visitor import Visitor
from sidedoor.web.problems import Problem
from sidedoor.web.service.describe import doc
from sidedoor.web.service.mail_view import Field, Part, view_of
from sidedoor.web.tenant import Tenant

_FILE = "spool.db"
_MOST = 1_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A message that is held back."""

    id: str
    received_at: datetime
    envelope_sender: Annotated[str, doc("Empty: the null reverse-path.")]
    recipients: tuple[str, ...]
    size: Annotated[int, doc("Octets.")]
    why: Annotated[str, doc("The transport rule that decided, and its reasons.")]


@dataclass(frozen=True, slots=True)
class HeldPage:
    """All of them, the oldest first, up to a bound."""

    configured: Annotated[bool, doc("Whether the workspace's settings name an edge's spool.")]
    items: tuple[HeldRow, ...]
    total: int


@dataclass(frozen=True, slots=True)
class HeldMessage(HeldRow):
    """One message as text. Nothing of it is rendered, opened or asked for."""

    fields: Annotated[tuple[Field, ...], doc("Its header fields, decoded, up to a bound.")]
    text: Annotated[str, doc("Its first plain text, or its source where it has none; cut at 20,000 characters.")]
    is_source: Annotated[bool, doc("Whether `text` is the source.")]
    cut: bool
    parts: tuple[Part, ...]


def held(tenant: Tenant) -> HeldPage:
    """The list; empty where no edge is named or its spool is not there yet. Raises Problem."""
    if not tenant.workspace.settings.edge.spool:
        return HeldPage(False, (), 0)
    with _spool(tenant) as store:
        rows = () if store is None else tuple(map(_row, store.quarantine()))
    return HeldPage(True, rows[:_MOST], len(rows))


def message(tenant: Tenant, message_id: str) -> HeldMessage:
    """One message for viewing. Raises Problem where it is not there (any more)."""
    with _opened(tenant) as store:
        found = _found(lambda: store.held(message_id))
    seen, kept = view_of(found.message.content), found.message
    return HeldMessage(
        kept.id, kept.received_at, kept.envelope_sender, kept.recipients, len(kept.content), found.why, seen.fields,
        seen.text, seen.is_source, seen.cut, seen.parts,
    )  # fmt: skip


def release(tenant: Tenant, message_id: str, visitor: Visitor) -> None:
    """Let it go on its way; the edge delivers it. Raises Problem."""
    _act(tenant, message_id, visitor, "release", lambda store: store.release(message_id, tenant.clock()))


def delete(tenant: Tenant, message_id: str, visitor: Visitor) -> None:
    """Delete it for good. Raises Problem."""
    _act(tenant, message_id, visitor, "delete", lambda store: store.delete(message_id))


def _act(tenant: Tenant, message_id: str, visitor: Visitor, what: str, act: Callable[[Store], None]) -> None:
    """The trail first: spool and store cannot change together, and nothing may be done that no line tells of."""
    with _opened(tenant) as store:
        of = _found(lambda: store.held(message_id))
        about = {
            "envelope_sender": of.message.envelope_sender, "recipients": list(of.message.recipients), "why": of.why,
        }  # fmt: skip
        _note(tenant, visitor, what, message_id, about)
        try:
            _found(lambda: act(store))
        except (Problem, SpoolError):
            _note(tenant, visitor, f"{what}-failed", message_id, {})
            raise


def _note(tenant: Tenant, visitor: Visitor, what: str, subject: str, about: Mapping[str, object]) -> None:
    tenant.store.note(TrailEntry(tenant.clock(), visitor.who, visitor.via, what, subject, about, {}))


def _found(look: Callable[[], T]) -> T:
    try:
        return look()
    except KeyError:
        raise Problem(404, "This message is not held back (any more).") from None


@contextmanager
def _opened(tenant: Tenant) -> Iterator[Store]:
    with _spool(tenant) as store:
        if store is None:
            raise Problem(404, "No message is held back.")
        yield store


@contextmanager
def _spool(tenant: Tenant) -> Iterator[Store | None]:
    """The spool; None where there is none yet. Raises Problem where it cannot be used."""
    name = tenant.workspace.settings.edge.spool
    path = tenant.workspace.path(name) if name else None
    if path is not None and path.is_dir():
        path /= _FILE
    if path is None or not path.is_file():
        yield None
        return
    try:
        store = Store(path)
    except SpoolError as error:
        raise Problem(503, "The edge's spool cannot be used.") from error
    try:
        yield store
    except SpoolError as error:
        raise Problem(503, "The edge's spool cannot be written.") from error
    finally:
        store.close()


def _row(row: Quarantined) -> HeldRow:
    return HeldRow(row.id, row.received_at, row.envelope_sender, row.recipients, row.size, row.why)
