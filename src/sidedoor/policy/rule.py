"""The rule of a tenant: `compile_rule` once, `Rule.decide` for each message or flow. `decide` does both.

Pure: no I/O, no clock. Deciding known facts takes some microseconds; each unknown multiplies the worlds decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import islice

from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import IPNetwork, Partition, partition
from sidedoor.policy.case import Settings
from sidedoor.policy.decision import Decision
from sidedoor.policy.examples import Examples
from sidedoor.policy.facts import Connection, Envelope, MessageFacts, Tls
from sidedoor.policy.history import FORCED, settle_history
from sidedoor.policy.replay import settle_again
from sidedoor.policy.steps import settle
from sidedoor.policy.switches import DEFAULT_SWITCHES, Switches
from sidedoor.policy.world import World
from sidedoor.policy.worlds import MAX_WORLDS, Decided, completions, fact_names, merge, overwhelmed, varying
from sidedoor.tenant.snapshot import TenantSnapshot


class Rule:
    """The rule for one snapshot and one reading of the open questions; immutable, safe to share between threads."""

    def __init__(
        self, snapshot: TenantSnapshot, switches: Switches = DEFAULT_SWITCHES, alike: Rule | None = None
    ) -> None:
        """`alike`: a rule of the same snapshot, whose look-up tables are shared; they do not depend on switches."""
        self.snapshot, self.switches = snapshot, switches
        addresses = _filter_addresses(snapshot)
        self.examples: Examples = Examples(snapshot, addresses) if alike is None else alike.examples
        rules = () if isinstance(snapshot.transport_rules, Unknown) else snapshot.transport_rules
        self._settings = Settings(
            switches,
            snapshot.reject_direct_send,
            addresses,
            snapshot.mail_exchangers,
            has_transport_rules=any(row.enabled is not False for row in rules),
            trusts_organisations=any(
                row.trusted_organizations and row.enabled is not False for row in snapshot.known_connectors
            ),
        )

    def decide(self, connection: Connection, envelope: Envelope, message: MessageFacts) -> Decision:
        """What Exchange Online does (or did) with one message to one recipient, as far as the facts tell."""
        worlds = completions(self.examples, connection, envelope, message)
        history = message.accepted
        run = settle_history if history else settle
        first = next(worlds)
        second = next(worlds, None)
        if second is None:
            return run(first[1], self._settings)
        rest = [first, second, *islice(worlds, MAX_WORLDS - 1)]
        names = fact_names(self.examples, history=history)
        if len(rest) > MAX_WORLDS:
            return overwhelmed(varying([choices for choices, _ in rest], names))
        decided = [Decided(choices, run(world, self._settings)) for choices, world in rest]
        return merge(_explained(decided), names)

    def decide_again(
        self,
        connection: Connection,
        envelope: Envelope,
        message: MessageFacts,
        unheard: AbstractSet[str] = frozenset(),
    ) -> Decision:
        """What the door of this snapshot does with a message of the past (`message.accepted`) that comes again.

        unheard: certificate names that only new connectors ask for; a client whose certificate is unknown has none of
        them. Where the verdict is not the same in all worlds, the reasons have `verdict-depends-on-unknown`.
        """
        certain = not isinstance(connection.tls, Tls) or not isinstance(connection.tls.client_certificate, Unknown)
        decided: list[Decided] = []
        for choices, world in completions(self.examples, connection, envelope, message):
            if unheard and not certain and _shows(world, unheard):
                continue
            decided.append(Decided(choices, settle_again(world, self._settings)))
            if len(decided) > MAX_WORLDS:
                return overwhelmed(fact_names(self.examples, history=True))
        if len(decided) == 1:
            return decided[0].decision
        return merge(_explained(decided), fact_names(self.examples, history=True))

    def worlds(self, connection: Connection, envelope: Envelope, message: MessageFacts) -> Iterator[Decision]:
        """The decision of each way the unknown facts could be, at most `MAX_WORLDS`; see `worlds.strictest`."""
        run = settle_history if message.accepted else settle
        for _, world in islice(completions(self.examples, connection, envelope, message), MAX_WORLDS):
            yield run(world, self._settings)


def compile_rule(snapshot: TenantSnapshot, switches: Switches = DEFAULT_SWITCHES) -> Rule:
    """Make look-up tables of a snapshot, in O(n log n) of its accepted domains, connectors and networks."""
    return Rule(snapshot, switches)


_last: Rule | None = None


def decide(
    snapshot: TenantSnapshot,
    connection: Connection,
    envelope: Envelope,
    message_facts: MessageFacts,
    switches: Switches = DEFAULT_SWITCHES,
) -> Decision:
    """Decide one message; the compiled rule of the last snapshot (by identity) is kept."""
    global _last  # noqa: PLW0603  # one slot, replaced as a whole: a memo, never an answer
    rule = _last
    if rule is None or rule.snapshot is not snapshot or rule.switches != switches:
        rule = _last = compile_rule(snapshot, switches)
    return rule.decide(connection, envelope, message_facts)


def _explained(decided: list[Decided]) -> list[Decided]:
    """Without the worlds that only the record's direction makes possible, unless there are no others."""
    kept = [each for each in decided if FORCED not in each.decision.reasons]
    return kept or decided


def _shows(world: World, names: AbstractSet[str]) -> bool:
    return world.certificate is not None and any(name in names for name in world.certificate.dns_names)


def _filter_addresses(snapshot: TenantSnapshot) -> Partition[str] | None:
    lists = snapshot.connection_filter
    if isinstance(lists, Unknown):
        return None
    labelled: list[tuple[IPNetwork, str]] = [(network, "allow") for network in lists.allow]
    labelled += [(network, "block") for network in lists.block]
    return partition(labelled)
