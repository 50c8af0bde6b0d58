"""How rules look for words and patterns in texts that strangers write.

Words: Microsoft's page of conditions ("includes any of these words"): as typed, without regard to case, surrounded by
blanks and punctuation: `contoso` is in `joe@contoso.com`, not in `acontoso`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.patterns import compile_pattern

MAX_TEXT = 1 << 20
"""Characters that are searched; a longer text leaves the condition undetermined."""
Search = Callable[[str], Fact[bool]]
TOO_LONG = Unknown(f"the text has more than {MAX_TEXT:,} characters")


def any_of(answers: Sequence[Fact[bool]]) -> Fact[bool]:
    """Three-valued "or": True wins, then unknown; False for none at all."""
    if any(answer is True for answer in answers):
        return True
    return next((answer for answer in answers if isinstance(answer, Unknown)), False)


def words_search(words: Sequence[str]) -> Search:
    """A search for any of the words. `str.find` for each: no text makes it slow, as one large alternation would be."""
    wanted = [word.strip().lower() for word in words if word.strip()]

    def search(text: str) -> Fact[bool]:
        if len(text) > MAX_TEXT:
            return TOO_LONG
        lower = text.lower()
        return any(_holds(lower, word) for word in wanted)

    return search


def _holds(text: str, word: str) -> bool:
    """A boundary is asked only beside a letter or digit: `@contoso.com` is in `joe@contoso.com`, as rules rely on."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        before = word[0].isalnum() and text[at - 1 : at].isalnum() if at else False
        if not before and not (word[-1].isalnum() and text[end : end + 1].isalnum()):
            return True
        at = text.find(word, at + 1)
    return False


def patterns_search(patterns: Sequence[str]) -> Search:
    """A search for any of the .NET patterns. Raises PatternError."""
    compiled = [compile_pattern(pattern) for pattern in patterns]

    def search(text: str) -> Fact[bool]:
        return TOO_LONG if len(text) > MAX_TEXT else any_of([pattern.search(text) for pattern in compiled])

    return search
