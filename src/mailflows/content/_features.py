"""Which features of HTML and CSS a page uses, as tokens such as ``property:gap`` or ``element:video``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from mailflows.content import _css

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._html.tree import Element
    from mailflows.content._page import Page

__all__ = ["Use", "uses"]

Use = tuple["Element | None", bool]
"""Where a feature is used first, and whether all uses depend on a condition such as a media query."""

_UNIT = re.compile(r"(?<![\w#.-])[+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(%|[a-z]{1,5})(?![\w(])")
_FUNCTION = re.compile(r"(?<![\w-])([a-z-]{2,30})\(")
_KEYWORD = re.compile(r"(?<![\w-])[a-z][a-z-]{2,30}(?![\w(-])")
_STRING = re.compile(r""""[^"]{0,5000}"|'[^']{0,5000}'""")
_URL = re.compile(r"url\(\s{0,9}[\"']?([^\s\"')]{1,300})")
_MEDIA = re.compile(
    r"(?:any-)?(hover|orientation|prefers-color-scheme|prefers-reduced-motion)\b|(device-pixel-ratio)"
)
_COMBINATOR = re.compile(r"\s*+([>+~])\s*+|(\s++)")
_PSEUDO = re.compile(r"::?(-?[a-z][a-z-]{1,30})")
_ENDING = re.compile(r"\.([a-z0-9]{2,5})\Z")
_ADDRESSES = ("src", "href", "background", "poster", "data", "srcset")


def uses(page: Page) -> dict[str, Use]:
    """Return every feature token of a page with the place of its first use."""
    found: dict[str, Use] = {}
    for element in page.tree.elements:
        for token in _of_element(element):
            found.setdefault(token, (element, False))
    style = page.tree.first("style")
    for sheet in page.sheets:
        for token, is_conditional in _of_sheet(sheet):
            known = found.get(token)
            if known is None or (known[1] and not is_conditional):
                found[token] = (style, is_conditional)
    for token in _of_document(page):
        found.setdefault(token, (None, False))
    return found


def _of_document(page: Page) -> Iterator[str]:
    if page.tree.doctype.startswith("<!doctype html>"):
        yield "other:doctype"
    if any(not page.source.startswith(("<!--[", "<!--<!["), start) for start, _ in page.tree.comments):
        yield "other:html-comment"
    root = page.tree.first("html")
    if root and not {"⚡4email", "amp4email"}.isdisjoint(root.values):
        yield "other:amp"


def _of_element(element: Element) -> Iterator[str]:
    yield _of_link(element) if element.name == "link" else f"element:{element.name}"
    for name, value in element.values.items():
        yield f"attribute:{name}"
        if name == "style":
            yield from _of_style(value)
        elif name in _ADDRESSES:
            yield from _of_address(element, name, value)
    yield from _of_meaning(element)


def _of_link(element: Element) -> str:
    """Return what is linked: a style sheet, a font, or what mail clients have no use for."""
    if "stylesheet" not in element.get("rel").lower().split():
        return "link:other"
    return "at:font-face" if "font" in element.get("href").lower() else "element:link"


@lru_cache(maxsize=2048)
def _of_style(source: str) -> tuple[str, ...]:
    """Return the tokens of a ``style`` attribute; most of them stand many times in a page."""
    found = [token for declaration in _css.declarations(source) for token in _of_declaration(declaration)]
    if "/*" in source:
        found.append("other:css-comment")
    return tuple(dict.fromkeys(found))


def _of_meaning(element: Element) -> Iterator[str]:
    """Yield what an element is by the value of an attribute."""
    name = element.name
    if name in {"input", "button"}:
        kind = element.get("type", "text" if name == "input" else "submit").lower()
        yield f"input:{kind}" if name == "input" else f"input:button-{kind}"
    elif name == "meta" and element.get("name").lower() in {"color-scheme", "supported-color-schemes"}:
        yield "other:meta-color-scheme"
    elif name == "source" and element.get("type").startswith("image/"):
        yield f"image:{element.get('type')[6:].partition('+')[0]}"


