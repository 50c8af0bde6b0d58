"""The summary fits 80 columns and one screen, and nothing from outside commands the terminal."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from rich.cells import cell_len
from rich.console import Console

from sidedoor.audit.model import Audit, Readiness
from sidedoor.report.terminal import summary
from sidedoor.report.text import clean
from tests.report.audits import audits
from tests.report.example import empty_audit, hostile_audit, large_audit, ready_audit, rich_audit

OUT = Path("out")
SEQUENCES = re.compile(r"\x1b\[[0-9;]*m")  # what rich itself writes: styles, nothing else


def printed(audit: Audit, width: int = 80, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    summary(
        audit,
        OUT,
        Console(file=stream, width=width, force_terminal=terminal, color_system="standard" if terminal else None),
    )
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("audit", [rich_audit(), ready_audit(), empty_audit(), hostile_audit(), large_audit(50)])
def test_fits(audit: Audit, width: int) -> None:
    lines = printed(audit, width).splitlines()
    assert all(cell_len(line) <= width for line in lines)
    assert all(line == line.rstrip() for line in lines)
    if width >= 80:
        assert len(lines) <= 50


def test_the_rich_one_is_one_screen() -> None:
    assert 30 <= len(printed(rich_audit()).splitlines()) <= 50


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(audits())
def test_no_text_commands_the_terminal(audit: Audit) -> None:
    for terminal in (False, True):
        text = printed(audit, terminal=terminal)
        bare = SEQUENCES.sub("", text) if terminal else text
        assert clean(bare.replace("\n", "")) == bare.replace("\n", "")


def test_markup_is_text() -> None:
    named = dataclasses.replace(rich_audit().senders[0], name="[bold red]a[/bold red] [link=x]b[/]")
    audit = dataclasses.replace(rich_audit(), senders=(named,), readiness=Readiness("ready", ()))
    assert "[bold red]a[/bold red] [link=x]b[/]" in printed(audit)


def test_says_the_answer_the_gaps_and_the_next_step() -> None:
    text = " ".join(printed(rich_audit()).split())
    for part in (
        "Not ready",
        "1,955 messages from 4 senders",
        "RejectDirectSend is off",
        "1,955 Direct Send",
        "17 Sent directly",
        "connector (42 messages): EmailEvents",
        "probably cut off",
        "3 rows of 43,300 rejected",
        "skipped: no known format",
        "rejected_rows.csv",
        str(OUT / "report.html"),
        "Next:",
    ):
        assert part in text


def test_without_a_terminal_it_is_plain_text() -> None:
    assert "\x1b" not in printed(rich_audit())
    assert "\x1b" in printed(rich_audit(), terminal=True)


def test_words_tell_what_colours_tell() -> None:
    assert SEQUENCES.sub("", printed(rich_audit(), terminal=True)) == printed(rich_audit())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_an_old_code_page_gets_what_it_can_print(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    summary(hostile_audit(), OUT, Console(file=stream, width=80))
    assert b"x Spoofing" in raw.getvalue()


@pytest.mark.parametrize(
    ("state", "switch", "step"),
    [
        ("ready", False, "Set-OrganizationConfig -RejectDirectSend $true"),
        ("ready", True, "keep watching"),
        ("not-ready", False, "before you close the door"),
        ("not-ready", True, "is being refused"),
        ("undetermined", False, "get the exports named above"),
    ],
)
def test_next_step(state: str, switch: bool, step: str) -> None:
    tenant = dataclasses.replace(rich_audit().tenant, reject_direct_send=switch)
    audit = dataclasses.replace(rich_audit(), tenant=tenant, readiness=Readiness(state, ()))
    assert step in " ".join(printed(audit).split())
