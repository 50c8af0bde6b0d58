"""Names, ids, networks and advice."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.audit.flow import Flow
from sidedoor.audit.hostname import HostKind, host_kind, service_suffix, shared_network
from sidedoor.audit.model import Sender
from sidedoor.audit.model import Verdict as Assessment
from sidedoor.audit.naming import networks, printable
from sidedoor.audit.senders import make_senders
from sidedoor.policy.decision import Submission
from tests.audit.senders_kit import FAILING, Spf, context, flow

SERVICE = Spf("pass", (("contoso.com", "include:spf.fabrikam.com"),), "Fabrikam")
OWN = Spf("pass", (("contoso.com", "ip4:203.0.113.10"),))
DAILY = list(range(29))


def only(*flows: Flow, **told: Any) -> Sender:
    (sender,) = make_senders(flows, context(**told))
    return sender


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (None, HostKind.UNKNOWN), ("", HostKind.NAMELESS), ("localhost", HostKind.NAMELESS),
        ("[127.0.0.1]", HostKind.NAMELESS), ("127.0.0.1", HostKind.NAMELESS), ("[IPv6:::1]", HostKind.NAMELESS),
        ("WIN-4K2J9QX7", HostKind.NAMELESS), ("DESKTOP-1A2B3C4.local", HostKind.NAMELESS),
        ("[192.168.1.20]", HostKind.LITERAL), ("10.0.0.5", HostKind.LITERAL), ("[IPv6:2001:db8::1]", HostKind.LITERAL),
        ("ip-10-0-0-12.ec2.internal", HostKind.DYNAMIC), ("84-12-3-4.dyn.isp.example", HostKind.DYNAMIC),
        ("MFP-HQ3", HostKind.DEVICE), ("nas2", HostKind.DEVICE), ("scan.contoso.com", HostKind.DEVICE),
        ("mx1.example.org", HostKind.MAIL_HOST), ("lists.example.org", HostKind.MAIL_HOST),
        ("mail", HostKind.HOST), ("wwww.example.org.", HostKind.HOST), ("scandinavia.example", HostKind.HOST),
    ],
)  # fmt: skip
def test_kinds_of_host_names(name: str | None, kind: HostKind) -> None:
    assert host_kind(name) is kind


@pytest.mark.parametrize(
    ("host", "suffix"),
    [
        ("o40.mailer.fabrikam.com", "mailer.fabrikam.com"), ("fabrikam.com", "fabrikam.com"), ("MFP", ""),
        ("mx.fabrikam.co.uk", "fabrikam.co.uk"), ("fabrikam.co.uk", "fabrikam.co.uk"), ("co.uk", ""),
    ],
)  # fmt: skip
def test_service_suffixes(host: str, suffix: str) -> None:
    assert service_suffix(host) == suffix


def test_shared_networks_are_known_by_whole_labels() -> None:
    assert shared_network("ec2-1.compute.amazonaws.com")
    assert not shared_network("notamazonaws.com")


@settings(max_examples=80)
@given(st.sets(st.integers(0, 600), min_size=1, max_size=80), st.sampled_from(["203.0.0.0", "2001:db8::"]))
def test_networks_hold_what_was_seen_and_nothing_else(offsets: set[int], base: str) -> None:
    addresses = [ipaddress.ip_address(base) + offset for offset in sorted(offsets)]
    shown = [ipaddress.ip_network(text) for text in networks(addresses)]
    assert sorted(int(address) for network in shown for address in network) == [int(address) for address in addresses]


@given(st.text(max_size=200))
def test_names_hold_nothing_that_moves_or_hides_text(text: str) -> None:
    shown = printable(text)
    assert len(shown) <= 80
    assert not set(shown) & set("\u202e\u202d\u2066\u200f\x00\x1b\r\n\u2028")


def test_a_device_is_called_by_its_greeting() -> None:
    assert only(flow(helo="MFP-HQ3", days=DAILY)).name == "MFP-HQ3 (203.0.113.10)"


def test_an_address_serves_where_no_greeting_is_known() -> None:
    assert only(flow()).name == "scan@contoso.com from 203.0.113.10"


def test_a_service_is_called_by_who_lists_it() -> None:
    sender = only(flow(helo="o4.mailer.fabrikam.com"), spf={("contoso.com", "203.0.113.10"): SERVICE})
    assert sender.name == "mailer.fabrikam.com (listed by include:spf.fabrikam.com)"
    assert sender.service == "Fabrikam"
    assert sender.assessment is Assessment.LEGITIMATE


def test_a_spoofer_is_never_called_by_the_name_it_borrows() -> None:
    people = {f"{name}@contoso.com": 1 for name in "abcdefghijkl"}
    lure = flow(
        helo="MFP-HQ3", senders=people, self_addressed=12, distinct_senders=12, distinct_recipients=12, **FAILING
    )
    sender = only(lure)
    assert sender.assessment is Assessment.SPOOFING
    assert sender.name == "unknown host 203.0.113.10 posing as a@contoso.com and 11 more"
    assert "Nothing to migrate" in sender.recommendation


def test_control_characters_in_a_greeting_do_not_reach_the_name() -> None:
    assert "\u202e" not in only(flow(helo="MFP\u202eHQ", days=DAILY)).name


OWN_AT = {("contoso.com", "203.0.113.10"): OWN}


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        (lambda: only(flow(helo="MFP-1"), spf=OWN_AT), "connector for 203.0.113.10/32"),
        (lambda: only(flow(helo="mon.contoso.com", tls="TLS1.2"), spf=OWN_AT), "by certificate is the firmer choice"),
        (
            lambda: only(flow(ip="2001:db8::1", helo="bk"), spf={("contoso.com", "2001:db8::1"): OWN}),
            "Connectors list no IPv6",
        ),
        (lambda: only(flow(), spf={("contoso.com", "203.0.113.10"): SERVICE}), "Never a connector by address"),
        (
            lambda: only(flow(), spf=OWN_AT, reverse={"203.0.113.10": ("ec2-1.amazonaws.com",)}),
            "Never a connector by address",
        ),
        (lambda: only(flow(would_reject=False), spf=OWN_AT), "Nothing to do"),
        (lambda: only(flow()), "Ask who owns scan@contoso.com"),
        (lambda: only(flow()), "hunting export"),
        (lambda: only(flow(), logins={"scan@contoso.com": 3}), "Ask scan@contoso.com whether"),
    ],
)
def test_advice(sender: Callable[[], Sender], said: str) -> None:
    assert said in sender().recommendation


def test_a_header_spoof_is_not_stopped_by_the_switch_and_the_advice_says_so() -> None:
    people = {f"{name}@contoso.com": 1 for name in "abcdefghijkl"}
    spoof = flow(
        senders={"x@cheap.example": 12}, header_froms=tuple(people.items()), envelope_domain="cheap.example",
        submission=Submission.INTERNET, would_reject=False, distinct_recipients=12, **FAILING,
    )  # fmt: skip
    sender = only(spoof, spf={("cheap.example", "203.0.113.10"): Spf("pass")}, logins=people)
    assert sender.assessment is Assessment.SPOOFING
    assert "does not stop it" in sender.recommendation
    assert "spf-foreign" in {reason.id for reason in sender.reasons}
