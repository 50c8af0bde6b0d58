"""SMTP servers that answer as they are told, badly if need be: what a probe may meet."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

HANG, CUT = b"(says nothing)", b"(closes)"
WELL: Mapping[str, bytes] = {
    "greeting": b"220 mx.example\r\n",
    "EHLO": b"250-mx.example\r\n250 8BITMIME\r\n",
    "HELO": b"250 mx.example\r\n",
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go\r\n",
    "content": b"250 2.6.0 queued\r\n",
    "QUIT": b"221 bye\r\n",
    "STARTTLS": b"220 go\r\n",
}


@dataclass
class Server:
    """answers: by verb, over WELL. own_only: those to MAIL and RCPT are for own envelope senders. handshake: `well`,
    `hang`, `nonsense`. after: verbs after whose answer it hangs up. tls: whether it offers STARTTLS. slow: seconds
    before each answer.
    """

    answers: Mapping[str, bytes] = field(default_factory=dict)
    own_only: bool = True
    tls: bool = False
    handshake: str = "well"
    after: tuple[str, ...] = ()
    context: ssl.SSLContext | None = None
    slow: float = 0.0
    messages: list[bytes] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    connections: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, ssl.SSLError):
            await self._talk(reader, writer)
        with suppress(ConnectionError, ssl.SSLError, RuntimeError):
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = False
        await self._say(writer, "greeting", own=True)
        while line := await reader.readline():
            self.heard.append(line.decode("latin-1").strip())
            verb = (
                line[:8].strip().upper().decode("latin-1")
                if line.upper().startswith(b"STARTTLS")
                else line[:4].decode()
            )
            verb = verb.upper()
            if verb == "MAIL":
                own = b"sidedoor-probe@" in line
            await self._say(writer, verb, own=own or verb not in {"MAIL", "RCPT"} or not self.own_only)
            if verb == "STARTTLS" and self._answer("STARTTLS").startswith(b"220"):
                await self._shake_hands(writer)
            elif verb == "DATA" and self._answer("DATA").startswith(b"354"):
                self.messages.append(await _content(reader))
                await self._say(writer, "content", own=True)

    def _answer(self, verb: str) -> bytes:
        found = self.answers.get(verb, WELL.get(verb, b"500 what\r\n"))
        offers = self.tls and verb == "EHLO" and found is WELL["EHLO"]
        return b"250-mx.example\r\n250 STARTTLS\r\n" if offers else found

    async def _say(self, writer: asyncio.StreamWriter, verb: str, *, own: bool) -> None:
        answer = self._answer(verb) if own else WELL[verb]
        await asyncio.sleep(self.slow)
        if answer == HANG:
            await asyncio.sleep(3600)
        if answer == CUT:
            raise ConnectionError
        writer.write(answer)
        await writer.drain()
        if verb in self.after:
            raise ConnectionError

    async def _shake_hands(self, writer: asyncio.StreamWriter) -> None:
        if self.handshake == "hang":
            await asyncio.sleep(3600)
        if self.handshake == "nonsense":
            writer.write(b"this is no TLS\r\n" * 10)
            await writer.drain()
            raise ConnectionError
        assert self.context is not None
        await writer.start_tls(self.context)


async def _content(reader: asyncio.StreamReader) -> bytes:
    lines = b""
    while (line := await reader.readline()) != b".\r\n":
        assert line
        lines += line
    return lines


@contextmanager
def serving(*servers: Server) -> Iterator[list[int]]:
    """The servers on ports of the loopback, in a thread of their own."""
    ready, ports = threading.Event(), []
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        for server in servers:
            made = await asyncio.start_server(server, "127.0.0.1", 0, limit=1 << 20)
            ports.append(made.sockets[0].getsockname()[1])
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda *_: None)
        loop.run_until_complete(begin())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield ports
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def bad_certificate(folder: Path) -> ssl.SSLContext:
    """Signed by itself, expired, for another name, with an escape sequence in it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "\x1b[31mother.example")])
    then = datetime.now(UTC) - timedelta(days=30)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(then).not_valid_after(then + timedelta(days=7)).sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "bad.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context
