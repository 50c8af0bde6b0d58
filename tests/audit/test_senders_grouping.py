"""Which flows are one sender, case by case."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.audit.disjoint import DisjointSets
from sidedoor.audit.flow import Flow
from sidedoor.audit.senders import group_senders, make_senders
from sidedoor.policy.decision import Submission
from tests.audit.senders_kit import FAILING, Spf, context, flow


@dataclass(frozen=True)
class Case:
    """Flows, and which of them are one sender."""

    name: str
    flows: list[Flow]
    together: list[set[int]]
    spf: dict[tuple[str, str], Spf] = field(default_factory=dict)


ALICE, BOB, SCAN = {"alice@contoso.com": 10}, {"bob@contoso.com": 10}, {"scan@contoso.com": 10}
LISTED = Spf("pass", (("contoso.com", "include:spf.fabrikam.com"), ("spf.fabrikam.com", "ip4:198.51.0.0/16")), "Fab")
OTHER = Spf("pass", (("contoso.com", "include:spf.northwind.com"),), "Northwind")
OWN = Spf("pass", (("contoso.com", "include:_spf.contoso.com"), ("_spf.contoso.com", "ip4:198.51.100.7")))
SIGNED: dict[str, Any] = {"dkim": {"pass": 10}, "dmarc": {"pass": 10}}
CASES = [
    Case(
        "two devices behind a NAT", [flow(1, helo="MFP-1", senders=ALICE), flow(2, helo="nas", senders=BOB)], [{1}, {2}]
    ),
    Case("one address of theirs in common", [flow(1, helo="MFP-1"), flow(2, helo="MFP-2")], [{1, 2}]),
    Case(
        "one device with and without TLS", [flow(1, helo="M1", tls="none"), flow(2, helo="M1", tls="TLS1.2")], [{1, 2}]
    ),
    Case("silence joins the only device", [flow(1, helo="M1", senders=ALICE), flow(2, senders=BOB)], [{1, 2}]),
    Case(
        "silence joins the device whose address it has",
        [flow(1, helo="MFP-1", senders=ALICE), flow(2, helo="nas", senders=BOB), flow(3, senders=BOB)],
        [{1}, {2, 3}],
    ),
    Case(
        "a device that wanders in a /24", [flow(1, "203.0.113.4", days=[1]), flow(2, "203.0.113.9", days=[2])], [{1, 2}]
    ),
    Case(
        "several envelope senders under one name",
        [flow(1, "203.0.113.4", helo="M1", senders=ALICE), flow(2, "203.0.113.9", helo="M1", senders=BOB)],
        [{1, 2}],
    ),
    Case(
        "two devices at work together under two names",
        [flow(1, "203.0.113.4", helo="M1", days=[1, 2, 3]), flow(2, "203.0.113.9", helo="M2", days=[1, 2, 3])],
        [{1}, {2}],
    ),
    Case("an address borrowed from afar", [flow(1, "203.0.113.4"), flow(2, "192.0.2.66")], [{1}, {2}]),
    Case(
        "a name borrowed from afar", [flow(1, "203.0.113.4", helo="M1"), flow(2, "192.0.2.66", helo="M1")], [{1}, {2}]
    ),
    Case(
        "name and address in the pool of one provider, one after the other",
        [flow(1, "203.0.113.4", helo="M1", days=[1, 2]), flow(2, "203.0.9.66", helo="M1", days=[5, 6])],
        [{1, 2}],
    ),
    Case(
        "name and address in the pool of one provider, at the same time",
        [flow(1, "203.0.113.4", helo="M1", days=[1, 2]), flow(2, "203.0.9.66", helo="M1", days=[1, 2])],
        [{1}, {2}],
    ),
    Case(
        "a neighbour that does not authenticate",
        [flow(1, "198.51.100.7"), flow(2, "198.51.100.8")],
        [{1}, {2}],
        {("contoso.com", "198.51.100.7"): OWN, ("contoso.com", "198.51.100.8"): Spf("fail")},
    ),
    Case(
        "an include on many networks",
        [
            flow(1, "198.51.7.1", helo="a.x.com"),
            flow(2, "198.51.250.3", senders=ALICE),
            flow(3, "198.51.9.9", senders=BOB),
        ],
        [{1, 2}, {3}],
        {
            ("contoso.com", "198.51.7.1"): LISTED,
            ("contoso.com", "198.51.250.3"): LISTED,
            ("contoso.com", "198.51.9.9"): OTHER,
        },
    ),
    Case(
        "an include for two envelope domains",
        [flow(1, "198.51.7.1"), flow(2, "198.51.7.1", envelope_domain="em.contoso.com")],
        [{1}, {2}],
        {("contoso.com", "198.51.7.1"): LISTED, ("em.contoso.com", "198.51.7.1"): LISTED},
    ),
    Case(
        "an include of the organisation's own is no service",
        [flow(1, "198.51.100.7", senders=ALICE), flow(2, "203.0.113.7", senders=BOB)],
        [{1}, {2}],
        {("contoso.com", "198.51.100.7"): OWN, ("contoso.com", "203.0.113.7"): OWN},
    ),
    Case(
        "hosts of one service whose signature holds",
        [
            flow(1, "198.51.100.7", helo="o1.mailer.fabrikam.com", senders=ALICE, **SIGNED),
            flow(2, "203.0.113.7", helo="o2.mailer.fabrikam.com", senders=BOB, **SIGNED),
            flow(3, "192.0.2.7", helo="o3.mailer.fabrikam.com", senders=BOB, **FAILING),
        ],
        [{1, 2}, {3}],
    ),
    Case(
        "two customers of one unlisted service at one address",
        [
            flow(1, helo="o1.mailer.fabrikam.com", senders=ALICE, **SIGNED),
            flow(2, helo="o1.mailer.fabrikam.com", senders=BOB, dkim={"pass": 10}, dmarc={"fail": 10}),
        ],
        [{1}, {2}],
    ),
    Case(
        "generic names join nobody",
        [
            flow(1, "203.0.113.4", helo="localhost", senders=ALICE),
            flow(2, "203.0.113.5", helo="localhost", senders=BOB),
        ],
        [{1}, {2}],
    ),
    Case(
        "the waves of one attacker",
        [
            flow(
                n,
                f"45.9.148.{n}",
                helo="[127.0.0.1]",
                self_addressed=12,
                distinct_recipients=12,
                distinct_senders=12,
                senders={f"user{'abcdefghijklmnop'[n * 4 + k % 4]}{'x' * (k // 4)}@contoso.com": 1 for k in range(12)},
                **FAILING,
            )
            for n in (1, 2)
        ],
        [{1, 2}],
    ),
    Case(
        "submissions are kept apart",
        [flow(1), flow(2, submission=Submission.SENT_DIRECTLY)],
        [{1}, {2}],
    ),
    Case(
        "what is undetermined joins the sender of its address",
        [
            flow(1),
            flow(2, submission=Submission.UNDETERMINED, would_reject=None),
            flow(3, senders=BOB, submission=Submission.UNDETERMINED, would_reject=None),
        ],
        [{1, 2}, {3}],
    ),
    Case(
        "unknown addresses are no address",
        [flow(1, None, senders=ALICE), flow(2, None, senders=BOB), flow(3, "not an ip", senders=BOB)],
        [{1}, {2, 3}],
    ),
    Case(
        "IPv6 within a /64",
        [flow(1, "2001:db8::1"), flow(2, "2001:db8::ffff"), flow(3, "2001:db8:1::1")],
        [{1, 2}, {3}],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_grouping(case: Case) -> None:
    groups = group_senders(case.flows, context(case.spf).spf)
    assert sorted(sorted(item.id for item in group.flows) for group in groups) == sorted(map(sorted, case.together))


def test_flows_that_nobody_asked_about_make_no_sender() -> None:
    flows = [
        flow(1, submission=Submission.AUTHENTICATED, would_reject=False),
        flow(2, submission=Submission.PARTNER_CONNECTOR, would_reject=False),
        flow(3, submission=Submission.INTERNET, would_reject=False, own_header_from=False, header_from_domain="x.org"),
        flow(
            4, submission=Submission.UNDETERMINED, would_reject=False, own_header_from=False, header_from_domain="x.org"
        ),
        flow(5, submission=Submission.INTERNET, would_reject=False, own_header_from=False),
    ]
    assert [sender.flow_ids for sender in make_senders(flows, context())] == [(5,)]
    assert make_senders([], context()) == []


_TEXT = st.none() | st.sampled_from(["", "MFP-1", "localhost", "a.b", "[127.0.0.1]", "\u202e", "x" * 300])
_FLOWS = st.lists(
    st.builds(
        flow,
        st.integers(1, 10**6),
        st.none() | st.sampled_from(["203.0.113.4", "203.0.113.5", "192.0.2.1", "2001:db8::1", "junk"]),
        helo=_TEXT,
        senders=st.dictionaries(
            st.sampled_from(["a@contoso.com", "b@contoso.com", "c@x.org", "@", "\ufffd"]), st.just(2)
        ),
        days=st.lists(st.integers(0, 29), min_size=1, max_size=4, unique=True),
        envelope_domain=st.sampled_from([None, "<>", "contoso.com", "x.org"]),
        listed_domain=st.sampled_from([None, "contoso.com"]),
        submission=st.sampled_from([Submission.DIRECT_SEND, Submission.UNDETERMINED, Submission.SENT_DIRECTLY]),
        would_reject=st.sampled_from([True, None]),
    ),
    max_size=12,
    unique_by=lambda made: made.id,
)


@settings(max_examples=120, deadline=None)
@given(_FLOWS, st.randoms(use_true_random=False))
def test_any_flows_are_shared_out_whatever_their_order(flows: list[Flow], rng: random.Random) -> None:
    senders = make_senders(flows, context())
    assert sorted(number for sender in senders for number in sender.flow_ids) == sorted(item.id for item in flows)
    assert len({sender.id for sender in senders}) == len(senders)
    rng.shuffle(flows)
    assert {sender.id: sender.messages for sender in make_senders(flows, context())} == {
        sender.id: sender.messages for sender in senders
    }


class _Odd(int):
    """A trait for which odd and even contradict."""

    def meet(self, other: _Odd) -> _Odd | None:
        return self if (self - other) % 2 == 0 else None


def test_sets_that_contradict_are_not_joined() -> None:
    sets = DisjointSets([_Odd(number) for number in range(5)])
    assert sets.join(4, 2)
    assert not sets.join(2, 1)
    assert sets.join(1, 3)
    assert sets.join(3, 1)
    assert sets.sets() == [[0], [1, 3], [2, 4]]
