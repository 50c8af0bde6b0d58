"""Mail, Teams, Slack, webhooks and a hundred more, by Apprise URLs; the library does the sending.

Around it: one deadline for everything (a server that answers drop by drop holds up no run), no redirects (a message
goes where the settings say, and nowhere else), nothing of a URL in any log or error, and texts from outside made
harmless before they are handed over (`harmless`).
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sidedoor.errors import UsageError
from sidedoor.store.model import Alert, Occasion, Severity
from sidedoor.watch.channels.bounded import within
from sidedoor.watch.channels.harmless import as_html, as_markdown, as_text, title_of
from sidedoor.watch.channels.interface import ChannelError, PermanentError, TemporaryError
from sidedoor.watch.channels.message import Message, message_of

if TYPE_CHECKING:
    from apprise import NotifyBase

SECONDS = 30.0
"""For one message, connection and answer together."""
_SOCKET = 10.0  # seconds for a connection, and between two pieces of an answer
_BUSY = 60.0  # Apprise does not hand a Retry-After through: a minute is what services usually mean by 429
# How Apprise's services say in their warnings what a server answered.
_STATUS = re.compile(r"\berror[=:] ?(\d{3})\b")
# Answers that another attempt does not change: RFC 9110 section 15.5, without those that mean "not now".
_NOT_NOW = frozenset({404, 408, 409, 421, 423, 425, 429})
_BELOW = ("urllib3", "urllib3.connectionpool", "requests")  # what Apprise speaks HTTP with


class AppriseChannel:
    """One Apprise URL. `looks`: nobody can ask a mail server or a chat whether a message is there."""

    looks = False

    def __init__(self, name: str, url: str, seconds: float = SECONDS) -> None:
        """Raises UsageError for a URL that Apprise does not take; the URL is not in its text."""
        self.name, self._url, self._seconds = name, url, seconds
        self._service: NotifyBase | None = _service(url)

    def __repr__(self) -> str:
        """Without the URL."""
        return f"AppriseChannel({self.name!r})"

    def send(self, alert: Alert, occasion: Occasion, tenant: str, delivery_id: str, *, repeat: bool) -> None:
        """As the service likes it best: HTML, Markdown or plain text."""
        message = message_of(alert, occasion, tenant, delivery_id, repeat=repeat)
        over = occasion is Occasion.RECOVERED
        if self._service is None:
            self._service = _service(self._url)
        call = _call(self._service, message, _kind(alert.finding.severity, over=over))
        try:
            taken, said = within(self._seconds, lambda: _tried(call))
        except TimeoutError:
            self._service = None  # the old one may be busy for ever
            raise TemporaryError(f"no answer within {self._seconds:.0f} s", maybe_arrived=True) from None
        if not taken:
            raise _refusal(said)


def _kind(severity: Severity, *, over: bool) -> str:
    """Apprise's word, which decides about colour and picture."""
    if over:
        return "success"
    return {Severity.INFO: "info", Severity.WARNING: "warning"}.get(severity, "failure")


def _service(url: str) -> NotifyBase:
    """The service a URL stands for. Nothing that Apprise says about a bad one is passed on: it may hold the URL."""
    try:
        import apprise
    except ModuleNotFoundError as error:
        raise UsageError("channels of type apprise need Apprise: install sidedoor[watch]") from error
    with _silence():
        try:
            asset = apprise.AppriseAsset(
                app_id="Sidedoor", app_desc="Sidedoor", app_url="", async_mode=False, http_redirects=False,
                allow_templates=False, interpret_emojis=False, interpret_escapes=False, secure_logging=True,
            )  # fmt: skip
            found = apprise.Apprise.instantiate(url, asset=asset)
        except Exception:  # noqa: BLE001  # a service's own, whatever it is: its text may hold what was in the URL
            found = None
    if found is None:
        raise UsageError("Apprise knows no such URL, or something is missing in it")
    found.socket_connect_timeout = found.socket_read_timeout = _SOCKET
    return found


def _call(service: NotifyBase, message: Message, kind: str) -> Callable[[], bool]:
    import apprise

    form = service.resolve_format(None)
    writers = {apprise.NotifyFormat.HTML: as_html, apprise.NotifyFormat.MARKDOWN: as_markdown}
    body = writers.get(form, as_text)(message)
    arguments: dict[str, Any] = {
        "title": title_of(message), "body": body, "notify_type": apprise.NotifyType(kind), "body_format": form,
    }  # fmt: skip
    return lambda: bool(service.notify(**arguments))


def _tried(call: Callable[[], bool]) -> tuple[bool, str]:
    """(whether it was taken, what was said about it). In a thread of its own, because so the library can be heard."""
    with _silence() as heard:
        try:
            return call(), " ".join(heard)
        except Exception as error:  # noqa: BLE001  # a service's own; its text may hold the URL, its name does not
            return False, type(error).__name__


class _Hush(logging.Filter):
    """Lets nothing through, whoever listens, and takes status codes out of what is said in each thread."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[int, list[str]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Only codes: the text may name hosts, people and tokens."""
        heard = self.heard.get(record.thread or 0)
        if heard is not None:
            heard += _STATUS.findall(record.getMessage())
        return False


_HUSH = _Hush()


@contextmanager
def _silence() -> Iterator[list[str]]:
    """From here on what the libraries log goes nowhere but to us: at level debug they write URLs with their tokens."""
    logging.getLogger("apprise").addFilter(_HUSH)
    for name in _BELOW:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    thread = threading.get_ident()
    heard = _HUSH.heard[thread] = []
    try:
        yield heard
    finally:
        _HUSH.heard.pop(thread, None)


def _refusal(said: str) -> ChannelError:
    """What Apprise's `False` means, by the status codes it named."""
    codes = [int(code) for code in re.findall(r"\b[1-5]\d\d\b", said)]
    if not codes:
        reason = f"it failed ({said})" if said else "not reached, or the message was not taken"
        return TemporaryError(reason, maybe_arrived=True)  # it may have gone before the answer was lost
    code = codes[-1]
    if code == 429:
        return TemporaryError("HTTP 429: too many messages", retry_after=_BUSY)
    if 400 <= code < 500 and code not in _NOT_NOW:
        return PermanentError(f"HTTP {code}: the service refuses the message")
    return TemporaryError(f"HTTP {code}")
