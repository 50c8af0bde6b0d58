"""A PostgreSQL of its own for tests and benchmarks: Debian's, in a folder, on a Unix socket and a port of the loopback.

    with Postgres() as server: open_store(server.url("name"))

The server refuses to be root, so that root starts it as `postgres`. Skip by `MISSING` where it cannot be started.
`stop` ends this server and no other on the machine; it is started anew on the same port.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.ports import free_port

PASSWORD = "p@ss/w%rd:é"  # whatever a URL can trip over
_USER = "postgres"
_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
fsync = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 60
log_min_messages = fatal
"""
_RIGHTS = """
local all all trust
host all asked 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""


def _programs() -> Path | None:
    """Where initdb and pg_ctl are; Debian keeps them out of the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return next((path for path in (*reversed(debian), *_in_path()) if (path / "pg_ctl").exists()), None)


def _in_path() -> list[Path]:
    found = shutil.which("pg_ctl")
    return [Path(found).resolve().parent] if found else []


def _has_user() -> bool:
    with suppress(KeyError):
        return bool(pwd.getpwnam(_USER))
    return False


MISSING = (
    "PostgreSQL is not installed" if _programs() is None
    else f"root has no user {_USER} to start PostgreSQL as" if os.getuid() == 0 and not _has_user()
    else ""
)  # fmt: skip


class Postgres:
    """Started at once. Everybody is let in but the role `asked`, which needs `PASSWORD`."""

    def __init__(self) -> None:
        programs = _programs()
        assert programs is not None
        self._programs = programs
        # Not pytest's folder, which other users may not enter; and a socket's path has to be short.
        self.folder = Path(tempfile.mkdtemp(prefix="sidedoor-pg-"))
        self.port = free_port()
        if os.getuid() == 0:
            shutil.chown(self.folder, _USER)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=tests", "--encoding=UTF8", "--locale=C.UTF-8")
        data = self.folder / "data"
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS.format(port=self.port, folder=self.folder))
        (data / "pg_hba.conf").write_text(_RIGHTS)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self._run("pg_ctl", "start", "-w", "-l", str(self.folder / "log"))

    def stop(self) -> None:
        """Stop at once, whoever is connected."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        with suppress(subprocess.CalledProcessError):  # stopped already
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, user: str = "tests", password: str = "") -> str:
        """Of a database, by way of the loopback."""
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def make(self, database: str, template: str = "template1") -> str:
        """A new database, like `template`; returns its URL."""
        self.sql(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def sql(self, statement: str, database: str = "postgres") -> list[Any]:
        """Run one statement as the superuser, outside of any transaction."""
        import psycopg

        where = f"host={self.folder} port={self.port} dbname={database} user=tests"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *options: str) -> None:
        as_user: dict[str, Any] = {"user": _USER, "group": _USER, "extra_groups": []} if os.getuid() == 0 else {}
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *options]
        # A server that is started inherits what it is given: with a pipe the caller would wait for its end.
        subprocess.run(
            command, check=True, cwd=self.folder, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **as_user,
        )  # fmt: skip
