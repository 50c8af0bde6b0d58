"""The documents name what the code writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidedoor.policy.decision import Submission
from sidedoor.report import csv_report, json_report
from sidedoor.report.view import MAX_CARDS, MX

DOCS = Path(__file__).parents[2] / "docs"
CONTRACT = (DOCS / "contract.md").read_text(encoding="utf-8")
REPORT = (DOCS / "report.md").read_text(encoding="utf-8")


def properties(node: Any) -> Iterator[str]:
    """Every property name of a schema."""
    if isinstance(node, dict):
        yield from node.get("properties", {})
        for value in node.values():
            yield from properties(value)
    elif isinstance(node, list):
        for value in node:
            yield from properties(value)


def named(text: str) -> set[str]:
    """Words within backquotes, dotted paths taken apart."""
    return {word for quoted in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"[\w-]+", quoted)}


@pytest.mark.parametrize("name", sorted(set(properties(json_report.schema()))))
def test_the_contract_names_every_key(name: str) -> None:
    assert name in named(CONTRACT)


@pytest.mark.parametrize("word", [word.value for word in Submission])
def test_the_contract_explains_every_submission(word: str) -> None:
    assert f"| `{word}` |" in CONTRACT


def test_the_columns_are_documented_in_order() -> None:
    for columns in (csv_report.SENDER_COLUMNS, csv_report.REJECTED_COLUMNS):
        places = [REPORT.index(f"`{name}`", REPORT.index("## senders.csv")) for name in columns[:1]]
        for name in columns[1:]:
            places.append(REPORT.index(f"`{name}`", places[-1]))
        assert places == sorted(places)


def test_the_number_of_cards_is_the_documented_one() -> None:
    assert f"With more than {MAX_CARDS} senders, {MAX_CARDS} have a card" in REPORT


def test_the_fact_the_page_asks_for_is_one_of_the_audit() -> None:
    from sidedoor.audit.coverage import SOURCES

    assert MX in SOURCES
