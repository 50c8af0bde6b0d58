"""`sidedoor collect` over real connections on loopback, as a user runs it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sidedoor.cli.main import main
from sidedoor.exchange.windows import iso
from tests.exchange.entra import Entra, served
from tests.exchange.fake_service import SETTINGS, FakeClock, Service
from tests.exchange.kit import keys

SECRETS = ("TOKEN-", "S3CRET", "REFRESH-SECRET", "DEVICE-SECRET")
SINCE = f"{datetime.now(UTC) - timedelta(days=12):%Y-%m-%d}"


class Live(Service):
    """The service under the real clock: rows of the last days. `first`: answers to trace lists that come before."""

    first: list[Any]
    tokens: list[str]
    anchors: set[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        now = datetime.now(UTC) - timedelta(days=1)
        for number, row in enumerate(self.rows):
            row["Received"] = iso(now - timedelta(seconds=number))
        self._times = [row["Received"] for row in self._upward]
        self.first, self.tokens, self.anchors = [], ["TOKEN-FIXED"], set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return httpx.Response(401, json={"error": {"message": f"who is {request.headers.get('Authorization')}?"}})
        self.anchors.add(request.headers["X-AnchorMailbox"])
        if self.first and b"Get-MessageTraceV2" in request.content:
            found = self.first.pop(0)
            if found is None:
                return super().__call__(request)
            if isinstance(found, Exception):
                raise found
            if found == "hang":
                time.sleep(3)
                return httpx.Response(503)
            return found(request) if callable(found) else httpx.Response(found.status_code, headers=found.headers)
        return super().__call__(request)


@pytest.fixture
def service() -> Live:
    return Live(250, FakeClock(), page=100)


@pytest.fixture
def base(service: Live) -> Iterator[str]:
    with served(service) as address:
        yield address


def command(folder: Path, base: str, *more: str) -> list[str]:
    return [
        "--debug", "collect", "-o", str(folder), "--tenant-id", "contoso.example", "--base-url", base, "--since", SINCE,
        "--details", "2", *more,
    ]  # fmt: skip


@pytest.fixture
def by_token(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv("THE_TOKEN", "TOKEN-FIXED")
    return "--token-env", "THE_TOKEN"


@pytest.fixture
def with_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", "S3CRET")


def nothing_shows(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, when it is certain that no secret is in it nor in any file."""
    out, err = capsys.readouterr()
    files = [path for path in folder.rglob("*") if path.is_file()]
    for secret in SECRETS:
        assert secret not in out + err
        assert not any(secret.encode() in path.read_bytes() for path in files)
    return out + err


def everything(folder: Path, service: Live) -> bool:
    found = keys(folder)
    return len(found) == len(set(found)) and set(found) == {
        (row["MessageTraceId"], row["RecipientAddress"]) for row in service.rows
    }


