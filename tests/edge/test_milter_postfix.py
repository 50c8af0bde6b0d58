"""`sidedoor milter` beside Debian's Postfix, with the main.cf lines of docs/milter.md."""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.header import decode_header, make_header
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.audit.audit_kit import accepted_domain, connector, write_settings
from tests.edge.difference_kit import Authority
from tests.edge.postfix import MISSING, Postfix
from tests.ports import free_port

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.xdist_group("milter-postfix"),  # what the module makes once is made by one worker
]
PAGE = Path(__file__).parents[2] / "docs" / "milter.md"
DOMAINS = [accepted_domain("contoso.example", Default=True)]
HOLD = {
    "Name": "Hold scans", "Priority": 0, "State": "Enabled", "Mode": "Enforce", "Identity": "Hold scans",
    "SubjectContainsWords": ["suspicious"], "Quarantine": True,
}  # fmt: skip
TAG = {
    "Name": "Tag", "Priority": 1, "State": "Enabled", "Mode": "Enforce", "Identity": "Tag",
    "HeaderContainsMessageHeader": "X-MS-Exchange-Organization-AuthAs", "HeaderContainsWords": ["Anonymous"],
    "SetHeaderName": "X-DirectSend-Audit", "SetHeaderValue": "1",
}  # fmt: skip


class Milter:
    """The command, as a process of its own; on a port, or on the socket `path`."""

    def __init__(self, tenant: Path, log: Path, path: Path | None = None) -> None:
        self._address: Any = ("127.0.0.1", free_port()) if path is None else str(path)
        self._family = socket.AF_INET if path is None else socket.AF_UNIX
        self.where = f"inet:{self._address[0]}:{self._address[1]}" if path is None else f"unix:{path}"
        self._command = [
            sys.executable, "-m", "sidedoor", "milter", "--tenant", str(tenant), "--log", str(log),
            "--listen", self.where.removeprefix("inet:"), "--hostname", "mx.example",
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE)
        for _ in range(300):
            with suppress(OSError), socket.socket(self._family) as probe:
                probe.connect(self._address)
                if isinstance(self._address, str):
                    Path(self._address).chmod(0o777)  # as its folder would do where Postfix is in a group
                return
            time.sleep(0.02)
        raise AssertionError("the milter does not answer")

    def end(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)
        said = self._process.communicate(timeout=20)[1]
        assert b"Traceback" not in said, said.decode()


class Logins:
    """Who asks for a login by Dovecot's protocol, as Postfix does, hears that all is well; so no Dovecot is needed."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.where = f"inet:127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    @staticmethod
    def _answer(client: socket.socket) -> None:
        with client, client.makefile("rw", newline="\n") as stream:
            stream.write("VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n")
            stream.flush()
            for line in stream:
                words = line.rstrip("\n").split("\t")
                if words[0] == "AUTH":
                    told = next(word for word in words if word.startswith("resp="))
                    user = base64.b64decode(told.removeprefix("resp=")).split(b"\0")[1].decode()
                    stream.write(f"OK\t{words[1]}\tuser={user}\n")
                    stream.flush()

    def close(self) -> None:
        self._socket.close()


class World:
    """A tenant, its milter, and a Postfix that asks it and keeps what it takes in its queue."""

    def __init__(self, folder: Path, *, bare: bool = False) -> None:
        """`bare`: over a local socket, without the lines about macros."""
        self.tenant, self.log = folder / "tenant", folder / "decisions.jsonl"
        self.settings()
        self.authority = Authority(folder / "ca")
        self.milter = Milter(self.tenant, self.log, folder / "milter" if bare else None)
        self.logins = Logins()
        block = re.search(r"^```\n(smtpd_milters.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        assert block is not None
        lines = block[1].replace("inet:127.0.0.1:8891", self.milter.where)
        if bare:
            lines = re.sub(r"^(milter_\w+_macros = ).*$", r"\1", lines, flags=re.MULTILINE)
        ca = self.authority.folder
        lines += f"smtpd_tls_security_level = may\nsmtpd_tls_CAfile = {ca}/ca.pem\n"
        lines += f"smtpd_tls_cert_file = {ca}/edge.example.pem\nsmtpd_tls_key_file = {ca}/edge.example.key\n"
        lines += "smtpd_relay_restrictions = reject_unauth_destination\ndefer_transports = relay, smtp\n"
        lines += f"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {self.logins.where}\n"
        self.postfix = Postfix(folder / "p", lines)

    def settings(
        self, *connectors: dict[str, Any], rejects: bool = False, rules: tuple[dict[str, Any], ...] = ()
    ) -> None:
        """Write the export anew."""
        (self.tenant).mkdir(exist_ok=True, parents=True)
        (self.tenant / "TransportRule.json").write_text(json.dumps(list(rules)))
        write_settings(self.tenant, DOMAINS, list(connectors), reject_direct_send=rejects)

    def decisions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="ascii").splitlines()]

    def written(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The last decision that fits; what a client broke off is written a moment after he is gone."""
        for _ in range(100):
            found = [each for each in self.decisions() if fits(each)]
            if found:
                return found[-1]
            time.sleep(0.05)
        raise AssertionError(self.decisions()[-3:])

    def client(self, certificate: str | None = None, *, tls: bool = False) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", self.postfix.port, "[192.0.2.7]", timeout=20)
        if tls:
            client.starttls(context=self.authority.client(certificate))
        return client

    def rcpt(self, to: str = "desk@contoso.example", **how: Any) -> tuple[int, str]:
        """The answer to one RCPT TO of a printer."""
        with self.client(**how) as client:
            client.ehlo()
            code, text = client.mail("scan@contoso.example")
            if code == 250:
                code, text = client.rcpt(to)
            return code, text.decode()

    def until(self, expected: Callable[[tuple[int, str]], bool], **how: Any) -> tuple[int, str]:
        """Ask until new settings are in force."""
        for _ in range(200):
            answer = self.rcpt(**how)
            if expected(answer):
                return answer
            time.sleep(0.1)
        raise AssertionError(answer)

    def close(self) -> None:
        self.postfix.stop()
        self.logins.close()
        with suppress(ProcessLookupError):
            self.milter.end()


