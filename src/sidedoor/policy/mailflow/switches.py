"""The open question of transport rules that rules on Direct Send hang on, as a named switch."""

from __future__ import annotations

from enum import Enum


class FromScopeReading(Enum):
    """What FromScope NotInOrganization says of an anonymous message whose header From is in an accepted domain.

    New-TransportRule: InOrganization needs an authenticated connection, NotInOrganization an address outside the
    accepted domains. Such a message is neither; vendors' lock-down rules rely on its being outside.
    """

    OPEN = "open"  # neither text nor practice is believed: the rule is undetermined, and says so
    DOCUMENTED = "documented"  # not outside, as the page reads: the rule does not fire
    OUTSIDE = "outside"  # outside, as vendors' rules rely on: the rule fires
