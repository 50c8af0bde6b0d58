"""How a live tenant is signed in to: where, by what, and the tokens that come of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sidedoor.errors import UsageError

if TYPE_CHECKING:
    from sidedoor.exchange.clouds import Cloud
    from sidedoor.exchange.tokens import Tokens

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,253}")


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where and by what. Errors speak of a command's options, whose names the fields are."""

    tenant_id: str | None
    client_id: str | None
    certificate: Path | None
    certificate_passphrase_env: str | None
    secret_env: str | None
    device_code: bool
    token_env: str | None
    cloud: str
    base_url: str | None
    authority_url: str | None

    @classmethod
    def taken(cls, given: dict[str, Any]) -> Self:
        """Taken out of the options that a command was given."""
        return cls(**{field.name: given.pop(field.name) for field in fields(cls)})

    def tenant(self) -> str:
        """The tenant. Raises UsageError where none was named."""
        found = _given(self.tenant_id, "--tenant-id")
        if not _TENANT.fullmatch(found):
            raise UsageError(f"--tenant-id {found}: neither a GUID nor a domain")
        return found

    def addresses(self) -> Cloud:
        """The cloud's addresses. A redirect from one that is given leads to hosts below it only. Raises UsageError."""
        from sidedoor.exchange.clouds import CLOUDS
        from sidedoor.exchange.links import checked_base, hosts_of, stays

        cloud = CLOUDS[self.cloud]
        if self.authority_url is not None:
            cloud = replace(cloud, authority=checked_base(self.authority_url))
        if self.base_url is None:
            return cloud
        base = checked_base(self.base_url)
        hosts = cloud.hosts if stays(base, cloud.exchange, cloud.hosts) else hosts_of(base)
        return replace(cloud, exchange=base, hosts=hosts)

    def tokens(self, cloud: Cloud, say: Callable[[str], None]) -> Tokens:
        """By exactly one of the ways to sign in. Raises UsageError, InputError, UnreachableError."""
        from sidedoor.exchange.tokens import AppTokens, DeviceTokens, FixedToken

        tenant = self.tenant()
        ways = [self.certificate is not None, self.secret_env is not None, self.device_code, self.token_env is not None]
        if sum(ways) != 1:
            raise UsageError("give one of --certificate, --secret-env, --device-code and --token-env")
        if self.token_env is not None:
            return FixedToken(tenant, _secret(self.token_env, "--token-env"))
        client_id = _given(self.client_id, "--client-id")
        if self.device_code:
            return DeviceTokens(tenant, client_id, cloud.authority, say)
        if self.certificate is not None:
            return AppTokens(tenant, client_id, cloud.authority, self._credential(self.certificate))
        return AppTokens(tenant, client_id, cloud.authority, _secret(self.secret_env or "", "--secret-env"))

    def _credential(self, path: Path) -> Mapping[str, str]:
        from sidedoor.exchange.credentials import certificate

        name = self.certificate_passphrase_env
        return certificate(path, None if name is None else _secret(name, "--certificate-passphrase-env"))


def _given(text: str | None, option: str) -> str:
    if not text or not text.strip():
        raise UsageError(f"missing {option}")
    return text.strip()


def _secret(name: str, option: str) -> str:
    """From the environment, because a command line is seen by others and kept in histories."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"{option} {name}: no such environment variable, or it is empty")
    if not value.isascii() or not value.isprintable():
        raise UsageError(f"{option} {name}: holds characters that no secret has")
    return value
