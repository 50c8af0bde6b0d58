"""Reading entries: strict, and every complaint names the file, the key, what was found and what was expected."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.catalogue.catalogue import load_catalogue
from sidedoor.catalogue.entry import Answer, Entry, OwnDomain, SmtpAuth
from sidedoor.catalogue.read import GENERAL_KNOWLEDGE, advice, read_entries
from sidedoor.errors import InputError
from tests.catalogue.kit import CATALOGUE, ENTRIES, MINIMAL, one_trait

FULL = (
    MINIMAL
    + """
advice = "Ask the owner."
shared_addresses = "no"
borrows_from = ["sap"]

[recognise]
helo = ["own-erp*"]
x_mailer = ["Own ERP *"]

[sends]
own_domain = "always"
how = "From the address set in it."

[supports]
certificate = "yes"
certificate_name = "*.erp.contoso.com"
smtp_auth = "oauth"
graph = "unknown"

[[sources]]
of = ["supports.smtp_auth", "recognise"]
title = "Its manual"
url = "https://erp.contoso.com/manual"
date = 2026-01-31
verified = true
"""
)


def test_a_full_entry() -> None:
    (entry,) = read_entries(FULL, "own.toml")
    assert (entry.id, entry.name, entry.advice) == ("own-erp", "Own ERP", "Ask the owner.")
    assert entry.shared_addresses is False
    assert [str(pattern) for pattern in entry.recognise.helo] == ["own-erp*"]
    assert [str(pattern) for pattern in entry.recognise.x_mailer] == ["own erp *"]
    assert entry.sends.own_domain is OwnDomain.ALWAYS
    assert (entry.supports.certificate, entry.supports.smtp_auth) == (Answer.YES, SmtpAuth.OAUTH)
    assert entry.verified is False, "certificate, graph, sends and shared_addresses have no source"


def test_what_no_source_covers_is_general_knowledge_of_the_day_it_was_written() -> None:
    (entry,) = read_entries(FULL, "own.toml")
    own, rest = entry.sources
    assert own.date == date(2026, 1, 31)
    assert (rest.title, rest.date, rest.verified) == (GENERAL_KNOWLEDGE, date(2026, 11, 24), False)
    assert set(rest.of) == {
        "supports.certificate",
        "supports.certificate_name",
        "supports.graph",
        "sends",
        "shared_addresses",
    }
    assert entry.source_of("recognise.helo") is own
    assert entry.source_of("supports.graph") is rest
    assert entry.source_of("supports.own_return_path") is None


def test_an_entry_that_says_little_knows_little() -> None:
    (entry,) = read_entries(MINIMAL, "own.toml")
    assert entry.shared_addresses is None
    assert entry.sends.own_domain is OwnDomain.UNKNOWN
    assert entry.supports.certificate is Answer.UNKNOWN
    assert entry.advice == advice()["erp"]
    assert entry.sources == ()


def test_several_entries_in_one_file() -> None:
    text = "".join(f"[[entry]]{MINIMAL.replace('own-erp', name)}" for name in ("one", "two"))
    assert [entry.id for entry in read_entries(text, "own.toml")] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "found id: nothing; expected a value"),
        ("id = 1", "id"),
        ("id = 'Own ERP'\n", "small letters and digits"),
        ("= 3\n", "line 1"),
        ("a = 1\nb =\n", "line 2"),
        (f"{MINIMAL}colour = 'red'\n", "colour: a key that is not known; expected one of id, "),
        (f"{MINIMAL}[recognise]\nhelo_name = ['x']\n", "recognise.helo_name"),
        (f"{MINIMAL}[recognise]\nhelo = 'erp*'\n", "recognise.helo"),
        (f"{MINIMAL}[recognise]\nhelo = []\n", "a list of 1 to"),
        (f"{MINIMAL}[recognise]\nhelo = ['*']\n", "at least 3 fixed characters"),
        (f"{MINIMAL}[recognise]\nhelo = ['*.contoso.com']\n", "write the domain alone"),
        (f"{MINIMAL}[recognise]\nptr = ['mail.*.*']\n", "the last two labels"),
        (f"{MINIMAL}[recognise]\nptr = ['contoso..com']\n", "no label"),
        (f"{MINIMAL}[recognise]\nx_mailer = ['{'a*' * 9}']\n", "at most 4"),
        (f"{MINIMAL}[recognise]\nx_mailer = ['{'a' * 201}']\n", "200 is the most"),
        (f"{MINIMAL}[sends]\nown_domain = 'sometimes'\n", "one of always, by-default"),
        (f"{MINIMAL}[sends]\nown_domain = ['always']\n", "sends.own_domain"),
        (f"{MINIMAL}[supports]\ngraph = true\n", "supports.graph: True; expected one of yes, no, unknown"),
        (f"{MINIMAL}shared_addresses = true\n", "shared_addresses"),
        (f"{MINIMAL}advice = ''\n", "advice"),
        (f'{MINIMAL}advice = "a\\nb"\n', "one line"),
        (f'{MINIMAL}advice = "a\\u202eb"\n', "one line"),
        (f"{MINIMAL}advice = '{'a' * 501}'\n", "one line of 1 to 500"),
        (f"{MINIMAL}sources = 3\n", "sources"),
        (f"{MINIMAL}[[sources]]\nof = ['sends']\n", "sources.title: nothing"),
        (
            f"{MINIMAL}[[sources]]\nof = ['sends']\ntitle = 't'\ndate = 2026-01-01\nverified = true\n",
            "sources.of: 'sends'; expected what the entry states: nothing yet",
        ),
        (
            f"{MINIMAL}[[sources]]\nof = ['sends']\ntitle = 't'\ndate = '2026-01-01'\nverified = true\n",
            "without quotes",
        ),
        (f"{MINIMAL}[[sources]]\nof=['sends']\ntitle='t'\ndate=2026-01-01T00:00:00\nverified=true\n", "without quotes"),
        (f"{MINIMAL}[[sources]]\nof = ['sends']\ntitle = 't'\ndate = 2026-01-01\nverified = 'no'\n", "true or false"),
        (f"{MINIMAL}[[sources]]\nurl = 'http://x'\n", "an https:// address"),
        (f"[[entry]]{MINIMAL}[[entry]]{MINIMAL}", "two entries with the id 'own-erp'"),
        ("entry = []\n", "1 to 1000 tables"),
        ("entry = 'x'\n", "1 to 1000 tables"),
        ("entry = [3]\n", "expected a table"),
        (f"[[entry]]{MINIMAL}[other]\n", "entry"),
        (f"kind = {'9' * 900}{'e9' * 9}\n", "no TOML"),
        ("kind = [\n" + "[\n" * 3000, "nested too deep"),
        (f"\nx = {'{a=' * 3000}\n", "line 2: found a line of 9004 characters"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_entries(text, "own.toml")
    assert str(caught.value).startswith("own.toml")
    assert told in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_an_own_file_adds_and_replaces(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    theirs = (ENTRIES / "zendesk.toml").read_text(encoding="utf-8").replace('name = "Zendesk"', 'name = "Our desk"')
    own.write_text("\ufeff" + FULL, encoding="utf-8")
    catalogue = load_catalogue(own)
    assert catalogue.match(one_trait("helo_names", "OWN-ERP-2.contoso.com"))[0].entry.id == "own-erp"
    assert len(catalogue.entries) == len(CATALOGUE.entries) + 1
    own.write_text(theirs, encoding="utf-8")
    assert load_catalogue(own).entries["zendesk"].name == "Our desk"
    assert load_catalogue() is CATALOGUE
    assert CATALOGUE.entries["zendesk"].name == "Zendesk"


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), (b"\xff\xfe", "byte 0"), (b"#" * (256 * 1024 + 1), "256 KiB"), (b"\x00", "no TOML")],
)
def test_an_own_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, told: str) -> None:
    own = tmp_path / "own.toml"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(InputError, match=told) as caught:
        load_catalogue(own)
    assert caught.value.path == str(own)


def test_an_own_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load_catalogue(tmp_path)


@settings(max_examples=60)
@given(
    st.text(max_size=300)
    | st.sampled_from([FULL, MINIMAL]).flatmap(lambda text: st.permutations(text.split("\n"))).map("\n".join)
)
def test_any_text_is_entries_or_our_error(text: str) -> None:
    with suppress(InputError):
        assert all(isinstance(entry, Entry) for entry in read_entries(text, "own.toml"))


@pytest.mark.parametrize(
    "text",
    [
        f"{'a.' * 499}a=1\n" * 256,
        "\n".join(f"{'a.' * 480}b{number}=1" for number in range(256)),
        "".join(f"[a{number}.b.c]\n" for number in range(20_000)),
        "[[a]]\n" * 40_000,
        "x=[\n" + "1,\n" * 80_000,
        f"{'a.' * 130_000}a=1",
        "\u2028".join(f"'{'.a' * 450}'" for _ in range(250)).replace("'.", "a.").replace("'", "") + "=1",
    ],
    ids=["dots", "other-dots", "tables", "arrays", "list", "one-key", "separators"],
)
def test_hostile_files_take_little_time(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(InputError):
        read_entries(text, "own.toml")
    assert time.perf_counter() - started < 5


def printed(entry: Entry) -> str:
    """An entry as TOML again: JSON strings are TOML strings."""
    lines = [f"{key} = {json.dumps(getattr(entry, key))}" for key in ("id", "name", "vendor", "kind", "advice")]
    lines += [f"written = {entry.written}", f'shared_addresses = "{_word(entry.shared_addresses)}"']
    lines += [f"borrows_from = {json.dumps(entry.borrows_from)}"] if entry.borrows_from else []
    lines.append("[recognise]")
    for key in type(entry.recognise).__dataclass_fields__:
        patterns = [str(pattern) for pattern in getattr(entry.recognise, key)]
        lines += [f"{key} = {json.dumps(patterns)}"] if patterns else []
    lines += ["[sends]", f'own_domain = "{entry.sends.own_domain}"']
    lines += [f"how = {json.dumps(entry.sends.how)}"] if entry.sends.how else []
    lines.append("[supports]")
    for key in type(entry.supports).__dataclass_fields__:
        value = getattr(entry.supports, key)
        lines += [f"{key} = {json.dumps(value)}"] if value else []
    return "\n".join(lines)


def _word(answer: bool | None) -> str:
    return "unknown" if answer is None else "yes" if answer else "no"


@pytest.mark.parametrize("entry", CATALOGUE.entries.values(), ids=lambda entry: entry.id)
def test_what_is_printed_reads_again(entry: Entry) -> None:
    (again,) = read_entries(printed(entry), "again.toml")
    assert (again.id, again.recognise, again.sends, again.supports, again.advice, again.shared_addresses) == (
        entry.id, entry.recognise, entry.sends, entry.supports, entry.advice, entry.shared_addresses,
    )  # fmt: skip
