"""The JSON API: it says what the pages say, keeps what is decided, and does what its OpenAPI document says."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from sidedoor.store.model import Decision, EdgeLine, HeldMessage, SeenEdge, Word
from sidedoor.web.access.bearer import make_bearer
from sidedoor.web.access.roles import Grant, Role
from sidedoor.web.api.document import document, dump
from tests.web import busy
from tests.web.kit import HOST, ORIGIN, Served, served
from tests.web.world import empty_workspace

DOCS = Path(__file__).parents[2] / "docs" / "openapi.json"
BASE = "/api/v1/tenants/contoso.com"


@pytest.fixture
def filled(busy_workspace: Path) -> Iterator[Served]:
    with served([busy_workspace], busy_workspace.parent) as one:
        yield one


def program(page: Served, role: Role) -> TestClient:
    """A program with a token."""
    now = page.clock()
    secret, _ = make_bearer(
        page.site.sessions, "test", [Grant(role)], who="x", expires=now + timedelta(days=1), now=now
    )  # fmt: skip
    return TestClient(page.app, base_url=ORIGIN, headers={"Authorization": f"Bearer {secret}"})


def test_the_document_in_docs_is_that_of_the_code() -> None:
    assert DOCS.read_bytes() == dump(), "run scripts/openapi.py"


def test_every_operation_is_described() -> None:
    made = document()
    for path, methods in made["paths"].items():
        for operation in methods.values():
            assert operation["description"], path
            assert operation["tags"], path
            assert operation["x-role"] in {"reader", "operator", "admin"}
            assert "application/problem+json" in operation["responses"]["401"]["content"]
            named = {parameter["name"] for parameter in operation.get("parameters", ())}
            assert {part[1:-1] for part in path.split("/") if part.startswith("{")} <= named, path


def test_decisions_with_their_version(filled: Served) -> None:
    api = program(filled, Role.OPERATOR)
    key = api.get(f"{BASE}/senders", params={"decided": "open"}).json()["items"][0]["key"]
    at = f"{BASE}/senders/{key}/decision"
    first = api.get(at)
    assert (first.json()["assessment"], first.headers["etag"]) == ("", '"v0"')
    wanted = {"assessment": "legitimate", "owner": "it@contoso.com", "due": "2026-12-01"}
    kept = api.put(at, json=wanted, headers={"If-Match": '"v0"'})
    assert (kept.status_code, kept.headers["etag"], kept.json()["version"]) == (200, '"v1"', 1)
    stale = api.put(at, json={"assessment": "spoofing"}, headers={"If-Match": '"v0"'})
    assert stale.status_code == 412
    assert stale.headers["content-type"] == "application/problem+json"
    assert stale.json()["current"]["owner"] == "it@contoso.com"
    assert api.put(at, json=wanted).status_code == 428
    assert api.put(at, json=wanted, headers={"If-Match": "*"}).status_code == 422
    detail = api.get(f"{BASE}/senders/{key}").json()
    assert detail["decision"]["by"].startswith("test (token ")
    assert [line["what"] for line in detail["trail"]] == ["decide"]
    assert detail["trail"][0]["via"] == "api"


@pytest.mark.parametrize(
    "body",
    [
        {"assessment": "honest"},
        {"owner": "nobody"},
        {"method": "pigeon"},
        {"note": "x" * 4_001},
        {"due": "tomorrow"},
        {"asessment": "legitimate"},
        [],
        "x",
        {"owner": "a" * 300},
    ],
)
def test_mistakes_are_problems(filled: Served, body: object) -> None:
    api = program(filled, Role.OPERATOR)
    key = api.get(f"{BASE}/senders").json()["items"][0]["key"]
    answer = api.put(f"{BASE}/senders/{key}/decision", json=body, headers={"If-Match": '"v0"'})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["status"] == 422
    assert problem["errors"]
    jsonschema.validate(problem, document()["components"]["schemas"]["Problem"])


def test_pages_and_api_say_the_same(filled: Served) -> None:
    api, browser = program(filled, Role.READER), filled.browser(Role.READER)
    morning, html = api.get(BASE).json(), browser.get("/t/contoso.com").text
    assert morning["door"]["headline"] in html
    assert all(alert["title"] in html for alert in morning["top_alerts"])
    assert f"{morning['waiting']}</span> wait" in html
    listed = api.get(f"{BASE}/senders", params={"size": 200}).json()
    assert listed["total"] == morning["senders"] == len(listed["items"])
    page = browser.get("/t/contoso.com/senders", params={"size": 200}).text
    assert all(f"/senders/{row['key']}" in page for row in listed["items"])


def test_what_if(filled: Served) -> None:
    api = program(filled, Role.READER)
    closed = api.get(f"{BASE}/what-if").json()
    assert closed["reject"] is True
    assert closed["then"]["refused"] > closed["today"]["refused"]
    names = [each["name"] for each in closed["connectors"] if not each["lockdown"]]
    planned = api.get(f"{BASE}/what-if", params={"connector": names}).json()
    assert planned["honest_refused"]["total"] < closed["honest_refused"]["total"]
    same = api.get(f"{BASE}/what-if", params={"reject": "false", "connector": "no such connector"}).json()
    assert same["then"] == same["today"]
    for view in (closed, planned, same):
        for when in ("today", "then"):
            parts = [row[when] for row in view["classes"]]
            assert {name: sum(part[name] for part in parts) for name in view[when]} == view[when]


def test_planning_anew_takes_what_people_decided(filled: Served) -> None:
    api, tenant = program(filled, Role.OPERATOR), filled.site.tenants["contoso.com"]
    before = api.get(f"{BASE}/plan").json()
    named = next(each["sender"] for each in before["blockers"] if each["id"] == "undecided")
    filled.clock.move(timedelta(hours=1))
    tenant.store.decide(Decision(named, Word.SPOOFING), "bo", "web", filled.clock())
    assert api.get(f"{BASE}/plan").json()["outdated"] is True
    with tenant.workspace.running():
        assert api.post(f"{BASE}/plan").status_code == 409
    made = api.post(f"{BASE}/plan").json()
    assert made["outdated"] is False
    assert named not in [each["sender"] for each in made["blockers"]]
    assert [entry.what for entry in tenant.store.trail(limit=1)] == ["plan"]


def test_ticks_stay_with_their_step(filled: Served) -> None:
    api = program(filled, Role.OPERATOR)
    step = api.get(f"{BASE}/plan").json()["steps"][0]
    assert api.put(f"{BASE}/plan/steps/{step['id']}", json={"done": True}).json()["done"] is True
    assert api.post(f"{BASE}/plan").json()["steps"][0]["ticked"]["done"] is True
    assert api.put(f"{BASE}/plan/steps/{step['id']}", json={"done": False}).json()["done"] is False
    assert api.put(f"{BASE}/plan/steps/nowhere", json={"done": True}).status_code == 404
    trail = api.get(f"{BASE}/trail", params={"subject": step["id"]}).json()["items"]
    assert [(line["before"]["done"], line["after"]["done"]) for line in trail] == [(True, False), (False, True)]


def test_the_edge_and_the_quarantine(filled: Served) -> None:
    api, folder = program(filled, Role.OPERATOR), filled.site.tenants["contoso.com"].workspace.folder
    page = api.get(f"{BASE}/edge/decisions").json()
    assert len(page["items"]) == 12
    busy.write_log(folder / "edge.jsonl", 2, start=50)
    later = api.get(f"{BASE}/edge/decisions", params={"after": page["cursor"]}).json()
    assert [each["client_ip"] for each in later["items"]] == ["203.0.113.51", "203.0.113.50"]
    (folder / "edge.jsonl").rename(folder / "edge.jsonl.1")
    busy.write_log(folder / "edge.jsonl", 1, start=60)
    rotated = api.get(f"{BASE}/edge/decisions", params={"after": later["cursor"]}).json()
    assert [each["client_ip"] for each in rotated["items"]] == ["203.0.113.60"]
    assert api.post(f"{BASE}/quarantine/m0/release").status_code == 204
    assert api.post(f"{BASE}/quarantine/m0/release").status_code == 404
    assert api.delete(f"{BASE}/quarantine/m1").status_code == 204
    assert api.get(f"{BASE}/quarantine").json()["items"] == []
    assert "Nothing is held back." in filled.browser(Role.READER).get("/t/contoso.com/quarantine").text


def test_edges_that_share_the_store(tmp_path: Path) -> None:
    """What several edges report and hold back shows without a log or a spool being named; a spool's mail beside it."""
    folder = empty_workspace(tmp_path / "contoso.com")
    busy.write_log(folder / "elsewhere.jsonl", 3, start=50)
    bodies = [json.loads(line) for line in (folder / "elsewhere.jsonl").read_bytes().splitlines()]
    with served([folder], tmp_path) as one:
        api, store = program(one, Role.OPERATOR), one.site.tenants["contoso.com"].store
        now = one.clock()
        store.report_edge(SeenEdge("mx1/1-aa", now, now, 2, 7), (), [EdgeLine("mx1/1-aa", 1, now, bodies[0])])
        page = api.get(f"{BASE}/edge/decisions").json()
        assert (page["configured"], page["cursor"]) == (True, "store:1")
        assert [(each["name"], each["settings"], each["waiting"]) for each in page["edges"]] == [("mx1/1-aa", 2, 7)]
        lines = [EdgeLine("mx2/1-bb", number, now, body) for number, body in enumerate(bodies[1:])]
        store.report_edge(SeenEdge("mx2/1-bb", now, now), (), [*lines, EdgeLine("mx2/1-bb", 9, now, ["no decision"])])
        later = api.get(f"{BASE}/edge/decisions", params={"after": page["cursor"]}).json()
        assert [each["client_ip"] for each in later["items"]] == ["203.0.113.52", "203.0.113.51"]
        assert later["unreadable"] == 1
        again = api.get(f"{BASE}/edge/decisions", params={"after": later["cursor"]}).json()
        assert (again["items"], again["cursor"]) == ([], later["cursor"])
        assert "mx2/1-bb" in one.browser(Role.READER).get("/t/contoso.com/edge").text
        row = HeldMessage("s1", now, "", ("desk@contoso.com",), 0, "rule", "mx1/1-aa", content=busy.MESSAGE)
        store.hold([row, replace(row, id="s2")])
        assert [each["id"] for each in api.get(f"{BASE}/quarantine").json()["items"]] == ["s1", "s2"]
        assert api.get(f"{BASE}/quarantine/s1").json()["text"].startswith("Please pay today.")
        assert api.post(f"{BASE}/quarantine/s1/release").status_code == 204
        assert api.post(f"{BASE}/quarantine/s1/release").status_code == 404
        assert api.delete(f"{BASE}/quarantine/s2").status_code == 204
        assert [(entry.what, entry.subject) for entry in store.trail()] == [("delete", "s2"), ("release", "s1")]
        assert store.released_messages() == 1


