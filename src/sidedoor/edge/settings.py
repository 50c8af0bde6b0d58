"""The settings in force: the compiled rule of a tenant export with the list of recipients, read and read again."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias

from sidedoor.errors import InputError
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mail.address import Address, AddressError, EnvelopeSender, parse_address
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.decision import Certainty, Decision, Submission
from sidedoor.policy.facts import NOT_RECORDED, Connection, Envelope, MessageFacts, Tls
from sidedoor.policy.rule import Rule, compile_rule
from sidedoor.policy.switches import DEFAULT_SWITCHES, Switches
from sidedoor.tenant.snapshot import AcceptedDomain, MailExchanger, TenantSnapshot

Remembered: TypeAlias = dict[tuple[str | None, str, bool | None], Decision]
"""Domain of the envelope sender (None: null reverse-path), of the recipient, whether it exists (None: unknown)."""
_MOST_CLIENTS = 4_096
_MOST_RECIPIENTS = 5_000_000
_NEEDED = "what Get-AcceptedDomain exports: without it nobody can tell own recipients from strangers"


@dataclass(frozen=True, slots=True)
class Settings:
    """One tenant's settings, ready for decisions.

    since: when they came into force. recipients: folded addresses, None where no list was given. mx_assumed: nobody
    said where the MX leads, so Exchange Online is assumed and decisions that rest on it say so. version: that of
    published settings, 0 for files.
    """

    rule: Rule
    since: datetime
    recipients: frozenset[str] | None = None
    mx_assumed: bool = True
    warnings: tuple[str, ...] = ()
    version: int = 0
    _memory: dict[Hashable, Remembered] = field(default_factory=dict, compare=False, repr=False)

    def remembered(self, connection: Connection) -> Remembered:
        """Decisions that were made for clients like this one.

        The rule looks at a client's address, its certificate, and whether it uses TLS or logged in; of addresses it
        looks at the domains (`policy.world.World` is all it sees). The same devices get the same answers for nothing.
        """
        tls = connection.tls
        certificate = tls.client_certificate if isinstance(tls, Tls) else None
        key = (connection.client_ip, tls is None, certificate, connection.authenticated_as is None)
        known = self._memory.get(key)
        if known is None:
            if len(self._memory) >= _MOST_CLIENTS:
                self._memory.clear()
            known = self._memory[key] = {}
        return known

    def decide(self, connection: Connection, sender: EnvelopeSender, recipient: Address) -> Decision:
        """What the service would do with mail to one recipient; see `Rule.decide`."""
        exists = self.exists(recipient)
        facts = MessageFacts(connector=NOT_RECORDED, recipient_exists=exists)
        decision = self.rule.decide(connection, Envelope(sender, recipient), facts)
        if self.mx_assumed and decision.submission is Submission.INTERNET:
            return replace(decision, certainty=Certainty.ASSUMED, reasons=(*decision.reasons, "mx-assumed"))
        return decision

    def exists(self, address: Address) -> Fact[bool]:
        """Whether the list of recipients holds the address; unknown without a list."""
        return NOT_RECORDED if self.recipients is None else address.folded in self.recipients

    def hosts(self, domain: Domain) -> bool:
        """Whether the tenant is known to take mail for `domain`."""
        return self.rule.snapshot.accepts(domain)

    def since_now(self, now: datetime) -> Settings:
        """The same, coming into force now."""
        return replace(self, since=now)

    def summary(self) -> str:
        """For the operator: what the rule rests on."""
        snapshot = self.rule.snapshot
        domains, connectors, switch = (
            snapshot.accepted_domains, snapshot.inbound_connectors, snapshot.reject_direct_send
        )  # fmt: skip
        parts = [
            "accepted domains " + ("unknown" if isinstance(domains, Unknown) else str(len(domains))),
            "RejectDirectSend " + ("unknown" if isinstance(switch, Unknown) else "on" if switch else "off"),
            "inbound connectors " + ("unknown" if isinstance(connectors, Unknown) else str(len(connectors))),
        ]
        parts += [] if self.recipients is None else [f"recipients {len(self.recipients):,}"]
        return ", ".join(parts)

    @property
    def asks_for_certificates(self) -> bool:
        """Whether an enabled connector goes by certificate, so that clients are to be asked for one."""
        connectors = self.rule.snapshot.inbound_connectors
        rows = () if isinstance(connectors, Unknown) else connectors
        return any(row.tls_certificate_name is not None and row.enabled is not False for row in rows)

    @property
    def default_domain(self) -> Domain | None:
        """The tenant's default accepted domain, else its first."""
        rows = self.rule.snapshot.accepted_domains
        if isinstance(rows, Unknown) or not rows:
            return None
        return next((row.domain for row in rows if row.is_default), rows[0].domain)


