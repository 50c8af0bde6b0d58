"""The grammar of SPF records (RFC 7208 sections 4.6.1 and 12). Nothing here asks DNS."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from sidedoor.mailauth.spf.macro import MACRO_STRING, MacroError, parse_domain_spec
from sidedoor.mailauth.spf.terms import (
    All,
    Exists,
    Host,
    Include,
    Mechanism,
    Network,
    OtherModifier,
    Ptr,
    Qualifier,
    Record,
    Redirect,
    Term,
)

_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE | re.ASCII)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>.*)", re.IGNORECASE | re.ASCII)
_MECHANISM = re.compile(r"(?P<qualifier>[+?~-]?)(?P<name>[a-z][a-z0-9]*)(?P<rest>[:/].*)?", re.IGNORECASE | re.ASCII)
_DUAL = re.compile(r"(?P<domain>.*?)(?:/(?P<four>0|[1-9][0-9]?))?(?://(?P<six>0|[1-9][0-9]{0,2}))?")
_PREFIX = {4: re.compile(r"0|[1-9][0-9]?"), 6: re.compile(r"0|[1-9][0-9]{0,2}")}


class SpfSyntaxError(ValueError):
    """The record breaks the grammar; the message names the term. The result is permerror (section 4.6)."""


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record at all (section 4.5): `v=spf10` is none."""
    return _VERSION.match(text) is not None


def parse_spf(text: str) -> Record:
    """Parse one record, `v=spf1 ...`. Raises SpfSyntaxError wherever in the record the fault is (section 4.6)."""
    if not is_spf(text):
        raise SpfSyntaxError(f"{text[:40]!r} does not begin with v=spf1")
    terms = tuple(_term(word) for word in text[6:].split(" ") if word)
    for name in ("redirect", "exp"):
        if sum(_modifier_name(term) == name for term in terms) > 1:
            raise SpfSyntaxError(f"{name}= stands more than once")  # section 6
    return Record(terms)


def _modifier_name(term: Term) -> str:
    if isinstance(term, Redirect):
        return "redirect"
    return term.name if isinstance(term, OtherModifier) else ""


def _term(word: str) -> Term:
    modifier = _MODIFIER.fullmatch(word)
    try:
        return _modifier(modifier) if modifier else _mechanism(word)
    except (MacroError, ipaddress.AddressValueError) as error:
        raise SpfSyntaxError(f"in {word[:80]!r}: {error}") from error


def _modifier(match: re.Match[str]) -> Term:
    name = match["name"].lower()
    if name == "redirect":
        return Redirect(parse_domain_spec(match["value"]))
    if name == "exp":
        return OtherModifier(name, parse_domain_spec(match["value"]).text)
    if not MACRO_STRING.fullmatch(match["value"]):
        raise SpfSyntaxError(f"the value of {match['name'][:40]!r} is no macro string")
    return OtherModifier(match["name"], match["value"])


def _mechanism(word: str) -> Mechanism:
    match = _MECHANISM.fullmatch(word)
    build = _BUILDERS.get(match["name"].lower()) if match else None
    if match is None or build is None:
        raise SpfSyntaxError(f"{word[:80]!r} is no mechanism")
    return build(match["name"].lower(), Qualifier(match["qualifier"] or "+"), match["rest"] or "")


def _all(name: str, qualifier: Qualifier, rest: str) -> Mechanism:
    if rest:
        raise SpfSyntaxError(f"{name}{rest[:80]}: nothing may follow {name}")
    return All(qualifier)


def _include(_: str, qualifier: Qualifier, rest: str) -> Mechanism:
    return Include(qualifier, parse_domain_spec(_argument(rest)))


def _exists(_: str, qualifier: Qualifier, rest: str) -> Mechanism:
    return Exists(qualifier, parse_domain_spec(_argument(rest)))


def _ptr(_: str, qualifier: Qualifier, rest: str) -> Mechanism:
    return Ptr(qualifier, parse_domain_spec(_argument(rest)) if rest else None)


def _host(name: str, qualifier: Qualifier, rest: str) -> Mechanism:
    match = _DUAL.fullmatch(rest)
    if match is None:
        raise SpfSyntaxError(f"{name}{rest[:80]}: no domain with prefix lengths")
    prefix4, prefix6 = int(match["four"] or 32), int(match["six"] or 128)
    if match["domain"].startswith("/") or prefix4 > 32 or prefix6 > 128:
        raise SpfSyntaxError(f"{name}{rest[:80]}: no prefix length")
    target = parse_domain_spec(_argument(match["domain"])) if match["domain"] else None
    return Host(name, qualifier, target, prefix4, prefix6)


def _network(name: str, qualifier: Qualifier, rest: str) -> Mechanism:
    version = int(name[-1])
    text, slash, length = _argument(rest).partition("/")
    most = 32 if version == 4 else 128
    if slash and not (_PREFIX[version].fullmatch(length) and int(length) <= most):
        raise SpfSyntaxError(f"{name}{rest[:80]}: /{length[:20]} is no prefix length")
    prefix = int(length) if slash else most
    if version == 4:
        return Network(qualifier, ipaddress.IPv4Network((ipaddress.IPv4Address(text), prefix), strict=False))
    if "%" in text:
        raise SpfSyntaxError(f"{name}{rest[:80]}: a zone id is no part of an address")
    return Network(qualifier, ipaddress.IPv6Network((ipaddress.IPv6Address(text), prefix), strict=False))


def _argument(rest: str) -> str:
    """What follows the colon."""
    if not rest.startswith(":") or rest == ":":
        raise SpfSyntaxError(f"{rest[:80]!r} where a colon and an argument belong")
    return rest[1:]


_BUILDERS: dict[str, Callable[[str, Qualifier, str], Mechanism]] = {
    "all": _all,
    "include": _include,
    "a": _host,
    "mx": _host,
    "ptr": _ptr,
    "ip4": _network,
    "ip6": _network,
    "exists": _exists,
}
