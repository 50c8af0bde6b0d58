"""Who gets in, as what, and that nobody else changes anything."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from sidedoor.edge.spool.store import Store
from sidedoor.store.store import open_store
from sidedoor.watch.workspace import open_workspace
from sidedoor.web.access import bearer, links
from sidedoor.web.access.access import COOKIE
from sidedoor.web.access.guard import MOST_BODY, Reach
from sidedoor.web.access.needs import needed
from sidedoor.web.access.roles import Grant, Role
from sidedoor.web.app import ROUTERS, make_app
from sidedoor.web.service.planning import step_id
from tests.web.kit import HOST, ORIGIN, Served, csrf, served

PATHS = [
    (route, route.methods or set()) for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
]


@pytest.fixture
def two(made: Path, busy_workspace: Path) -> Iterator[Served]:
    """Two tenants, in one of which things have happened."""
    other = busy_workspace.parent / "fabrikam.com"
    shutil.copytree(made, other)
    settings = (other / "sidedoor.toml").read_text().replace('"contoso.com"', '"fabrikam.com"', 1)
    (other / "sidedoor.toml").write_text(settings)
    with served([busy_workspace, other], busy_workspace.parent) as one:
        yield one


def filled(two: Served, path: str) -> str:
    """A path of the route table with what is there in its place."""
    tenant = two.site.tenants["contoso.com"]
    book = tenant.book()
    assert book is not None
    assert book.plan is not None
    values = {
        "tenant": "contoso.com", "key": book.audit.senders[0].id, "alert_id": "a0001", "message_id": "m0",
        "step": step_id(book.plan.changes[0]), "folder": "scripts", "name": "10-check.ps1", "token_id": "abc",
        "digest": "0", "api": "",
    }  # fmt: skip
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], path)


def state(two: Served) -> list[object]:
    """All that a change would change."""
    stores = [tenant.store for tenant in two.site.tenants.values()]
    spool = Path(two.site.tenants["contoso.com"].workspace.folder) / "spool.db"
    held = Store(spool)
    rows = [row.id for row in held.quarantine()]
    held.close()
    tokens = [each.id for each in bearer.bearers(two.site.sessions, two.clock())]
    return [*(store.revision() for store in stores), rows, tokens]


def test_every_route_declares_its_role() -> None:
    assert len(PATHS) == sum(len(router.routes) for router in ROUTERS) > 40
    for route, methods in PATHS:
        role = needed(route.endpoint)
        assert role is not None, route.path
        if not methods & {"GET"} and route.path not in {"/sign-in", "/sign-out"}:
            assert role >= Role.OPERATOR, route.path


def test_what_declares_no_role_is_for_nobody(two: Served) -> None:
    two.app.add_api_route("/forgotten", lambda: "secret", methods=["GET"])
    assert two.browser(Role.ADMIN).get("/forgotten").status_code == 403


@pytest.mark.parametrize("role", [Role.NOBODY, Role.READER, Role.OPERATOR], ids=lambda role: role.word)
def test_nobody_does_more_than_their_role_allows(two: Served, role: Role) -> None:
    browser = two.browser(*([role] if role else []))
    token = csrf(browser.get("/about").text) if role else "x"
    before = state(two)
    for route, methods in PATHS:
        wanted = needed(route.endpoint)
        assert wanted is not None
        if wanted <= role or "live" in route.path:
            continue
        for method in sorted(methods - {"HEAD"}):
            path = filled(two, route.path)
            answer = browser.request(method, path, data={"csrf": token}, headers={"X-CSRF-Token": token})
            if role is Role.NOBODY and not path.startswith("/api/"):
                assert answer.status_code == 303, path
                assert answer.headers["location"].startswith("/sign-in?"), path
            else:
                assert answer.status_code == (403 if role else 401), path
    assert state(two) == before


def test_a_reader_reads_everything_else(two: Served) -> None:
    browser, before = two.browser(Role.READER), state(two)
    seen = 0
    for route, methods in PATHS:
        if needed(route.endpoint) is Role.READER and "GET" in methods and "live" not in route.path:
            answer = browser.get(filled(two, route.path))
            assert answer.status_code in {200, 404 if "{name}" in route.path else 200}, route.path
            seen += 1
    assert seen > 25
    assert state(two) == before


def test_grants_hold_in_their_tenant_only(two: Served) -> None:
    browser = two.browser(Grant(Role.OPERATOR, "contoso.com"))
    assert browser.get("/t/contoso.com").status_code == 200
    for path in ("/t/fabrikam.com", "/t/nowhere.example", "/api/v1/tenants/fabrikam.com"):
        assert browser.get(path).status_code == 404, path
    assert "fabrikam" not in browser.get("/t/contoso.com").text
    assert [row["tenant"] for row in browser.get("/api/v1/tenants").json()] == ["contoso.com"]
    assert browser.get("/access").status_code == 403
    both = two.browser(Grant(Role.READER, "fabrikam.com"), Grant(Role.OPERATOR, "contoso.com"))
    token = csrf(both.get("/about").text)
    for tenant, status in (("contoso.com", 303), ("fabrikam.com", 403)):
        answer = both.post(f"/t/{tenant}/alerts/a0001/acknowledge", data={"csrf": token})
        assert answer.status_code == status, tenant


@pytest.mark.parametrize("given", ["", "wrong", "é", "of another session", None])
def test_a_form_without_its_token_changes_nothing(two: Served, given: str | None) -> None:
    browser, before = two.browser(Role.ADMIN), state(two)
    if given == "of another session":
        given = csrf(two.browser(Role.ADMIN).get("/about").text)
    form = {} if given is None else {"csrf": given}
    answer = browser.post("/t/contoso.com/quarantine/m0/release", data=form)
    assert answer.status_code == 403
    header = {} if given is None else {"X-CSRF-Token": given.encode()}
    assert browser.delete("/api/v1/tenants/contoso.com/quarantine/m0", headers=header).status_code == 403
    assert state(two) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"https://{HOST}"},
        {"Origin": ORIGIN + ".evil.example"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
)
def test_a_change_from_elsewhere_is_refused(two: Served, headers: dict[str, str]) -> None:
    browser, before = two.browser(Role.ADMIN), state(two)
    token = csrf(browser.get("/about").text)
    del browser.headers["origin"]
    for path in ("/t/contoso.com/quarantine/m0/release", "/sign-out", "/access/tokens"):
        answer = browser.post(path, data={"csrf": token, "label": "x"}, headers=headers)
        assert answer.status_code == 403, path
    assert state(two) == before
    assert browser.get("/about").status_code == 200


def test_parts_of_other_sites_do_not_load_pages(two: Served) -> None:
    browser = two.browser(Role.READER)
    for mode in ("no-cors", "cors", "websocket"):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        assert browser.get("/t/contoso.com", headers=headers).status_code == 403
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert browser.get("/t/contoso.com", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost:8642", "", f"{HOST}.evil.example"]
)
def test_another_name_is_not_answered(two: Served, host: str) -> None:
    """DNS rebinding: the browser believes that it speaks to evil.example, and would send what that page asks."""
    browser = two.browser(Role.ADMIN)
    answer = browser.get("/t/contoso.com", headers={"Host": host})
    assert answer.status_code == 421
    assert "contoso" not in answer.text


@pytest.mark.parametrize("path", ["/t/contoso.com/senders/x", "/api/v1/tokens", "/nowhere"])
def test_a_body_is_bounded(two: Served, path: str) -> None:
    browser = two.browser(Role.ADMIN)
    assert browser.post(path, content=b"x" * (MOST_BODY + 1)).status_code == 413

    def parts() -> Iterator[bytes]:
        yield from (b"x" * 10_000 for _ in range(10))

    assert browser.post(path, content=parts()).status_code == 413
    assert browser.post(path, content=b"x", headers={"Content-Length": "-1"}).status_code in {400, 413}


class Page(HTMLParser):
    """What a page asks a browser to run or to load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"style", "iframe", "object", "embed", "base"} or (tag == "script" and not given.get("src")):
            self.wrong.append(tag)
        self.wrong += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        self.wrong += [value for name, value in attrs if value and value.lower().strip().startswith("javascript:")]
        self.loads += [
            given[name] or "" for name in ("src", "href") if tag in {"script", "link", "img"} and name in given
        ]