class SettingsSource(Protocol):
    """Where settings come from. Its methods block, and may be called in any thread."""

    @property
    def behind(self) -> bool:
        """Whether what was read last is older than what the signature told of, and can be had now."""

    def signature(self) -> Hashable:
        """Changes when there is something new to read."""

    def read(self, now: datetime) -> Settings:
        """Read and compile. Raises SidedoorError, OSError."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What an operator adds to a tenant's settings. `mx` None: assumed to be Exchange Online."""

    recipients: Path | None = None
    mx: MailExchanger | None = None
    switches: Switches = DEFAULT_SWITCHES

    def settings(
        self, snapshot: TenantSnapshot, where: str, now: datetime, warnings: tuple[str, ...] = (), version: int = 0
    ) -> Settings:
        """The settings compiled. Raises InputError that names `where`, also if the accepted domains are not known."""
        domains = snapshot.accepted_domains
        if isinstance(domains, Unknown) or not domains:
            raise InputError(where, "no accepted domains", _NEEDED)
        snapshot = _with_mx(snapshot, domains, self.mx or MailExchanger.EXCHANGE_ONLINE)
        recipients = None if self.recipients is None else read_recipients(self.recipients)
        return Settings(compile_rule(snapshot, self.switches), now, recipients, self.mx is None, warnings, version)


@dataclass(frozen=True, slots=True)
class Source:
    """Settings from files: a tenant export. The rest as in `Ground`."""

    tenant: Path
    recipients: Path | None = None
    mx: MailExchanger | None = None
    switches: Switches = DEFAULT_SWITCHES

    @property
    def behind(self) -> bool:
        """Never: a file that cannot be read is an error."""
        return False

    def read(self, now: datetime) -> Settings:
        """Read and compile. Raises InputError, also where the accepted domains are not known."""
        reading = read_tenant(self.tenant)
        ground = Ground(self.recipients, self.mx, self.switches)
        return ground.settings(reading.snapshot, str(self.tenant), now, reading.warnings)

    def signature(self) -> tuple[tuple[str, int, int], ...]:
        """Names, times and sizes of the files. A file that is gone is simply not in it."""
        files: list[Path] = [self.tenant, *([self.recipients] if self.recipients else [])]
        files += self.tenant.rglob("*") if self.tenant.is_dir() else []
        return tuple(sorted(stats(files)))


def stats(files: Iterable[Path]) -> Iterator[tuple[str, int, int]]:
    """Name, time and size of each that is there."""
    for path in files:
        try:
            stat = path.stat()
        except OSError:
            continue
        yield str(path), stat.st_mtime_ns, stat.st_size


def _with_mx(snapshot: TenantSnapshot, domains: Sequence[AcceptedDomain], exchanger: MailExchanger) -> TenantSnapshot:
    return replace(snapshot, mail_exchangers={row.domain: exchanger for row in domains})


def read_recipients(path: Path) -> frozenset[str]:
    """Addresses, one a line, in the form Exchange compares; empty lines and lines that begin with # are passed over.

    Raises InputError with the line.
    """
    found: set[str] = set()
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            text = line[:2_048].decode("utf-8-sig", errors="replace").strip()
            if not text or text.startswith("#"):
                continue
            try:
                found.add(parse_address(text).folded)
            except AddressError as error:
                raise InputError(str(path), str(error), "one address a line", number) from error
            if len(found) > _MOST_RECIPIENTS:
                raise InputError(str(path), f"more than {_MOST_RECIPIENTS:,} addresses", "fewer", number)
    return frozenset(found)
