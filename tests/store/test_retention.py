"""Deletion that deletes: by age, by tenant, by person; from the rows and from the files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sidedoor.errors import UnreachableError, UsageError
from sidedoor.store.changes import Changes, RunEnd
from sidedoor.store.model import (
    Baseline,
    Decision,
    DeliveryState,
    Forgotten,
    Observation,
    Occasion,
    SeenEdge,
    Word,
)
from sidedoor.store.schema import METADATA
from sidedoor.store.store import Store, open_store
from sidedoor.store.tenant import TenantStore
from tests.store.store_kit import DAY, DOMAIN, HOUR, NOW, alert, counted, delivery, finding, held, known, line

ANN = "Ann.Lee@contoso.com"
OLD = NOW - 400 * DAY


def test_what_is_old_goes_and_what_still_counts_stays(tenant: TenantStore) -> None:
    alerts = (alert(1, OLD), alert(2, OLD), alert(3, OLD))
    tenant.apply(Changes(OLD, raised=alerts, deliveries=tuple(map(delivery, alerts))))
    tenant.apply(Changes(OLD, recovered=frozenset({"alert-1"})))
    tenant.apply(Changes(NOW, recovered=frozenset({"alert-2"})))
    tenant.put_observations([Observation("probe", "1", OLD, {}), Observation("probe", "2", NOW, {})])
    tenant.put_senders(
        [known(1, last_seen=OLD), known(2), known(3, last_seen=OLD), known(4, last_seen=OLD, accepted=True)]
    )
    tenant.decide(Decision("key-3", Word.LEGITIMATE), "ann", "web", OLD)
    first = tenant.decide(Decision("key-1", owner="Ann"), "ann", "web", OLD)
    tenant.decide(replace(first, owner=""), "ann", "web", NOW)
    for at in (OLD, OLD + HOUR):
        tenant.begin_run(at)
    before = NOW - DAY
    assert tenant.forget(before) == Forgotten(alerts=1, deliveries=1, observations=1, runs=1, senders=2)
    assert [each.id for each in tenant.alerts()] == ["alert-3", "alert-2"]
    assert tenant.deliveries("alert-1") == []
    assert tenant.known_senders().keys() == {"key-2", "key-3"}
    assert (tenant.latest_time(), len(tenant.trail())) == (OLD + HOUR, 3)
    assert tenant.forget(before, trail_before=before) == Forgotten(trail=2)
    assert tenant.forget(before, trail_before=before).rows == 0


def test_other_tenants_keep_theirs(store: Store) -> None:
    one, other = (fill(store, domain) for domain in (DOMAIN, "fabrikam.com"))
    kept, before = state_of(other), rows(store)
    one.apply(Changes(NOW, recovered=frozenset({"alert-1", "alert-2"})))
    one.forget(NOW + 400 * DAY, trail_before=NOW + 400 * DAY)
    one.forget_address(ANN, "bob", "cli", NOW)
    assert (one.alerts(), state_of(other)) == ([], kept)
    store.delete_tenant(DOMAIN)
    assert (store.tenants(), state_of(other)) == (("fabrikam.com",), kept)
    assert rows(store) == {name: count // 2 for name, count in before.items()}


def state_of(tenant: TenantStore) -> list[Any]:
    """All of a tenant."""
    return [
        tenant.alerts(), tenant.waiting(), tenant.decisions(), tenant.trail(), tenant.known_senders(),
        tenant.baseline(), tenant.observations("bounce"), tenant.last_runs(), tenant.value("last"),
        tenant.held_message("m-1"), tenant.published_settings(), tenant.seen_edges(), tenant.edge_lines(),
        tenant.edge_counts(NOW.date()),
    ]  # fmt: skip


def fill(store: Store, domain: str, who: str = ANN) -> TenantStore:
    """A tenant with rows in every table that name a person wherever a person can be named."""
    tenant = store.tenant(domain)
    number = tenant.begin_run(NOW)
    one = alert(1, finding=finding("key-1", title=f"mail of {who}", text=f"<{who.upper()}>", advice=f"ask {who}",
                                   evidence=(("recipient", who), ("text", f"to={who};"))))  # fmt: skip
    mine = alert(2, finding=finding(who))
    tenant.apply(
        Changes(
            NOW,
            raised=(one, mine),
            deliveries=(delivery(one), delivery(mine)),
            senders=(known(1, name=f"Scanner of {who}"), known(2)),
            baseline=Baseline(NOW, {"names": [who, {who: 1}]}),
            values={"last": {"by": who}},
            end=RunEnd(number, NOW, "incomplete", (f"mailbox {who}",)),
        )
    )
    due = next(each for each, _ in tenant.due_deliveries(NOW) if each.alert == "alert-1")
    tenant.claim(due, NOW)
    tenant.finish(due.id, DeliveryState.SENT, NOW, f"550 <{who}>")
    tenant.decide(Decision("key-1", Word.LEGITIMATE, who, note=f"{who} says so"), who, "web", NOW)
    tenant.acknowledge("alert-1", who, "web", NOW)
    tenant.put_observations(
        [
            Observation("bounce", "1", NOW, {"recipient": who, "to": [who]}),
            Observation("bounce", f"5.7.68:{who}", NOW, {}),
        ]
    )
    tenant.hold([held(1)])
    tenant.publish_settings({"name": domain}, "bob", "cli", NOW)
    tenant.report_edge(SeenEdge("edge-1", NOW, NOW), [counted(3)], [line(1, recipient=who, said=f"<{who}>")])
    return tenant


def rows(store: Store) -> dict[str, int]:
    """How many rows each table has."""
    with store._database.read() as connection:
        return {name: len(connection.execute(table.select()).all()) for name, table in METADATA.tables.items()}


def everything(store: Store) -> str:
    """All rows of all tables."""
    with store._database.read() as connection:
        return "\n".join(str(connection.execute(table.select()).all()) for table in METADATA.tables.values())


@pytest.mark.parametrize("acts", [False, True])
def test_a_person_is_taken_out_of_everything(store: Store, acts: bool) -> None:
    tenant = fill(store, DOMAIN)
    assert min(count for name, count in rows(store).items() if not name.startswith("web")) > 0
    before = everything(store).lower().count(ANN.lower())
    erased = tenant.forget_address("ann.lee@CONTOSO.com", "bob", "cli", NOW, acts=acts)
    left = everything(store)
    # Who decided, acknowledged and stands in the trail: two tables and two lines of the trail.
    assert (before > 20, left.lower().count(ANN.lower())) == (True, 0 if acts else 4)
    assert left.count(erased.mark) > 10
    assert (erased.deleted.alerts, erased.deleted.deliveries, erased.deleted.observations) == (1, 0, 1)
    assert (erased.changed.alerts, erased.changed.observations, erased.changed.senders) == (1, 1, 1)
    assert tenant.alert("alert-2") is None  # its subject was the address
    decided = tenant.decisions()["key-1"]
    assert (decided.owner, decided.note, decided.version) == (erased.mark, f"{erased.mark} says so", 2)
    assert (decided.by == erased.mark) is acts
    assert tenant.alerts() == [tenant.alert("alert-1")]
    line = tenant.trail()[0]
    assert (line.what, line.who, line.subject) == ("forget-address", "bob", erased.mark)
    again = tenant.forget_address(ANN, "bob", "cli", NOW, acts=acts)
    assert (again.deleted.rows, again.changed.rows) == (0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "ann@contoso.com", "ANN@Contoso.Com", "<ann@contoso.com>", "mailto:ann@contoso.com?subject=x",
        '"ann"@contoso.com', "ann+news@contoso.com", "550 5.1.1 <ann@contoso.com>... User unknown",
        "ann%40contoso.com", "ann@contoso.com.", "list-bounces+ann=contoso.com@lists.example",
        "to=ann@contoso.com;x", "a,ann@contoso.com,b", "smtp:ann@contoso.com",
        "'ann@contoso.com'", "?q=%3Cann%40contoso.com%3E", "x/ann@contoso.com/y",
    ],
)  # fmt: skip
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_an_address_is_found_however_it_is_written(tenant: TenantStore, text: str) -> None:
    tenant.put_value("x", [text])
    mark = tenant.forget_address("ann@contoso.com", "bob", "cli", NOW).mark
    [left] = tenant.value("x")
    assert mark in left
    assert "ann" not in left.lower().replace(mark, "")


@pytest.mark.parametrize(
    "text",
    [
        "joann@contoso.com", "ann@contoso.com.au", "ann@contoso.community", "jo.ann@contoso.com",
        "ann@mail.contoso.com", "ann@contoso-com", "ann at contoso.com", "Ann", "contoso.com", "ann@contosoXcom",
        "joann=contoso.com@x.example",
    ],
)  # fmt: skip
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_others_stay_as_they_are(tenant: TenantStore, text: str) -> None:
    tenant.put_value("x", [text])
    erased = tenant.forget_address("ann@contoso.com", "bob", "cli", NOW)
    assert (tenant.value("x"), erased.changed.rows) == ([text], 0)


@pytest.mark.parametrize("written", ["jürgen@bücher.example", "JÜRGEN@BÜCHER.example", "jürgen@xn--bcher-kva.example"])
@pytest.mark.parametrize("asked", ["jürgen@bücher.example", "Jürgen@XN--bcher-kva.example"])
def test_international_addresses(tenant: TenantStore, written: str, asked: str) -> None:
    tenant.apply(Changes(NOW, raised=(alert(1, finding=finding("key-1", text=written)),)))
    tenant.put_observation(Observation("bounce", "1", NOW, {"to": written}))
    erased = tenant.forget_address(asked, "bob", "cli", NOW)
    [seen], [found] = tenant.observations("bounce"), tenant.alerts()
    assert (seen.body, found.finding.text) == ({"to": erased.mark}, erased.mark)


def test_a_search_finds_nothing_of_who_was_forgotten(tenant: TenantStore, store: Store) -> None:
    tenant.apply(Changes(NOW, raised=(alert(1, finding=finding("key-1", text="Straße@Bücher.example")),)))
    tenant.forget_address("straße@bücher.example", "bob", "cli", NOW)
    assert "strasse" not in everything(store)


def test_what_is_no_address_is_refused(tenant: TenantStore) -> None:
    with pytest.raises(UsageError, match="an address to forget"):
        tenant.forget_address("contoso.com", "bob", "cli", NOW)


def octets(folder: Path) -> bytes:
    """All files of the store."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


