"""Where links stand: one at the end of a mailing that cannot be told may leave the list, whatever it says.

Wordings have no end, places have. A link that leaves a list stands in the footer or closes the letter, names
its recipient or is a part of a sentence, and is none of the links that everybody knows. Not to count a click
of such a one is harmless; to track a link that leaves the list is not.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from mailflows import _data
from mailflows._html.scan import unescaped
from mailflows._html.tree import Element, Text, walk
from mailflows.tracking._leaving import either, pattern, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailflows._html.tree import Tree

__all__ = ["OPT_IN", "Stood", "shared", "unclear"]

OPT_IN = "data-track"
"""The attribute that says of a link in a footer that it leaves no list."""

_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr html main nav p pre section summary".split()
)
_ROWS = frozenset("tr ul ol menu".split())
"""What holds several short cells or items that belong together."""

_CELLS = frozenset("td th li".split())
_OWN_LINE = _BLOCKS | _ROWS | _CELLS
_READ_ELEMENTS = frozenset(("br", "a", "area"))
"""What the lines of a page are made of, besides texts."""

_UNSEEN = frozenset("head style script title template".split())
_TELLING = _OWN_LINE | _UNSEEN | {"small"}
"""Elements that change what stands in them, whatever attributes they have."""

_NAMES = ("class", "id", "role")
_WIDE = 200.0  # choice: pixels; badges and icons are narrower, pictures of products wider
_SMALL = 12.0  # choice: pixels; what mail programs set 16 for is hardly ever smaller in a body
_READ = 20_000  # bound: characters of text at the end of a page that are looked at for the marks of a footer
_FEW = 6  # choice: links that a footer has without a dress of its own, or the line above a mailing
_ROW = 2_000
"""Choice: characters of the markup of a row of cells that is still one line of links, and no layout."""

_SIZE = re.compile(
    r"font(?:-size)?\s{0,3}:[^;{}]{0,60}?(\d{1,3}(?:\.\d{1,3})?)(px|pt|em|rem|%)", re.IGNORECASE
)
_RULE = re.compile(r"([^{}@;]{1,200})\{([^{}]{0,1000})\}")
_KEY = re.compile(r"[.#]?[\w-]{1,60}\Z")
_DIVIDER = re.compile(r"[|\u2022\xb7\u2013\u2014\xa0/]+")
_LETTER = re.compile(r"\w")
_COPYRIGHT = re.compile(r"\xa9|&copy;|&#169;|&#xa9;", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d\Z")
_PIECE = re.compile(r"[-/_.,;:+~!() ]+")
_WORD_AND_NUMBER = re.compile(r"[a-z]+\d{1,2}\Z|\d{1,2}[a-z]{1,7}\Z|\d{1,2}\Z", re.IGNORECASE)
_MIXED = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]")
_MAX_CATEGORY = 4  # choice: digits; few shops have ten thousand categories, most lists have more readers
_MAX_TOKENLESS = 20  # choice: letters in one piece; German compounds in addresses are parted by hyphens


@dataclass(slots=True)
class Stood:
    """A link to a web page, as far as it is known before one looks where it stands.

    Attributes:
        tag: The link.
        url: Where it leads; of a tracked one, where it led before.
        words: What it says.
        leaves: Whether its words or its address tell that it leaves the list.
    """

    tag: Element
    url: str
    words: str
    leaves: bool


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(_data.read("tracking/footers.toml"))


@cache
def _known_words() -> frozenset[str]:
    return frozenset(map(plain, _table()["known"]["words"]))


@cache
def _category_names() -> frozenset[str]:
    return frozenset(_table()["categories"]["steps"])


@cache
def _known_hosts() -> frozenset[str]:
    return frozenset(_table()["known"]["hosts"])


@cache
def _known_inside() -> re.Pattern[str]:
    return pattern(_table()["known"]["inside"], inside=True)


@cache
def _reasons() -> re.Pattern[str]:
    """Return what a footer says: why the message came, and whose it is."""
    marks = _table()["marks"]
    return either(marks["words"], marks["inside"])


@lru_cache(4096)  # bound: a mailing leads to the same pages in each of its messages
def identifiers(url: str) -> frozenset[str]:
    """Return the pieces of an address that may name one recipient.

    >>> sorted(identifiers("https://shop.example/r/7Gk2pQ?u=1234&utm_campaign=2026-11&colour=blue"))
    ['1234', '7Gk2pQ']
    >>> identifiers("https://shop.example/2026/11/linen-shirts.html")
    frozenset()
    >>> identifiers("https://shop.example/c/1204"), identifiers("https://shop.example/r/1204")
    (frozenset(), frozenset({'1204'}))
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return frozenset()
    values = [
        v for k, v in parse_qsl(parts.query, keep_blank_values=True) if not k.lower().startswith("utm_")
    ]
    bare = [] if "=" in parts.query else [parts.query]
    steps = [step for step in unquote(parts.path).split("/") if step]
    dated = any(_YEAR.match(step) for step in steps)
    steps = [step for step in steps if not (dated and step.isdigit() and len(step) <= 4)]
    steps = [step for before, step in pairwise(("", *steps)) if not _is_category(before, step)]
    found = [
        piece for text in (*steps, *values, *map(unquote, bare), parts.fragment) for piece in _pieces(text)
    ]
    return frozenset(found)


