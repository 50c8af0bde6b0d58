"""plan.toml: what a person knows or has decided about a sender, a relay, or the filter. It outweighs all evidence."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from sidedoor.audit.model import Verdict
from sidedoor.errors import InputError
from sidedoor.mail.address import AddressError, parse_address
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mail.network import IPNetwork, NetworkError, parse_network
from sidedoor.plan.model import Method

_MOST_BYTES = 16 << 20
_WIDEST = 16  # 256 ranges of a connector's; whoever says more means something else
T = TypeVar("T")


class FilterStage(StrEnum):
    """What is done against mail that goes round the filter; members as they stand in plan.toml."""

    AUTO = "auto"  # the lock-down where the filter's identity is known and no honest mail is refused, else the rule
    LOCKDOWN = "lockdown"  # the `*` connector
    TAG = "tag"  # a transport rule that marks
    QUARANTINE = "quarantine"  # a transport rule that holds
    NONE = "none"  # nothing


@dataclass(frozen=True, slots=True)
class SenderWord:
    """What is said of one sender; None and () where nothing is.

    external: it mails people outside. fixed: its addresses stay. shared: strangers send from them too. addresses: the
    ranges to put into a connector in place of those seen. certificate: the name its TLS client certificate has.
    """

    method: Method | None = None
    assessment: Verdict | None = None
    owner: str | None = None
    external: bool | None = None
    fixed: bool | None = None
    shared: bool | None = None
    certificate: str | None = None
    addresses: tuple[IPNetwork, ...] = ()
    return_path: str | None = None
    relay: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RelayWord:
    """A relay of the organisation that hands mail to port 25 itself. external: for recipients outside as well."""

    addresses: tuple[IPNetwork, ...] = ()
    certificate: str | None = None
    external: bool = False


@dataclass(frozen=True, slots=True)
class FilterWord:
    """The filter in front: how it is known, and what to do about mail beside it."""

    stage: FilterStage = FilterStage.AUTO
    certificate: str | None = None
    addresses: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """The whole file. `path` for messages about it; "" where there is none. `text`: as it was read."""

    senders: Mapping[str, SenderWord] = field(default_factory=dict)
    relays: Mapping[str, RelayWord] = field(default_factory=dict)
    filter: FilterWord = FilterWord()
    path: str = ""
    text: str = ""

    def of(self, sender: str) -> SenderWord:
        """What is said of a sender, by its id."""
        return self.senders.get(sender, SenderWord())

    def line_of(self, sender: str) -> int | None:
        """The line on which a sender is named, from 1."""
        return _Reader(self.text, self.path).line("senders", sender) if self.text else None


NO_WORDS = Words()


class _WordError(ValueError):
    """`found` and `expected` of one key."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found)
        self.found, self.expected = found, expected


