"""Colours people can read: WCAG 2.1 contrast (1.4.3, level AA) of every pair the style sheet uses, light and dark."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

CSS = files("sidedoor.report").joinpath("templates/report.css").read_text(encoding="utf-8")
SCHEMES = dict(zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", CSS, re.DOTALL), strict=True))
PAIRS = [
    *((text, ground) for text in ("text", "quiet", "link") for ground in ("page", "panel", "sunk")),
    *((kind, ground) for kind in ("legitimate", "spoofing", "unclear") for ground in ("panel", "sunk")),
    *(("onmark", kind) for kind in ("legitimate", "spoofing", "unclear", "undetermined")),
    *(("text", f"{kind}-soft") for kind in ("legitimate", "spoofing", "unclear", "undetermined")),
]


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` or `#rgb`."""
    digits = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_contrast(scheme: str, text: str, ground: str) -> None:
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", SCHEMES[scheme]))
    lighter, darker = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_the_style_asks_for_nothing() -> None:
    assert "@import" not in CSS
    assert set(re.findall(r"url\((.*?)\)", CSS)) == {"#wide-hatch", "#wide-dots", "#narrow-hatch", "#narrow-dots"}
