"""New, Set and Remove of things that have a name and, where they have an order, a priority without gaps."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from sidedoor.edge.admin import values
from sidedoor.edge.admin.errors import exists, missing
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.settings import TenantFolder, shown
from sidedoor.edge.admin.values import Check
from sidedoor.tenant.kinds import SettingKind

Parameters: TypeAlias = Mapping[str, object]
Cmdlet: TypeAlias = Callable[[TenantFolder, Parameters], Sequence[Row]]

IDENTITY: Mapping[str, Check] = {"Identity": values.text}
COMMON: Mapping[str, Check] = {
    "Confirm": values.truth, "WhatIf": values.truth, "ErrorAction": values.text, "WarningAction": values.text,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """One kind of thing. known: what can be set of it. finish: from parameters to the exported object, with checks."""

    kind: SettingKind
    known: Mapping[str, Check]
    finish: Callable[[Row], Row]

    def new(self, folder: TenantFolder, given: Parameters, defaults: Row, needed: Sequence[str]) -> Sequence[Row]:
        """Add one, at its priority or at the end; its row."""
        found = values.checked(given, {**self.known, **COMMON})
        for name in needed:
            if not found.get(name):
                raise missing(name)
        name, now = str(found["Name"]), iso(folder.now())
        if any(str(row.get("Name")).casefold() == name.casefold() for row in folder.rows(self.kind)):
            raise exists(self.kind.noun, name)
        marks = {"Identity": name, "Guid": str(uuid.uuid4()), "WhenCreatedUTC": now, "WhenChangedUTC": now}
        row = self.finish({**defaults, **_setting(found), **marks})
        if not found.get("WhatIf"):
            folder.change(self.kind, lambda rows: _insert(rows, row))
        return [row]

    def set(self, folder: TenantFolder, given: Parameters) -> Sequence[Row]:
        """Identity says which; what is not given stays."""
        found = values.checked(given, {**self.known, **IDENTITY, **COMMON})
        old = folder.find(self.kind, _identity(found))
        changed = _setting(found)
        name = str(changed.get("Name", old.get("Name")))
        others = [row for row in folder.rows(self.kind) if row is not old]
        if any(str(row.get("Name")).casefold() == name.casefold() for row in others):
            raise exists(self.kind.noun, name)
        if "Name" in changed:
            changed["Identity"] = name
        # A side key would tell the type of the value that was there before.
        kept = {key: value for key, value in old.items() if key.partition("@")[0] not in changed}
        new = self.finish({**kept, **changed, "WhenChangedUTC": iso(folder.now())})

        def change(rows: list[Row]) -> None:
            at = rows.index(old)
            rows.pop(at)
            priority = changed.get("Priority", at)
            rows.insert(min(priority, len(rows)) if isinstance(priority, int) else at, new)
            _renumber(rows)

        if not found.get("WhatIf"):
            folder.change(self.kind, change)
        return []

    def remove(self, folder: TenantFolder, given: Parameters) -> Sequence[Row]:
        """The others close up."""
        found = values.checked(given, {**IDENTITY, **COMMON})
        row = folder.find(self.kind, _identity(found))

        def change(rows: list[Row]) -> None:
            rows.remove(row)
            _renumber(rows)

        if not found.get("WhatIf"):
            folder.change(self.kind, change)
        return []


def getter(kind: SettingKind) -> Cmdlet:
    """All objects of a kind, or the one that Identity names."""
    known: Mapping[str, Check] = {**IDENTITY, **COMMON, "ResultSize": lambda _, value: value}

    def get(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
        found = values.checked(given, known)
        rows = [folder.find(kind, str(found["Identity"]))] if "Identity" in found else folder.rows(kind)
        return [shown(row) for row in rows]

    return get


def iso(when: datetime) -> str:
    """Seven digits of a second, as the service writes them."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _setting(found: Parameters) -> Row:
    return {name: value for name, value in found.items() if name not in COMMON and name != "Identity"}


def _identity(found: Parameters) -> str:
    if not found.get("Identity"):
        raise missing("Identity")
    return str(found["Identity"])


def _insert(rows: list[Row], row: Row) -> None:
    priority = row.get("Priority")
    rows.insert(min(priority, len(rows)) if isinstance(priority, int) else len(rows), row)
    _renumber(rows)


def _renumber(rows: list[Row]) -> None:
    for number, row in enumerate(rows):
        if "Priority" in row:
            row["Priority"] = number