PAGES = (
    "/t/contoso.com", "/t/contoso.com/senders", "/t/contoso.com/plan", "/t/contoso.com/alerts",
    "/t/contoso.com/alerts/a0003", "/t/contoso.com/edge", "/t/contoso.com/quarantine",
    "/t/contoso.com/quarantine/m0", "/t/contoso.com/quarantine/m0?delete=true", "/t/contoso.com/trail",
    "/t/contoso.com/settings", "/about", "/access", "/api", "/sign-in", "/nowhere", "/",
)  # fmt: skip


def test_no_page_has_anything_inline(two: Served) -> None:
    browser = two.browser(Role.ADMIN)
    for path in PAGES:
        answer = browser.get(path)
        page = Page(answer.text)
        assert page.wrong == [], path
        for address in page.loads:
            assert browser.get(address).status_code == 200, address


def test_every_answer_says_what_a_browser_may_do(two: Served) -> None:
    browser = two.browser(Role.ADMIN)
    asked = [browser.get(path) for path in (*PAGES, "/healthz", "/static/0/x", "/api/v1/me", "/api/v1/nowhere")]
    asked += [browser.get("/", headers={"Host": "evil.example"}), browser.post("/", content=b"x" * (MOST_BODY + 1))]
    for answer in asked:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "strict-transport-security" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


