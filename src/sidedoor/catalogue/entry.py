"""What the catalogue says of one service or family of devices. The keys of the data files are these field names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sidedoor.catalogue.patterns import HostPattern, TextPattern


class Kind(StrEnum):
    """What a sender is for. One kind an entry: the use that makes it send mail into a tenant."""

    PRINTER = "printer"  # multifunction printers and scanners: scan to mail, toner alerts
    STORAGE = "storage"  # NAS and disk arrays: health mail
    UPS = "ups"  # uninterruptible power supplies and power distribution
    CAMERA = "camera"  # cameras and video recorders: motion alarms
    PHONE = "phone"  # telephone systems: voicemail to mail
    BUILDING = "building"  # doors, alarms, heating, time clocks
    NETWORK = "network"  # firewalls, switches, wireless controllers: alerts
    SERVER_MANAGEMENT = "server-management"  # management boards (BMC) and hypervisors
    MONITORING = "monitoring"  # watches other systems and mails alerts
    BACKUP = "backup"  # backup jobs mail their result
    DATABASE = "database"  # mail sent by a database server
    SCRIPT = "script"  # PowerShell, cron, programs of one's own with a mail library
    MAIL_SERVER = "mail-server"  # mail servers that anybody may run
    MAILING_LIST = "mailing-list"  # sends members' messages on
    ERP = "erp"  # enterprise resource planning and finance
    CRM = "crm"  # customers and sales
    HR = "hr"  # payroll, leave, recruiting
    TICKETING = "ticketing"  # help desks and issue trackers
    BULK_MAIL = "bulk-mail"  # newsletters and marketing automation
    TRANSACTIONAL = "transactional"  # mail by API or relay for other people's applications
    SIGNATURE = "signature"  # adds signatures to mail in passing
    FILTER = "filter"  # mail gateways against spam and malware
    ENCRYPTION = "encryption"  # encrypts mail in passing or hosts it
    PHISHING_SIMULATION = "phishing-simulation"  # trains users with staged phishing
    FORM = "form"  # contact forms and content management systems
    FAX = "fax"  # fax to mail
    E_SIGN = "e-sign"  # documents to be signed
    COLLABORATION = "collaboration"  # files, tasks, meetings, learning
    OFFICE_SUITE = "office-suite"  # whole mail systems for organisations
    CLOUD_PLATFORM = "cloud-platform"  # rented machines: says where, hardly who
    SPF_HOSTING = "spf-hosting"  # publishes other people's SPF records: never the sender itself


class OwnDomain(StrEnum):
    """Whether the envelope sender (5321.MailFrom) lies in the customer's domain: only then can it be Direct Send."""

    ALWAYS = "always"  # there is no other way: the customer types in an address of his own
    BY_DEFAULT = "by-default"  # unless the customer chooses otherwise
    IF_CONFIGURED = "if-configured"  # only where the customer has set it up
    NEVER = "never"  # bounces go to the vendor
    UNKNOWN = "unknown"  # nobody looked, or the sources disagree


class Answer(StrEnum):
    """Yes, no, or nobody knows."""

    YES = "yes"  # the statement's source says so
    NO = "no"  # the statement's source denies it
    UNKNOWN = "unknown"  # not stated; never to be read as no


class SmtpAuth(StrEnum):
    """How a product can log in to a mail server it sends through."""

    NONE = "none"  # cannot log in
    BASIC = "basic"  # user name and password only
    OAUTH = "oauth"  # OAuth 2.0 too, in current versions
    UNKNOWN = "unknown"  # not stated


@dataclass(frozen=True, slots=True)
class Recognise:
    """Traits by which the entry is known. Each list may be empty: then this trait tells nothing of it."""

    spf_include: tuple[HostPattern, ...] = ()  # names that customers' SPF records include
    dkim_domain: tuple[HostPattern, ...] = ()  # d= of the vendor's own signatures
    ptr: tuple[HostPattern, ...] = ()  # reverse names of its hosts
    helo: tuple[HostPattern, ...] = ()  # HELO or EHLO names it says
    bounce_domain: tuple[HostPattern, ...] = ()  # its own envelope-sender domains
    message_id_host: tuple[HostPattern, ...] = ()  # right side of Message-ID
    x_mailer: tuple[TextPattern, ...] = ()  # X-Mailer or User-Agent
    address: tuple[TextPattern, ...] = ()  # sender addresses or display names it comes with


@dataclass(frozen=True, slots=True)
class Sends:
    """How it sends. `how` is one sentence, "" where nothing more is known."""

    own_domain: OwnDomain = OwnDomain.UNKNOWN
    how: str = ""


@dataclass(frozen=True, slots=True)
class Supports:
    """What a migration can build on."""

    certificate: Answer = Answer.UNKNOWN  # shows a client certificate a connector can ask for
    certificate_name: str = ""  # the name in it, `*.exclaimer.net`; "" where not stated
    smtp_auth: SmtpAuth = SmtpAuth.UNKNOWN
    graph: Answer = Answer.UNKNOWN  # can send by Microsoft Graph
    own_return_path: Answer = Answer.UNKNOWN  # envelope sender in a subdomain of the customer's
    fixed_addresses: Answer = Answer.UNKNOWN  # sends from addresses that one customer has to himself


@dataclass(frozen=True, slots=True)
class Source:
    """Where statements come from. `of` names them: `recognise.spf_include`, or a whole table, `supports`.

    What no source of an entry names was written from general knowledge; the reader adds a source that says so.
    """

    of: tuple[str, ...]
    title: str
    date: date  # of the look-up, or of the page where that is older
    verified: bool  # False: nobody compared the statement with a source
    url: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One service, or one family of devices.

    `shared_addresses`: other customers send from the same networks, so an OnPremises connector, or any connector by
    address, would let them in as well; None where nobody knows. `borrows_from`: ids of entries to which the traits
    belong in the first place (a product that sends through another's network).
    """

    id: str
    name: str
    vendor: str
    kind: Kind
    advice: str
    written: date  # when what no source covers was written down
    shared_addresses: bool | None = None
    borrows_from: tuple[str, ...] = ()
    recognise: Recognise = Recognise()
    sends: Sends = Sends()
    supports: Supports = Supports()
    sources: tuple[Source, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether somebody compared every statement of this entry with a source."""
        return all(source.verified for source in self.sources)

    def source_of(self, statement: str) -> Source | None:
        """The source of a statement, `supports.smtp_auth`; None for what the entry does not state."""
        table = statement.partition(".")[0]
        return next((source for source in self.sources if statement in source.of or table in source.of), None)
