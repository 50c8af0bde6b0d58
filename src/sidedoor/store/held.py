"""Mail that edges hold back, for all edges of a tenant together.

A message that was released goes to one edge. Edge and store cannot change in one transaction, so it is handed over in
two steps, and the store decides: the edge writes the message down as *arriving* while it holds the message's row, then
the row says who has taken it (`take_held`). Only what the row says was taken counts at the edge (`settle_taken`); all
else that is arriving there is dropped, for somebody else may have it. Who dies in between lets go of the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Delete, Row, Update, delete, insert, select, text, update

from sidedoor.store.columns import kept_key
from sidedoor.store.database import parts, rows
from sidedoor.store.decisions import add_to_trail
from sidedoor.store.model import HeldMessage, TrailEntry
from sidedoor.store.schema import IS_RELEASED, STILL_HELD, held_message
from sidedoor.store.scope import Scope

_LISTED = [
    held_message.c.id, held_message.c.received_at, held_message.c.envelope_sender, held_message.c.recipients,
    held_message.c.size, held_message.c.why, held_message.c.edge, held_message.c.smtputf8,
]  # fmt: skip
_WHOLE = [*_LISTED, held_message.c.content]
_NOBODY = ""
# A server may be told to answer before a commit is on disk (postgresql.org/docs/current/wal-async-commit.html). Not for
# mail, of which somebody is told that it was kept.
_ON_DISK = text(
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)


class HeldMessages(Scope):
    """Mail that is held back, until it is released or deleted."""

    def hold(self, messages: Sequence[HeldMessage]) -> None:
        """Keep all of them or none. `size` is that of the content."""
        values = [
            {
                "tenant_id": self._tenant, "id": each.id, "received_at": each.received_at,
                "envelope_sender": each.envelope_sender, "recipients": list(each.recipients), "why": each.why,
                "smtputf8": each.smtputf8, "size": len(each.content or b""), "edge": each.edge, "released_at": None,
                "taken_by": _NOBODY, "content": each.content or b"",
            }
            for each in messages
        ]  # fmt: skip
        if values:
            with self._append() as connection:
                if not self._database.is_sqlite:
                    connection.execute(_ON_DISK)
                connection.execute(insert(held_message), values)

    def unhold(self, ids: Iterable[str]) -> int:
        """Take back what was just held, because the rest of its mail could not be kept; returns how many."""
        with self._append() as connection:
            gone = delete(held_message).where(held_message.c.tenant_id == self._tenant, STILL_HELD)
            return sum(
                connection.execute(gone.where(held_message.c.id.in_(part))).rowcount
                for part in parts(map(kept_key, ids))
            )

    def held_messages(self) -> list[HeldMessage]:
        """Those that are held back, the oldest first; without their content."""
        query = select(*_LISTED).where(held_message.c.tenant_id == self._tenant, STILL_HELD)
        with self._read() as connection:
            found = connection.execute(query.order_by(held_message.c.received_at, held_message.c.id))
            return [_message(row) for row in rows(found)]

    def held_message(self, message_id: str) -> HeldMessage | None:
        """One of them, with its content; None where it is not held back (any more)."""
        with self._read() as connection:
            row = connection.execute(select(*_WHOLE).where(*self._held(message_id))).one_or_none()
        return None if row is None else _message(row)

    def release_held(self, message_id: str, at: datetime, who: str = "", via: str = "") -> bool:
        """Let it go on its way; one of the edges will take it. Of any number who do, one is told True.

        who: is noted in the trail, unless it is empty.
        """
        let_go = update(held_message).values(released_at=at)
        return self._change(let_go, TrailEntry(at, who, via, "release", message_id))

    def delete_held(self, message_id: str, at: datetime, who: str = "", via: str = "") -> bool:
        """Delete it for good; False where it is not held back (any more). who: as in `release_held`."""
        return self._change(delete(held_message), TrailEntry(at, who, via, "delete", message_id))

    def _change(self, statement: Update | Delete, entry: TrailEntry) -> bool:
        about = (held_message.c.envelope_sender, held_message.c.recipients, held_message.c.why)
        mine = self._held(entry.subject)
        with self._write() as connection:
            row = connection.execute(select(*about).where(*mine)).one_or_none()
            if row is None:
                return False
            connection.execute(statement.where(*mine))
            if entry.who:
                before = {"envelope_sender": row.envelope_sender, "recipients": row.recipients, "why": row.why}
                add_to_trail(connection, self._tenant, replace(entry, before=before))
        return True

    def _held(self, message_id: str) -> tuple[Any, ...]:
        return held_message.c.tenant_id == self._tenant, held_message.c.id == message_id, STILL_HELD

    def released_messages(self) -> int:
        """How many were released and are with no edge yet."""
        query = select(held_message.c.id).where(*self._released(_NOBODY))
        with self._read() as connection:
            return len(connection.execute(query).all())

    def take_held(self, taker: str, prepare: Callable[[HeldMessage], None]) -> str | None:
        """Take one message that was released; returns its id, None where there is none that nobody is taking.

        taker: the name of a spool, unique and always the same. `prepare` writes the message down there as arriving,
        durably, before the store says that it is taken; what `prepare` raises leaves the message to others.
        Follow up with `settle_taken`, also where this raises: only the store knows how it ended.
        """
        free = select(*_WHOLE).where(*self._released(_NOBODY)).order_by(held_message.c.released_at, held_message.c.id)
        with self._hand_over() as connection:
            row = connection.execute(free.limit(1).with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            found = _message(row)
            prepare(found)
            mine = (held_message.c.tenant_id == self._tenant, held_message.c.id == found.id)
            connection.execute(update(held_message).where(*mine).values(taken_by=taker, content=b""))
            return found.id

    def settle_taken(self, taker: str, arriving: Iterable[str], settle: Callable[[frozenset[str]], None]) -> None:
        """Say which of the messages that are arriving at a spool are its own, and forget those.

        `settle` is called with them: they go on their way there, and all others that are arriving are dropped. Waits
        for a hand-over of the same spool that is not over yet, which its owner may have left by dying.
        """
        asked = {kept_key(each) for each in arriving}
        with self._hand_over() as connection:
            mine = frozenset(key for part in parts(asked) for key in self._locked(connection, part, taker))
            settle(mine)
            # Those that are not arriving any more have been on their way since an earlier call.
            connection.execute(delete(held_message).where(*self._released(taker)))

    def _locked(self, connection: Connection, ids: Sequence[str], taker: str) -> list[str]:
        query = select(held_message.c.id, held_message.c.taken_by).where(
            held_message.c.tenant_id == self._tenant, held_message.c.id.in_(ids)
        )
        # In one order, so that two who lock some of the same rows wait for each other and not for ever.
        found = connection.execute(query.order_by(held_message.c.id).with_for_update())
        return [key for key, taken_by in found if taken_by == taker]

    def _released(self, taker: str) -> tuple[Any, ...]:
        return held_message.c.tenant_id == self._tenant, held_message.c.taken_by == taker, IS_RELEASED


def _message(row: Row[Any]) -> HeldMessage:
    content = row.content if "content" in row._fields else None
    return HeldMessage(
        row.id, row.received_at, row.envelope_sender, tuple(row.recipients), row.size, row.why, row.edge,
        row.smtputf8, content,
    )  # fmt: skip
