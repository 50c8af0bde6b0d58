"""Who sends to the invented tenant, and mostly in its name: honest devices and services, and attackers.

The kinds are those an administrator meets (printers behind office addresses, monitoring, ERP, ticketing, forwarders,
a branch that opened last week), those that published attacks used (self-addressed lures, fraud, a borrowed name), and
those who come through a mail filter or beside it.
Named hosts live in documentation ranges (RFC 5737, RFC 3849).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

OFFICE_HOURS = tuple(range(7, 18))
NIGHT = tuple(range(1, 5))
ANY_HOUR = tuple(range(24))

Results: TypeAlias = tuple[str, str, str, str]
"""What the service found: SPF, DKIM, DMARC, composite authentication."""
FAILING: Results = ("softfail", "none", "fail", "fail")  # the tenant's SPF ends in ~all
LISTED: Results = ("pass", "none", "pass", "pass")
SIGNED: Results = ("softfail", "pass", "pass", "pass")
BOTH: Results = ("pass", "pass", "pass", "pass")
FOREIGN_PASS: Results = ("pass", "none", "fail", "fail")  # SPF of the attacker's own domain
FILTERED: Results = ("fail", "pass", "pass", "pass")  # the filter's address stands for the author's
NO_RECORDS: Results = ("none", "none", "none", "none")

# Names of connectors in `settings`, and what the rule calls mail that comes by them.
RELAY, FILTER = "From headquarters", "Mail filter"
_BY_CONNECTOR = {RELAY: "onpremises-connector", FILTER: "partner-connector"}


@dataclass(frozen=True, slots=True)
class Actor:
    """One real-world sender. In its texts `{d}` is the tenant's main domain, `{f}` the one behind a mail filter.

    share: its part of the mail of all actors. first, last: days of activity, counted back from the end; month_end: only
    the last two days of each month. recipients: local parts, or "self", or "staff" for anybody. envelope: envelope
    senders, none where they repeat the header From; header: header From addresses, or "staff". affected: whether
    RejectDirectSend would refuse its mail. beside: whether it comes to Exchange Online beside the published MX.
    """

    key: str
    kind: str
    honest: bool
    networks: Sequence[str]
    helo: str
    header: Sequence[str]
    recipients: Sequence[str]
    share: float
    envelope: Sequence[str] = ()
    hours: Sequence[int] = OFFICE_HOURS
    first: int = 999
    last: int = 0
    month_end: bool = False
    tls: str = "TLS1.2"
    results: Results = FAILING
    status: str = "Delivered"
    subject: str = "Message"
    connector: str = ""
    affected: bool = True
    beside: bool = False

    @property
    def submission(self) -> str:
        """How its mail gets in, in the words of the rule."""
        if self.connector:
            return _BY_CONNECTOR[self.connector]
        if self.beside:
            return "sent-directly"
        return "direct-send" if self.affected else "internet"


def actors() -> tuple[Actor, ...]:
    """Everybody who sends in the organisation's name, in a fixed order."""
    return (*_devices(), *_applications(), *_services(), *_connected(), *_attackers(), *_beside_the_filter())


def _devices() -> tuple[Actor, ...]:
    return (
        Actor("printers-hq", "printer", True, ["203.0.113.10"], "MFP-HQ3", ["scan-hq@{d}"],
              ["helpdesk", "anna", "boris", "carla"], 18, tls="none", results=LISTED,
              subject="Scan from HQ3"),
        Actor("printers-north", "printer", True, ["203.0.113.40"], "MFP-NORTH1", ["scan-north@{d}"],
              ["dora", "emil", "frida"], 10, tls="none", subject="Scan from North"),
        Actor("door-controller", "device", True, ["203.0.113.41"], "doors.north.{d}", ["doors@{d}"],
              ["security", "facility"], 6, hours=ANY_HOUR, subject="Door held open"),
        Actor("branch-wandering", "branch", True, [f"198.51.100.{host}" for host in range(130, 142)],
              "branch-west.{d}", ["scan-west@{d}"], ["greta", "hugo"], 8, tls="none", subject="Scan from West"),
        Actor("branch-new", "branch", True, ["203.0.113.70"], "MFP-SOUTH1", ["scan-south@{d}"], ["ida", "jonas"], 2,
              first=6, tls="none", subject="Scan from South"),
    )  # fmt: skip


