"""CSS colours, and how well one can be read on another."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mailflows import _data

__all__ = ["BLACK", "WHITE", "Color", "contrast", "parse_color"]

_HEX = re.compile(r"#?([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\Z")
_FUNCTION = re.compile(r"(rgb|rgba|hsl|hsla)\(\s*+([^()]{1,80})\)\Z")


class Color(NamedTuple):
    """Red, green and blue in [0, 255], and opacity in [0, 1]."""

    red: float
    green: float
    blue: float
    alpha: float = 1.0

    def over(self, ground: Color) -> Color:
        """Return what is seen when this colour lies on an opaque one."""
        share = self.alpha
        red, green, blue = (share * a + (1 - share) * b for a, b in zip(self[:3], ground[:3], strict=True))
        return Color(red, green, blue)

    def __str__(self) -> str:
        return "#" + "".join(f"{round(part):02x}" for part in self[:3])


WHITE = Color(255, 255, 255)
BLACK = Color(0, 0, 0)


@lru_cache(maxsize=1024)
def parse_color(value: str) -> Color | None:
    """Return a colour as CSS or an old attribute writes it, or `None`.

    >>> parse_color("#f00") == parse_color("red") == parse_color("rgb(255, 0, 0)")
    True
    """
    text = value.strip().lower()
    if text == "transparent":
        return Color(0, 0, 0, 0.0)
    if named := _names().get(text):
        text = named
    if match := _HEX.match(text):
        digits = match[1] if len(match[1]) > 4 else "".join(2 * digit for digit in match[1])
        parts = [int(digits[i : i + 2], 16) for i in range(0, len(digits), 2)]
        red, green, blue, *alpha = parts
        return Color(red, green, blue, alpha[0] / 255 if alpha else 1.0)
    if match := _FUNCTION.match(text):
        return _function(match[1], match[2])
    return None


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return dict(line.split() for line in _data.read_sections("content/colors.txt")[""])


def _function(name: str, arguments: str) -> Color | None:
    """Read the arguments of a colour function, with commas or without."""
    words = re.split(r"[\s,/]+", arguments.strip())
    try:
        alpha = _number(words[3], 1.0) if len(words) > 3 else 1.0
        if name.startswith("rgb"):
            red, green, blue = (min(255.0, max(0.0, _number(word, 255.0))) for word in words[:3])
        else:
            hue = float(words[0].removesuffix("deg")) / 360
            red, green, blue = _from_hsl(hue, _number(words[1], 1.0), _number(words[2], 1.0))
        return Color(red, green, blue, min(1.0, max(0.0, alpha)))
    except (ValueError, IndexError):
        return None


def _from_hsl(hue: float, saturation: float, lightness: float) -> tuple[float, float, float]:
    from colorsys import hls_to_rgb  # noqa: PLC0415 -- seldom needed

    red, green, blue = hls_to_rgb(hue % 1.0, lightness, saturation)
    return 255 * red, 255 * green, 255 * blue


def _number(word: str, whole: float) -> float:
    return float(word[:-1]) / 100 * whole if word.endswith("%") else float(word)


@lru_cache(maxsize=1024)
def contrast(one: Color, other: Color) -> float:
    """Return the contrast of two opaque colours, from 1 to 21 (WCAG 2.2, "contrast ratio").

    >>> round(contrast(BLACK, WHITE), 1), round(contrast(WHITE, WHITE), 1)
    (21.0, 1.0)
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Color) -> float:
    red, green, blue = (_linear(part / 255) for part in color[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
