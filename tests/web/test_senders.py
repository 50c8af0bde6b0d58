"""The table of senders, one sender, and what people say of it."""

from __future__ import annotations

import re

import pytest

from sidedoor.store.model import Decision, Word
from sidedoor.web.access.roles import Role
from tests.web.kit import Served, csrf

BASE = "/t/contoso.com/senders"


def a_sender(page: Served) -> str:
    """The key of a sender that waits for a word."""
    html = page.browser(Role.READER).get(BASE, params={"decided": "open"}).text
    found = re.search(rf'{BASE}/([0-9a-f]+)"', html)
    assert found is not None
    return found[1]


def rows(html: str) -> list[str]:
    return re.findall(rf'<a href="{BASE}/([0-9a-f]+)">', html)


def test_all_senders_of_the_report_are_listed(page: Served) -> None:
    tenant = page.site.tenants["contoso.com"]
    book = tenant.book()
    assert book is not None
    html = page.browser(Role.READER).get(BASE, params={"size": 200}).text
    assert sorted(rows(html)) == sorted(sender.id for sender in book.audit.senders)


@pytest.mark.parametrize(
    ("asked", "test"),
    [
        ({"assessment": "spoofing"}, lambda sender: sender.assessment.value == "spoofing"),
        ({"refused": "no"}, lambda sender: not sender.would_reject and not sender.would_reject_unknown),
        ({"submission": "internet"}, lambda sender: sender.submission.value == "internet"),
        ({"q": "CONTOSO.com mfp"}, lambda sender: "mfp" in repr(sender).lower()),
        ({"q": "nobody is called so"}, lambda _: False),
        ({"assessment": "", "due": "", "seen_since": ""}, lambda _: True),
    ],
)
def test_filters_keep_what_they_say(page: Served, asked: dict[str, str], test: object) -> None:
    book = page.site.tenants["contoso.com"].book()
    assert book is not None
    wanted = {sender.id for sender in book.audit.senders if test(sender)}  # type: ignore[operator]
    html = page.browser(Role.READER).get(BASE, params=asked | {"size": 200}).text
    assert set(rows(html)) == wanted


def test_orders_turn_round(page: Served) -> None:
    browser = page.browser(Role.READER)
    for order in ("name", "messages", "refused", "recipients", "first-seen", "last-seen"):
        one = rows(browser.get(BASE, params={"order": order}).text)
        other = rows(browser.get(BASE, params={"order": order, "backwards": "true"}).text)
        assert one == other[::-1]
        assert len(one) > 5


def test_pages_of_the_table_have_each_sender_once(page: Served) -> None:
    browser = page.browser(Role.READER)
    whole = rows(browser.get(BASE, params={"size": 200}).text)
    parts = [rows(browser.get(BASE, params={"size": 7, "page": n}).text) for n in range(1, -(-len(whole) // 7) + 1)]
    assert [key for part in parts for key in part] == whole
    assert rows(browser.get(BASE, params={"size": 7, "page": 999}).text) == parts[-1]


def test_a_decision_is_kept_with_who_and_when(page: Served) -> None:
    key, browser = a_sender(page), page.browser(Role.OPERATOR, who="bo@contoso.com")
    form = {
        "csrf": csrf(browser.get(f"{BASE}/{key}").text), "version": "0", "assessment": "legitimate",
        "owner": " facilities@contoso.com ", "method": "local-relay", "note": "Doors.\r\nSecond line",
        "due": "2026-12-01",
    }  # fmt: skip
    answer = browser.post(f"{BASE}/{key}", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/{key}?done=decided")
    kept = page.site.tenants["contoso.com"].store.decisions()[key]
    assert (kept.assessment, kept.owner, kept.method) == (Word.LEGITIMATE, "facilities@contoso.com", "local-relay")
    assert (kept.note, str(kept.due), kept.by, kept.at) == (
        "Doors.\nSecond line", "2026-12-01", "bo@contoso.com", page.clock(),
    )  # fmt: skip
    html = browser.get(answer.headers["location"]).text
    assert "bo@contoso.com" in html
    assert "Kept." in html
    assert key in rows(browser.get(BASE, params={"decided": "yes"}).text)
    assert key not in rows(browser.get(BASE, params={"decided": "open"}).text)


def test_a_stale_form_says_so_and_shows_both(page: Served) -> None:
    key, browser, store = a_sender(page), page.browser(Role.OPERATOR), page.site.tenants["contoso.com"].store
    token = csrf(browser.get(f"{BASE}/{key}").text)
    store.decide(Decision(key, Word.SPOOFING, note="seen in the log"), "carl", "web", page.clock())
    form = {"csrf": token, "version": "0", "assessment": "legitimate", "note": "ours, I think"}
    answer = browser.post(f"{BASE}/{key}", data=form)
    assert answer.status_code == 409
    assert all(text in answer.text for text in ("carl", "seen in the log", "ours, I think", 'name="version" value="1"'))
    assert store.decisions()[key].assessment is Word.SPOOFING
    assert browser.post(f"{BASE}/{key}", data=form | {"version": "1"}).status_code == 303
    assert store.decisions()[key].assessment is Word.LEGITIMATE


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("owner", "nobody", "no mail address"),
        ("method", "by pigeon", "no such method"),
        ("note", "x" * 4_001, "4,000 characters"),
    ],
)
def test_mistakes_are_named_and_nothing_is_kept(page: Served, field: str, value: str, said: str) -> None:
    key, browser = a_sender(page), page.browser(Role.OPERATOR)
    token = csrf(browser.get(f"{BASE}/{key}").text)
    answer = browser.post(f"{BASE}/{key}", data={"csrf": token, "version": "0", field: value})
    assert answer.status_code == 422
    assert said in answer.text
    assert value in answer.text or field == "method"
    assert page.site.tenants["contoso.com"].store.decisions() == {}


def test_a_sender_that_is_not_there(page: Served) -> None:
    browser = page.browser(Role.OPERATOR)
    assert browser.get(f"{BASE}/nobody").status_code == 404
    token = csrf(browser.get(BASE).text)
    assert browser.post(f"{BASE}/nobody", data={"csrf": token, "version": "0"}).status_code == 404
    assert page.site.tenants["contoso.com"].store.decisions() == {}