def _of_address(element: Element, name: str, value: str) -> Iterator[str]:
    value = value.strip()
    if name == "href":
        if element.name in {"a", "area"}:
            if value[:7].lower() == "mailto:":
                yield "other:mailto"
            elif value.startswith("#") and len(value) > 1:
                yield "other:anchor-link"
        return
    if element.name in {"img", "source", "table", "td", "body", "th", "object", "input"}:
        for address in value.split(",") if name == "srcset" else [value]:
            yield from _of_image(address.strip().partition(" ")[0] if name == "srcset" else address)


def _of_image(address: str) -> Iterator[str]:
    """Yield the format of an image by its address."""
    head = address[:100].lower()
    if head.startswith("data:image/"):
        yield f"image:{re.split('[+;,]', head[11:], maxsplit=1)[0]}"
        if ";base64" in head:
            yield "image:base64"
        return
    path = re.split(r"[?#]", address, maxsplit=1)[0].lower()
    if ending := _ENDING.search(path[-8:]):
        yield f"image:{ending[1]}"


def _of_sheet(sheet: _css.Sheet) -> Iterator[tuple[str, bool]]:
    if sheet.has_comments:
        yield "other:css-comment", False
    for at_rule in sheet.at_rules:
        name = re.split(r"[\s(\"']", at_rule[1:], maxsplit=1)[0].lower()
        yield f"at:{name.removeprefix('-webkit-').removeprefix('-moz-')}", True
        for one, other in _MEDIA.findall(at_rule.lower()[:1000]) if name == "media" else ():
            yield f"media:{one or other}", True
    for rule in sheet.rules:
        is_conditional = any(c.startswith(("@media", "@supports")) for c in rule.conditions)
        for token in _of_rule(rule):
            yield token, is_conditional


@lru_cache(maxsize=4096)
def _of_rule(rule: _css.Rule) -> tuple[str, ...]:
    """Return the tokens of a rule; style sheets are repeated from message to message."""
    found: list[str] = []
    if len(rule.selectors) > 1:
        found.append("selector:grouping")
    if rule.is_nested:
        found.append("other:nesting")
    for selector in rule.selectors:
        found += _of_selector(selector[:500])
    for declaration in rule.declarations:
        found += _of_declaration(declaration)
    return tuple(dict.fromkeys(found))


def _of_selector(selector: str) -> Iterator[str]:
    if selector.startswith("@") or not selector:
        return
    yield from (f"pseudo:{name}" for name in _PSEUDO.findall(selector.lower()))
    if "[" in selector:
        yield "selector:attribute"
    bare = re.sub(r"\[[^\]]{0,200}\]|\([^()]{0,200}\)", "", selector).strip()
    for sign, _ in _COMBINATOR.findall(bare):
        yield f"selector:{_COMBINATORS[sign]}"
    for compound in re.split(r"[\s>+~]+", bare):
        marks = compound.count(".") + compound.count("#")
        if marks > 1:
            yield "selector:chaining"
        yield from (f"selector:{name}" for sign, name in _SIMPLE.items() if sign in compound)
        if compound[:1].isalpha():
            yield "selector:type"


_COMBINATORS = {">": "child", "+": "adjacent-sibling", "~": "general-sibling", "": "descendant"}
_SIMPLE = {".": "class", "#": "id", "*": "universal"}


@lru_cache(maxsize=8192)
def _of_declaration(declaration: _css.Declaration) -> tuple[str, ...]:
    """Return the tokens of a property with its value."""
    name, value = declaration.name, declaration.value.lower()
    if name.startswith("--"):
        found = ["other:custom-property"]
    else:
        found = [f"property:{name}", f"value:{name}:{value}"]
        if name == "position" and value in {"static", "relative"}:
            found = []  # moves nothing, whether a client knows it or not
    if declaration.is_important:
        found.append("other:important")
    for address in _URL.findall(declaration.value):
        found += _of_image(address)
    bare = _STRING.sub(" ", value) if '"' in value or "'" in value else value
    bare = _URL.sub(" ", bare)
    found += [f"unit:{unit}" for unit in _UNIT.findall(bare)]
    if "(" in bare:
        found += [f"function:{function}" for function in _FUNCTION.findall(bare)]
    found += [f"keyword:{word}" for word in _KEYWORD.findall(bare)]
    return tuple(found)
