"""DKIM (RFC 6376, RFC 8301, RFC 8463) and ARC (RFC 8617), with `cryptography` for the arithmetic and our resolver.

The field's library, dkimpy, is an oracle in the tests; docs/decisions/0007 says why it does not verify here.
"""

from __future__ import annotations

from sidedoor.mailauth.dkim.arc import ArcResult, verify_arc
from sidedoor.mailauth.dkim.verify import MAX_SIGNATURES, DkimResult, verify_dkim

__all__ = ["MAX_SIGNATURES", "ArcResult", "DkimResult", "verify_arc", "verify_dkim"]
