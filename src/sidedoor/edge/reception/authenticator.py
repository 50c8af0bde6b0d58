"""SPF, DKIM, ARC and DMARC of messages that came in, some at a time, each within its own budget of DNS time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sidedoor.edge.interface import Transaction
from sidedoor.edge.reception.stamps import sender_of
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mailauth.authenticate import Client, MessageAuthentication, authenticate
from sidedoor.mailauth.resolver import Resolver

_AT_ONCE = 16


class Authenticator:
    """`resolver` gives each message a resolver of its own, whose time is that message's alone."""

    def __init__(self, resolver: Callable[[], Resolver], at_once: int = _AT_ONCE) -> None:
        """`at_once`: messages checked at a time; the others wait for their turn."""
        self._resolver = resolver
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="authentication")

    async def check(self, transaction: Transaction) -> MessageAuthentication:
        """Raises nothing: what could not be checked says why."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._check, transaction)

    def _check(self, transaction: Transaction) -> MessageAuthentication:
        session = transaction.session
        client = Client(session.client_ip, session.helo or "", sender_of(transaction))
        try:
            authors = [parse_domain((transaction.header_from or "").rpartition("@")[2])]
        except DomainError:
            authors = []
        return authenticate(transaction.content, authors, client, self._resolver(), transaction.received_at)

    def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)
