"""What a condition or an action is built from: one rule's settings, and what is known of the tenant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.patterns import PatternError
from sidedoor.policy.mailflow.scope import OwnDomains
from sidedoor.policy.mailflow.switches import FromScopeReading
from sidedoor.policy.mailflow.text import Search, patterns_search, words_search
from sidedoor.tenant.values import Fields


class NotEvaluatedError(ValueError):
    """A setting of a rule that is not evaluated; the message says why."""


class SenderLocation(Enum):
    """SenderAddressLocation: where a rule looks for sender addresses."""

    HEADER = "Header"  # header From, the default
    ENVELOPE = "Envelope"  # the envelope sender (5321.MailFrom)
    EITHER = "HeaderOrEnvelope"  # both


@dataclass(frozen=True, slots=True)
class Build:
    """What a builder works from. `prefix` is "" for a condition and `ExceptIf` for an exception."""

    fields: Fields
    prefix: str
    location: SenderLocation
    legacy_regex: bool
    accepted: OwnDomains
    from_scope: FromScopeReading

    def entries(self, key: str) -> tuple[str, ...]:
        """A list whose entries hold no blanks. Raises NotEvaluatedError where it is empty or lost."""
        return self._some(key, self.fields.entries(self.prefix + key))

    def phrases(self, key: str) -> tuple[str, ...]:
        """A list of words or patterns. Raises NotEvaluatedError where it is empty or lost."""
        return self._some(key, self.fields.phrases(self.prefix + key))

    def text(self, key: str) -> str:
        """One text. Raises NotEvaluatedError where there is none."""
        text = self.fields.text(self.prefix + key)
        if not text:
            raise NotEvaluatedError(f"the export does not tell {self.prefix}{key}")
        return text

    def _some(self, key: str, found: Fact[tuple[str, ...]]) -> tuple[str, ...]:
        if isinstance(found, Unknown):
            raise NotEvaluatedError(found.reason)
        if not any(text.strip() for text in found):
            raise NotEvaluatedError(f"{self.prefix}{key} is empty")
        return found

    def words(self, key: str) -> Search:
        """A search for any of the words of a key."""
        return words_search(self.phrases(key))

    def patterns(self, key: str) -> Search:
        """A search for any of the patterns of a key."""
        if self.legacy_regex:
            raise NotEvaluatedError("UseLegacyRegex: the pattern syntax of Exchange 2010 is not translated")
        try:
            return patterns_search(self.phrases(key))
        except PatternError as error:
            raise NotEvaluatedError(str(error)) from error
