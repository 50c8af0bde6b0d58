"""A compiled SPF record in columns: what it says of millions of addresses, by one join."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from sidedoor.audit.engine.database import Database
from sidedoor.mailauth.spf import SpfEvidence, SpfSet

_BUCKET_BITS = 16  # a bucket is a /16: 65,536 of them, and each run that ends within one adds a row
# So many runs in one bucket make a hash join look at too many rows for an address; an ASOF join never does.
_MOST_RUNS = 64
_INTEGER = {4: "UINTEGER", 6: "UHUGEINT"}


class SpfColumns:
    """The runs of an SpfSet as tables of `database`; one an instance of Database.

    `runs[n]` is the evidence behind the number n in a column `run`.
    """

    def __init__(self, database: Database, spf: SpfSet) -> None:
        self.runs: list[SpfEvidence] = []
        self._bucketed = False
        for version in (4, 6):
            edges = self._number(spf, version)
            columns = {"first": _INTEGER[version], "run": "INTEGER"}
            database.load(f"spf_edges{version}", columns, [(first, run) for first, _, run in edges])
            if version == 4:
                self._load_buckets(database, edges)

    def evaluated(self, relation: str, address: str, version: int) -> str:
        """A query: the rows of `relation` with the column `run` beside theirs, in no order.

        `address` is its column (or an expression) of addresses as integers, UINTEGER of IPv4 (`version` 4), UHUGEINT of
        IPv6 (6). A null address has a null `run`.
        """
        if version == 4 and self._bucketed:
            return (
                f"SELECT given.*, spf_buckets.run FROM {relation} AS given LEFT JOIN spf_buckets "
                f"ON ({address} >> {_BUCKET_BITS}) = spf_buckets.bucket "
                f"AND {address} BETWEEN spf_buckets.first AND spf_buckets.last"
            )
        edges = f"spf_edges{version}"
        return (
            f"SELECT given.*, {edges}.run FROM {relation} AS given ASOF LEFT JOIN {edges} ON {address} >= {edges}.first"
        )

    def _number(self, spf: SpfSet, version: int) -> Sequence[tuple[int, int, int]]:
        numbered = []
        for first, last, evidence in spf.runs(version):
            numbered.append((first, last, len(self.runs)))
            self.runs.append(evidence)
        return numbered

    def _load_buckets(self, database: Database, edges: Sequence[tuple[int, int, int]]) -> None:
        rows = list(chain.from_iterable(_split(*edge) for edge in edges))
        most = max(Counter(bucket for bucket, *_ in rows).values())
        self._bucketed = most <= _MOST_RUNS
        if self._bucketed:
            columns = {"bucket": "UINTEGER", "first": "UINTEGER", "last": "UINTEGER", "run": "INTEGER"}
            database.load("spf_buckets", columns, rows)


def _split(first: int, last: int, run: int) -> Iterator[tuple[int, int, int, int]]:
    """A run cut at the edges of buckets."""
    for bucket in range(first >> _BUCKET_BITS, (last >> _BUCKET_BITS) + 1):
        start = bucket << _BUCKET_BITS
        yield bucket, max(first, start), min(last, start + 2**_BUCKET_BITS - 1), run
