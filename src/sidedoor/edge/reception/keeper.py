"""The keeper behind the edge: checks, stamps, rules, and 250 once everything that follows is on disk."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sidedoor.edge.delivery.notice import failure_notice
from sidedoor.edge.interface import Action, Handled, Receipt, Recipient, Transaction
from sidedoor.edge.reception.authenticator import Authenticator
from sidedoor.edge.reception.forwarder import forwarded_without_srs
from sidedoor.edge.reception.stamps import Marks, Stamped, firewall, sender_of
from sidedoor.edge.reception.treatment import Rules, Treatment, plain
from sidedoor.edge.spool.model import Fate, Held, Kept, Outcome, SpoolError
from sidedoor.edge.spool.spool import Spool
from sidedoor.edge.trace import received
from sidedoor.errors import UnreachableError
from sidedoor.mail.address import Address
from sidedoor.mail.reply import Reply
from sidedoor.mailauth.authenticate import MessageAuthentication
from sidedoor.mailauth.spf import SpfResult

NO_ROOM = Reply(452, "4.3.1", "Insufficient system storage")  # RFC 5321 section 4.2.3
AWAY = Reply(451, "4.3.0", "Message cannot be kept now, try again later")  # RFC 3463 section 3.4


class Vault(Protocol):
    """Holds messages back where several edges share them."""

    async def hold(self, held: Sequence[Held]) -> None:
        """Return when all of them are kept for good. Raises UnreachableError where they are not."""

    async def unhold(self, ids: Iterable[str]) -> None:
        """Take back what was just held, because its client is told 4yz."""


@dataclass(frozen=True, slots=True)
class Reception:
    """`rules` gives the transport rules in force, None where the tenant has none; `authenticator` None: not checked.

    vault: where messages are held back; in the spool where there is none.
    """

    spool: Spool
    hostname: str
    marks: Marks
    rules: Callable[[], Rules | None]
    authenticator: Authenticator | None = None
    vault: Vault | None = None

    async def keep(self, transaction: Transaction) -> Receipt:
        """See `Keeper`."""
        found = None
        if self.authenticator is not None and not all(each.relayed for each in transaction.recipients):
            found = await self.authenticator.check(transaction)
        treatments = [*self._relayed(transaction), *await self._received(transaction, found)]
        results = None if found is None else _results(found)
        if all(one.action is Action.REJECT for one in treatments):
            reply = next(one.reply for one in treatments if one.reply is not None)
            return Receipt(reply, results, {one.recipient.address: _handled(one, "", found) for one in treatments})
        copies = list(_copies(transaction, treatments))
        messages = [*_messages(copies), *self._notices(transaction, treatments, found)]
        held = [Held(copy.message, copy.why) for copy in copies if copy.why is not None]
        try:
            await self._keep(messages, held)
        except SpoolError:
            return Receipt(NO_ROOM, results)
        except UnreachableError:
            return Receipt(AWAY, results)
        ids = {recipient: copy.message.id for copy in copies for recipient in copy.recipients}
        handled = {
            one.recipient.address: _handled(one, ids.get(one.recipient.address, ""), found) for one in treatments
        }
        return Receipt(Reply(250, "2.6.0", f"{transaction.id} Queued mail for delivery"), results, handled)

    async def _keep(self, messages: Sequence[Kept], held: Sequence[Held]) -> None:
        """All of it, or nothing that its client is not told of: the vault first, because it can take back."""
        if self.vault is None or not held:
            await self.spool.keep(messages, held)
            return
        await self.vault.hold(held)
        if not messages:
            return
        try:
            await self.spool.keep(messages)
        except BaseException:
            await self.vault.unhold(one.message.id for one in held)
            raise

    def _relayed(self, transaction: Transaction) -> Iterator[Treatment]:
        """Copies of devices: one trace field, nothing else touched, so that their signatures stay whole."""
        to = tuple(each for each in transaction.recipients if each.relayed)
        if not to:
            return
        content = received(replace(transaction, recipients=to), self.hostname) + transaction.content
        for recipient in to:
            yield plain(recipient, content, Action.RELAY)

    async def _received(self, transaction: Transaction, found: MessageAuthentication | None) -> Sequence[Treatment]:
        taken = tuple(each for each in transaction.recipients if not each.relayed)
        own = transaction if len(taken) == len(transaction.recipients) else replace(transaction, recipients=taken)
        rules = self.rules()
        below = firewall(own.content, self.hostname) if own.recipients else b""
        treatments: list[Treatment] = []
        for group in _alike(own.recipients):
            part = own if len(group) == len(own.recipients) else replace(own, recipients=group)
            stamped = Stamped(part, group[0], self.hostname, found, self.marks)
            content = received(part, self.hostname) + stamped.fields() + below
            if rules is None:
                treatments += [plain(recipient, content) for recipient in group]
            else:
                # Patterns over hostile text may take their time; the other connections do not wait for it.
                shown = b"" if self.marks is Marks.TWIN else stamped.twin()
                treatments += await asyncio.to_thread(rules.treat, part, content, shown, transaction.received_at)
        return treatments

    def _notices(
        self, transaction: Transaction, treatments: Iterable[Treatment], found: MessageAuthentication | None
    ) -> Iterator[Kept]:
        """Where some recipients were refused by a rule and others not, the sender is told by mail.

        Not where SPF says that it is not his address: he would be told of mail that he never sent.
        """
        refused = [one for one in treatments if one.action is Action.REJECT and one.reply is not None]
        if not refused or (found is not None and found.spf is not None and found.spf.result is SpfResult.FAIL):
            return
        outcomes = [
            Outcome(str(one.recipient.address), Fate.FAILED, f"{one.reply.code} {one.reply.enhanced} {one.reply.text}")
            for one in refused
            if one.reply is not None
        ]
        message = Kept(transaction.id, transaction.received_at, sender_of(transaction), (), transaction.content)
        notice = failure_notice(uuid.uuid4().hex, message, outcomes, self.hostname, transaction.received_at)
        if notice is not None:
            yield notice


@dataclass(frozen=True, slots=True)
class _Copy:
    """One message for the spool; `recipients` are those of the transaction that it is for. why: of a quarantine."""

    message: Kept
    recipients: tuple[Address, ...]
    why: str | None


def _copies(transaction: Transaction, treatments: Iterable[Treatment]) -> Iterator[_Copy]:
    """Recipients with the same content share a copy."""
    groups: dict[tuple[bool, str, bytes], list[Treatment]] = {}
    for one in treatments:
        if one.action in {Action.DELIVER, Action.RELAY, Action.QUARANTINE}:
            groups.setdefault((one.action is Action.QUARANTINE, one.why, one.content), []).append(one)
    for number, ((held, why, content), ones) in enumerate(groups.items()):
        to = tuple(dict.fromkeys(address for one in ones for address in one.to))
        name = transaction.id if not number else f"{transaction.id}-{number}"
        message = Kept(name, transaction.received_at, sender_of(transaction), to, content, transaction.smtputf8)
        yield _Copy(message, tuple(one.recipient.address for one in ones), why if held else None)


def _messages(copies: Iterable[_Copy]) -> Iterator[Kept]:
    return (copy.message for copy in copies if copy.why is None)


def _alike(recipients: Sequence[Recipient]) -> Iterator[tuple[Recipient, ...]]:
    """Recipients whose stamps are the same; decisions may differ, because attribution is per recipient."""
    groups: dict[object, list[Recipient]] = {}
    for recipient in recipients:
        decision = recipient.decision
        key = (decision.submission, decision.verdict, decision.would_reject, decision.certainty)
        groups.setdefault(key, []).append(recipient)
    yield from map(tuple, groups.values())


def _handled(one: Treatment, name: str, found: MessageAuthentication | None) -> Handled:
    return Handled(one.action, one.rules, (*one.notes, *forwarded_without_srs(one.recipient, found)), name)


def _results(found: MessageAuthentication) -> Mapping[str, str]:
    """One word a method; of several signatures the best."""
    words = [each.word.value for each in found.dkim]
    dkim = "pass" if "pass" in words else words[0] if words else "none"
    return {
        "spf": found.spf.result.value if found.spf else "none",
        "dkim": dkim,
        "dmarc": found.dmarc.word.value,
        "arc": found.arc.chain.value,
    }
