"""Numbers as tables show them."""

from __future__ import annotations


def plain(value: float) -> str:
    """Three digits that count, thousands apart, no zeros at the end: 0.6, 1.5, 12.3, 2,048."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    if abs(value) < 0.01:
        return f"{value:.2g}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def measured(value: float, unit: str) -> str:
    """A figure with its unit: `11.9 s`, `29.4k/s` would hide too much, so `29,412/s`."""
    gap = "" if unit.startswith("/") else " "
    return f"{plain(value)}{gap}{unit}".rstrip()