def test_all_of_it_and_the_audit_after(
    tmp_path: Path, service: Live, base: str, by_token: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tmp_path / "export", base, *by_token)) == 0
    assert everything(tmp_path / "export", service)
    said = nothing_shows(tmp_path, capsys)
    assert "in all, with 1,000,000 messages" in said
    assert "window 1 of 2" in said
    assert main(["audit", str(tmp_path / "export"), "-o", str(tmp_path / "report"), "--offline", "-q"]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["coverage"]["messages"] == 250
    assert [file.get("note") for file in report["coverage"]["files"] if file["format"] == "collection"] == [None]


def region(base: str) -> Any:
    return lambda request: httpx.Response(302, headers={"Location": base + request.url.raw_path.decode()})


def test_faults_on_the_wire(
    tmp_path: Path, service: Live, base: str, by_token: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    reached: list[str] = []

    def stranger(request: httpx.Request) -> httpx.Response:
        reached.append(str(request.headers))
        return httpx.Response(200, json={"value": []})

    with served(service) as elsewhere, served(stranger, "127.0.0.2") as evil:
        service.first = [
            httpx.ReadError("cut"), None, "hang", None, httpx.Response(429, headers={"Retry-After": "1"}),
            region(elsewhere), httpx.Response(500), None, lambda _: httpx.Response(200, content=b'{"value": [{'),
            lambda _: httpx.Response(401), region(evil),
        ]  # fmt: skip
        assert main(command(tmp_path, base, *by_token, "--timeout", "1")) == 0
    assert everything(tmp_path, service)
    assert reached == []
    said = nothing_shows(tmp_path, capsys)
    assert "ReadTimeout" in said
    assert "127.0.0.2" in said  # where it was not followed


@pytest.mark.parametrize("way", ["secret", "device"])
@pytest.mark.usefixtures("with_secret")
def test_signing_in_by_msal(
    tmp_path: Path, service: Live, base: str, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entra = Entra()
    service.tokens = entra.tokens
    # The first token ends in the middle of a window.
    service.first = [lambda _: httpx.Response(401, json={"error": {"message": "ended: TOKEN-1"}})]
    with served(entra) as authority:
        more = ["--device-code"] if way == "device" else ["--secret-env", "THE_SECRET"]
        assert main(command(tmp_path, base, *more, "--client-id", "id", "--authority-url", authority)) == 0
    assert everything(tmp_path, service)
    assert len(entra.tokens) == 2
    nothing_shows(tmp_path, capsys)
    [anchor] = service.anchors
    assert anchor.startswith("UPN:anna@" if way == "device" else "APP:SystemMailbox{")


def test_a_token_that_has_ended_keeps_what_has_come(
    tmp_path: Path, service: Live, base: str, by_token: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    service.tokens = ["TOKEN-OTHER"]
    assert main(command(tmp_path, base, *by_token)) == 4
    said = nothing_shows(tmp_path, capsys)
    assert "it has ended, or the application has neither the right nor the role" in said
    assert json.loads((tmp_path / "collection.json").read_text())["complete"] is False
    service.tokens = ["TOKEN-FIXED"]
    assert main(command(tmp_path, base, *by_token)) == 0
    assert everything(tmp_path, service)


def test_the_same_command_goes_on_though_the_days_do_too(
    tmp_path: Path, service: Live, base: str, by_token: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """--since before the 90 days and --until in the future are cut to what there is, which is another time each run."""
    asked = [*command(tmp_path, base, *by_token), "--since", "2026-01-01", "--until", "2099-01-01"]
    for _ in range(2):
        assert main(asked) == 0
        assert "90 days" in capsys.readouterr().err
        time.sleep(1.1)
    assert main([*asked, "--since", "2026-01-02"]) == 2
    assert "another collection" in capsys.readouterr().err


def test_settings_that_are_refused_are_missing_and_in_the_audit_too(
    tmp_path: Path, service: Live, base: str, by_token: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "Get-AcceptedDomain", [])
    assert main(command(tmp_path / "export", base, *by_token)) == 1
    assert main(["audit", str(tmp_path / "export"), "-o", str(tmp_path / "report"), "--offline", "-q"]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert "tenant-settings" in {fact["fact"] for fact in report["coverage"]["missing"]}
    assert report["readiness"]["state"] == "undetermined"


@pytest.mark.parametrize(
    "more",
    [
        ["--tenant-id", "a b"], ["--tenant-id", "\u00e4.example"], ["--base-url", "http://192.0.2.1"],
        ["--authority-url", "http://x"], ["--graph-url", "ftp://x"], ["--since", "yesterday"],
        ["--until", "2020-01-01"], ["--timeout", "0"], ["--secret-env", "NONE"], ["--device-code"],
    ],
)  # fmt: skip
def test_questions_that_are_none(tmp_path: Path, base: str, by_token: tuple[str, str], more: list[str]) -> None:
    assert main(command(tmp_path, base, *by_token, *more)) == 2


def test_two_at_once(tmp_path: Path, service: Live, base: str, by_token: tuple[str, str]) -> None:
    codes: list[int] = []
    service.first = [lambda _: codes.append(main(command(tmp_path, base, *by_token))) or httpx.Response(503)]  # type: ignore[func-returns-value]
    assert main(command(tmp_path, base, *by_token)) == 0
    assert codes == [2]
    assert everything(tmp_path, service)


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are POSIX's")
def test_a_full_disk_is_said_and_later_gone_on_with(
    tmp_path: Path, service: Live, base: str, by_token: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        assert main(command(tmp_path, base, *by_token)) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "cannot be written" in capsys.readouterr().err
    assert main(command(tmp_path, base, *by_token)) == 0
    assert everything(tmp_path, service)
