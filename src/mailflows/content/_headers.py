"""Headers and MIME: what the standards require of an outgoing message."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from mailflows._domain import registrable_domain
from mailflows._html.scan import plain
from mailflows._mail.edit import text_parts
from mailflows.content._draft import Note
from mailflows.content._report import Where
from mailflows.content._untouched import is_wide
from mailflows.message import addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.content._draft import Draft

__all__ = ["rules"]

_MESSAGE_ID = re.compile(r"<[^\s<>@]{1,250}@[^\s<>@]{1,250}>\Z")
_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),\s{1,5})?\d{1,2}\s{1,5}"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r"\s{1,5}\d{4}\s{1,5}(?:[01]\d|2[0-3]):[0-5]\d(?::(?:[0-5]\d|60))?\s{1,5}(?:[+-]\d{4}|GMT|UT)\Z",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"\([^()]{0,60}\)")
_LONGEST_LINE = 998  # RFC 5322 section 2.1.1
_WORD = re.compile(r"[^\W\d_]{2,40}")
_DEFECTS = ("missing-boundary", "bad-base64", "bad-header-line", "part-without-headers")


def rules(draft: Draft) -> Iterator[Note]:
    """Yield what is wrong with headers and structure."""
    if draft.is_template:
        return
    yield from _required(draft)
    yield from _identity(draft)
    yield from _alternatives(draft)
    yield from _encoding(draft)


def _required(draft: Draft) -> Iterator[Note]:
    message = draft.message
    for name in ("from", "subject", "date", "message-id"):
        if not message.get(name).strip():
            yield draft.header(f"missing-{name}", name.title())
    if "to" not in message and "cc" not in message and draft.message.envelope is None:
        yield draft.header("missing-to", "To")
    if (
        not draft.text.strip()
        and not draft.page.images
        and all(p.is_attachment is False for p in message.parts)
    ):
        yield Note("empty-message", Where("text"))


def _identity(draft: Draft) -> Iterator[Note]:
    message = draft.message
    if (date := message.get("date")) and not _is_date(date):
        yield draft.header("invalid-date", "Date", date[:60])
    identity = message.get("message-id")
    if identity and not _MESSAGE_ID.match(identity):
        yield draft.header("invalid-message-id", "Message-ID", identity[:60])
    answers = [a for value in message.get_all("reply-to") for a in _domains(value)]
    own = registrable_domain(message.sender.domain) if message.sender.domain else ""
    if own and answers and all(registrable_domain(domain) != own for domain in answers):
        yield draft.header("reply-to-elsewhere", "Reply-To", answers[0])
    if "auto-submitted" not in message:
        yield draft.header("auto-submitted-missing", "Auto-Submitted")


def _domains(value: str) -> list[str]:
    return [address.domain for address in addresses(value) if address.domain]


def _is_date(value: str) -> bool:
    """Return whether a date is one that may be sent; years of two digits, which may only be read, are not."""
    if not _DATE.match(_COMMENT.sub("", value).strip()):
        return False
    try:
        parsedate_to_datetime(value.replace(":60", ":59"))  # a leap second is one
    except ValueError:  # there is no such day
        return False
    return True


def _alternatives(draft: Draft) -> Iterator[Note]:
    message = draft.message
    kinds = [part.content_type for part in message.parts if not part.is_attachment]
    if not draft.html.strip():
        return
    if draft.page.tree.first("html") is None:
        yield Note("html-tag-missing", Where("html", 1))
    if "text/plain" not in kinds:
        yield Note("html-only", Where("html"))
        return
    if (
        "text/html" in kinds
        and kinds.index("text/plain") > kinds.index("text/html")
        and _is_alternative(message.get("content-type"))
    ):
        yield Note("html-before-plain", Where("text"))
    if not message.text.strip():
        if draft.page.text:
            yield Note("empty-plain-part", Where("text"))
    elif (share := _shared_words(message.text, draft.page.text)) < 0.5:
        yield Note("plain-part-differs", Where("text"), evidence=(f"{share:.0%} of the words are in both",))


def _is_alternative(content_type: str) -> bool:
    return content_type.lower().startswith("multipart/alternative")


def _shared_words(text: str, page: str) -> float:
    """Return the share of the distinct words of the shorter text that the other has, too."""
    one, other = ({w.lower() for w in _WORD.findall(t[:100_000])} for t in (plain(text), page))
    if min(len(one), len(other)) < 5:
        return 1.0
    return len(one & other) / min(len(one), len(other))


def _encoding(draft: Draft) -> Iterator[Note]:
    message = draft.message
    if any(len(line) > _LONGEST_LINE + 1 for line in draft.raw.split(b"\n")):
        yield Note("long-line", Where("text"))
    defects = [d for d in message.defects if d.startswith(_DEFECTS)]
    if defects:
        yield Note("broken-mime", Where("headers"), evidence=tuple(defects[:10]))
    if any(part.encoding == "base64" and part.text.isascii() and part.text for part in text_parts(draft.raw)):
        yield Note("base64-text", Where("headers", None, "Content-Transfer-Encoding"))
    if wide := [part.charset for part in message.parts if is_wide(part.charset)]:
        yield Note(
            "charset-wide", Where("headers", None, "Content-Type"), len(wide), tuple(dict.fromkeys(wide))
        )
    text = message.text or message.html
    if not text.isascii() and any(_undeclared(p.content_type, p.charset) for p in message.parts):
        yield Note("undeclared-charset", Where("headers", None, "Content-Type"))


def _undeclared(content_type: str, charset: str) -> bool:
    return content_type.startswith("text/") and not charset