def test_with_tls_the_cookie_is_bound_to_the_host(two: Served) -> None:
    origin = "https://sidedoor.contoso.com"
    browser = TestClient(make_app(two.site, Reach(frozenset({origin}))), base_url=origin, follow_redirects=False)
    token = links.make_link(two.site.sessions, "anna", Role.READER, two.clock())
    answer = browser.get("/sign-in", params={"token": token})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-sidedoor_session=")
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "domain" not in cookie.lower()
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert browser.get("/about").status_code == 200


def test_a_link_signs_in_once(two: Served) -> None:
    token = links.make_link(two.site.sessions, "anna", Role.OPERATOR, two.clock())
    first, second = two.browser(), two.browser()
    answer = first.get("/sign-in", params={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert first.get("/about").status_code == 200
    assert first.get("/sign-in", params={"token": token}).headers["location"] == "/"
    answer = second.get("/sign-in", params={"token": token})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert second.get("/about").status_code == 303


def test_a_link_can_be_pasted_and_gets_old(two: Served) -> None:
    token = links.make_link(two.site.sessions, "anna", Role.READER, two.clock())
    browser = two.browser()
    assert browser.post("/sign-in", data={"token": f"{ORIGIN}/sign-in?token={token}"}).status_code == 303
    token = links.make_link(two.site.sessions, "anna", Role.READER, two.clock())
    two.clock.move(timedelta(minutes=31))
    assert two.browser().post("/sign-in", data={"token": token}).status_code == 403


def test_signing_in_is_tried_ten_times_a_minute(two: Served) -> None:
    browser = two.browser()
    answers = [browser.get("/sign-in", params={"token": f"guess{n}"}).status_code for n in range(12)]
    assert answers == [403] * 10 + [429] * 2
    token = links.make_link(two.site.sessions, "anna", Role.READER, two.clock())
    assert browser.get("/sign-in", params={"token": token}).status_code == 429


def test_a_session_ends(two: Served) -> None:
    browser = two.browser(Role.READER)
    for _ in range(20):  # in use, it lasts twelve hours and not longer
        two.clock.move(timedelta(minutes=35))
        assert browser.get("/about").status_code == 200
    two.clock.move(timedelta(minutes=35))
    assert browser.get("/about").status_code == 303
    idle = two.browser(Role.READER)
    two.clock.move(timedelta(minutes=61))
    assert idle.get("/about").status_code == 303


def test_signing_out_ends_it_everywhere(two: Served) -> None:
    browser = two.browser(Role.READER)
    secret = browser.cookies[COOKIE]
    token = csrf(browser.get("/about").text)
    assert browser.post("/sign-out", data={"csrf": token}).status_code == 303
    again = two.browser()
    again.cookies.set(COOKIE, secret)
    assert again.get("/about").status_code == 303


def test_signing_in_gives_a_new_session(two: Served) -> None:
    """Session fixation: a secret that somebody else has put there opens nothing."""
    browser = two.browser(Role.READER)
    old = browser.cookies[COOKIE]
    token = links.make_link(two.site.sessions, "anna", Role.ADMIN, two.clock())
    answer = browser.get("/sign-in", params={"token": token})
    assert old not in answer.headers["set-cookie"]
    again = two.browser()
    again.cookies.set(COOKIE, old)
    assert again.get("/about").status_code == 303


def test_an_admin_ends_the_sessions_of_others(two: Served) -> None:
    stolen, admin = two.browser(Role.OPERATOR, who="bo"), two.browser(Role.ADMIN)
    token = csrf(admin.get("/access").text)
    assert admin.post("/access/sessions/end", data={"csrf": token, "who": "bo"}).status_code == 303
    assert stolen.get("/about").status_code == 303
    assert admin.get("/about").status_code == 200


def test_tokens_of_programs(two: Served) -> None:
    admin = two.browser(Role.ADMIN)
    token = csrf(admin.get("/access").text)
    page = admin.post("/access/tokens", data={"csrf": token, "label": "SIEM", "role": "operator", "days": "2"}).text
    secret = re.search(r"sdt_[\w-]+", page)
    assert secret is not None
    assert secret[0] not in admin.get("/access").text
    program = two.browser()
    program.headers = {"Authorization": f"Bearer {secret[0]}"}
    assert program.get("/api/v1/me").json()["who"].startswith("SIEM (token ")
    assert program.post("/api/v1/tenants/contoso.com/alerts/a0001/acknowledge").status_code == 200
    assert program.get("/api/v1/tokens").status_code == 403
    two.clock.move(timedelta(days=3))
    assert program.get("/api/v1/me").status_code == 401


def test_a_token_that_was_revoked(two: Served) -> None:
    admin = two.browser(Role.ADMIN)
    token = csrf(admin.get("/access").text)
    header = {"X-CSRF-Token": token}
    made = admin.post("/api/v1/tokens", json={"label": "x", "tenants": ["contoso.com"]}, headers=header).json()
    program = two.browser()
    program.headers = {"Authorization": f"Bearer {made['secret']}"}
    assert program.get("/api/v1/tenants/contoso.com").status_code == 200
    assert program.get("/api/v1/tenants/fabrikam.com").status_code == 404
    assert admin.delete(f"/api/v1/tokens/{made['id']}", headers=header).status_code == 204
    assert program.get("/api/v1/tenants/contoso.com").status_code == 401


def test_a_wrong_token_does_not_fall_back_to_the_cookie(two: Served) -> None:
    browser = two.browser(Role.ADMIN)
    for given in ("Bearer wrong", "Bearer sdt_wrong", "Basic YTpi", "", "Bearer"):
        assert browser.get("/api/v1/me", headers={"Authorization": given}).status_code == 401
    answers = {browser.get("/api/v1/me", headers={"Authorization": "Bearer x"}).status_code for _ in range(8)}
    assert answers == {401, 429}
    assert browser.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("next_", "goes"),
    [
        ("/t/contoso.com/senders?q=a", "/t/contoso.com/senders?q=a"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\tevil", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(two: Served, next_: str, goes: str) -> None:
    answer = two.browser(Role.READER).get("/sign-in", params={"next": next_})
    assert answer.headers["location"] == goes


def test_a_link_on_another_site_works_for_who_is_signed_in(two: Served) -> None:
    """The strict cookie stays at home in the first request; the page that comes back asks again."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = two.browser().get("/t/contoso.com/senders?q=%22%3E%3Cscript%3E", headers=headers)
    assert answer.status_code == 200
    assert 'content="0; url=/t/contoso.com/senders?q=%22%3E%3Cscript%3E"' in answer.text
    assert two.browser().get("/t/contoso.com").headers["location"] == "/sign-in?next=%2Ft%2Fcontoso.com"


def test_no_secret_stands_in_pages_or_logs(two: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = links.make_link(two.site.sessions, "anna", Role.ADMIN, two.clock())
    browser = two.browser()
    browser.get("/sign-in", params={"token": token})
    secret = browser.cookies[COOKIE]
    pages = "".join(browser.get(path).text for path in PAGES)
    said = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    for hidden in (token, secret):
        assert hidden not in pages
        assert hidden not in said


def test_what_goes_wrong_inside_is_not_told(two: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = open_workspace(two.site.tenants["contoso.com"].workspace.folder)
    (workspace.report / "report.json").write_text("{")
    browser = two.browser(Role.ADMIN)
    answer = browser.get("/t/contoso.com")
    assert answer.status_code == 503
    assert str(workspace.folder) not in answer.text
    assert browser.get("/about").status_code == 200
    assert browser.get("/t/fabrikam.com").status_code == 200
    fragile = TestClient(two.app, base_url=ORIGIN, raise_server_exceptions=False, cookies=browser.cookies)
    monkeypatch.setattr(two.site, "clock", lambda: 1 / 0)
    answer = fragile.get("/about")
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text
    assert "Traceback" not in answer.text
    assert "content-security-policy" in answer.headers


def test_the_store_of_sessions_holds_no_secret(two: Served, tmp_path: Path) -> None:
    browser = two.browser(Role.READER)
    secret = browser.cookies[COOKIE]
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("web.db*"))
    assert raw
    assert secret.encode() not in raw
    assert csrf(browser.get("/about").text).encode() in raw
    with open_store(tmp_path / "web.db") as store:
        assert store.tenants() == ()