def test_the_quarantine_is_that_of_all_workers(tmp_path: Path) -> None:
    folder = empty_workspace(tmp_path / "contoso.com")
    text = (folder / "sidedoor.toml").read_text()
    (folder / "sidedoor.toml").write_text(text.replace("[edge]", '[edge]\nspool = "spools"'))
    (folder / "spools").mkdir()
    busy.hold(folder / "spools" / "spool.db", 1)
    busy.hold(folder / "spools" / "spool-2.db", 2, start=1)
    with served([folder], tmp_path) as one:
        api = program(one, Role.OPERATOR)
        assert {each["id"] for each in api.get(f"{BASE}/quarantine").json()["items"]} == {"m0", "m1", "m2"}
        assert api.post(f"{BASE}/quarantine/m2/release").status_code == 204
        assert api.get(f"{BASE}/quarantine").json()["total"] == 2


def test_the_trail_is_exported_whole(filled: Served) -> None:
    store = filled.site.tenants["contoso.com"].store
    store.decide(Decision("x", note="=cmd|' /C calc'!A0\r\nnext"), "=HYPERLINK(1)", "web", filled.clock())
    answer = program(filled, Role.ADMIN).get(f"{BASE}/trail.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="sidedoor-trail-contoso.com.csv"'
    rows = list(csv.reader(answer.text.splitlines()))
    assert len(rows) == 1 + len(store.trail(limit=1_000))
    assert rows[1][2] == "'=HYPERLINK(1)"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_before_the_first_report(tmp_path: Path) -> None:
    with served([empty_workspace(tmp_path / "contoso.com")], tmp_path) as one:
        api = program(one, Role.ADMIN)
        for path in ("", "/senders", "/plan", "/what-if", "/settings"):
            assert api.get(BASE + path).status_code == 404, path
        assert api.get("/api/v1/tenants").json()[0]["readiness"] == ""
        assert api.get(f"{BASE}/quarantine").json() == {"configured": False, "items": [], "total": 0}
        browser = one.browser(Role.ADMIN)
        for path in ("", "/senders", "/senders/x", "/plan", "/what-if", "/settings", "/alerts", "/edge", "/trail"):
            assert browser.get(f"/t/contoso.com{path}").status_code == 200, path


# What a page's own answers are checked for; schemas are those of docs/openapi.json.
CHECKS = (
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
)  # fmt: skip


def test_it_does_what_its_document_says(filled: Served) -> None:
    """Every operation, asked whatever the document allows and some things that it does not."""
    api = program(filled, Role.ADMIN)
    headers = {"Authorization": api.headers["authorization"], "Host": HOST}
    key = api.get(f"{BASE}/senders").json()["items"][0]["key"]
    known = {"tenant": "contoso.com", "key": key, "alert_id": "a0001", "message_id": "m0"}
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", filled.app, headers=headers)
    asked = set()
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]
        ask(operation, known, headers)
        asked.add(operation.label)
    assert len(asked) == sum(len(methods) for methods in document()["paths"].values())


def ask(operation: Any, known: dict[str, str], headers: dict[str, str]) -> None:
    """One operation, some times; names in its path are those that are there."""

    @settings(max_examples=6, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def once(case: Any) -> None:
        case.path_parameters = {name: known.get(name, value) for name, value in (case.path_parameters or {}).items()}
        case.validate_response(case.call(headers=headers), checks=list(CHECKS))

    once()
