"""How rules look for words and patterns in texts that strangers write.

Words: Microsoft's page of conditions ("includes any of these words"): as typed, without regard to case, surrounded by
blanks and punctuation: `contoso` is in `joe@contoso.com`, not in `acontoso`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.patterns import compile_pattern

MAX_TEXT = 1 << 20
"""Characters that are searched; a longer text leaves the condition undetermined."""
Search = Callable[[str], Fact[bool]]
_RUN = re.compile(r"[^\W_]+")  # letters and digits of any script
TOO_LONG = Unknown(f"the text has more than {MAX_TEXT:,} characters")


def any_of(answers: Sequence[Fact[bool]]) -> Fact[bool]:
    """Three-valued "or": True wins, then unknown; False for none at all."""
    if any(answer is True for answer in answers):
        return True
    return next((answer for answer in answers if isinstance(answer, Unknown)), False)


def words_search(words: Sequence[str]) -> Search:
    """A search for any of the words: one pass over the text, whatever a stranger writes and however many words."""
    wanted = {word.strip().lower() for word in words if word.strip()}
    by_run: dict[str, list[str]] = {}
    for word in wanted:
        if run := _RUN.match(word):
            by_run.setdefault(run[0], []).append(word)
    others = [_other(word) for word in wanted if not _RUN.match(word)]

    def search(text: str) -> Fact[bool]:
        if len(text) > MAX_TEXT:
            return TOO_LONG
        lower = text.lower()
        return _begins_a_run(lower, by_run) or any(each.search(lower) for each in others)

    return search


def _begins_a_run(text: str, by_run: Mapping[str, Sequence[str]]) -> bool:
    """Whether one of the words stands where a run of letters and digits begins, and ends where one ends."""
    if not by_run:
        return False
    for run in _RUN.finditer(text):
        for word in by_run.get(run[0], ()):
            end = run.start() + len(word)
            if text.startswith(word, run.start()) and not (word[-1].isalnum() and text[end : end + 1].isalnum()):
                return True
    return False


def _other(word: str) -> re.Pattern[str]:
    """A word that begins with neither letter nor digit needs no boundary before it: `@contoso.com` is in
    `joe@contoso.com`, as rules rely on."""
    return re.compile(re.escape(word) + (r"(?![^\W_])" if word[-1].isalnum() else ""))


def patterns_search(patterns: Sequence[str]) -> Search:
    """A search for any of the .NET patterns. Raises PatternError."""
    compiled = [compile_pattern(pattern) for pattern in patterns]

    def search(text: str) -> Fact[bool]:
        return TOO_LONG if len(text) > MAX_TEXT else any_of([pattern.search(text) for pattern in compiled])

    return search
