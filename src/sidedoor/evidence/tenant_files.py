"""A tenant's settings out of files: what PowerShell, the admin API and ScubaGear write, recognised by content.

Several files may hold the same setting, in several forms or from several days; they must be of one tenant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sidedoor.errors import InputError
from sidedoor.evidence.objects import envelope_of, iter_objects, peek_objects, peek_parts, sections_of
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.tables import Layout, iter_rows, layout_of
from sidedoor.evidence.tenant_merge import Found, merge
from sidedoor.evidence.text import detect_encoding
from sidedoor.mail.fact import Unknown
from sidedoor.tenant.build import build
from sidedoor.tenant.kinds import SettingKind, recognise_setting
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.tenant.values import SettingError

_EXPECTED = (
    "the output of Get-OrganizationConfig, Get-AcceptedDomain, Get-InboundConnector, Get-TransportRule or "
    "Get-HostedConnectionFilterPolicy as JSON, CliXML or CSV"
)
_CMDLETS = {kind.value.lower(): kind for kind in SettingKind}
# ScubaGear's ProviderSettingsExport.json.
_SECTIONS: Mapping[str, SettingKind] = {
    "org_config": SettingKind.ORGANIZATION_CONFIG,
    "accepted_domains": SettingKind.ACCEPTED_DOMAIN,
    "inbound_connectors": SettingKind.INBOUND_CONNECTOR,
    "transport_rule": SettingKind.TRANSPORT_RULE,
    "conn_filter": SettingKind.CONNECTION_FILTER,
}
_TENANT_ID = re.compile(r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/", re.IGNORECASE)
_MOST_FILES = 50_000
_MOST_OBJECTS = 100_000


@dataclass(frozen=True, slots=True)
class TenantReading:
    """A snapshot, the files it comes from, and sentences about what in them could not be taken as it stands."""

    snapshot: TenantSnapshot
    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _File:
    """What one file holds: its settings in order, and kinds it shows to be empty, incomplete or unreadable."""

    path: Path
    objects: list[tuple[SettingKind, dict[str, object]]] = field(default_factory=list)
    empty: set[SettingKind] = field(default_factory=set)
    failed: set[SettingKind] = field(default_factory=set)  # ScubaGear could not run the cmdlet
    continued: bool = False  # announces a further page
    tenant_id: str = ""
    problem: str = ""  # why it was passed over, where that is remarkable

    @property
    def known(self) -> bool:
        """Whether there is anything of ours in it."""
        return bool(self.objects or self.empty or self.failed)


def is_tenant_export(path: Path) -> bool:
    """Whether a file holds settings of a tenant, by its first objects or its header.

    Raises InputError for an API's error body, which is no export at all. A file that cannot be read is none.
    """
    if _empty_of(path) is not None:
        return True
    try:
        beside, items = peek_parts(path)
    except InputError:
        return False
    _refuse_error(path, items)
    return _is_ours(path, beside, items)


def _empty_of(path: Path) -> SettingKind | None:
    """What an empty set is of, by the file's name: `Get-InboundConnector | ConvertTo-Json` writes nothing at all.

    The one place where a name counts, because there is no content; the reading says so in a warning. Several kinds in
    one name say nothing.
    """
    named = [kind for kind in SettingKind if kind.noun.lower() in path.stem.lower()]
    # Every tenant has accepted domains, a configuration and a filter policy: an empty file of those is a failure.
    if len(named) != 1 or named[0] not in {SettingKind.INBOUND_CONNECTOR, SettingKind.TRANSPORT_RULE}:
        return None
    return named[0] if _is_blank(path) else None


def _is_blank(path: Path) -> bool:
    """Whether a file holds nothing, `[]`, `[null]`, `null`, or a `value` that is an empty list."""
    try:
        with path.open("rb") as handle:
            head = handle.read(4096)
        text = head.decode(detect_encoding(head), errors="replace").strip("\ufeff \t\r\n\0")
        if text in {"", "[]", "null", "[null]"}:
            return True
        if len(head) == 4096 or not text.startswith("{"):
            return False
        beside, items = peek_parts(path)
    except (InputError, OSError):
        return False
    return not items and "@odata.context" in beside


def _is_ours(path: Path, beside: Mapping[str, object], items: Sequence[Mapping[str, object]]) -> bool:
    if any(recognise_setting(item) for item in items):
        return True
    if _cmdlet(beside):
        return True
    if any(key in _SECTIONS for key in beside):  # ScubaGear's keys, or anybody's `accepted_domains`
        return _object_file(path).known
    return not items and not beside and _csv_layout(path) is not None


def read_tenant(paths: Iterable[Path] | Path, *, explicit: bool = True) -> TenantReading:
    """Read settings from files and folders (with all below them); without any file everything is unknown.

    `explicit`: a named file without settings is an error; in a folder it is passed over. Raises InputError for that,
    for damaged files, for settings that contradict each other, and for files of two tenants.
    """
    named = [paths] if isinstance(paths, Path) else list(paths)
    files = [_read_one(path, strict=explicit and path in named) for path in _files(named)]
    problems = [file.problem for file in files if file.problem]
    files = [file for file in files if file.known]
    if named and explicit and not files:
        raise InputError(", ".join(map(str, named[:3])), "no settings of a tenant", _EXPECTED)
    return _reading(files, problems)


def setting_file(paths: Iterable[Path], kind: SettingKind) -> str:
    """The name of the first file that holds settings of a kind; "" where none does."""
    for path in _files(list(paths)):
        if any(found is kind for found, _ in _read_one(path, strict=False).objects):
            return path.name
    return ""


def newest(paths: Iterable[Path]) -> list[Path]:
    """The files to read where exports of several days lie side by side: of each kind of setting the newest file.

    A connector that was deleted since would else live on in the older one.
    """
    kept, told = [], set[SettingKind]()
    for path in sorted(_files(list(paths)), key=lambda path: (path.stat().st_mtime_ns, str(path)), reverse=True):
        file = _read_one(path, strict=False)
        kinds = {*(kind for kind, _ in file.objects), *file.empty, *file.failed}
        if kinds - told:
            kept.append(path)
            told |= kinds
    return kept


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Each file once; hidden files and folders are left out."""
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise InputError(str(path), "nothing there", "a file or folder with the tenant's settings")
        for file in sorted(_below(path)) if path.is_dir() else [path]:
            if (resolved := file.resolve()) not in seen:
                seen.add(resolved)
                yield file


