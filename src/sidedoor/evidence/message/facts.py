"""From the fields of one message to its facts, each with how sure it is. `read_message` is the way in.

Position alone does not tell who wrote a field: Exchange Online puts Received, Authentication-Results and Received-SPF
on top, and its `X-MS-Exchange-` fields behind the author's. So trace fields are believed above the boundary only, and
the service's own names wherever they stand, because it takes them out of what comes in (Exchange Team, "Demystifying
and troubleshooting hybrid mail flow", on the header firewall), but only where they agree with each other, and only
where the newest Received line is the service's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Never, TypeVar

from sidedoor.evidence.message.model import HeaderField, Hop, Sureness, Told
from sidedoor.mail.fact import Fact, Unknown

T = TypeVar("T")

_ORGANIZATION = "x-ms-exchange-organization-"
_CROSS_TENANT = "x-ms-exchange-crosstenant-"
_OWNED = frozenset(
    {
        "x-forefront-antispam-report",
        "x-microsoft-antispam",
        "x-microsoft-antispam-mailbox-delivery",
        "x-eoptenantattributedmessage",
        "x-ms-office365-filtering-correlation-id",
        "return-path",
    }
)


@dataclass(frozen=True, slots=True)
class Header:
    """A header's fields by name, with its hops and the boundary."""

    by_name: Mapping[str, Sequence[HeaderField]]
    hops: Sequence[Hop]
    boundary: Fact[int]
    boundary_line: int  # 0 where there is no boundary, so that nothing stands above it

    @property
    def entry(self) -> Hop | None:
        """The line at the boundary."""
        return self.hops[self.boundary] if isinstance(self.boundary, int) else None

    def all(self, *names: str) -> list[HeaderField]:
        """Every field of the given names (in lower case), in order of the names."""
        return [field for name in names for field in self.by_name.get(name, ())]

    def sureness(self, field: HeaderField) -> Sureness:
        """How far a field can be believed, by its name and its place."""
        if not self.boundary_line:
            return Sureness.CLAIMED
        if field.line < self.boundary_line:
            return Sureness.CERTAIN
        return Sureness.LIKELY if _owned(field.name) else Sureness.CLAIMED

    def author(self, name: str, read: Callable[[str], T | None]) -> Told[T]:
        """What the author wrote into a field: always no more than a claim, and all there is to know about it."""
        fields = self.by_name.get(name)
        if not fields:
            return _missing(name)
        for field in fields:
            value = read(field.value)
            if value is not None:
                return Told(value, Sureness.CLAIMED, field.name, field.line)
        return unknown(f"the field {fields[0].name} cannot be read")

    def service(self, read: Callable[[str], T | None], *names: str) -> Told[T]:
        """What the service wrote into one of several fields, the best first.

        Unknown where copies of one field contradict each other: one of them is forged, and nobody can tell which.
        """
        for name in names:
            fields = self.by_name.get(name)
            if not fields:
                continue
            if len(fields) == 1:
                field, value = fields[0], read(fields[0].value)
                if value is not None:
                    return Told(value, self.sureness(field), field.name, field.line)
                continue
            told = [(value, field) for field in fields if (value := read(field.value)) is not None]
            if not told:
                continue
            value, field = told[0]
            if any(other != value for other, _ in told):
                why = f"{len(told)} fields {field.name} contradict each other"
                return Told(Unknown(why), Sureness.CLAIMED, field.name, field.line)
            return Told(value, self.sureness(field), field.name, field.line)
        return _missing(names[0])


@lru_cache(maxsize=256)
def _owned(name: str) -> bool:
    """Whether a field is one that the service takes out of what comes in."""
    folded = name.lower()
    return folded.startswith((_ORGANIZATION, _CROSS_TENANT)) or folded in _OWNED


@lru_cache(maxsize=256)
def _missing(name: str) -> Told[Never]:
    return Told(Unknown(f"there is no field {name}"), Sureness.CLAIMED)


def header_of(fields: Sequence[HeaderField], hops: Sequence[Hop], boundary: Fact[int]) -> Header:
    """The fields by lower-case name."""
    by_name: dict[str, list[HeaderField]] = {}
    for field in fields:
        by_name.setdefault(field.name.lower(), []).append(field)
    line = hops[boundary].line if isinstance(boundary, int) else 0
    return Header(by_name, hops, boundary, line)


def believed(told: Told[T]) -> T | None:
    """The value where the service vouches for it and it is known; None otherwise."""
    return told.value if told.believed and not isinstance(told.value, Unknown) else None


def unknown(why: str) -> Told[T]:
    """No fact, and why."""
    return Told(Unknown(why), Sureness.CLAIMED)
