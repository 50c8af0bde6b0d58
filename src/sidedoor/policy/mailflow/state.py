"""A message on its way through the rules: what earlier rules have changed, and what they may have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sidedoor.mail.address import Address
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.header import HeaderField, addresses_of, decode_value
from sidedoor.policy.mailflow.view import MessageView

Check = Callable[["State"], Fact[bool]]
"""A condition: True, False, or unknown with the reason."""


class State:
    """The message as the next rule sees it. `doubts`: names of fields that an undetermined rule may have changed."""

    def __init__(self, view: MessageView) -> None:
        self.view = view
        self.scl: Fact[int] = view.scl
        self.recipient: Fact[Address] = view.recipient
        self._fields = view.fields
        self._doubts: dict[str, Unknown] = {}
        self._addresses: dict[tuple[str, ...], Fact[tuple[Address, ...]]] = {}  # of the fields as they are now

    def values(self, name: str) -> Fact[tuple[str, ...]]:
        """The values of all fields of a name (lower case)."""
        if name in self._doubts:
            return self._doubts[name]
        if isinstance(self._fields, Unknown):
            return Unknown(f"the header is unknown: {self._fields.reason}")
        return tuple(field.value for field in self._fields if field.name.lower() == name)

    def addresses(self, *names: str) -> Fact[tuple[Address, ...]]:
        """The addresses in all fields of the names (lower case)."""
        doubt = next((self._doubts[name] for name in names if name in self._doubts), None)
        if doubt is not None:
            return doubt
        if isinstance(self._fields, Unknown):
            return Unknown(f"the header is unknown: {self._fields.reason}")
        if names not in self._addresses:
            self._addresses[names] = addresses_of(self._fields, *names)
        return self._addresses[names]

    def certain_fields(self) -> Fact[tuple[HeaderField, ...]]:
        """All fields; unknown where any is in doubt."""
        if self._doubts:
            return next(iter(self._doubts.values()))
        if isinstance(self._fields, Unknown):
            return Unknown(f"the header is unknown: {self._fields.reason}")
        return self._fields

    def set_field(self, name: str, value: str) -> None:
        """Give a field one value, whatever it had."""
        self.remove_field(name)
        if not isinstance(self._fields, Unknown):
            self._fields = (*self._fields, HeaderField(name, decode_value(value)))
            self._addresses.clear()

    def remove_field(self, name: str) -> None:
        """Take away all fields of a name; what was in doubt about it no longer is."""
        if isinstance(self._fields, Unknown):
            return
        self._doubts.pop(name.lower(), None)
        self._addresses.clear()
        self._fields = tuple(field for field in self._fields if field.name.lower() != name.lower())

    def prepend_subject(self, prefix: str) -> None:
        """Put a text before the subject."""
        if isinstance(self._fields, Unknown):
            return
        at = next((at for at, field in enumerate(self._fields) if field.name.lower() == "subject"), None)
        if at is None:
            self._fields = (*self._fields, HeaderField("Subject", prefix.rstrip()))
            return
        changed = HeaderField(self._fields[at].name, prefix + self._fields[at].value)
        self._fields = (*self._fields[:at], changed, *self._fields[at + 1 :])

    def doubt(self, name: str, rule: str) -> None:
        """A rule that is undetermined may have changed the field."""
        self._doubts[name.lower()] = Unknown(f"the rule {rule!r}, which is undetermined, may have changed {name}")

    def redirect(self, addresses: Sequence[Address]) -> None:
        """The message goes to others now; later rules look at them."""
        self.recipient = addresses[0] if len(addresses) == 1 else Unknown("an earlier rule gave it several recipients")

    def doubt_recipient(self, rule: str) -> None:
        """A rule that is undetermined may have sent the message to others."""
        self.recipient = Unknown(f"the rule {rule!r}, which is undetermined, may have redirected the message")

    def doubt_scl(self, rule: str) -> None:
        """A rule that is undetermined may have set the SCL."""
        self.scl = Unknown(f"the rule {rule!r}, which is undetermined, may have set the SCL")
