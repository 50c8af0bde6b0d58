"""plan.toml: what a person knows or has decided about a sender, a relay, or the filter. It outweighs all evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sidedoor.audit.model import Verdict
from sidedoor.mail.address import AddressError, parse_address
from sidedoor.mail.network import IPNetwork, NetworkError, parse_network
from sidedoor.plan.model import Method
from sidedoor.toml_file import Keys, TomlFile, TomlValueError, domain_name, flag, one_of
from sidedoor.toml_file import text as any_text

_MOST_BYTES = 16 << 20
_WIDEST = 16  # 256 ranges of a connector's; whoever says more means something else
_WHAT = "a plan.toml (docs/plan.md)"


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
        return TomlFile(self.text, self.path, _WHAT).line("senders", sender) if self.text else None


NO_WORDS = Words()


def _owner(value: object) -> str:
    try:
        return str(parse_address(any_text(value)))
    except AddressError as error:
        raise TomlValueError(value, "a mail address") from error


def _certificate(value: object) -> str:
    """TlsSenderCertificateName: a domain name, or one with a leading wildcard."""
    name = any_text(value).strip()
    return ("*." if name.startswith("*.") else "") + domain_name(name.removeprefix("*."))


def _networks(value: object) -> tuple[IPNetwork, ...]:
    expected = "a list of IPv4 addresses or networks from /16 to /32"
    if not isinstance(value, list) or len(value) > 10_000:
        raise TomlValueError(value, expected)
    try:
        found = tuple(parse_network(any_text(item)) for item in value)
    except NetworkError as error:
        raise TomlValueError(str(error)[:60], expected) from error
    for network in found:
        # New-InboundConnector -SenderIPAddresses takes IPv4 only, and /24 at most: a wider one becomes many of them.
        if network.version != 4 or network.prefixlen < _WIDEST:
            raise TomlValueError(str(network), expected)
    return found


_NO_CHOICE = {Method.UNDECIDED, Method.UNSAVABLE}  # what a plan says of a sender, nobody decides


def _method(value: object) -> Method:
    try:
        found = Method(str(value))
    except ValueError:
        found = Method.UNDECIDED
    if found in _NO_CHOICE:
        raise TomlValueError(value, "one of " + ", ".join(method for method in Method if method not in _NO_CHOICE))
    return found


_SENDER: Keys = {
    "method": _method,
    "assessment": one_of(Verdict),
    "owner": _owner,
    "external": flag,
    "fixed": flag,
    "shared": flag,
    "certificate": _certificate,
    "addresses": _networks,
    "return_path": domain_name,
    "relay": any_text,
    "note": any_text,
}
_RELAY: Keys = {
    "addresses": _networks, "certificate": _certificate, "external": flag,
}  # fmt: skip
_FILTER: Keys = {
    "stage": one_of(FilterStage), "certificate": _certificate, "addresses": _networks,
}  # fmt: skip


def read_words(path: Path) -> Words:
    """Read plan.toml. Raises InputError that names the line where it can be found."""
    return _words(TomlFile.read(path, _WHAT, _MOST_BYTES))


def parse_words(text: str, path: str) -> Words:
    """The words of a plan.toml's text. Raises InputError."""
    return _words(TomlFile(text, path, _WHAT))


def _words(file: TomlFile) -> Words:
    file.only(("senders", "relays", "filter"))
    return Words(
        {name: SenderWord(**values) for name, values in _tables(file, "senders", _SENDER)},
        {name: RelayWord(**values) for name, values in _tables(file, "relays", _RELAY)},
        FilterWord(**file.part("filter", _FILTER)),
        file.path,
        file.text,
    )


def _tables(file: TomlFile, name: str, keys: Keys) -> list[tuple[str, dict[str, Any]]]:
    found = file.body.get(name, {})
    if not isinstance(found, dict):
        raise file.error((name,), "no table", f"[{name}.ID] tables")
    return [(key, file.table((name, key), value, keys)) for key, value in found.items()]
