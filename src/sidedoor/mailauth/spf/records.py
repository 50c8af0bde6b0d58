"""Finding a domain's SPF record (RFC 7208 sections 4.3 to 4.5)."""

from __future__ import annotations

from sidedoor.mailauth.resolver import Failure, Kind, Records, Resolver, askable
from sidedoor.mailauth.spf.evidence import SpfEvidence, SpfWarning, SpfWarningId
from sidedoor.mailauth.spf.parser import SpfSyntaxError, is_spf, parse_spf
from sidedoor.mailauth.spf.terms import Record, SpfResult


class RecordSource:
    """Asks each domain once; remembers parsed records and the trouble with others.

    What `base` knows is not asked again, and nothing is added to it.
    """

    def __init__(self, resolver: Resolver, base: RecordSource | None = None) -> None:
        self._resolver, self._base = resolver, base
        self._known: dict[str, Record | SpfEvidence] = {}
        self.warnings: dict[tuple[SpfWarningId, str, str], SpfWarning] = {}

    def record_of(self, domain: str) -> Record | SpfEvidence:
        """The domain's record, or the result that stands in its place: none, permerror, temperror, undetermined."""
        known = self.known(domain)
        if known is None:
            known = self._known[domain] = self._fetch(domain)
        return known

    def known(self, domain: str) -> Record | SpfEvidence | None:
        """The same without asking; None where nothing is known yet."""
        return self._known.get(domain) or (self._base.known(domain) if self._base else None)

    def warn(self, what: SpfWarningId, domain: str, term: str, text: str) -> None:
        """Keep a remark, once."""
        self.warnings.setdefault((what, domain, term), SpfWarning(what, domain, term, text))

    def _fetch(self, domain: str) -> Record | SpfEvidence:
        if not askable(domain) or "." not in domain:
            # Section 4.3: malformed, or no fully qualified name.
            return SpfEvidence(SpfResult.NONE, cause=f"{domain[:80]!r} is no domain that could publish a record")
        answer = self._resolver.lookup(domain, Kind.TXT)
        if isinstance(answer, Failure):
            return self._failed(domain, answer)
        records = [text for text in answer.values if is_spf(text)] if isinstance(answer, Records) else []
        if not records:
            return SpfEvidence(SpfResult.NONE, cause=f"{domain} publishes no SPF record")
        if len(records) > 1:
            return self._wrong(domain, SpfWarningId.SEVERAL_RECORDS, f"{domain} publishes {len(records)} SPF records")
        try:
            return parse_spf(records[0])
        except SpfSyntaxError as error:
            return self._wrong(domain, SpfWarningId.SYNTAX, f"the SPF record of {domain} cannot be read: {error}")

    def _failed(self, domain: str, failure: Failure) -> SpfEvidence:
        self.warn(SpfWarningId.NO_ANSWER, domain, "", failure.reason)
        return failed(failure)

    def _wrong(self, domain: str, what: SpfWarningId, text: str) -> SpfEvidence:
        self.warn(what, domain, "", text)
        return SpfEvidence(SpfResult.PERMERROR, cause=text)


def failed(failure: Failure) -> SpfEvidence:
    """Section 2.6.6 knows transient errors only; that nobody was asked is no result of SPF."""
    return SpfEvidence(SpfResult.TEMPERROR if failure.temporary else SpfResult.UNDETERMINED, cause=failure.reason)
