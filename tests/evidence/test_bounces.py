"""Non-delivery reports of many programs: what each tells, what is no report, and what is believed of any."""

from __future__ import annotations

import os
import re
import time
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.evidence.bounces import Bounce, Kind, is_ours, read_folder, read_mail
from sidedoor.evidence.bounces.codes import refusal_in, status_in
from sidedoor.evidence.bounces.dsn import read_status
from sidedoor.evidence.bounces.parts import MAX_MAIL, parts_of, plain_of_html, split_message
from sidedoor.evidence.bounces.report import Finding
from sidedoor.evidence.record import RejectedRow
from sidedoor.mail.fact import Unknown
from tests.evidence.message_kit import DELIVERED, INSIDE, STAMPS, TENANT, entry_line

FOLDER = Path(__file__).parents[1] / "data" / "bounces"
TRUTH: dict[str, Any] = tomllib.loads((FOLDER / "truth.toml").read_text(encoding="utf-8"))
SAID = "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization"


def found(data: bytes) -> Finding:
    """A message that can be read."""
    read = read_mail(data)
    assert isinstance(read, Finding)
    return read


def one(data: bytes) -> Bounce:
    """The only bounce of a message."""
    (bounce,) = found(data).bounces
    return bounce


def test_every_report_is_described() -> None:
    assert {path.name for path in FOLDER.glob("*.eml")} == set(TRUTH)


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("name", TRUTH)
def test_what_a_report_tells(name: str, ends: str) -> None:
    read = found((FOLDER / name).read_bytes().replace(b"\n", ends.encode()))
    truth = TRUTH[name]
    assert read.kind.value == truth["kind"]
    assert read.other_codes == truth.get("other_codes", {})
    told = [
        {key: getattr(bounce, key) for key in expected} | {"at": bounce.at.replace(microsecond=0)}  # type: ignore[union-attr]
        for bounce, expected in zip(read.bounces, truth.get("bounces", []), strict=True)
    ]
    assert told == truth.get("bounces", [])
    for bounce in read.bounces:
        assert bounce.claimed
        assert bounce.code in bounce.diagnostic
        assert re.fullmatch(r"[0-9a-f]{32}", bounce.key)


def test_line_ends_do_not_change_the_key() -> None:
    data = (FOLDER / "postfix.eml").read_bytes()
    assert one(data).key == one(data.replace(b"\n", b"\r\n")).key


def test_the_key_is_of_report_recipient_and_code() -> None:
    data = (FOLDER / "postfix.eml").read_bytes()
    assert one(data.replace(b"helpdesk@", b"HelpDesk@")).key == one(data).key
    for old, new in ((b"helpdesk@", b"other@"), (b"<20261120091241", b"<30261120091241"), (b"5.7.68", b"5.7.51")):
        assert one(data.replace(old, new)).key != one(data).key


def test_without_an_id_the_content_makes_the_key() -> None:
    data = (FOLDER / "device.eml").read_bytes()
    assert one(data).key == one(data).key
    assert one(data.replace(b"09:50:00", b"09:51:00")).key != one(data).key


def test_a_value_survives_the_store() -> None:
    bounce = one((FOLDER / "postfix.eml").read_bytes())
    assert Bounce.of_body(bounce.as_body()) == bounce
    untimed = Bounce.of_body(replace(bounce, at=Unknown("x")).as_body())
    assert isinstance(untimed.at, Unknown)


# -- who is believed ---------------------------------------------------------------------------------------------------


def through_the_door(results: str, *more: str, reporter: str = "relay.branch.contoso.example") -> bytes:
    """A report as Exchange Online delivered it, with what its checks came to."""
    lines = [
        DELIVERED,
        INSIDE,
        f"Authentication-Results: {results}",
        entry_line("relay.branch.contoso.example", "203.0.113.20"),
    ]
    stamps = [line for line in STAMPS if not line.startswith(("Return-Path", "X-Forefront"))]
    head = [*lines, *more, *stamps, "From: MAILER-DAEMON@x.example", "Subject: Undelivered", "Message-ID: <v@x>"]
    head.append('Content-Type: multipart/report; boundary="b"')
    recipient = f"Final-Recipient: rfc822; a@contoso.example\r\nDiagnostic-Code: smtp; {SAID}"
    status = f"Reporting-MTA: dns; {reporter}\r\n\r\n{recipient}"
    body = f"--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n--b--\r\n"
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


PASS = "dkim=pass (signature was verified) header.d=contoso.example;spf=none smtp.helo=x"


