"""The baseline: better enters it by itself, worse only by a person's word, and one word waves nothing else through."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.errors import UsageError
from sidedoor.mail.fact import Unknown
from sidedoor.store.model import Alert, Finding, KnownSender, Severity, Word
from sidedoor.tenant.codec import CodecError
from sidedoor.tenant.snapshot import ConnectionFilter, MailExchanger
from sidedoor.watch.baseline import accept, acceptable, first, grown
from sidedoor.watch.baseline_json import decode, encode
from sidedoor.watch.find import Untold, find
from sidedoor.watch.kinds import AT_ONCE, KINDS, Part
from sidedoor.watch.sight import Baseline, DomainSight, Sight, Thresholds, Tolerated
from tests.tenant.test_codec import snapshots
from tests.watch import cases_rest, cases_senders, cases_settings
from tests.watch.kit import (
    DEVICES,
    QUARANTINE_RULE,
    TAG_RULE,
    ago,
    baseline_of,
    certified,
    closed,
    connector,
    daily,
    found,
    records,
    seen,
    shut,
    sight,
    with_records,
    with_senders,
    with_settings,
)  # fmt: skip

ALL = [*cases_senders.CASES, *cases_settings.CASES, *cases_rest.CASES]
LIMITS = Thresholds()


def alert_of(finding: Finding) -> Alert:
    """As it is when it was just raised."""
    return Alert("a1", finding, ago(), ago())


def keys(see: Sight, baseline: Baseline) -> set[tuple[str, str]]:
    """What is found."""
    return set(found(find(see, baseline, LIMITS)))


PAIRS = [
    (case, finding)
    for case in ALL
    for finding in find(case.sees, case.baseline, LIMITS)
    if KINDS[finding.kind].acceptable
]


@pytest.mark.parametrize(
    ("case", "finding"), PAIRS, ids=lambda value: str(value) if hasattr(value, "label") else value.kind
)
def test_what_is_accepted_is_gone_and_nothing_else(case: Any, finding: Finding) -> None:
    taken = accept(case.baseline, case.sees, alert_of(finding))
    before, after = keys(case.sees, case.baseline), keys(case.sees, taken)
    gone = before - after
    assert (finding.kind, finding.subject) in gone
    together = {"connector-widened", "connector-narrowed"}  # one setting can do both
    rest = {kind for kind, _ in gone} - {finding.kind}
    assert rest <= (
        together if finding.kind in together else {"new-sender"} if finding.kind == "sender-moved" else set()
    )
    assert after <= before
    assert keys(case.sees, grown(taken, case.sees, LIMITS)) <= after
    assert not Untold.of(case.sees, taken).keeps(finding.kind, finding.subject, finding.source)


@pytest.mark.parametrize("kind", [kind for kind, info in KINDS.items() if not info.acceptable])
def test_some_alerts_end_with_their_cause_only(kind: str) -> None:
    alert = alert_of(Finding(kind, "", Severity.WARNING, "", "", "", "self"))
    assert not acceptable(alert)
    with pytest.raises(UsageError, match=kind):
        accept(baseline_of(sight()), sight(), alert)


def test_an_alert_for_many_is_accepted_one_by_one() -> None:
    alert = alert_of(Finding("new-sender", f"{AT_ONCE}now", Severity.WARNING, "", "", "", "history"))
    assert not acceptable(alert)
    with pytest.raises(UsageError):
        accept(baseline_of(sight()), sight(), alert)


def test_what_cannot_be_had_cannot_be_accepted() -> None:
    (finding,) = find(with_records(spf="v=spf1 -all"), baseline_of(sight()), LIMITS)
    with pytest.raises(UsageError, match=r"contoso\.com"):
        accept(baseline_of(sight()), with_records(spf=Unknown("SERVFAIL")), alert_of(finding))
    (finding,) = find(sight(), shut(), LIMITS)
    assert finding.kind == "direct-send-reopened"
    with pytest.raises(UsageError, match="RejectDirectSend"):
        accept(shut(), with_settings(reject_direct_send=Unknown("left out")), alert_of(finding))


ABOUT_SENDERS = [pair for pair in PAIRS if Part.SENDER in KINDS[pair[1].kind].rests_on]


@pytest.mark.parametrize(("case", "finding"), ABOUT_SENDERS, ids=lambda value: str(value)[:60])
def test_a_sender_that_has_left_the_history_ends_no_alert_before_it_is_accepted(case: Any, finding: Finding) -> None:
    later = replace(case.sees, senders=tuple(each for each in case.sees.senders if each.key != finding.subject))
    assert (finding.kind, finding.subject) not in keys(later, case.baseline)
    assert Untold.of(later, case.baseline).keeps(finding.kind, finding.subject, finding.source)
    taken = accept(case.baseline, later, alert_of(finding))
    assert not Untold.of(later, taken).keeps(finding.kind, finding.subject, finding.source)


IMPROVES = {("dmarc-changed", "info"), ("spf-changed", "info")}


@pytest.mark.parametrize("case", ALL, ids=str)
def test_growing_hides_nothing_that_is_worse(case: Any) -> None:
    before = found(find(case.sees, case.baseline, LIMITS))
    bigger = grown(case.baseline, case.sees, LIMITS)
    after = found(find(case.sees, bigger, LIMITS))
    assert after.items() <= before.items()
    # What is not to be had for days is over once it is told; growing tells only what is told.
    assert {(kind, severity) for (kind, _), severity in before.items() - after.items()} <= IMPROVES
    assert grown(bigger, case.sees, LIMITS) == bigger


@pytest.mark.parametrize("case", ALL, ids=str)
def test_a_baseline_survives_being_written_down(case: Any) -> None:
    for baseline in (case.baseline, first(case.sees), grown(case.baseline, case.sees)):
        assert decode(json.loads(json.dumps(encode(baseline)))) == baseline


def test_a_door_that_was_shut_and_opened_again_is_missed() -> None:
    begun = first(sight())
    assert keys(closed(), begun) == {("door-open", "")} or not keys(closed(), begun)
    taken = grown(begun, closed(), LIMITS)
    assert (taken.snapshot.reject_direct_send, taken.closed_since) == (True, closed().now)
    opened = grown(taken, sight(), LIMITS)
    assert (opened.snapshot.reject_direct_send, opened.closed_since) == (True, None)
    assert ("direct-send-reopened", "") in keys(sight(), opened)


def test_unreadable_settings_change_nothing() -> None:
    lost = replace(with_settings(reject_direct_send=Unknown("x")), untold={"settings": "401"})
    assert grown(shut(), lost, LIMITS).snapshot == shut().snapshot
    assert grown(shut(), lost, LIMITS).closed_since == shut().closed_since


@pytest.mark.parametrize(
    ("better", "worse", "kind"),
    [
        (with_records(), with_records(dmarc="v=DMARC1; p=none"), "dmarc-changed"),
        (with_settings(connection_filter=ConnectionFilter()), sight(), "allow-list-widened"),
        (sight(), with_settings(inbound_connectors=(connector(), certified(treat_messages_as_internal=True))),
         "treat-as-internal"),
        (with_settings(transport_rules=(QUARANTINE_RULE,)),
         with_settings(transport_rules=(replace(QUARANTINE_RULE, enabled=False),)), "rule-off"),
    ],
    ids=["dmarc", "allow list", "internal", "rule"],
)  # fmt: skip
def test_what_got_better_and_is_as_before_again_is_news(better: Sight, worse: Sight, kind: str) -> None:
    begun = first(worse)
    assert kind not in {each for each, _ in keys(worse, begun)}
    improved = grown(begun, better, LIMITS)
    assert kind in {each for each, _ in keys(worse, improved)}


def test_a_smaller_piece_of_an_allowed_network_is_accepted_already() -> None:
    part = with_settings(connection_filter=ConnectionFilter((ip_network("192.0.2.0/29"),)))
    smaller = grown(baseline_of(sight()), part, LIMITS)
    assert keys(part, smaller) == set()
    assert keys(sight(), smaller) == {("allow-list-widened", "")}


def test_what_is_tolerated_is_news_again_once_it_was_over() -> None:
    over, fine = with_records(spf_lookups=12), with_records(spf_lookups=8)
    (finding,) = find(over, baseline_of(sight()), LIMITS)
    kept = accept(baseline_of(sight()), over, alert_of(finding))
    assert keys(over, grown(kept, over, LIMITS)) == set()
    silent = with_records(spf=Unknown("SERVFAIL"))
    assert grown(kept, silent, LIMITS).tolerated  # nobody can say that it is over
    assert keys(over, grown(kept, fine, LIMITS)) == {("spf-over-limits", "contoso.com")}


def test_what_is_tolerated_is_news_where_it_gets_worse_or_is_another() -> None:
    little, lot = sight(sent_directly=daily(6, 1, each=5)), sight(sent_directly=daily(6, 1, each=90))
    (finding,) = find(little, baseline_of(sight()), LIMITS)
    kept = accept(baseline_of(sight()), little, alert_of(finding))
    assert keys(little, kept) == set()
    assert keys(lot, kept) == {("filter-bypassed", "")}
    internal = connector(kind=certified().kind, restrict_to_addresses=False, treat_messages_as_internal=True)
    risky = with_settings(inbound_connectors=(internal, certified()))
    (finding,) = find(risky, baseline_of(risky), LIMITS)
    kept = accept(baseline_of(risky), risky, alert_of(finding))
    assert keys(risky, kept) == set()
    wider = replace(internal, sender_networks=(*internal.sender_networks, ip_network("198.18.0.1/32")))
    assert ("treat-as-internal", "Offices") in keys(with_settings(inbound_connectors=(wider, certified())), kept)


def test_a_source_that_is_told_late_begins_late() -> None:
    empty = replace(sight(senders=(), history_until=None), untold={"history": "no exports yet"})
    begun = first(empty)
    assert begun.history_since is None
    assert {kind for kind, _ in keys(sight(), begun)} <= {"history-stale"}
    later = grown(begun, sight(), LIMITS)
    assert set(later.senders) == {each.key for each in DEVICES}
    assert keys(sight(), later) == set()


def test_who_was_decided_about_belongs_there_and_a_spent_spoofer_too() -> None:
    friend = replace(seen("scanner", daily(3), address="198.18.0.5"), word=Word.LEGITIMATE)
    spent = replace(cases_senders.NEW[4].sees.senders[-1])
    spent = replace(spent, sender=replace(spent.sender, last_seen=ago(9)))
    after = grown(baseline_of(sight()), with_senders(friend, spent), LIMITS)
    assert {"scanner", "thief"} <= set(after.senders)
    # A known spoofer that has left the history is forgotten, an honest sender never.
    gone = grown(after, sight(senders=()), LIMITS)
    assert set(gone.senders) == {"printer", "monitor", "erp", "crm", "scanner"}


def test_rules_that_were_switched_on_are_missed_when_they_go() -> None:
    begun = first(with_settings(transport_rules=(replace(TAG_RULE, enabled=False),)))
    after = grown(begun, with_settings(transport_rules=(TAG_RULE,)), LIMITS)
    assert keys(with_settings(transport_rules=()), after) == {("rule-off", TAG_RULE.name)}


def test_unknowns_are_filled_when_they_are_told() -> None:
    unknown = with_settings(
        accepted_domains=Unknown("x"), connection_filter=Unknown("x"), transport_rules=Unknown("x"),
        inbound_connectors=(connector(enabled=Unknown("x")), certified()),
    )  # fmt: skip
    begun = first(replace(unknown, domains={"contoso.com": records(mx=Unknown("x"), spf=Unknown("x"))}))
    after = grown(begun, sight(), LIMITS)
    assert after.snapshot == replace(sight().snapshot, transport_rules=after.snapshot.transport_rules)
    assert after.domains == sight().domains


texts = st.text(max_size=12)
moments = st.datetimes(timezones=st.just(ago().tzinfo))
senders = st.builds(
    KnownSender, texts, texts, texts, texts, st.frozensets(st.tuples(texts, texts), max_size=3), moments, moments,
    st.integers(0, 10**12), st.booleans(),
)  # fmt: skip
facts = texts.map(Unknown)
domains = st.builds(
    DomainSight, st.lists(texts, max_size=2).map(tuple) | facts, st.sampled_from(MailExchanger) | facts,
    st.none() | texts | facts, st.none() | st.integers(0, 99), st.lists(texts, max_size=2).map(tuple),
    st.none() | texts | facts,
)  # fmt: skip
kept = st.builds(Tolerated, st.sampled_from(Severity), st.lists(texts, max_size=2).map(tuple), texts, moments)
baselines = st.builds(
    Baseline, moments, st.lists(senders, max_size=3).map(lambda rows: {row.key: row for row in rows}), snapshots,
    st.dictionaries(texts, domains, max_size=2), st.none() | moments, st.dictionaries(texts, moments, max_size=2),
    st.none() | moments, st.dictionaries(st.tuples(texts, texts), kept, max_size=2),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(baselines)
def test_print_then_parse(baseline: Baseline) -> None:
    text = json.dumps(encode(baseline))
    assert decode(json.loads(text)) == baseline
    assert json.dumps(encode(decode(json.loads(text)))) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(json_values)
def test_foreign_input_is_our_error(values: object) -> None:
    with pytest.raises(CodecError):
        decode(values)


BODY = encode(baseline_of(sight()))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(BODY)), json_values)
def test_a_damaged_part_is_our_error_or_still_a_baseline(name: str, value: object) -> None:
    try:
        found = decode({**BODY, name: value})
    except CodecError:
        return
    assert decode(json.loads(json.dumps(encode(found)))) == found


@pytest.mark.parametrize("name", sorted(BODY))
def test_a_missing_part_is_our_error(name: str) -> None:
    with pytest.raises(CodecError):
        decode({key: value for key, value in BODY.items() if key != name})


def test_the_schema_is_asked() -> None:
    with pytest.raises(CodecError, match="sidedoor/baseline/1"):
        decode({**BODY, "schema": "sidedoor/baseline/1"})