def _is_category(before: str, step: str) -> bool:
    """Say whether a step of a path is the number of a category: behind its name, and short."""
    return step.isdigit() and len(step) <= _MAX_CATEGORY and before.lower() in _category_names()


def _pieces(text: str) -> list[str]:
    """Return the pieces of a step or a value that are neither words nor small numbers in a name."""
    if "@" in text:
        return [text]
    words = [word for word in _PIECE.split(text) if word]
    if len(words) == 1 and text.isdigit():
        return words
    return [word for word in words if not _is_word(word)]


def _is_word(piece: str) -> bool:
    """Return whether a piece of an address reads as a word, a year, or a word with a number."""
    if piece.isalpha():
        return len(piece) <= _MAX_TOKENLESS and not _MIXED.search(piece)
    return bool(_YEAR.match(piece) or _WORD_AND_NUMBER.match(piece)) or not piece.isascii()


def shared(urls: Sequence[str], headers: Iterable[str]) -> list[bool]:
    """Say of each address whether it is that of List-Unsubscribe, whatever its query, or has its token.

    A token that most links of a message carry names the recipient, not the wish to leave.
    """
    told = {_bare(header): identifiers(header) for header in headers}
    tokens = frozenset().union(*told.values())
    rare = {token for token in tokens if 2 * sum(token in url for url in urls) <= max(len(urls), 2)}
    return [_shares(url, told, rare) for url in urls] if told else [False] * len(urls)


def _shares(url: str, told: dict[str, frozenset[str]], rare: set[str]) -> bool:
    own = identifiers(url)
    same = told.get(_bare(url))
    return not rare.isdisjoint(own) or (same is not None and (not same or not same.isdisjoint(own)))


def _bare(url: str) -> str:
    """Return host and path of an address."""
    return unquote(url.partition("//")[2].partition("#")[0].partition("?")[0]).rstrip("/").lower()


def unclear(tree: Tree, links: Sequence[Stood], *, wants_one: bool) -> list[bool]:
    """Say of each link of a page whether it stands where lists are left, and may be the link that does.

    Args:
        tree: The page.
        links: Its links in order, those to mail addresses and placeholders included.
        wants_one: Whether a message of this kind always has a link that leaves the list, so that the last one
            is it where no other can be told.
    """
    known = [_is_known(link) for link in links]
    if sum(not told for told in known) < 2:  # a page of one link is no mailing with a footer
        return [False] * len(links)
    page = _Page(tree, links, known)
    found = [page.is_at_the_end(i) and page.may_leave(i) for i in range(len(links))]
    if wants_one and not any(link.leaves for link in links):
        for i in page.last():
            found[i] = True
    found = [is_so and OPT_IN not in link.tag.values for is_so, link in zip(found, links, strict=True)]
    return [
        is_so and not told and not link.leaves for is_so, told, link in zip(found, known, links, strict=True)
    ]


def _is_known(link: Stood) -> bool:
    """Return whether every footer has such a link: the home page, a network, the privacy policy."""
    said = plain(link.words)
    if said in _known_words() or (len(said) <= 80 and _known_inside().search(said)):
        return True
    try:
        parts = urlsplit(link.url)
    except ValueError:
        return False
    labels = (parts.hostname or "").split(".")
    if any(".".join(labels[at:]) in _known_hosts() for at in range(max(0, len(labels) - 4), len(labels))):
        return True
    return parts.path in {"", "/"} and not parts.query and not parts.fragment


class _Around(NamedTuple):
    """What holds for all that stands in an element.

    Attributes:
        block: The block, the row or the list that it is a part of.
        size: Of its letters, in pixels.
        is_foot: Whether it is in what calls itself a footer.
        link: The number of the link that it is in, or -1.
        is_seen: Whether it is text of the page.
    """

    block: int
    size: float
    is_foot: bool = False
    link: int = -1
    is_seen: bool = True


