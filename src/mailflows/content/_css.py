"""CSS source → rules and declarations, bad ones left out, as mail clients do (CSS Syntax, section 5.4).

A declaration that cannot be read never takes the others with it. One walk forward over the marks that
structure a style sheet; strings and parentheses are respected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Block", "Declaration", "Rule", "Sheet", "declarations", "ends", "read_sheet"]

MAX_RULES = 3_000  # bound: rules of a sheet
_MAX_DEPTH = 8  # bound: blocks in blocks
_LONGEST = 500  # bound: characters of a selector of a rule in a rule
_MARK = re.compile(r"""[{};"'()\n]""")
_IMPORTANT = re.compile(r"\s*+!\s*+important\s*\Z", re.IGNORECASE)
_PROPERTY = re.compile(r"(?:--[\w-]++|-?[a-zA-Z_][\w-]*+)\Z")


@dataclass(frozen=True, slots=True)
class Declaration:
    """A property and its value; the name is lower case, the value as it was written."""

    name: str
    value: str
    is_important: bool = False


Block = tuple[Declaration, ...]
"""What stands between the braces of a rule, or in a ``style`` attribute."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Declarations for selectors, perhaps inside at-rules; one is itself, so that it is found again fast.

    Attributes:
        selectors: As written, one for each comma.
        declarations: In order.
        conditions: The at-rules around it, outermost first, as in ``@media (max-width: 600px)``.
        is_nested: Whether it is nested in another rule.
        places: Where in the sheet its block starts and ends; ``(0, 0)`` where others stand in it.
    """

    selectors: tuple[str, ...]
    declarations: tuple[Declaration, ...]
    conditions: tuple[str, ...] = ()
    is_nested: bool = False
    places: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A style sheet, compared by identity, like its rules.

    Attributes:
        rules: Its rules in order.
        at_rules: All at-rules as written before their block, ``@import url(…)`` included.
        has_comments: Whether it has comments.
    """

    rules: tuple[Rule, ...]
    at_rules: tuple[str, ...]
    has_comments: bool


@lru_cache(maxsize=256)
def read_sheet(source: str) -> Sheet:
    """Read a style sheet; templates repeat theirs, so that the last ones are kept."""
    text, has_comments = _without_comments(source)
    reader = _Reader(text.replace("<!--", "    ").replace("-->", "   "))
    reader.block(0, (), (), 0)
    return Sheet(tuple(reader.rules), tuple(reader.at_rules), has_comments)


@lru_cache(maxsize=4096)
def declarations(source: str) -> tuple[Declaration, ...]:
    """Read what stands in a ``style`` attribute or between the braces of a rule.

    >>> [d.name for d in declarations("color: red !important; ; nonsense; background: url(data:a;b)")]
    ['color', 'background']
    """
    if "/*" in source:
        source, _ = _without_comments(source)
    found = []
    for piece in _pieces(source, ";"):
        name, colon, value = piece.partition(":")
        name = name.strip()
        if not colon or not _PROPERTY.match(name) or not (value := value.strip()):
            continue
        if "    " in value:  # a comment, or lines of a list
            value = " ".join(value.split())
        plain = _IMPORTANT.sub("", value) if "!" in value else value
        if plain:
            found.append(Declaration(name.lower(), plain, plain is not value and plain != value))
    return tuple(found)


def ends(source: str) -> list[tuple[Declaration, int]]:
    """Return each declaration of a block, and where its value ends."""
    found, position = [], 0
    for piece in _pieces(source if "/*" not in source else _without_comments(source)[0], ";"):
        if read := declarations(piece):
            found.append((read[0], position + len(piece.rstrip())))
        position += len(piece) + 1
    return found


def _without_comments(source: str) -> tuple[str, bool]:
    """Return a source with spaces in place of its comments, so that all else stays in its place."""
    if "/*" not in source:
        return source, False
    kept: list[str] = []
    position = 0
    while (start := source.find("/*", position)) >= 0:
        end = source.find("*/", start + 2)
        kept += (source[position:start], " " * ((end + 2 if end >= 0 else len(source)) - start))
        position = end + 2 if end >= 0 else len(source)
    kept.append(source[position:])
    return "".join(kept), True


def _pieces(source: str, separator: str) -> list[str]:
    """Split at a separator outside strings and parentheses."""
    if "(" not in source and '"' not in source and "'" not in source:
        return source.split(separator)
    found, start, depth, quote = [], 0, 0, ""
    for match in _SPLIT[separator].finditer(source):
        mark = match[0]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark == "(":
            depth += 1
        elif mark == ")":
            depth = max(0, depth - 1)
        elif not depth:
            found.append(source[start : match.start()])
            start = match.end()
    return [*found, source[start:]]


_SPLIT = {mark: re.compile(rf"""["'(){mark}]""") for mark in ";,"}


