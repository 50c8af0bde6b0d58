"""Who may log in at the submission listener: a file of users with scrypt hashes (RFC 7914), one a line.

scanner@contoso.com:scrypt:16384:8:1:<salt in base64>:<hash in base64>
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from pathlib import Path
from typing import NamedTuple

from sidedoor.errors import InputError

_COST, _BLOCK, _PARALLEL, _LENGTH = 16_384, 8, 1, 32
_EXPECTED = "user:scrypt:N:r:p:salt:hash, as `sidedoor edge --new-user` prints it"
_MOST_PASSWORD = 1_024


class Secret(NamedTuple):
    """Parameters of scrypt, salt and hash."""

    cost: int
    block: int
    parallel: int
    salt: bytes
    hash: bytes

    def fits(self, password: str) -> bool:
        """Whether it is the password; takes some 50 ms on purpose."""
        return hmac.compare_digest(_hashed(password, self), self.hash)


_NOBODY = Secret(_COST, _BLOCK, _PARALLEL, b"nobody", bytes(_LENGTH))


class Users:
    """Users by folded name."""

    def __init__(self, secrets_by_user: dict[str, Secret]) -> None:
        self._secrets = secrets_by_user

    def check(self, user: str, password: str) -> bool:
        """Whether user and password belong together. An unknown user takes as long as a known one."""
        secret = self._secrets.get(user.casefold())
        return (secret or _NOBODY).fits(password[:_MOST_PASSWORD]) and secret is not None


def line_for(user: str, password: str) -> str:
    """The line of the file for a new user."""
    secret = Secret(_COST, _BLOCK, _PARALLEL, secrets.token_bytes(16), b"")
    encoded = [base64.b64encode(part).decode() for part in (secret.salt, _hashed(password, secret))]
    return f"{user}:scrypt:{_COST}:{_BLOCK}:{_PARALLEL}:{':'.join(encoded)}"


def read_users(path: Path) -> Users:
    """Read the file; empty lines and lines that begin with # are passed over. Raises InputError with the line."""
    found: dict[str, Secret] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            user, secret = _parsed(path, number, line.strip())
            found[user.casefold()] = secret
    return Users(found)


def _parsed(path: Path, number: int, line: str) -> tuple[str, Secret]:
    user, *parts = line.rsplit(":", 6)
    try:
        word, cost, block, parallel, salt, digest = parts
        secret = Secret(int(cost), int(block), int(parallel), base64.b64decode(salt), base64.b64decode(digest))
        _hashed("", secret)  # parameters that scrypt does not take
    except (ValueError, binascii.Error, MemoryError) as error:
        raise InputError(str(path), "a line that is none of ours", _EXPECTED, number) from error
    if word != "scrypt" or not user or len(secret.hash) != _LENGTH:
        raise InputError(str(path), "a line that is none of ours", _EXPECTED, number)
    return user, secret


def _hashed(password: str, secret: Secret) -> bytes:
    return hashlib.scrypt(
        password.encode(errors="surrogatepass"), salt=secret.salt, n=secret.cost, r=secret.block, p=secret.parallel,
        maxmem=64 << 20, dklen=_LENGTH,
    )  # fmt: skip
