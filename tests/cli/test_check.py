"""`sidedoor check`: questions in, answers out, in order, errors included."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.cli.check import run_batch
from sidedoor.cli.main import main
from sidedoor.cli.question import MAX_LINE, QuestionError, load_line, parse_question
from sidedoor.policy.decision import Decision
from sidedoor.policy.rule import Rule
from tests.policy.scenario import snapshot

TENANT = Path(__file__).parent.parent / "data" / "policy" / "tenant"
CLOSED = Rule(
    snapshot({
        "accepted": ["contoso.com"],
        "reject_direct_send": True,
        "mx": {"contoso.com": "exchange-online"},
        "connectors": [{"name": "Hybrid", "kind": "OnPremises", "certificate": "mail.contoso.com"}],
    })
)  # fmt: skip
GOOD = {"id": 1, "client_ip": "192.0.2.7", "mail_from": "a@contoso.com", "rcpt_to": ["b@contoso.com"]}


def same(decision: Decision) -> Decision:
    """No assumption."""
    return decision


def batch(*lines: bytes | dict[str, Any], **options: bool) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and answers of a batch."""
    joined = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    out = io.StringIO()
    code = run_batch(CLOSED, same, io.BytesIO(joined), out, **options)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def test_one_line_has_the_keys_of_the_contract() -> None:
    code, [told] = batch(GOOD)
    assert code == 0
    assert list(told) == ["id", "verdict", "reply", "submission", "connector", "step", "certainty", "reasons"]
    assert told["reply"] == {
        "code": 550,
        "enhanced": "5.7.68",
        "text": "TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources",
    }
    assert (told["id"], told["verdict"], told["submission"]) == (1, "reject", "direct-send")
    assert (told["step"], told["connector"], told["certainty"]) == ("reject-direct-send", None, "documented")


def test_recipients_are_decided_one_by_one() -> None:
    code, [told] = batch(GOOD | {"rcpt_to": ["b@contoso.com", "c@shop.example"]})
    assert code == 0
    first, second = told.pop("recipients")
    assert first == {"rcpt_to": "b@contoso.com", **{key: value for key, value in told.items() if key != "id"}}
    assert (second["rcpt_to"], second["reply"]["enhanced"]) == ("c@shop.example", "5.7.64")


def test_every_fact_reaches_the_rule() -> None:
    certificate = {"version": "TLS1.3", "client_certificate": {"subject_cn": None, "dns_names": ["mail.contoso.com"]}}
    _, told = batch(
        GOOD | {"tls": certificate},
        GOOD | {"authenticated_as": "a@contoso.com"},
        GOOD | {"mail_from": "<>", "helo": "mx", "header_from": "A <a@contoso.com>"},
        GOOD | {"mail_from": "", "tls": {"version": "TLS1.2"}},
    )
    assert [each["submission"] for each in told] == ["onpremises-connector", "authenticated", "internet", "internet"]
    assert told[0]["connector"] == "Hybrid"


WRONG: list[bytes | dict[str, Any]] = [
    b"{",
    b"[]",
    b"7",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"id": ' + b"9" * 5000 + b"}",
    {},
    {key: value for key, value in GOOD.items() if key != "client_ip"},
    {key: value for key, value in GOOD.items() if key != "mail_from"},
    {key: value for key, value in GOOD.items() if key != "rcpt_to"},
    GOOD | {"client_ip": None},
    GOOD | {"client_ip": "999.1.1.1"},
    GOOD | {"client_ip": 7},
    GOOD | {"mail_from": None},
    GOOD | {"mail_from": "nobody"},
    GOOD | {"mail_from": ["a@contoso.com"]},
    GOOD | {"rcpt_to": []},
    GOOD | {"rcpt_to": "b@contoso.com"},
    GOOD | {"rcpt_to": [None]},
    GOOD | {"rcpt_to": ["b@contoso.com", "c"]},
    GOOD | {"tls": True},
    GOOD | {"tls": {"version": 1.3}},
    GOOD | {"tls": {"client_certificate": "mail.contoso.com"}},
    GOOD | {"tls": {"client_certificate": {"subject_cn": 1}}},
    GOOD | {"tls": {"client_certificate": {"dns_names": "mail.contoso.com"}}},
    GOOD | {"authenticated_as": ""},
    GOOD | {"helo": 1},
    GOOD | {"header_from": "nobody@"},
    GOOD | {"id": {}},
    b'{"id": 1, "x": "' + b"y" * MAX_LINE + b'"}',
]