def _applications() -> tuple[Actor, ...]:
    return (
        Actor("monitoring", "monitoring", True, ["203.0.113.22"], "mon01.{d}", ["alerts@{d}"], ["ops", "oncall"],
              16, hours=NIGHT, subject="[P2] disk at 91%", results=LISTED),
        Actor("erp", "erp", True, ["203.0.113.23"], "erp.{d}", ["invoices@{d}"], ["accounting", "sales", "ap"],
              9, hours=(5,), month_end=True, subject="Invoice run", results=LISTED),
        Actor("quarterly", "batch job", True, ["203.0.113.24"], "batch02.{d}", ["reports@{d}"], ["board"], 0.4,
              hours=(6,), first=50, last=50, results=LISTED, subject="Quarterly figures"),
        Actor("hr-ipv6", "application", True, ["2001:db8:10::25"], "hr.{d}", ["hr@{d}"], ["staff"], 5,
              subject="Time sheet", results=LISTED),
    )  # fmt: skip


def _services() -> tuple[Actor, ...]:
    return (
        Actor("ticketing", "service", True, ["198.51.100.40", "198.51.100.41", "198.51.100.43"],
              "out%s.tickets.example", ["support@{d}"], ["staff"], 12, hours=ANY_HOUR, tls="TLS1.3", results=BOTH,
              subject="Your ticket"),
        Actor("newsletter", "service", True, ["198.51.100.80", "198.51.100.81"], "mta%s.mailer.example",
              ["news@{d}"],
              ["staff"], 9, envelope=["b-{n}@bounces.{d}"], tls="TLS1.3", results=BOTH, subject="Newsletter",
              affected=False),
        Actor("survey-unlisted", "service", True, ["198.51.100.90"], "smtp.survey.example", ["survey@{d}"],
              ["staff"], 4, tls="TLS1.3", results=SIGNED, subject="How did we do?"),
        Actor("forwarder", "forwarder", True, ["198.51.100.200"], "mx.alumni.example", ["staff"], ["anna", "karl"],
              3, tls="TLS1.3", results=SIGNED, subject="Fwd: minutes"),
    )  # fmt: skip


def _connected() -> tuple[Actor, ...]:
    """The relay of headquarters, and the mail filter before the shop's domain."""
    return (
        Actor("onpremises", "connector", True, ["192.0.2.10"], "relay.{d}", ["workflow@{d}"], ["staff"], 10,
              connector=RELAY, subject="Workflow step", affected=False, results=LISTED),
        Actor("mail-filter", "mail filter", True, ["198.51.100.210", "198.51.100.211"], "out%s.filter.example",
              [f"buyer{number}@customer{number}.example" for number in range(60)],
              ["orders@{f}", "returns@{f}"], 8, hours=ANY_HOUR, tls="TLS1.3", connector=FILTER, subject="Order",
              affected=False, results=FILTERED),
    )  # fmt: skip


def _attackers() -> tuple[Actor, ...]:
    return (
        Actor("lure-self", "self-addressed lure", False, [f"192.0.2.{host}" for host in range(64, 70)],
              "[127.0.0.1]", ["staff"], ["self"], 5, hours=(3, 4), first=21, last=21, status="Quarantined",
              subject="New missed fax-msg"),
        Actor("fraud", "fraud", False, ["192.0.2.130"], "WIN-5TB0H2K3V9Q", ["ceo@{d}"], ["accounting", "ap", "sales"],
              1, first=12, last=12, status="FilteredAsSpam", subject="Urgent wire"),
        Actor("spray", "spray", False, ["192.0.2.180", "192.0.2.181"], "localhost", ["staff"], ["staff"], 6,
              hours=(2, 3), first=33, last=33, status="FilteredAsSpam", subject="Password expires today"),
        Actor("borrowed-scanner", "borrowed name", False, ["192.0.2.220"], "MFP-HQ3", ["scan-hq@{d}"], ["staff"], 2,
              hours=(4,), first=9, last=9, status="Quarantined", subject="Scan from HQ3"),
        Actor("header-spoof", "header From spoof", False, ["192.0.2.240"], "mail.attacker.example", ["ceo@{d}"],
              ["staff"], 3, envelope=["bounce@attacker.example"], hours=ANY_HOUR, first=18, last=15,
              results=FOREIGN_PASS,
              status="FilteredAsSpam", subject="Bonus letter", affected=False),
    )  # fmt: skip


def _beside_the_filter() -> tuple[Actor, ...]:
    """They dial Exchange Online although the MX of the shop's domain leads to the filter."""
    return (
        Actor("supplier-edi", "supplier", True, ["198.51.100.220"], "edi.supplier.example", ["edi@supplier.example"],
              ["orders@{f}"], 2, hours=(6, 12), results=BOTH, subject="Delivery note", affected=False, beside=True),
        Actor("filter-bypass", "filter bypass", False, ["192.0.2.160", "192.0.2.161"], "WIN-8KQ2L5D7R1C",
              ["billing@invoice-portal.example"], ["orders@{f}", "returns@{f}"], 3, hours=(2, 3), first=26, last=25,
              results=NO_RECORDS, status="FilteredAsSpam", subject="Overdue invoice", affected=False, beside=True),
    )  # fmt: skip
