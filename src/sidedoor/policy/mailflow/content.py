"""Conditions about what is sent: header fields, subject and body, type, size, attachments, SCL."""

from __future__ import annotations

from collections.abc import Callable

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.build import Build, NotEvaluatedError
from sidedoor.policy.mailflow.kinds import MessageType, is_of_type
from sidedoor.policy.mailflow.sizes import octets_of
from sidedoor.policy.mailflow.state import Check, State
from sidedoor.policy.mailflow.text import Search, any_of


def header_search(build: Build, name_key: str, search: Search) -> Check:
    name = build.text(name_key).lower()

    def check(state: State) -> Fact[bool]:
        values = state.values(name)
        return values if isinstance(values, Unknown) else any_of([search(value) for value in values])

    return check


def subject_search(search: Search) -> Check:
    def check(state: State) -> Fact[bool]:
        values = state.values("subject")
        return values if isinstance(values, Unknown) else any_of([search(value) for value in values])

    return check


def body_search(search: Search) -> Check:
    in_subject = subject_search(search)

    def check(state: State) -> Fact[bool]:
        body = state.view.body
        in_body: Fact[bool] = (
            Unknown(f"the body is unknown: {body.reason}")
            if isinstance(body, Unknown)
            else search(body.removesuffix("\n"))  # `$` of .NET stands before a last line end too
        )
        return any_of([in_subject(state), in_body])

    return check


def type_is(build: Build) -> Check:
    text = build.text("MessageTypeMatches").lower()
    kind = next((each for each in MessageType if each.value.lower() == text), None)
    if kind is None:
        raise NotEvaluatedError(f"no such message type: {text[:40]!r}")

    def check(state: State) -> Fact[bool]:
        fields = state.certain_fields()
        return fields if isinstance(fields, Unknown) else is_of_type(kind, fields, state.view.part_types)

    return check


def importance_is(build: Build) -> Check:
    wanted = build.text("WithImportance").lower()
    if wanted not in {"low", "normal", "high"}:
        raise NotEvaluatedError(f"no such importance: {wanted[:40]!r}")

    def check(state: State) -> Fact[bool]:
        values = state.values("importance")
        if isinstance(values, Unknown):
            return values
        found = values[0].strip().lower() if values else "normal"  # RFC 2156 section 5.3.4
        return found == wanted

    return check


def message_over(build: Build) -> Check:
    limit = _octets(build, "MessageSizeOver")

    def check(state: State) -> Fact[bool]:
        size = state.view.size
        return Unknown(f"the size is unknown: {size.reason}") if isinstance(size, Unknown) else size > limit

    return check


def _octets(build: Build, key: str) -> int:
    limit = octets_of(build.text(key))
    if limit is None:
        raise NotEvaluatedError(f"{build.text(key)[:40]!r} is no size")
    return limit


def scl_over(build: Build) -> Check:
    text = build.text("SCLOver")
    if text not in {str(level) for level in range(-1, 10)}:
        raise NotEvaluatedError(f"{text[:40]!r} is no SCL")
    level = int(text)

    def check(state: State) -> Fact[bool]:
        scl = state.scl  # "greater than or equal to the specified value" (New-TransportRule -SCLOver)
        return scl if isinstance(scl, Unknown) else scl >= level

    return check


def attachment_over(build: Build) -> Check:
    limit = _octets(build, "AttachmentSizeOver")
    return _on_attachments(lambda _name, size: size > limit)


def attachment_name(search: Search) -> Check:
    return _on_attachments(lambda name, _size: search(name))


def attachment_extension(build: Build) -> Check:
    wanted = {word.strip().lower().lstrip(".") for word in build.phrases("AttachmentExtensionMatchesWords")}
    return _on_attachments(lambda name, _size: "." in name and name.rpartition(".")[2].strip().lower() in wanted)


def _on_attachments(test: Callable[[str, int], Fact[bool]]) -> Check:
    def check(state: State) -> Fact[bool]:
        found = state.view.attachments
        if isinstance(found, Unknown):
            return Unknown(f"the attachments are unknown: {found.reason}")
        return any_of([test(each.name, each.size) for each in found])

    return check
