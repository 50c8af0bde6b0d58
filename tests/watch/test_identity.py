"""Lasting keys: they survive what changes a report's ids, and nobody inherits one that is not theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.audit.model import Sender, Verdict
from sidedoor.store.model import KnownSender
from sidedoor.watch.identity import MOST_PLACES, Identified, identify, merged
from tests.watch.kit import ago, daily, seen

Seen = tuple[Sender, frozenset[tuple[str, str]]]
HOME, OFFICE, ATTACKER = "203.0.113.10", "203.0.113.40", "45.10.20.30"


def sender(
    identity: str, *addresses: str, since: int = 50, until: int = 1, domain: str = "contoso.com", **more: Any
) -> Seen:
    """A sender of a report under this id, and its places."""
    made = seen("x", daily(since, until), domain=domain, **more).sender
    return replace(made, id=identity), frozenset((address, domain) for address in addresses)


def run(known: tuple[KnownSender, ...], *senders: Seen, decided: tuple[str, ...] = ()) -> Identified:
    """One run."""
    return identify(senders, known, decided)


def test_the_first_id_is_the_key_and_stays_when_the_id_changes() -> None:
    first = run((), sender("one", HOME))
    assert first.keys == {"one": "one"}
    second = run(first.known, sender("two", HOME, OFFICE))
    assert second.keys == {"two": "one"}
    third = run(second.known, sender("three", OFFICE))
    assert third.keys == {"three": "one"}
    assert third.known[0].places == {(HOME, "contoso.com"), (OFFICE, "contoso.com")}
    assert third.known[0].id == "three"


def test_a_spoofer_that_borrows_everything_but_the_address_is_somebody_else() -> None:
    known = run((), sender("one", HOME)).known
    later = run(known, sender("one", HOME), sender("two", ATTACKER))
    assert later.keys == {"one": "one", "two": "two"}
    # Even with the same id, while the honest one is away.
    alone = run(known, sender("one", ATTACKER))
    assert alone.keys == {"one": "one-2"}
    assert {row.key for row in alone.known} == {"one", "one-2"}


def test_the_same_address_in_another_domain_is_no_place_in_common() -> None:
    known = run((), sender("one", HOME)).known
    assert run(known, sender("two", HOME, domain="fabrikam.example")).keys == {"two": "two"}


def test_behind_one_address_each_keeps_its_own() -> None:
    known = run((), sender("a", HOME), sender("b", HOME)).known
    assert run(known, sender("a", HOME), sender("c", HOME)).keys == {"a": "a", "c": "b"}
    # Both changed, and nothing tells them apart: neither inherits.
    both = run(known, sender("c", HOME), sender("d", HOME)).keys
    assert set(both.values()).isdisjoint({"a", "b"}) or len(set(both.values())) == 2


def test_who_came_after_the_other_was_gone_inherits_nothing() -> None:
    known = run((), sender("old", HOME, since=80, until=40)).known
    assert run(known, sender("new", HOME, since=20)).keys == {"new": "new"}
    assert run(known, sender("new", HOME, since=60)).keys == {"new": "old"}


def test_two_that_a_report_joins_keep_the_key_with_the_decision() -> None:
    known = run((), sender("a", HOME, since=60), sender("b", OFFICE)).known
    assert run(known, sender("ab", HOME, OFFICE, since=60)).keys == {"ab": "a"}
    assert run(known, sender("ab", HOME, OFFICE, since=60), decided=("b",)).keys == {"ab": "b"}


def test_a_friend_and_a_foe_that_a_report_joins_are_neither() -> None:
    known = run((), sender("a", HOME), sender("b", OFFICE, assessment=Verdict.SPOOFING)).known
    assert run(known, sender("ab", HOME, OFFICE)).keys == {"ab": "ab"}


def test_one_that_a_report_splits_stays_with_the_larger_part() -> None:
    known = run((), sender("a", HOME, OFFICE, ATTACKER)).known
    assert run(known, sender("x", HOME, OFFICE), sender("y", ATTACKER)).keys == {"x": "a", "y": "y"}


def test_without_addresses_only_the_id_tells() -> None:
    known = run((), sender("one", "")).known
    assert run(known, sender("one", "")).keys == {"one": "one"}
    assert run(known, sender("two", "")).keys == {"two": "two"}
    assert run(known, sender("one", HOME)).keys == {"one": "one-2"}


def test_ids_that_are_used_again_for_somebody_else_make_no_double() -> None:
    known = run((), sender("one", HOME)).known
    known = run(known, sender("two", HOME, OFFICE)).known  # key one, id two
    later = run(known, sender("two", HOME, OFFICE), sender("one", ATTACKER))
    assert later.keys == {"two": "one", "one": "one-2"}


def test_places_are_bounded_and_those_in_use_stay() -> None:
    many = sender("one", *(f"10.0.{n // 250}.{n % 250}" for n in range(MOST_PLACES + 50)))
    row = run((), many).known[0]
    assert len(row.places) == MOST_PLACES
    now = run((row,), sender("one", "10.0.0.1", HOME)).known[0]
    assert len(now.places) == MOST_PLACES
    assert (HOME, "contoso.com") in now.places


def test_an_accepted_move_joins_two() -> None:
    known = run((), sender("old", HOME, until=10), sender("new", ATTACKER, since=9)).known
    joined = merged(known, "new", "old")
    assert [row.key for row in joined] == ["old"]
    later = run(joined, sender("new", ATTACKER, since=9), sender("old", HOME, until=10))
    assert later.keys["new"] == "old"
    assert merged(known, "nobody", "old") == known
    assert merged(known, "old", "old") == known


ADDRESSES = st.sampled_from(["", "203.0.113.1", "203.0.113.2", "203.0.113.3", "45.0.0.1", "45.0.0.2"])
PLACES = st.frozensets(st.tuples(ADDRESSES, st.sampled_from(["contoso.com", "fabrikam.example", "<>"])), max_size=4)
IDS = st.sampled_from([f"s{n}" for n in range(8)])


@st.composite
def reports(draw: st.DrawFn) -> list[Seen]:
    """A report's senders: ids differ, everything else may not."""
    made = []
    for identity in draw(st.lists(IDS, unique=True, max_size=6)):
        since = draw(st.integers(3, 80))
        until = draw(st.integers(1, since - 1))
        verdict = draw(st.sampled_from(Verdict))
        base = seen("x", daily(since, until), assessment=verdict).sender
        made.append((replace(base, id=identity), draw(PLACES)))
    return made


