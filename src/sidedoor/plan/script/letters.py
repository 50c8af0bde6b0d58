"""A letter to the owner of each sender that something changes for: what, by when, how to test. Plain words."""

from __future__ import annotations

import re

from sidedoor.plan.model import CONNECTOR_METHODS, OWNER_METHODS, Choice, Method, Plan

_HOW = {
    Method.PARTNER_CERTIFICATE: "Nothing, as long as it connects with STARTTLS and shows its certificate for "
    "{certificate}. Tell us before that certificate's name changes.",
    Method.PARTNER_ADDRESS: "Nothing, as long as it sends from {addresses}. Tell us before that address changes: mail "
    "from any other address will be refused.",
    Method.ONPREMISES_RELAY: "Nothing, as long as it sends from {addresses}{certificate_too}. Tell us before "
    "that changes.",
    Method.SMTP_AUTH_OAUTH: "Let it log in: server smtp.office365.com, port 587, STARTTLS, OAuth 2.0 with a mailbox of "
    "its own. A user name with a password alone is on its way out (see the dates below).",
    Method.HVE: "Let it log in: server smtp-hve.office365.com, port 587, STARTTLS, with the High Volume Email account "
    "that we give you. It reaches people inside only.",
    Method.COMMUNICATION_SERVICES: "Let it log in: server smtp.azurecomm.net, port 587, STARTTLS, with the account of "
    "Azure Communication Services that we give you.",
    Method.GRAPH: "Let it send by Microsoft Graph (sendMail over HTTPS), with the application that we register for it.",
    Method.RETURN_PATH: "Set its return path (also called bounce domain, envelope sender or MAIL FROM) to "
    "{return_path}. The address that people see stays as it is. We publish the DNS records that you name.",
    Method.LOCAL_RELAY: "Let it send to our relay inside the network{relay}, port 25, in place of Microsoft's server. "
    "The relay logs in for it.",
}
_NAMELESS = re.compile(r"[^A-Za-z0-9._-]")


def letters(plan: Plan) -> dict[str, str]:
    """File name -> letter."""
    dates = {deadline.id: deadline for deadline in plan.deadlines}
    return {
        f"{_NAMELESS.sub('_', choice.sender)[:60]}.txt": _letter(
            choice,
            [f"- {dates[name].on.isoformat()}: {dates[name].text}" for name in choice.deadlines if name in dates],
        )
        for choice in plan.choices
        if choice.method in CONNECTOR_METHODS | OWNER_METHODS
    }


def _letter(choice: Choice, dates: list[str]) -> str:
    to = choice.owner or "whoever looks after this device or program"
    when = "\nDates of Microsoft's:\n" + "\n".join(dates) + "\n" if dates else ""
    return f"""To: {_line(to)}
Subject: How {_line(choice.name)} sends mail is about to change

We are closing the way by which anybody on the internet can hand us mail in our own name without a login. Something
that you look after uses it:

  what             {_line(choice.name)}
  seen at          {_line(", ".join(choice.addresses[:5]) or "an address that our logs do not show")}
  writes as        {_line(", ".join(choice.mail_from[:3]) or "unknown")}
  messages seen    {choice.messages:,}

What you have to do:
{_how(choice)}

How to test: let it send one message to yourself, and tell us the minute. We look it up.
{_otherwise(choice)}, its mail is refused from the day we close the door ("550 5.7.68 ... Direct Send not allowed").
{when}
If this is not yours, say so, too: then it may be somebody who borrows our name.
"""


def _otherwise(choice: Choice) -> str:
    return "If that changes unsaid" if choice.method in CONNECTOR_METHODS else "If nothing is done"


def _how(choice: Choice) -> str:
    return _HOW[choice.method].format(
        certificate=_line(choice.certificate or "its name"),
        certificate_too=f" or shows its certificate for {_line(choice.certificate)}" if choice.certificate else "",
        addresses=_line(", ".join(choice.addresses[:10]) or "its address"),
        return_path=_line(choice.return_path or "a subdomain that we name"),
        relay=f" ({_line(choice.relay)})" if choice.relay else "",
    )


def _line(text: str) -> str:
    """On one line; what could move the cursor or hide is a question mark."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:300]
