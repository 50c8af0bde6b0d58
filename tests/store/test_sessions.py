"""Sessions of the web page and tokens that count once; secrets are kept nowhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidedoor.store.errors import StoreError
from sidedoor.store.model import WebSession
from sidedoor.store.sessions import digest_of
from sidedoor.store.store import Store
from tests.store.store_kit import DAY, HOUR, NOW

ANN = WebSession(digest_of("secret"), "ann@contoso.com", ("reader", "admin"), NOW + HOUR, "csrf-1", NOW)
TOKEN = digest_of("token")


def test_a_session_lasts_until_it_is_over(store: Store) -> None:
    store.put_session(ANN)
    assert store.session(ANN.id_hash, NOW) == ANN
    assert store.session(ANN.id_hash, NOW + HOUR) is None
    assert store.session(digest_of("other"), NOW) is None


def test_a_session_is_renewed_and_ended(store: Store) -> None:
    store.put_session(ANN)
    store.put_session(replace(ANN, expires=NOW + DAY))
    assert store.session(ANN.id_hash, NOW + HOUR) == replace(ANN, expires=NOW + DAY)
    store.drop_session(ANN.id_hash)
    assert store.session(ANN.id_hash, NOW) is None


def test_all_sessions_of_a_person_end_together(store: Store) -> None:
    for number, who in enumerate(("ann", "ann", "bob")):
        store.put_session(replace(ANN, id_hash=digest_of(str(number)), who=who))
    assert store.drop_sessions_of("ann") == 2
    assert store.session(digest_of("2"), NOW) is not None


def test_a_token_counts_once_and_for_its_purpose(store: Store) -> None:
    store.put_token(TOKEN, "sign-in", NOW + HOUR, {"role": "admin"})
    assert store.take_token(TOKEN, "other", NOW) is None
    assert store.take_token(TOKEN, "sign-in", NOW) == {"role": "admin"}
    assert store.take_token(TOKEN, "sign-in", NOW) is None


def test_a_token_that_is_over_does_not_count(store: Store) -> None:
    store.put_token(TOKEN, "sign-in", NOW + HOUR)
    assert store.take_token(TOKEN, "sign-in", NOW) == {}
    store.put_token(TOKEN, "sign-in", NOW + HOUR)
    assert store.take_token(TOKEN, "sign-in", NOW + HOUR) is None


def test_what_is_over_is_swept(store: Store) -> None:
    store.put_session(ANN)
    store.put_session(replace(ANN, id_hash=digest_of("2"), expires=NOW + DAY))
    store.put_token(TOKEN, "sign-in", NOW)
    assert store.sweep(NOW + HOUR) == 2
    assert store.session(digest_of("2"), NOW) is not None


@pytest.mark.parametrize("secret", ["secret", "", "A" * 64, "0" * 63])
def test_a_secret_is_never_kept_by_mistake(store: Store, secret: str) -> None:
    with pytest.raises(StoreError) as of_session:
        store.put_session(replace(ANN, id_hash=secret))
    with pytest.raises(StoreError) as of_token:
        store.put_token(secret, "sign-in", NOW)
    assert secret == "" or secret not in f"{of_session.value} {of_token.value}"
