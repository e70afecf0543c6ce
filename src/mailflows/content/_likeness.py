"""What makes a message look like spam, and what does not belong to its flow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows.content._color import contrast
from mailflows.content._controls import asking
from mailflows.content._draft import Note
from mailflows.content._links import is_web
from mailflows.content._page import is_spacer
from mailflows.content._report import Where
from mailflows.message import addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._html.tree import Element
    from mailflows.content._draft import Draft
    from mailflows.content._page import Run

__all__ = ["ACTIVE", "is_active", "is_handler", "rules"]

ACTIVE = ("script", "iframe", "object", "embed", "applet", "frame", "frameset")
"""Elements that run or load something."""

_MANY_RECIPIENTS = {"marketing": 1, "transactional": 3, "professional": 50}
_HIDDEN_LETTERS = 20  # choice: letters; fewer are a label
_SAME = 1.05  # choice: see below
"""Contrast below which nobody can tell text from its background."""

_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"]{1,500}", re.IGNORECASE)
# Between Latin letters: other scripts break lines there (Unicode Standard Annex 14).
_UNSEEN = re.compile(
    "(?<=[a-zA-Z])(?:[\u200b\u2060\ufeff]|&#(?:8203|x200b|8288|x2060);|&ZeroWidthSpace;)(?=[a-zA-Z])"
)
_SHOUTED, _SHOUT_LEAST = 0.5, 200
_POSTAL = re.compile(
    r"\b\d{4,6}(?:-\d{4})?\b[ ,]{1,3}[^\W\d_]{3,}|\b[A-Z]{2}[ ,]{1,2}\d{5}\b|[^\W\d_]{3,}[ ,]{1,3}\d{5}\b"
    r"|\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b|\bP\.? ?O\.? ?Box\b|\b\d{3}-\d{4}\b|〒",
    re.IGNORECASE,
)
_PROMOTION = ("offer", "urgency", "novelty", "feature_marketing", "newsletter", "event_invite", "donation")


def rules(draft: Draft) -> Iterator[Note]:
    """Yield what looks like spam, and what belongs to another flow."""
    yield from _hidden(draft)
    yield from _active(draft)
    yield from _words(draft)
    yield from _flow(draft)


def _hidden(draft: Draft) -> Iterator[Note]:
    found = [(run, run.why_hidden) for run in draft.page.hidden]
    found += [(run, "the colour of its background") for run in draft.page.visible if _is_camouflaged(run)]
    letters = sum(sum(c.isalnum() for c in run.text) for run, _ in found)
    if letters > _HIDDEN_LETTERS:
        reasons = tuple(dict.fromkeys(reason for _, reason in found))
        yield draft.on("hidden-text", [run.node.parent for run, _ in found], *reasons)


def _is_camouflaged(run: Run) -> bool:
    ground = run.style.ground
    return ground is not None and contrast(run.style.color.over(ground), ground) < _SAME


def _active(draft: Draft) -> Iterator[Note]:
    tree = draft.page.tree
    active = [element for element in tree.named(*ACTIVE) if is_active(element)]
    handlers = [e for e in tree.elements if any(is_handler(name) for name in e.values)]
    if active or handlers:
        names = dict.fromkeys([*(e.name for e in active), *("a handler" for _ in handlers[:1])])
        yield draft.on("active-content", active + handlers, *names)
    if forms := asking(draft.page):
        yield draft.on("form", forms, *dict.fromkeys(e.name for e in forms))
    if "<!-- saved from url" in draft.html[:5000].lower():
        yield Note("saved-page", Where("html", 1))


def is_active(element: Element) -> bool:
    """Return whether an element of those names runs something; data for readers such as JSON-LD does not."""
    return element.get("type").lower() not in {"application/ld+json", "application/json"}


def is_handler(name: str) -> bool:
    """Return whether an attribute runs something when the reader does something."""
    return name.startswith("on") and name.isalpha()


def _words(draft: Draft) -> Iterator[Note]:
    text = draft.text
    letters = [c for c in text[:50_000] if c.isalpha() and c.lower() != c.upper()]
    if len(letters) >= _SHOUT_LEAST and sum(c.isupper() for c in letters) > _SHOUTED * len(letters):
        yield Note("shouting-text", Where("html" if draft.html else "text"))
    split = _split_words(draft)
    if split > 2:
        yield Note("split-words", Where("html"), split)
    if not draft.is_template and _is_link_only(draft):
        yield Note("link-only", Where("html" if draft.html else "text"))


def _is_link_only(draft: Draft) -> bool:
    """Return whether nothing is left besides web addresses, in the text or behind it."""
    rest, addresses = _URL.subn(" ", draft.text[:2000])
    return bool(addresses) and not any(c.isalnum() for c in rest) and not draft.page.images


def _split_words(draft: Draft) -> int:
    """Count comments, and characters that show nothing, that stand between two letters."""
    source = draft.html
    places = draft.page.tree.comments[:2000]
    found = sum(source[a - 1 : a].isalpha() and source[b : b + 1].isalpha() for a, b in places if a)
    return found + len(_UNSEEN.findall(source or draft.message.text))


def _flow(draft: Draft) -> Iterator[Note]:
    if not draft.is_template:
        count = sum(len(draft.message.get_all(name)) for name in ("to", "cc")) and _visible_recipients(draft)
        if count > _MANY_RECIPIENTS.get(draft.flow or "professional", 50):
            yield draft.header("recipients-in-clear", "To", f"{count} addresses")
    trackers = [image for image in draft.page.images if is_spacer(image) and _is_counter(image.get("src"))]
    if trackers:
        yield draft.on("tracking-pixel", trackers)
    if _promotes(draft):
        yield Note("promotion-in-transactional", Where("html" if draft.html else "text"))
    if "company_words" not in draft.concepts("closing") and not _POSTAL.search(draft.text[-3000:]):
        yield Note("postal-address-missing", Where("html" if draft.html else "text"))


def _visible_recipients(draft: Draft) -> int:
    """Count the addresses that all recipients see; none if a header occurs twice."""
    if any(f"repeated-header:{name}" in draft.message.defects for name in ("to", "cc")):
        return 0
    values = [value for name in ("to", "cc") for value in draft.message.get_all(name)]
    return len({address.address for value in values for address in addresses(value)})


def _is_counter(source: str) -> bool:
    """Return whether the address of a pixel carries an identity."""
    return is_web(source) and ("?" in source or max(map(len, source.split("/")), default=0) > 20)


def _promotes(draft: Draft) -> bool:
    """Return whether words of advertising occur in the body: an offer, and something besides."""
    found = set(_PROMOTION).intersection(draft.concepts("body") | draft.concepts("link"))
    return "offer" in found and len(found) > 1
