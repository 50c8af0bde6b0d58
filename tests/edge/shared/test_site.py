"""Two edges behind a balancer over one PostgreSQL, as processes: what they share, and what dies with whom."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from sidedoor.store.store import open_store
from tests.audit.audit_kit import assert_balanced, audit
from tests.edge.shared.kit import (
    DOMAIN,
    Load,
    Machine,
    Sent,
    Site,
    client_of,
    export,
    held_ids,
    quarantine,
    send_one,
    sidedoor,
)
from tests.edge.workers.kit import until
from tests.store.conftest import _TEMPLATE
from tests.store.postgres import MISSING, Postgres

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture
def url(server: Postgres) -> str:
    return server.make(f"site_{uuid4().hex}", _TEMPLATE)


@pytest.fixture
def site(tmp_path: Path, url: str) -> Iterator[Site]:
    """Both machines with the same files for settings."""
    with Site(tmp_path, url, "--tenant", str(export(tmp_path / "tenant"))) as made:
        yield made


def test_clients_are_who_the_balancer_says_and_all_logs_are_the_whole(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = Sent()
    for number in range(30):
        send_one(site.balancer.port, f"plain-{number}", sent)
    assert len(sent.kept) == 30
    until(lambda: len(site.sink.got) == 30)
    assert [machine.end() for machine in site.machines] == [0, 0]
    logs = [machine.lines() for machine in site.machines]
    assert [len(lines) for lines in logs] == [15, 15]
    lines = [line for each in logs for line in each]
    assert Counter(line["client_ip"] for line in lines) == Counter(client_of(number) for number in range(1, 31))
    assert {line["proxy"] for line in lines} == {"127.0.0.1"}
    outcome = audit(capsys, tmp_path / "out", *(machine.log for machine in site.machines), tmp_path / "tenant")
    assert outcome.code == 0, outcome.said
    assert_balanced(outcome)
    assert outcome.report["coverage"]["messages"] == 30
    with open_store(site.store) as store:
        tenant = store.tenant(DOMAIN)
        counts = tenant.edge_counts(datetime.fromisoformat(lines[0]["time"]).date())
        assert sum(each.count for each in counts) == 30
        assert {each.outcome for each in counts} == {"kept"}
        bodies = [each.body for each in tenant.edge_lines()]
        assert sorted(bodies, key=str) == sorted(lines, key=str)
        assert len(tenant.seen_edges()) == 2


def test_what_one_holds_back_is_released_once_and_delivered_once(site: Site) -> None:
    """Two people release the same messages at once; each is delivered by one of the edges."""
    sent = Sent()
    marks = [f"hold-{number}" for number in range(12)]
    for mark in marks:
        send_one(site.balancer.port, mark, sent)
    assert sent.kept == set(marks)
    ids = held_ids(site.store)
    assert len(ids) == 12
    shown = quarantine(site.store, "show", ids[0])
    assert "X-Mark: hold-" in shown.stdout
    assert quarantine(site.store, "delete", ids[0], "--yes").returncode == 0
    assert quarantine(site.store, "release", ids[1]).returncode == 0
    again = quarantine(site.store, "release", ids[1])
    assert (again.returncode, "is held back" in again.stderr) == (2, True)
    with ThreadPoolExecutor(2) as people:
        both = people.map(partial(release_all, site.store), (ids[2:], ids[:1:-1]))
    assert sorted(each for released in both for each in released) == sorted(ids[2:])
    until(lambda: len(site.sink.got) == 11)
    time.sleep(1.0)
    assert set(site.sink.got.values()) == {1}
    assert set(site.sink.got) < set(marks)
    assert held_ids(site.store) == []
    with open_store(site.store) as store:
        trail = store.tenant(DOMAIN).trail()
        assert Counter(entry.what for entry in trail) == {"release": 11, "delete": 1}


def release_all(url: str, ids: Sequence[str]) -> list[str]:
    """One by one; which of them were this one's."""
    with open_store(url) as store:
        tenant = store.tenant(DOMAIN)
        return [each for each in ids if tenant.release_held(each, datetime.now(UTC), "ann", "test")]


def test_edges_that_are_killed_while_they_fetch_lose_nothing(site: Site) -> None:
    sent, count = Sent(), 40
    for number in range(count):
        send_one(site.balancer.port, f"hold-{number}", sent)
    with open_store(site.store) as store:
        tenant = store.tenant(DOMAIN)
        for message in tenant.held_messages():
            assert tenant.release_held(message.id, message.received_at)
        for kill in range(2):
            time.sleep(0.5)
            machine = site.machines[kill % 2]
            machine.end(signal.SIGKILL)
            machine.start()
        until(lambda: len(site.sink.got) == count)
        until(lambda: tenant.released_messages() == 0)
    assert [machine.end() for machine in site.machines] == [0, 0]
    assert set(site.sink.got) == sent.kept
    # As with any mail: twice only where the crash came between the next hop's 250 and our note of it.
    assert sum(site.sink.got.values()) - count <= 2 * 20


def held_back(sent: Sent) -> int:
    return sum(mark.startswith("hold") for mark in list(sent.kept))


