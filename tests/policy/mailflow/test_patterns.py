"""Words and .NET patterns over texts that strangers write."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.mail.fact import Unknown
from sidedoor.policy.mailflow.patterns import MAX_PATTERN, PatternError, compile_pattern, translate
from sidedoor.policy.mailflow.text import MAX_TEXT, patterns_search, words_search

MATCHES: list[tuple[str, str, bool]] = [
    (r"\d", "٣", True),  # .NET's classes are Unicode
    (r"^\w+$", "grüße_1", True),
    (r"\s", "\u00a0", True),
    (r"[^\s\d]", "1 2", False),
    (r"^\D$", "x", True),
    (r"\W", "é", False),
    (r"(?<user>a|b)@", "B@", True),
    (r"(?'user'a)", "A", True),
    (r"(?-i:a)", "A", False),
    (r"(?s:a.b)", "a\nb", True),
    (r"a{2,3}", "caat", True),
    (r"a{,3}", "a{,3}", True),  # .NET reads it as itself
    (r"x\x2e\u002e", "x..", True),
    (r"[\]\-a]", "]", True),
    (r"[]x]", "]", True),
    (r"[[x]", "[", True),
    (r"[[:a]", "[", True),
    (r"[\b]", "\b", True),
    (r"\.\@\#\ \/\-", ".@# /-", True),
    (r"\Ax\Z", "x", True),
    (r"\p{Lu}", "A", True),
    (r"\bscan\b", "a scan.", True),
    (r"ÄRGER", "ärger", True),
    (r"^\[External\]", "[external] x", True),
    (r"a", "\ud800a", True),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), MATCHES)
def test_a_pattern(pattern: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern).search(text) is expected


@pytest.mark.parametrize("pattern", [
    *("", "x" * (MAX_PATTERN + 1), "(", "[", "[]", "a**", "a*+", "*", "\\", "(?i"),
    *("(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", r"(a)\1", r"\k<a>", "(?<a-b>x)", "(?(a)b|c)", "(?#x)"),
    *("(?n)", "(?x)"),
    *("[a-z-[aeiou]]", r"\G", r"\cA", r"\Qa\E", r"\C", r"\p{IsGreek}", r"\P", r"[\W]", r"[\D]", r"\ud83d", "a{1001}"),
    *("\ud800", "(?U)a", "(?)"),
])  # fmt: skip
def test_what_is_not_translated(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)


def test_a_pattern_made_to_hang_does_not() -> None:
    text = "a" * 200_000 + "!"
    for pattern in (r"^(a+)+$", r"(a|aa)+$", r"^(\w+\s?)*$", r"(.*)*b"):
        assert compile_pattern(pattern).search(text) is False


def test_word_boundaries_are_exact_for_ascii_only() -> None:
    assert isinstance(compile_pattern(r"\bx").search("éx"), Unknown)


@given(st.text(max_size=30) | st.text(alphabet=r"ab()[]{}^$|*+?\.-,:<>=!'dwsbBAZpuxQE0129", max_size=30))
def test_any_text_is_a_pattern_or_a_pattern_error(source: str) -> None:
    try:
        compiled = compile_pattern(source)
    except PatternError:
        return
    assert compiled.search("a (b) 1 é\ud800") in {True, False} or compiled.ascii_only


SIMPLE = st.recursive(
    st.sampled_from(["a", "b", "1", ".", r"\d", r"\w", r"\s", "[ab]", "[^a1]", r"\.", "é"]),
    lambda inner: (
        st.tuples(inner, inner).map("".join)
        | inner.map(lambda part: f"({part})*")
        | st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})")
    ),
    max_leaves=6,
)


@given(SIMPLE, st.text(alphabet="aAb1. é_", max_size=12))
def test_what_both_know_means_the_same_as_in_python(pattern: str, text: str) -> None:
    assert compile_pattern(pattern).search(text) is (re.search(pattern, text, re.IGNORECASE) is not None)


@given(st.text(alphabet="ab.é", min_size=1, max_size=8))
def test_translating_keeps_plain_text(text: str) -> None:
    assert compile_pattern(translate(text).replace(".", r"\.")).search(text) is True


WORDS: list[tuple[str, str, bool]] = [
    ("contoso", "joe@contoso.com", True),
    ("contoso", "(Contoso)", True),
    ("contoso", "acontoso", False),
    ("contoso", "contosob", False),
    ("contoso", "acontoso contoso", True),
    ("press release", "the Press Release of", True),
    ("press release", "press  release", False),
    ("@contoso.com", "joe@contoso.com", True),
    ("@contoso.com", "joe@contoso.community", False),
    ("*", "anything", False),
    ("*", "a*b", True),
    ("x", "1x", False),
    ("über", "ÜBER uns", True),
    ("a_b", "a_b", True),
    ("b", "a_b", True),
    ("a b", "a a b", True),
    ("a-", "aa-x", False),
    ("a-", "a-x", True),
    ("--a", "---a", True),
    ("--a", "---ab --a", True),
]


@pytest.mark.parametrize(("word", "text", "expected"), WORDS)
def test_a_word(word: str, text: str, expected: bool) -> None:
    assert words_search([word])(text) is expected


@given(st.lists(st.text(alphabet="ab1 @-_é", max_size=4).filter(str.strip), min_size=1, max_size=3),
       st.text(alphabet="abAB1 @-_éÉ", max_size=15))  # fmt: skip
def test_words_are_found_as_a_naive_reading_finds_them(words: list[str], text: str) -> None:
    def holds(word: str) -> bool:
        places = [at for at in range(len(text)) if text.lower().startswith(word, at)]
        return any(
            not (word[0].isalnum() and at and text[at - 1].isalnum())
            and not (word[-1].isalnum() and text[at + len(word) : at + len(word) + 1].isalnum())
            for at in places
        )

    assert words_search(words)(text) is any(holds(word.strip()) for word in words)


def test_many_words_in_a_text_made_to_be_slow() -> None:
    words = ["a" * length for length in range(1, 120)] + [f"@{'a' * length}" for length in range(1, 20)]
    for text in ("a" * MAX_TEXT, "aab " * (MAX_TEXT // 4), "@aab" * (MAX_TEXT // 40)):
        assert words_search([word + "z" for word in words])(text) is False


@given(st.text(max_size=5).filter(str.strip), st.text(max_size=30))
def test_a_word_between_blanks_is_found(word: str, text: str) -> None:
    assert words_search([word])(f"{text} {word} {text}") is True


def test_texts_without_end_are_not_searched() -> None:
    long = "x" * (MAX_TEXT + 1)
    assert isinstance(words_search(["x"])(long), Unknown)
    assert isinstance(patterns_search(["x"])(long), Unknown)
