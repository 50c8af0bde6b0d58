"""Whatever a server answers, and wherever: outcome, verdict, exit code, transcript, and what is shown on 80 columns."""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli.main import main
from sidedoor.probe.client import attempt
from sidedoor.probe.model import Request, Role, SenderKind, Target
from sidedoor.probe.outcome import Outcome
from tests.audit.audit_kit import accepted_domain, write_settings
from tests.probe.smtp_kit import CUT, HANG, Server, bad_certificate, serving

DOMAINS = [
    accepted_domain("northwind.mail.onmicrosoft.com"), accepted_domain("northwind.example", Default=True),
    accepted_domain("northwind.onmicrosoft.com", InitialDomain=True),
]  # fmt: skip
ME = "me@northwind.example"
R68 = (
    b"550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources\r\n"
)
WORDS68 = R68.replace(b"5.7.68 ", b"")
LONG51 = (
    b"550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's "
    b"recipient domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set"
    b"\r\n"
)


@dataclass
class Run:
    """One probe: its exit code, transcript and what it printed."""

    code: int
    body: dict[str, Any]
    said: str

    def own(self) -> dict[str, Any]:
        """The first attempt: an own sender without TLS."""
        found: dict[str, Any] = self.body["attempts"][0]
        return found

    def by(self, **wanted: Any) -> list[dict[str, Any]]:
        """Attempts with these values."""
        return [made for made in self.body["attempts"] if all(made[key] == value for key, value in wanted.items())]


def ask(tmp_path: Path, capsys: Any, port: int, *more: str) -> Run:
    folder = write_settings(tmp_path / "tenant", DOMAINS)
    out = tmp_path / "probe.json"
    base = ["probe", "northwind.example", "--tenant", str(folder), "--offline", "--pause", "0", "-o", str(out)]
    code = main([*base, "--timeout", "0.5", "--endpoint", f"127.0.0.1:{port}", *more])
    printed = capsys.readouterr()
    return Run(code, json.loads(out.read_text("ascii")), printed.out + printed.err)


@dataclass
class Case:
    """What a server answers at one place, and what is to come of it."""

    answers: dict[str, bytes]
    outcome: str
    stage: str
    verdict: str = "undetermined"
    own_only: bool = True
    after: tuple[str, ...] = field(default=())


