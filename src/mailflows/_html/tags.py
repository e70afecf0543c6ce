"""The tags of an HTML source with the offsets of their attributes' values, for editing it in place.

`mailflows._html.scan` counts what a message shows; this says where it stands. Comments, and with them what
only Outlook reads, scripts and styles hold no tags. The time grows with the source alone, also for hostile
ones: what repeats in the expressions gives nothing back, and an open quotation mark is looked for once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._html.scan import unescaped_attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Attribute", "Tag", "attribute_value", "tags"]

_START = re.compile(r"<(?:(!--)|(/?[a-zA-Z][^\s<>/]*+))")
_ATTRIBUTE = re.compile(
    r"""[\s/="']*+([^\s<>/="']++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s<>"']++[^\s<>]*+)))?+"""
)
_STRAY = re.compile(r"""[\s/="']*+""")
_RAW = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "title", "textarea")}
_MAX_ATTRIBUTES = 200


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a tag.

    Attributes:
        name: Lower case.
        value: As it stands in the source, character references and white space included.
        start: Offset of the value in the source; the same as *end* where there is none.
        end: Where the value ends, in front of a quotation mark.
        quote: The mark around the value, or an empty string.
    """

    name: str
    value: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of an HTML source.

    Attributes:
        name: Lower case, with a «/» in front for an end tag.
        start: Offset of its «<».
        end: Offset behind its «>».
        attributes: In order, at most two hundred.
    """

    name: str
    start: int
    end: int
    attributes: tuple[Attribute, ...]

    def get(self, name: str) -> Attribute | None:
        """Return the first attribute of this name, as a browser does, or `None`."""
        return next((a for a in self.attributes if a.name == name), None)


def tags(source: str) -> Iterator[Tag]:
    """Yield the tags of any HTML, in order.

    >>> [(tag.name, [a.value for a in tag.attributes]) for tag in tags("<!--<b>--><a href='x' id=y>z</a>")]
    [('a', ['x', 'y']), ('/a', [])]
    """
    position = 0
    while found := _START.search(source, position):
        if found[1]:
            # «<!-->» is a whole comment (HTML Living Standard, section 13.2.5.43).
            end = source.find("-->", found.start() + 2)
            position = end + 3
            if end < 0:
                return
            continue
        tag = _tag(source, found)
        yield tag
        position = tag.end
        if (raw := _RAW.get(tag.name)) is not None:
            closing = raw.search(source, position)
            if closing is None:
                return
            position = closing.start()


def attribute_value(raw: str) -> str:
    """Return an attribute's value as a browser reads it, without the white space around it.

    >>> attribute_value(" https://shop.example/?a=1&amp;copy=2 ")
    'https://shop.example/?a=1&copy=2'
    """
    return unescaped_attribute(raw).strip()


def _tag(source: str, found: re.Match[str]) -> Tag:
    """Read the attributes behind a tag's name."""
    attributes: list[Attribute] = []
    position = found.end()
    while match := _ATTRIBUTE.match(source, position):
        if len(attributes) < _MAX_ATTRIBUTES:
            attributes.append(_attribute(match))
        position = match.end()
    if stray := _STRAY.match(source, position):  # pragma: no branch -- it matches nothing, too
        position = stray.end()
    end = position + 1 if source[position : position + 1] == ">" else position
    return Tag(found[2].lower(), found.start(), end, tuple(attributes))


def _attribute(match: re.Match[str]) -> Attribute:
    """Return an attribute with the span of its value."""
    for group, quote in ((2, '"'), (3, "'"), (4, "")):
        if match[group] is not None:
            return Attribute(match[1].lower(), match[group], *match.span(group), quote)
    return Attribute(match[1].lower(), "", match.end(1), match.end(1), "")
