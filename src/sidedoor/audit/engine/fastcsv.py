"""SQL that turns the cells of a large CSV export into staged columns, for the rows that are plain.

A row is *plain* when its meaning needs no judgement: a time, an identity, a recipient, a client address in its usual
form. Every other row is left to the row reader of its format, so the two ways cannot disagree on hard cases.
"""

from __future__ import annotations

from collections.abc import Mapping

from sidedoor.audit.classes import DomainClasses
from sidedoor.audit.engine.columns import MOST_CASES
from sidedoor.audit.engine.database import identifier, literal
from sidedoor.evidence.interface import CsvShape
from sidedoor.evidence.record import FACTS

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"
# The one form of RFC 5952 section 4.2, so that text compares: a zero group only where no run could be shortened
# otherwise, `::` for two groups at least, nothing before it left out (such are `::1` and IPv4-mapped addresses).
_GROUP = "[1-9a-f][0-9a-f]{0,3}"
_LEFT = rf"{_GROUP}(?::{_GROUP})?(?::(?:0:)?{_GROUP})?"
_FULL = rf"{_GROUP}:{_GROUP}(?::{_GROUP}(?::{_GROUP}|:0)|:0:{_GROUP})(?::{_GROUP}){{4}}"
IPV6 = rf"{_LEFT}::(?:{_GROUP}(?::{_GROUP})?)?|{_FULL}"
USUAL_IP = f"{IPV4}|{IPV6}"
# No blanks, brackets or quotes, and an ASCII domain: anything else is looked at by the row reader.
_ATOM, _LABEL = "[a-z0-9!#$%&'*+/=?^_`{|}~-]+", "[a-z0-9]+(?:-+[a-z0-9]+)*"
USUAL_ADDRESS = rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*"
_USUAL_LENGTH = 64  # below all limits of RFC 5321 section 4.5.3.1, that of a domain's label included
_OFFSET = "[+-][0-9]{2}:?[0-9]{2}$"
_GUID_LENGTH = 36
# What `str.strip` takes away.
_BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())

# Status of Get-MessageTraceV2, as the cmdlet writes it, to the treatment words of evidence.record.
TREATMENTS = {
    "Delivered": "delivered",
    "FilteredAsSpam": "junked",
    "Expanded": "expanded",
    "Failed": "failed",
    "GettingStatus": "pending",
    "Pending": "pending",
    "Quarantined": "quarantined",
}


def staged_expressions(number: int, shape: CsvShape) -> Mapping[str, str]:
    """Column name -> SQL over the raw cells, in staged order, then `plain`, and `utc`: what of it only text shows."""
    columns = {fact: identifier(name) for fact, name in shape.columns.items()}
    expressions: dict[str, str] = {"file": f"{number}::SMALLINT", "key": f"lower({columns['message_key']})"}
    for fact in FACTS:
        expressions[fact] = _expression(fact, columns, shape)
    expressions["tenant_id"] = "NULL::VARCHAR"
    expressions["plain"] = " AND ".join(_plain(expressions, columns))
    expressions["utc"] = " AND ".join([in_utc(columns), *_ascii(columns)])
    return expressions


def own_text(shape: CsvShape, domains: DomainClasses) -> str:
    """SQL over raw cells, true at least for rows with an own, null or empty sender; "" where the domains are too many.

    It comes before everything else and spares the work on all other rows.
    """
    ends = [f"@{domain}" for domain, number in domains.exact.items() if number < 0]
    ends += [suffix for suffix, number in domains.suffixes if number < 0]
    if len(ends) > MOST_CASES:
        return ""
    tests = []
    for fact in ("envelope_sender", "listed_sender", "header_from"):
        if fact in shape.columns:
            cell = identifier(shape.columns[fact])
            tests += [f"ends_with(lower({cell}), {literal(end)})" for end in ends]
            tests.append(f"{cell} IN ('', '<>')")
    return f"coalesce({' OR '.join(tests)}, true)" if tests else ""


