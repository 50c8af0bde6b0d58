"""The schema: migrations lead to the tables of the code, the page describes them, and no page of the web scans them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event

from sidedoor.store import migrations
from sidedoor.store.model import AlertFilter, Severity
from sidedoor.store.schema import METADATA, REVISIONS, VERSION_TABLE
from sidedoor.store.store import Store
from sidedoor.store.tenant import TenantStore
from tests.store.store_kit import NOW, ROOT

PAGE = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")


def test_migrations_lead_to_the_tables_of_the_code(store: Store) -> None:
    with store._database.read() as connection:
        dialect = connection.dialect

        def differ(_context: object, _column: object, _ours: object, there: Any, ours: Any) -> bool:
            # Only migrations make tables; where the code names a key's type, in casts, both words mean the same.
            return bool(
                there.compile(dialect) != ours.compile(dialect).replace('VARCHAR COLLATE "C"', 'TEXT COLLATE "C"')
            )

        options = {"compare_type": differ, "compare_server_default": True, "version_table": VERSION_TABLE}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []


def test_a_difference_would_be_found(store: Store) -> None:
    with store._database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE run ADD COLUMN more TEXT")
        connection.exec_driver_sql("DROP INDEX run_newest")
        options = {"version_table": VERSION_TABLE, "compare_type": False}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    assert sorted(each[0] for each in found) == ["add_index", "remove_column"]


def test_the_code_knows_every_step() -> None:
    config = Config()
    config.set_main_option("script_location", "sidedoor.store:migrations")
    steps = ScriptDirectory.from_config(config)
    assert tuple(step.revision for step in reversed(list(steps.walk_revisions()))) == REVISIONS
    assert steps.get_heads() == [REVISIONS[-1]]


def test_migrations_are_in_the_package() -> None:
    """Packages of Python files alone, which is what a wheel takes without being told."""
    folder = Path(migrations.__file__ or "").parent
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {"env.py", "v0001_first.py"} <= {path.name for path in files}
    assert all(path.suffix == ".py" and (path.parent / "__init__.py").exists() for path in files)


def described() -> dict[str, list[str]]:
    """Table -> columns, as the page has them."""
    parts = re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    cells = {name: re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name, text in parts}
    return {name: re.findall(r"`(\w+)`", " ".join(found)) for name, found in cells.items()}


def test_the_page_describes_every_table_and_column() -> None:
    assert described() == {name: [column.name for column in table.c] for name, table in METADATA.tables.items()}


def test_what_the_page_shows_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The code blocks in Python, one after another, with other places."""
    blocks = re.findall(r"(?:^    (?:from|with|    ).*\n|^\n(?=    ))+", PAGE, re.MULTILINE)
    code = "".join(textwrap.dedent(block) for block in blocks if "open_store" in block)
    assert code.count("with open_store") == 2
    old, new = (f"sqlite:///{tmp_path}/{name}.db" for name in ("old", "new"))
    for url in re.findall(r'"(sqlite:[^"]+|postgresql:[^"]+)"', code):
        code = code.replace(url, new if url.startswith("postgresql") else old)
    exec(code, {})
    said = capsys.readouterr().out
    assert "Erased(mark='removed-" in said
    assert "'tenant': 1" in said


@contextmanager
def asked(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is run meanwhile."""
    found: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        found.append((statement, parameters))

    event.listen(store._database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(store._database.engine, "before_cursor_execute", note)


READS: dict[str, Callable[[TenantStore], object]] = {
    "decisions": lambda tenant: tenant.decisions(),
    "decisions of a page": lambda tenant: tenant.decisions(["a", "b"]),
    "trail": lambda tenant: tenant.trail(before=9),
    "trail of one": lambda tenant: tenant.trail("a"),
    "senders": lambda tenant: tenant.known_senders(),
    "baseline": lambda tenant: tenant.baseline(),
    "open alerts": lambda tenant: tenant.open_alerts(),
    "alerts": lambda tenant: tenant.alerts(offset=50),
    "alerts, open": lambda tenant: tenant.alerts(AlertFilter(open_only=True, severity=Severity.SERIOUS)),
    "alerts, searched": lambda tenant: tenant.alerts(AlertFilter(search="x")),
    "alerts, counted": lambda tenant: tenant.count_alerts(AlertFilter(open_only=True)),
    "alert": lambda tenant: tenant.alert("a"),
    "due": lambda tenant: tenant.due_deliveries(NOW),
    "interrupted": lambda tenant: tenant.interrupted(),
    "waiting": lambda tenant: tenant.waiting(),
    "deliveries": lambda tenant: tenant.deliveries("alert-1"),
    "deliveries, counted": lambda tenant: tenant.count_deliveries(),
    "observations": lambda tenant: tenant.observations("probe", since=NOW),
    "runs": lambda tenant: tenant.last_runs(),
    "latest time": lambda tenant: tenant.latest_time(),
    "value": lambda tenant: tenant.value("a"),
    "held": lambda tenant: tenant.held_messages(),
    "held, one": lambda tenant: tenant.held_message("a"),
    "released": lambda tenant: tenant.released_messages(),
    "settings of edges": lambda tenant: tenant.published_settings(),
    "settings of edges, version": lambda tenant: tenant.settings_version(),
    "edges": lambda tenant: tenant.seen_edges(),
    "edges, counted": lambda tenant: tenant.edge_counts(NOW.date()),
    "edges, lines": lambda tenant: tenant.edge_lines(after=9),
    "revision": lambda tenant: tenant.revision(),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_no_page_reads_the_rows_of_other_tenants(store: Store, name: str) -> None:
    """SQLite says how it will look for rows: by an index, or through all of a table (SCAN)."""
    tenant = store.tenant("contoso.com")
    with asked(store) as statements:
        READS[name](tenant)
    with store._database.read() as connection:
        plans = [
            str(row[3])
            for statement, parameters in statements
            if statement.startswith("SELECT")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN")] == []