def _one_of(kind: Callable[[Any], T], names: str) -> Callable[[object], T]:
    def convert(value: object) -> T:
        try:
            return kind(value)
        except ValueError:
            raise _WordError(repr(value)[:60], f"one of {names}") from None

    return convert


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WordError(repr(value)[:60], "true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise _WordError(repr(value)[:60], "a text")
    return value


def _owner(value: object) -> str:
    try:
        return str(parse_address(_text(value)))
    except AddressError as error:
        raise _WordError(repr(value)[:60], "a mail address") from error


def _domain_name(value: object) -> str:
    try:
        return parse_domain(_text(value)).ascii
    except DomainError as error:
        raise _WordError(repr(value)[:60], "a domain name") from error


def _certificate(value: object) -> str:
    """TlsSenderCertificateName: a domain name, or one with a leading wildcard."""
    name = _text(value).strip()
    return ("*." if name.startswith("*.") else "") + _domain_name(name.removeprefix("*."))


def _networks(value: object) -> tuple[IPNetwork, ...]:
    expected = "a list of IPv4 addresses or networks from /16 to /32"
    if not isinstance(value, list) or len(value) > 10_000:
        raise _WordError(repr(value)[:60], expected)
    try:
        found = tuple(parse_network(_text(item)) for item in value)
    except NetworkError as error:
        raise _WordError(str(error)[:60], expected) from error
    for network in found:
        # New-InboundConnector -SenderIPAddresses takes IPv4 only, and /24 at most: a wider one becomes many of them.
        if network.version != 4 or network.prefixlen < _WIDEST:
            raise _WordError(str(network), expected)
    return found


_METHODS = ", ".join(method for method in Method if method not in {Method.UNDECIDED, Method.UNSAVABLE})


def _method(value: object) -> Method:
    found = _one_of(Method, _METHODS)(value)
    if found in {Method.UNDECIDED, Method.UNSAVABLE}:
        raise _WordError(repr(value)[:60], f"one of {_METHODS}")
    return found


_SENDER: Mapping[str, Callable[[object], object]] = {
    "method": _method,
    "assessment": _one_of(Verdict, ", ".join(word.value for word in Verdict)),
    "owner": _owner,
    "external": _flag,
    "fixed": _flag,
    "shared": _flag,
    "certificate": _certificate,
    "addresses": _networks,
    "return_path": _domain_name,
    "relay": _text,
    "note": _text,
}
_RELAY: Mapping[str, Callable[[object], object]] = {
    "addresses": _networks, "certificate": _certificate, "external": _flag,
}  # fmt: skip
_FILTER: Mapping[str, Callable[[object], object]] = {
    "stage": _one_of(FilterStage, ", ".join(FilterStage)), "certificate": _certificate, "addresses": _networks,
}  # fmt: skip


def read_words(path: Path) -> Words:
    """Read plan.toml. Raises InputError that names the line where it can be found."""
    try:
        data = path.read_bytes()[: _MOST_BYTES + 1]
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(str(path), f"nothing to read ({error.strerror})", "a plan.toml (docs/plan.md)") from error
    except UnicodeDecodeError as error:
        raise InputError(str(path), "no UTF-8", "a plan.toml (docs/plan.md)") from error
    if len(data) > _MOST_BYTES:
        raise InputError(str(path), "more than 16 MB", "a plan.toml (docs/plan.md)")
    return parse_words(text, str(path))


def parse_words(text: str, path: str) -> Words:
    """The words of a plan.toml's text. Raises InputError."""
    try:
        body = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        match = re.search(r"line (\d+)", str(error))
        line = int(match[1]) if match else None
        raise InputError(path, f"no TOML ({str(error)[:100]})", "TOML (docs/plan.md)", line) from error
    reader = _Reader(text, path)
    strange = sorted(body.keys() - {"senders", "relays", "filter"})
    if strange:
        raise reader.error((strange[0],), f"the key {strange[0][:60]!r}", "senders, relays or filter")
    return Words(
        {name: SenderWord(**values) for name, values in reader.tables(body, "senders", _SENDER)},
        {name: RelayWord(**values) for name, values in reader.tables(body, "relays", _RELAY)},
        FilterWord(**reader.table(("filter",), body.get("filter", {}), _FILTER)),
        path,
        text,
    )


class _Reader:
    """Tables of one file; `error` finds the line that a key stands on."""

    def __init__(self, text: str, path: str) -> None:
        self._lines, self._path = text.splitlines(), path

    def tables(
        self, body: Mapping[str, Any], name: str, keys: Mapping[str, Callable[[object], object]]
    ) -> list[tuple[str, dict[str, Any]]]:
        found = body.get(name, {})
        if not isinstance(found, dict):
            raise self.error((name,), "no table", f"[{name}.ID] tables")
        return [(key, self.table((name, key), value, keys)) for key, value in found.items()]

    def table(
        self, where: tuple[str, ...], value: object, keys: Mapping[str, Callable[[object], object]]
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(where, repr(value)[:60], f"a table [{'.'.join(where)}]")
        made = {}
        for key, item in value.items():
            if key not in keys:
                raise self.error((*where, key), f"the key {key[:60]!r}", ", ".join(keys))
            try:
                made[key] = keys[key](item)
            except _WordError as error:
                raise self.error((*where, key), f"{key} = {error.found}", error.expected) from error
        return made

    def error(self, where: tuple[str, ...], found: str, expected: str) -> InputError:
        """An error at the line of a key."""
        return InputError(self._path, found, expected, self.line(*where))

    def line(self, *where: str) -> int:
        """The key's line, from 1: after the header of its table, where the file is written with headers."""
        start = 0
        for depth in range(len(where), 0, -1):
            header = re.compile(r"\s*\[\s*" + r"\s*\.\s*".join(_quoted(part) for part in where[:depth]) + r"\s*\]")
            at = next((number for number, line in enumerate(self._lines) if header.match(line)), None)
            if at is not None:
                start = at
                break
        key = re.compile(rf"\s*{_quoted(where[-1])}\s*=")
        return next((number for number in range(start, len(self._lines)) if key.match(self._lines[number])), start) + 1


def _quoted(part: str) -> str:
    return rf"[\"']?{re.escape(part)}[\"']?"