def _within(outer: str, inner: str) -> str:
    """Return the selector of a rule in another one (CSS Nesting, section 3)."""
    return inner.replace("&", outer) if "&" in inner else f"{outer} {inner}"


class _Reader:
    """Walks over a style sheet; `block` handles what stands between two braces."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.rules: list[Rule] = []
        self.at_rules: list[str] = []

    def block(self, start: int, selectors: tuple[str, ...], conditions: tuple[str, ...], depth: int) -> int:
        """Read up to the closing brace and return the position behind it."""
        plain: list[str] = []
        place, first = len(self.rules), start
        while True:
            end, mark = self.next_mark(start)
            piece = self.text[start:end].strip()
            if mark == "{":
                start = self.opened(piece, end + 1, selectors, conditions, depth)
                if len(self.rules) >= MAX_RULES:
                    return len(self.text)
                continue
            if piece.startswith("@"):
                self.at_rules.append(piece)
            elif piece:
                plain.append(piece)
            if mark != ";":
                break
            start = end + 1
        if selectors and plain:
            places = (first, end) if len(self.rules) == place else (0, 0)
            rule = Rule(selectors, declarations(";".join(plain)), conditions, places=places)
            self.rules.insert(place, rule)
        return end + 1

    def opened(
        self, prelude: str, start: int, selectors: tuple[str, ...], conditions: tuple[str, ...], depth: int
    ) -> int:
        """Read the block that a prelude opens: a rule, or an at-rule with rules or declarations."""
        if depth >= _MAX_DEPTH:
            return self.skipped(start)
        if not prelude.startswith("@"):
            own = tuple(s for piece in _pieces(prelude, ",") if (s := piece.strip()))
            if selectors:
                own = tuple(_within(outer, inner) for outer in selectors[:4] for inner in own[:4])
                own = tuple(selector for selector in own if len(selector) <= _LONGEST)
                return self.nested(start, own, conditions, depth)
            return self.block(start, own or ("",), conditions, depth + 1)
        self.at_rules.append(prelude)
        name = prelude[1:].partition(" ")[0].partition("(")[0].lower()
        if name.endswith(("keyframes", "font-face", "page")):
            return self.block(
                start, (f"@{name}",) if name == "font-face" else (), (*conditions, prelude), depth + 1
            )
        return self.block(start, selectors, (*conditions, prelude), depth + 1)

    def nested(self, start: int, selectors: tuple[str, ...], conditions: tuple[str, ...], depth: int) -> int:
        place = len(self.rules)
        end = self.block(start, selectors, conditions, depth + 1)
        for number in range(place, len(self.rules)):
            rule = self.rules[number]
            self.rules[number] = Rule(rule.selectors, rule.declarations, rule.conditions, is_nested=True)
        return end

    def skipped(self, start: int) -> int:
        """Pass over a block that is too deep."""
        depth = 1
        while depth:
            end, mark = self.next_mark(start)
            depth += {"{": 1, "}": -1}.get(mark, 0)
            start = end + 1
            if not mark:
                break
        return start

    def next_mark(self, start: int) -> tuple[int, str]:
        """Return the place of the next brace or semicolon outside strings and parentheses."""
        depth, quote = 0, ""
        for match in _MARK.finditer(self.text, start):
            mark = match[0]
            if quote:  # a string ends with its line (CSS Syntax, section 4.3.5)
                quote = "" if mark in {quote, "\n"} else quote
            elif mark in "\"'":
                quote = mark
            elif mark in "()":
                depth = max(0, depth + (1 if mark == "(" else -1))
            elif mark != "\n" and (not depth or mark == "}"):
                return match.start(), mark
        return len(self.text), ""
