"""What a connection needs of TLS; `tls.py` has it by pyOpenSSL, which only an edge that offers STARTTLS imports."""

from __future__ import annotations

from typing import Protocol

from sidedoor.edge.interface import TlsSession


class TlsFailure(Exception):  # noqa: N818  # TlsError would say less: it is what the peer did
    """The handshake failed, or what came is no TLS. The message is for the operator."""


class Channel(Protocol):
    """TLS of one connection without I/O. `receive` and `send` raise TlsFailure."""

    established: bool

    def receive(self, data: bytes) -> bytes:
        """Take octets of the client; the plain text in them."""

    def send(self, data: bytes) -> None:
        """Encrypt; see `data_to_send`."""

    def data_to_send(self) -> bytes:
        """Ciphertext for the client."""

    def close(self) -> None:
        """Say close_notify, where that can still be said."""

    def session(self) -> TlsSession:
        """What the handshake came to; call it once `established`."""
