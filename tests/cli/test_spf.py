"""`sidedoor spf`: what it prints, what it exits with, and that a record from a stranger stays text."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli.main import main
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.spf import compile_spf
from sidedoor.mailauth.spf.findings import findings
from sidedoor.mailauth.spf.tree import spf_tree
from sidedoor.report.spf_answer import SpfAnswer
from sidedoor.report.spf_text import print_answer

ZONES = """
$ORIGIN contoso.com.
@ TXT "v=spf1 mx include:spf.protection.outlook.com include:_spf.mailer.example exists:%{i}.%{l}.contoso.com -all"
@ MX 10 mail.contoso.com.
mail A 192.0.2.25
mail AAAA 2001:db8::25
192.0.2.90.anna A 127.0.0.2
$ORIGIN spf.protection.outlook.com.
@ TXT "v=spf1 ip4:40.92.0.0/15 ip6:2a01:111:f400::/48 -all"
$ORIGIN mailer.example.
_spf TXT "v=spf1 ip4:198.51.96.0/20 include:gone.example ?all"
gone.example. TXT "not SPF"
soft.example. TXT "v=spf1 ip4:192.0.2.1 ~all"
none.example. TXT "hello"
several.example. TXT "v=spf1 -all"
several.example. TXT "v=spf1 ~all"
"""


@pytest.fixture
def zones(tmp_path: Path) -> Path:
    path = tmp_path / "all.zone"
    path.write_text(ZONES, encoding="utf-8")
    return path


Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_tree(zones: Path, capsys: Captured) -> None:
    assert main(["spf", "Contoso.com", "--dns", str(zones)]) == 0
    shown = capsys.readouterr().out
    assert "contoso.com: 5 of 10 look-ups" in shown
    assert "include:spf.protection.outlook.com (Micros" in shown
    assert "│ └ no record! include:gone.example" in shown
    assert "198.51.96.0/20 would be 16 of /24" in " ".join(shown.split())
    assert "soft fail (~all)" in shown
    assert "hard fail (-all)" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_end_of_a_record_is_what_everybody_else_gets(zones: Path, capsys: Captured) -> None:
    assert main(["spf", "soft.example", "--dns", str(zones)]) == 0
    assert "Everybody else: soft fail; ~all of soft.example matches" in capsys.readouterr().out


@pytest.mark.parametrize(("domain", "word"), [("none.example", "no SPF record"), ("several.example", "2 SPF records")])
def test_no_record_to_use(zones: Path, capsys: Captured, domain: str, word: str) -> None:
    assert main(["spf", domain, "--dns", str(zones)]) == 0
    assert word in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code", "result"),
    [
        (["--covers", "40.93.1.1"], 0, ["pass"]),
        (["--covers", "198.51.97.1", "--covers", "2001:db8::25"], 0, ["pass", "pass"]),
        (["--covers", "40.93.1.1", "--covers", "203.0.113.1"], 1, ["pass", "permerror"]),
    ],
)
def test_covers(zones: Path, capsys: Captured, options: list[str], code: int, result: list[str]) -> None:
    assert main(["spf", "contoso.com", "--dns", str(zones), "--json", *options]) == code
    told = json.loads(capsys.readouterr().out)
    assert [each["result"] for each in told["covers"]] == result
    assert told["schema"] == "sidedoor/spf/1"
    assert told["lookups"] == {"used": 5, "limit": 10}
    assert told["tree"]["parts"][1]["service"] == "Microsoft 365"


def test_covers_names_the_terms_that_decide(zones: Path, capsys: Captured) -> None:
    assert main(["spf", "contoso.com", "--dns", str(zones), "--covers", "198.51.97.1"]) == 0
    shown = capsys.readouterr().out.partition("198.51.97.1: pass")[2].split("\n")
    assert [line.strip() for line in shown[1:3]] == [
        "contoso.com  include:_spf.mailer.example", "_spf.mailer.example  ip4:198.51.96.0/20"
    ]  # fmt: skip


MESSAGE = (
    'allow.example. TXT "v=spf1 exists:%{i}.%{l}.allow.example -all"\n192.0.2.90.anna.allow.example. A 127.0.0.2\n'
)


@pytest.mark.parametrize(
    ("options", "code", "result"),
    [
        ([], 1, "undetermined"),
        (["--sender", "anna@allow.example"], 0, "pass"),
        (["--sender", "bert@allow.example", "--helo", "x"], 1, "fail"),
        (["--sender", "<>", "--helo", "allow.example"], 1, "fail"),
    ],
)
def test_what_hangs_on_the_message(
    tmp_path: Path, capsys: Captured, options: list[str], code: int, result: str
) -> None:
    path = tmp_path / "allow.zone"
    path.write_text(MESSAGE, encoding="utf-8")
    arguments = ["spf", "allow.example", "--dns", str(path), "--covers", "192.0.2.90", *options]
    assert main([*arguments, "--json"]) == code
    [told] = json.loads(capsys.readouterr().out)["covers"]
    assert told["result"] == result
    main(arguments)
    assert ("--sender and --helo tell" in capsys.readouterr().out) is (result == "undetermined")


LINES = b"40.92.1.1\n\nnobody\n2a01:111:f400::9\n=cmd()\n40.92.1.1\n"


def test_a_file_of_addresses(zones: Path, capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "clients.txt").write_bytes(LINES)
    arguments = ["spf", "contoso.com", "--dns", str(zones), "--covers-file", str(tmp_path / "clients.txt")]
    assert main(arguments) == 3
    told = capsys.readouterr()
    assert "contoso.com: 3 pass" in told.out
    assert "2 pass         1 different, such as 40.92.1.1" in told.out
    assert "line 3: nobody" in told.err
    assert main([*arguments, "--csv"]) == 3
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert [row[:3] for row in rows] == [
        ["line", "address", "result"],
        ["1", "40.92.1.1", "pass"],
        ["3", "nobody", "unreadable"],
        ["4", "2a01:111:f400::9", "pass"],
        ["5", "'=cmd()", "unreadable"],
        ["6", "40.92.1.1", "pass"],
    ]
    assert main([*arguments, "--json"]) == 3
    counts: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [(each["lines"], each["addresses"]) for each in counts["covers_file"]] == [(2, 1), (1, 1)]
    assert counts["unreadable"]["lines"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["contoso.com", "--offline"], 4, "was not asked for"),
        (["contoso.com", "--offline", "--dns", "x.zone"], 2, "do not go together"),
        (["nobody.example", "--dns", "ZONES"], 3, "no zone given for nobody.example"),
        (["contoso.com", "--dns", "absent.zone"], 3, "absent.zone"),
        (["not a domain", "--offline"], 2, "DOMAIN"),
        (["contoso.com", "--dns", "ZONES", "--covers", "999.1.1.1"], 2, "is no IP address"),
        (["contoso.com", "--dns", "ZONES", "--covers", "192.0.2.1", "--sender", "a@b.example"], 2, "not contoso.com"),
        (["contoso.com", "--dns", "ZONES", "--covers", "192.0.2.1", "--sender", "<>"], 2, "give --helo"),
        (["contoso.com", "--dns", "ZONES", "--csv"], 2, "--csv"),
        (["contoso.com", "--dns", "ZONES", "--covers-file", "absent.txt"], 3, "absent.txt"),
    ],
)
def test_what_cannot_be_answered(zones: Path, capsys: Captured, arguments: list[str], code: int, word: str) -> None:
    assert main(["spf", *(str(zones) if each == "ZONES" else each for each in arguments)]) == code
    told = capsys.readouterr()
    assert word in told.err
    assert told.out == ""


HOSTILE = [
    "v=spf1 include:\x1b[2J\x1b]0;owned\x07.example -all",
    "v=spf1 exists:" + "%{i}" * 5_000 + ".example a:" + "x" * 60_000 + ".example -all",
    "v=spf1 " + "include:i.example " * 3_000,
    "v=spf1 " + " ".join(f"a:h{n}.example" for n in range(5_000)) + " -all",
    "v=spf1 include:[red]x[/red].example include:漢字漢字.example include:a\u202eb.example -all",
]


@pytest.mark.parametrize("record", HOSTILE, ids=["control", "long", "includes", "hosts", "markup"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_hostile_record_stays_text_on_some_screens(record: str, encoding: str) -> None:
    from rich.console import Console

    world = {
        "contoso.com": {"TXT": [record]},
        "[red]x[/red].example": {"TXT": ["v=spf1 exists:\x1b[31m%{p}.example ?all", "\x1b[2J"]},
        "i.example": {"TXT": ["v=spf1 exp=%{l} exists:[bold]%{p}.example -all"]},
    }
    resolver = MemoryResolver(world)
    spf = compile_spf("contoso.com", resolver)
    tree = spf_tree(spf, resolver)
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    console = Console(file=stream, width=80, force_terminal=False, highlight=False)
    print_answer(SpfAnswer(spf, tree, findings(spf, tree)), console)
    stream.flush()
    shown = raw.getvalue().decode(encoding)
    assert not {letter for letter in shown if letter != "\n" and not letter.isprintable() and letter != "\ufffd"}
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert shown.count("\n") < 250
