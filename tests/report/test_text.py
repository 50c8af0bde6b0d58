"""What is shown can neither hide, reverse nor command."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.report.text import clean, shorten, without_surrogates

JOINERS = {"\u200c", "\u200d"}  # several scripts are misspelt without them


def test_every_control_format_and_surrogate_character_goes() -> None:
    for number in range(sys.maxunicode + 1):
        letter = chr(number)
        if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in JOINERS:
            assert clean(letter) in {" ", "\ufffd"}, hex(number)


@pytest.mark.parametrize("text", ["plain", "Zoë", "日本", "می‌خواهم", "👩‍💻", ""])
def test_text_of_any_script_stays(text: str) -> None:
    assert clean(text) == text


@given(st.text(st.characters(codec=None)), st.integers(1, 50))
def test_shortened_is_never_longer_and_says_that_it_is_short(text: str, length: int) -> None:
    shown = shorten(text, length)
    assert len(shown) <= length
    assert shown == clean(text) or shown.endswith("…")


@given(st.text(st.characters(codec=None)))
def test_without_surrogates_always_fits_utf8(text: str) -> None:
    without_surrogates(text).encode("utf-8")


def test_without_surrogates_changes_nothing_else() -> None:
    assert without_surrogates("a\ud800b\ufeff😀") == "a\ufffdb\ufeff😀"
