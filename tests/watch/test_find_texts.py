"""What findings say: plain, bounded, on one line, whatever strangers wrote; and the same in whatever order."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.audit.model import Verdict
from sidedoor.mail.fact import Unknown
from sidedoor.store.model import Finding, Severity
from sidedoor.tenant.snapshot import InboundConnector
from sidedoor.watch.find import Untold, find
from sidedoor.watch.find.made import (
    MOST_EVIDENCE,
    MOST_SUBJECT,
    MOST_TEXT,
    MOST_TITLE,
    MOST_VALUE,
    listed,
    quoted,
    subject_of,
)
from sidedoor.watch.kinds import AT_ONCE, KINDS
from sidedoor.watch.sight import Baseline, BounceSight, CertificateSight, Sight, Source, Thresholds
from tests.watch import cases_rest, cases_senders, cases_settings
from tests.watch.kit import ago, baseline_of, connector, daily, records, seen, sight, with_settings

ALL = [*cases_senders.CASES, *cases_settings.CASES, *cases_rest.CASES]
HOSTILE = st.sampled_from(
    [
        "",
        "x" * 5_000,
        "a\nb",
        "\u202eevil",
        "\ud800",
        "';Remove-InboundConnector x;'",
        "‘’",
        "\x00",
        "at-once:",
        "日本" * 400,
    ]
) | st.text(max_size=40)


def bounded(finding: Finding) -> bool:
    """Within the limits, on one line, encodable, of a kind that is known."""
    texts = [finding.title, finding.text, finding.advice, *(part for pair in finding.evidence for part in pair)]
    return (
        finding.kind in KINDS
        and len(finding.title) <= MOST_TITLE
        and max(len(finding.text), len(finding.advice)) <= MOST_TEXT
        and len(finding.subject) <= MOST_SUBJECT
        and len(finding.evidence) <= MOST_EVIDENCE
        and all(len(value) <= MOST_VALUE for _, value in finding.evidence)
        and all("\n" not in text and text.encode() is not None for text in (*texts, finding.subject))
    )


@pytest.mark.parametrize("case", ALL, ids=str)
def test_a_finding_speaks(case: Any) -> None:
    for finding in find(case.sees, case.baseline, Thresholds()):
        assert bounded(finding)
        assert finding.title.startswith(KINDS[finding.kind].title)
        assert finding.text.endswith((".", "?")), finding.text
        assert len(finding.text) > 40
        assert finding.advice.endswith(".")
        assert finding.evidence or finding.kind == "spoof-burst"
        assert len({finding.source.partition(":")[0]} & {each.value for each in Source}) == 1
        assert "None" not in finding.text
        assert "Unknown(" not in finding.text


@pytest.mark.parametrize("case", ALL, ids=str)
def test_order_does_not_matter(case: Any) -> None:
    shuffled = random.Random(7)

    def mixed(items: Any) -> Any:
        found = list(items)
        shuffled.shuffle(found)
        return tuple(found)

    see = case.sees
    other = replace(
        see, senders=mixed(see.senders), bounces=mixed(see.bounces), reported=mixed(see.reported),
        certificates=mixed(see.certificates), domains=dict(mixed(see.domains.items())),
        snapshot=replace(see.snapshot, inbound_connectors=mixed(see.snapshot.inbound_connectors)
                         if isinstance(see.snapshot.inbound_connectors, tuple) else see.snapshot.inbound_connectors),
    )  # fmt: skip
    assert find(other, case.baseline, Thresholds()) == find(see, case.baseline, Thresholds())


@pytest.mark.parametrize("source", [each.value for each in Source if each is not Source.SELF])
def test_what_was_not_told_raises_nothing_and_ends_nothing(source: str) -> None:
    """With a source gone, findings of it are not there, and those that were there may not be over."""
    gone = "dns:contoso.com" if source == Source.DNS else source
    for case in ALL:
        without = replace(case.sees, untold={**case.sees.untold, gone: "no answer"})
        left = find(without, case.baseline, Thresholds())
        assert not [each for each in left if each.source == gone], case
        untold, kept = Untold.of(without, case.baseline), {(each.kind, each.subject) for each in left}
        for each in find(case.sees, case.baseline, Thresholds()):
            over = (each.kind, each.subject) not in kept and not untold.keeps(each.kind, each.subject, each.source)
            assert not over or each.source not in {gone, source}, case


@pytest.mark.parametrize(
    ("part", "about"),
    [
        ("inbound_connectors", "connector"), ("accepted_domains", "accepted-domain"), ("transport_rules", "rule-off"),
        ("connection_filter", "allow-list"), ("reject_direct_send", "direct-send-reopened"),
    ],
)  # fmt: skip
def test_a_setting_that_was_left_out_ends_nothing_about_it(part: str, about: str) -> None:
    for case in ALL:
        untold = Untold.of(with_settings(case.sees, **{part: Unknown("left out")}), case.baseline)
        for each in find(case.sees, case.baseline, Thresholds()):
            assert not each.kind.startswith(about) or untold.keeps(each.kind, each.subject, each.source), case


@settings(max_examples=60, deadline=None)
@given(name=HOSTILE, host=HOSTILE, address=HOSTILE)
def test_hostile_names_do_no_harm(name: str, host: str, address: str) -> None:
    thief = seen("thief", daily(3), address=address, helo=[host], mail_from=[name], assessment=Verdict.UNCLEAR)
    base = sight()
    row: InboundConnector = connector(
        name, sender_networks=(ip_network("198.18.0.0/20"),), trusted_organizations=(name,)
    )
    see = replace(
        base,
        senders=(*base.senders, replace(thief, sender=replace(thief.sender, name=name))),
        snapshot=replace(base.snapshot, inbound_connectors=(row,)),
        certificates=(CertificateSight(name, (host,), ago(1), address),),
        bounces=(BounceSight("b", ago(1), "5.7.68", name, host, host, address),),
        domains={"contoso.com": records(spf=name or None, dmarc=host or None, mx=(address,))},
        untold={"probe": name},
        truncated=(name,),
        connector_addresses={name: {address: ago(1)}},
    )
    before = replace(baseline_of(base), told={"history": ago(1), "probe": ago(30)})
    findings = find(see, before, Thresholds())
    assert len(findings) >= 6
    assert all(map(bounded, findings))
    assert len({(each.kind, each.subject) for each in findings}) == len(findings)


def test_a_command_quotes_the_name() -> None:
    row = connector("it's; Remove-InboundConnector *", enabled=False)
    was = baseline_of(with_settings(inbound_connectors=(replace(row, enabled=True),)))
    (finding,) = [
        each
        for each in find(with_settings(inbound_connectors=(row,)), was, Thresholds())
        if each.kind == "connector-disabled"
    ]
    assert "Set-InboundConnector 'it''s; Remove-InboundConnector *' -Enabled $true" in finding.advice
    assert quoted("x" * 500) == "NAME"


@given(st.lists(HOSTILE | st.text(max_size=9).map(AT_ONCE.__add__), max_size=6))
def test_subjects_tell_names_apart(names: list[str]) -> None:
    assert len({subject_of(name) for name in names}) == len(set(names))
    assert all(subject_of(subject_of(name)) == subject_of(name) for name in names)
    assert not any(subject_of(name).startswith(AT_ONCE) for name in names)


def test_lists_say_what_is_left_out() -> None:
    assert listed(range(12), 3) == "0, 1, 2 and 9 more"
    assert listed(["a"]) == "a"


def test_the_first_run_raises_only_what_is_bad_in_itself() -> None:
    """Settings, senders and records that are as they are: the baseline. What would be bad on any day is told."""
    from sidedoor.watch.baseline import first

    in_itself = {
        "treat-as-internal", "certificate-expiring", "certificate-unwatched", "connector-address-unused",
        "spf-over-limits", "spf-broken", "filter-bypassed", "spoof-burst", "honest-mail-refused",
        "direct-send-unreadable", "history-stale", "collection-incomplete", "door-open",
    }  # fmt: skip
    told = {each.kind for case in ALL for each in find(case.sees, first(case.sees), Thresholds())}
    assert told <= in_itself
    assert {"treat-as-internal", "certificate-expiring", "spf-over-limits", "spf-broken", "filter-bypassed"} <= told


def test_an_empty_workspace_is_no_reason_to_panic() -> None:
    from sidedoor.tenant.snapshot import TenantSnapshot
    from sidedoor.watch.baseline import first

    nothing = Sight(
        now=datetime(2026, 11, 24, tzinfo=UTC), window=None, history_until=None, senders=(), snapshot=TenantSnapshot(),
        domains={}, untold={"history": "no exports yet", "settings": "no settings yet"},
    )  # fmt: skip
    assert find(nothing, first(nothing), Thresholds()) == []
    later = replace(nothing, now=datetime(2026, 11, 28, tzinfo=UTC))
    told = {each.kind: each.severity for each in find(later, first(nothing), Thresholds())}
    assert told == {"history-stale": Severity.WARNING, "settings-unreadable": Severity.WARNING}
    baseline: Baseline = first(nothing)
    assert baseline.told.keys().isdisjoint({"history", "settings"})
