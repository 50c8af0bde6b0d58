"""DKIM and ARC against the public suites that Perl's Mail::DKIM carries; both stay where they are.

    python scripts/conformance_mail_dkim.py UNPACKED_SOURCE_OF_MAIL_DKIM

The ARC validation suite (t/arc_test_suite) wants PyYAML. Prints the counts and each case that comes out otherwise.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import yaml

from sidedoor.mailauth.dkim import verify_arc, verify_dkim
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Failure

CASE = re.compile(r'^\s*test_email\( "([^"]+)",\s*"(\w+)" \)[;\s]*(?:#(.*))?$', re.MULTILINE)
INVALID = {"neutral", "permerror", "temperror"}


def arc(folder: Path) -> None:
    """Every validation case; the suite leaves the state open where a seal says cv=fail."""
    text = (folder / "t/arc_test_suite/arc-draft-validation-tests.yml").read_text(encoding="utf-8")
    cases = alike = 0
    for scenario in filter(None, yaml.safe_load_all(text)):
        records = {name: {"TXT": [value]} for name, value in scenario.get("txt-records", {}).items() if value}
        for name, case in scenario["tests"].items():
            message = case["message"].replace("\r\n", "\n").replace("\n", "\r\n").encode()
            found, wanted = verify_arc(message, MemoryResolver(records)), (case.get("cv") or "open").lower()
            cases, alike = cases + 1, alike + (found.chain.value == wanted)
            if found.chain.value != wanted:
                print(f"  ARC {name}: {found.chain.value} ({found.reason}); the suite says {wanted}")
    print(f"ARC validation suite: {alike} of {cases} as the suite says")


def dkim(folder: Path) -> None:
    """The corpus of t/verifier.t without DomainKeys. Its `invalid` is our neutral, permerror, temperror or expired."""
    records, failures = zone(folder / "t/FAKE_DNS.dat")
    resolver, now = MemoryResolver(records, failures), datetime.now(UTC)
    cases = alike = 0
    for file, wanted, remark in CASE.findall((folder / "t/verifier.t").read_text(encoding="utf-8")):
        if "dk_" in file:
            continue
        results = verify_dkim((folder / "t/corpus" / file).read_bytes(), resolver, now)
        words = [result.word.value for result in results]
        found = "pass" if "pass" in words else (words[0] if words else "none")
        same = found == wanted or (wanted == "invalid" and (found in INVALID or "expired" in remark))
        cases, alike = cases + 1, alike + same
        if not same:
            print(f"  DKIM {file}: {found} ({results[0].reason}); the corpus says {wanted}")
    print(f"DKIM corpus: {alike} of {cases} as the corpus says")


def zone(path: Path) -> tuple[dict[str, dict[str, list[str]]], dict[str | tuple[str, str], Failure]]:
    """Names with their TXT records, and names for which DNS fails."""
    records: dict[str, dict[str, list[str]]] = {}
    failures: dict[str | tuple[str, str], Failure] = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        name, _, value = line.strip().partition(" ")
        value = value.strip()
        if not name or name[0] in "#;" or value == "NXDOMAIN":
            continue
        if value.startswith("~~"):
            failures[name.lower()] = Failure(value.strip("~"), temporary=True)
        else:
            records[name.lower()] = {"TXT": [value]}
    return records, failures


if __name__ == "__main__":
    source = Path(sys.argv[1])
    arc(source)
    dkim(source)
