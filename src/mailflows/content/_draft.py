"""What the rules look at, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mailflows.content._page import Page
from mailflows.content._report import Where
from mailflows.signals import measure, words

if TYPE_CHECKING:
    from mailflows._html.tree import Element
    from mailflows.flow import Flow
    from mailflows.message import Message

__all__ = ["Draft", "Note"]

_SNIPPET = 80  # choice: characters of a snippet


@dataclass(frozen=True, slots=True)
class Note:
    """What a rule found; the report adds severity and words.

    Attributes:
        code: The code of the finding.
        where: The first place.
        count: How often.
        evidence: What it was judged by.
        clients: The clients concerned.
    """

    code: str
    where: Where
    count: int = 1
    evidence: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Draft:
    """A message before it is sent, or a template that messages will be made of.

    Attributes:
        message: The message as it is read; of a template, one without headers.
        raw: Its bytes, or nothing where they are not known.
        flow: Its flow, or `None`.
        html: The HTML.
        clients: The clients that are asked for, as columns of the support table.
        now: The moment of linting, in Unix seconds.
        is_template: Whether only the page is judged, before merge tags are filled in.
    """

    message: Message
    raw: bytes
    flow: Flow | None
    html: str
    clients: tuple[str, ...]
    now: float
    is_template: bool = False

    @cached_property
    def page(self) -> Page:
        """The page as it is seen; an empty one where there is no HTML."""
        return Page(self.html)

    @cached_property
    def signals(self) -> dict[str, float]:
        """What the classifier's signals see, as numbers in [0, 1]: words by language, kinds of links."""
        return measure(self.message, reading=self._reading)

    def concepts(self, zone: str) -> set[str]:
        """Return what the words of a zone are about, such as "unsubscribe" in the closing lines."""
        return words.concepts_in(self._reading, zone)

    @cached_property
    def _reading(self) -> words.Reading:
        return words.read(self.message)

    @cached_property
    def text(self) -> str:
        """What a reader reads."""
        return self.page.text or self.message.text

    def at(self, element: Element | None) -> Where:
        """Return the place of an element."""
        if element is None:
            return Where("html")
        end = min(element.inner, element.start + _SNIPPET)
        snippet = " ".join(self.html[element.start : end].split())
        return Where("html", self.page.tree.line(element.start), snippet)

    def on(self, code: str, elements: list[Element], *evidence: str) -> Note:
        """Return one note for several elements."""
        return Note(code, self.at(elements[0]), len(elements), evidence[:10])

    def header(self, code: str, name: str = "", *evidence: str) -> Note:
        """Return a note about a header."""
        return Note(code, Where("headers", None, name), 1, evidence[:10])
