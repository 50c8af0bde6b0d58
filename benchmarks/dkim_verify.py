"""DKIM verification beside its floor and beside dkimpy, all in one process.

    python benchmarks/dkim_verify.py [--quick] [--seconds 3]

The floor is what no verifier can do without: one RSA-2048 verification by `cryptography`, and SHA-256 over the body in
relaxed form, made by the C routines of `bytes`. dkimpy's keys come from its documented hook `dnsfunc`.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import dkim
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gather.form import Bench
from sidedoor.mailauth.dkim import verify_dkim
from sidedoor.mailauth.memory import MemoryResolver

SIZES = (("2 KB", 1_700), ("1 MB", 1_000_000))
HEADER = (
    b"From: Scanner <scan@contoso.com>\r\nTo: helpdesk@contoso.com\r\nSubject: Scan from HQ3, 2 pages\r\n"
    b"Date: Tue, 03 Nov 2026 08:15:20 +0000\r\nMessage-ID: <1@contoso.com>\r\nMIME-Version: 1.0\r\n\r\n"
)
LINE = b"Lorem ipsum dolor sit  amet,\tconsectetur adipiscing elit \r\n"


def seconds(calls: dict[str, Callable[[], object]], each: float) -> dict[str, float]:
    """Seconds a call, the best of five rounds in which all take turns; `each`: seconds that one may take in all."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(5):
        for name, call in calls.items():
            done, started = 0, time.perf_counter()
            while (spent := time.perf_counter() - started) < each / 5:
                call()
                done += 1
            best[name] = min(best[name], spent / done)
    return best


def floor(body: bytes) -> Callable[[], object]:
    """One RSA verification and the hash of the body in relaxed form."""
    key = generate_private_key(65537, 2048)
    signature, public = key.sign(b"x", PKCS1v15(), SHA256()), key.public_key()

    def run() -> None:
        public.verify(signature, b"x", PKCS1v15(), SHA256())
        relaxed = body.replace(b"\t", b" ")
        while b"  " in relaxed:
            relaxed = relaxed.replace(b"  ", b" ")
        hashlib.sha256(relaxed.replace(b" \r\n", b"\r\n").rstrip(b"\r\n") + b"\r\n").digest()

    return run


def main() -> int:
    """The same for each size."""
    bench = Bench(__file__, __doc__)
    bench.size("--seconds", 3, quick=1, text="for each figure")
    asked = bench.options()
    key = generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    resolver, now = MemoryResolver({"sel._domainkey.contoso.com": {"TXT": [record]}}), datetime.now(UTC)
    for name, size in SIZES:
        body = (LINE * (size // len(LINE) + 1))[:size] + b"\r\n"
        field = dkim.sign(HEADER + body, b"sel", b"contoso.com", pem, canonicalize=(b"relaxed", b"relaxed"))
        message = field + HEADER + body
        (result,) = verify_dkim(message, resolver, now)
        if result.word.value != "pass":
            raise SystemExit(f"{name}: {result}")
        calls: dict[str, Callable[[], object]] = {
            "RSA and hashing": floor(body),
            "ours": lambda message=message: verify_dkim(message, resolver, now),  # type: ignore[misc]
            "dkimpy": lambda message=message: dkim.verify(message, dnsfunc=lambda *_, **__: record.encode()),  # type: ignore[misc]
        }
        took = {who: each * 1e6 for who, each in seconds(calls, asked.seconds).items()}
        ours = took.pop("ours")
        for who, theirs in took.items():
            goal = "" if who == "dkimpy" else "dkim-floor"
            bench.tell(f"verify_dkim, {name}", ours, "us", (who, theirs), goal=goal)
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
