"""The tree of a record: costs, addresses counted once, and remarks in words."""

from __future__ import annotations

import pytest

from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Answer, Failure, Kind, Records
from sidedoor.mailauth.spf import compile_spf
from sidedoor.mailauth.spf.findings import Finding, findings
from sidedoor.mailauth.spf.tree import Branch, Covered, spf_tree

World = dict[str, dict[str, list[str]]]
MAILER: World = {
    "_spf.mailer.example": {"TXT": ["v=spf1 ip4:198.51.100.0/24 include:_b.mailer.example ~all"]},
    "_b.mailer.example": {"TXT": ["v=spf1 ip4:198.51.100.128/25 ip4:203.0.113.0/25 ip6:2001:db8::/60 -all"]},
    "mail.contoso.com": {"A": ["192.0.2.25"], "AAAA": ["2001:db8:9::1"]},
}


def grown(record: str, *more: World, failures: dict[str | tuple[str, str], Failure] | None = None) -> Branch:
    """The tree of contoso.com with this record."""
    return _both(record, *more, failures=failures)[0]


def remarks(
    record: str, *more: World, failures: dict[str | tuple[str, str], Failure] | None = None
) -> dict[str, Finding]:
    """The findings about contoso.com with this record, by id."""
    return {each.id: each for each in _both(record, *more, failures=failures)[1]}


def _both(
    record: str, *more: World, failures: dict[str | tuple[str, str], Failure] | None = None
) -> tuple[Branch, tuple[Finding, ...]]:
    world: World = {**MAILER, "contoso.com": {"TXT": [record], "MX": ["10 mail.contoso.com"]}}
    for each in more:
        world |= each
    resolver = MemoryResolver(world, failures)
    spf = compile_spf("contoso.com", resolver)
    tree = spf_tree(spf, resolver)
    return tree, findings(spf, tree)


def test_every_address_is_counted_once() -> None:
    tree = grown("v=spf1 mx ip4:198.51.100.0/28 include:_spf.mailer.example -all")
    [mailer] = tree.branches
    [inner] = mailer.branches
    assert (tree.lookups, mailer.lookups, inner.lookups) == (3, 2, 1)
    assert tree.covered == Covered(1 + 16 + 240 + 128, 16 + 1)
    assert mailer.covered == Covered(240 + 128, 16)
    assert inner.covered == Covered(128, 16)
    assert [(str(leaf.term), leaf.lookups, leaf.covered) for leaf in tree.leaves] == [
        ("mx", 1, Covered(1, 1)),
        ("ip4:198.51.100.0/28", 0, Covered(16, 0)),
        ("-all", 0, Covered(0, 0)),
    ]
    assert (tree.owner, mailer.owner, mailer.term) == (None, "mailer.example", "include:_spf.mailer.example")
    assert [branch.domain for branch in tree.walk()] == ["contoso.com", "_spf.mailer.example", "_b.mailer.example"]


@pytest.mark.parametrize(
    ("record", "id_", "word"),
    [
        ("v=spf1 +all", "spf-allows-all", "every address on the internet"),
        ("v=spf1 ip4:0.0.0.0/0 -all", "spf-allows-all", "/0"),
        ("v=spf1 ip4:10.0.0.0/8 -all", "spf-wide-network", "/8"),
        ("v=spf1 include:nowhere.example -all", "spf-no-record", "publishes no SPF record"),
        ("v=spf1 include:slow.example -all", "spf-no-answer", "slow.example could not be looked into"),
        ("v=spf1 nonsense -all", "spf-syntax", "'nonsense' is no mechanism"),
        ("v=spf1 a:void.example -all", "spf-void-lookup", "void.example"),
        ("v=spf1 " + "a:mail.contoso.com " * 9 + "include:_spf.mailer.example -all", "spf-many-lookups",
         "11 of 10 are spent: include:_spf.mailer.example 2"),
        ("v=spf1 exists:%{i}.x.example -all", "spf-needs-message", "exists:%{i}.x.example"),
        ("v=spf1 ptr -all", "spf-ptr", "reverse zone"),
        ("v=spf1 -all ip4:192.0.2.1", "spf-after-all", "ip4:192.0.2.1"),
        ("v=spf1 -all redirect=_spf.mailer.example", "spf-after-all", "redirect=_spf.mailer.example"),
        ("v=spf1 a a -all", "spf-twice", "a stands in"),
        ("v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/32 include:_spf.mailer.example -all",
         "spf-adds-nothing", "include:_spf.mailer.example"),
        ("v=spf1 ip4:192.0.0.0/20 -all", "spf-connector-range", "192.0.0.0/20 would be 16 of /24"),
        ("v=spf1 ip4:192.0.0.0/20 ip4:192.1.0.0/22 -all", "spf-connector-range", "20 for all 2"),
        ("v=spf1 ip6:2001:db8::/32 -all", "spf-connector-ip6", "1 IPv6 network;"),
    ],
)  # fmt: skip
def test_remarks(record: str, id_: str, word: str) -> None:
    found = remarks(record, failures={"slow.example": Failure("no answer", temporary=True)})
    assert word in found[id_].text
    assert found[id_].advice.endswith(".")


def test_several_records() -> None:
    found = remarks("v=spf1 -all", {"contoso.com": {"TXT": ["v=spf1 -all", "v=spf1 mx -all"]}})
    assert "2 SPF records" in found["spf-several-records"].text


@pytest.mark.parametrize("record", ["v=spf1 ip4:192.0.2.0/24 ~all", "v=spf1 mx -all", "v=spf1 ip4:192.0.2.1 ?all"])
def test_nothing_to_say_of_a_sound_record(record: str) -> None:
    assert remarks(record) == {}


def test_exchange_online_needs_no_connector() -> None:
    world: World = {"spf.protection.outlook.com": {"TXT": ["v=spf1 ip4:40.92.0.0/15 ip6:2a01:111:f400::/48 -all"]}}
    assert remarks("v=spf1 include:spf.protection.outlook.com -all", world) == {}


def test_a_circle_ends() -> None:
    tree = grown("v=spf1 include:b.example -all", {"b.example": {"TXT": ["v=spf1 include:contoso.com -all"]}})
    [b] = tree.branches
    [back] = b.branches
    assert back.trouble is not None
    assert "in a circle" in back.trouble.cause


class Endless:
    """Every name has a record that leads on to ten new ones."""

    asked = 0

    def lookup(self, name: object, kind: Kind) -> Answer:
        self.asked += 1
        return Records(("v=spf1 " + " ".join(f"include:i{n}.{name}" for n in range(10)) + " -all",))


def test_a_tree_without_end_is_cut() -> None:
    resolver = Endless()
    spf = compile_spf("x.example", resolver)
    tree = spf_tree(spf, resolver)
    assert resolver.asked < 300
    assert len(list(tree.walk())) < 300
    assert tree.lookups > 10