def _below(folder: Path) -> Iterator[Path]:
    for count, path in enumerate(folder.rglob("*")):
        if count > _MOST_FILES:
            raise InputError(str(folder), f"more than {_MOST_FILES:,} files", "a folder that holds exports")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _read_one(path: Path, *, strict: bool) -> _File:
    """A file's settings. Not strict: a file in which nothing shows that it is one of ours is passed over."""
    if not strict and _empty_of(path) is None:
        try:
            beside, items = peek_parts(path)
            _refuse_error(path, items)
        except InputError as error:  # it may have been meant as settings: say so
            return _File(path, problem=f"passed over {error}")
        if not _is_ours(path, beside, items):
            return _File(path)
    if (kind := _empty_of(path)) is not None:
        return _File(path, empty={kind}, problem=f"{path} is empty: taken as no {kind.noun}, by its name")
    layout = _csv_layout(path)
    file = _csv_file(path, layout) if layout is not None else _object_file(path)
    if strict and not file.known:
        raise InputError(str(path), _what(path), _EXPECTED)
    return file


def _what(path: Path) -> str:
    items = peek_objects(path)
    if items is None:
        return "no settings of a tenant"
    if not items:
        return "an empty set that does not say of what; add the cmdlet's name as sidedoor collect --script does"
    return f"objects with the keys {', '.join(list(items[0])[:8])}"


def _refuse_error(path: Path, items: Sequence[Mapping[str, object]]) -> None:
    """Raises InputError for `{"error": {"code": ..., "message": ...}}`, with the message that says most."""
    error = items[0].get("error") if len(items) == 1 else None
    if not isinstance(error, Mapping):
        return
    inner = error.get("innererror")
    deepest = inner.get("internalexception") if isinstance(inner, Mapping) else None
    texts = [part.get("message") for part in (deepest, error) if isinstance(part, Mapping)]
    message = next((text for text in texts if isinstance(text, str) and text), "no message")
    raise InputError(str(path), f"an API error, not an export ({error.get('code')}: {message[:200]})", _EXPECTED)


def _csv_layout(path: Path) -> Layout | None:
    """The layout of a CSV whose header is that of a setting, None for anything else."""
    try:
        with path.open("rb") as handle:
            if handle.read(4) == b"PK\x03\x04":
                return None
        layout = layout_of(path)
    except (InputError, OSError):
        return None
    header = dict.fromkeys(layout.header) if layout is not None else {}
    return layout if recognise_setting(header) else None


