"""Images, and how large the page and the message are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows.content._draft import Note
from mailflows.content._links import is_web
from mailflows.content._page import is_spacer, pixels
from mailflows.content._report import Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._html.tree import Element
    from mailflows.content._draft import Draft
    from mailflows.message import Part

__all__ = ["TRACKED_LINK", "rules"]

WARN_BYTES, CLIP_BYTES = 80_000, 102_000
TRACKED_LINK = 120  # choice: bytes, see below
"""Bytes by which a rewritten link is taken to be longer; tracking comes after linting."""

_LARGE_MESSAGE = 10_000_000  # choice: bytes; many servers take 10 MB
_FEW_WORDS = 20  # choice: words beside pictures
_LARGE_AREA = 200 * 100  # choice: square pixels of a picture that may be a page
_PLACE = re.compile(r"(?:https?:|cid:|data:|mid:|//|\{|\[|<|%|\*\||\$)", re.IGNORECASE)


def rules(draft: Draft) -> Iterator[Note]:
    """Yield what is wrong with the images, and what is too large."""
    images = [image for image in draft.page.images if not draft.page.cascade.style(image).hidden]
    yield from _descriptions(draft, images)
    relative = [i for i in images if i.get("src") and not _PLACE.match(i.get("src").strip())]
    if relative:
        yield draft.on("image-relative", relative, relative[0].get("src")[:60])
    if images and len(draft.page.text.split()) < _FEW_WORDS and any(map(_is_large, images)):
        yield draft.on("image-only", images, f"{len(draft.page.text.split())} words")
    yield from _sizes(draft)


def _descriptions(draft: Draft, images: list[Element]) -> Iterator[Note]:
    without = [image for image in images if "alt" not in image.values]
    spacers = [image for image in without if is_spacer(image)]
    pictures = [image for image in without if not is_spacer(image)]
    if pictures:
        yield draft.on("image-alt-missing", pictures, *(image.get("src")[-60:] for image in pictures))
    if spacers:
        yield draft.on("spacer-alt-missing", spacers)
    unsized = [i for i in images if pixels(i, "width") is None and "%" not in i.get("width") + i.get("style")]
    if unsized:
        yield draft.on("image-size-missing", unsized)


def _is_large(image: Element) -> bool:
    """Return whether an image may be a page of its own; one without a size may."""
    width, height = pixels(image, "width"), pixels(image, "height")
    return (width or 600) * (height or 400) >= _LARGE_AREA


def _sizes(draft: Draft) -> Iterator[Note]:
    size = _page_bytes(draft)
    growth = (
        sum(is_web(link.href) for link in draft.page.links) * TRACKED_LINK if draft.flow == "marketing" else 0
    )
    said = (f"{size} bytes", *((f"about {growth} more with tracking",) if growth else ()))
    if size + growth > CLIP_BYTES:
        yield Note("page-clipped", Where("html"), evidence=said)
    elif size + growth > WARN_BYTES:
        yield Note("page-large", Where("html"), evidence=said)
    if draft.page.too_much:
        yield Note("page-not-read", Where("html"), evidence=(draft.page.too_much,))
    if draft.message.size > _LARGE_MESSAGE:
        yield Note("message-large", Where("headers"), evidence=(f"{draft.message.size} bytes",))


def _page_bytes(draft: Draft) -> int:
    """Return the bytes of the HTML; a part that was too large to be read tells its own."""
    read = len(draft.html.encode("utf-8", "replace"))
    if "long-text" not in draft.message.defects:
        return read
    return max(read, *(_bytes(part) for part in draft.message.parts), 0)


def _bytes(part: Part) -> int:
    return part.size * 3 // 4 if part.content_type == "text/html" else 0