def _expression(fact: str, columns: Mapping[str, str], shape: CsvShape) -> str:
    """SQL for one fact, NULL where the file does not tell it."""
    if fact == "received_at":
        return _timestamp(columns[fact], shape.timestamp)
    if fact == "envelope_sender" and fact not in columns and "listed_sender" in columns:
        # Only an envelope sender can be `<>`: a header From has an address.
        return f"CASE WHEN {columns['listed_sender']} = '<>' THEN '<>' END"
    if fact not in columns:
        return "NULL::VARCHAR"
    if fact == "client_ip":
        return columns[fact]  # upper case IPv6 is not the usual form
    cell = f"lower({columns[fact]})"
    return {
        "envelope_sender": f"CASE WHEN {cell} = '' THEN '<>' ELSE {cell} END",
        "listed_sender": f"CASE WHEN {columns[fact]} NOT IN ('', '<>') THEN {cell} END",
        "treatment": _treatment(columns[fact]),
    }.get(fact, cell)


def _treatment(column: str) -> str:
    """SQL: the cmdlet's own spellings first, because trimming and folding ten million cells costs a second.

    Any other cell is looked up as `str.strip().lower()` gives it; DuckDB would fold İ to i.
    """
    written = " ".join(f"WHEN {literal(word)} THEN {literal(meaning)}" for word, meaning in TREATMENTS.items())
    folded = " ".join(f"WHEN {literal(word.lower())} THEN {literal(meaning)}" for word, meaning in TREATMENTS.items())
    bare = f"trim({column}, {literal(_BLANKS)})"
    other = f"CASE WHEN strlen({bare}) = length({bare}) THEN CASE lower({bare}) {folded} END END"
    return f"CASE {column} {written} ELSE {other} END"


def _timestamp(column: str, pattern: str) -> str:
    if pattern == "iso":
        return f"TRY_CAST({column} AS TIMESTAMP)"
    return f"try_strptime({column}, {literal(pattern)})"


def _plain(expressions: Mapping[str, str], columns: Mapping[str, str]) -> list[str]:
    """Conditions that all must hold for a plain row; each costs about a twentieth of parsing the file."""
    senders = {
        fact: f"lower({columns[fact]})"
        for fact in ("listed_sender", "envelope_sender", "header_from")
        if fact in columns
    }
    facts = {name: expressions[name] for name in ("received_at", "recipient", "client_ip")}
    return [in_utc(columns), *_ascii(columns), *plain_values({**facts, **senders, "key": columns["message_key"]})]


def _ascii(columns: Mapping[str, str]) -> list[str]:
    """Conditions on raw cells: DuckDB folds İ and the Kelvin sign to ASCII letters, and Python does not."""
    named = ("recipient", "listed_sender", "envelope_sender", "header_from")
    return [f"strlen({columns[fact]}) = length({columns[fact]})" for fact in named if fact in columns]


def in_utc(columns: Mapping[str, str]) -> str:
    """SQL over raw cells: a time that DuckDB reads as the row reader does.

    DuckDB drops a zone offset, which the row reader converts, and takes 24:00 for the next day's midnight.
    """
    time = columns["received_at"]
    offset = f"CASE WHEN ends_with({time}, 'Z') THEN true ELSE NOT regexp_matches({time}, {literal(_OFFSET)}) END"
    return f"{offset} AND NOT contains({time}, 'T24:') AND NOT contains({time}, ' 24:')"


def plain_values(values: Mapping[str, str]) -> list[str]:
    """Conditions on the values themselves, which hold before and after they are written (name -> SQL)."""
    ip = values["client_ip"]
    conditions = [
        f"{values['received_at']} BETWEEN TIMESTAMP '2000-01-01' AND TIMESTAMP '2099-12-31 23:59:59'",
        f"strlen({values['key']}) = {_GUID_LENGTH}",
        f"strlen({values['recipient']}) < {_USUAL_LENGTH}",
        f"regexp_full_match({values['recipient']}, {literal(USUAL_ADDRESS)})",
        f"({ip} = '' OR regexp_full_match({ip}, {literal(USUAL_IP)}))",
    ]
    for fact in ("listed_sender", "envelope_sender", "header_from"):
        if fact in values:
            cell = values[fact]
            # No closing bracket, blank or quotes: the domain stands at the end, and the local part is as it is.
            end = f"({cell}[-1] BETWEEN 'a' AND 'z' OR {cell}[-1] BETWEEN '0' AND '9')"
            usual = f"strlen({cell}) = length({cell}) AND NOT contains({cell}, ' ') AND {end}"
            usual += f" AND NOT contains({cell}, '\"')"
            conditions.append(f"({cell} IN ('', '<>') OR ({usual} AND contains({cell}, '@')))")
    return conditions
