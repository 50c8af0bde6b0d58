"""What edges of the tenant hold back: listed, viewed as text, released, deleted; each with its line in the trail.

It lies in the spools of an edge on this machine, and in the store where several edges share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

from sidedoor.edge.quarantine import Quarantine, SharedQuarantine, Together, open_spools
from sidedoor.edge.spool.model import Quarantined, SpoolError
from sidedoor.store.model import TrailEntry
from sidedoor.web.access.visitor import Visitor
from sidedoor.web.problems import Problem
from sidedoor.web.service.describe import doc
from sidedoor.web.service.mail_view import Field, Part, view_of
from sidedoor.web.tenant import Tenant

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

    configured: Annotated[bool, doc("Whether the settings name an edge's spool, or edges share the store.")]
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
    """The list; empty where there is no edge, or its spool is not there yet. Raises Problem."""
    with _opened(tenant) as held:
        rows = tuple(map(_row, held.quarantine()))
    configured = bool(rows or tenant.workspace.settings.edge.spool or tenant.store.seen_edges())
    return HeldPage(configured, rows[:_MOST], len(rows))


def message(tenant: Tenant, message_id: str) -> HeldMessage:
    """One message for viewing. Raises Problem where it is not there (any more)."""
    with _opened(tenant) as held:
        found = _found(lambda: held.held(message_id))
    seen, kept = view_of(found.message.content), found.message
    return HeldMessage(
        kept.id, kept.received_at, kept.envelope_sender, kept.recipients, len(kept.content), found.why, seen.fields,
        seen.text, seen.is_source, seen.cut, seen.parts,
    )  # fmt: skip


def release(tenant: Tenant, message_id: str, visitor: Visitor) -> None:
    """Let it go on its way; an edge delivers it. Raises Problem."""
    _act(tenant, message_id, visitor, "release", lambda held: held.release(message_id, tenant.clock()))


def delete(tenant: Tenant, message_id: str, visitor: Visitor) -> None:
    """Delete it for good. Raises Problem."""
    _act(tenant, message_id, visitor, "delete", lambda held: held.delete(message_id))


def _act(tenant: Tenant, message_id: str, visitor: Visitor, what: str, act: Callable[[Quarantine], None]) -> None:
    """The trail first: spool and store cannot change together, and nothing may be done that no line tells of."""
    with _opened(tenant) as held:
        of = _found(lambda: held.held(message_id))
        about = {
            "envelope_sender": of.message.envelope_sender, "recipients": list(of.message.recipients), "why": of.why,
        }  # fmt: skip
        _note(tenant, visitor, what, message_id, about)
        try:
            _found(lambda: act(held))
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
def _opened(tenant: Tenant) -> Iterator[Quarantine]:
    """All that is held back for the tenant. Raises Problem where a spool cannot be used."""
    name = tenant.workspace.settings.edge.spool
    try:
        spools = open_spools(tenant.workspace.path(name)) if name else None
    except SpoolError as error:
        raise Problem(503, "The edge's spool cannot be used.") from error
    shared = SharedQuarantine(tenant.store)  # the trail is noted here
    held = Together([*([] if spools is None else [spools]), shared])
    try:
        yield held
    except SpoolError as error:
        raise Problem(503, "The edge's spool cannot be written.") from error
    finally:
        held.close()


def _row(row: Quarantined) -> HeldRow:
    return HeldRow(row.id, row.received_at, row.envelope_sender, row.recipients, row.size, row.why)