def delete_tenant(store: Store) -> None:
    store.delete_tenant(DOMAIN)


def forget_person(store: Store) -> None:
    store.tenant(DOMAIN).forget_address(ANN, "bob", "cli", NOW, acts=True)
    store.compact()


def forget_all(store: Store) -> None:
    tenant = store.tenant(DOMAIN)
    tenant.apply(Changes(NOW, recovered=frozenset({"alert-1", "alert-2"})))
    later = NOW + timedelta(days=500)
    tenant.forget(later, trail_before=later)
    tenant.forget_address(ANN, "bob", "cli", NOW, acts=True)
    store.compact()


@pytest.mark.parametrize("delete", [delete_tenant, forget_person, forget_all])
def test_deleted_is_deleted_from_the_files_too(tmp_path: Path, delete: Any) -> None:
    with open_store(tmp_path / "sidedoor.db") as store, open_store(tmp_path / "sidedoor.db") as other:
        for number in range(30):  # many pages, some of which SQLite moves about
            fill(store, DOMAIN if number == 0 else f"t{number}.example", ANN if number == 0 else "bob@contoso.com")
        many = [Observation("bounce", f"o{number}", NOW, {"to": [ANN] * 20}) for number in range(500)]
        store.tenant(DOMAIN).put_observations(many)
        assert len(other.tenants()) == 30  # somebody else has it open
        assert octets(tmp_path).lower().count(ANN.lower().encode()) > 20
        delete(store)
        left = octets(tmp_path).lower()
        assert ANN.lower().encode() not in left
        assert b"bob@contoso.com" in left
    assert ANN.lower().encode() not in octets(tmp_path).lower()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_nothing_is_left_in_the_files_of_a_server(url: str, server: Any) -> None:
    """Its tables are written anew. The log of the server (pg_wal) is beyond the reach of those who use it."""
    with open_store(url) as store:
        fill(store, DOMAIN)
        fill(store, "fabrikam.com", "bob@contoso.com")
        store.delete_tenant(DOMAIN)
        server.sql("CHECKPOINT")
        [(number,)] = server.sql(f"SELECT oid FROM pg_database WHERE datname = '{url.rpartition('/')[2]}'")
    left = octets(server.folder / "data" / "base" / str(number)).lower()
    assert ANN.lower().encode() not in left
    assert b"bob@contoso.com" in left


def test_who_reads_meanwhile_is_waited_for_and_then_told_of(tmp_path: Path) -> None:
    with open_store(tmp_path / "sidedoor.db") as store, open_store(tmp_path / "sidedoor.db") as other:
        fill(store, DOMAIN)
        with store._database.reserved() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA busy_timeout = 50")
        with other._database.read() as reading:
            reading.exec_driver_sql("SELECT count(*) FROM alert").scalar()
            with pytest.raises(UnreachableError, match=r"another process (reads it|has held it)"):
                store.delete_tenant(DOMAIN)
        assert store.tenants() == ()
        store.compact()
        assert ANN.lower().encode() not in octets(tmp_path).lower()


def test_recovered_deliveries_are_counted_with_their_alerts(tenant: TenantStore) -> None:
    one = alert(1, OLD)
    messages = (delivery(one), delivery(one, "teams"), delivery(one, occasion=Occasion.RECOVERED))
    tenant.apply(Changes(OLD, raised=(one,), deliveries=messages))
    tenant.apply(Changes(OLD, recovered=frozenset({"alert-1"})))
    assert tenant.forget(NOW) == Forgotten(alerts=1, deliveries=3)
