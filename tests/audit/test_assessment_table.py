"""The table of reasons, the page that explains it, and the code that gives the reasons are one set."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from sidedoor.audit import assessment, reasons
from sidedoor.audit.weights import WEIGHTS, ReasonKind, WeightsError, load_weights

TABLE = files("sidedoor.audit").joinpath("weights.toml").read_text("utf-8")
PAGE = (Path(__file__).parents[2] / "docs" / "reasons.md").read_text("utf-8")
SECTION = re.compile(
    r"^## `(?P<id>[a-z-]+)`\n\nWeight (?P<weight>-?[\d.]+), kind (?P<kind>[a-z]+)\.\n\n"
    r"- Means: .+\n- Why: .+\n- Misleads: .+\n",
    re.MULTILINE,
)


def test_the_page_explains_each_reason_with_its_weight() -> None:
    explained = {match["id"]: (float(match["weight"]), match["kind"]) for match in SECTION.finditer(PAGE)}
    assert explained == {entry.id: (entry.weight, entry.kind.value) for entry in WEIGHTS.entries.values()}
    assert len(re.findall(r"^## ", PAGE, re.MULTILINE)) == len(explained)


def test_the_page_states_the_limits() -> None:
    assert f"From {WEIGHTS.legitimate} on" in PAGE
    assert f"from {WEIGHTS.spoofing} down" in PAGE
    assert f"/ {WEIGHTS.scale})" in PAGE


def test_the_code_gives_the_reasons_of_the_table_and_no_others() -> None:
    source = "".join(Path(module.__file__ or "").read_text("utf-8") for module in (reasons, assessment))
    given = set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', source)) | {"spf-fail", "spf-softfail"}
    assert set(WEIGHTS.entries) <= given


def test_names_together_cannot_outweigh_the_gap_between_the_verdicts() -> None:
    names = [entry.weight for entry in WEIGHTS.entries.values() if entry.kind is ReasonKind.NAME]
    assert sum(weight for weight in names if weight > 0) < WEIGHTS.legitimate - WEIGHTS.spoofing
    assert -sum(weight for weight in names if weight < 0) < WEIGHTS.legitimate - WEIGHTS.spoofing


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("spoofing = -2.0", "spoofing = 2.0", "spoofing must be below zero"),
        ("scale = 1.5", "scale = 0", "scale"),
        ('kind = "note"', 'kind = "rumour"', "rumour"),
        ("weight = 4.0", 'weight = "much"', "spf-listed"),
        ("[verdict]", "[verdicts]", "verdict"),
        ("[verdict]", "[verdict", "table of reasons"),
        ('weight = 0.0\nkind = "note"', 'weight = 1.0\nkind = "note"', "weighs nothing"),
    ],
)
def test_a_wrong_table_is_refused_with_its_entry(old: str, new: str, said: str) -> None:
    assert old in TABLE
    with pytest.raises(WeightsError, match=said):
        load_weights(TABLE.replace(old, new))


def test_values_are_never_read_as_templates() -> None:
    reason = WEIGHTS.entries["helo-device"].reason({"host": "{host.__class__} {0}"})
    assert "{host.__class__} {0}" in reason.text