@pytest.mark.parametrize(
    ("results", "why"),
    [
        (PASS, "DKIM passes for contoso.example"),
        ("spf=pass (sender IP is 203.0.113.20) smtp.mailfrom=relay.branch.contoso.example; dkim=none", "SPF passes"),
        (
            "spf=fail smtp.mailfrom=x; dkim=none;dmarc=pass action=none header.from=branch.contoso.example",
            "DMARC passes",
        ),
    ],
)
def test_exchange_online_vouches_for_the_server_that_reports(results: str, why: str) -> None:
    bounce = one(through_the_door(results))
    assert not bounce.claimed
    assert bounce.vouched.startswith(why)
    assert bounce.address == "203.0.113.20"


@pytest.mark.parametrize(
    ("results", "reporter"),
    [
        ("dkim=fail header.d=contoso.example;spf=fail smtp.mailfrom=contoso.example", "relay.branch.contoso.example"),
        (PASS, "relay.evil.example"),
        (PASS, "contoso.example.evil.example"),
        (PASS, "notcontoso.example"),
        (PASS, "example"),
        (PASS, ""),
        (PASS, "[203.0.113.20]"),
        ("spf=pass smtp.mailfrom=evil.example; dkim=none", "relay.branch.contoso.example"),
    ],
)
def test_nobody_vouches_for_another(results: str, reporter: str) -> None:
    bounce = one(through_the_door(results, reporter=reporter))
    assert bounce.claimed
    assert bounce.vouched == ""


def test_a_forged_result_below_the_boundary_counts_for_nothing() -> None:
    forged = f"Authentication-Results: {PASS}"
    bounce = one(through_the_door("dkim=none header.d=none;spf=fail smtp.mailfrom=x", forged))
    assert bounce.claimed
    # ... nor does one where no line is Exchange Online's at all
    data = through_the_door(PASS)
    assert one(data[data.index(b"X-MS-") :].replace(b"From:", forged.encode() + b"\r\nFrom:", 1)).claimed


def test_an_onpremises_connector_vouches() -> None:
    stamp = (
        f"X-MS-Exchange-Organization-OriginalAttributedTenantConnectingIp: TenantId={TENANT};Ip=[203.0.113.20];Helo=[x]"
    )
    data = through_the_door("spf=none smtp.helo=x", stamp, reporter="ex01").replace(
        b"FromEntityHeader: Internet", b"FromEntityHeader: HybridOnPrem"
    )
    assert one(data).vouched == "it came by an OnPremises connector of the tenant"


def test_what_lies_in_another_message_is_claimed_whatever_it_shows() -> None:
    inner = through_the_door(PASS)
    outer = b'From: a@x\r\nTo: b@x\r\nMessage-ID: <o@x>\r\nContent-Type: multipart/mixed; boundary="o"\r\n\r\n--o\r\n'
    data = outer + b"Content-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--o--\r\n"
    bounce = one(data)
    assert bounce.claimed
    assert bounce.key == one(inner).key


# -- broken ones -------------------------------------------------------------------------------------------------------


def report(status: str, text: str = "", head: str = "") -> bytes:
    """A report with a delivery status and a text."""
    return (
        f"From: MAILER-DAEMON@x.example\nTo: a@contoso.example\nSubject: failed\nMessage-ID: <r@x>\n{head}"
        f'Content-Type: multipart/report; boundary="b"\n\n--b\nContent-Type: text/plain\n\n{text}\n--b\n'
        f"Content-Type: message/delivery-status\n\n{status}\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    "lines",
    [
        ("Reporting-MTA: dns; r.example", "Final-Recipient: rfc822; b@contoso.example",
         f"Diagnostic-Code: smtp; {SAID}"),
        ("Reporting-MTA: dns;r.example", "", "Final-Recipient: b@contoso.example", "Action: FAILED", "Status: 5.7.68",
         f"Diagnostic-Code: {SAID}"),
        ("Reporting-MTA: dns;r.example", "", "", " ", "Original-Recipient: rfc822;b@contoso.example",
         "Final-Recipient: rfc822;x@y", "Diagnostic-Code: smtp;550-5.7.68", " TenantInboundAttribution; Direct",
         " Send"),
        ("Final-Recipient: rfc822;b@contoso.example", f"Diagnostic-Code: X-Sophos; (#5.7.68) {SAID}",
         "Reporting-MTA: dns; r.example"),
    ],
)  # fmt: skip
def test_a_broken_status_is_read(lines: tuple[str, ...]) -> None:
    bounce = one(report("\n".join(lines)))
    assert (bounce.code, bounce.recipient, bounce.reporting_mta) == ("5.7.68", "b@contoso.example", "r.example")


def test_two_recipients_without_a_blank_line_are_two() -> None:
    block = "Final-Recipient: rfc822; {}@contoso.example\nAction: failed\nStatus: 5.7.68\n"
    read = found(report("Reporting-MTA: dns; r.example\n\n" + block.format("b") + block.format("c")))
    assert [bounce.recipient for bounce in read.bounces] == ["b@contoso.example", "c@contoso.example"]


