"""What is wrong with a record, or will surprise somebody, in plain words and with what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from sidedoor.mailauth.spf.addresses import SpfSet
from sidedoor.mailauth.spf.evidence import SpfWarningId
from sidedoor.mailauth.spf.terms import Network, Ptr, SpfResult
from sidedoor.mailauth.spf.tree import Branch, unmet
from sidedoor.mailauth.spf.walk import MAX_LOOKUPS

_CONNECTOR_PREFIX = 24  # New-InboundConnector -SenderIPAddresses: one IPv4 address, or CIDR /24 to /32
_MOST_NAMED = 3
# Exchange Online's own addresses: nobody makes a connector for them.
_EXCHANGE_ONLINE = frozenset({"spf.protection.outlook.com"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark about the record of `domain`: a stable id, what is so, and what to do about it."""

    id: str
    domain: str
    text: str
    advice: str


_ADVICE = MappingProxyType(
    {
        SpfWarningId.ALLOWS_ALL: "Take it out: with it SPF passes for everybody, attackers included.",
        SpfWarningId.WIDE_NETWORK: "List the addresses that send for you; nobody owns so many for mail alone.",
        SpfWarningId.SEVERAL_RECORDS: "Merge them into one TXT record; with several, SPF is an error for all mail.",
        SpfWarningId.SYNTAX: "Correct the record; until then SPF is an error for all mail.",
        SpfWarningId.NO_RECORD: "Remove the term, or correct its name; until then SPF is an error for all mail that "
        "no earlier term passes.",
        SpfWarningId.MANY_LOOKUPS: "Remove services that no longer send, replace a and mx by ip4, or move a service "
        "to a subdomain; until then SPF is an error for all mail that no earlier term passes.",
        SpfWarningId.VOID_LOOKUP: "Remove the term; the third look-up that comes back empty makes SPF an error.",
        SpfWarningId.MANY_MX: "Name the sending hosts by ip4 in place of mx.",
        SpfWarningId.NEEDS_MESSAGE: "That is no mistake. --covers evaluates it for one address, with "
        "--sender and --helo where it asks for them.",
        SpfWarningId.NO_ANSWER: "Try again later. If it stays so, ask whoever runs that name server.",
        SpfWarningId.TOO_COMPLEX: "No honest record is like this; find out who published it.",
    }
)


def findings(spf: SpfSet, tree: Branch) -> tuple[Finding, ...]:
    """All remarks, those of evaluation first. Texts hold names from DNS: make them printable before you show them."""
    return (*_from_warnings(spf, tree), *_from_tree(tree))


def _from_warnings(spf: SpfSet, tree: Branch) -> Iterator[Finding]:
    for warning in spf.warnings:
        text, advice = warning.text, _ADVICE[warning.id]
        if warning.id is SpfWarningId.NEEDS_MESSAGE and "ptr" in warning.term.lower().split(":")[0]:
            continue  # has a remark of its own
        if warning.id is SpfWarningId.VOID_LOOKUP and " AAAA of " in text:
            advice = "It counts for clients on IPv6 only; the third that comes back empty makes SPF an error for them."
        elif warning.id is SpfWarningId.NO_ANSWER and warning.domain != spf.domain:
            text = f"{warning.domain} could not be looked into: {text}"
        elif warning.id is SpfWarningId.MANY_LOOKUPS:
            spent = ", ".join(f"{branch.term} {branch.lookups}" for branch in tree.branches)
            text = f"{text}; {tree.lookups} of {MAX_LOOKUPS} are spent" + (f": {spent}" if spent else "")
        elif warning.id is SpfWarningId.ALLOWS_ALL:
            text = f"{warning.term} of {warning.domain}: {text}"
        yield Finding(warning.id.value, warning.domain, text, advice)


def _from_tree(tree: Branch) -> Iterator[Finding]:
    for branch in tree.walk():
        if branch.record is not None:
            yield from _of_terms(branch) if branch.owner is None else ()
            yield from _of_pointers(branch)
            yield from _of_connectors(branch) if branch.domain not in _EXCHANGE_ONLINE else ()


def _of_terms(branch: Branch) -> Iterator[Finding]:
    """What the domain's owner can tidy up."""
    record = branch.record
    assert record is not None
    if lost := unmet(record):
        named = ", ".join(map(str, lost[:_MOST_NAMED])) + (" and more" if len(lost) > _MOST_NAMED else "")
        text = f"{named} of {branch.domain} never counts: evaluation ends at all before"
        yield Finding("spf-after-all", branch.domain, text, "Move all to the end, or take out what it cuts off.")
    twice = [text for text, times in Counter(str(term) for term in record.mechanisms).items() if times > 1]
    for text in twice[:_MOST_NAMED]:
        yield Finding(
            "spf-twice", branch.domain, f"{text} stands in the record of {branch.domain} more than once",
            "Keep one; the other only costs room, and a look-up where it asks DNS.",
        )  # fmt: skip
    for each in branch.branches:
        if not each.trouble and not (each.covered.ip4 or each.covered.ip6_64s) and each.term.startswith("include:"):
            yield Finding(
                "spf-adds-nothing", branch.domain, f"no address passes by {each.term} alone",
                "Look whether it is still needed: terms before it cover its addresses, or it has none, or it hangs "
                "on the message.",
            )  # fmt: skip


def _of_pointers(branch: Branch) -> Iterator[Finding]:
    for leaf in branch.leaves:
        if isinstance(leaf.term, Ptr):
            text = f"{leaf.term} of {branch.domain}: whoever runs the client's reverse zone has a say"
            yield Finding(
                "spf-ptr", branch.domain, text,
                "Name the addresses by ip4 and ip6; RFC 7208 section 5.5 says not to publish ptr, and it is slow.",
            )  # fmt: skip


def _of_connectors(branch: Branch) -> Iterator[Finding]:
    """What stands in the way of an inbound connector by address, should one be made for this branch."""
    networks = [
        leaf.term.network
        for leaf in branch.leaves
        if isinstance(leaf.term, Network) and leaf.term.qualifier.result is SpfResult.PASS
    ]
    wide = [each for each in networks if each.version == 4 and each.prefixlen < _CONNECTOR_PREFIX]
    if wide:
        named = ", ".join(
            f"{each} would be {2 ** (_CONNECTOR_PREFIX - each.prefixlen):,} of /24" for each in wide[:_MOST_NAMED]
        )
        total = sum(2 ** (_CONNECTOR_PREFIX - each.prefixlen) for each in wide)
        more = f"; {total:,} for all {len(wide)}" if len(wide) > 1 else ""
        yield Finding(
            "spf-connector-range", branch.domain,
            f"{branch.domain} lists networks wider than an inbound connector of Exchange Online takes (/24 to /32): "
            f"{named}{more}",
            "For a connector use the service's TLS certificate name in place of addresses.",
        )  # fmt: skip
    six = sum(each.version == 6 for each in networks)
    if six:
        yield Finding(
            "spf-connector-ip6", branch.domain,
            f"{branch.domain} lists {six} IPv6 network{'s' if six > 1 else ''}; an inbound connector takes none",
            "A client on IPv6 can be recognised by its TLS certificate only.",
        )  # fmt: skip
