"""The generator itself: deterministic, consistent between formats, and careful with folders that are not its own."""

from __future__ import annotations

import csv
import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli import demo
from sidedoor.cli.main import main
from sidedoor.demo.make import make
from sidedoor.demo.message import Message
from sidedoor.demo.traffic import Plan, messages
from sidedoor.errors import UsageError
from sidedoor.policy.decision import Submission
from sidedoor.report.words import SUBMISSION

END = datetime(2026, 11, 20, tzinfo=UTC)
PLAN = Plan("contoso.com", 3000, 60, 1, END)
# RFC 5737, RFC 3849, RFC 2544: nobody's addresses.
INVENTED = [ip_network(text) for text in (
    "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "198.18.0.0/15")]  # fmt: skip


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generator") / "tenant"
    make(folder, PLAN)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table(path: Path, encoding: str) -> Sequence[dict[str, str]]:
    """The rows that were not broken on purpose; those have keys of their own."""
    with path.open(encoding=encoding, newline="") as file:
        return [
            row for row in csv.DictReader(file) if not any(cell and cell.startswith("bad0") for cell in row.values())
        ]


def test_the_same_plan_gives_the_same_bytes(tenant: Path, tmp_path: Path) -> None:
    make(tmp_path / "again", PLAN)
    assert contents(tmp_path / "again") == contents(tenant)


@pytest.mark.parametrize("other", [
    Plan("contoso.com", 3000, 60, 2, END), Plan("fabrikam.example", 3000, 60, 1, END),
])  # fmt: skip
def test_another_plan_gives_another_history(tenant: Path, tmp_path: Path, other: Plan) -> None:
    make(tmp_path / "other", other)
    name = "MessageTraceV2.csv"
    assert (tmp_path / "other" / name).read_bytes() != (tenant / name).read_bytes()


@pytest.mark.parametrize("rows", [1000, 3001, 7777])
@pytest.mark.parametrize("days", [35, 90])
def test_as_many_messages_as_asked_for_newest_first(rows: int, days: int) -> None:
    history = list(messages(Plan("contoso.com", rows, days, 3, END)))
    assert len(history) == rows == len({(message.key, message.recipient) for message in history})
    assert all(one.received_at >= other.received_at for one, other in pairwise(history))
    assert history[-1].received_at > END - timedelta(days=days)
    assert history[0].received_at < END


def test_some_messages_have_two_recipients_and_say_the_same_to_both() -> None:
    told: dict[str, list[Message]] = {}
    for message in messages(PLAN):
        told.setdefault(message.key, []).append(message)
    several = [copies for copies in told.values() if len(copies) > 1]
    assert len(several) > PLAN.rows / 50
    for one, other in several:
        assert one.recipient != other.recipient
        assert replace(one, recipient="") == replace(other, recipient="")
        assert one.envelope_sender != "<>"


def test_self_addressed_lures_stay_so() -> None:
    lures = [message for message in messages(PLAN) if message.sender == "lure-self"]
    assert lures
    assert all(message.recipient == message.header_from for message in lures)


def test_addresses_are_nobodys() -> None:
    used = {message.client_ip for message in messages(PLAN)} - {""}
    assert {ip for ip in used if not any(ip_address(ip) in network for network in INVENTED)} == set()


def test_formats_agree_on_every_message(tenant: Path) -> None:
    truth: dict[tuple[str, str], Message] = {(message.key, message.recipient): message for message in messages(PLAN)}
    rows = table(tenant / "MessageTraceV2.csv", "utf-8")
    trace = {(row["MessageTraceId"], row["RecipientAddress"]): row for row in rows}
    assert truth.keys() == trace.keys()
    for row in table(tenant / "EmailEvents_last_30_days.csv", "utf-8-sig"):
        key = row["NetworkMessageId"], row["RecipientEmailAddress"]
        message, shown = truth[key], trace[key]
        ip = row["SenderIPv4"] or row["SenderIPv6"]
        seen = row["SenderFromAddress"], row["RecipientEmailAddress"], ip, row["Subject"]
        assert seen == (shown["SenderAddress"], shown["RecipientAddress"], shown["FromIP"], shown["Subject"])
        assert (row["SenderMailFromAddress"] or "<>") == message.envelope_sender
        assert message.received_at >= END - timedelta(days=30)
    extended = [row for row in table(tenant / "historical_extended.csv", "utf-16-le") if row["event_id"] == "RECEIVE"]
    assert len(extended) > 100
    for row in extended:
        message = truth[row["network_message_id"], row["recipient_address"]]
        told = row["return_path"], row["sender_address"], row["original_client_ip"], row["client_hostname"]
        assert told == (message.envelope_sender, message.header_from, message.client_ip, message.helo)


def test_exports_have_the_bytes_of_their_kind(tenant: Path) -> None:
    starts = {
        "EmailEvents_last_30_days.csv": b"\xef\xbb\xbfT",
        "historical_extended.csv": b"d\0a\0",
        "ConnectorReport_NoConnector.csv": b'"\0o\0',
        "historical_enhanced.csv": b"\xff\xfeo\0",
        "MessageTraceV2.csv": b'"Mes',
    }
    assert {name: (tenant / name).read_bytes()[:4] for name in starts} == starts
    text = (tenant / "MessageTraceV2.csv").read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n")


def test_a_days_number_above_twelve_proves_the_order_of_dates(tenant: Path) -> None:
    dates = [row["Received"].split("/") for row in table(tenant / "MessageTraceV2.csv", "utf-8")]
    assert max(int(month) for month, _, _ in dates) <= 12 < max(int(day) for _, day, _ in dates)


def test_rows_at_the_borders_of_pages_stand_twice(tmp_path: Path) -> None:
    make(tmp_path / "tenant", Plan("contoso.com", 10_100, 60, 1, END))
    keys = [
        (row["MessageTraceId"], row["RecipientAddress"])
        for row in table(tmp_path / "tenant" / "MessageTraceV2.csv", "utf-8")
    ]
    assert sum(1 for one, other in pairwise(keys) if one == other) == 2


def test_truth_adds_up(tenant: Path) -> None:
    truth = json.loads((tenant / "truth.json").read_text(encoding="utf-8"))
    rows = table(tenant / "truth_messages.csv", "utf-8")
    assert len(rows) == truth["messages"] == sum(truth["submissions"].values()) == PLAN.rows
    assert sum(row["refused_when_closed"] == "true" for row in rows) == truth["would_reject"]
    counts = Counter(row["true_sender"] for row in rows)
    assert {each["key"]: each["messages"] for each in truth["senders"]}.items() <= counts.items()


def test_the_readme_shows_this_demo() -> None:
    """The sample in README.md is of `make demo`: by whatever way mail came in, it is as many messages."""
    defaults: dict[str | None, Any] = {option.name: option.default for option in demo.demo_command.params}
    plan = Plan(defaults["domain"], defaults["rows"], defaults["days"], defaults["seed"], demo.END)
    counts = Counter(message.submission for message in messages(plan))
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    sample = readme.partition("How 100,000 messages came in")[2].partition("Senders:")[0]
    shown = {words.strip(): int(n.replace(",", "")) for n, words in re.findall(r"([\d,]+)  (\S+(?: \S+)*)", sample)}
    assert shown == {SUBMISSION[Submission(name)][0]: count for name, count in counts.items()}


def test_memory_does_not_grow_with_the_history() -> None:
    tracemalloc.start()
    try:
        assert sum(1 for _ in messages(Plan("contoso.com", 20_000, 60, 1, END))) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000  # 20,000 messages at once are some 20 MB


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not made by"):
        make(tmp_path, PLAN)
    assert contents(tmp_path) == {"letter.txt": b"mine"}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is a file"):
        make(path, PLAN)


def test_an_earlier_demo_is_replaced_whole(tmp_path: Path) -> None:
    make(tmp_path / "one", Plan("fabrikam.example", 20_000, 40, 5, END))
    make(tmp_path / "one", PLAN)
    make(tmp_path / "fresh", PLAN)
    assert contents(tmp_path / "one") == contents(tmp_path / "fresh")


@pytest.mark.parametrize("domain", ["no domain", "tickets.example", "sub.attacker.example", "-"])
def test_domains_that_cannot_be_the_tenants(tmp_path: Path, domain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", str(tmp_path / "tenant"), "--domain", domain]) == 2
    assert "--domain" in capsys.readouterr().err
    assert not (tmp_path / "tenant").exists()


def test_a_long_international_domain(tmp_path: Path) -> None:
    assert main(["demo", str(tmp_path / "tenant"), "--rows", "1000", "--domain", f"bücher{'x' * 50}.example"]) == 0
    assert list((tmp_path / "tenant" / "zones").glob("xn--*.example.zone"))
