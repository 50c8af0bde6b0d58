"""The export's objects as they lie on disk, changed in place: the edge that watches the folder takes them up.

One JSON file for each cmdlet, so that a change has one place; written whole beside the old one, then moved over it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from sidedoor.edge.admin.errors import CmdletError, bad_parameter, not_found
from sidedoor.errors import InputError
from sidedoor.evidence.objects import iter_objects
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.tenant.kinds import SettingKind, recognise_setting

Row: TypeAlias = dict[str, object]
_MOST_ROWS = 10_000
_NEW_NAMES = {kind: f"{kind.value.removeprefix('Get-')}.json" for kind in SettingKind}


class TenantFolder:
    """`rows(kind)`, and changes. Raises InputError where the export is not one JSON file a cmdlet."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(str(folder), "no folder", "a folder with one JSON file for each cmdlet")
        self._folder = folder
        self._files: dict[SettingKind, Path] = {}
        self._rows: dict[SettingKind, list[Row]] = {kind: [] for kind in SettingKind}
        for path in sorted(folder.glob("*.json")):
            self._read(path)

    def _read(self, path: Path) -> None:
        for _, item in iter_objects(path):
            kind = recognise_setting(item)
            if kind is None:
                continue
            if self._files.setdefault(kind, path) != path:
                found = f"{kind.value} in {self._files[kind].name} already"
                raise InputError(str(path), found, "each cmdlet's objects in one file, or a change has two places")
            self._rows[kind].append({key: value for key, value in item.items() if "@" not in key})

    def rows(self, kind: SettingKind) -> Sequence[Row]:
        """The objects, as last written."""
        return self._rows[kind]

    def find(self, kind: SettingKind, identity: str) -> Row:
        """By Name, Identity, Guid or DomainName, whatever the case. Raises CmdletError."""
        wanted = identity.casefold()
        for row in self._rows[kind]:
            names = (row.get(key) for key in ("Name", "Identity", "Guid", "DomainName"))
            if any(str(name).casefold() == wanted for name in names if name):
                return row
        raise not_found(kind.value.removeprefix("Get-"), identity)

    def change(self, kind: SettingKind, change: Callable[[list[Row]], None]) -> None:
        """Change a copy, write it, and keep it only if Sidedoor's own reader takes the export as it is then."""
        rows = [dict(row) for row in self._rows[kind]]
        change(rows)
        if len(rows) > _MOST_ROWS:
            raise CmdletError("The quota of objects of this kind is reached.")
        path = self._files.get(kind, self._folder / _NEW_NAMES[kind])
        before = path.read_bytes() if path.exists() else None
        _write(path, json.dumps(rows, ensure_ascii=False, indent=1).encode())
        try:
            read_tenant(self._folder)
        except InputError as error:
            _restore(path, before)
            raise bad_parameter("(several)", str(error)) from error
        self._files[kind], self._rows[kind] = path, rows


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)


def _restore(path: Path, before: bytes | None) -> None:
    if before is None:
        path.unlink()
    else:
        _write(path, before)
