"""Alerts on the page: the list, one of them, and what people answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sidedoor.report import tenant_json
from sidedoor.store.changes import Changes, RunEnd
from sidedoor.store.model import Baseline, Severity
from sidedoor.watch import baseline_json, sight_json
from sidedoor.watch.run import SIGHT
from sidedoor.watch.sight import Baseline as Accepted
from sidedoor.watch.sight_json import Surroundings
from sidedoor.web.access.roles import Role
from tests.web import busy
from tests.web.kit import Served, csrf, served
from tests.web.world import NOW

BASE = "/t/contoso.com/alerts"


@pytest.fixture
def filled(busy_workspace: Path) -> Iterator[Served]:
    with served([busy_workspace], busy_workspace.parent) as one:
        yield one


def titles(page: Served, **asked: str) -> list[str]:
    html = page.browser(Role.READER).get(BASE, params=asked).text
    return [each.finding.title for each in busy.alerts_of("x") if each.finding.title in html]


def test_the_list_shows_what_is_asked_for(filled: Served) -> None:
    whole = [each.finding.title for each in busy.alerts_of("x")]
    assert titles(filled) == whole[:4]
    assert titles(filled, which="all") == whole
    assert titles(filled, severity="serious") == whole[:2]
    assert titles(filled, q="BURST") == [whole[1]]
    assert titles(filled, q="nothing is called so") == []
    assert filled.browser(Role.READER).get(BASE, params={"severity": "loud"}).status_code == 422


def test_many_alerts_come_in_pages(filled: Served) -> None:
    store = filled.site.tenants["contoso.com"].store
    many = tuple(
        busy.alert(
            1000 + n, busy.finding("new-sender", Severity.INFO, f"Number {n:03}", f"s{n}"), NOW - timedelta(hours=n)
        )
        for n in range(120)
    )
    store.apply(Changes(NOW, raised=many))
    browser = filled.browser(Role.READER)
    pages = [browser.get(BASE, params={"page": str(n), "q": "number"}).text for n in (1, 2, 3)]
    for n in range(120):
        assert sum(f"Number {n:03}" in page for page in pages) == 1
    assert "page=2" in pages[0]
    assert "q=number" in pages[0]


def test_acknowledging(filled: Served) -> None:
    browser, store = filled.browser(Role.OPERATOR, who="bo"), filled.site.tenants["contoso.com"].store
    token = csrf(browser.get(f"{BASE}/a0001").text)
    assert browser.post(f"{BASE}/a0001/acknowledge", data={"csrf": token}).status_code == 303
    found = store.alert("a0001")
    assert found is not None
    assert (found.acknowledged_by, found.acknowledged_at) == ("bo", filled.clock())
    assert store.trail()[0].what == "acknowledge"
    assert "known to" in browser.get(BASE).text
    assert browser.post(f"{BASE}/nowhere/acknowledge", data={"csrf": token}).status_code == 404


@pytest.mark.parametrize(
    ("days", "status"), [("7", 303), ("0", 303), ("366", 303), ("367", 422), ("-1", 422), ("x", 422)]
)
def test_snoozing(filled: Served, days: str, status: int) -> None:
    browser, store = filled.browser(Role.OPERATOR), filled.site.tenants["contoso.com"].store
    token = csrf(browser.get(f"{BASE}/a0002").text)
    assert browser.post(f"{BASE}/a0002/snooze", data={"csrf": token, "days": days}).status_code == status
    found = store.alert("a0002")
    assert found is not None
    until = NOW + timedelta(days=int(days)) if status == 303 and days != "0" else None
    assert found.snoozed_until == until


def test_before_the_first_run_nothing_can_be_accepted(filled: Served) -> None:
    browser, store = filled.browser(Role.OPERATOR), filled.site.tenants["contoso.com"].store
    store.put_value(SIGHT, None)
    token = csrf(browser.get(f"{BASE}/a0003").text)
    answer = browser.post(f"{BASE}/a0003/accept", data={"csrf": token})
    assert answer.status_code == 409
    assert "no run has come to its end yet" in answer.text


def ended(page: Served, at: datetime) -> None:
    """A run has ended that saw RejectDirectSend off, where it was on."""
    tenant = page.site.tenants["contoso.com"]
    snapshot = tenant_json.read(tenant.workspace.report).snapshot
    before = Accepted(NOW - timedelta(days=30), {}, replace(snapshot, reject_direct_send=True), {}, closed_since=NOW)
    around = Surroundings(at, at, replace(snapshot, reject_direct_send=False))
    number = tenant.store.begin_run(at)
    tenant.store.apply(
        Changes(
            at, baseline=Baseline(before.at, baseline_json.encode(before)), values={SIGHT: sight_json.encode(around)},
            end=RunEnd(number, at, "done"),
        )
    )  # fmt: skip


def test_accepting_takes_it_into_the_baseline(filled: Served) -> None:
    ended(filled, NOW)
    browser, tenant = filled.browser(Role.OPERATOR, who="bo"), filled.site.tenants["contoso.com"]
    assert "RejectDirectSend was true and is false" in browser.get("/t/contoso.com/settings").text
    token = csrf(browser.get(f"{BASE}/a0001").text)
    answer = browser.post(f"{BASE}/a0001/accept", data={"csrf": token})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/a0001?done=accepted")
    kept = tenant.store.baseline()
    assert kept is not None
    assert baseline_json.decode(kept.body).snapshot.reject_direct_send is False
    assert "accept" in [entry.what for entry in tenant.store.trail(limit=2)]
    assert "RejectDirectSend was true" not in browser.get("/t/contoso.com/settings").text
    found = tenant.store.alert("a0001")
    assert found is not None
    assert found.acknowledged_by == "bo"


@pytest.mark.parametrize("alert", ["a0002", "a0005"])
def test_what_cannot_be_accepted_is_not(filled: Served, alert: str) -> None:
    """A burst is over when it is over, and what is over needs nothing."""
    browser, store = filled.browser(Role.OPERATOR), filled.site.tenants["contoso.com"].store
    token, before = csrf(browser.get(f"{BASE}/{alert}").text), store.revision()
    assert browser.post(f"{BASE}/{alert}/accept", data={"csrf": token}).status_code == 409
    assert store.revision() == before


def test_nothing_is_accepted_while_a_run_is_under_way(filled: Served) -> None:
    ended(filled, NOW)
    browser, store = filled.browser(Role.OPERATOR), filled.site.tenants["contoso.com"].store
    token = csrf(browser.get(f"{BASE}/a0001").text)
    with store.running():
        answer = browser.post(f"{BASE}/a0001/accept", data={"csrf": token})
    assert answer.status_code == 409
    assert "under way" in answer.text
