"""The rule's data: replies, reasons and switches, and the page that explains them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import sidedoor.policy
from sidedoor.mail.reply import Reply, parse_reply
from sidedoor.policy.reasons import REASONS, explain
from sidedoor.policy.replies import REPLIES, recognise
from sidedoor.policy.switches import DEFAULT_SWITCHES, SWITCHES, SwitchError, Switches, with_switches

PAGE = (Path(__file__).parents[2] / "docs" / "rule.md").read_text(encoding="utf-8")
# Marked in check, because the assumption is made there.
OUTSIDE_POLICY = {"reject-direct-send-assumed", "mx-assumed"}


def sources() -> str:
    """All of the rule's code but the tables themselves."""
    folder = Path(sidedoor.policy.__file__).parent
    return "".join(
        path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("*.py"))
        if path.name not in {"reasons.py", "switches.py"}
    )


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_is_used_and_explained(reason: str) -> None:
    assert f"### `{reason}`" in PAGE
    assert f'"{reason}"' in sources() or reason in OUTSIDE_POLICY
    assert explain(reason).endswith(".")


def test_the_page_explains_no_reason_that_is_not() -> None:
    assert set(re.findall(r"^### `([^`]+)`$", PAGE, re.MULTILINE)) == set(REASONS)


def test_a_foreign_reason_explains_itself() -> None:
    assert explain("from-a-newer-version") == "from-a-newer-version"


def test_every_switch_is_a_row_and_stands_on_the_page() -> None:
    assert tuple(row.field for row in SWITCHES) == tuple(field.name for field in fields(Switches))
    for row in SWITCHES:
        assert f"`{row.name}`" in PAGE
        assert all(f"`{value}`" in PAGE for value in row.values)
    assert [row["value"] for row in DEFAULT_SWITCHES.table()] == [row.default for row in SWITCHES]


def test_switches_by_name() -> None:
    for row in SWITCHES:
        for value in row.values:
            told = {each["name"]: each["value"] for each in with_switches({row.name: value}).table()}
            assert told == {each.name: each.default for each in SWITCHES} | {row.name: value}


@pytest.mark.parametrize("wrong", [{"no-such": "x"}, {"subdomains": "perhaps"}, {"": ""}])
def test_wrong_switches(wrong: dict[str, str]) -> None:
    with pytest.raises(SwitchError):
        with_switches(wrong)


@pytest.mark.parametrize("name", REPLIES)
def test_replies_print_parse_and_are_recognised(name: str) -> None:
    reply = REPLIES[name].reply
    assert parse_reply(str(reply)) == reply
    with_host = Reply(reply.code, reply.enhanced, f"{reply.text} [AM9PR00MB0001 2026-11-03T08:25:40Z 08DF1A10EE9B]")
    assert recognise(with_host) == name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("550 5.7.68 TenantInboundAttribution; Direct Send is not allowed for this organization", "direct-send"),
        ("550 5.7.51 TenantInboundAttribution; Rejecting", "partner-restriction"),
        ("550 5.7.64 TenantAttribution; Relay Access Denied SMTP.", "relay-denied"),
        ("550 5.7.649 Access denied, banned sending IP [192.0.2.1]", "banned-address"),
        ("550 5.7.650 Access denied, banned sending IP [192.0.2.1]", None),
        ("550 5.7.68 Something else", None),
        ("550 5.7.67 TenantInboundAttribution", None),
        ("250 2.6.0 Queued mail for delivery", None),
    ],
)
def test_variants_of_replies(line: str, name: str | None) -> None:
    assert recognise(parse_reply(line)) == name
