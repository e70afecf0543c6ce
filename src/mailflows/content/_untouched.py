"""Texts of a message that no repair may touch, since what would be written is not what readers read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._mail.edit import text_parts
from mailflows.content._page import too_much

if TYPE_CHECKING:
    from mailflows.message import Message

__all__ = ["is_wide", "why_page_untouched", "why_untouched"]

_DAMAGE = {
    "missing-boundary": "its boundary is missing or damaged, so clients disagree about its parts",
    "part-without-headers": "the header of a part never ends, so clients disagree about it",
}


def why_untouched(raw: bytes, message: Message) -> str:
    """Return why the texts of a message are left alone, or an empty string."""
    if wide := [part.charset for part in message.parts if is_wide(part.charset)]:
        return f"a text is in {wide[0][:20]}, which mail does not allow (RFC 2781); write it as UTF-8"
    parts = text_parts(raw)
    pages = [part for part in parts if part.content_type == "text/html"]
    if any("\x00" in part.text[:_HEAD] for part in parts):
        return _ZEROS
    if message.html and not pages:
        return "its HTML is not declared as text/html, so clients show the source"
    for defect, reason in _DAMAGE.items():
        if defect in message.defects and not pages:
            return reason
    return next((reason for page in pages if (reason := why_page_untouched(page.text))), "")


def why_page_untouched(html: str) -> str:
    """Return why a page is left alone, or an empty string."""
    if "\x00" in html[:_HEAD]:
        return _ZEROS
    most = too_much(html)
    return f"its HTML is larger than any client displays: {most}" if most else ""


_ZEROS = "a text contains zero bytes, like UTF-16, without declaring it; write it as UTF-8"
_HEAD = 1000
"""bound: letters in which a zero byte is looked for."""


def is_wide(charset: str) -> bool:
    """Return whether a charset writes ASCII in other bytes than ASCII does, as UTF-16 does.

    >>> is_wide("utf-16le"), is_wide("iso-8859-2")
    (True, False)
    """
    try:
        return bool(charset) and "<".encode(charset) != b"<"
    except (LookupError, UnicodeError):
        return False
