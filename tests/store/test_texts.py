"""What goes in comes out, whatever mail holds: NUL, lone surrogates, texts of a megabyte."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidedoor.store.changes import Changes
from sidedoor.store.columns import escaped, kept_key, unescaped
from sidedoor.store.errors import StoreError
from sidedoor.store.model import Decision, Observation, TrailEntry, Word
from sidedoor.store.tenant import TenantStore
from tests.store.store_kit import NOW, alert, delivery, finding, known

MILLION = "ä" * 1_000_000
HOSTILE = ["", "\x00", "a\x00b", "\ud800", "\udfff\x00", "\ufdd0", "\ufdd00000", "'; DROP TABLE alert; --", "%s %(x)s",
           "\u202etxt.exe", "🂡", "\r\n", "\x1b[2J", "ﬀ İ", MILLION]  # fmt: skip
any_text = st.text(st.characters(exclude_categories=())) | st.sampled_from(HOSTILE)


@given(any_text)
@example("\ufdd00000")
@example("\ufdd0fdd0\x00")
def test_what_is_escaped_is_fit_and_comes_back(text: str) -> None:
    fit = escaped(text)
    assert "\x00" not in fit
    fit.encode()
    assert unescaped(fit) == text


@given(any_text, any_text)
def test_keys_stay_different_short_and_as_they_are(one: str, other: str) -> None:
    for text in (one, other):
        kept = kept_key(text)
        assert len(escaped(kept).encode()) <= 800
        assert kept_key(kept) == kept
        assert kept == text or (len(text) > 100 and kept.startswith(f"{text[:60]}…"))
    assert (kept_key(one) == kept_key(other)) == (one == other)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_texts_come_back(tenant: TenantStore, text: str) -> None:
    key = kept_key(text)
    evidence = ((text, text), ("x", text))
    bad = finding(text, title=text, text=text, advice=text, source=text, evidence=evidence, kind=text)
    one = replace(alert(1), id=text, finding=bad, acknowledged_by=text)
    message = delivery(one, text, id=text, error=text)
    tenant.apply(Changes(NOW, raised=(one,), deliveries=(message,), values={text: {text: text}}))
    kept = replace(one, id=key, finding=replace(bad, subject=key, kind=key))
    assert tenant.open_alerts() == [kept]
    assert tenant.alert(text) == kept
    assert tenant.due_deliveries(NOW) == [(replace(message, id=key, alert=key, channel=key), kept)]
    assert tenant.value(text) == {text: text}
    assert tenant.claim(message, NOW)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_senders_come_back(tenant: TenantStore, text: str) -> None:
    key = kept_key(text)
    sender = known(1, key=text, id=text, name=text, assessment=text, places=frozenset({(text, text), ("", text)}))
    for _ in range(2):
        tenant.put_senders([sender])
        assert tenant.known_senders() == {key: replace(sender, key=key, places=frozenset({(key, key), ("", key)}))}
    assert tenant.accept_senders([text]) == 1
    decided = tenant.decide(Decision(text, Word.SPOOFING, text, text, text), text, text, NOW)
    assert tenant.decisions([text]) == {key: decided}
    assert (decided.owner, decided.by) == (text, text)
    tenant.note(TrailEntry(NOW, text, text, text, text, {text: text}, {}))
    assert [line.what for line in tenant.trail(text)] == [text, "decide"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_observations_come_back(tenant: TenantStore, text: str) -> None:
    seen = Observation(text, text, NOW, {text: [text]})
    assert tenant.put_observation(seen)
    assert not tenant.put_observation(seen)
    assert [each.body for each in tenant.observations(text)] == [{text: [text]}]


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), NOW])
def test_times_from_the_first_to_the_last(tenant: TenantStore, at: datetime) -> None:
    tenant.put_observation(Observation("probe", "key", at, {}))
    assert [each.at for each in tenant.observations("probe", since=at)] == [at]


def test_numbers_too_large_are_refused_by_our_error(tenant: TenantStore) -> None:
    with pytest.raises(StoreError):
        tenant.put_senders([known(1, messages=2**63)])
    assert tenant.known_senders() == {}
