"""A person's address, taken out of everything that the store holds of a tenant.

Rows that are about the address (it stands in what they are found by) are deleted. In all others a mark takes its place,
the same one throughout, so that the trail still shows that it was one and the same person. Nothing leads back from it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, select, update

from sidedoor.errors import UsageError
from sidedoor.mail.address import Address, AddressError, parse_address
from sidedoor.store.columns import Json, Words
from sidedoor.store.decisions import add_to_trail
from sidedoor.store.model import Forgotten, TrailEntry
from sidedoor.store.schema import METADATA, alert, decision, edge_settings, held_message, trail
from sidedoor.store.scope import Scope

_Rewrite = Callable[[str], str]
_LOCAL = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~.-"
# Before an address: not the rest of another one. `=` and quotes may be in a local part, but mostly are around it, as in
# `to=ann@contoso.com`; and a URL may write `<` as %3C.
_BEGIN = r"(?:(?<![\w.+-])|(?<=%[0-9A-Fa-f]{2}))"
# Mail on its way and the settings in force are no records of a person: with a mark in them they would be wrong.
_LEFT_ALONE = frozenset({held_message.name, edge_settings.name})
_ACTED = {(decision.name, "decided_by"), (alert.name, "acknowledged_by"), (trail.name, "who")}


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done: the mark that took the address's place, and how many rows were deleted or changed."""

    mark: str
    deleted: Forgotten
    changed: Forgotten


class Erasure(Scope):
    """Deletion by person."""

    def forget_address(self, address: str, who: str, via: str, at: datetime, *, acts: bool = False) -> Erased:
        """Take a mail address out of this tenant's rows, in any case, with any `+tag`, and inside of longer texts.

        Not out of mail that edges hold back, nor out of the settings published for them.

        acts: also where it says who decided, acknowledged or did what is in the trail. `compact` removes the rests.
        Raises UsageError where it is no address.
        """
        mark = f"removed-{secrets.token_hex(4)}"
        rewrite = _rewriter(_parsed(address), mark)
        deleted: dict[str, int] = {}
        changed: dict[str, int] = {}
        with self._write() as connection:
            for table in METADATA.sorted_tables:
                if "tenant_id" in table.c and table.name not in _LEFT_ALONE:
                    passed = _Pass(connection, table, self._tenant, rewrite, acts)
                    deleted[table.name], changed[table.name] = passed.run()
            counts = {"rows": sum(deleted.values()) + sum(changed.values())}
            add_to_trail(connection, self._tenant, TrailEntry(at, who, via, "forget-address", mark, {}, counts))
        return Erased(mark, _summed(deleted), _summed(changed))


def _parsed(address: str) -> Address:
    try:
        return parse_address(address)
    except AddressError as error:
        raise UsageError(f"an address to forget: {error}") from error


def _rewriter(address: Address, mark: str) -> _Rewrite:
    """Puts `mark` where the address stands as a whole: not in `joann@` for `ann@`, nor in `ann@contoso.com.example`.

    Also as URLs write it (%40), and as bounce addresses hold it (VERP: `list+ann=contoso.com@...`).
    """
    bare = address.local.strip('"')
    # What a search looks at is folded, and folding may lengthen: ß becomes ss.
    local = f"(?:{'|'.join(re.escape(text) for text in sorted({bare, bare.casefold()}))})"
    names = {address.domain.ascii, address.domain.unicode, address.domain.unicode.casefold()}
    domains = "|".join(re.escape(name) for name in sorted(names))
    whole = rf'{_BEGIN}"?{local}(?:\+[{_LOCAL}]*)?"?(?:@|%40)(?:{domains})'
    inside = rf"(?<![^\W_]){local}=(?:{domains})"
    pattern = re.compile(rf"(?:{whole}|{inside})(?![\w-]|\.\w)", re.IGNORECASE)
    return lambda text: pattern.sub(mark, text)


def _in_json(value: Any, rewrite: _Rewrite) -> Any:
    if isinstance(value, str):
        return rewrite(value)
    if isinstance(value, list):
        return [_in_json(item, rewrite) for item in value]
    if isinstance(value, dict):
        return {rewrite(name): _in_json(item, rewrite) for name, item in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class _Pass:
    """One table, all rows of the tenant."""

    connection: Connection
    table: Table
    tenant_id: int
    rewrite: _Rewrite
    acts: bool

    def run(self) -> tuple[int, int]:
        """Delete and change; returns how many rows of each."""
        keys = [column for column in self.table.primary_key if column.name != "tenant_id"]
        texts = [column for column in self.table.c if isinstance(column.type, Words | Json) and self._looked_at(column)]
        found_by = {key.name for key in keys} | ({"kind", "subject"} if self.table is alert else set())
        deleted = changed = 0
        for row in self._rows(list(dict.fromkeys((*keys, *texts)))):
            new = {column.name: self._new(column, row[column.name]) for column in texts}
            differ = {name: value for name, value in new.items() if value != row[name]}
            if not differ:
                continue
            mine = [self.table.c.tenant_id == self.tenant_id, *(key == row[key.name] for key in keys)]
            if not found_by.isdisjoint(differ):
                deleted += self.connection.execute(delete(self.table).where(*mine)).rowcount
            else:
                # Who has a decision open in a form must not write it back.
                version = {"version": decision.c.version + 1} if self.table is decision else {}
                changing = update(self.table).where(*mine).values(**differ, **version)
                changed += self.connection.execute(changing).rowcount
        return deleted, changed

    def _rows(self, columns: list[Column[Any]]) -> list[dict[str, Any]]:
        found = self.connection.execute(select(*columns).where(self.table.c.tenant_id == self.tenant_id))
        return [dict(row) for row in found.mappings()]

    def _looked_at(self, column: Column[Any]) -> bool:
        return self.acts or (self.table.name, column.name) not in _ACTED

    def _new(self, column: Column[Any], value: Any) -> Any:
        if value is None:
            return None
        return self.rewrite(value) if isinstance(column.type, Words) else _in_json(value, self.rewrite)


def _summed(by_table: dict[str, int]) -> Forgotten:
    names = {"alert": "alerts", "delivery": "deliveries", "observation": "observations", "run": "runs",
             "sender": "senders", "decision": "decisions", "trail": "trail", "edge_line": "edges"}  # fmt: skip
    counts = dict.fromkeys((*names.values(), "others"), 0)
    for name, count in by_table.items():
        counts[names.get(name, "others")] += count
    return Forgotten(**counts)
