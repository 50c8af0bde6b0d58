"""Parameters of cmdlets: their types, and what the service refuses in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Network

from sidedoor.edge.admin.errors import bad_parameter
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mail.network import NetworkError, parse_network

_MOST_TEXT = 1_024
_MOST_LIST = 1_000
_MOST_NAME = 64
_INT32 = range(-(1 << 31), 1 << 31)
_WIDEST = 24  # New-InboundConnector, SenderIPAddresses: IPv4, single or /24 to /32
_PATTERN = re.compile(r"(?:smtp:)?(?P<domain>\*|(?:\*\.)?[^;*]{1,253})(?:;(?P<cost>\d{1,3}))?", re.IGNORECASE)


def text(name: str, value: object) -> str:
    """A string of at most 1,024 characters."""
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise bad_parameter(name, "Expected a string of at most 1024 characters.")
    if any("\ud800" <= each <= "\udfff" for each in value):
        raise bad_parameter(name, "The string holds half a character.")
    return value


def name(parameter: str, value: object) -> str:
    """Of a thing: not blank, at most 64 characters. Any character is one; a name is never a command."""
    found = text(parameter, value)
    if not found.strip() or len(found) > _MOST_NAME:
        raise bad_parameter(parameter, "The length of the property must be between 1 and 64 characters.")
    return found


def certificate_name(parameter: str, value: object) -> str | None:
    """A host name, a wildcard only as its leftmost label (New-InboundConnector); None and "" are none."""
    found = None if value is None else text(parameter, value).strip()
    if not found:
        return None
    if not _is_domain(found.removeprefix("*.")):
        raise bad_parameter(parameter, f"'{found}' isn't a valid certificate name.")
    return found


def truth(name: str, value: object) -> bool:
    """A boolean, as JSON has it."""
    if not isinstance(value, bool):
        raise bad_parameter(name, 'Cannot convert the value to type "System.Boolean".')
    return value


def whole(name: str, value: object) -> int:
    """An integer; PowerShell takes digits in a string too."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value not in _INT32:
        raise bad_parameter(name, 'Cannot convert the value to type "System.Int32".')
    return value


def texts(name: str, value: object) -> list[str]:
    """A list of strings; one string is a list of one."""
    found = [value] if isinstance(value, str) else value
    if found is None:
        return []
    if not isinstance(found, Sequence) or len(found) > _MOST_LIST:
        raise bad_parameter(name, "Expected a list of at most 1000 strings.")
    return [text(name, each) for each in found]


def sender_networks(name: str, value: object) -> list[str]:
    """IPv4 addresses, or networks of /24 to /32; IPv6 is refused."""
    found = texts(name, value)
    for each in found:
        try:
            network = parse_network(each)
        except NetworkError as error:
            raise bad_parameter(name, f"'{each}' isn't a valid IP address or range.") from error
        if not isinstance(network, IPv4Network):
            raise bad_parameter(name, f"'{each}': IPv6 addresses aren't supported in an inbound connector.")
        if network.prefixlen < _WIDEST:
            raise bad_parameter(name, f"'{each}': the CIDR range must be between /24 and /32.")
    return found


def sender_domains(name: str, value: object) -> list[str]:
    """`contoso.com`, `*.contoso.com`, `*` or `smtp:*;1`; written as the service shows them: `smtp:contoso.com;1`."""
    found = []
    for each in texts(name, value):
        match = _PATTERN.fullmatch(each.strip())
        if match is None or not (match["domain"] == "*" or _is_domain(match["domain"].removeprefix("*."))):
            raise bad_parameter(name, f"'{each}' isn't a valid SMTP domain.")
        found.append(f"smtp:{match['domain']};{match['cost'] or 1}")
    return found


def _is_domain(name: str) -> bool:
    try:
        parse_domain(name)
    except DomainError:
        return False
    return True


def choice(*names: str) -> Callable[[str, object], str]:
    """One of the names, whatever the case."""
    known = {name.casefold(): name for name in names}

    def check(name: str, value: object) -> str:
        found = known.get(text(name, value).casefold())
        if found is None:
            raise bad_parameter(name, f"Specify one of: {', '.join(names)}.")
        return found

    return check


def choices(*names: str) -> Callable[[str, object], list[str]]:
    """Any of the names, whatever the case; one string is a list of one."""
    each = choice(*names)
    return lambda name, value: [each(name, one) for one in texts(name, value)]


def moment(name: str, value: object) -> datetime:
    """A time; without a zone it is UTC, as the service takes it."""
    try:
        found = datetime.fromisoformat(text(name, value))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise bad_parameter(name, 'Cannot convert the value to type "System.DateTime".') from error


Check = Callable[[str, object], object]


def checked(given: Mapping[str, object], known: Mapping[str, Check]) -> dict[str, object]:
    """The parameters by their own spelling, checked; one that is not known is refused as PowerShell does."""
    spelled = {name.casefold(): name for name in known}
    found: dict[str, object] = {}
    for key, value in given.items():
        if "@" in key:
            continue
        name = spelled.get(key.casefold())
        if name is None:
            raise bad_parameter(key[:100], f"A parameter cannot be found that matches parameter name '{key[:100]}'.")
        found[name] = known[name](name, value)
    return found
