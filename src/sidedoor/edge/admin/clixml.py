"""Rows as Export-Clixml writes them (MS-PSRP section 2.2.5), for clients that send `X-ResponseFormat: clixml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from xml.sax.saxutils import escape, quoteattr

_HEAD = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
_TYPE = "System.Management.Automation.PSCustomObject"
# What XML cannot hold or would change, and what could be taken for an escape (MS-PSRP section 2.2.5.3.2).
_ESCAPED = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|_(?=x[0-9A-Fa-f]{4}_)")


def clixml(row: Mapping[str, object], types: Mapping[str, str]) -> str:
    """One object. types: of texts that are more than texts, `System.DateTime` or `System.Guid`."""
    numbers = count(1)
    members = "".join(_member(name, value, types.get(name, ""), numbers) for name, value in row.items())
    names = f'<TN RefId="0"><T>{_TYPE}</T><T>System.Object</T></TN>'
    return f'{_HEAD}<Obj RefId="0">{names}<MS>{members}</MS></Obj></Objs>'


def _member(name: str, value: object, kind: str, numbers: count[int]) -> str:
    at = f" N={quoteattr(_coded(name))}" if name else ""
    if isinstance(value, list):
        inner = "".join(_member("", each, "", numbers) for each in value)
        return f'<Obj{at} RefId="{next(numbers)}"><LST>{inner}</LST></Obj>'
    if isinstance(value, dict):
        inner = "".join(_member(key, each, "", numbers) for key, each in value.items())
        return f'<Obj{at} RefId="{next(numbers)}"><MS>{inner}</MS></Obj>'
    if value is None:
        return f"<Nil{at} />"
    tag, text = _scalar(value, kind)
    return f"<{tag}{at}>{text}</{tag}>"


def _scalar(value: object, kind: str) -> tuple[str, str]:
    if isinstance(value, bool):
        return "B", "true" if value else "false"
    if isinstance(value, int):
        return ("I32" if -(1 << 31) <= value < 1 << 31 else "I64"), str(value)
    if isinstance(value, float):
        return "Db", repr(value)
    return {"System.DateTime": "DT", "System.Guid": "G"}.get(kind, "S"), escape(_coded(str(value)))


def _coded(text: str) -> str:
    return _ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
