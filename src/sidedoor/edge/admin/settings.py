"""The export's objects as they lie on disk, changed in place: the edge that watches the folder takes them up.

One JSON file for each cmdlet, so that a change has one place; written whole beside the old one, read by Sidedoor's own
reader, and only then moved over it. Files that people change meanwhile are read again before each request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sidedoor.edge.admin.errors import CmdletError, bad_parameter, not_found, unavailable
from sidedoor.edge.admin.export_file import ExportFile, Row, read_export_file
from sidedoor.edge.settings import Source
from sidedoor.errors import InputError
from sidedoor.evidence.objects import iter_objects
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.evidence.tenant_merge import Found, merge
from sidedoor.tenant.build import build
from sidedoor.tenant.kinds import SettingKind, recognise_setting
from sidedoor.tenant.values import SettingError

__all__ = ["Row", "TenantFolder", "shown"]

_MOST_ROWS = 10_000
_IDENTITIES = ("Name", "Identity", "Guid", "DomainName")
_ONE_PLACE = "each cmdlet's objects in one JSON file, or a change has two places"


class TenantFolder:
    """`rows(kind)`, and changes. `now`: the clock that changes are stamped with."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read the folder. Raises InputError where the export is not one JSON file a cmdlet."""
        if not folder.is_dir():
            raise InputError(str(folder), "no folder", "a folder with one JSON file for each cmdlet")
        self._folder, self.now = folder, now
        self._files: Mapping[SettingKind, ExportFile] = {}
        self._signature: object = None
        self._refresh()

    def _refresh(self) -> None:
        """Read again if a file has changed. Raises InputError."""
        signature = Source(self._folder).signature()
        if signature != self._signature:
            self._files = _files(self._folder)
            self._signature = signature

    def _file(self, kind: SettingKind) -> ExportFile:
        try:
            self._refresh()
        except (InputError, OSError) as error:
            raise unavailable(f"The export cannot be read: {error}") from error
        if kind not in self._files:
            # Not the same as none: the tenant may have some, and a set made now would say that these are all.
            raise CmdletError(f"The export behind this endpoint does not hold the output of {kind.value}.")
        return self._files[kind]

    def rows(self, kind: SettingKind) -> Sequence[Row]:
        """The objects, as they lie on disk now. Raises CmdletError where the export has none of that cmdlet."""
        return self._file(kind).rows

    def find(self, kind: SettingKind, identity: str) -> Row:
        """By Name, Identity, Guid or DomainName, whatever the case. Raises CmdletError."""
        wanted = identity.casefold()
        for row in self.rows(kind):
            if any(str(row[key]).casefold() == wanted for key in _IDENTITIES if row.get(key)):
                return row
        raise not_found(kind.noun, identity)

    def change(self, kind: SettingKind, change: Callable[[list[Row]], None]) -> None:
        """Change a copy and put it in force, if Sidedoor's own reader takes the export as it is then."""
        file = self._file(kind)
        rows = [dict(row) for row in file.rows]
        change(rows)
        if len(rows) > _MOST_ROWS:
            raise CmdletError("The quota of objects of this kind is reached.")
        try:
            with file.replaced(file.text(rows, kind.value)) as candidate:
                self._check(kind, file, candidate, len(rows))
        except OSError as error:
            raise unavailable(f"The export cannot be written: {error.strerror or error}") from error

    def _check(self, kind: SettingKind, file: ExportFile, candidate: Path, count: int) -> None:
        """Read the candidate as the edge will, together with the other files."""
        try:
            found = [Found(kind, item, file.path) for _, item in iter_objects(candidate)]
            if len(found) != count or any(recognise_setting(each.item) is not kind for each in found):
                raise bad_parameter("(several)", f"The objects would be no output of {kind.value} any more.")
            for other, beside in self._files.items():
                found += [Found(other, shown(row), beside.path) for row in beside.rows if other is not kind]
            settings = {**{each: [] for each in self._files}, **merge(found).settings}
            build(settings)
        except (InputError, SettingError) as error:
            raise bad_parameter("(several)", str(error)) from error


def shown(row: Mapping[str, object]) -> Row:
    """Without the keys about keys."""
    return {key: value for key, value in row.items() if "@" not in key}


def _files(folder: Path) -> Mapping[SettingKind, ExportFile]:
    """Every file with settings, by what it holds. Raises InputError."""
    found: dict[SettingKind, ExportFile] = {}
    for path in read_tenant(folder).files:
        file = read_export_file(path)
        kind = _kind(file)
        if kind in found:
            raise InputError(str(path), f"{kind.value} in {found[kind].path.name} already", _ONE_PLACE)
        found[kind] = file
    return found


def _kind(file: ExportFile) -> SettingKind:
    """Of what cmdlet a file is; all its objects are to be of one. An empty set says it, or its name does."""
    kinds = {recognise_setting(shown(row)) for row in file.rows}
    if not kinds:
        told = [str(value).casefold() for key, value in file.beside.items() if key.lower() in {"cmdlet", "cmdletname"}]
        named = [kind for kind in SettingKind if kind.noun.lower() in file.path.stem.lower()]
        kinds = {kind for kind in SettingKind if kind.value.casefold() in told} or set(named)
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None:
        raise InputError(str(file.path), "objects of several cmdlets, or of others", _ONE_PLACE)
    return kind
