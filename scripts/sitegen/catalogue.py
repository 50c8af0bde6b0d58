"""The catalogue of senders, entry by entry, from its data files. docs/catalogue.md explains it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import Enum

from sidedoor.catalogue.catalogue import load_catalogue
from sidedoor.catalogue.entry import Entry, Kind, OwnDomain
from sitegen.members import meanings
from sitegen.text import code, plain, prose

PATH = "reference/catalogue-entries.md"
_SHARED = {
    True: "Other customers send from the same addresses: no connector by address.",
    False: "Its addresses are the customer's own.",
    None: "Whether other customers send from the same addresses is unknown.",
}
_INITIALS = frozenset({"ups", "erp", "crm", "hr", "spf"})
_SUPPORTS = {
    "certificate": "client certificate",
    "certificate_name": "name in it",
    "smtp_auth": "SMTP AUTH",
    "graph": "Graph",
    "own_return_path": "return path of its own",
    "fixed_addresses": "fixed addresses",
}
_TRAITS = {
    "spf_include": "SPF include",
    "dkim_domain": "DKIM domain",
    "ptr": "reverse name",
    "helo": "HELO",
    "bounce_domain": "bounce domain",
    "message_id_host": "Message-ID",
    "x_mailer": "X-Mailer",
    "address": "address or display name",
}


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page."""
    entries = list(load_catalogue().entries.values())
    head = f"""---
hide: [toc]
---
# Catalogue entries

{len(entries)} services and kinds of devices that the [catalogue](../catalogue.md) knows. It puts a name beside a
sender and says what to do about it. It weighs nothing in an assessment, and what it does not say is unknown, never no.
"""
    kinds = [(kind, text) for kind, (_, text) in zip(Kind, meanings(Kind), strict=True)]
    shown = [(kind, text, [each for each in entries if each.kind is kind]) for kind, text in kinds]
    index = [f"- [{_title(kind)}](#{kind.value}) ({len(below)}): {prose(text)}" for kind, text, below in shown if below]
    parts = [head, *index, ""]
    for kind, text, below in shown:
        if below:
            parts += [f"## {_title(kind)} {{#{kind.value}}}\n", prose(text).capitalize() + ".\n"]
            parts += [_section(each) for each in sorted(below, key=lambda entry: entry.name.lower())]
    yield PATH, "\n".join(parts)


def _title(kind: Kind) -> str:
    words = [word.upper() if word in _INITIALS else word for word in kind.value.split("-")]
    return plain(" ".join(words)[:1].upper() + " ".join(words)[1:])


def _section(entry: Entry) -> str:
    own = entry.sends.own_domain.value
    meaning = prose(dict(meanings(OwnDomain))[own])
    lines = [
        f"### {plain(entry.name)} {{#entry-{entry.id}}}\n",
        prose(entry.advice) + "\n",
        f"- Id {code(entry.id)}, of {plain(entry.vendor)}.",
        f"- Envelope sender in your domain: {plain(own)} ({meaning}). {prose(entry.sends.how)}",
        f"- {_SHARED[entry.shared_addresses]}",
    ]
    if supports := ", ".join(_supports(entry)):
        lines.append(f"- Supports: {supports}.")
    lines += [f"- Known by {name}: {values}." for name, values in _traits(entry)]
    checked = sum(len(source.of) for source in entry.sources if source.verified)
    lines.append(f"- Statements compared with a source: {checked} of {sum(len(each.of) for each in entry.sources)}.")
    return "\n".join(lines) + "\n"


def _supports(entry: Entry) -> Iterator[str]:
    for each in dataclasses.fields(entry.supports):
        value = getattr(entry.supports, each.name)
        word = value.value if isinstance(value, Enum) else value
        if word not in {"unknown", ""}:
            yield f"{_SUPPORTS[each.name]} {code(word) if each.name == 'certificate_name' else plain(word)}"


def _traits(entry: Entry) -> Iterator[tuple[str, str]]:
    for each in dataclasses.fields(entry.recognise):
        if values := getattr(entry.recognise, each.name):
            yield _TRAITS[each.name], ", ".join(code(str(value)) for value in values)
