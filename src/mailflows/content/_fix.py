"""`fix`: repair what can be repaired without asking, and leave every other byte as it is."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import uuid4

from mailflows._clock import to_datetime
from mailflows._mail.decoding import listed_urls
from mailflows._mail.edit import (
    editable,
    edited,
    fields,
    is_signed,
    spliced,
    text_parts,
    with_header,
    without_header,
)
from mailflows._mail.reader import page_of, read_raw
from mailflows._result import Result, to_html, to_text
from mailflows.content import _alternative, _repair
from mailflows.content._unsubscribe import ONE_CLICK, is_one_click
from mailflows.content._untouched import why_page_untouched, why_untouched
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime

    from mailflows._clock import Clock
    from mailflows._mail.edit import TextPart
    from mailflows.content._page import Template
    from mailflows.message import Source

__all__ = ["REPAIRS", "FixResult", "fix", "fix_html"]


@dataclass(frozen=True, slots=True)
class FixResult(Result):
    """A repaired message or template.

    Attributes:
        data: Its bytes, ready to be signed and sent; the original bytes if there was nothing to do. Those of
            a template are UTF-8.
        done: The repairs that changed something, in order.
        skipped: The repairs that were requested but could not be made, each with the reason.

    Example:
        >>> from mailflows.content import fix_html
        >>> result = fix_html('<p onclick="go()">Good morning</p>')
        >>> result.done, result.data
        (('active-content',), b'<p>Good morning</p>')
    """

    data: bytes
    done: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    def __bytes__(self) -> bytes:
        return self.data

    def __str__(self) -> str:
        return f"repaired: {', '.join(self.done) or 'nothing'}"

    def to_dict(self) -> dict[str, object]:
        """Return what was done as JSON-ready data, without the message."""
        return {"done": list(self.done), "skipped": dict(self.skipped), "bytes": len(self.data)}

    def to_text(self) -> str:
        """Return a table for a terminal."""
        return to_text(["repair", "outcome"], self._rows())

    def _rows(self) -> list[list[str]]:
        return [*([name, "done"] for name in self.done), *([name, why] for name, why in self.skipped)]

    def _repr_html_(self) -> str:
        return to_html(str(self), ["repair", "outcome"], self._rows())


@dataclass(frozen=True, slots=True)
class _Order:
    """What is wanted, and what repairs need to know."""

    flow: Flow | None
    now: datetime
    unsubscribe: str | None
    is_named: bool = False
    """Whether the repairs were asked for by name, so that a DKIM signature is no reason to leave them."""


FORM = "form"
"""What `FixResult.done` calls it where the message was brought into its normal form before anything else."""

_DKIM = "it is signed with DKIM, and a repair would break the signature; repair before signing"
_SIGNED = "the part is signed (multipart/signed), and a repair would break the signature"
_SEEN = "it would remove controls that the reader sees; name it in only= if you want that"


class _Impossible(Exception):  # noqa: N818 -- a reason, not an error of the caller
    """Why a repair cannot be made."""


def fix(
    message: Source,
    *,
    only: Collection[str] | None = None,
    flow: Flow | str | None = None,
    unsubscribe: str | None = None,
    clock: Clock = time.time,
) -> FixResult:
    r"""Repair what `lint` calls fixable, and leave every other byte unchanged.

    Visible text and links are unchanged, and a second run changes nothing. Repair before signing: a message
    with a DKIM signature is left alone unless repairs are named in *only*; a signed part, and text in UTF-16,
    is always left alone; `FixResult.skipped` says so. A malformed header, such as blank lines before it, is
    normalised first, which `FixResult.done` lists as ``form``.

    >>> from mailflows.testing import FixedClock
    >>> result = fix(b"From: a@shop.example\n\nHello\n", only={"date"}, clock=FixedClock())
    >>> result.data
    b'From: a@shop.example\nDate: Thu, 01 Jan 2026 00:00:00 +0000\n\nHello\n'

    Args:
        message: What `lint` takes, except a `Message`, which no longer has its bytes.
        only: Names of repairs, from `REPAIRS`; by default all but ``inline-css`` and ``forms``, which change
            the appearance. A form that is found is listed in `FixResult.skipped`.
        flow: The flow it is for: Auto-Submitted is set for transactional mail, List-Unsubscribe
            for marketing.
        unsubscribe: The https URL that unsubscribes this recipient with one POST (RFC 8058), with an opaque
            token in it; without it List-Unsubscribe is skipped.
        clock: Returns the time for Date, in Unix seconds.

    Raises:
        MessageError: If it is not a message, or its header cannot be normalised.
        ConfigurationError: For a repair or a flow that does not exist, a URL that is not https or contains an
            address in plain text, and for a `Message`.
    """
    if isinstance(message, Message):
        msg = "a Message has no bytes to repair; pass its source instead"
        raise ConfigurationError(msg, field="message")
    order = _Order(
        None if flow is None else Flow(flow),
        to_datetime(clock()),
        _checked_address(unsubscribe),
        only is not None,
    )
    names = _wanted(only, REPAIRS)
    source = read_raw(message).data
    Message.read(source)  # refuses what is not a message
    raw = editable(source)
    result = _repaired(raw, names, order)
    _page.cache_clear()
    if raw == source:
        return result
    if not is_signed(raw):
        return replace(result, done=(FORM, *result.done))
    return replace(result, data=source, skipped=((FORM, _DKIM), *result.skipped))


def fix_html(html: Template, *, only: Collection[str] | None = None) -> FixResult:
    """Repair the HTML of a template, before its merge tags are filled in.

    The repairs are those of `fix` that are about the page: ``active-content``, ``roles``, ``spacer-alt``,
    ``lang`` and, if named in *only*, ``forms`` and ``inline-css``.

    >>> fix_html("<p onclick='x()'>Hello {{ name }}</p>").data.decode()
    '<p>Hello {{ name }}</p>'

    Args:
        html: The source of the page: text, bytes in UTF-8, a path or an open file.
        only: Names of repairs, as for `fix`.

    Returns:
        The template as UTF-8 in `FixResult.data`.

    Raises:
        ConfigurationError: For a repair that does not exist, or does not apply to a page.
        MessageError: If it is a message, or a file that cannot be read.
    """
    names = _wanted(only, _PAGE_REPAIRS)
    source = page_of(html, is_written_again=True)
    source = source.encode("utf-8", "replace").decode()  # a lone surrogate cannot be sent
    if reason := why_page_untouched(source):
        return FixResult(source.encode(), (), (("message", reason),))
    done, skipped = [], []
    for name in names:
        fixed = edited(source, _page_edits(name, _page(source)))
        if fixed != source and only is None and name == "forms":
            skipped.append((name, _SEEN))
        elif fixed != source:
            done.append(name)
            source = fixed
    _page.cache_clear()
    return FixResult(source.encode(), tuple(done), tuple(skipped))


def _page_edits(name: str, page: _repair.Page) -> list[_repair.Edit]:
    """Return what a repair changes in a page."""
    if name == "lang":
        return _repair.lang(page, _repair.language(_AS_MESSAGE + page.source.encode()))
    return _PAGE_EDITS[name](page)


def _repaired(raw: bytes, names: Iterable[str], order: _Order) -> FixResult:
    done: list[str] = []
    skipped: list[tuple[str, str]] = []
    is_sealed = is_signed(raw) and not order.is_named
    if reason := why_untouched(raw, Message.read(raw)):
        skipped.append(("message", reason))
        names = [name for name in names if name not in _TEXT_REPAIRS]
    for name in names:
        try:
            fixed = _REPAIRS[name](raw, order)
        except _Impossible as reason:
            skipped.append((name, str(reason)))
            continue
        if fixed != raw and is_sealed:
            skipped.append((name, _DKIM))
        elif fixed != raw and name == "forms" and not order.is_named:
            skipped.append((name, _SEEN))
        elif fixed != raw:
            done.append(name)
            raw = fixed
    return FixResult(raw, tuple(done), tuple(skipped))


def _checked_address(address: str | None) -> str | None:
    """Refuse what no receiver would post to, and what says whose it is."""
    if address is None:
        return None
    if not address.startswith("https://") or not address.isascii() or not address.isprintable():
        msg = "unsubscribe must be an https URL in ASCII (RFC 8058 section 3.1)"
        raise ConfigurationError(msg, field="unsubscribe")
    if any(mark in address for mark in "<> ,@") or "%40" in address:
        msg = "unsubscribe must contain an opaque token, and no email address, comma, space or bracket"
        raise ConfigurationError(msg, field="unsubscribe")
    return address


def _wanted(only: Collection[str] | None, known: tuple[str, ...]) -> list[str]:
    if only is None:
        return [name for name in known if name != "inline-css"]
    words = {only} if isinstance(only, str) else set(only)
    if unknown := words - set(known):
        msg = f"there is no repair {min(unknown)!r} here; choose from {', '.join(known)}"
        raise ConfigurationError(msg, field="only")
    return [name for name in known if name in words]


def _headers(raw: bytes) -> set[str]:
    return {name for name, _, _ in fields(raw)}


def _date(raw: bytes, order: _Order) -> bytes:
    if "date" in _headers(raw):
        return raw
    return with_header(raw, "Date", format_datetime(order.now))


def _message_id(raw: bytes, _: _Order) -> bytes:
    if "message-id" in _headers(raw):
        return raw
    domain = Message.read(raw).sender.domain
    if not domain or not domain.isascii():
        msg = "From has no domain to build it from"
        raise _Impossible(msg)
    return with_header(raw, "Message-ID", f"<{uuid4().hex}@{domain}>")


def _auto_submitted(raw: bytes, order: _Order) -> bytes:
    if order.flow is not Flow.TRANSACTIONAL or "auto-submitted" in _headers(raw):
        return raw
    return with_header(raw, "Auto-Submitted", "auto-generated")


def _list_unsubscribe(raw: bytes, order: _Order) -> bytes:
    """Set the pair of RFC 8058; a mailto address that is there stays behind the new one."""
    if order.flow is not Flow.MARKETING and order.unsubscribe is None:
        return raw
    message = Message.read(raw)
    found = listed_urls(message.get("list-unsubscribe"))
    if not any(address[:8].lower() == "https://" for address in found):
        if order.unsubscribe is None:
            msg = "no https URL was given (argument unsubscribe)"
            raise _Impossible(msg)
        kept = [address for address in found if address[:7].lower() == "mailto:" and address.isascii()]
        value = ", ".join(f"<{address}>" for address in (order.unsubscribe, *kept))
        raw = with_header(without_header(raw, "List-Unsubscribe"), "List-Unsubscribe", value)
    if not is_one_click(message):
        raw = with_header(without_header(raw, "List-Unsubscribe-Post"), "List-Unsubscribe-Post", ONE_CLICK)
    return raw


def _plain_text(raw: bytes, _: _Order) -> bytes:
    reason, fixed = _alternative.with_plain_text(raw)
    if fixed != raw and any(part.is_signed for part in text_parts(raw)):
        raise _Impossible(_SIGNED)
    if reason:
        raise _Impossible(reason)
    return fixed


def _on_pages(edits: Callable[[_repair.Page], list[_repair.Edit]]) -> Callable[[bytes, _Order], bytes]:
    """Return a repair that edits the source of every HTML part."""

    def repair(raw: bytes, _: _Order) -> bytes:
        pages = [part for part in text_parts(raw) if part.content_type == "text/html"]
        return _edited(raw, [(part, edits(_page(part.text))) for part in pages])

    return repair


@lru_cache(maxsize=2)
def _page(html: str) -> _repair.Page:
    """Return a page, which one repair after the other looks at."""
    return _repair.Page(html)


def _lang(raw: bytes, _: _Order) -> bytes:
    pages = [part for part in text_parts(raw) if part.content_type == "text/html"]
    changes = [(part, _repair.lang(_page(part.text), _repair.language(raw))) for part in pages]
    return _edited(raw, changes)


def _edited(raw: bytes, changes: list[tuple[TextPart, list[_repair.Edit]]]) -> bytes:
    """Edit parts, unless one that needs it is signed: an edit would break its signature."""
    if any(edits and part.is_signed for part, edits in changes):
        raise _Impossible(_SIGNED)
    return spliced(raw, changes)


_PAGE_EDITS = {
    "active-content": _repair.active_content,
    "forms": _repair.forms,
    "roles": _repair.roles,
    "spacer-alt": _repair.spacer_alt,
    "inline-css": _repair.inline_css,
}
_ON_PAGES = {name: _on_pages(edits) for name, edits in _PAGE_EDITS.items()}
_REPAIRS: dict[str, Callable[[bytes, _Order], bytes]] = {
    **{name: _ON_PAGES[name] for name in ("active-content", "forms", "roles", "spacer-alt")},
    "lang": _lang,
    "inline-css": _ON_PAGES["inline-css"],
    "plain-text": _plain_text,
    "date": _date,
    "message-id": _message_id,
    "auto-submitted": _auto_submitted,
    "list-unsubscribe": _list_unsubscribe,
}

REPAIRS = tuple(_REPAIRS)
"""The names of the repairs, in the order in which they are made: the page, then the text made of it."""

_PAGE_REPAIRS = REPAIRS[: REPAIRS.index("plain-text")]
_TEXT_REPAIRS = (*_PAGE_REPAIRS, "plain-text")
_AS_MESSAGE = b"MIME-Version: 1.0\nSubject: \nContent-Type: text/html; charset=utf-8\n\n"
