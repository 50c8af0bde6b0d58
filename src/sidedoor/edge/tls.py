"""TLS of the server without I/O, by pyOpenSSL: it has the verify callback that the standard `ssl` module lacks.

A client is asked for a certificate only where a connector goes by one. One that does not verify must not end the
handshake, because mail that matches no connector is still mail; it is noted, and attributes nothing. See
docs/decisions/0009-tls-library.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

from sidedoor.edge.interface import ShownCertificate, TlsSession
from sidedoor.edge.tlstypes import TlsFailure
from sidedoor.errors import InputError
from sidedoor.policy.facts import ClientCertificate

_MOST_NAMES = 100
_MOST_NAME = 253  # RFC 1035 section 2.3.4, as text
_RECORD = 65_536
# Public CAs no longer issue for client authentication, and hybrid servers show their server certificates; so its
# purpose is no fault of a certificate. X509_V_ERR_INVALID_PURPOSE of OpenSSL's x509_vfy.h.
_WRONG_PURPOSE = 26


@dataclass(slots=True)
class _Verification:
    """What the callback saw: problems by depth, and whether the client's own certificate was looked at."""

    leaf_seen: bool = False
    problems: list[str] = field(default_factory=list)


def _note(connection: SSL.Connection, _: crypto.X509, error: int, depth: int, ok: int) -> bool:
    """Called for each certificate of the chain, and each fault: keep it, go on."""
    seen = connection.get_app_data()
    assert isinstance(seen, _Verification)
    seen.leaf_seen |= depth == 0
    if not ok and error != _WRONG_PURPOSE and len(seen.problems) < 10:
        seen.problems.append(_word(error))
    return True


_WORDS = {
    10: "expired", 9: "not yet valid", 18: "self-signed", 19: "self-signed in its chain", 20: "issuer unknown",
    21: "chain not verifiable", 23: "revoked", 7: "bad signature", 24: "issuer is no CA", 66: "key too weak",
    67: "CA key too weak", 68: "digest too weak",
}  # fmt: skip


def _word(error: int) -> str:
    return _WORDS.get(error, f"OpenSSL verify error {error}")


class TlsContext:
    """Certificate, key and what clients are asked for; one for all connections of some settings."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None, *, ask: bool = False) -> None:
        """Load the files (PEM, the certificate with its chain). Raises InputError."""
        self._ask = ask
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_2_VERSION)
        self._context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET)
        # A resumed session shows no certificate again, and its handshake asks no callback: none is resumed.
        self._context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self._load(certificate, key)
        if ask:
            self._trust(client_ca)
            self._context.set_verify(SSL.VERIFY_PEER, _note)

    def _load(self, certificate: Path, key: Path) -> None:
        try:
            self._context.use_certificate_chain_file(str(certificate))
        except SSL.Error as error:
            raise InputError(str(certificate), "no certificate", "a PEM file with the server's certificate") from error
        try:
            self._context.use_privatekey_file(str(key))
            self._context.check_privatekey()
        except SSL.Error as error:
            raise InputError(str(key), "no key for that certificate", "the certificate's key in PEM") from error

    def _trust(self, client_ca: Path | None) -> None:
        if client_ca is None:
            self._context.set_default_verify_paths()
            return
        try:
            self._context.load_verify_locations(str(client_ca))
        except SSL.Error as error:
            raise InputError(str(client_ca), "no certificates", "a PEM file with CA certificates") from error

    def channel(self) -> TlsChannel:
        """A new connection's TLS."""
        return TlsChannel(self._context)


class TlsChannel:
    """TLS of one connection: ciphertext in, plain octets out, and the other way round."""

    def __init__(self, context: SSL.Context) -> None:
        self.established = False
        self._verification = _Verification()
        self._connection = SSL.Connection(context, None)
        self._connection.set_app_data(self._verification)
        self._connection.set_accept_state()

    def receive(self, data: bytes) -> bytes:
        """Take octets of the client; the plain text in them. Raises TlsFailure."""
        parts: list[bytes] = []
        try:
            for at in range(0, len(data), _RECORD):
                self._connection.bio_write(data[at : at + _RECORD])
                self._step(parts)
        except SSL.ZeroReturnError:
            pass  # close_notify: the connection ends when its socket does
        except SSL.Error as error:
            raise TlsFailure(_reason(error)) from error
        return b"".join(parts)

    def _step(self, parts: list[bytes]) -> None:
        try:
            if not self.established:
                self._connection.do_handshake()
                self.established = True
            while True:
                parts.append(self._connection.recv(_RECORD))
        except SSL.WantReadError:
            return

    def send(self, data: bytes) -> None:
        """Encrypt; see `data_to_send`. Raises TlsFailure."""
        try:
            view = memoryview(data)
            while view:
                view = view[self._connection.send(view[:16_384]) :]
        except SSL.Error as error:
            raise TlsFailure(_reason(error)) from error

    def data_to_send(self) -> bytes:
        """Ciphertext for the client, alerts included."""
        parts: list[bytes] = []
        try:
            while True:
                parts.append(self._connection.bio_read(_RECORD))
        except SSL.WantReadError:
            return b"".join(parts)
        except SSL.Error:  # nothing was ever written
            return b"".join(parts)

    def close(self) -> None:
        """Say close_notify, where that can still be said."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            return

    def session(self) -> TlsSession:
        """What the handshake came to; call it once `established`."""
        version = (self._connection.get_protocol_version_name() or "").replace("v", "")
        return TlsSession(version, self._connection.get_cipher_name() or "", self._shown())

    def _shown(self) -> ShownCertificate | None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return None
        problems = list(dict.fromkeys(self._verification.problems))
        if not self._verification.leaf_seen:
            problems.append("not verified")
        try:
            names = names_of(certificate)
        except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            return ShownCertificate(ClientCertificate(), verified=False, problem="names malformed")
        return ShownCertificate(names, verified=not problems, problem=", ".join(problems))


def names_of(certificate: x509.Certificate) -> ClientCertificate:
    """The last common name of the subject, and the DNS names among its alternative names, bounded.

    Raises ValueError and its like for a certificate that is malformed inside.
    """
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    cn = str(common[-1].value)[:_MOST_NAME] if common else None
    return ClientCertificate(cn, tuple(name for name in names[:_MOST_NAMES] if len(name) <= _MOST_NAME))


def _reason(error: SSL.Error) -> str:
    """OpenSSL's own word for what went wrong."""
    queue = error.args[0] if error.args else None
    return str(queue[0][-1]) if isinstance(queue, list) and queue else type(error).__name__
