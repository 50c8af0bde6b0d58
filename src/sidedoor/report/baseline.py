"""baseline.json (`sidedoor/baseline/1`) and baseline.sarif (SARIF 2.1.0, OASIS)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from sidedoor import __version__
from sidedoor.audit.baseline import CONTROLS, Answer, Outcome
from sidedoor.report.atomic import write_files
from sidedoor.report.text import clean, without_surrogates
from sidedoor.report.words import iso

SCHEMA = "sidedoor/baseline/1"
JSON, SARIF = "baseline.json", "baseline.sarif"
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# SARIF 2.1.0 section 3.27.9 (kind) and 3.27.10 (level: "none" unless kind is fail).
_KINDS = {
    Outcome.PASS: ("pass", "none"), Outcome.FAIL: ("fail", "error"), Outcome.UNDETERMINED: ("open", "none"),
}  # fmt: skip


def render(answers: Sequence[Answer], tenant: str, now: datetime) -> dict[str, Any]:
    """baseline.json's values."""
    return {
        "schema": SCHEMA,
        "generated_at": iso(now),
        "tenant": without_surrogates(tenant),
        "controls": [
            {
                "id": each.control.id,
                "baseline": each.control.baseline,
                "version": each.control.version,
                "title": each.control.title,
                "level": each.control.level,
                "status": each.control.status,
                "url": each.control.url,
                "certainty": each.control.certainty,
                "outcome": each.outcome.value,
                "evidence": [clean(line) for line in each.evidence],
                "remedy": each.remedy,
            }
            for each in answers
        ],
    }


def sarif(answers: Sequence[Answer], tenant: str, source: str) -> dict[str, Any]:
    """The SARIF log. `source`: the file that the setting was read from, as a relative name; "" where there is none."""
    driver = {
        "name": "Sidedoor",
        "version": __version__,
        "rules": [
            {
                "id": control.id,
                "name": "RejectDirectSend",
                "shortDescription": {"text": f"{control.baseline}: {control.title}"},
                "helpUri": control.url,
                "properties": {"level": control.level, "status": control.status, "version": control.version},
            }
            for control in CONTROLS
        ],
    }
    results = [_result(number, each, tenant, source) for number, each in enumerate(answers)]
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
    return {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(number: int, answer: Answer, tenant: str, source: str) -> Mapping[str, Any]:
    kind, level = _KINDS[answer.outcome]
    words = " ".join(part for part in (*answer.evidence, answer.remedy) if part)
    print_ = hashlib.sha256(f"{answer.control.id}\0{tenant}".encode("utf-8", "surrogatepass")).hexdigest()
    result: dict[str, Any] = {
        "ruleId": answer.control.id,
        "ruleIndex": number,
        "kind": kind,
        "level": level,
        "message": {"text": clean(words)},
        "partialFingerprints": {"controlAndTenant/v1": print_},
        "properties": {
            "outcome": answer.outcome.value, "certainty": answer.control.certainty,
            "evidence": [clean(line) for line in answer.evidence],
        },
    }  # fmt: skip
    where: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": "Get-OrganizationConfig/RejectDirectSend"}]}
    if source:
        where["physicalLocation"] = {"artifactLocation": {"uri": quote(PurePath(source).name)}}
    return result | {"locations": [where]}


def write(answers: Sequence[Answer], tenant: str, source: str, now: datetime, folder: Path) -> None:
    """Write both files. Raises OutputError."""
    bodies = {JSON: render(answers, tenant, now), SARIF: sarif(answers, tenant, source)}
    write_files(
        {folder / name: (json.dumps(body, indent=2, ensure_ascii=True) + "\n").encode("ascii")
         for name, body in bodies.items()}
    )  # fmt: skip


def lines(answers: Sequence[Answer]) -> list[str]:
    """For the terminal."""
    told = [f"{each.outcome.value:<13}{each.control.id:<15}{each.control.baseline}" for each in answers]
    return [*told, *(f"  {clean(line)}" for line in answers[0].evidence)]