CASES = {
    "5.7.68 at MAIL": Case({"MAIL": R68}, "direct-send-refused", "mail", "closed"),
    "5.7.68 at RCPT": Case({"RCPT": R68}, "direct-send-refused", "rcpt", "closed"),
    "5.7.68, then gone": Case({"RCPT": R68}, "direct-send-refused", "rcpt", "closed", after=("RCPT",)),
    "5.7.68, QUIT unheard": Case({"RCPT": R68, "QUIT": HANG}, "direct-send-refused", "rcpt", "closed"),
    "5.7.68, many lines": Case(
        {"RCPT": b"550-5.7.68 TenantInboundAttribution;\r\n550-5.7.68 Direct\r\n550 5.7.68 Send\r\n"},
        "direct-send-refused", "rcpt", "closed",
    ),
    "5.7.68, lone LF": Case({"RCPT": b"550 5.7.68 no\n"}, "direct-send-refused", "rcpt", "closed"),
    "its words without its code": Case({"RCPT": WORDS68}, "direct-send-refused", "rcpt", "closed"),
    "5.7.51, long": Case({"RCPT": LONG51}, "partner-restriction", "rcpt", "closed", own_only=False),
    "5.7.51, short": Case(
        {"RCPT": b"550 5.7.51 TenantInboundAttribution; Rejecting\r\n"}, "partner-restriction", "rcpt", "closed",
        own_only=False,
    ),
    "5.7.64": Case({"RCPT": b"550 5.7.64 TenantAttribution; Relay Access Denied\r\n"}, "relay-denied", "rcpt"),
    "5.7.606": Case({"RCPT": b"550 5.7.606 Access denied, banned sending IP [192.0.2.1]\r\n"}, "reputation", "rcpt"),
    "banned at the greeting": Case(
        {"greeting": b"554 5.7.1 Client host [192.0.2.1] blocked using Spamhaus\r\n"}, "reputation", "greeting",
    ),
    "greylisted": Case({"RCPT": b"450 4.7.1 Please come back in 300 seconds\r\n"}, "greylisted", "rcpt"),
    "greylisted, no code": Case({"RCPT": b"450 try again later\r\n"}, "greylisted", "rcpt"),
    "busy": Case({"RCPT": b"451 4.7.500 Server busy. Please try again later. (AS77712301)\r\n"}, "greylisted", "rcpt"),
    "attribution trouble": Case(
        {"RCPT": b"451 4.3.2 Temporary server error. Please try again later ATTR55\r\n"}, "temporary", "rcpt"
    ),
    "421 at once": Case({"greeting": b"421 4.3.2 try again later\r\n"}, "temporary", "greeting", after=("greeting",)),
    "554 at once": Case({"greeting": b"554 no SMTP here\r\n"}, "other-refusal", "greeting", after=("greeting",)),
    "a refusal of ours before the envelope": Case({"greeting": R68}, "other-refusal", "greeting"),
    "no greeting": Case({"greeting": HANG}, "broken", "greeting"),
    "gone at once": Case({"greeting": CUT}, "broken", "greeting"),
    "wants TLS": Case({"MAIL": b"530 5.7.0 Must issue STARTTLS first\r\n"}, "other-refusal", "mail"),
    "EHLO unknown": Case({"EHLO": b"502 what\r\n", "RCPT": R68}, "direct-send-refused", "rcpt", "closed"),
    "an endless line": Case({"RCPT": b"550 5.7.68 " + b"x" * 100_000 + b"\r\n"}, "broken", "rcpt"),
    "endless lines": Case({"RCPT": b"550-5.7.68 x\r\n" * 10_000}, "broken", "rcpt"),
    "no number": Case({"RCPT": b"go away\r\n"}, "broken", "rcpt"),
    "a number that is none": Case({"RCPT": b"999 hello\r\n"}, "broken", "rcpt"),
    "no text": Case({"RCPT": b"550\r\n"}, "other-refusal", "rcpt"),
    "354 to RCPT": Case({"RCPT": b"354 go on\r\n"}, "broken", "rcpt"),
    "escapes": Case(
        {"RCPT": b"550 5.7.68 \x1b[2J\x07\xc2\x9b31m \xe2\x80\xae x\r\n"}, "direct-send-refused", "rcpt", "closed"
    ),
    "not ASCII": Case({"RCPT": b"550 5.7.68 refus\xe9 par la r\xe8gle\r\n"}, "direct-send-refused", "rcpt", "closed"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_answered_is_told(tmp_path: Path, capsys: Any, case: Case) -> None:
    server = Server(case.answers, own_only=case.own_only, after=case.after)
    with serving(server) as (port,):
        begun = time.monotonic()
        run = ask(tmp_path, capsys, port)
    assert time.monotonic() - begun < 20
    assert (run.own()["outcome"], run.own()["stage"]) == (case.outcome, case.stage)
    assert (run.body["verdict"], run.code) == (case.verdict, 0 if case.verdict == "closed" else 1)
    assert not any(line.upper().startswith("DATA") for line in server.heard)
    assert all(made["sent"] is False for made in run.body["attempts"])
    assert len(run.body["attempts"]) == 10
    harmless(run.said)


def harmless(said: str) -> None:
    """Nothing that a terminal would obey; nothing wider than it."""
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said)
    assert max(map(len, said.splitlines())) <= 80
    assert "Traceback" not in said


def test_who_was_asked_when_and_from_where(tmp_path: Path, capsys: Any) -> None:
    with serving(Server({"RCPT": R68})) as (port,):
        run = ask(tmp_path, capsys, port)
    made = run.own()
    assert made["remote"] == f"127.0.0.1:{port}"
    assert made["local"].startswith("127.0.0.1:")
    times = [datetime.fromisoformat(line["at"]) for line in made["transcript"]]
    begun, ended = (datetime.fromisoformat(run.body[key]) for key in ("started", "ended"))
    assert times == sorted(times)
    assert begun <= times[0] <= times[-1] <= ended
    assert made["transcript"][0]["text"] == f"connect to 127.0.0.1:{port}"
    assert {made["sender"]: made["envelope_sender"] for made in run.body["attempts"]} == {
        "accepted": "sidedoor-probe@northwind.example",
        "subdomain": "probe@sidedoor-probe.northwind.example",
        "onmicrosoft": "sidedoor-probe@northwind.onmicrosoft.com",
        "foreign": "probe@sidedoor.invalid",
        "null": "",
    }


@pytest.mark.parametrize(
    ("answer", "handshake", "outcome"),
    [
        (b"454 4.7.0 TLS not available\r\n", "well", "tls-failed"),
        (b"250 fine\r\n", "well", "tls-failed"),
        (b"220 go\r\n", "hang", "tls-failed"),
        (b"220 go\r\n", "nonsense", "tls-failed"),
        (HANG, "well", "tls-failed"),
        (b"220 go\r\n", "well", "direct-send-refused"),
    ],
)
def test_tls_that_fails_is_told_and_the_rest_is_asked(
    tmp_path: Path, capsys: Any, answer: bytes, handshake: str, outcome: str
) -> None:
    context = bad_certificate(tmp_path)
    server = Server({"STARTTLS": answer, "RCPT": R68}, tls=True, handshake=handshake, context=context)
    with serving(server) as (port,):
        run = ask(tmp_path, capsys, port)
    assert (run.code, run.body["verdict"]) == (0, "closed")
    assert run.by(sender="accepted", tls=True)[0]["outcome"] == outcome
    assert all(made["outcome"] in {outcome, "accepted", "not-asked"} for made in run.by(tls=True))
    assert {made["outcome"] for made in run.by(tls=False)} == {"direct-send-refused", "accepted"}
    if outcome == "direct-send-refused":
        (note,) = run.by(sender="accepted", tls=True)[0]["notes"]
        assert "signed by itself" in note
        assert "expired" in note
        assert "not for 127.0.0.1" in note
    harmless(run.said)


def test_nobody_silent_is_asked_twenty_times(tmp_path: Path, capsys: Any) -> None:
    tarpit, silent = Server({"greeting": HANG}), Server({"RCPT": HANG}, own_only=False)
    with serving(tarpit, silent) as (first, second):
        run = ask(tmp_path, capsys, first, "--mx", f"127.0.0.1:{second}")
    assert (tarpit.connections, silent.connections) == (1, 3)  # one of them with TLS, which was not offered
    assert len(run.by(outcome="not-asked")) == 9 + 7
    assert len(run.body["attempts"]) == 20
    assert "more not asked" in run.said


def test_mx_and_endpoint_are_asked_and_only_the_endpoint_decides(tmp_path: Path, capsys: Any) -> None:
    takes, refuses = Server(), Server({"RCPT": R68})
    with serving(takes, refuses) as (first, second):
        run = ask(tmp_path, capsys, second, "--mx", f"127.0.0.1:{first}")
        assert (run.code, run.body["verdict"]) == (0, "closed")
        assert [made["role"] for made in run.body["attempts"]] == ["mx"] * 10 + ["endpoint"] * 10
        run = ask(tmp_path, capsys, first, "--mx", f"127.0.0.1:{second}")
        assert run.body["verdict"] == "undetermined"


@dataclass
class Sent:
    """What a server does with a message, and what is to come of it."""

    answers: dict[str, bytes]
    verdict: str
    sent: bool | None
    delivered: int
    stage: str = "content"
    after: tuple[str, ...] = ()


SENT = {
    "taken": Sent({}, "open", True, 1),
    "taken, then gone": Sent({}, "open", True, 1, after=("content",)),
    "refused after DATA": Sent({"content": R68}, "closed", False, 1),
    "refused at DATA": Sent({"DATA": R68}, "closed", False, 0, stage="data"),
    "spam": Sent({"content": b"550 5.7.1 spam\r\n"}, "undetermined", False, 1),
    "busy": Sent({"content": b"451 4.7.500 busy\r\n"}, "undetermined", False, 1),
    "250 to DATA": Sent({"DATA": b"250 ok\r\n"}, "undetermined", False, 0, stage="data"),
    "no answer": Sent({"content": HANG}, "undetermined", None, 1),
    "gone instead of an answer": Sent({"content": CUT}, "undetermined", None, 1),
}


@pytest.mark.parametrize("case", SENT.values(), ids=SENT)
def test_one_message_and_what_became_of_it(tmp_path: Path, capsys: Any, case: Sent) -> None:
    server = Server(case.answers, after=case.after)
    with serving(server) as (port,):
        run = ask(tmp_path, capsys, port, "--send", "--recipient", ME)
    last = run.body["attempts"][-1]
    assert (run.body["verdict"], last["sent"], last["stage"]) == (case.verdict, case.sent, case.stage)
    assert [line.upper() for line in server.heard].count("DATA") == 1
    assert len(server.messages) == case.delivered
    assert run.code == (0 if case.verdict == "closed" else 1)
    for message in server.messages:
        assert b"\r\nSubject: Sidedoor probe " in message
        assert f"\r\nTo: {ME}\r\n".encode() in b"\r\n" + message
    harmless(run.said)


def test_nothing_is_sent_where_rcpt_has_told_already(tmp_path: Path, capsys: Any) -> None:
    server = Server({"RCPT": R68})
    with serving(server) as (port,):
        run = ask(tmp_path, capsys, port, "--send", "--recipient", ME)
    assert (run.code, server.messages) == (0, [])
    assert any("nothing was sent" in note for note in run.body["notes"])


def test_the_message_goes_the_way_that_was_open(tmp_path: Path, capsys: Any) -> None:
    context = bad_certificate(tmp_path)
    server = Server({}, tls=True, context=context)
    plain = Server({"MAIL": b"530 5.7.0 Must issue STARTTLS first\r\n"}, own_only=False)
    with serving(server, plain) as (first, second):
        run = ask(tmp_path, capsys, second, "--endpoint", f"127.0.0.1:{first}", "--send", "--recipient", ME)
    assert run.body["verdict"] == "open"
    assert (len(server.messages), plain.messages) == (1, [])


def test_a_port_that_nobody_answers_on(tmp_path: Path, capsys: Any) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:  # they fill the queue: further connections are not answered
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        run = ask(tmp_path, capsys, port)
        for each in waiting:
            each.close()
    assert (run.code, run.own()["outcome"], run.own()["stage"]) == (4, "port-blocked", "connect")
    assert "your own network" in run.said


def test_a_port_that_is_closed(tmp_path: Path, capsys: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        run = ask(tmp_path, capsys, unused.getsockname()[1])
    assert (run.code, run.own()["outcome"]) == (4, "unreachable")
    assert "firewall" in run.said


def test_a_place_that_cannot_be_written_is_told_before_anybody_is_asked(tmp_path: Path, capsys: Any) -> None:
    server = Server()
    with serving(server) as (port,):
        folder = write_settings(tmp_path / "tenant", DOMAINS)
        base = ["probe", "northwind.example", "--tenant", str(folder), "--offline", "--endpoint", f"127.0.0.1:{port}"]
        assert main([*base, "-o", str(tmp_path / "no" / "such" / "folder.json")]) == 2
    assert server.connections == 0


def test_a_refusal_in_the_name_of_a_service_that_refuses_no_connection_is_a_blocked_port() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        made = {
            host: attempt(
                Request("northwind.example", (), (), ME, "me", timeout=1),
                Target(host, port, Role.ENDPOINT, ("127.0.0.1",)),
                (SenderKind.NULL, ""),
                tls=False,
            ).outcome
            for host in ("northwind-example.mail.protection.outlook.com", "mx.filter.example")
        }
    assert list(made.values()) == [Outcome.PORT_BLOCKED, Outcome.UNREACHABLE]


def test_a_server_that_is_slow_all_the_time_is_left_in_time(tmp_path: Path, capsys: Any) -> None:
    server = Server(slow=0.2)
    with serving(server) as (port,):
        begun = time.monotonic()
        run = ask(tmp_path, capsys, port, "--timeout", "0.25")
    assert time.monotonic() - begun < 15 * 0.25 + 4 * 0.25 + 1
    assert run.by(outcome="not-asked")
