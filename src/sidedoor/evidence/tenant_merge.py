"""Several exports of one setting made one: alike ones are one, of two versions the newer counts, others contradict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path

from sidedoor.errors import InputError
from sidedoor.mail.fact import Unknown
from sidedoor.tenant.kinds import SettingKind
from sidedoor.tenant.settings import (
    OrganizationConfig,
    accepted_domain,
    connection_filter,
    inbound_connector,
    organization_config,
    transport_rule,
)
from sidedoor.tenant.snapshot import AcceptedDomain, TransportRule
from sidedoor.tenant.values import Fields, SettingError, destroyed

# Not part of what a setting says: when, and how well, it was exported.
_ASIDE = frozenset({"changed_at", "warnings", "lost", "settings", "told"})
_ONE = "one tenant's settings; audit one at a time"


@dataclass(frozen=True, slots=True)
class Found:
    """One exported object with its kind and the file it lies in."""

    kind: SettingKind
    item: Mapping[str, object]
    path: Path


@dataclass(frozen=True, slots=True)
class Merged:
    """Objects by kind, each once; `warnings` says where a newer version was preferred or files differ in what they
    list."""

    settings: Mapping[SettingKind, Sequence[Mapping[str, object]]]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Version:
    found: Found
    value: object
    changed_at: datetime | None
    lost: tuple[str, ...] = ()


def merge(found: Iterable[Found]) -> Merged:
    """Merge exported objects. Raises InputError for objects that lack what makes them one, contradictions, two tenants.

    Two objects are the same where kind and name are (a domain's name, without regard to case).
    """
    kept: dict[tuple[SettingKind, str], _Version] = {}
    where: dict[tuple[SettingKind, str], set[Path]] = {}
    warnings: list[str] = []
    for each in found:
        version = _version(each)
        key = (each.kind, _identity(version))
        other = kept.get(key)
        kept[key] = version if other is None else _preferred(other, version, warnings)
        where.setdefault(key, set()).add(each.path)
    _refuse_two_tenants(list(kept.values()))
    settings: dict[SettingKind, list[Mapping[str, object]]] = {}
    for (kind, _), version in kept.items():
        settings.setdefault(kind, []).append(version.found.item)
    return Merged(settings, (*warnings, *_differing_sets(where)))


def _version(found: Found) -> _Version:
    changed = Fields(found.item).moment("WhenChangedUTC", "WhenChanged")
    try:
        value = _convert(found)
    except SettingError as error:
        raise InputError(str(found.path), str(error), "complete settings as Exchange Online shows them") from error
    return _Version(found, value, changed, getattr(value, "lost", ()))


def _convert(found: Found) -> object:
    match found.kind:
        case SettingKind.ACCEPTED_DOMAIN:
            return accepted_domain(found.item)
        case SettingKind.INBOUND_CONNECTOR:
            return inbound_connector(found.item)
        case SettingKind.ORGANIZATION_CONFIG:
            return organization_config(found.item)
        case SettingKind.TRANSPORT_RULE:
            return transport_rule(found.item)
        case SettingKind.CONNECTION_FILTER:
            return connection_filter([found.item])[0]


def _identity(version: _Version) -> str:
    """What tells two objects of a kind apart; a tenant has one organisation config."""
    if version.found.kind is SettingKind.ORGANIZATION_CONFIG:
        return ""
    if isinstance(version.value, AcceptedDomain):
        return version.value.domain.ascii
    fields_ = Fields(version.found.item)
    return (fields_.text("Name") or fields_.text("Identity")).casefold()


def _preferred(one: _Version, other: _Version, warnings: list[str]) -> _Version:
    """The version that counts: the newer; of the same age the one that tells more."""
    if isinstance(one.value, OrganizationConfig) and isinstance(other.value, OrganizationConfig):
        _refuse_two_names(one, other)
    conflict = _conflict(one.value, other.value)
    if one.changed_at and other.changed_at and abs((one.changed_at - other.changed_at).total_seconds()) >= 1:
        newer, older = (other, one) if other.changed_at > one.changed_at else (one, other)
        if conflict:
            warnings.append(_outdated(newer, older, conflict))
        return newer
    if conflict and not one.lost and not other.lost:
        found = f"{_title(other)} that contradicts {one.found.path} in {', '.join(conflict)}"
        raise InputError(str(other.found.path), found, "exports that agree, or tell when each was changed")
    return min((one, other), key=_unknowns)


def _outdated(newer: _Version, older: _Version, conflict: Sequence[str]) -> str:
    age = f"{newer.changed_at:%Y-%m-%d %H:%M} UTC" if newer.changed_at else "later"
    what = ", ".join(conflict)
    return f"{_title(newer)} differs in {what}: {newer.found.path} (changed {age}) counts, not {older.found.path}"


def _title(version: _Version) -> str:
    noun = version.found.kind.noun
    name = Fields(version.found.item).text("Name") or _identity(version)
    return f"{noun} {name[:80]!r}"


def _conflict(one: object, other: object) -> tuple[str, ...]:
    """Names of fields in which both are known and differ."""
    if not is_dataclass(one) or not is_dataclass(other) or isinstance(one, Unknown) or isinstance(other, Unknown):
        return ()
    pairs = [(f.name, getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.name not in _ASIDE]
    return tuple(name for name, a, b in pairs if a != b and not isinstance(a, Unknown) and not isinstance(b, Unknown))


def _unknowns(version: _Version) -> int:
    """How much an export leaves open."""
    value = version.value
    if isinstance(value, Unknown) or not is_dataclass(value):
        return 100
    if isinstance(value, TransportRule):  # Export-Csv destroys lists, Select-Object leaves conditions out
        lost = sum(isinstance(each, str) and destroyed(each) for each in value.settings.values())
        return 1_000 * lost - len(value.told or ())
    return len(version.lost) * 10 + sum(isinstance(getattr(value, f.name), Unknown) for f in fields(value))


def _refuse_two_names(one: _Version, other: _Version) -> None:
    names = [getattr(version.value, "name", "") for version in (one, other)]
    if all(names) and names[0] != names[1]:
        _refuse(one, names[0], other, names[1])


def _refuse_two_tenants(versions: Sequence[_Version]) -> None:
    """A tenant has one initial domain, and its organisation config is named after it."""
    initial = [
        (version, str(version.value.domain))
        for version in versions
        if isinstance(version.value, AcceptedDomain) and version.value.is_initial
    ]
    for version, name in initial[1:]:
        _refuse(initial[0][0], initial[0][1], version, name)
    configs = [version for version in versions if isinstance(version.value, OrganizationConfig)]
    for config in configs:
        name = getattr(config.value, "name", "")
        if initial and name.endswith(".onmicrosoft.com") and name != initial[0][1]:
            _refuse(initial[0][0], initial[0][1], config, name)


def _refuse(one: _Version, name: str, other: _Version, other_name: str) -> None:
    found = f"two tenants: {name} in {one.found.path} and {other_name} in {other.found.path}"
    raise InputError(str(other.found.path), found, _ONE)


def _differing_sets(where: Mapping[tuple[SettingKind, str], set[Path]]) -> list[str]:
    """A warning for each object that one of two overlapping files lists: it may have been added or removed in between.

    Files that share no object are pages, or one object each.
    """
    holders: dict[SettingKind, set[Path]] = {}
    for (kind, _), paths in where.items():
        holders.setdefault(kind, set()).update(paths)
    overlapping = {(kind, one, other) for (kind, _), paths in where.items() for one in paths for other in paths}
    found = []
    for (kind, name), paths in where.items():
        silent = holders[kind] - paths
        if without := sorted(other for other in silent if any((kind, one, other) in overlapping for one in paths)):
            found.append(f"{kind.noun} {name!r} is in {min(paths)} but not in {without[0]}; taken as existing")
    return found