@dataclass(slots=True)
class _Line:
    """A paragraph: a block, or what stands between two empty lines of it."""

    start: int
    pieces: list[tuple[str, int]] = field(default_factory=list)
    """Texts with the number of the link that they are in; a line end is ``\\n``."""

    def text(self) -> str:
        """Return all that it says."""
        return "".join(text for text, _ in self.pieces)


class _Page:
    """The lines of a page, and where its links stand in them."""

    def __init__(self, tree: Tree, links: Sequence[Stood], known: Sequence[bool]) -> None:
        self._links, self._known = links, known
        self._around = _surroundings(tree, links)
        self._lines: dict[tuple[int, int], _Line] = {}
        self._line_of: dict[int, _Line] = {}
        self._span_of: dict[int, tuple[int, int]] = {}
        self._read(tree)
        self._most = max(self._sizes, key=lambda size: self._sizes[size], default=0.0)
        self._body = [i for i in range(len(links)) if self._is_body(i)]
        self._marked, self._foot = self._footer()

    def is_at_the_end(self, number: int) -> bool:
        """Return whether a link stands in a footer, or in the small type at either end."""
        tag = self._links[number].tag
        if tag.start >= self._foot or id(self._line_of.get(number)) in self._marked:
            return True
        around = self._around[id(tag)]
        if not self._body or not (around.is_foot or self._is_small(around.size)):
            return False
        first, last = self._body[0], self._body[-1]
        return number > last or (number < first <= _FEW)

    def may_leave(self, number: int) -> bool:
        """Return whether a link names somebody, or is a part of a sentence."""
        return bool(identifiers(self._links[number].url)) or self._is_in_prose(number)

    def last(self) -> list[int]:
        """Return the last link that nobody knows, and those in the same line, if others stand before it."""
        numbers = [i for i, told in enumerate(self._known) if not told]
        if len({id(self._line_of.get(i)) for i in numbers}) < 2:
            return []
        line = self._line_of.get(numbers[-1])
        return [i for i in numbers if self._line_of.get(i) is line and line is not None]

    def _read(self, tree: Tree) -> None:
        """Put every text into its line."""
        paragraph: Counter[int] = Counter()
        breaks: Counter[int] = Counter()
        self._sizes: Counter[float] = Counter()
        for node in walk(tree.root):
            if node.raw.isspace() if isinstance(node, Text) else node.name not in _READ_ELEMENTS:
                continue
            around = self._around[id(node.parent) if isinstance(node, Text) else id(node)]
            if not around.is_seen:
                continue
            if isinstance(node, Text):
                if not (text := " ".join(unescaped(node.raw).split())):
                    continue
                breaks[around.block] = 0
                self._sizes[around.size] += len(text)
                start, piece = node.start, f" {text} "
            elif node.name == "br":
                breaks[around.block] += 1
                paragraph[around.block] += breaks[around.block] == 2
                start, piece = node.start, "\n"
            elif around.link >= 0:
                breaks[around.block] = 0
                start, piece = node.start, ""
            else:
                continue
            line = self._lines.setdefault((around.block, paragraph[around.block]), _Line(start))
            if around.link >= 0 and self._line_of.setdefault(around.link, line) is line:
                first, _ = self._span_of.get(around.link, (len(line.pieces), 0))
                self._span_of[around.link] = (first, len(line.pieces))
            line.pieces.append((piece, around.link))

    def _is_small(self, size: float) -> bool:
        return size <= _SMALL or size < self._most

    def _is_body(self, number: int) -> bool:
        """Return whether a link is of the body: in its size of letters, or a picture of some width."""
        link, around = self._links[number], self._around[id(self._links[number].tag)]
        if link.leaves or self._known[number] or around.is_foot:
            return False
        pictures = [element for element in link.tag.elements if element.name == "img"]
        if pictures:
            return any(_width(picture) >= _WIDE for picture in pictures)
        return not self._is_small(around.size)

    def _footer(self) -> tuple[frozenset[int], float]:
        """Return the lines that have a mark of a footer, and where the first of them starts.

        A mark counts behind a link of the body, and behind the middle of the text if a few more follow.
        """
        places = [self._links[i].tag.start for i in self._body]
        if not places:
            return frozenset(), float("inf")
        lines = sorted(self._lines.values(), key=lambda line: line.start)
        leaving = {
            id(self._line_of[i]) for i, link in enumerate(self._links) if link.leaves and i in self._line_of
        }
        half, room, marked = sum(self._sizes.values()) / 2, _READ, []
        for line in reversed(lines):
            text = line.text()
            half, room = half - len(text), room - len(text)
            following = len(places) - bisect_left(places, line.start)
            if room <= 0 or following == len(places) or following > (_FEW if half > 0 else 0):
                break
            if id(line) in leaving or _COPYRIGHT.search(text) or _reasons().search(plain(text[:2000])):
                marked.append(line)
        return frozenset(map(id, marked)), min((line.start for line in marked), default=float("inf"))

    def _is_in_prose(self, number: int) -> bool:
        """Return whether words of a sentence are next to a link, in its line and up to the next divider."""
        line = self._line_of.get(number)
        if line is None:
            return False
        first, last = self._span_of[number]
        before = _beside(line.pieces[at] for at in range(first - 1, -1, -1))
        behind = _beside(line.pieces[at] for at in range(last + 1, len(line.pieces)))
        own = (_DIVIDER.split(" ".join(reversed(before)))[-1], _DIVIDER.split(" ".join(behind))[0])
        return any(map(_LETTER.search, own))


