"""Matching: on label boundaries, proof before claims, whatever strangers write."""

from __future__ import annotations

import fnmatch
import random
import re
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.catalogue.catalogue import Catalogue
from sidedoor.catalogue.entry import Kind
from sidedoor.catalogue.match import Strength, Trait, Traits
from sidedoor.catalogue.patterns import PatternError, comparable_name, glob_matches, host_pattern, text_pattern
from tests.catalogue.kit import CATALOGUE, EXAMPLES, FIELDS, made, one_trait


def ids(catalogue: Catalogue, evidence: Traits) -> list[str]:
    """Who is named, in order."""
    return [match.entry.id for match in catalogue.match(evidence)]


TWO = Catalogue(
    [
        made("broad", spf_include=("example.net",), helo=("example.net", "brn####", "host-??.*.example.org")),
        made("narrow", spf_include=("spf.eu.example.net",), x_mailer=("Example *",)),
        made("reseller", borrows=("broad",), spf_include=("example.net",)),
        made("cloud", Kind.CLOUD_PLATFORM, ptr=("cloud.example",)),
        made("records", Kind.SPF_HOSTING, spf_include=("hosted.example",)),
        made("bücher", dkim_domain=("bücher.example",)),
    ]
)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Traits(spf_domains=("example.net",)), ["broad", "reseller"]),
        (Traits(spf_domains=("x.spf.eu.example.net",)), ["narrow"]),
        (Traits(spf_domains=("eu.example.net",)), ["broad", "reseller"]),
        (Traits(spf_domains=("badexample.net",)), []),
        (Traits(spf_domains=("example.net.evil.test",)), []),
        (Traits(spf_domains=("hosted.example",)), []),
        (Traits(helo_names=("BRN0A1F.contoso.com",)), ["broad"]),
        (Traits(helo_names=("brn0a1g",)), []),
        (Traits(helo_names=("host-01.a.b.example.org",)), ["broad"]),
        (Traits(helo_names=("host-001.a.example.org",)), []),
        (Traits(helo_names=("xhost-01.a.example.org",)), []),
        (Traits(helo_names=("[192.0.2.1]",)), []),
        (Traits(mailers=(" example 3 ",)), ["narrow"]),
        (Traits(mailers=("An Example 3",)), []),
        (Traits(dkim_domains=("Bücher.Example.",)), ["bücher"]),
        (Traits(dkim_domains=("mail.xn--bcher-kva.example",)), ["bücher"]),
        (Traits(ptr_confirmed=("vm1.cloud.example",), mailers=("Example 3",)), ["cloud", "narrow"]),
        (Traits(ptr_names=("vm1.cloud.example",), mailers=("Example 3",)), ["narrow", "cloud"]),
        (Traits(ptr_confirmed=("vm1.cloud.example",), spf_domains=("example.net",)), ["broad", "reseller", "cloud"]),
        (Traits(), []),
    ],
)
def test_who_is_named(evidence: Traits, expected: list[str]) -> None:
    assert ids(TWO, evidence) == expected


def test_a_match_says_what_matched() -> None:
    (match,) = TWO.match(Traits(helo_names=("Mail.Example.net",), mailers=("x",)))
    assert (match.best.trait, match.best.value, match.best.pattern) == (Trait.HELO, "mail.example.net", "example.net")
    assert match.strength is Strength.CLAIM
    assert match.best.strength is Strength.CLAIM


def test_proof_and_claims_of_one_entry_are_one_match() -> None:
    match = TWO.match(Traits(spf_domains=("example.net",), helo_names=("a.example.net", "a.example.net")))[0]
    assert [hit.trait for hit in match.hits] == [Trait.SPF, Trait.HELO]
    assert match.strength is Strength.PROOF


def test_who_says_a_name_never_beats_who_proves_one() -> None:
    claims = {
        "helo_names": ("sendgrid.net",), "ptr_names": ("mimecast.com",), "mailers": ("Zendesk Mailer",),
        "message_id_hosts": ("mcsv.net",), "bounce_domains": ("amazonses.com",), "dkim_claims": ("hubspotemail.net",),
        "addresses": ("dse@docusign.net",),
    }  # fmt: skip
    found = CATALOGUE.match(Traits(ptr_confirmed=("a1.mtasv.net",), **claims))
    assert found[0].entry.id == "postmark"
    assert [match.strength for match in found].count(Strength.PROOF) == 1
    assert len(found) == 1 + len(claims)


def test_nothing_in_the_catalogue_weighs() -> None:
    names = {name for kind in (*type(CATALOGUE).__mro__[:-1], Traits, Strength) for name in vars(kind)}
    assert not {name for name in names if "weight" in name or "score" in name}
    assert {trait.strength for trait in Trait} == set(Strength)