def test_a_database_that_goes_away_and_comes_back_under_load(site: Site, server: Postgres) -> None:
    load = Load(site.balancer.port, senders=3, every=0.02)
    until(lambda: held_back(load.sent) > 5)
    server.stop()
    until(lambda: load.sent.refused[451] > 5)
    server.start()
    until(lambda: all("the store is back" in machine.said for machine in site.machines))
    before = held_back(load.sent)
    until(lambda: held_back(load.sent) > before + 5)
    sent = load.stop()
    assert sent.doubtful == set()
    assert sent.refused_plain == []
    assert set(sent.refused) == {451}
    plain = {mark for mark in sent.kept if mark.startswith("plain")}
    held = sent.kept - plain
    assert len(held) > 10
    until(lambda: plain <= site.sink.got.keys())
    with open_store(site.store) as store:
        tenant = store.tenant(DOMAIN)
        # What an answer was lost of is taken back once the store is there again; what was answered stays.
        until(lambda: len(tenant.held_messages()) == len(held))
        messages = [tenant.held_message(each.id) for each in tenant.held_messages()]
        there = {str(each.content).partition("X-Mark: ")[2].partition("\\r")[0] for each in messages if each}
        assert there == held
        for each in tenant.held_messages():
            tenant.release_held(each.id, each.received_at)
        until(lambda: sent.kept <= site.sink.got.keys())
        edges = tenant.seen_edges()
    assert len(edges) == 2
    for machine in site.machines:
        assert machine.said.count("the store is away") == machine.said.count("the store is back") > 0
    assert [machine.end() for machine in site.machines] == [0, 0]
    assert set(site.sink.got.values()) == {1}
    with open_store(site.store) as store:
        counts = store.tenant(DOMAIN).edge_counts(edges[0].began.date())
        assert sum(each.count for each in counts) == sum(len(machine.lines()) for machine in site.machines)


def test_settings_are_published_once_and_in_force_everywhere(tmp_path: Path, url: str, server: Postgres) -> None:
    tenant = export(tmp_path / "tenant")
    done = publish(tenant, url)
    assert (done.stdout, done.returncode) == (f"{DOMAIN}: settings published, version 1\n", 0), done.stderr
    assert "are in force as they were, version 1" in publish(tenant, url).stdout
    with Site(tmp_path, url, "--store-tenant", DOMAIN, workers=2) as site:
        sent = Sent()
        for number in range(4):
            send_one(site.balancer.port, f"plain-{number}", sent, f"app@{DOMAIN}")
        assert len(sent.kept) == 4
        with open_store(url) as store:  # every worker: one that starts later has nothing to change
            until(lambda: [edge.settings for edge in store.tenant(DOMAIN).seen_edges()] == [1] * 4)
        export(tenant, rejects=True)
        assert "version 2" in publish(tenant, url).stdout
        until(lambda: all(machine.said.count("RejectDirectSend on") == 2 for machine in site.machines))
        for number in range(16):
            send_one(site.balancer.port, f"plain-{number}", sent, f"app@{DOMAIN}")
        assert sent.refused == {550: 16}
        with open_store(url) as store:
            until(lambda: [edge.settings for edge in store.tenant(DOMAIN).seen_edges()] == [2] * 4)
        # Without the database an edge starts with the copy of what it saw last.
        [one, _] = site.machines
        assert one.end() == 0
        server.stop()
        try:
            one.start()
            assert "RejectDirectSend on" in one.said.rpartition("listening on")[2]
            send_one(site.balancer.port, "plain-x", sent, f"app@{DOMAIN}")
            assert sent.refused[550] == 17
        finally:
            server.start()


def publish(tenant: Path, url: str) -> subprocess.CompletedProcess[str]:
    return sidedoor("edge", "--tenant", str(tenant), "--store", url, "--publish")


def test_what_was_never_published_keeps_an_edge_from_starting(tmp_path: Path, url: str, server: Postgres) -> None:
    done = sidedoor("edge", "--store", url, "--store-tenant", DOMAIN, "--listen", "127.0.0.1:0")
    assert done.returncode == 3
    assert "no settings of this tenant" in done.stderr
    server.stop()
    try:
        done = sidedoor("edge", "--store", url, "--store-tenant", DOMAIN, "--listen", "127.0.0.1:0")
    finally:
        server.start()
    assert done.returncode == 4
    assert "no copy of its settings is here" in done.stderr


def test_with_files_an_edge_starts_without_the_database(tmp_path: Path, url: str, server: Postgres) -> None:
    site = Site(tmp_path, url, "--tenant", str(export(tmp_path / "tenant")))
    sent = Sent()
    server.stop()
    try:
        site.start()
        send_one(site.balancer.port, "plain-1", sent)
        send_one(site.balancer.port, "hold-1", sent)
    finally:
        server.start()
    assert (sent.kept, sent.refused) == ({"plain-1"}, {451: 1})
    with site:
        until(lambda: all("the store is back" in machine.said for machine in site.machines))
        send_one(site.balancer.port, "hold-2", sent)
        assert sent.kept == {"plain-1", "hold-2"}


def test_a_server_that_hangs_does_not_hold_up_an_edge(tmp_path: Path, url: str) -> None:
    """Something that takes connections and says nothing, where the database should be."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"postgresql://tests@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2"
        tenant = export(tmp_path / "tenant")
        machine = Machine(tmp_path / "one", 9, "--tenant", str(tenant), "--store", where).start()
        sent, began = Sent(), time.monotonic()
        for number in range(5):
            send_one(machine.port, f"hold-{number}", sent)
            send_one(machine.port, f"plain-{number}", sent)
        assert time.monotonic() - began < 9  # each would wait for 2 s
        assert (len(sent.kept), sent.refused) == (5, {451: 5})
        began = time.monotonic()
        assert machine.end() == 0
        assert time.monotonic() - began < 30


def test_the_log_is_told_however_the_edge_ends(site: Site) -> None:
    sent = Sent()
    send_one(site.balancer.port, "plain-1", sent)
    assert [machine.end() for machine in site.machines] == [0, 0]
    with open_store(site.store) as store:
        [line] = store.tenant(DOMAIN).edge_lines()
    assert json.dumps(line.body) in [json.dumps(each) for machine in site.machines for each in machine.lines()]
