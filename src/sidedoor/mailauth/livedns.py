"""DNS of the real world, within a budget: many questions at once, none waited for long, nothing asked twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from sidedoor.errors import UsageError
from sidedoor.mail.domain import Domain
from sidedoor.mailauth.resolver import Answer, Failure, Kind, NoData, NoSuchName, Query, Records, askable, fold
from sidedoor.mailauth.zonefile import record_text

if TYPE_CHECKING:
    import dns.resolver

QUERY_SECONDS = 2.0
BUDGET_SECONDS = 8.0
_WORKERS = 32
_MAX_CACHED = 100_000


class LiveDns:
    """Asks the system's name servers, or `nameservers` (addresses) on `port`.

    A question takes at most `query_seconds`; all questions together keep a caller waiting `budget_seconds` at most,
    after which everything not yet known is a temporary Failure. Answers are kept as long as the object lives: make
    one a run.
    Safe to use from several threads.
    """

    def __init__(
        self,
        nameservers: Sequence[str] | None = None,
        port: int = 53,
        query_seconds: float = QUERY_SECONDS,
        budget_seconds: float = BUDGET_SECONDS,
        client: dns.resolver.Resolver | None = None,
    ) -> None:
        """`client`: see `Budgets`."""
        self._nameservers, self._port = nameservers, port
        self._query_seconds, self._left = query_seconds, budget_seconds
        self._cache: dict[Query, Answer] = {}
        self._lock = threading.Lock()
        self._client = client

    def lookup(self, name: Domain | str, kind: Kind) -> Answer:
        """Answer from the cache, or ask and wait."""
        query = (fold(name), kind)
        if query not in self._cache:
            self.prefetch([query])
        return self._cache.get(query, self._exhausted(query))

    def prefetch(self, queries: Iterable[Query]) -> None:
        """Ask all that is not known yet at once, and wait until all is answered or the budget is spent."""
        wanted = [query for query in dict.fromkeys(queries) if query not in self._cache]
        if not wanted or self._left <= 0 or len(self._cache) >= _MAX_CACHED:
            return
        started = time.monotonic()
        pool = ThreadPoolExecutor(min(_WORKERS, len(wanted)), thread_name_prefix="dns")
        futures = {pool.submit(self._ask, query, started + self._left): query for query in wanted}
        done, _ = wait(futures, timeout=self._left)
        pool.shutdown(wait=False, cancel_futures=True)
        for future in done:
            self._cache[futures[future]] = future.result()
        with self._lock:
            self._left -= time.monotonic() - started

    def _exhausted(self, query: Query) -> Failure:
        return Failure(f"no time left to ask for {query[1]} of {query[0]}", temporary=True)

    def _ask(self, query: Query, deadline: float) -> Answer:
        """One question to the name servers, in a worker thread."""
        if not askable(query[0]):
            return NoSuchName()  # no name server could hold it
        seconds = min(self._query_seconds, deadline - time.monotonic())
        return self._resolve(query, seconds) if seconds > 0 else self._exhausted(query)

    def _resolve(self, query: Query, seconds: float) -> Answer:
        """dnspython's exceptions are its answers; each becomes ours."""
        import dns.exception
        import dns.name
        import dns.resolver

        name, kind = query
        # Label by label: a backslash in a client's HELO name or local part is a character of it, no escape.
        owner = dns.name.Name([*(label.encode("ascii") for label in name.split(".")), b""])
        try:
            answer = self._resolver().resolve(owner, kind.value, lifetime=seconds, search=False)
            return Records(tuple(record_text(record, kind.value) for record in answer))
        except dns.resolver.NXDOMAIN:
            return NoSuchName()
        except dns.resolver.NoAnswer:
            return NoData()
        except dns.resolver.NoResolverConfiguration:
            return Failure("this machine has no name server configured", temporary=False)
        except (dns.exception.Timeout, OSError):
            return Failure(f"no answer for {kind} of {name} within {seconds:.1f} s", temporary=True)
        except (dns.exception.DNSException, ValueError) as error:
            return Failure(f"{kind} of {name}: {str(error)[:120] or type(error).__name__}", temporary=True)

    def _resolver(self) -> dns.resolver.Resolver:
        with self._lock:
            if self._client is None:
                self._client = _new_client(self._nameservers, self._port)
            return self._client


class Budgets:
    """For a server: each call gives a `LiveDns` with a budget of its own; their answers are shared for their TTL."""

    def __init__(
        self, nameservers: Sequence[str] | None = None, port: int = 53, budget_seconds: float = BUDGET_SECONDS
    ) -> None:
        """Raises UsageError where this machine has no name server configured."""
        import dns.resolver

        try:
            self._client = _new_client(nameservers, port)
        except dns.resolver.NoResolverConfiguration as error:
            raise UsageError("this machine has no name server configured") from error
        self._client.cache = dns.resolver.LRUCache(_MAX_CACHED)
        self._seconds = budget_seconds

    def __call__(self) -> LiveDns:
        """For one piece of work."""
        return LiveDns(budget_seconds=self._seconds, client=self._client)


def _new_client(nameservers: Sequence[str] | None, port: int) -> dns.resolver.Resolver:
    import dns.resolver

    client = dns.resolver.Resolver(configure=nameservers is None)
    if nameservers is not None:
        client.nameservers, client.port = list(nameservers), port
    return client
