"""SPF (RFC 7208): the grammar by itself, a record compiled to the set of addresses it describes, and check_host."""

from __future__ import annotations

from sidedoor.mailauth.spf.addresses import SpfSet, compile_spf
from sidedoor.mailauth.spf.check import check_helo, check_host, check_mail_from
from sidedoor.mailauth.spf.evidence import SpfEvidence, SpfWarning, SpfWarningId
from sidedoor.mailauth.spf.message import SpfMessage
from sidedoor.mailauth.spf.owner import owner_of
from sidedoor.mailauth.spf.parser import SpfSyntaxError, parse_spf
from sidedoor.mailauth.spf.terms import Record, SpfResult

__all__ = [
    "Record",
    "SpfEvidence",
    "SpfMessage",
    "SpfResult",
    "SpfSet",
    "SpfSyntaxError",
    "SpfWarning",
    "SpfWarningId",
    "check_helo",
    "check_host",
    "check_mail_from",
    "compile_spf",
    "owner_of",
    "parse_spf",
]
