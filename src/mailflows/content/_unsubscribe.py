"""Unsubscribing: the header pair of RFC 8058, and a link that a reader sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mailflows._mail.decoding import listed_urls
from mailflows.content._draft import Note
from mailflows.content._report import Where
from mailflows.signals.words import concepts_anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.content._draft import Draft
    from mailflows.message import Message

__all__ = ["ONE_CLICK", "is_one_click", "rules"]

ONE_CLICK = "List-Unsubscribe=One-Click"
"""The only value of List-Unsubscribe-Post (RFC 8058 section 3.1)."""

_HEADER = "List-Unsubscribe"


def is_one_click(message: Message) -> bool:
    """Return whether a message has the header that lets a provider unsubscribe by itself."""
    return message.get("list-unsubscribe-post").replace(" ", "").lower() == ONE_CLICK.lower()


def rules(draft: Draft) -> Iterator[Note]:
    """Yield what is wrong with the ways to unsubscribe."""
    if not draft.is_template:
        found = listed_urls(draft.message.get("list-unsubscribe"))
        yield from _present(draft, found) if found else [draft.header("unsubscribe-header-missing", _HEADER)]
        if "list-id" not in draft.message:
            yield draft.header("list-id-missing", "List-Id")
    yield from _link(draft)


def _present(draft: Draft, found: tuple[str, ...]) -> Iterator[Note]:
    secure = [address for address in found if address[:8].lower() == "https://"]
    plain = [address for address in found if address[:7].lower() == "http://"]
    if not is_one_click(draft.message):
        yield draft.header("unsubscribe-one-click-missing", "List-Unsubscribe-Post", *found)
    if plain:
        yield draft.header("unsubscribe-not-https", _HEADER, *plain)
    elif not secure:
        yield draft.header("unsubscribe-mailto-only", _HEADER, *found)
    recipients = {address.address.lower() for address in draft.message.recipients}
    if any(address in unquote(u).lower() for u in secure + plain for address in recipients if address):
        yield draft.header("unsubscribe-address-in-url", _HEADER)
    if "preferences" not in draft.concepts("closing"):
        yield draft.header("unsubscribe-on-transactional", _HEADER)


def _link(draft: Draft) -> Iterator[Note]:
    if (
        any(draft.signals.get(name) for name in ("links-unsubscribe", "links-preferences"))
        or _tag_link(draft)
        or _in_any_language(draft)
        or (draft.is_template and _PLACE.search(draft.html))
    ):
        return
    if not draft.concepts("link").isdisjoint(_OFFERS):
        return
    if not draft.html and "unsubscribe" in draft.concepts("closing"):
        return
    yield Note("unsubscribe-link-missing", Where("html" if draft.html else "text"))


def _in_any_language(draft: Draft) -> bool:
    """Return whether a link unsubscribes in another language than the message seems to be in."""
    tokens = (tuple(_TOKEN.findall(link.text.lower()[:300])) for link in draft.page.links[:300])
    if any(concepts_anywhere(words, _OFFERS) for words in tokens if words):
        return True
    closing = tuple(_TOKEN.findall(draft.message.text[-1000:].lower()))[-60:]
    return not draft.html and "unsubscribe" in concepts_anywhere(closing, _OFFERS)


_PLACE = re.compile(r"unsub|opt-?_?out\b|abmelde|desabonn|d\xe9sabonn|desinscri|d\xe9sinscri", re.IGNORECASE)
"""What names the place in a template where the tool that sends it puts the link."""

_TOKEN = re.compile(r"\w+")
_OFFERS = frozenset(("unsubscribe", "preferences"))


def _tag_link(draft: Draft) -> bool:
    """Return whether a merge tag or a place-holder stands for the link."""
    words = ("unsub", "opt_out", "optout", "desinscri", "abmelde", "preferences")
    return any(w in link.href.lower() or w in link.text.lower() for link in draft.page.links for w in words)
