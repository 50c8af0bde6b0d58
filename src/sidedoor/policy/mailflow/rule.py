"""One transport rule ready to run, and the reading of it out of an export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sidedoor.mail.fact import Unknown
from sidedoor.policy.mailflow import conditions, effects
from sidedoor.policy.mailflow.actions import Action, Delete, Quarantine, Reject, StopRules
from sidedoor.policy.mailflow.build import Build, NotEvaluatedError, SenderLocation
from sidedoor.policy.mailflow.header import without_controls
from sidedoor.policy.mailflow.result import Mode, Part, Unsupported
from sidedoor.policy.mailflow.scope import OwnDomains
from sidedoor.policy.mailflow.state import Check
from sidedoor.policy.mailflow.switches import FromScopeReading
from sidedoor.tenant.snapshot import TransportRule
from sidedoor.tenant.values import Fields

_EXCEPT = "ExceptIf"
# Settings that neither choose messages nor do anything.
_ASIDE = frozenset(
    {
        *("conditions", "exceptions", "actions", "senderaddresslocation", "recipientaddresstype", "ruleerroraction"),
        *("uselegacyregex", "dlppolicy", "activationdate", "expirydate", "rulesubtype", "enabled", "tags"),
    }
)
_FALSE = frozenset({"false", "$false"})
_CONDITIONS = {key.lower(): key for key in (*conditions.BUILDERS, *conditions.COMPANIONS, *conditions.NOT_EVALUATED)}
_ACTIONS = {key.lower(): key for key in (*effects.BUILDERS, *effects.COMPANIONS, *effects.NOT_TAKEN)}
# An object that has these keys, empty or not, is a whole one and not a selection of columns.
_TELLING = frozenset({"fromscope", "senderdomainis", "from", "sentto", "senderipranges", "subjectcontainswords"})


@dataclass(frozen=True, slots=True)
class Test:
    """One condition or exception with its words for people."""

    label: str
    check: Check


@dataclass(frozen=True, slots=True)
class Period:
    """ActivationDate and ExpiryDate; None where the rule has none."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether the rule is in force. "No action until", "no action after" (New-TransportRule)."""
        return (self.start is None or now >= self.start) and (self.end is None or now <= self.end)


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule. `blocked`: why it can never fire. `left_out`: actions that are not taken when it does."""

    name: str
    mode: Mode
    period: Period
    conditions: tuple[Test, ...]
    exceptions: tuple[Test, ...]
    actions: tuple[Action, ...]
    blocked: tuple[Unsupported, ...]
    left_out: tuple[Unsupported, ...]
    notes: tuple[str, ...] = ()

    @property
    def ends(self) -> bool:
        """Whether no later rule runs once it has fired."""
        ending = (Quarantine, Reject, Delete, StopRules)
        return self.mode is Mode.ENFORCE and any(isinstance(action, ending) for action in self.actions)


class Reading:
    """One exported rule being read: gathers what is not evaluated."""

    def __init__(self, row: TransportRule, accepted: OwnDomains, from_scope: FromScopeReading) -> None:
        self.row, self.accepted, self.from_scope = row, accepted, from_scope
        self.settings = {key: value for key, value in row.settings.items() if _is_set(value)}
        self.fields = Fields(row.settings)
        self.unsupported: list[Unsupported] = []
        self.seen = dict.fromkeys(Part, 0)

    def rule(self) -> Rule:
        """The compiled rule."""
        location = self._location()
        keys = self._keys()
        tests = {prefix: tuple(self._tests(keys, prefix, location)) for prefix in ("", _EXCEPT)}
        actions = tuple(self._actions(keys))
        mode, period = self._mode(), self._period()
        self._check_properties()
        self._check_lists()
        blocked = tuple(each for each in self.unsupported if each.part is not Part.ACTION)
        left_out = tuple(each for each in self.unsupported if each.part is Part.ACTION)
        notes = tuple(self._notes())
        return Rule(self.row.name, mode, period, tests[""], tests[_EXCEPT], actions, blocked, left_out, notes)

    def refuse(self, setting: str, part: Part, why: str) -> None:
        """Name a setting that is not evaluated."""
        self.unsupported.append(Unsupported(self.row.name, setting, part, why))

    def _keys(self) -> Mapping[Part, list[str]]:
        """The settings by part, conditions and actions under their own spelling; what nobody knows is a condition."""
        keys: dict[Part, list[str]] = {part: [] for part in Part}
        for key in self.settings:
            lower = key.lower()
            if lower in _ASIDE or "@" in key:
                continue
            bare = lower.removeprefix(_EXCEPT.lower())
            part = Part.EXCEPTION if lower != bare else Part.CONDITION
            if lower in _ACTIONS:
                keys[Part.ACTION].append(_ACTIONS[lower])
            elif bare in _CONDITIONS:
                keys[part].append(_CONDITIONS[bare])
            else:
                self.refuse(key, part, "Sidedoor does not know this setting")
                self.seen[part] += 1
        return keys

    def _tests(self, keys: Mapping[Part, list[str]], prefix: str, location: SenderLocation) -> Iterator[Test]:
        part = Part.EXCEPTION if prefix else Part.CONDITION
        legacy = self.fields.flag("UseLegacyRegex") is True
        build = Build(self.fields, prefix, location, legacy, self.accepted, self.from_scope)
        for key in keys[part]:
            name = prefix + key
            if (first := conditions.COMPANIONS.get(key)) is not None:
                if first not in keys[part]:
                    self.refuse(name, part, f"it stands without {prefix}{first}")
                continue
            self.seen[part] += 1
            if key in conditions.NOT_EVALUATED:
                self.refuse(name, part, conditions.NOT_EVALUATED[key])
                continue
            try:
                yield Test(self._label(prefix, key), conditions.BUILDERS[key](build))
            except NotEvaluatedError as error:
                self.refuse(name, part, str(error))

    def _label(self, prefix: str, key: str) -> str:
        second = next((other for other, first in conditions.COMPANIONS.items() if first == key), None)
        keys = (prefix + key,) if second is None else (prefix + key, prefix + second)
        text = ": ".join(_shown(self.fields.raw(each)) for each in keys)
        return f"{prefix}{key} {text[:100]}{'...' if len(text) > 100 else ''}"

    def _actions(self, keys: Mapping[Part, list[str]]) -> Iterator[Action]:
        wanted = {effects.COMPANIONS.get(key, key) for key in keys[Part.ACTION]}
        self.seen[Part.ACTION] = len(wanted)
        for key in sorted(wanted & effects.NOT_TAKEN.keys()):
            self.refuse(key, Part.ACTION, effects.NOT_TAKEN[key])
        for key, builder in effects.BUILDERS.items():
            if key not in wanted:
                continue
            try:
                yield builder(self.fields)
            except NotEvaluatedError as error:
                self.refuse(key, Part.ACTION, str(error))
        code = effects.reject_code(self.fields)
        if code and not effects.allowed_code(code):
            self.refuse(
                "RejectMessageEnhancedStatusCode", Part.ACTION, f"{code[:20]!r} is none that a rule may give; 5.7.1"
            )

    def _location(self) -> SenderLocation:
        text = self.fields.text("SenderAddressLocation") or SenderLocation.HEADER.value
        found = next((each for each in SenderLocation if each.value.lower() == text.lower()), None)
        if found is None:
            self.refuse("SenderAddressLocation", Part.PROPERTY, f"no such place: {text[:40]!r}")
        return found or SenderLocation.HEADER

    def _mode(self) -> Mode:
        found = next((each for each in Mode if each.value.lower() == self.row.mode.lower()), None)
        if found is None:
            why = f"no such mode: {self.row.mode[:40]!r}" if self.row.mode else "the export does not tell it"
            self.refuse("Mode", Part.PROPERTY, why)
        return found or Mode.ENFORCE

    def _period(self) -> Period:
        return Period(self._moment("ActivationDate"), self._moment("ExpiryDate"))

    def _moment(self, key: str) -> datetime | None:
        if not any(name.lower() == key.lower() for name in self.settings):
            return None
        moment = self.fields.moment(key)
        if moment is None:
            self.refuse(key, Part.PROPERTY, "the form of the date depends on a culture; ConvertTo-Json does not")
        return moment

    def _check_properties(self) -> None:
        if isinstance(self.row.enabled, Unknown):
            self.refuse("State", Part.PROPERTY, self.row.enabled.reason)
        if self.fields.text("RuleSubType").lower() not in {"", "none"}:
            self.refuse("RuleSubType", Part.PROPERTY, "only regular rules are evaluated")

    def _check_lists(self) -> None:
        """The export's own lists of classes show what a selection of columns has left out."""
        told = self.row.told
        for part, key in ((Part.CONDITION, "Conditions"), (Part.EXCEPTION, "Exceptions"), (Part.ACTION, "Actions")):
            listed = next((value for name, value in self.row.settings.items() if name.lower() == key.lower()), None)
            if isinstance(listed, list) and len(listed) > self.seen[part]:
                self.refuse(key, part, f"the export lists {len(listed)} and shows {self.seen[part]}")
        if told is None or self.seen[Part.CONDITION] or "conditions" in told or told >= _TELLING:
            return
        self.refuse("Conditions", Part.CONDITION, "the export shows none and does not say that there are none")

    def _notes(self) -> Iterator[str]:
        """What a selection of columns leaves open without keeping the rule from running."""
        told = self.row.told
        if told is not None and "exceptions" not in told and not any(key.startswith("exceptif") for key in told):
            yield f"rule {self.row.name!r}: the export does not show whether it has exceptions; taken as none"


def _is_set(value: object) -> bool:
    """Whether an exported value sets anything: every rule has False for the switches that nobody touched."""
    return value is not False and value is not None and str(value).strip().lower() not in {"", "[]", "{}", *_FALSE}


def _shown(value: object) -> str:
    text = ", ".join(str(each) for each in value[:20]) if isinstance(value, list) else str(value)
    return without_controls(text[:200])