def _beside(pieces: Iterable[tuple[str, int]]) -> list[str]:
    """Return the texts of a line up to its end or the next link."""
    return [text for text, _ in takewhile(lambda piece: piece[1] < 0 and piece[0] != "\n", pieces)]


def _width(picture: Element) -> float:
    """Return the width that a picture states, in pixels; a picture without one is as wide as it likes."""
    digits = picture.get("width").strip().removesuffix("px")
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else _WIDE


def _surroundings(tree: Tree, links: Sequence[Stood]) -> dict[int, _Around]:
    """Return what holds for what stands in each element."""
    numbers = {id(link.tag): number for number, link in enumerate(links)}
    sizes = _sheet_sizes(tree)
    found = {id(tree.root): _Around(id(tree.root), 16.0)}
    for element in tree.elements:
        name, around = element.name, found[id(element.parent or tree.root)]
        if element.values or name in _TELLING or name in sizes:
            around = _Around(
                _block(element) if name in _OWN_LINE else around.block,
                _size(element, around.size, sizes),
                around.is_foot or _is_foot(element),
                numbers.get(id(element), around.link),
                around.is_seen and name not in _UNSEEN,
            )
        found[id(element)] = around
    return found


def _block(element: Element) -> int:
    """Return the block that the text of an element with lines of its own belongs to.

    Cells of a short row are one.
    """
    row = element.parent
    if element.name in _CELLS and row is not None and row.name in _ROWS:
        return id(row) if row.inner_end - row.inner <= _ROW else id(element)
    return id(element)


def _is_foot(element: Element) -> bool:
    if element.name == "footer":
        return True
    values = element.values
    return any(name in values and _names_foot(values[name]) for name in _NAMES)


@lru_cache(4096)  # bound: see above
def _names_foot(names: str) -> bool:
    words = re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", names[:300]).lower())
    return not _foot_words().isdisjoint(words)


@cache
def _foot_words() -> frozenset[str]:
    return frozenset(_table()["marks"]["classes"])


def _size(element: Element, parent: float, sizes: dict[str, str]) -> float:
    """Return the size of an element's letters in pixels, as its ``style``, a plain rule or its name says."""
    values = element.values
    if "style" in values and (found := _stated(values["style"], parent)):
        return found
    for key in reversed(element.keys) if sizes else ():
        if key in sizes and (found := _stated(sizes[key], parent)):
            return found
    if element.name == "small":
        return parent * 5 / 6
    if element.name == "font" and values.get("size", "").strip() in {"1", "2", "-1", "-2"}:
        return min(parent, 13.0)
    return parent


@lru_cache(4096)  # bound: see above
def _stated(declarations: str, parent: float) -> float:
    """Return the size that declarations state, in pixels, or zero."""
    found = _SIZE.search(declarations)
    if found is None:
        return 0.0
    by = {"px": 1.0, "pt": 4 / 3, "em": parent, "rem": 16.0, "%": parent / 100}
    return float(found[1]) * by[found[2].lower()]


def _sheet_sizes(tree: Tree) -> dict[str, str]:
    texts = (
        child.raw for style in tree.named("style") for child in style.children if isinstance(child, Text)
    )
    return _sizes_in("\n".join(texts)[:_READ])


@lru_cache(maxsize=16)
def _sizes_in(sheet: str) -> dict[str, str]:
    """Return the declarations with a size of the rules whose selector is one name, class or id at its end."""
    found: dict[str, str] = defaultdict(str)
    for selectors, declarations in _RULE.findall(sheet):
        if "font" in declarations:
            for selector in selectors.split(","):
                last = selector.split()[-1] if selector.split() else ""
                if _KEY.match(last):
                    found[last] = declarations
    return dict(found)