@settings(max_examples=300, deadline=None)
@given(st.lists(reports(), min_size=1, max_size=4), st.randoms(use_true_random=False), st.sets(IDS, max_size=2))
def test_over_many_reports(history: list[list[Seen]], chance: Any, decided: set[str]) -> None:
    known: tuple[KnownSender, ...] = ()
    for report in history:
        shuffled, rows = list(report), list(known)
        chance.shuffle(shuffled)
        chance.shuffle(rows)
        answer = identify(report, known, decided)
        assert identify(shuffled, rows, decided) == answer
        assert set(answer.keys) == {sender.id for sender, _ in report}
        assert len(set(answer.keys.values())) == len(answer.keys)
        before = {row.key: row for row in known}
        assert set(before) <= {row.key for row in answer.known}
        assert len({row.key for row in answer.known}) == len(answer.known)
        for each, places in report:
            old = before.get(answer.keys[each.id])
            if old is not None and any(address for address, _ in places):
                assert {place for place in places if place[0]} & old.places, "a key is inherited by address only"
        again = identify(report, answer.known, decided)
        assert again.keys == answer.keys
        assert again.known == answer.known
        known = answer.known


@settings(max_examples=100, deadline=None)
@given(reports(), st.integers(1, 30))
def test_a_quiet_day_changes_no_key(report: list[Seen], days: int) -> None:
    first = identify(report, ())
    later = [
        (replace(each, last_seen=each.last_seen + timedelta(days=days), messages=each.messages + 1), places)
        for each, places in report
    ]
    assert identify(later, first.known).keys == first.keys
    assert all(row.last_seen >= ago(90) for row in first.known)
