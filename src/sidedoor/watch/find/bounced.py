"""Whose mail non-delivery reports are about."""

from __future__ import annotations

from sidedoor.watch.find.door import SETTLED, WEEK, addresses
from sidedoor.watch.sight import BounceSight, SenderSight, Sight

Cases = dict[str, tuple[SenderSight | None, list[BounceSight]]]
_MOST_STRANGERS = 20


def bounced(sight: Sight) -> Cases:
    """A sender's key, or what a client that nobody knows is called -> the sender, and its reports of the last week."""
    late = [bounce for bounce in sight.bounces if sight.now - WEEK <= bounce.at <= sight.now + SETTLED]
    if not late:
        return {}
    whose, found = _Owners(sight), Cases()
    for bounce in late:
        seen = whose.of(bounce)
        found.setdefault(seen.key if seen else _stranger(bounce), (seen, []))[1].append(bounce)
    return _bounded(found)


def _bounded(found: Cases) -> Cases:
    """Whoever can write to the mailbox can make up clients: more than a few strangers are one, without a name."""
    strange = [subject for subject, (seen, _) in found.items() if seen is None]
    if len(strange) <= _MOST_STRANGERS:
        return found
    rest: Cases = {subject: case for subject, case in found.items() if case[0] is not None}
    return {**rest, "": (None, [bounce for subject in strange for bounce in found[subject][1]])}


def _stranger(bounce: BounceSight) -> str:
    """A subject for a client that is no sender of the report: the same in every run, and no sender's key."""
    return f"client {bounce.address or bounce.remote.lower() or bounce.envelope_sender.lower()}"


class _Owners:
    """Whose mail a bounce is about: by client address first, then by the envelope sender's address."""

    def __init__(self, sight: Sight) -> None:
        self._by_address: dict[str, list[SenderSight]] = {}
        self._by_name: dict[str, list[SenderSight]] = {}
        for seen in sight.senders:
            for address in addresses(seen.places):
                self._by_address.setdefault(address, []).append(seen)
            for name in seen.sender.mail_from:
                self._by_name.setdefault(name.lower(), []).append(seen)

    def of(self, bounce: BounceSight) -> SenderSight | None:
        """The sender; None where there is none, or where several could be and are not of one mind."""
        name = bounce.envelope_sender.lower()
        there = self._by_address.get(bounce.address, [])
        if there:
            return _one([seen for seen in there if name in map(str.lower, seen.sender.mail_from)] or there)
        named = [seen for seen in self._by_name.get(name, []) if "@" in name]
        alike = [seen for seen in named if bounce.remote and _greets(seen, bounce.remote)]
        # Whoever borrows the name has its bounces sent to its owner: from a strange address the host's name must fit.
        return _one(alike if alike or bounce.address else named)


def _greets(seen: SenderSight, remote: str) -> bool:
    return remote.lower() in {name.lower() for name in seen.sender.helo}


def _one(found: list[SenderSight]) -> SenderSight | None:
    if len({seen.assessment for seen in found}) != 1:
        return None
    return min(found, key=lambda seen: (-seen.sender.messages, seen.key))
