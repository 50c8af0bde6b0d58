"""What a person may give as `--date-format`: a culture's name, an order, or a .NET or strptime pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sidedoor.errors import UsageError
from sidedoor.evidence.dates import ClockText, DateError, DateOrder, assemble, month_number

# Short-date order of the cultures administrators are likely to have (.NET, ShortDatePattern).
_DAY_FIRST = (
    "en-GB en-AU en-NZ en-IE en-IN en-ZA en-SG de-DE de-AT de-CH fr-FR fr-BE fr-CH fr-LU es-ES es-MX es-AR es-CO es-CL "
    "it-IT it-CH pt-BR pt-PT nl-NL nl-BE da-DK nb-NO nn-NO fi-FI pl-PL cs-CZ sk-SK sl-SI hr-HR ro-RO bg-BG el-GR tr-TR "
    "ru-RU uk-UA et-EE lv-LV he-IL ar-AE id-ID vi-VN th-TH is-IS"
)
_YEAR_FIRST = "sv-SE hu-HU lt-LT ja-JP zh-CN zh-TW ko-KR en-CA fr-CA af-ZA eu-ES"
CULTURES: Mapping[str, DateOrder] = {
    "en-us": DateOrder.MDY,
    "en-ph": DateOrder.MDY,
    "es-us": DateOrder.MDY,
    **dict.fromkeys(_DAY_FIRST.lower().split(), DateOrder.DMY),
    **dict.fromkeys(_YEAR_FIRST.lower().split(), DateOrder.YMD),
}

_YEAR4, _YEAR2 = r"(?P<year>[0-9]{4})", r"(?P<year>[0-9]{2})"
_MONTH, _NAME, _DAY = r"(?P<month>[0-9]{1,2})", r"(?P<name>[A-Za-z]{3,9})\.?", r"(?P<day>[0-9]{1,2})"
_HOUR, _MINUTE, _SECOND = r"(?P<hour>[0-9]{1,2})", r"(?P<minute>[0-9]{1,2})", r"(?P<second>[0-9]{1,2})"
_FRACTION, _HALF, _ZONE = (
    r"(?P<fraction>[0-9]{1,9})",
    r"(?P<half>[AaPp])\.?[Mm]\.?",
    r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})",
)
_WEEKDAY = r"[A-Za-z]{2,9}\.?"

_STRPTIME = {
    "Y": _YEAR4, "y": _YEAR2, "m": _MONTH, "b": _NAME, "B": _NAME, "d": _DAY, "e": _DAY, "H": _HOUR, "I": _HOUR,
    "M": _MINUTE, "S": _SECOND, "f": _FRACTION, "p": _HALF, "z": _ZONE, "a": _WEEKDAY, "A": _WEEKDAY, "%": "%",
}  # fmt: skip
_DOTNET = {
    "yyyy": _YEAR4, "yy": _YEAR2, "MMMM": _NAME, "MMM": _NAME, "MM": _MONTH, "M": _MONTH, "dddd": _WEEKDAY,
    "ddd": _WEEKDAY, "dd": _DAY, "d": _DAY, "HH": _HOUR, "H": _HOUR, "hh": _HOUR, "h": _HOUR, "mm": _MINUTE,
    "m": _MINUTE, "ss": _SECOND, "s": _SECOND, "tt": _HALF, "t": r"(?P<half>[AaPp])", "zzz": _ZONE, "K": f"{_ZONE}?",
}  # fmt: skip
_STRPTIME_TOKEN = re.compile(r"%[-#]?([A-Za-z%])|([^%]+)|(%)")
_DOTNET_TOKEN = re.compile(r"'([^']*)'|\"([^\"]*)\"|\\(.)|(f+|F+)|(y+|M+|d+|H+|h+|m+|s+|t+|z+|K)|([A-Za-z])|(\s+)|(.)")
_EXAMPLES = "en-US, de-DE, mdy, dmy, ymd, 'M/d/yyyy h:mm:ss tt' or '%d/%m/%Y %H:%M:%S'"


@dataclass(frozen=True, slots=True)
class DatePattern:
    """A pattern compiled to one regular expression; `stated` is what the person wrote."""

    stated: str
    regex: re.Pattern[str]

    def read(self, text: str) -> datetime:
        """The moment in UTC. Raises DateError where the text does not fit the pattern or is impossible."""
        match = self.regex.fullmatch(text.strip())
        if match is None:
            raise DateError(f"{text[:64]!r} does not fit the stated date format {self.stated!r}")
        part = {"year": None, "month": None, "name": None, "day": None} | match.groupdict()
        month = int(part["month"]) if part["month"] else month_number(part["name"] or "")
        year = int(part["year"] or 0)
        clock = ClockText(*(part.get(name) for name in ClockText._fields))
        return assemble(year + (2000 if year < 100 else 0), month, int(part["day"] or 0), clock)


def parse_date_format(stated: str) -> DateOrder | DatePattern:
    """Understand `--date-format`. Raises UsageError where it is no culture, order or pattern."""
    text = stated.strip()
    if text.lower() in CULTURES:
        return CULTURES[text.lower()]
    if text.lower() in {"mdy", "dmy", "ymd"}:
        return DateOrder(text.lower())
    if len(text) > 100:
        raise UsageError(f"--date-format is {len(text)} characters long; give one of {_EXAMPLES}")
    source = _from_strptime(text) if "%" in text else _from_dotnet(text)
    groups = re.findall(r"\?P<(\w+)>", source)
    if len(groups) != len(set(groups)) or not {"year", "day"} <= set(groups) or not {"month", "name"} & set(groups):
        raise UsageError(f"--date-format {stated!r} names no year, month and day once each; give one of {_EXAMPLES}")
    return DatePattern(stated, re.compile(source))


def _from_strptime(text: str) -> str:
    parts = []
    for directive, literal, stray in _STRPTIME_TOKEN.findall(text):
        if stray or (directive and directive not in _STRPTIME):
            raise UsageError(f"--date-format {text!r} has the unknown directive %{directive}; give one of {_EXAMPLES}")
        parts.append(_STRPTIME[directive] if directive else _literal(literal))
    return "".join(parts)


def _from_dotnet(text: str) -> str:
    parts = []
    for single, double, escaped, fraction, token, letter, blank, other in _DOTNET_TOKEN.findall(text):
        if letter not in {"", "T", "Z"} or (token and token not in _DOTNET):
            raise UsageError(
                f"--date-format {text!r} has the unknown part {letter or token!r}; give one of {_EXAMPLES}"
            )
        if fraction:
            parts.append(_FRACTION)
        else:
            parts.append(_DOTNET[token] if token else _literal(single or double or escaped or letter or blank or other))
    return "".join(parts)


def _literal(text: str) -> str:
    """The text itself, except that any white space stands for any other (.NET writes U+202F before AM)."""
    return "".join(r"\s+" if part.isspace() else re.escape(part) for part in re.split(r"(\s+)", text) if part)
