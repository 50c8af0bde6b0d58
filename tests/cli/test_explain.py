"""`sidedoor explain`: the answer for each kind of message, and what hostile ones come to."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.cli.main import main

DATA = Path(__file__).parent.parent / "data" / "explain"
TENANT = DATA / "tenant"
ENTRY = (
    "Received: from {helo} ({ip}) by AM0EUR00FT001.mail.protection.outlook.com (10.0.0.66) with Microsoft SMTP Server "
    "id 15.20.9999.10 via Frontend Transport; Tue, 3 Nov 2026 08:15:27 +0000"
)


def message(*more: str, helo: str = "MFP-HQ3", ip: str = "203.0.113.10", **fields: str | None) -> bytes:
    """A Direct Send message without label; fields by keyword replace or (None) remove, `more` stand at the end."""
    plain: dict[str, str | None] = {
        "Authentication-Results": (
            "spf=fail (sender IP is 203.0.113.10) smtp.mailfrom=contoso.com; dkim=none (message not signed) "
            "header.d=none;dmarc=fail action=none header.from=contoso.com;compauth=fail reason=601"
        ),
        "Received": ENTRY.format(helo=helo, ip=ip).removeprefix("Received: "),
        "From": "Scanner <scan@contoso.com>",
        "To": "helpdesk@contoso.com",
        "Message-ID": "<1@MFP-HQ3>",
        "Return-Path": "scan@contoso.com",
        "X-MS-Exchange-Organization-AuthAs": "Anonymous",
        "X-MS-Exchange-Organization-MessageDirectionality": "Incoming",
        "X-MS-Exchange-CrossTenant-FromEntityHeader": "Internet",
    }
    plain |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in plain.items() if value is not None]
    return "\r\n".join([*lines, *more, "", "body", ""]).encode()


def explained(tmp_path: Path, capsys: Any, data: bytes, *options: str) -> dict[str, Any]:
    """The JSON of the first message."""
    file = tmp_path / "message.eml"
    file.write_bytes(data)
    assert main(["explain", str(file), "--json", *options]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["schema"] == "sidedoor/explain/1"
    answer: dict[str, Any] = told["messages"][0]
    return answer


LABEL = "X-MS-Exchange-Organization-IsAnonymousDirectSend: True"
ATTRIBUTED = (
    "X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp: "
    "TenantId=0c0ffee0-1111-4222-8333-444455556666;Ip=[203.0.113.10];Helo=[MFP-HQ3]"
)
CASES: dict[str, tuple[bytes, str, str, bool | None]] = {
    "labelled by the service": (message(LABEL), "direct-send", "certain", True),
    "no label": (message(), "direct-send", "likely", True),
    "a hybrid connector": (
        message(ATTRIBUTED, X_MS_Exchange_CrossTenant_FromEntityHeader="HybridOnPrem"), "other", "likely", False,
    ),
    "a login": (
        message(
            X_MS_Exchange_Organization_AuthAs="Internal", X_MS_Exchange_CrossTenant_FromEntityHeader="Hosted",
            X_MS_Exchange_Organization_MessageDirectionality="Originating",
        ), "other", "likely", False,
    ),
    "AuthAs Anonymous alone proves nothing": (
        message(
            X_MS_Exchange_Organization_MessageDirectionality=None, X_MS_Exchange_CrossTenant_FromEntityHeader=None,
        ), "cannot-tell", "open", None,
    ),
    "601 with a foreign envelope sender, as lists have it": (
        message(
            Return_Path="list-bounces@lists.example",
            Authentication_Results="spf=pass smtp.mailfrom=lists.example; dkim=fail header.d=contoso.com;dmarc=fail "
            "action=none header.from=contoso.com;compauth=fail reason=601",
        ), "cannot-tell", "open", None,
    ),
    "no word on whose domain it is": (
        message(Authentication_Results="spf=none smtp.mailfrom=contoso.com; compauth=pass reason=100"),
        "cannot-tell", "open", None,
    ),
    "no line of Microsoft's": (
        message(LABEL, Received="from a.example (192.0.2.1) by b.example with SMTP; Tue, 3 Nov 2026 08:15:27 +0000"),
        "direct-send", "claimed", True,
    ),
    "a null envelope sender": (message(Return_Path="<>"), "other", "likely", False),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_answers_without_a_tenant(tmp_path: Path, capsys: Any, case: tuple[bytes, str, str, bool | None]) -> None:
    data, *expected = case
    told = explained(tmp_path, capsys, data)
    assert [told["answer"], told["sureness"], told["would_reject"]] == expected, told


@pytest.mark.parametrize(
    ("name", "answer", "refused", "submission"),
    [
        ("10_printer.crlf.eml", "direct-send", True, "direct-send"),
        ("10_headers_pasted_from_outlook.lf.txt", "direct-send", True, "direct-send"),
        ("10_spoof.crlf.eml", "direct-send", True, "direct-send"),
        ("10_esp.crlf.eml", "other", False, "undetermined"),
        ("10_gateway_connector_arc.crlf.eml", "other", False, "partner-connector"),
    ],
)
def test_answers_with_a_tenant(capsys: Any, name: str, answer: str, refused: bool, submission: str) -> None:
    assert main(["explain", str(DATA / name), "--json", "--tenant", str(TENANT)]) == 0
    told = json.loads(capsys.readouterr().out)["messages"][0]
    assert (told["answer"], told["would_reject"], told["submission"]) == (answer, refused, submission)
    assert told["boundary_line"] is not None
    assert told["facts"]["envelope_sender"]["sureness"] == "certain"


def test_the_list_is_settled_by_the_tenant(tmp_path: Path, capsys: Any) -> None:
    told = explained(
        tmp_path, capsys, CASES["601 with a foreign envelope sender, as lists have it"][0], "--tenant", str(TENANT)
    )
    assert (told["answer"], told["sureness"], told["would_reject"]) == ("other", "certain", False)


def test_what_a_sender_forged_is_not_believed(tmp_path: Path, capsys: Any) -> None:
    below = (
        ENTRY.format(helo="mail.contoso.com", ip="198.51.100.77"),
        "Authentication-Results: spf=pass smtp.mailfrom=contoso.com; dkim=pass header.d=contoso.com;compauth=pass",
    )
    told = explained(tmp_path, capsys, message(*below))
    assert told["facts"]["client_ip"]["value"] == "203.0.113.10"
    assert told["facts"]["helo"]["value"] == "MFP-HQ3"
    assert {result["method"]: result["result"] for result in told["authentication"]}["spf"] == "fail"
    assert told["notes"]


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("10_*")))
def test_one_message_is_one_screen_of_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: Any, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["explain", str(DATA / name), "--message", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 80
    assert "RejectDirectSend" in "\n".join(lines[:6])


def test_hostile_text_does_not_reach_the_terminal(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "x.eml"
    file.write_bytes(
        message(helo="\x1b[2Jx", From="=?utf-8?q?=1B[31m=E2=80=AE?= <a@contoso.com>", X_Mailer="\x07" * 50)
    )
    assert main(["explain", str(file)]) == 0
    shown = capsys.readouterr().out
    assert not {"\x1b", "\u202e", "\x07"} & set(shown)


ZONE = """$ORIGIN contoso.com.
$TTL 300
@ IN SOA ns hostmaster 1 2 3 4 5
@ IN NS ns
ns IN A 192.0.2.53
@ IN TXT "v=spf1 ip4:203.0.113.0/24 -all"
_dmarc IN TXT "v=DMARC1; p=reject"
"""


def test_verified_again_today(tmp_path: Path, capsys: Any) -> None:
    zone = tmp_path / "contoso.zone"
    zone.write_text(ZONE, encoding="ascii")
    told = explained(tmp_path, capsys, message(), "--dns", str(zone))
    assert told["verified"]["spf"]["result"] == "pass"
    assert told["verified"]["dmarc"] == {
        "result": "pass", "reason": "SPF passes in the name of contoso.com", "policy": "reject",
    }  # fmt: skip
    assert (told["verified"]["dkim"], told["verified"]["arc"]["result"]) == ([], "none")
    file = str(DATA / "10_gateway_connector_arc.crlf.eml")
    assert main(["explain", file, "--verify", "--dns", str(zone)]) == 0
    shown = capsys.readouterr().out
    assert "Checked again now" in shown
    assert "ARC    fail" in shown
    assert main(["explain", str(DATA / "10_two_messages.mboxrd"), "--dns", str(zone)]) == 2


def test_a_mailbox_is_explained_message_by_message(capsys: Any) -> None:
    file = str(DATA / "10_two_messages.mboxrd")
    assert main(["explain", file]) == 0
    shown = capsys.readouterr().out
    assert "Message 1 of 2" in shown
    assert "Message 2 of 2" in shown
    assert main(["explain", file, "--message", "2", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["messages"]
    assert told["facts"]["envelope_sender"]["value"] == "alice@contoso.com"
    assert main(["explain", file, "--message", "3"]) == 2


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    class Stdin:
        buffer = io.BytesIO(message(LABEL))

    monkeypatch.setattr("sys.stdin", Stdin())
    assert main(["explain", "-"]) == 0
    assert "This was Direct Send." in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b'{"a": 1}', b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 no .msg"])
def test_what_is_no_message(tmp_path: Path, capsys: Any, data: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(data)
    assert main(["explain", str(file)]) == 3
    told = capsys.readouterr().err
    assert str(file) in told
    assert "Traceback" not in told
    assert main(["explain", str(tmp_path / "gone.eml")]) == 3


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["Received", "From", "To", "Return-Path", "Authentication-Results", "X-Forefront-Antispam-Report",
                 "X-MS-Exchange-Organization-AuthAs", "X-MS-Exchange-CrossTenant-FromEntityHeader", "X-Mailer",
                 "X-MS-Exchange-Organization-IsAnonymousDirectSend", "DKIM-Signature", "Message-ID", "Date"]
            ),
            st.one_of(
                st.text(max_size=60),
                st.sampled_from(["True", "Anonymous", "Internet", "HybridOnPrem", "<>", ENTRY[10:], "a@contoso.com"]),
            ),
        ),
        max_size=12,
    ),
    st.binary(max_size=40),
)  # fmt: skip
def test_any_header_gives_an_answer_or_a_clear_error(
    tmp_path: Path, capsys: Any, fields: list[tuple[str, str]], tail: bytes
) -> None:
    file = tmp_path / "any.eml"
    file.write_bytes(message() + tail)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields).encode("utf-8", "surrogatepass")
    file.write_bytes(lines + message() + tail)
    assert main(["explain", str(file), "--json"]) in {0, 3}
    assert main(["explain", str(file)]) in {0, 3}
    assert "Traceback" not in capsys.readouterr().err


ENTRY_OF_ONES_OWN = """
id = "acme-mfp"
name = "ACME copier"
vendor = "ACME"
kind = "printer"
written = 2026-11-24

[recognise]
x_mailer = ["ACME MFP *"]

[[sources]]
of = ["recognise"]
title = "our own devices"
date = 2026-11-24
verified = true
"""


def test_a_catalogue_of_ones_own(tmp_path: Path, capsys: Any) -> None:
    own = tmp_path / "own.toml"
    own.write_text(ENTRY_OF_ONES_OWN, encoding="utf-8")
    printer = str(DATA / "10_printer.crlf.eml")
    assert main(["explain", printer, "--catalogue", str(own)]) == 0
    assert "ACME copier, as its X-Mailer" in capsys.readouterr().out
    out = str(tmp_path / "out")
    assert main(["audit", printer, str(TENANT), "--offline", "-q", "-o", out, "--catalogue", str(own)]) == 0
    (sender,) = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["senders"]
    assert "ACME copier" in "".join(reason["text"] for reason in sender["reasons"])
    own.write_text(ENTRY_OF_ONES_OWN + "colour = 'blue'\n", encoding="utf-8")
    assert main(["explain", printer, "--catalogue", str(own)]) == 3
    assert "own.toml" in capsys.readouterr().err
