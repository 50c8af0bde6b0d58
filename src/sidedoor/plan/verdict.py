"""Whether a plan is ready, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sidedoor.audit.coverage import SOURCES
from sidedoor.audit.model import Verdict
from sidedoor.plan.facts import SenderFacts
from sidedoor.plan.model import CONNECTOR_METHODS, Blocker, Choice, Method, Replay, Unsavable
from sidedoor.plan.words import Words

# What no word of a person makes right: a connector for these lets strangers in.
_NEVER = frozenset(
    {"shared-addresses", "spoof-from-the-same-address", "ipv6", "private-address", "return-path-accepted"}
)


def blockers(
    choices: Sequence[Choice], facts: Sequence[SenderFacts], words: Words, replay: Replay, held: Mapping[str, int]
) -> tuple[Blocker, ...]:
    """Empty where nothing honest is refused or held, no spoof is let in, and nobody has to be asked."""
    replayed = {each.sender: each for each in replay.senders}
    found: list[Blocker] = []
    for choice, fact in zip(choices, facts, strict=True):
        found += _of_choice(choice, fact, words)
        result = replayed[choice.sender]
        if choice.assessment is not Verdict.LEGITIMATE or choice.method in {Method.REFUSE, Method.UNSAVABLE}:
            continue
        if choice.method is not Method.UNDECIDED and result.after.refused:
            codes = ", ".join(f"{code or 'a refusal'} for {count:,}" for code, count in result.by_reply.items())
            text = f"{choice.name} would still be refused: {codes}"
            if choice.method is Method.NOTHING and result.before.refused:
                text += "; today's connectors would refuse it too, and yet it came in: was one of them made since?"
            found.append(Blocker("honest-refused", choice.sender, text))
        if result.after.undetermined:
            settle = "; ".join(f"{fact}: {_how(fact)}" for fact in result.missing) or "better exports"
            text = (
                f"whether {choice.name} gets through is not known for {result.after.undetermined:,} messages ({settle})"
            )
            found.append(Blocker("honest-undetermined", choice.sender, text))
        if held.get(choice.sender):
            text = f"the quarantine rule would hold {held[choice.sender]:,} messages of {choice.name}"
            found.append(Blocker("honest-held", choice.sender, text))
    return (*found, *_of_replay(choices, replay), *_of_rule(held))


def _how(fact: str) -> str:
    """The export that tells a fact."""
    if fact == "tls":
        return "a connector requires TLS, and only details or an extended historical search tell who uses it"
    return SOURCES[fact].how_to_get_it if fact in SOURCES else "see docs/formats.md"


def _of_rule(held: Mapping[str, int]) -> Iterator[Blocker]:
    if held.get(""):
        text = f"the quarantine rule would hold {held['']:,} messages of senders outside that nobody has called spoofs"
        yield Blocker("honest-held", "", text)


def _of_choice(choice: Choice, facts: SenderFacts, words: Words) -> Iterator[Blocker]:
    name = choice.name
    if choice.method is Method.UNDECIDED:
        yield Blocker("undecided", choice.sender, f"{name}: {choice.reasons[0].text}")
    elif choice.method is Method.UNSAVABLE:
        yield Blocker("unsavable", choice.sender, f"{name}: {choice.reasons[0].text}")
    for warning in choice.warnings:
        if warning.id in _NEVER:
            yield Blocker(warning.id, choice.sender, f"{name}: {warning.text}")
    if choice.method in CONNECTOR_METHODS and not choice.certificate and not (facts.addresses or facts.word.addresses):
        yield Blocker("no-address-known", choice.sender, f"{name}: no address to put into a connector is known")
    if choice.method is Method.PARTNER_CERTIFICATE and not choice.certificate:
        yield Blocker("no-certificate-known", choice.sender, f"{name}: say certificate = in plan.toml")
    if choice.relay is not None and choice.relay not in words.relays:
        yield Blocker("no-such-relay", choice.sender, f"{name}: plan.toml has no [relays.{choice.relay}]")


def _of_replay(choices: Sequence[Choice], replay: Replay) -> Iterator[Blocker]:
    if replay.spoofing_admitted:
        text = f"the plan's connectors would let in {replay.spoofing_admitted:,} messages of spoofing senders"
        by_id = {each.sender: each for each in replay.senders}
        who = [each.name for each in choices if each.assessment is Verdict.SPOOFING and by_id[each.sender].connectors]
        text += f": {', '.join(who[:3])}" if who else ""
        yield Blocker("spoof-admitted", "", text)
    if replay.newly_restricted:
        text = f"{replay.newly_restricted:,} messages that come in today would be refused by a restriction (5.7.51)"
        yield Blocker("newly-restricted", "", text)
    if not replay.messages:
        yield Blocker("no-history", "", "the history holds no message: nothing is proven by it")


def unsavable(
    choices: Iterable[Choice], replay: Replay, recipients: Mapping[str, tuple[tuple[str, ...], int]]
) -> tuple[Unsavable, ...]:
    """Senders that no plan can save, with those who lose mail."""
    refused = {each.sender: each.after.refused + each.after.undetermined for each in replay.senders}
    return tuple(
        Unsavable(
            choice.sender, choice.name, choice.reasons[0].text, *recipients.get(choice.sender, ((), 0)),
            messages=refused[choice.sender],
        )
        for choice in choices
        if choice.method is Method.UNSAVABLE
    )  # fmt: skip
