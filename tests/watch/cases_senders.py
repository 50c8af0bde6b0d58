"""What happens to senders and traffic, and what must, and must not, be found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sidedoor.audit.model import Verdict
from sidedoor.policy.decision import Submission
from sidedoor.store.model import Word
from sidedoor.tenant.snapshot import SenderDomainPattern
from sidedoor.watch.sight import ReportedSight, SenderSight
from tests.watch.case import Case
from tests.watch.kit import (
    DEVICES,
    TODAY,
    ago,
    at,
    baseline_of,
    connector,
    daily,
    migrated,
    seen,
    settings,
    shut,
    sight,
    with_senders,
    with_settings,
)  # fmt: skip

_ERP = DEVICES[2]
_STRANGE = seen("scanner", daily(2), address="198.18.0.5")
_UNCLEAR = seen("scanner", daily(2), address="198.18.0.5", assessment=Verdict.UNCLEAR)
_SPOOF = seen("thief", daily(2), address="45.99.1.2", assessment=Verdict.SPOOFING)
_FORWARDER = seen("forward", daily(5), address="198.18.9.9", reasons=("forwarder",), assessment=Verdict.UNCLEAR)


_MAYBE = seen("maybe", daily(3), address="198.18.0.5", submission=Submission.UNDETERMINED)
NEW = [
    Case("new-sender", "one that looks honest", with_senders(_STRANGE), finds={"scanner": "warning"}),
    Case("new-sender", "one that nobody can judge", with_senders(_UNCLEAR), finds={"scanner": "warning"}),
    Case(
        "new-sender",
        "one that nobody can judge while the door is closed",
        migrated(10, replace(_UNCLEAR, blocked=6, last_blocked=_UNCLEAR.sender.last_seen)),
        shut(),
        finds={"scanner": "serious"},
    ),
    Case(
        "new-sender",
        "mail from before the closing that came late",
        migrated(0.01, _UNCLEAR),
        shut(0.01),
        finds={"scanner": "warning"},
    ),
    Case("new-sender", "a spoofer is for information", with_senders(_SPOOF), finds={"thief": "info"}),
    Case(
        "new-sender",
        "a spoofer that has gone is nobody's task",
        with_senders(seen("thief", daily(20, 12), address="45.99.1.2", assessment=Verdict.SPOOFING)),
    ),
    Case("new-sender", "a person has decided", with_senders(replace(_UNCLEAR, word=Word.LEGITIMATE))),
    Case("new-sender", "a person has decided that it is a spoof", with_senders(replace(_STRANGE, word=Word.SPOOFING))),
    Case(
        "new-sender",
        "a person has seen it and not decided",
        with_senders(replace(_STRANGE, word=Word.UNCLEAR)),
        finds={"scanner": "warning"},
    ),
    Case(
        "new-sender",
        "no Direct Send",
        with_senders(seen("esp", daily(3), address="198.18.0.5", submission=Submission.INTERNET)),
    ),
    Case(
        "new-sender",
        "may be Direct Send",
        with_senders(seen("maybe", daily(3), address="198.18.0.5", submission=Submission.UNDETERMINED)),
        finds={"maybe": "warning"},
    ),
    Case(
        "new-sender",
        "may be Direct Send, and nothing of it would be refused",
        with_senders(
            replace(_MAYBE, sender=replace(_MAYBE.sender, would_reject=0, would_reject_unknown=0)),
        ),
    ),
    Case(
        "new-sender",
        "the history was never told before",
        with_senders(_STRANGE),
        replace(baseline_of(sight()), history_since=None),
    ),
    Case("new-sender", "the history is not told now", replace(with_senders(_STRANGE), untold={"history": "no answer"})),
    Case(
        "new-sender",
        "one that was taken out of service is back",
        sight(),
        replace(
            baseline_of(sight()),
            senders={
                **baseline_of(sight()).senders,
                "printer": replace(baseline_of(sight()).senders["printer"], accepted=False, last_seen=ago(9)),
            },
        ),
        finds={"printer": "warning"},
    ),
    Case(
        "new-sender",
        "one that was taken out of service stays away",
        with_senders(seen("printer", daily(50, 12))),
        replace(
            baseline_of(sight()),
            senders={
                **baseline_of(sight()).senders,
                "printer": replace(baseline_of(sight()).senders["printer"], accepted=False, last_seen=ago(11.9)),
            },
        ),
    ),
]
_ELSEWHERE = seen("new-line", daily(4), address="198.18.77.1", helo=["printer-mfp1"], mail_from=["printer@contoso.com"])
MOVED = [
    Case(
        "sender-moved",
        "the same sender at a strange address",
        with_senders(
            seen("printer", places=frozenset({("203.0.113.10", "contoso.com"), ("198.18.5.5", "contoso.com")}))
        ),
        finds={"printer": "warning"},
    ),
    Case(
        "sender-moved",
        "a neighbouring address is no move",
        with_senders(
            seen("printer", places=frozenset({("203.0.113.10", "contoso.com"), ("203.0.113.99", "contoso.com")}))
        ),
    ),
    Case(
        "sender-moved",
        "a service moves in its own network",
        with_senders(
            seen(
                "crm",
                address="192.0.2.77",
                service="include:_spf.crm.example",
                places=frozenset({("192.0.2.77", "contoso.com"), ("198.18.5.5", "contoso.com")}),
            )
        ),
    ),
    Case(
        "sender-moved",
        "another sender that greets and writes as one that stopped",
        with_senders(seen("printer", daily(50, 5)), _ELSEWHERE),
        finds={"printer": "warning"},
    ),
    Case(
        "sender-moved",
        "while the door is closed",
        migrated(10, seen("printer", daily(50, 11)), replace(_ELSEWHERE, blocked=12, last_blocked=at(TODAY))),
        shut(),
        finds={"printer": "serious", ("honest-mail-refused", "new-line"): "critical"},
    ),
    Case(
        "sender-moved",
        "somebody who borrows what is still at work is a new sender",
        with_senders(_ELSEWHERE),
        finds={("new-sender", "new-line"): "warning"},
    ),
    Case(
        "sender-moved",
        "a nameless greeting proves nothing",
        with_senders(
            seen("printer", daily(50, 5), helo=["localhost"]),
            replace(
                seen("new-line", daily(4), address="198.18.77.1", helo=["localhost"], mail_from=["printer@contoso.com"])
            ),
        ),
        finds={("new-sender", "new-line"): "warning"},
    ),
    Case(
        "sender-moved",
        "a spoofer never takes an honest one's place",
        with_senders(
            seen("printer", daily(50, 5)),
            seen(
                "thief",
                daily(4),
                address="45.9.9.9",
                helo=["printer-mfp1"],
                mail_from=["printer@contoso.com"],
                assessment=Verdict.SPOOFING,
            ),
        ),
        finds={("new-sender", "thief"): "info"},
    ),
]
_REPORT = ReportedSight("203.0.113.10", "id-printer", 40, 2, ago(1))
SILENT = [
    Case(
        "sender-silent",
        "a daily sender for nine days",
        with_senders(seen("printer", daily(50, 9))),
        finds={"printer": "warning"},
    ),
    Case("sender-silent", "a daily sender for six days", with_senders(seen("printer", daily(50, 6)))),
    Case(
        "sender-silent",
        "a workday sender over a long weekend",
        with_senders(seen("erp", daily(49, 5, workdays=True), address="203.0.113.40")),
    ),
    Case(
        "sender-silent",
        "a monthly sender is patient",
        with_senders(seen("monthly", {TODAY - timedelta(days=age): 2 for age in (85, 57, 29)}, address="203.0.113.41")),
        baseline_of(with_senders(seen("monthly", {TODAY - timedelta(days=85): 2}, address="203.0.113.41"))),
    ),
    Case("sender-silent", "one of few days is not regular", with_senders(seen("printer", daily(50, 47)))),
    Case(
        "sender-silent",
        "a spoofer may be silent",
        with_senders(seen("spoofer", daily(40, 33), address="45.10.20.30", assessment=Verdict.SPOOFING)),
    ),
    Case(
        "sender-silent",
        "nobody knows up to when the history is complete",
        replace(with_senders(seen("printer", daily(50, 9))), history_until=None),
        also=True,
    ),
    Case(
        "sender-silent",
        "the history itself ends there",
        replace(with_senders(seen("printer", daily(50, 9))), history_until=ago(8)),
        finds={("history-stale", ""): "warning"},
        also=True,
    ),
    Case(
        "sender-silent",
        "since the door was closed it is serious, and soon",
        migrated(6, seen("printer", daily(50, 7))),
        shut(6),
        finds={"printer": "serious"},
    ),
    Case(
        "sender-silent",
        "a workday sender over the weekend after the closing",
        migrated(3.5, seen("erp", daily(49, 4, workdays=True), address="203.0.113.40")),
        shut(3.5),
    ),
    Case(
        "sender-silent",
        "its mail comes by a connector now",
        replace(
            with_senders(seen("printer", daily(50, 9))),
            connector_addresses={"Offices": {"203.0.113.10": ago(1), "198.51.100.7": ago(1), "198.51.100.8": ago(1)}},
        ),
    ),
    Case(
        "sender-silent",
        "its owner moved it to a login",
        with_senders(replace(seen("printer", daily(50, 9)), method="smtp-auth-oauth")),
    ),
    Case("sender-silent", "a person gave it up", with_senders(replace(seen("printer", daily(50, 9)), method="refuse"))),
    Case(
        "reported-elsewhere",
        "silent since the closing, and at work elsewhere",
        migrated(6, seen("printer", daily(50, 7)), reported=(_REPORT,)),
        shut(6),
        finds={"printer": "serious"},
    ),
    Case(
        "reported-elsewhere",
        "seen elsewhere before the closing only",
        migrated(6, seen("printer", daily(50, 7)), reported=(replace(_REPORT, last=ago(5.5)),)),
        shut(6),
        finds={("sender-silent", "printer"): "serious"},
    ),
    Case(
        "reported-elsewhere",
        "the door is open",
        replace(with_senders(seen("printer", daily(50, 6))), reported=(_REPORT,)),
    ),
    Case(
        "reported-elsewhere",
        "another address",
        migrated(6, seen("printer", daily(50, 7)), reported=(replace(_REPORT, address="192.0.2.1"),)),
        shut(6),
        finds={("sender-silent", "printer"): "serious"},
    ),
]
_NOISE = seen("spoofer", {TODAY - timedelta(days=age): 30 for age in range(1, 30, 2)}, address="45.10.20.30",
              assessment=Verdict.SPOOFING)  # fmt: skip


def _wave(messages: int, age: int = 1, **more: Any) -> SenderSight:
    days = daily(40, 33, each=2) | {TODAY - timedelta(days=age): messages}
    return seen("spoofer", days, address="45.10.20.30", assessment=Verdict.SPOOFING, **more)


TRAFFIC = [
    Case("spoof-burst", "many on a quiet door", with_senders(_wave(120)), finds={"": "serious"}),
    Case(
        "spoof-burst",
        "refused or filtered elsewhere is a warning",
        with_senders(_wave(120, submission=Submission.INTERNET)),
        finds={"": "warning"},
    ),
    Case("spoof-burst", "fewer than matter", with_senders(_wave(19))),
    Case("spoof-burst", "what is usual is no burst", with_senders(_NOISE)),
    Case("spoof-burst", "a burst of last week is over", with_senders(_wave(120, 8))),
    Case(
        "spoof-burst",
        "a person says that they are honest",
        with_senders(replace(_wave(120), word=Word.LEGITIMATE)),
        finds={},
    ),
    Case("forwarder-refused", "a new forwarder", with_senders(_FORWARDER), finds={"forward": "warning"}),
    Case(
        "forwarder-refused",
        "while the door is closed",
        migrated(10, replace(_FORWARDER, blocked=15, last_blocked=at(TODAY))),
        shut(),
        finds={"forward": "serious"},
    ),
    Case("forwarder-refused", "one that is known", with_senders(_FORWARDER), baseline_of(with_senders(_FORWARDER))),
    Case(
        "forwarder-refused",
        "one that is known and grows",
        with_senders(
            seen(
                "forward",
                daily(35, 8, each=1) | daily(7, 1, each=9),
                address="198.18.9.9",
                reasons=("forwarder",),
                assessment=Verdict.UNCLEAR,
            )
        ),
        baseline_of(with_senders(_FORWARDER)),
        finds={"forward": "warning"},
    ),
    Case(
        "forwarder-refused",
        "it rewrites the envelope sender",
        with_senders(
            replace(_FORWARDER, sender=replace(_FORWARDER.sender, would_reject=0, submission=Submission.INTERNET))
        ),
    ),
    Case("filter-bypassed", "some mail in a week", sight(sent_directly=daily(6, 1, each=5)), finds={"": "warning"}),
    Case("filter-bypassed", "a lot of mail", sight(sent_directly=daily(6, 1, each=90)), finds={"": "serious"}),
    Case("filter-bypassed", "a little", sight(sent_directly=daily(6, 1, each=2))),
    Case("filter-bypassed", "long ago", sight(sent_directly=daily(30, 12, each=50))),
    Case(
        "filter-bypassed",
        "through a lock-down",
        with_settings(
            sight(sent_directly=daily(6, 1, each=5)),
            inbound_connectors=(connector(sender_domains=(SenderDomainPattern(None),)), settings().known_connectors[1]),
        ),
        baseline_of(
            with_settings(
                inbound_connectors=(
                    connector(sender_domains=(SenderDomainPattern(None),)),
                    settings().known_connectors[1],
                )
            )
        ),
        finds={"": "serious"},
    ),
]
CASES = [*NEW, *MOVED, *SILENT, *TRAFFIC]