def test_a_message_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    data = (FOLDER / "postfix.eml").read_bytes()
    end = data.index(b"08DE26A1C0FFEE00", data.index(b"Reporting-MTA"))
    assert one(data[:end]).recipient == "helpdesk@contoso.example"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SAID, "5.7.68"),
        ("550 5.7.51 TenantInboundAttribution; Rejecting", "5.7.51"),
        ("550-5.7.68  Tenant\n Inbound Attribution", "5.7.68"),
        ("#5.7.68 smtp; 550 5.7.68 TENANTINBOUNDATTRIBUTION", "5.7.68"),
        ("> 550 5.7.68\n> TenantInboundAttribution", "5.7.68"),
        ("5.7.680 TenantInboundAttribution", ""),
        ("15.7.68 TenantInboundAttribution", ""),
        ("5.7.68.1 TenantInboundAttribution", ""),
        ("5.7.64 TenantAttribution; Relay Access Denied", ""),
        ("550 5.7.68 something else entirely", ""),
        ("TenantInboundAttribution 5.7.68", ""),
    ],
)
def test_a_code_counts_with_the_word_behind_it(text: str, code: str) -> None:
    assert refusal_in(text) == code


def test_any_status_code_is_found() -> None:
    assert status_in("550 5.1.1 no such user") == "5.1.1"
    assert status_in("1.2.3.4 5.11111.1") == ""


# -- folders -----------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_and_unchanged_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("postfix.eml", "exim.eml", "question.eml", "unknown-user.eml"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    (tmp_path / "again.eml").write_bytes((FOLDER / "exim.eml").read_bytes())
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    (tmp_path / "saved.msg").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))
    (tmp_path / ".hidden").write_bytes((FOLDER / "gmail.eml").read_bytes())
    first = read_folder(tmp_path)
    assert len(first.bounces) == 2
    assert first.kinds == {Kind.OURS: 3, Kind.OTHER: 1, Kind.NO_REPORT: 1, Kind.REJECTED: 2}
    assert first.messages == len(first.files) == 7
    assert first.other_codes == {"5.4.1": 1, "5.1.1": 1, "5.2.2": 1}
    assert [(name, row.why[:10]) for name, row in first.rejected] == [
        ("picture.png", "no message"), ("saved.msg", "an Outlook"),
    ]  # fmt: skip
    (tmp_path / "new.eml").write_bytes((FOLDER / "gmail.eml").read_bytes())
    second = read_folder(tmp_path, first.files)
    assert [bounce.recipient for bounce in second.bounces] == ["hr@contoso.example"]
    assert second.unchanged == 7
    assert set(second.files) == {*first.files, "new.eml"}


def test_a_maildir_is_read_without_what_is_still_written(tmp_path: Path) -> None:
    for place, name in (("new", "postfix.eml"), ("cur", "exim.eml"), ("tmp", "gmail.eml")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "1763629961.M1.host").write_bytes((FOLDER / name).read_bytes())
    read = read_folder(tmp_path)
    assert {bounce.recipient for bounce in read.bounces} == {"helpdesk@contoso.example", "sales@contoso.example"}


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_mailbox_file_is_read_message_by_message(tmp_path: Path, ends: bytes) -> None:
    names = ["postfix.eml", "question.eml", "qmail.eml", "exchange-online.eml"]
    mails = [
        b"From MAILER-DAEMON Fri Nov 20 09:12:41 2026\n"
        + re.sub(rb"(?m)^(>*From )", rb">\1", (FOLDER / name).read_bytes()) + b"\n"
        for name in names
    ]  # fmt: skip
    (tmp_path / "box").write_bytes(b"".join(mails).replace(b"\n", ends))
    read = read_folder(tmp_path)
    assert read.messages == 4
    assert [bounce.key for bounce in read.bounces] == [
        one((FOLDER / name).read_bytes()).key for name in names if name != "question.eml"
    ]


def test_a_file_that_cannot_be_read_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "loop.eml").symlink_to("loop.eml")
    (tmp_path / "gone.eml").symlink_to("nowhere")
    assert read_folder(tmp_path).messages == 0
    if os.geteuid() != 0:
        (tmp_path / "mine.eml").write_bytes(b"x")
        (tmp_path / "mine.eml").chmod(0)
        read = read_folder(tmp_path)
        assert read.kinds == {Kind.REJECTED: 1}
        assert read.files == {}


def test_no_folder_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        read_folder(tmp_path / "none")


