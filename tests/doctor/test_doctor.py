"""`sidedoor doctor`: what it finds in workspaces that lack something, and that it changes nothing."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sidedoor.cli.main import main
from sidedoor.doctor.machine import clock, room
from sidedoor.doctor.model import State
from sidedoor.doctor.network import dns, reach
from sidedoor.mailauth.resolver import Failure
from sidedoor.mailauth.zonefile import read_zones


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A new one."""
    folder = tmp_path / "contoso.com"
    assert main(["init", "contoso.com", "-o", str(folder)]) == 0
    _settings(folder, "# offline = false", "offline = true")
    return folder


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], dict[str, dict[str, Any]]]:
    """Exit code, the whole answer, and the checks by id."""
    capsys.readouterr()
    code = main(["doctor", *words, "--json"])
    body = json.loads(capsys.readouterr().out)
    return code, body, {each["id"]: each for each in [*body["machine"], *body["workspace"]]}


def test_a_machine_that_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    code, body, checks = asked(capsys)
    assert (code, body["schema"], body["lacking"]) == (0, "sidedoor/doctor/1", [])
    assert {each["name"] for each in body["features"] if each["asked"]} == {"audit"}
    assert checks["dns"]["state"] == "not asked"
    assert checks["duckdb"]["state"] == "ok"


def test_what_a_terminal_shows_fits_it(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["doctor", str(workspace)]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80 or str(workspace) in said
    assert "Asked about: audit and the workspace. Nothing is missing." in said


def test_a_feature_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--for", "audit,teleport"]) == 2
    assert "teleport" in capsys.readouterr().err


def test_it_changes_nothing(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(workspace), "--once", "--quiet", "--no-collect"]) in {0, 1, 3, 4}
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in workspace.rglob("*") if path.is_file()}
    _, _, checks = asked(capsys, str(workspace))
    assert checks["store"]["state"] == "ok"
    assert checks["last-run"]["text"].startswith("last run ")
    after = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in workspace.rglob("*") if path.is_file()}
    assert after == before


