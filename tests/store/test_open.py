"""Opening: where a store may be, who may read it, what is refused, and that no password is ever said."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest

from sidedoor.errors import InputError, OutputError, SidedoorError, UnreachableError, UsageError
from sidedoor.store.errors import NotThereError
from sidedoor.store.place import parse_place
from sidedoor.store.store import open_store
from tests.ports import free_port
from tests.store.postgres import PASSWORD, Postgres
from tests.store.store_kit import DOMAIN, ROOT


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////srv/a/sidedoor.db", "/srv/a/sidedoor.db"),
        ("sqlite:////srv/a b/50% of?.db", "/srv/a b/50% of?.db"),
        (Path("/srv/x?y.db"), "/srv/x?y.db"),
        (" sqlite:///here.db\n", str(Path("here.db").absolute())),
    ],
)
def test_files(url: str | Path, path: str) -> None:
    place = parse_place(url)
    assert (str(place.path), place.url.database) == (path, path)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://ann:secret@db.example:5433/sidedoor", "PostgreSQL at db.example:5433, database sidedoor"),
        ("postgres://db.example/x", "PostgreSQL at db.example, database x"),
        ("postgresql+psycopg://ann@[::1]/x?password=secret", "PostgreSQL at ::1, database x"),
        ("postgresql:///x?host=/run/pg&passfile=secret", "PostgreSQL at /run/pg, database x"),
    ],
)
def test_servers(url: str, name: str) -> None:
    place = parse_place(url)
    assert (place.path, place.name, place.url.drivername) == (None, name, "postgresql+psycopg")


@pytest.mark.parametrize(
    "url",
    [
        "", "sidedoor.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://host/x", "sqlite:///a\0b",
        "mysql://ann:secret@db/x", "postgresql://ann:secret@db:port/x", "postgresql://ann:p@secret@db/x",
        "postgresql://ann:secret/@db:54a/x", "postgresql://ann:1@secret:5432/x@y", "secret",
    ],
)  # fmt: skip
def test_what_is_no_place_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_place(url)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    path = tmp_path / "sidedoor.db"
    before = os.umask(0)
    try:
        with open_store(path) as store, store.tenant(DOMAIN).running():
            store.tenant(DOMAIN).put_value("mark", 1)
            files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert files == dict.fromkeys(["sidedoor.db", "sidedoor.db-wal", "sidedoor.db-shm", "sidedoor.db.run-1"], 0o600)


def test_what_sqlite_promises(tmp_path: Path) -> None:
    with open_store(tmp_path / "sidedoor.db") as store, store._database.read() as connection:
        asked = ("journal_mode", "foreign_keys", "synchronous", "secure_delete", "busy_timeout")
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked}
    full = 2  # https://sqlite.org/pragma.html#pragma_synchronous
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": full, "secure_delete": 1,
                     "busy_timeout": 30_000}  # fmt: skip


def test_a_store_is_where_it_was_though_the_program_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///sidedoor.db") as store:
        store._database.engine.dispose()
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.tenant(DOMAIN)
        assert store.tenants() == (DOMAIN,)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_opening_again_finds_what_was_kept(url: str) -> None:
    with open_store(url) as store:
        store.tenant(DOMAIN).put_value("mark", 1)
    with open_store(url) as store:
        assert (store.tenants(), store.tenant(DOMAIN).value("mark")) == ((DOMAIN,), 1)


@pytest.mark.parametrize("octets", [b"x", b"no database " * 1_000, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_file_that_is_no_database(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "sidedoor.db"
    path.write_bytes(octets)
    with pytest.raises(InputError, match=r"sidedoor\.db: found .*; expected a store of Sidedoor"):
        open_store(path)
    assert path.read_bytes() == octets


def test_a_file_that_was_damaged(tmp_path: Path) -> None:
    path = tmp_path / "sidedoor.db"
    with open_store(path) as store:
        for number in range(50):
            store.tenant(DOMAIN).put_value(f"mark-{number}", "x" * 5_000)
    octets = bytearray(path.read_bytes())
    octets[20_000:] = b"\xff" * (len(octets) - 20_000)
    path.write_bytes(octets)
    with pytest.raises(InputError), open_store(path) as store:
        store.tenant(DOMAIN).value("mark-1")


def test_a_database_of_another_program(url: str, server: Postgres, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(tmp_path / "sidedoor.db") as connection:
            connection.execute("CREATE TABLE message (id TEXT)")
    else:
        url = server.make(f"strange_{os.getpid()}")
        server.sql("CREATE TABLE run (id int)", url.rpartition("/")[2])
    with pytest.raises(InputError, match="tables of another program"):
        open_store(url)


def test_other_tables_on_a_server_are_nobodys_business(server: Postgres) -> None:
    url = server.make(f"shared_{os.getpid()}")
    server.sql("CREATE TABLE alembic_version (version_num text)", url.rpartition("/")[2])
    with open_store(url) as store:
        assert store.tenants() == ()


def test_a_schema_from_the_future(url: str) -> None:
    with open_store(url) as store, store._database.write() as connection:
        connection.exec_driver_sql("UPDATE sidedoor_version SET version_num = '9999'")
    with pytest.raises(InputError, match=r"a schema of version '9999'; expected version \d+ or older; a newer"):
        open_store(url)


def test_two_stores_in_two_schemas_of_one_database(server: Postgres) -> None:
    url = server.make(f"schemas_{os.getpid()}")
    for name in ("one", "other"):
        server.sql(f"CREATE SCHEMA {name}", url.rpartition("/")[2])
    one, other = (open_store(f"{url}?options=-csearch_path%3D{name}") for name in ("one", "other"))
    with one, other, one.tenant(DOMAIN).running(), other.tenant(DOMAIN).running():
        one.tenant("fabrikam.com")
        assert other.tenants() == (DOMAIN,)


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        open_store(tmp_path / "no" / "sidedoor.db")
    with pytest.raises(InputError, match="found a folder"):
        open_store(tmp_path)


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="does not answer") as caught:
        open_store(f"postgresql://ann@127.0.0.1:{free_port()}/x")
    assert caught.value.exit_code == 4
    with pytest.raises(UnreachableError):
        open_store(f"postgresql:///x?host={tmp_path}")


def test_a_role_that_may_not_make_tables(server: Postgres) -> None:
    url = server.make(f"poor_{os.getpid()}")
    name = url.rpartition("/")[2]
    server.sql(f"CREATE ROLE poor_{os.getpid()} LOGIN")
    server.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
    with pytest.raises(OutputError, match="permission denied"):
        open_store(server.url(name, f"poor_{os.getpid()}"))


def test_no_password_is_ever_said(server: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    name = server.make(f"asked_{os.getpid()}").rpartition("/")[2]
    server.sql("DROP ROLE IF EXISTS asked")
    server.sql(f"CREATE ROLE asked LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    right, wrong = quote(PASSWORD, safe=""), quote(PASSWORD[::-1], safe="")
    said = []
    with caplog.at_level(logging.DEBUG):
        with open_store(server.url(name, "asked", right)) as store:
            said += [store.name, repr(store._database.engine), repr(store._database.place)]
            store.tenant(DOMAIN).put_value("mark", 1)
        bad = [
            server.url(name, "asked", wrong), server.url("no-such-database", "asked", right),
            server.url(name, "asked", right).replace(str(server.port), "1"),
            server.url(name, "asked", right).replace("127.0.0.1", "host.invalid"),
            f"{server.url(name, 'asked', right)}?sslmode=nonsense", f"{server.url(name, 'asked', right)}?nonsense=1",
            f"{server.url(name, 'asked')}?password={right}&port=1", server.url(name, "asked", PASSWORD),
        ]  # fmt: skip
        for url in bad:
            with pytest.raises(SidedoorError) as caught:
                open_store(url)
            said += traceback.format_exception(caught.value)
    everything = "\n".join([*said, caplog.text])
    for secret in (PASSWORD, PASSWORD[::-1], right, wrong):
        assert secret not in everything
    assert 'password authentication failed for user "asked"' in everything


def test_what_people_wrote_is_in_no_error(url: str) -> None:
    address = "joe@contoso.com"
    with open_store(url) as store:
        tenant = store.tenant(DOMAIN)
        with store._database.write() as connection:
            connection.exec_driver_sql("DROP TABLE kept_value")
        with pytest.raises(SidedoorError) as caught:
            tenant.put_value("mark", address)
    # Not the whole traceback: that quotes the lines of this test.
    said = "\n".join(map(str, (caught.value, caught.value.__cause__)))
    assert "kept_value" in said
    assert address not in said


def test_a_tenant_is_a_domain(url: str) -> None:
    with open_store(url) as store:
        assert store.tenant("BÜCHER.example.").domain == "xn--bcher-kva.example"
        assert store.tenant("bücher.example")._tenant == store.tenant("xn--bcher-kva.example")._tenant
        with pytest.raises(UsageError, match="named by its domain"):
            store.tenant("no domain")


def test_a_tenant_that_was_deleted_takes_nothing_more(url: str) -> None:
    with open_store(url) as store, open_store(url) as other:
        held = other.tenant(DOMAIN)
        store.delete_tenant(DOMAIN)
        again = store.tenant(DOMAIN)
        with pytest.raises(NotThereError, match="no longer holds this tenant"):
            held.put_value("mark", 1)
        assert (held.open_alerts(), held.revision(), again.last_runs()) == ([], -1, [])
        with pytest.raises(NotThereError):
            store.delete_tenant("fabrikam.com")


def test_alembic_is_loaded_only_where_there_is_something_to_change(tmp_path: Path) -> None:
    """A run with nothing new has two seconds; this is a quarter of one."""
    url = f"sqlite:///{tmp_path}/sidedoor.db"
    code = (
        f"import sys; from sidedoor.store.store import open_store; open_store({url!r}); print('alembic' in sys.modules)"
    )
    run = [sys.executable, "-c", code]
    said = [subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout for _ in range(2)]
    assert said == ["True\n", "False\n"]