@pytest.mark.parametrize("wrong", WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_a_wrong_line_is_an_error_and_the_others_still_come(wrong: bytes | dict[str, Any]) -> None:
    code, told = batch(GOOD, wrong, GOOD | {"id": "last"})
    assert code == 3
    assert [each["id"] for each in told][::2] == [1, "last"]
    assert set(told[1]) == {"id", "error"}
    assert told[1]["error"].startswith("line 2: ")
    assert len(told[1]["error"]) < 500


def test_empty_lines_and_a_byte_order_mark_are_passed_over() -> None:
    code, told = batch(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r", b"", b"  ", GOOD)
    assert (code, len(told)) == (0, 2)
    assert batch(b"") == (0, [])


def test_require_accept() -> None:
    foreign = GOOD | {"mail_from": "a@shop.example"}
    assert batch(foreign, require_accept=True)[0] == 0
    assert batch(foreign, GOOD, require_accept=True)[0] == 1
    assert batch(foreign | {"rcpt_to": ["b@contoso.com", "c@shop.example"]}, require_accept=True)[0] == 1
    assert batch(GOOD, b"{", require_accept=True)[0] == 3
    assert batch(b"{", GOOD, require_accept=True)[0] == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([*GOOD, "tls", "helo", "authenticated_as", "header_from"]), JSON))
def test_any_object_is_a_question_or_our_error(value: dict[str, Any]) -> None:
    for candidate in (value, GOOD | value):
        with suppress(QuestionError):
            assert parse_question(candidate).recipients


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_line_is_an_object_or_our_error(line: bytes) -> None:
    with suppress(QuestionError):
        assert isinstance(load_line(line), dict)