@contextmanager
def made(**how: Any) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="sd-"))  # short, because Postfix's sockets are in it
    found = World(folder, **how)
    try:
        yield found
    finally:
        found.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with made() as found:
        yield found


def test_direct_send_then_the_switch_then_a_connector(world: World) -> None:
    world.settings()
    world.until(lambda answer: answer[0] == 250)
    world.settings(rejects=True)
    _, said = world.until(lambda answer: answer[0] == 550)
    assert said.startswith(
        "5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources "
        "[mx.example 20"
    )
    printers = connector("Printers", SenderIPAddresses=["127.0.0.1"], SenderDomains=["smtp:contoso.example;1"])
    world.settings(printers, rejects=True)
    world.until(lambda answer: answer[0] == 250)
    last = world.written(lambda each: each["connector"] == "Printers")
    assert (last["listener"], last["submission"], last["outcome"]) == ("milter", "partner-connector", "abandoned")


def test_a_connector_by_certificate(world: World) -> None:
    gateway = connector("Gateway", TlsSenderCertificateName="mail.contoso.example", SenderDomains=["smtp:*;1"])
    world.settings(gateway, rejects=True)
    world.until(lambda answer: answer[0] == 550)
    assert world.rcpt(certificate="mail.contoso.example", tls=True)[0] == 250
    assert world.rcpt(tls=True)[0] == 550
    # Postfix told the subject of a verified certificate and no other names; one of those might fit.
    assert world.rcpt(certificate="other.example", tls=True)[0] == 451
    taken = world.written(lambda each: each["connector"] == "Gateway")
    assert taken["tls"]["client_certificate"]["subject_cn"] == "mail.contoso.example"
    assert taken["tls"]["version"] == "TLS1.3"
    refused = [each for each in (None, "other.example") if world.written(partial(_shown_and_refused, each))]
    assert refused == [None, "other.example"]


def _shown_and_refused(name: str | None, each: dict[str, Any]) -> bool:
    """Whether the decision refuses a client under TLS that showed a certificate of this name, or none."""
    shown = each["tls"]["client_certificate"] if each["tls"] else {"subject_cn": "in the clear"}
    return each["outcome"] == "refused" and (shown["subject_cn"] if shown else None) == name


def test_recipients_fare_apart(world: World) -> None:
    lock = connector("For one", SenderIPAddresses=["192.0.2.99"], SenderDomains=["smtp:contoso.example;1"])
    world.settings(lock)
    world.until(lambda answer: answer[0] == 250)
    before = {each["queue_id"] for each in world.postfix.queue()}
    with world.client() as client:
        refused = client.sendmail(
            "scan@contoso.example", ["desk@contoso.example", "a@elsewhere.example"], "Subject: x\r\n\r\nx\r\n"
        )
    assert list(refused) == ["a@elsewhere.example"]
    queued = [each for each in world.postfix.queue() if each["queue_id"] not in before]
    assert [[to["address"] for to in each["recipients"]] for each in queued] == [["desk@contoso.example"]]


def test_transport_rules_tag_and_hold(world: World) -> None:
    world.settings(rules=(HOLD, TAG))
    world.until(lambda answer: answer[0] == 250)
    deadline = time.monotonic() + 20
    held: list[dict[str, Any]] = []
    while not held and time.monotonic() < deadline:
        with world.client() as client:
            client.sendmail(
                "scan@contoso.example",
                ["desk@contoso.example"],
                "From: a@b.example\r\nSubject: suspicious\r\n\r\nx\r\n",
            )
        held = [each for each in world.postfix.queue() if each["queue_name"] == "hold"]
    # Several, where the queue showed the first one late.
    assert {each["recipients"][0]["address"] for each in held} == {"desk@contoso.example"}
    done = world.written(lambda each: each["handled"] is not None and each["handled"]["action"] == "quarantine")
    assert done["handled"]["id"] in {each["queue_id"] for each in held}
    with world.client() as client:
        client.sendmail("scan@contoso.example", ["desk@contoso.example"], "Subject: tagged\r\n\r\nx\r\n")
    found = [world.postfix.message(each["queue_id"]) for each in world.postfix.queue()]
    tagged = [text for text in found if "Subject: tagged" in text]
    assert "X-DirectSend-Audit: 1" in tagged[0]


