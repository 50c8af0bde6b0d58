"""The replies of the protocol itself, with enhanced status codes (RFC 3463, RFC 5248). The rule's are in policy."""

from __future__ import annotations

from functools import lru_cache

from sidedoor.mail.reply import Reply

_MOST_TEXT = 480  # RFC 5321 section 4.5.3.1.5: a reply line has at most 512 octets

OK = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
START_INPUT = Reply(354, "", "Start mail input; end with <CRLF>.<CRLF>")
BYE = Reply(221, "2.0.0", "Service closing transmission channel")
CHALLENGE = Reply(334, "", "")  # the text is the challenge in base64 (RFC 4954 section 4)
READY_FOR_TLS = Reply(220, "2.0.0", "SMTP server ready")
LOGGED_IN = Reply(235, "2.7.0", "Authentication successful")
CANNOT_VRFY = Reply(252, "2.1.5", "Cannot VRFY user")
HELP = Reply(214, "2.0.0", "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT STARTTLS AUTH")

UNKNOWN_COMMAND = Reply(500, "5.5.1", "Unrecognized command")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented")
BAD_SEQUENCE = Reply(503, "5.5.1", "Bad sequence of commands")
HELLO_FIRST = Reply(503, "5.5.1", "Send hello first")
SYNTAX = Reply(501, "5.5.4", "Syntax error in parameters")
BAD_PARAMETER = Reply(555, "5.5.4", "Unsupported parameter")
BAD_CHARACTER = Reply(500, "5.5.2", "Forbidden octet in a command")
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
BAD_SENDER = Reply(501, "5.1.7", "Invalid address of the sender")
BAD_RECIPIENT = Reply(501, "5.1.3", "Invalid address of the recipient")
NOT_ASCII = Reply(553, "5.6.7", "Non-ASCII address without SMTPUTF8")  # RFC 6531 section 3.5
NO_RECIPIENTS = Reply(554, "5.5.1", "No valid recipients")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients")
TOO_BIG = Reply(552, "5.3.4", "Message size exceeds fixed maximum message size")
# RFC 5321 section 2.3.8: CR and LF only together; what others made of the rest is known as SMTP smuggling.
BARE_IN_CONTENT = Reply(550, "5.5.2", "Bare <CR> or <LF> in the message")
NUL_IN_CONTENT = Reply(550, "5.5.2", "NUL in the message")  # RFC 6152 section 2 allows all octets but this
LOGIN_FAILED = Reply(535, "5.7.3", "Authentication unsuccessful")
LOGIN_CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
LOGIN_SYNTAX = Reply(501, "5.5.2", "Cannot decode response")
ENCRYPTION_NEEDED = Reply(538, "5.7.11", "Encryption required for requested authentication mechanism")
NO_SUCH_MECHANISM = Reply(504, "5.7.4", "Unrecognized authentication type")
# 521 (RFC 7504) says that the host takes no mail; before a close it ends the matter for good.
BARE_IN_COMMAND = Reply(521, "5.5.2", "Bare <CR> or <LF> in a command; closing")
NOT_SMTP = Reply(521, "5.5.1", "This is not SMTP; closing")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors; closing")
TOO_MANY_LOGINS = Reply(421, "4.7.0", "Too many failed logins; closing")
TOO_MANY_MESSAGES = Reply(421, "4.5.3", "Enough messages for one connection; closing")
TOO_IDLE = Reply(421, "4.4.2", "Timed out; closing")
TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections; try again later")
SHUTTING_DOWN = Reply(421, "4.3.2", "Server shutting down; try again later")
CANNOT_KEEP = Reply(451, "4.3.0", "The message cannot be kept now; try again later")


@lru_cache(maxsize=1_024)
def encode(reply: Reply) -> bytes:
    """One reply line: printable ASCII, bounded, whatever the text holds."""
    return encode_once(reply)


def encode_once(reply: Reply) -> bytes:
    """The same for a reply that will not be said again."""
    text = (f"{reply.enhanced} {reply.text}" if reply.enhanced else reply.text)[:_MOST_TEXT]
    if not (text.isascii() and text.isprintable()):
        text = "".join(each if " " <= each <= "~" else "?" for each in text)
    return f"{reply.code} {text}\r\n".encode("ascii")


@lru_cache(maxsize=64)
def encode_lines(code: int, lines: tuple[str, ...]) -> bytes:
    """A reply of several lines, without enhanced codes: the answer to EHLO (RFC 5321 section 4.2.1)."""
    marks = ["-"] * (len(lines) - 1) + [" "]
    return "".join(f"{code}{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=True)).encode("ascii")
