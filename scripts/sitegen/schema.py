"""report.json key by key, from its JSON Schema. docs/contract.md says what is promised of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sidedoor.report.json_report import schema
from sitegen.text import code, plain, prose, table

PATH = "reference/report-schema.md"
_HEAD = """# report.json

Every key of `sidedoor/report/1`, from the JSON Schema in the package (`sidedoor/report/schema/report-1.schema.json`, in
Python `sidedoor.report.json_report.schema()`). What other programs may rely on is in [the contract](../contract.md).
"""
_COLUMNS = ("key", "holds", "meaning")
Node = Mapping[str, Any]


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page."""
    whole = schema()
    parts = [_HEAD, prose(whole["description"]) + "\n"]
    sections = {
        name: list(_rows(name, node, whole["$defs"], required=name in whole["required"]))
        for name, node in whole["properties"].items()
    }
    parts += ["## On top\n", table(_COLUMNS, (rows[0] for rows in sections.values()))]
    for name, rows in sections.items():
        if len(rows) > 1:
            parts += [f"## {code(name)}\n", table(_COLUMNS, rows[1:])]
    yield PATH, "\n".join(parts)


def _rows(path: str, node: Node, defs: Node, *, required: bool) -> Iterator[tuple[str, str, str]]:
    """The key, then the keys below it."""
    whole = _resolved(node, defs)
    often = "" if required else " (may be missing)"
    yield code(path), plain(_type(whole, defs)) + often, prose(str(whole.get("description", "")))
    for each, suffix in _inner(whole, defs):
        for name, child in each.get("properties", {}).items():
            yield from _rows(f"{path}{suffix}.{name}", child, defs, required=name in each.get("required", ()))


def _resolved(node: Node, defs: Node) -> Node:
    """The node with its `$ref` followed, its own words kept."""
    if "$ref" not in node:
        return node
    return {**defs[node["$ref"].rpartition("/")[2]], **{key: value for key, value in node.items() if key != "$ref"}}


def _inner(node: Node, defs: Node) -> Iterator[tuple[Node, str]]:
    """The objects in a value, and how their place is written."""
    for each in (_resolved(part, defs) for part in node.get("anyOf", (node,))):
        if "items" in each:
            yield from ((inner, f"[]{suffix}") for inner, suffix in _inner(_resolved(each["items"], defs), defs))
        else:
            yield each, ""


def _type(node: Node, defs: Node) -> str:
    if "anyOf" in node:
        return " or ".join(_type(_resolved(part, defs), defs) for part in node["anyOf"])
    if "const" in node:
        return repr(node["const"]).replace("'", '"')
    if "enum" in node:
        return ", ".join("null" if word is None else str(word) for word in node["enum"])
    kinds = node.get("type", "anything")
    text = kinds if isinstance(kinds, str) else " or ".join(kinds)
    if text == "array":
        return f"list of {_type(_resolved(node.get('items', {}), defs), defs)}"
    return {"date-time": "time", "date": "day"}.get(node.get("format", ""), text)
