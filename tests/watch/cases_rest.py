"""What domains publish, evidence of refusals, and what the watcher cannot see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sidedoor.audit.model import Verdict
from sidedoor.mail.fact import Unknown
from sidedoor.store.model import Word
from sidedoor.tenant.snapshot import MailExchanger
from sidedoor.watch.sight import BounceSight, ProbeSight, Sight
from tests.watch.case import Case
from tests.watch.kit import (
    TODAY,
    ago,
    at,
    baseline_of,
    daily,
    migrated,
    records,
    seen,
    shut,
    sight,
    with_records,
    with_senders,
)  # fmt: skip

_SPF = str(records().spf)
_D = "contoso.com"


def _published(**parts: Any) -> Any:
    return baseline_of(with_records(**parts))


DNS = [
    Case(
        "spf-changed",
        "another term",
        with_records(spf=_SPF.replace("ip4:198.51.100.0/28", "ip4:198.51.100.0/24")),
        finds={_D: "warning"},
    ),
    Case("spf-changed", "none any more", with_records(spf=None, spf_lookups=None), finds={_D: "serious"}),
    Case("spf-changed", "everybody passes", with_records(spf=_SPF.replace("-all", "+all")), finds={_D: "serious"}),
    Case("spf-changed", "the first record", with_records(), _published(spf=None), finds={_D: "info"}),
    Case("spf-changed", "DNS does not tell", with_records(spf=Unknown("SERVFAIL"))),
    Case("spf-changed", "nobody knew it before", with_records(), replace(baseline_of(sight()), domains={})),
    Case(
        "spf-over-limits",
        "eleven look-ups, known from the first run on",
        with_records(spf_lookups=11, spf_troubles=("spf-many-lookups",)),
        _published(spf_lookups=11, spf_troubles=("spf-many-lookups",)),
        finds={_D: "serious"},
    ),
    Case("spf-over-limits", "ten look-ups", with_records(spf_lookups=10)),
    Case("spf-broken", "a mistake", with_records(spf_troubles=("spf-syntax",)), finds={_D: "serious"}),
    Case("spf-broken", "an empty look-up", with_records(spf_troubles=("spf-void-lookup",)), finds={_D: "warning"}),
    Case("spf-broken", "in order", with_records()),
    Case("dmarc-changed", "weaker", with_records(dmarc="v=DMARC1; p=none"), finds={_D: "serious"}),
    Case("dmarc-changed", "gone", with_records(dmarc=None), finds={_D: "serious"}),
    Case(
        "dmarc-changed",
        "twice, which is none",
        with_records(dmarc="v=DMARC1; p=reject | v=DMARC1; p=reject"),
        finds={_D: "serious"},
    ),
    Case("dmarc-changed", "half of the mail", with_records(dmarc="v=DMARC1; p=reject; pct=50"), finds={_D: "serious"}),
    Case("dmarc-changed", "subdomains only", with_records(dmarc="v=DMARC1; p=reject; sp=none"), finds={_D: "serious"}),
    Case("dmarc-changed", "stricter", with_records(), _published(dmarc="v=DMARC1; p=none"), finds={_D: "info"}),
    Case(
        "dmarc-changed",
        "another address for reports",
        with_records(dmarc="v=DMARC1; p=reject; rua=mailto:x@contoso.com"),
        finds={_D: "info"},
    ),
    Case("dmarc-changed", "DNS does not tell", with_records(dmarc=Unknown("SERVFAIL"))),
    Case("mx-changed", "another host", with_records(mx=("10 mx2.filter.example",)), finds={_D: "warning"}),
    Case(
        "mx-changed",
        "straight to Exchange Online",
        with_records(mx=("0 contoso-com.mail.protection.outlook.com",), exchanger=MailExchanger.EXCHANGE_ONLINE),
        finds={_D: "serious"},
    ),
    Case("mx-changed", "none", with_records(mx=(), exchanger=MailExchanger.NONE), finds={_D: "serious"}),
    Case("mx-changed", "DNS does not tell", with_records(mx=Unknown("SERVFAIL"), exchanger=Unknown("SERVFAIL"))),
]


def bounce(**more: Any) -> BounceSight:
    """A non-delivery report of yesterday about the printer's mail."""
    values: dict[str, Any] = {
        "key": "b1", "at": ago(1), "code": "5.7.68", "envelope_sender": "printer@contoso.com",
        "recipient": "anna@contoso.com", "remote": "printer-mfp1", "address": "203.0.113.10",
    }  # fmt: skip
    return BounceSight(**{**values, **more})