ASK = ["check", "--tenant", str(TENANT), "--from", "scan@contoso.com", "--to", "a@contoso.com"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: exit code, output, errors."""

    def _run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return _run


def test_a_person_gets_words(run: Run) -> None:
    code, out, _ = run(*ASK, "--ip", "203.0.113.10")
    assert code == 0
    assert out.startswith("reject: 550 5.7.51 TenantInboundAttribution;")
    assert "submission  direct-send" in out
    assert "connector   Inbound from Hygiene" in out
    assert "decided by  partner-connector" in out
    assert "restricts these envelope senders to addresses" in out


def test_several_recipients_in_words(run: Run) -> None:
    code, out, _ = run(*ASK, "--to", "b@shop.example", "--ip", "203.0.113.10", "--require-accept")
    assert code == 1
    assert "to a@contoso.com\n" in out
    assert "to b@shop.example\nreject: 550 5.7.64" in out


@pytest.mark.parametrize(
    ("arguments", "submission"),
    [
        (["--ip", "198.51.100.77", "--tls", "TLS1.2"], "partner-connector"),
        (["--ip", "192.0.2.1", "--tls-cert-name", "mail.contoso.com"], "onpremises-connector"),
        (["--ip", "192.0.2.1", "--auth", "scan@contoso.com", "--helo", "x"], "authenticated"),
        (["--ip", "192.0.2.1", "--header-from", "x@contoso.com"], "direct-send"),
    ],
)
def test_options_reach_the_rule(run: Run, arguments: list[str], submission: str) -> None:
    code, out, _ = run(*ASK, *arguments, "--json")
    assert code == 0
    assert json.loads(out)["submission"] == submission


def test_closing_the_door_is_an_assumption(run: Run) -> None:
    ask = [*ASK, "--ip", "192.0.2.1", "--json", "--switch", "reject-direct-send-order=before-partner"]
    told = json.loads(run(*ask, "--assume-reject-direct-send", "on")[1])
    assert told["reply"]["enhanced"] == "5.7.68"
    assert told["certainty"] == "assumed"
    assert "reject-direct-send-assumed" in told["reasons"]
    assert json.loads(run(*ask)[1])["reply"]["enhanced"] == "5.7.51"


@pytest.mark.parametrize(
    ("mx", "submission", "certainty"),
    [
        ((), "internet", "assumed"),
        (("--mx", "exchange-online"), "internet", "documented"),
        (("--mx", "elsewhere"), "sent-directly", "documented"),
        (("--mx", "unknown"), "undetermined", "documented"),
    ],
)
def test_where_the_mx_leads_is_assumed_unless_said(
    run: Run, tmp_path: Path, mx: tuple[str, ...], submission: str, certainty: str
) -> None:
    (tmp_path / "domains.json").write_text('[{"DomainName": "fabrikam.example", "DomainType": "Authoritative"}]')
    (tmp_path / "organization.json").write_text('{"Name": "fabrikam", "RejectDirectSend": true}')
    (tmp_path / "InboundConnector.json").write_text("[]")
    question = ["--from", "a@stranger.example", "--to", "b@fabrikam.example", "--ip", "192.0.2.9", "--json"]
    told = json.loads(run("check", "--tenant", str(tmp_path), *question, *mx)[1])
    assert (told["submission"], told["verdict"]) == (submission, "accept")
    assert told["certainty"] == certainty
    assert ("mx-assumed" in told["reasons"]) == (not mx)


def test_batch_from_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ask.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{{\n", encoding="utf-8")
    code, out, _ = run("check", "--tenant", str(TENANT), "--batch", str(path))
    assert code == 3
    assert [("error" in json.loads(line)) for line in out.splitlines()] == [False, True]


def test_a_folder_without_settings_is_no_tenant(run: Run, tmp_path: Path) -> None:
    code, out, err = run("check", "--tenant", str(tmp_path), *ASK[3:], "--ip", "192.0.2.1")
    assert (code, out) == (3, "")
    assert "no settings of a tenant" in err


def test_what_the_export_could_not_have_is_a_warning(run: Run, tmp_path: Path) -> None:
    connectors = json.loads((TENANT / "InboundConnector.json").read_text(encoding="utf-8"))
    connectors[0]["SenderIPAddresses"].append("2001:db8::/64")
    (tmp_path / "connectors.json").write_text(json.dumps(connectors), encoding="utf-8")
    code, out, err = run("check", "--tenant", str(tmp_path), *ASK[3:], "--ip", "192.0.2.1", "--json")
    assert code == 0
    assert "warning: " in err
    assert json.loads(out)["submission"] == "undetermined"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (ASK, 2, "--ip"),
        ([*ASK, "--batch", "x"], 2, "--batch takes"),
        ([*ASK, "--ip", "no"], 2, "client_ip"),
        ([*ASK, "--ip", "192.0.2.1", "--switch", "nonsense"], 2, "no switch"),
        ([*ASK, "--ip", "192.0.2.1", "--switch", "subdomains=x"], 2, "honoured"),
        (["check", "--tenant", str(TENANT), "--batch", "no-such.jsonl"], 3, "no-such.jsonl"),
        (["check", "--tenant", "no-such-tenant", "--batch", "-"], 3, "no-such-tenant"),
    ],
)
def test_wrong_questions(run: Run, arguments: list[str], code: int, told: str) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert told in err
    assert "Traceback" not in err


def test_batch_from_standard_input_answers_line_by_line() -> None:
    command = [sys.executable, "-m", "sidedoor.cli.main", "check", "--tenant", str(TENANT), "--batch", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for identity in (1, 2):
            process.stdin.write(json.dumps(GOOD | {"id": identity}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == identity
        process.stdin.close()
    assert process.returncode == 0