# -- hostile ones ------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        b"\n", b"\r\n", b"\n\n", b"--b\n", b"--b--\n", b"--", b"Content-Type: multipart/report; boundary=b\n",
        b'Content-Type: multipart/mixed; boundary=""\n', b"Content-Type: message/delivery-status\n\n",
        b"Content-Type: message/rfc822\n\n", b"Content-Type: text/html\n", b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: quoted-printable\n", b"From: MAILER-DAEMON@x\n", b"To: a@b\n",
        b"Return-Path: <>\n",
        b"Reporting-MTA: dns; x\n", b"Final-Recipient: rfc822; a@b\n", b"Status: 5.7.68\n", b"Action: failed\n",
        b"Diagnostic-Code: smtp; 550 5.7.68 TenantInboundAttribution\n", b"550 5.7.68 TenantInboundAttribution", b"<",
        b"<style>", b"=3D", b"=?utf-8?B?!!?=", b"Date: x\n", b"Last-Attempt-Date: 99\n", b"\0", b"\xff\xfe", b"5.7.51 ",
        b"Received: from x by y.mail.protection.outlook.com with Microsoft SMTP Server; x\n", b"rcpt to:<",
        b"host x [1.2.3.4]",
        b"2026-99-99T99:99:99Z", b"X-Postfix-Sender: rfc822; \n", b"X-Failed-Recipients: a@b, c@d\n",
    ]
)  # fmt: skip
HOSTILE = st.lists(PIECES | st.binary(max_size=30), max_size=40).map(b"".join)


@given(HOSTILE)
def test_whatever_comes_is_a_finding_or_a_rejected_row(data: bytes) -> None:
    read = read_mail(data)
    assert isinstance(read, Finding | RejectedRow)
    if isinstance(read, Finding):
        assert (read.kind is Kind.OURS) == bool(read.bounces)
        assert is_ours(data) is bool(read.bounces)
        for bounce in read.bounces:
            assert bounce.code in {"5.7.68", "5.7.51"}
            assert len(bounce.diagnostic) <= 1_000
            assert max(map(len, (bounce.recipient, bounce.envelope_sender, bounce.reporting_mta))) <= 320
            assert isinstance(bounce.at, Unknown | datetime)


@given(HOSTILE, HOSTILE)
def test_the_head_of_a_report_does_not_matter(head: bytes, body: bytes) -> None:
    read = read_mail(b"From: MAILER-DAEMON@x\n" + head + b"\n\n" + body)
    assert isinstance(read, Finding | RejectedRow)


@given(st.binary(max_size=300))
def test_a_status_of_anything_is_a_status_or_none(data: bytes) -> None:
    read = read_status(data)
    assert read is None or len(read.recipients) <= 500


@given(st.text(st.sampled_from("<>abps/ty l!-")) | st.text())
def test_html_becomes_text_without_tags(text: str) -> None:
    plain_of_html(text)
    assert "<b>" not in plain_of_html(f"<b>{text}</b>".replace("&", ""))


BOMBS = {
    "nested": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(20_000)),
    "parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 200_000,
    "tags": b"Content-Type: text/html\nReturn-Path: <>\n\n" + b"<" * MAX_MAIL,
    "styles": b"Content-Type: text/html\nReturn-Path: <>\n\n" + b"<style>" * 300_000,
    "refusals": b"Return-Path: <>\n\n" + b"5.7.68 TenantInboundAttribution " * 60_000,
    "almost": b"Return-Path: <>\n\n" + (b"5.7.68" + b" " * 39) * 40_000,
    "addresses": b"Return-Path: <>\n\n" + b"a@" * 900_000,
    "blanks": b"Return-Path: <>\n\n" + b" \n" * 1_000_000,
    "one field": b"Return-Path: <>\nSubject: " + b"a " * 500_000 + b"\n\nx",
    "fields": b"Return-Path: <>\n" + b"a: b\n" * 4_000 + b"\nx",
    "status": report("Final-Recipient: rfc822; a@b\nStatus: 5.7.68\n\n" * 40_000),
    "wide status": report("Final-Recipient: rfc822; a@b\nDiagnostic-Code: " + " (" * 500_000),
    "base64": b"Content-Transfer-Encoding: base64\nReturn-Path: <>\n\n" + b"A" * MAX_MAIL,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_no_time(bomb: str) -> None:
    begun = time.process_time()
    read_mail(BOMBS[bomb])
    assert time.process_time() - begun < 2.0


def test_a_message_is_looked_at_up_to_a_limit() -> None:
    data = report("x: y", "a" * (MAX_MAIL + 10)) + SAID.encode()
    assert found(data).kind is Kind.OTHER


def test_parts_are_bounded_and_decoded() -> None:
    fields, body = split_message(BOMBS["parts"])
    assert len(list(parts_of(fields, body))) <= 61
    fields, body = split_message(b"Content-Transfer-Encoding: base64\n\naGVs bG8=\n")
    assert [part.data for part in parts_of(fields, body)] == [b"hello"]


def test_times_are_utc() -> None:
    bounce = one((FOLDER / "device.eml").read_bytes())
    assert bounce.at == datetime(2026, 11, 20, 8, 50, tzinfo=UTC)