def _settings(folder: Path, old: str, new: str) -> None:
    path = folder / "sidedoor.toml"
    text = path.read_text("utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new), "utf-8")


def no_settings(folder: Path) -> None:
    (folder / "sidedoor.toml").unlink()


def broken_settings(folder: Path) -> None:
    (folder / "sidedoor.toml").write_text("domain = [")


def no_secret(folder: Path) -> None:
    _settings(folder, '# tenant_id = ""', 'tenant_id = "contoso.com"')
    _settings(folder, '# secret_env = ""', 'secret_env = "SIDEDOOR_NO_SUCH_SECRET"')
    _settings(folder, '# client_id = ""', 'client_id = "11111111-2222-3333-4444-555555555555"')


def no_folder_to_write(folder: Path) -> None:
    (folder / "history").rmdir()
    (folder / "history").write_text("a file")


def no_store(folder: Path) -> None:
    (folder / "sidedoor.db").write_bytes(b"no database at all, but long enough to be looked at as one" * 100)


def no_variable_of_the_store(folder: Path) -> None:
    _settings(folder, '# url = ""', 'url = "env:SIDEDOOR_NO_SUCH_STORE"')


def store_is_away(folder: Path) -> None:
    _settings(folder, '# url = ""', 'url = "postgresql://nobody@127.0.0.1:9/nothing"')


MISSING: list[tuple[Callable[[Path], None], str, str]] = [
    (no_settings, "settings", "no sidedoor.toml"),
    (broken_settings, "settings", "sidedoor.toml"),
    (no_secret, "secret", "the environment has no SIDEDOOR_NO_SUCH_SECRET"),
    (no_folder_to_write, "writing", "history"),
    (no_store, "store", "not a database"),
    (no_variable_of_the_store, "store", "SIDEDOOR_NO_SUCH_STORE"),
]


@pytest.mark.parametrize(("fault", "check", "why"), MISSING, ids=lambda each: getattr(each, "__name__", ""))
def test_what_is_missing_is_said_with_what_to_do(
    workspace: Path, capsys: pytest.CaptureFixture[str], fault: Callable[[Path], None], check: str, why: str
) -> None:
    fault(workspace)
    code, body, checks = asked(capsys, str(workspace))
    assert (code, checks[check]["state"]) == (1, "missing"), checks
    assert why in checks[check]["text"]
    assert checks[check]["advice"]
    assert check in body["lacking"]


def test_a_store_elsewhere_is_not_asked_without_leave(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_is_away(workspace)
    code, _, checks = asked(capsys, str(workspace))
    assert (code, checks["store"]["state"]) == (0, "not asked")


def test_a_store_of_a_newer_version(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["watch", str(workspace), "--once", "--quiet", "--no-collect"])
    with closing(sqlite3.connect(workspace / "sidedoor.db")) as store, store:
        store.execute("UPDATE sidedoor_version SET version_num = '9999'")
    _, _, checks = asked(capsys, str(workspace))
    assert checks["store"]["state"] == "warning"
    assert "schema 9999" in checks["store"]["text"]


@pytest.mark.skipif(os.name != "posix", reason="rights are looked at on POSIX only")
def test_a_folder_that_others_may_look_into(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, str(workspace))[2]["rights"]["state"] == "ok"
    workspace.chmod(0o755)
    (workspace / "history").chmod(0o755)
    found = asked(capsys, str(workspace))[2]["rights"]
    assert found["state"] == "warning"
    assert found["advice"].startswith("chmod ")


@pytest.mark.parametrize(("days", "state"), [(-1, "missing"), (10, "warning"), (300, "ok")])
def test_a_certificate_that_ends(workspace: Path, capsys: pytest.CaptureFixture[str], days: int, state: str) -> None:
    (workspace / "app.pem").write_bytes(application(datetime.now(UTC) + timedelta(days=days)))
    _settings(workspace, '# tenant_id = ""', 'tenant_id = "contoso.com"')
    _settings(workspace, '# client_id = ""', 'client_id = "11111111-2222-3333-4444-555555555555"')
    _settings(workspace, '# certificate = ""', 'certificate = "app.pem"')
    assert asked(capsys, str(workspace))[2]["certificate"]["state"] == state


def application(end: datetime) -> bytes:
    """A key and its certificate, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sidedoor")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, end - timedelta(days=365), end)
    kept = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return kept + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Deaf:
    """A resolver that is asked in vain."""

    def lookup(self, name: str, _kind: object) -> Failure:
        return Failure(f"nobody answers for {name}", temporary=True)


def test_dns(tmp_path: Path) -> None:
    zone = tmp_path / "contoso.com.zone"
    zone.write_text("$ORIGIN contoso.com.\n@ 3600 IN SOA ns h 1 7200 900 1209600 300\n@ 3600 IN MX 0 mx.contoso.com.\n")
    assert dns(read_zones([zone]), "contoso.com").state is State.OK
    found = dns(Deaf(), "contoso.com")  # type: ignore[arg-type]
    assert (found.state, "nobody answers" in found.text) == (State.MISSING, True)


def test_services_are_reached_or_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        found = list(reach([address, "http://127.0.0.1:9", "http://a..b:1", address]))
    assert [each.state for each in found] == [State.OK, State.MISSING, State.MISSING]


def test_clock_and_room(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    assert clock(now).state is State.OK
    assert clock(datetime(1970, 1, 2, tzinfo=UTC)).state is State.WARNING
    assert clock(now + timedelta(days=366 * 30)).state is State.WARNING
    assert room("room", tmp_path, 1).state is State.OK
    assert room("room", tmp_path, 1 << 50).state is State.MISSING
    assert room("room", tmp_path / "nowhere", 1).state is State.MISSING