@settings(max_examples=60)
@given(st.data())
def test_the_order_of_values_does_not_matter(data: st.DataObject) -> None:
    values = data.draw(st.lists(st.sampled_from([v for line in EXAMPLES.values() for v in line.values()]), max_size=12))
    shuffled = data.draw(st.permutations(values))
    fields = [name for _, name in FIELDS.values()]
    one = CATALOGUE.match(Traits(**{field: tuple(values) for field in fields}))
    other = CATALOGUE.match(Traits(**{field: tuple(shuffled) for field in fields}))
    assert one == other


@settings(max_examples=80)
@given(st.text(max_size=400), st.sampled_from([name for _, name in FIELDS.values()]))
def test_any_text_is_matched_or_not(text: str, field: str) -> None:
    for match in CATALOGUE.match(one_trait(field, text)):
        assert match.hits
        assert len(match.best.value) <= 253
    CATALOGUE.by_spf_domain(text)


@settings(max_examples=80)
@given(st.text("ab.-", min_size=1, max_size=12), st.sampled_from(["sendgrid.net", "zendesk.com", "pphosted.com"]))
def test_a_longer_label_is_another_domain(prefix: str, domain: str) -> None:
    found = ids(CATALOGUE, one_trait("dkim_claims", prefix + domain)) + ids(
        CATALOGUE, one_trait("ptr_names", prefix + domain)
    )
    assert bool(found) is prefix.endswith(".")


@settings(max_examples=300)
@given(st.text("ab1*?", max_size=8), st.text("ab1", max_size=10))
def test_globs_are_the_common_ones(pattern: str, text: str) -> None:
    assert glob_matches(pattern, text) is bool(re.match(fnmatch.translate(pattern), text))


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("brn##", "brnaf", True),
        ("brn##", "brnag", False),
        ("brn##", "brna", False),
        ("*-##", "x-0f", True),
        ("a*#*b", "azz9zzb", True),
        ("a*#*b", "azzzzb", False),
        ("ab*ba", "aba", False),
        ("", "", True),
    ],
)
def test_hexadecimal_digits(pattern: str, text: str, matches: bool) -> None:
    assert glob_matches(pattern, text) is matches


@pytest.mark.parametrize(
    "text", ["*", "??", "*a*", "..", "a..b", "*.com", ".com", "mail.*", "a.*.com*", "a" * 64 + ".com"]
)
def test_patterns_that_would_match_anything_or_nothing(text: str) -> None:
    with pytest.raises(PatternError):
        host_pattern(text)


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_any_pattern_is_read_or_refused(text: str) -> None:
    for read in (host_pattern, text_pattern):
        with suppress(PatternError):
            assert str(read(str(read(text)))) == str(read(text))


def test_hostile_texts_take_no_time() -> None:
    hostile = Catalogue([made("slow", x_mailer=("a*a*a*a*b",), helo=("a*a*a*a*b",))])
    started = time.perf_counter()
    for text in ("a" * 10_000_000, "a" * 200, "a." * 120, "\u0130" * 100_000, "." * 253):
        for field in ("mailers", "helo_names", "spf_domains"):
            assert hostile.match(one_trait(field, text)) == ()
            CATALOGUE.match(one_trait(field, text))
    assert time.perf_counter() - started < 2


def test_a_sender_with_a_million_names_is_one_sender() -> None:
    started = time.perf_counter()
    assert CATALOGUE.match(Traits(helo_names=tuple(f"x{number}" for number in range(1_000_000)))) == ()
    assert time.perf_counter() - started < 2


def test_ten_thousand_senders_are_matched_soon() -> None:
    chance = random.Random(3)
    values = [value for line in EXAMPLES.values() for value in line.values()]
    senders = [
        Traits(
            spf_domains=(chance.choice(values), f"spf{number}.contoso.com"),
            helo_names=(f"host{number}.contoso.com",),
            mailers=(chance.choice(values),),
            ptr_names=(f"a.b.c.{chance.choice(values)}",),
            bounce_domains=("contoso.com",),
        )
        for number in range(10_000)
    ]
    CATALOGUE.match(senders[0])
    started = time.process_time()
    found = sum(bool(CATALOGUE.match(sender)) for sender in senders)
    assert found > 5000
    assert time.process_time() - started < 3, "about 0.5 s; the rest is for busy machines"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mail.Contoso.COM.", "mail.contoso.com"),
        ("<[mail.contoso.com]>", "mail.contoso.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("MAIL\u212a.example", "mailk.example"),
        ("\u202emoc.example", ""),
        ("a" * 254, ""),
        ("", ""),
    ],
)
def test_names_are_compared_in_one_form(text: str, name: str) -> None:
    assert comparable_name(text) == name


def test_help_loads_no_catalogue() -> None:
    code = (
        "import sys; from sidedoor.cli.main import main; main(['--help']);"
        "print([name for name in sys.modules if name.startswith('sidedoor.catalogue')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_importing_the_catalogue_reads_no_entry() -> None:
    code = "from sidedoor.catalogue import catalogue; print(catalogue._own.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "0"
