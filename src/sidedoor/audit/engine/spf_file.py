"""What a record says of every address in a file: one a line, IPv4 and IPv6 mixed, however many."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.spf import SpfColumns
from sidedoor.errors import InputError
from sidedoor.mail.network import NetworkError
from sidedoor.mailauth.spf import SpfEvidence, SpfSet

_CHUNK = 2**22
_MAX_TEXT = 100  # characters of a line that are kept; the longest address with brackets and zone id has fewer
_SEPARATOR = "\x1f"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IP4 = rf"{_OCTET}(\.{_OCTET}){{3}}"


@dataclass(frozen=True, slots=True)
class AddressLine:
    """One line of the file: its 1-based number, what it says (cut), and the evidence, None where it is no address."""

    number: int
    text: str
    evidence: SpfEvidence | None


class AddressFile:
    """The addresses of a file beside what an SpfSet says of each; blank lines and lines from # on are left out."""

    def __init__(self, database: Database, columns: SpfColumns) -> None:
        self._database, self._runs = database, columns.runs

    def lines(self) -> Iterator[AddressLine]:
        """All lines in the order of the file."""
        for batch in self._database.batches("SELECT line, text, run FROM spf_answers ORDER BY line"):
            for number, text, run in batch:
                yield AddressLine(number, text, None if run is None else self._runs[run])

    def unreadable(self, most: int) -> tuple[int, list[AddressLine]]:
        """How many lines hold no address, and the first of them."""
        total = self._database.scalar("SELECT count(*) FROM spf_answers WHERE run IS NULL")
        rows = self._database.rows("SELECT line, text FROM spf_answers WHERE run IS NULL ORDER BY line LIMIT ?", [most])
        return total, [AddressLine(number, text, None) for number, text in rows]

    def counts(self) -> list[tuple[SpfEvidence, int, int, str]]:
        """For each piece of evidence: lines, different addresses, and one of them; the most lines first."""
        rows = self._database.rows(
            "SELECT run, count(*), count(DISTINCT text), min(text) FROM spf_answers WHERE run IS NOT NULL "
            "GROUP BY run ORDER BY 2 DESC, run"
        )
        return [(self._runs[run], lines, addresses, example) for run, lines, addresses, example in rows]


def evaluate_file(database: Database, spf: SpfSet, stream: IO[bytes], name: str) -> AddressFile:
    """Read the addresses of `stream` (UTF-8, or UTF-16 with a mark) and evaluate each. Raises InputError."""
    columns = SpfColumns(database, spf)
    path = database.folder / "addresses.txt"
    with path.open("w", encoding="utf-8", newline="") as staged:
        for number, text in _numbered(stream, name):
            staged.write(f"{number}{_SEPARATOR}{text}\n")
    database.run(
        f"CREATE TEMP TABLE spf_lines AS SELECT line, text, CASE WHEN regexp_full_match(text, {literal(_IP4)}) THEN "
        "split_part(text, '.', 1)::UINTEGER * 16777216 + split_part(text, '.', 2)::UINTEGER * 65536 "
        "+ split_part(text, '.', 3)::UINTEGER * 256 + split_part(text, '.', 4)::UINTEGER END AS ip4 "
        f"FROM read_csv({literal(path)}, header = false, auto_detect = false, delim = {literal(_SEPARATOR)}, "
        "quote = '', escape = '', new_line = '\\n', columns = {'line': 'UBIGINT', 'text': 'VARCHAR'})"
    )
    path.unlink()
    _load_others(database, spf, columns)
    plain = columns.evaluated("(SELECT line, text, ip4 FROM spf_lines WHERE ip4 IS NOT NULL)", "ip4", 4)
    others = "SELECT line, spf_lines.text, run FROM spf_lines LEFT JOIN spf_others USING (text) WHERE ip4 IS NULL"
    database.run(f"CREATE TEMP TABLE spf_answers AS SELECT line, text, run FROM ({plain}) UNION ALL {others}")
    return AddressFile(database, columns)


def _load_others(database: Database, spf: SpfSet, columns: SpfColumns) -> None:
    """Texts that are no plain IPv4 address, each once: IPv6, brackets, zone ids, and what is no address at all."""
    numbers = {id(evidence): number for number, evidence in enumerate(columns.runs)}

    def rows() -> Iterator[tuple[str, int | None]]:
        for batch in database.batches("SELECT DISTINCT text FROM spf_lines WHERE ip4 IS NULL"):
            for (text,) in batch:
                yield text, _run_of(text, spf, numbers)

    database.load("spf_others", {"text": "VARCHAR", "run": "INTEGER"}, list(rows()))


def _run_of(text: str, spf: SpfSet, numbers: dict[int, int]) -> int | None:
    try:
        return numbers[id(spf.evaluate(text))]
    except NetworkError:
        return None


def _numbered(stream: IO[bytes], name: str) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their numbers, cut and in one line ending; in bounded memory."""
    start = stream.read(2)
    encoding = "utf-16" if start in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    rest, number, data = "", 0, start + stream.read(_CHUNK)
    while True:
        text = decoder.decode(data, final=not data)
        if "\0" in text:
            at = number + 1 + text.count("\n", 0, text.index("\0"))
            raise InputError(name, "a NUL character", "addresses, one a line", at)
        lines = (rest + text).replace("\r\n", "\n").split("\n")
        rest = lines.pop() if data else ""
        for number, line in enumerate(lines, number + 1):  # noqa: B020  # goes on counting
            said = line[: 2 * _MAX_TEXT].strip().replace(_SEPARATOR, "?").replace("\r", "?")[:_MAX_TEXT]
            if said and not said.startswith("#"):
                yield number, said
        if not data:
            return
        rest = rest[: 2 * _MAX_TEXT]
        data = stream.read(_CHUNK)