def test_transport_rules_redirect_and_rename(world: World) -> None:
    rule = {
        "Name": "Elsewhere", "Priority": 0, "State": "Enabled", "Mode": "Enforce", "Identity": "Elsewhere",
        "SubjectContainsWords": ["redirected"], "SentTo": ["desk@contoso.example"],
        "RedirectMessageTo": ["other@contoso.example"],
    }  # fmt: skip
    rename = rule | {
        "Name": "Rename", "Identity": "Rename", "Priority": 1, "SentTo": [], "RedirectMessageTo": [],
        "PrependSubject": "[Grüße] ",
    }  # fmt: skip
    world.settings(rules=(rule, rename))
    world.until(lambda answer: answer[0] == 250)
    deadline, found = time.monotonic() + 20, [""]
    while "Grüße" not in found[-1] and time.monotonic() < deadline:
        with world.client() as client:
            recipients = ["desk@contoso.example", "third@contoso.example"]
            client.sendmail("scan@contoso.example", recipients, "Subject: redirected\r\n\r\nx\r\n")
        last = max(world.postfix.queue(), key=lambda each: int(each["arrival_time"]))
        queued = [each for each in world.postfix.queue() if each["arrival_time"] == last["arrival_time"]]
        found = [str(make_header(decode_header(_subject(world.postfix.message(each["queue_id"]))))) for each in queued]
    assert found[-1] == "[Grüße] redirected"
    assert sorted(each["address"] for each in queued[-1]["recipients"]) == [
        "other@contoso.example", "third@contoso.example",
    ]  # fmt: skip


def _subject(message: str) -> str:
    return next(line for line in message.splitlines() if line.startswith("Subject: ")).removeprefix("Subject: ")


def test_a_connection_outlives_a_change_of_settings(world: World) -> None:
    world.settings()
    world.until(lambda answer: answer[0] == 250)
    with world.client() as client:
        client.ehlo()
        assert client.mail("scan@contoso.example")[0] == 250
        assert client.rcpt("desk@contoso.example")[0] == 250
        world.settings(rejects=True)
        world.until(lambda answer: answer[0] == 550)
        assert client.rcpt("other@contoso.example")[0] == 250  # a message is decided by the settings it began with
        client.rset()
        client.mail("scan@contoso.example")
        assert client.rcpt("desk@contoso.example")[0] == 550


def test_a_login_is_told(world: World) -> None:
    world.settings(rejects=True)
    world.until(lambda answer: answer[0] == 550)
    with world.client() as client:
        client.login("alice", "any password")
        client.sendmail("scan@contoso.example", ["desk@contoso.example"], "Subject: by login\r\n\r\nx\r\n")
    last = world.written(lambda each: each["authenticated_as"] is not None)
    assert (last["authenticated_as"], last["submission"], last["outcome"]) == ("alice", "authenticated", "kept")
    assert world.rcpt()[0] == 550


def test_without_the_milter_nothing_passes(world: World) -> None:
    world.settings()
    world.until(lambda answer: answer[0] == 250)
    queued = len(world.postfix.queue())
    with world.client() as client:
        client.ehlo()
        assert client.mail("scan@contoso.example")[0] == 250
        assert client.rcpt("desk@contoso.example")[0] == 250
        world.milter.end(signal.SIGKILL)
        assert client.data("Subject: half way\r\n\r\nx\r\n")[0] == 451
    try:
        code, said = world.rcpt()
    except smtplib.SMTPResponseException as error:  # Postfix says so in its greeting
        code, said = error.smtp_code, str(error.smtp_error)
    assert 400 <= code < 500, said
    assert len(world.postfix.queue()) == queued
    world.milter.start()
    world.until(lambda answer: answer[0] == 250)


def test_by_a_local_socket_and_without_lines_about_macros() -> None:
    with made(bare=True) as world:
        gateway = connector("Gateway", TlsSenderCertificateName="mail.contoso.example", SenderDomains=["smtp:*;1"])
        world.settings(gateway, rejects=True)
        world.until(lambda answer: answer[0] == 550)
        assert world.rcpt(certificate="mail.contoso.example", tls=True)[0] == 250
        world.milter.end(signal.SIGKILL)
        world.milter.start()  # its socket is still there
        assert world.rcpt()[0] == 550


def test_200_messages_at_once(world: World) -> None:
    world.settings()
    world.until(lambda answer: answer[0] == 250)
    queued = len(world.postfix.queue())
    done = subprocess.run(
        ["smtp-source", "-s", "80", "-m", "200", "-f", "scan@contoso.example", "-t", "desk@contoso.example",
         f"127.0.0.1:{world.postfix.port}"], capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    arrived = 0
    for _ in range(50):  # what showq lists while mail moves between its folders settles when the queue does
        arrived = len(world.postfix.queue()) - queued
        if arrived == 200:
            break
        time.sleep(0.1)
    assert arrived == 200