def _csv_file(path: Path, layout: Layout) -> _File:
    """Export-Csv: every cell is text. A row that cannot be read makes the set incomplete, so it is an error."""
    file = _File(path)
    kind = recognise_setting(dict.fromkeys(layout.header))
    for row in iter_rows(path, layout):
        if isinstance(row, RejectedRow):
            raise InputError(str(path), f"a row that cannot be read ({row.why})", "complete settings", row.row)
        if kind is not None:
            file.objects.append((kind, dict(zip(layout.header, row[1], strict=True))))
    return file


def _object_file(path: Path) -> _File:
    file = _File(path)
    if peek_objects(path, 1) is None:
        return file
    beside, items = peek_parts(path)
    _refuse_error(path, items)
    if any(key in _SECTIONS for key in beside):
        _add_sections(file)
        return file
    for number, item in iter_objects(path):
        if (kind := recognise_setting(item)) is not None:
            file.objects.append((kind, item))
        if number > _MOST_OBJECTS:
            raise InputError(str(path), f"more than {_MOST_OBJECTS:,} objects", "the settings of one tenant")
    envelope = envelope_of(path)
    cmdlet = _cmdlet(envelope)
    if cmdlet is not None and not file.objects:
        file.empty.add(cmdlet)
    context = _TENANT_ID.search(str(envelope.get("@odata.context", "")))
    file.tenant_id = context[1].lower() if context else ""
    file.continued = bool(envelope.get("@odata.nextLink"))
    return file


def _cmdlet(envelope: Mapping[str, object]) -> SettingKind | None:
    """`{"cmdlet": "Get-InboundConnector", "value": []}`: the only way for an empty set to say of what it is."""
    named = [value for key, value in envelope.items() if key.lower() in {"cmdlet", "cmdletname"}]
    return _CMDLETS.get(str(named[0]).lower()) if named else None


def _add_sections(file: _File) -> None:
    """ScubaGear: `[null]` is an empty set, unless the cmdlet is among those that failed."""
    failed = envelope_of(file.path).get("exo_unsuccessful_commands")
    names = {str(name).lower() for name in failed} if isinstance(failed, list) else set()
    for key, rows in sections_of(file.path).items():
        if (kind := _SECTIONS.get(key)) is None:
            continue
        if kind.value.lower() in names:
            file.failed.add(kind)
        elif not rows:
            file.empty.add(kind)
        file.objects.extend((kind, row) for row in rows)


def _reading(files: Sequence[_File], problems: Sequence[str]) -> TenantReading:
    merged = merge(Found(kind, item, file.path) for file in files for kind, item in file.objects)
    settings = dict(merged.settings)
    for kind in {kind for file in files for kind in file.empty}:
        settings.setdefault(kind, [])
    try:
        built = build(settings, _tenant_id(files))
    except SettingError as error:
        raise InputError(", ".join(str(file.path) for file in files), str(error), "complete settings") from error
    snapshot = _marked(built.snapshot, files)
    warnings = (*problems, *merged.warnings, *built.warnings)
    return TenantReading(snapshot, tuple(file.path for file in files), warnings)


def _tenant_id(files: Sequence[_File]) -> str:
    """The GUID that the files' `@odata.context` names. Raises InputError for two."""
    with_id = [file for file in files if file.tenant_id]
    for file in with_id[1:]:
        if file.tenant_id != with_id[0].tenant_id:
            found = f"two tenants: {with_id[0].tenant_id} in {with_id[0].path} and {file.tenant_id} here"
            raise InputError(str(file.path), found, "files of one tenant; audit one at a time")
    return with_id[0].tenant_id if with_id else ""


_PARTS: Mapping[SettingKind, str] = {
    SettingKind.ACCEPTED_DOMAIN: "accepted_domains",
    SettingKind.INBOUND_CONNECTOR: "inbound_connectors",
    SettingKind.ORGANIZATION_CONFIG: "reject_direct_send",
    SettingKind.TRANSPORT_RULE: "transport_rules",
    SettingKind.CONNECTION_FILTER: "connection_filter",
}


def _marked(snapshot: TenantSnapshot, files: Sequence[_File]) -> TenantSnapshot:
    """The snapshot with sets that are incomplete in every file that holds them made unknown."""
    changes: dict[str, Unknown] = {}
    for kind, part in _PARTS.items():
        holders = [file for file in files if any(kind is other for other, _ in file.objects) or kind in file.empty]
        if holders and all(file.continued for file in holders):
            changes[part] = Unknown(f"the export of {kind.value} announces a further page that is missing")
        elif not holders and any(kind in file.failed for file in files):
            changes[part] = Unknown(f"the export says that {kind.value} failed")
    return replace(snapshot, **changes)  # type: ignore[arg-type]  # all parts are Facts
