"""Any settings against any others: no error, texts within bounds, accepting works, growing hides nothing worse."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.audit.model import Verdict
from sidedoor.errors import UsageError
from sidedoor.mail.fact import Unknown
from sidedoor.policy.decision import Submission
from sidedoor.store.model import Alert, Word
from sidedoor.tenant.snapshot import MailExchanger, TenantSnapshot
from sidedoor.watch.baseline import accept, acceptable, first, grown
from sidedoor.watch.find import Untold, everything, find
from sidedoor.watch.sight import (
    Baseline,
    BounceSight,
    CertificateSight,
    DomainSight,
    ProbeSight,
    ReportedSight,
    SenderSight,
    Sight,
    Thresholds,
)
from tests.tenant.test_codec import snapshots
from tests.watch.kit import NOW, ago, daily, seen
from tests.watch.test_find_texts import bounded

LIMITS = Thresholds()
texts = st.text(max_size=8)
ages = st.integers(0, 60).map(ago)
addresses = st.sampled_from(["", "203.0.113.7", "203.0.113.9", "198.51.100.9", "2001:db8::1", "no address"])
names = st.sampled_from(["a", "b", "c"])
facts = texts.map(Unknown)
records = st.sampled_from(
    ["v=spf1 -all", "v=spf1 +all", "v=DMARC1; p=reject", "v=DMARC1; p=none; sp=reject", "v=DMARC1; p=quarantine; pct=3"]
)
domain_sights = st.builds(
    DomainSight, st.lists(texts, max_size=2).map(tuple) | facts, st.sampled_from(MailExchanger) | facts,
    st.none() | records | texts | facts, st.none() | st.integers(0, 20),
    st.lists(st.sampled_from(["spf-syntax", "spf-many-lookups", "spf-void-lookup", "new"]), max_size=2).map(tuple),
    st.none() | records | texts | facts,
)  # fmt: skip


@st.composite
def senders(draw: st.DrawFn) -> tuple[SenderSight, ...]:
    """A few senders in all conditions."""
    found = []
    for key in draw(st.lists(names, unique=True, max_size=3)):
        since = draw(st.integers(2, 80))
        days = daily(since, draw(st.integers(1, since)), each=draw(st.sampled_from([1, 30])))
        made = seen(
            key, days, address=draw(addresses), assessment=draw(st.sampled_from(Verdict)),
            submission=draw(st.sampled_from(Submission)), word=draw(st.sampled_from(Word)),
            helo=[draw(texts), "mfp1"], mail_from=["scan@contoso.com"],
            reasons=draw(st.sampled_from([("forwarder",), ("x",)])),
        )  # fmt: skip
        blocked = draw(st.booleans())
        found.append(
            replace(
                made,
                places=frozenset(draw(st.lists(st.tuples(addresses, names), max_size=3))),
                blocked=5 if blocked else 0,
                last_blocked=made.sender.last_seen if blocked else None,
                method=draw(st.sampled_from(["", "graph", "refuse", "something"])),
            )
        )
    return tuple(found)


def once_each(snapshot: TenantSnapshot) -> TenantSnapshot:
    """Names are unique within a tenant."""
    lists = {"accepted_domains": "domain", "inbound_connectors": "name", "transport_rules": "name"}
    parts: dict[str, Any] = {}
    for part, name in lists.items():
        rows = getattr(snapshot, part)
        if not isinstance(rows, Unknown):
            parts[part] = tuple({getattr(row, name): row for row in rows}.values())
    return replace(snapshot, **parts)


bounces = st.builds(BounceSight, texts, ages, st.sampled_from(["5.7.68", "5.7.51", ""]), texts, texts, texts, addresses)
sights = st.builds(
    Sight,
    now=st.just(NOW),
    window=st.none() | st.just((ago(80), NOW)),
    history_until=st.none() | ages,
    senders=senders(),
    snapshot=snapshots.map(once_each),
    domains=st.dictionaries(st.sampled_from(["contoso.com", "a.b.example"]), domain_sights, max_size=2),
    sent_directly=st.just({}) | st.just(daily(10, 1, each=40)),
    connector_addresses=st.dictionaries(texts, st.dictionaries(addresses, ages, max_size=2), max_size=2),
    certificates=st.lists(st.builds(CertificateSight, texts, st.just(("x",)), ages, texts), max_size=2).map(tuple),
    probe=st.none() | st.builds(ProbeSight, ages, st.sampled_from(["open", "closed", "undetermined"]), st.just(("w",))),
    bounces=st.lists(bounces, max_size=2).map(tuple),
    reported=st.lists(
        st.builds(ReportedSight, addresses, st.none() | names, st.integers(0, 9), st.integers(0, 9), ages), max_size=2
    ).map(tuple),
    untold=st.dictionaries(
        st.sampled_from(["history", "settings", "dns:contoso.com", "dns", "probe", "bounces"]), texts, max_size=2
    ),
    truncated=st.lists(texts, max_size=1).map(tuple),
)


def before_of(older: Sight) -> Baseline:
    """A baseline made a while ago of something else."""
    return first(replace(older, now=NOW - timedelta(days=20), untold={}))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sights, sights)
def test_anything_against_anything(older: Sight, newer: Sight) -> None:
    baseline = before_of(older)
    findings = find(newer, baseline, LIMITS)
    assert all(map(bounded, findings))
    assert len({(each.kind, each.subject) for each in findings}) == len(findings)
    for finding in findings:
        alert = Alert("a", finding, NOW, NOW)
        if not acceptable(alert):
            continue
        try:
            taken = accept(baseline, newer, alert)
        except UsageError:
            assert newer.untold or older.untold or "nknown" in repr((newer.snapshot, newer.domains, baseline.snapshot))
            continue
        assert (finding.kind, finding.subject) not in {(each.kind, each.subject) for each in find(newer, taken, LIMITS)}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sights, sights)
def test_growing_is_done_in_one_step_and_tells_nothing_new(older: Sight, newer: Sight) -> None:
    baseline = before_of(older)
    bigger = grown(baseline, newer, LIMITS)
    assert grown(bigger, newer, LIMITS) == bigger
    before = {(each.kind, each.subject): each for each in find(newer, baseline, LIMITS)}
    for finding in find(newer, bigger, LIMITS):
        # A sender that joined the baseline may be one whose habits a new one has, or that is silent since; a connector
        # that did has addresses that may have been idle for long.
        joined = {*bigger.senders} - {*baseline.senders}
        if finding.kind == "connector-address-unused":
            continue
        assert (finding.kind, finding.subject) in before or finding.subject in joined, finding


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sights)
def test_the_day_after_the_first_run_is_quiet(newer: Sight) -> None:
    """Nothing that only differs is found in what has not changed since the baseline."""
    baseline = first(newer)
    differs = {
        "new-sender", "accepted-domain-added", "accepted-domain-removed", "accepted-domain-changed", "rule-off",
        "allow-list-widened", "connector-added", "connector-removed", "connector-widened", "connector-narrowed",
        "connector-enabled", "connector-disabled", "connector-changed", "spf-changed", "dmarc-changed", "mx-changed",
        "direct-send-reopened",
    }  # fmt: skip
    assert not differs & {each.kind for each in everything(newer, baseline, LIMITS)}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sights, sights)
def test_with_nothing_told_nothing_comes_and_nothing_goes(older: Sight, newer: Sight) -> None:
    baseline = before_of(older)
    before = find(newer, baseline, LIMITS)
    silent = replace(
        newer, untold=dict.fromkeys(("history", "settings", "dns", "certificates", "probe", "bounces"), "no answer"),
        snapshot=TenantSnapshot(), senders=(), bounces=(), certificates=(), probe=None,
    )  # fmt: skip
    untold: Any = Untold.of(silent, baseline)
    assert {each.source for each in find(silent, baseline, LIMITS)} <= {"self"}
    assert all(untold.keeps(each.kind, each.subject, each.source) for each in before if each.source != "self")
