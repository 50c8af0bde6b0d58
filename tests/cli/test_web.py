"""`sidedoor web` as a process: what it prints, whom it lets in, how it ends, and where it refuses to listen."""

from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sidedoor.cli.main import main
from tests.ports import free_port
from tests.web.world import empty_workspace


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server, and the link that it printed."""
    command = [sys.executable, "-m", "sidedoor", "web", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        said = ""
        for line in server.stdout:
            said += line
            found = re.search(r"http\S+/sign-in\S+", line)
            if found:
                break
        try:
            assert "/sign-in?token=" in said, said
            yield server, found[0] if found else ""
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)


def ask(
    url: str, cookie: str = "", context: ssl.SSLContext | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    parts = urlsplit(url)
    connection: http.client.HTTPConnection = (
        http.client.HTTPSConnection(parts.netloc, timeout=20, context=context)
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.netloc, timeout=20)
    )
    connection.request("GET", f"{parts.path}?{parts.query}", headers={"Cookie": cookie})
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


def test_a_server_lets_its_owner_in_and_ends_when_told(tmp_path: Path) -> None:
    folder, at = empty_workspace(tmp_path / "contoso.com"), f"127.0.0.1:{free_port()}"
    with running(str(folder), "--listen", at) as (server, link):
        assert link.startswith(f"http://{at}/sign-in?token=")
        status, headers, _ = ask(link)
        assert status == 303
        cookie = str(headers["set-cookie"]).partition(";")[0]
        status, headers, page = ask(f"http://{at}/t/contoso.com", cookie)
        assert (status, b"There is no report yet" in page) == (200, True)
        assert "server" not in {name.lower() for name in headers}
        assert ask(link)[0] == 403
        made = subprocess.run(
            [sys.executable, "-m", "sidedoor", "web", str(folder), "--listen", at, "--link", "--role", "reader"],
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout.strip()  # fmt: skip
        status, headers, _ = ask(made)
        reader = str(headers["set-cookie"]).partition(";")[0]
        assert (status, ask(f"http://{at}/about", reader)[0], ask(f"http://{at}/access", reader)[0]) == (303, 200, 403)
        refused = subprocess.run(
            [sys.executable, "-m", "sidedoor", "web", str(folder), "--listen", at],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert refused.returncode == 2
        assert "cannot be listened at" in refused.stderr
    assert server.returncode in {0, -signal.SIGTERM}
    assert (folder / "web.db").stat().st_mode & 0o077 == 0


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return folder / "c.pem", folder / "k.pem"


def test_with_tls_the_cookie_is_secure(tmp_path: Path) -> None:
    folder, at = empty_workspace(tmp_path / "contoso.com"), f"127.0.0.1:{free_port()}"
    pem, key = certificate(tmp_path)
    arguments = (str(folder), "--listen", at, "--tls-certificate", str(pem), "--tls-key", str(key))
    with running(*arguments) as (_, link):
        assert link.startswith(f"https://{at}/")
        status, headers, _ = ask(link, context=ssl.create_default_context(cafile=str(pem)))
    assert status == 303
    assert str(headers["set-cookie"]).startswith("__Host-sidedoor_session=")
    assert "secure" in str(headers["set-cookie"]).lower()
    assert headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--listen", "0.0.0.0:8642"], 2, "OpenID Connect"),
        (["--listen", "nowhere"], 2, "no HOST:PORT"),
        (["--behind-proxy", "0.0.0.0/0"], 2, "name the proxy"),
        (["--tls-certificate", "c.pem"], 2, "go together"),
        (["--settings", "not-there.toml"], 3, "not-there.toml"),
        (["--role", "owner", "--link"], 2, "owner"),
    ],
)
def test_what_it_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    folder = empty_workspace(tmp_path / "contoso.com")
    assert main(["web", str(folder), *arguments]) == code
    assert said in capsys.readouterr().err


def test_a_folder_that_is_no_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", str(tmp_path)]) == 3
    assert "no workspace" in capsys.readouterr().err


def test_settings_beside_the_workspaces_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty_workspace(tmp_path / "contoso.com")
    (tmp_path / "web.toml").write_text("public_url = 3\n")
    assert main(["web", str(tmp_path)]) == 3
    assert "web.toml, line 1" in capsys.readouterr().err
