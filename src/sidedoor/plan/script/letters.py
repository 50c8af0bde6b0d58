"""A letter to the owner of each sender that something changes for: what, by when, how to test. Plain words."""

from __future__ import annotations

import re
from functools import cache
from textwrap import wrap

from sidedoor.plan.model import CONNECTOR_METHODS, Choice, Method, Plan, Unsavable

_INSIDE = "It reaches people in our organisation only; if it has to write to others, tell us."
_HOW = {
    Method.PARTNER_CERTIFICATE: "Nothing, as long as it connects with STARTTLS and shows its certificate for "
    "{certificate}. Tell us before that certificate's name changes.\n" + _INSIDE,
    Method.PARTNER_ADDRESS: "Nothing, as long as it sends from {addresses}. Tell us before that address changes: mail "
    "from any other address will be refused.\n" + _INSIDE,
    Method.ONPREMISES_RELAY: "Nothing, as long as it {identity}. Tell us before that changes.",
    Method.SMTP_AUTH_OAUTH: "Let it log in: server smtp.office365.com, port 587, STARTTLS, OAuth 2.0 with a mailbox of "
    "its own. A user name with a password alone is on its way out (see the dates below).",
    Method.HVE: "Let it log in: server smtp-hve.office365.com, port 587, STARTTLS, with the High Volume Email account "
    "that we give you. It reaches people inside only.",
    Method.COMMUNICATION_SERVICES: "Let it log in: server smtp.azurecomm.net, port 587, STARTTLS, with the account of "
    "Azure Communication Services that we give you, and let it write from an address in {return_path}.",
    Method.GRAPH: "Let it send by Microsoft Graph (sendMail over HTTPS), with the application that we register for it.",
    Method.RETURN_PATH: "Set its return path (also called bounce domain, envelope sender or MAIL FROM) to "
    "{return_path}. The address that people see stays as it is; it goes on signing with DKIM in our name. We publish "
    "the DNS records that you name. If it cannot do that, tell us.",
    Method.LOCAL_RELAY: "Let it send to our relay inside the network{relay}, port 25, in place of Microsoft's server.",
    Method.UNSAVABLE: "It forwards our people's mail and leaves the original sender in the envelope. Once the door is "
    "closed, mail of ours that comes back so is refused, and nothing that we can set up helps. Let it rewrite the "
    "envelope sender (SRS, Sender Rewriting Scheme), or stop forwarding.",
    Method.UNDECIDED: "Tell us whether this is yours, what it is, whether its address stays, and whether others send "
    "from there too. Until somebody does, we cannot let it in.",
}
_NAMELESS = re.compile(r"[^A-Za-z0-9._-]")
_WIDTH = 110
_CHANGES = "How {name} sends mail is about to change"
_ASKS = "Is {name} yours?"
_TEST = "How to test: let it send one message to yourself, and tell us the minute. We look it up.\n"
_UNSETTLED = frozenset({Method.UNDECIDED, Method.UNSAVABLE})


def letters(plan: Plan) -> dict[str, str]:
    """File name -> letter: to everybody whose mail the closed door would touch, spoofs left out."""
    dates = {deadline.id: deadline for deadline in plan.deadlines}
    lost = {each.sender: each for each in plan.unsavable}
    return {
        f"{_NAMELESS.sub('_', choice.sender)[:60]}.txt": _letter(
            choice,
            [f"{dates[name].on.isoformat()}: {dates[name].text}" for name in choice.deadlines if name in dates],
            lost.get(choice.sender),
            closed=plan.tenant.reject_direct_send is True,
        )
        for choice in plan.choices
        if choice.method in _HOW
    }


def _letter(choice: Choice, dates: list[str], lost: Unsavable | None, *, closed: bool) -> str:
    to = choice.owner or "whoever looks after this device or program"
    subject = (_ASKS if choice.method is Method.UNDECIDED else _CHANGES).format(name=_line(choice.name))
    when = "\nDates of Microsoft's:\n" + "\n".join(_wrapped(text, "- ", "  ") for text in dates) + "\n" if dates else ""
    return f"""To: {_line(to)}
Subject: {subject}

{"We have closed" if closed else "We are closing"} the way by which anybody on the internet can hand us mail in our own
name without a login. Something that you look after uses it:

  what             {_line(choice.name)}
  seen at          {_line(", ".join(choice.addresses[:5]) or "an address that our logs do not show")}
  writes as        {_line(", ".join(choice.mail_from[:3]) or "unknown")}
  messages seen    {choice.messages:,}

What you have to do:
{_how(choice)}{_losers(lost)}

{"" if choice.method in _UNSETTLED else _TEST}{_wrapped(_otherwise(choice, closed=closed))}
{when}
If this is not yours, say so, too: then it may be somebody who borrows our name.
"""


def _losers(lost: Unsavable | None) -> str:
    if lost is None or not lost.affected:
        return ""
    more = f" and {lost.recipients - 10:,} more" if lost.recipients > 10 else ""
    return f"\nWho would miss mail: {_line(', '.join(lost.affected[:10]))}{more}."


def _otherwise(choice: Choice, *, closed: bool) -> str:
    when = "If that changes unsaid" if choice.method in CONNECTOR_METHODS else "If nothing is done"
    day = "" if closed else " from the day we close the door"
    return f"{when}, its mail is refused{day} (550 5.7.68 or 550 5.7.51)."


def _how(choice: Choice) -> str:
    addresses = _line(", ".join(choice.addresses[:10]) or "its address")
    name = _line(choice.certificate or "its name")
    return _template(choice.method).format(
        certificate=name,
        identity=f"shows its certificate for {name}" if choice.certificate else f"sends from {addresses}",
        addresses=addresses,
        return_path=_line(choice.return_path or "a subdomain that we name"),
        relay=f" ({_line(choice.relay)})" if choice.relay else "",
    )


@cache
def _template(method: Method) -> str:
    """Wrapped before the names come in: what a name holds moves no line."""
    return "\n".join(map(_wrapped, _HOW[method].split("\n")))


@cache
def _wrapped(text: str, first: str = "", then: str = "") -> str:
    return "\n".join(
        wrap(text, _WIDTH, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False)
    )


def _line(text: str) -> str:
    """On one line; what could move the cursor or hide is a question mark."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:300]