def _came_back(*bounces: BounceSight, base: Sight | None = None) -> Sight:
    return replace(base or migrated(3), bounces=bounces)


_PRINTER = seen("printer", daily(50, 4))
_UNCLEAR = replace(_PRINTER, sender=replace(_PRINTER.sender, assessment=Verdict.UNCLEAR))
_QUIET = migrated(3, _PRINTER)
REFUSALS = [
    Case("honest-mail-refused", "5.7.68", _came_back(bounce(), base=_QUIET), shut(3), finds={"printer": "critical"}),
    Case(
        "honest-mail-refused",
        "5.7.51, although the door is open",
        _came_back(bounce(code="5.7.51"), base=sight()),
        finds={"printer": "critical"},
    ),
    Case(
        "honest-mail-refused",
        "known by its name alone",
        _came_back(bounce(address="", remote=""), base=_QUIET),
        shut(3),
        finds={"printer": "critical"},
    ),
    Case(
        "honest-mail-refused",
        "of a sender nobody can judge",
        _came_back(bounce(), base=migrated(3, _UNCLEAR)),
        shut(3),
        finds={"printer": "serious"},
    ),
    Case(
        "honest-mail-refused",
        "neither the report nor the exports show an address",
        _came_back(
            bounce(address="", remote=""), base=migrated(3, replace(_PRINTER, places=frozenset({("", "contoso.com")})))
        ),
        shut(3),
        finds={"printer": "critical"},
    ),
    Case(
        "honest-mail-refused",
        "many that somebody made up",
        _came_back(*(bounce(key=f"b{n}", address=f"45.1.2.{n}", remote=f"mx{n}.elsewhere.example") for n in range(50))),
        shut(3),
        finds={"": "warning"},
    ),
    Case(
        "honest-mail-refused",
        "from a new line, by its own name",
        _came_back(bounce(address="198.18.3.3"), base=_QUIET),
        shut(3),
        finds={"printer": "critical"},
    ),
    Case(
        "honest-mail-refused",
        "the spoofer's bounce to the one whose name was borrowed",
        _came_back(bounce(address="45.1.2.3", remote="mx.elsewhere.example")),
        shut(3),
        finds={"client 45.1.2.3": "warning"},
    ),
    Case(
        "honest-mail-refused",
        "a spoofer's",
        _came_back(bounce(address="45.10.20.30", envelope_sender="spoofer@contoso.com")),
        shut(3),
    ),
    Case(
        "honest-mail-refused",
        "a person wants it refused",
        _came_back(bounce(), base=migrated(3, replace(_PRINTER, word=Word.SPOOFING))),
        shut(3),
    ),
    Case("honest-mail-refused", "a week ago", _came_back(bounce(at=ago(8))), shut(3)),
    Case("honest-mail-refused", "a connector takes its mail since", _came_back(bounce()), shut(3)),
    Case(
        "honest-mail-refused",
        "an edge's log",
        migrated(
            3,
            replace(
                _PRINTER,
                sender=replace(_PRINTER.sender, last_seen=ago(1), daily=daily(50, 1)),
                blocked=9,
                last_blocked=ago(1),
            ),
        ),
        shut(3),
        finds={"printer": "critical"},
    ),
    Case(
        "honest-mail-refused",
        "an edge's log, of a spoofer",
        migrated(
            3,
            seen(
                "thief",
                daily(40, 1),
                address="45.3.3.3",
                assessment=Verdict.SPOOFING,
                blocked=120,
                last_blocked=at(TODAY),
            ),
        ),
        shut(3),
        also=True,
    ),
    Case(
        "door-open",
        "a probe proves it",
        replace(migrated(3), probe=ProbeSight(ago(1), "open", ("RCPT TO was taken",))),
        shut(3),
        finds={"": "critical"},
    ),
    Case("door-open", "a probe from before", replace(migrated(3), probe=ProbeSight(ago(4), "open", ())), shut(3)),
    Case(
        "door-open",
        "a probe within the half hour that it takes",
        replace(migrated(0.02), probe=ProbeSight(ago(hours=0.1), "open", ())),
        shut(0.02),
    ),
    Case(
        "door-open",
        "a probe that proves nothing",
        replace(migrated(3), probe=ProbeSight(ago(1), "undetermined", ())),
        shut(3),
    ),
    Case(
        "door-open",
        "mail comes in all the same",
        with_senders(seen("monitor", daily(50, 1), address="203.0.113.22"), base=migrated(3)),
        shut(3),
        finds={"": "critical"},
    ),
    Case(
        "door-open",
        "mail comes in, and a probe says that it is shut",
        replace(
            with_senders(seen("monitor", daily(50, 1), address="203.0.113.22"), base=migrated(3)),
            probe=ProbeSight(ago(1), "closed", ()),
        ),
        shut(3),
        finds={"": "serious"},
    ),
    Case(
        "door-open",
        "what arrives is refused by an edge that keeps a log",
        with_senders(
            seen(
                "thief",
                daily(4, 1),
                address="45.3.3.3",
                assessment=Verdict.SPOOFING,
                blocked=12,
                last_blocked=at(TODAY),
            ),
            base=migrated(5),
        ),
        shut(5),
        finds={("new-sender", "thief"): "info"},
    ),
    Case("door-open", "the door is open and known to be", sight(probe=ProbeSight(ago(1), "open", ()))),
    Case(
        "door-open",
        "mail that came in long ago",
        with_senders(seen("monitor", daily(50, 8), address="203.0.113.22", method="graph"), base=migrated(20)),
        shut(20),
    ),
]
_TWO = {"contoso.com": records(), "fabrikam.example": records()}
ITSELF = [
    Case("history-stale", "for three days", sight(history_until=ago(3)), finds={"": "warning"}),
    Case("history-stale", "for ten days", sight(history_until=ago(10)), finds={"": "serious"}),
    Case("history-stale", "since yesterday", sight(history_until=ago(1))),
    Case("history-stale", "never complete", sight(history_until=None), finds={"": "serious"}),
    Case("history-stale", "the first run", sight(history_until=None), replace(baseline_of(sight()), at=ago())),
    Case("collection-incomplete", "cut off", sight(truncated=("trace1.csv",)), finds={"": "warning"}),
    Case("collection-incomplete", "whole", sight()),
    Case(
        "settings-unreadable",
        "for three days",
        sight(untold={"settings": "401"}),
        replace(baseline_of(sight()), told={"history": ago(1), "settings": ago(3)}),
        finds={"": "warning"},
    ),
    Case(
        "settings-unreadable",
        "for nine days",
        sight(untold={"settings": "401"}),
        replace(baseline_of(sight()), told={"history": ago(1), "settings": ago(9)}),
        finds={"": "serious"},
    ),
    Case("settings-unreadable", "since this morning", sight(untold={"settings": "401"})),
    Case(
        "dns-unknown",
        "for four days",
        sight(untold={"dns:contoso.com": "time-out"}),
        replace(baseline_of(sight()), told={"history": ago(1), "dns:contoso.com": ago(4)}),
        finds={_D: "warning"},
    ),
    Case("dns-unknown", "a day", sight(untold={"dns:contoso.com": "time-out"})),
    Case(
        "dns-unknown",
        "one of two",
        sight(domains=_TWO, untold={"dns:fabrikam.example": "time-out"}),
        replace(baseline_of(sight(domains=_TWO)), told={"history": ago(1), "dns:fabrikam.example": ago(4)}),
        finds={"fabrikam.example": "warning"},
    ),
    Case(
        "probe-failed",
        "port 25 is blocked",
        sight(untold={"probe": "port blocked"}),
        replace(baseline_of(sight()), told={"history": ago(1), "probe": ago(5)}),
        finds={"": "warning"},
    ),
    Case(
        "probe-failed",
        "it proved nothing for days",
        sight(probe=ProbeSight(ago(1), "undetermined", ("greylisted",))),
        replace(baseline_of(sight()), told={"history": ago(1), "probe": ago(5)}),
        finds={"": "warning"},
    ),
    Case("probe-failed", "nobody probes", sight()),
    Case(
        "bounces-unreadable",
        "for four days",
        sight(untold={"bounces": "403"}),
        replace(baseline_of(sight()), told={"history": ago(1), "bounces": ago(4)}),
        finds={"": "warning"},
    ),
    Case("bounces-unreadable", "since yesterday", sight(untold={"bounces": "403"})),
    Case(
        "certificates-unreadable",
        "for four days",
        sight(certificates=(), untold={"certificates": "no answer"}),
        replace(baseline_of(sight()), told={"history": ago(1), "certificates": ago(4)}),
        finds={"": "warning"},
    ),
    Case("certificates-unreadable", "since yesterday", sight(certificates=(), untold={"certificates": "no answer"})),
]
CASES = [*DNS, *REFUSALS, *ITSELF]
