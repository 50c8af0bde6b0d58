"""Apprise against real servers on loopback: what arrives, and what is said of every way in which it does not."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from sidedoor.errors import UsageError
from sidedoor.store.model import Occasion, Severity
from sidedoor.watch.channels.apprise import AppriseChannel
from sidedoor.watch.channels.interface import ChannelError, PermanentError, TemporaryError
from tests.ports import free_port
from tests.watch.channel_kit import ALERT, Inbox, alert, certificate, server_context, webhook

SECRET = "hunter2token"


def send(channel: AppriseChannel, *, repeat: bool = False, occasion: Occasion = Occasion.RAISED) -> None:
    """The usual alert."""
    channel.send(ALERT, occasion, "contoso.example", "D1", repeat=repeat)


@contextmanager
def mail_server() -> Iterator[tuple[Inbox, int]]:
    """A mail server on loopback."""
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield inbox, controller.port
    finally:
        controller.stop()


def test_a_webhook_gets_title_text_and_kind() -> None:
    with webhook() as hook:
        send(AppriseChannel("hook", f"json://127.0.0.1:{hook.port}/{SECRET}"))
    assert hook.paths == [f"/{SECRET}"]
    (body,) = hook.bodies
    assert body["title"].startswith("Sidedoor contoso[.]example: Serious, new: A new direct sender: MFP-HQ9")
    assert "HELO: MFP-HQ9" in body["message"]
    assert body["type"] == "failure"


def test_a_repeat_is_marked_and_recovery_is_another_kind() -> None:
    with webhook() as hook:
        channel = AppriseChannel("hook", f"json://127.0.0.1:{hook.port}")
        send(channel, repeat=True)
        send(channel, occasion=Occasion.RECOVERED)
    assert "may have reached you before" in hook.bodies[0]["message"]
    assert hook.bodies[1]["type"] == "success"


def test_mail_comes_as_html_that_a_stranger_wrote_nothing_of() -> None:
    spite = "<img src=x onerror=alert(1)> [x](http://evil.example) @everyone"
    with mail_server() as (inbox, port):
        channel = AppriseChannel("mail", f"mailto://127.0.0.1:{port}?from=a@contoso.example&to=b@contoso.example")
        channel.send(
            alert(title=spite, evidence=(("HELO", spite),)), Occasion.RAISED, "contoso.example", "D1", repeat=False
        )
    (mail,) = inbox.mails
    assert isinstance(mail, EmailMessage)
    html = mail.get_body(("html",))
    assert html is not None
    content = html.get_content()
    assert "<li>HELO: ‹img src=x onerror=alert(1)› [x] (http[:]//evil[.]example) [@]everyone</li>" in content
    assert "<img" not in content
    assert "href" not in content
    assert str(mail["Subject"]).startswith("Sidedoor contoso[.]example: Serious, new: ‹img")
    assert mail["X-Application"] == "Sidedoor"  # by which reading bounces knows its own alerts


def test_teams_gets_a_card_without_links_or_mentions(tmp_path: Path) -> None:
    pair = certificate(tmp_path, "127.0.0.1")
    spite = "[x](http://evil.example) <at>everyone</at> # h"
    with webhook(tls=server_context(pair)) as hook:
        channel = AppriseChannel("teams", f"workflows://127.0.0.1:{hook.port}/flow/{SECRET}?verify=no")
        channel.send(alert(title=spite, text=spite), Occasion.RAISED, "contoso.example", "D1", repeat=False)
    card = hook.bodies[0]["attachments"][0]["content"]
    texts = [block.get("text", "") for block in card["body"]]
    assert any("evil" in text for text in texts)
    for text in texts:
        assert "://" not in text
        assert "](" not in text
        assert "<at>" not in text
    assert "entities" not in str(card)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "retry_after"),
    [
        (500, {}, TemporaryError, None),
        (503, {"Retry-After": "9"}, TemporaryError, None),
        (429, {"Retry-After": "7"}, TemporaryError, 60.0),
        (404, {}, TemporaryError, None),
        (401, {}, PermanentError, None),
        (403, {}, PermanentError, None),
        (400, {}, PermanentError, None),
        (410, {}, PermanentError, None),
    ],
)
def test_what_a_server_answers(
    status: int, headers: dict[str, str], kind: type[ChannelError], retry_after: float | None
) -> None:
    with webhook((status, headers, 0.0)) as hook:
        channel = AppriseChannel("hook", f"json://127.0.0.1:{hook.port}/{SECRET}")
        with pytest.raises(kind, match=str(status)) as caught:
            send(channel)
        assert caught.value.retry_after == retry_after
        send(channel)  # the next one is taken
    assert len(hook.bodies) == 2


def test_a_redirect_is_not_followed() -> None:
    with webhook() as elsewhere, webhook((307, {"Location": f"http://127.0.0.1:{elsewhere.port}/"}, 0.0)) as hook:
        with pytest.raises(TemporaryError, match="307"):
            send(AppriseChannel("hook", f"json://127.0.0.1:{hook.port}"))
        assert elsewhere.bodies == []


def test_a_channel_that_is_down() -> None:
    with pytest.raises(TemporaryError, match="not reached"):
        send(AppriseChannel("hook", f"json://127.0.0.1:{free_port()}"))


def test_a_mail_server_that_is_down() -> None:
    with pytest.raises(TemporaryError, match="not reached"):
        send(AppriseChannel("mail", f"mailto://127.0.0.1:{free_port()}?from=a@contoso.example&to=b@contoso.example"))


def test_a_channel_that_hangs_ends_in_time_and_works_again_later() -> None:
    with webhook((200, {}, 3.0)) as hook:
        channel = AppriseChannel("hook", f"json://127.0.0.1:{hook.port}", seconds=0.5)
        begun = time.monotonic()
        with pytest.raises(TemporaryError, match="no answer within") as caught:
            send(channel)
        assert time.monotonic() - begun < 2
        assert caught.value.maybe_arrived
        send(channel, repeat=True)
    assert len(hook.bodies) == 2


def test_a_certificate_that_nobody_believes_is_a_fault(tmp_path: Path) -> None:
    with webhook(tls=server_context(certificate(tmp_path, "127.0.0.1"))) as hook:
        with pytest.raises(TemporaryError):
            send(AppriseChannel("hook", f"jsons://127.0.0.1:{hook.port}"))
        assert hook.bodies == []
    assert ssl.HAS_TLSv1_3


def test_no_secret_is_said_or_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    said = []
    with caplog.at_level(logging.DEBUG), webhook((500, {}, 0.0)) as hook:
        for port in (hook.port, free_port()):
            channel = AppriseChannel("hook", f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}?+X-Key={SECRET}")
            said.append(repr(channel))
            with pytest.raises(ChannelError) as caught:
                send(channel)
            said += [str(caught.value), repr(caught.value), repr(caught.value.__context__)]
        for url in (f"nonesuch://{SECRET}", f"mailto://{SECRET}", f"slack://{SECRET}"):
            with pytest.raises(UsageError) as refused:
                AppriseChannel("hook", url)
            said += [str(refused.value), repr(refused.value.__context__)]
    out, err = capfd.readouterr()
    assert SECRET not in "".join([*said, caplog.text, out, err])
    assert len(said) == 14


@pytest.mark.parametrize("severity", list(Severity))
def test_every_severity_can_be_sent(severity: Severity) -> None:
    with webhook() as hook:
        channel = AppriseChannel("hook", f"json://127.0.0.1:{hook.port}")
        channel.send(alert(severity=severity), Occasion.WORSENED, "contoso.example", "D1", repeat=False)
    assert f"{severity.value.title()}, worse" in hook.bodies[0]["title"]
