"""Who asks: nobody, somebody who signed in, or a program with a token."""

from __future__ import annotations

from dataclasses import dataclass

from sidedoor.web.access.roles import Grant, Role, role_at_all, role_in


@dataclass(frozen=True, slots=True)
class Visitor:
    """who: as the trail writes it. csrf: what forms must bring along, "" where there is no session. session: its id."""

    who: str = ""
    grants: tuple[Grant, ...] = ()
    via: str = "web"
    csrf: str = ""
    session: str = ""

    @property
    def known(self) -> bool:
        """Whether somebody signed in."""
        return bool(self.who)

    @property
    def role(self) -> Role:
        """What they may do in what belongs to no tenant."""
        return role_at_all(self.grants)

    def role_in(self, tenant: str) -> Role:
        """What they may do in a tenant."""
        return role_in(self.grants, tenant)

    def may(self, role: Role, tenant: str | None = None) -> bool:
        """Whether they have that role, in a tenant where one is named."""
        return (self.role if tenant is None else self.role_in(tenant)) >= role


NOBODY = Visitor()
