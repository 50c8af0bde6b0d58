"""The grammar by itself: what is refused, what is printed, and that nothing but our error ever comes out."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mailauth.spf.macro import DomainSpec, MacroError, parse_domain_spec
from sidedoor.mailauth.spf.parser import SpfSyntaxError, parse_spf
from sidedoor.mailauth.spf.terms import (
    All,
    Exists,
    Host,
    Include,
    Network,
    OtherModifier,
    Ptr,
    Qualifier,
    Record,
    Redirect,
    Term,
)

GRAMMATICAL = {
    "v=spf1": "v=spf1",
    "V=SPF1 -ALL": "v=spf1 -all",
    "v=spf1  a   mx  ": "v=spf1 a mx",
    "v=spf1 +ip4:192.0.2.77/24": "v=spf1 ip4:192.0.2.0/24",
    "v=spf1 ip4:192.0.2.1/32 IP6:2001:DB8::1": "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1",
    "v=spf1 a/24//64 mx:mail.example//0": "v=spf1 a/24//64 mx:mail.example//0",
    "v=spf1 a:foo:bar/baz.example/28": "v=spf1 a:foo:bar/baz.example/28",
    "v=spf1 +ptr:example.org ?exists:%{ir}.%{l1r+-}.%{d}": "v=spf1 ptr:example.org ?exists:%{ir}.%{l1r+-}.%{d}",
    "v=spf1 moo.cow-far_out=man:dog/cat redirect=a.example.": "v=spf1 moo.cow-far_out=man:dog/cat redirect=a.example.",
    "v=spf1 exp=%{l}.example.com ip4=1.2.3.4": "v=spf1 exp=%{l}.example.com ip4=1.2.3.4",
    "v=spf1 include:xn--bcher-kva.example ~all": "v=spf1 include:xn--bcher-kva.example ~all",
}
UNGRAMMATICAL = [
    "v=spf10 -all",
    "spf2.0/pra -all",
    "v=spf1\t-all",
    "v=spf1 -all.",
    "v=spf1 all/8",
    "v=spf1 include",
    "v=spf1 include:",
    "v=spf1 include:example.org/24",
    "v=spf1 include:bücher.example",
    "v=spf1 a:museum",
    "v=spf1 a:example.123",
    "v=spf1 a:abc.%{h}x",
    "v=spf1 a/33",
    "v=spf1 a//129",
    "v=spf1 a/024",
    "v=spf1 a:",
    "v=spf1 mx:/24",
    "v=spf1 ptr/0",
    "v=spf1 exists",
    "v=spf1 ip4:192.0.2",
    "v=spf1 ip4:192.0.2.01",
    "v=spf1 ip4:192.0.2.0/33",
    "v=spf1 ip4:192.0.2.0/",
    "v=spf1 ip4",
    "v=spf1 ip4:192.0.2.1:25",
    "v=spf1 ip6:fe80::1%eth0",
    "v=spf1 ip6:::1.1.1.1//33",
    "v=spf1 ipv4:192.0.2.1",
    "v=spf1 redirect=a.example redirect=b.example",
    "v=spf1 exp=a.example exp=b.example",
    "v=spf1 redirect=",
    "v=spf1 redirect:a.example",
    "v=spf1 =all",
    "v=spf1 x=%",
    "v=spf1 a:%{x}.example.org",
    "v=spf1 a:%{c}.example.org",
    "v=spf1 a:%{d0}.example.org",
    "v=spf1 --all",
    "v=spf1 \x01all",
    "v=spf1 ſpf",
]  # fmt: skip


@pytest.mark.parametrize("text", GRAMMATICAL)
def test_a_record_is_printed_in_normal_form(text: str) -> None:
    assert str(parse_spf(text)) == GRAMMATICAL[text]


@pytest.mark.parametrize("text", UNGRAMMATICAL)
def test_a_record_that_breaks_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(SpfSyntaxError):
        parse_spf(text)


LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
SPEC = st.builds(
    lambda labels, macro, end: DomainSpec(".".join([*macro, *labels, end])),
    st.lists(LABEL, min_size=1, max_size=3),
    st.lists(st.sampled_from(["%{d}", "%{ir}", "%{l1r+-}", "%{o2}", "%%", "%_"]), max_size=2),
    st.sampled_from(["example", "com", "xn--p1ai"]),
)
Q = st.sampled_from(Qualifier)
IP4 = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda p: ipaddress.IPv4Network(p, strict=False))
IP6 = st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(lambda p: ipaddress.IPv6Network(p, strict=False))
TERM: st.SearchStrategy[Term] = st.one_of(
    st.builds(All, Q),
    st.builds(Include, Q, SPEC),
    st.builds(Exists, Q, SPEC),
    st.builds(Ptr, Q, st.none() | SPEC),
    st.builds(Host, st.sampled_from(["a", "mx"]), Q, st.none() | SPEC, st.integers(0, 32), st.integers(0, 128)),
    st.builds(Network, Q, IP4 | IP6),
    st.builds(OtherModifier, st.sampled_from(["x-moo", "default", "a.b_c"]), st.sampled_from(["", "man:dog", "%{s}"])),
)


@given(st.lists(TERM, max_size=8), st.none() | st.builds(Redirect, SPEC))
def test_what_is_printed_parses_to_the_same(terms: list[Term], redirect: Redirect | None) -> None:
    record = Record((*terms, *([redirect] if redirect else [])))
    assert parse_spf(str(record)) == record


@settings(max_examples=300)
@given(st.text(alphabet=st.characters(max_codepoint=0x17F) | st.sampled_from("%{}:/=.-+~?aimx4 "), max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for candidate in (text, "v=spf1 " + text):
        with suppress(SpfSyntaxError):
            record = parse_spf(candidate)
            assert parse_spf(str(record)) == record


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        # RFC 7208 section 7.4, for <strong-bad@email.example.com>, the record being email.example.com's.
        ("%{o}.x.example", "email.example.com.x.example"),
        ("%{d}.x.example", "email.example.com.x.example"),
        ("%{d4}.x.example", "email.example.com.x.example"),
        ("%{d3}.x.example", "email.example.com.x.example"),
        ("%{d2}.x.example", "example.com.x.example"),
        ("%{d1}.x.example", "com.x.example"),
        ("%{dr}.x.example", "com.example.email.x.example"),
        ("%{d2r}.x.example", "example.email.x.example"),
        ("%{v}.%{d}", "in-addr.email.example.com"),
        ("Mixed.%%a.Example.", "mixed.%a.example"),
        ("%{i}.x.example", None),
        ("%{l}.x.example", None),
        ("%{h}.x.example", None),
    ],
)
def test_macros_that_do_not_need_the_message_are_expanded(spec: str, name: str | None) -> None:
    assert parse_domain_spec(spec).expand("email.example.com", "email.example.com", 4) == name


@given(st.text(max_size=80))
def test_any_text_is_a_domain_spec_or_not(text: str) -> None:
    with suppress(MacroError):
        expanded = parse_domain_spec(text).expand("a.example", "b.example", 6)
        assert expanded is None or expanded == expanded.lower()
