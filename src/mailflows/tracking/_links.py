"""Which links are tracked, and what their targets become: pure decisions on one link at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from mailflows._html.merge_tags import merge_tag_mark
from mailflows.tracking._leaving import leaves_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailflows._html.tree import Attribute, Element

__all__ = ["SKIPPED", "Link", "Rules", "with_parameters"]

MAX_TARGET = 2000
"""Characters of a target that is tracked; a longer one would give a link that some programs cut."""

OPT_OUT = "data-no-track"
"""The attribute that keeps a link as it is."""

_ANCHORS = frozenset(("a", "area"))
_WEB = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")

SKIPPED = {
    "not-web": "it does not lead to a web page: mailto, tel, an anchor or a relative URL",
    "opted-out": f"it carries {OPT_OUT}",
    "own": "it already leads to the tracking host",
    "unsubscribe": "it unsubscribes or changes preferences",
    "host": "its host is not one of those that are tracked",
    "placeholder": "it has a placeholder that is filled in later",
    "unusual": "its URL has spaces, control characters or undecodable bytes",
    "long": f"its URL is longer than {MAX_TARGET} characters",
    "line": "its line would grow beyond 998 octets (RFC 5322 section 2.1.1)",
    "encoding": "its part is base64 with uneven lines, which could not be restored",
    "signed": "the message is signed or encrypted",
    "charset": "its part is in UTF-16 or UTF-32, which cannot hold an address in ASCII",
    "not-html": "its part is declared as plain text, so most clients show the HTML source",
}
"""Why a link is left alone, by code."""


@dataclass(frozen=True, slots=True)
class Link:
    """How a link of a message is treated.

    Attributes:
        url: Where it leads, as a browser reads it.
        skipped: Why it is left alone, a code of `SKIPPED`; empty where it is tracked.
    """

    url: str
    skipped: str = ""

    @property
    def is_tracked(self) -> bool:
        """Whether it is rewritten."""
        return not self.skipped

    def __str__(self) -> str:
        """Return one line: the address, and what is done."""
        return f"{self.url}: {'tracked' if self.is_tracked else f'left alone, {SKIPPED[self.skipped]}'}"


@dataclass(frozen=True, slots=True)
class Rules:
    """Which links are left alone.

    Attributes:
        base_url: Where tracked links lead.
        hosts: Hosts whose links are tracked, those below them included; empty for all.
        skip_hosts: Hosts whose links are not, those below them included.
        listed: Addresses of the List-Unsubscribe header.
    """

    base_url: str
    hosts: frozenset[str] = frozenset()
    skip_hosts: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()

    def judge(self, source: str, tag: Element) -> tuple[Attribute, Link] | None:
        """Return the target of a tag and what is done with it; `None` for what is no link."""
        found = tag.attribute("href") if tag.name in _ANCHORS else None
        url = found.value.strip() if found else ""
        if not found or not url:
            return None
        return found, Link(url, self._reason(url, found.raw(source), tag, source))

    def _reason(self, url: str, raw: str, tag: Element, source: str) -> str:
        """Return why a link is left alone, or an empty string; the cheap looks come first."""
        checks: tuple[tuple[str, Callable[[], bool]], ...] = (
            ("not-web", lambda: not _WEB.match(url)),
            ("own", lambda: url.startswith(self.base_url)),
            ("opted-out", lambda: OPT_OUT in tag.values),
            ("long", lambda: len(raw) > MAX_TARGET),
            ("placeholder", lambda: merge_tag_mark().search(url) is not None),
            ("unusual", lambda: _is_unusual(url, raw)),
            ("host", lambda: not self._has_host(url)),
            ("unsubscribe", lambda: url in self.listed or leaves_list(url, tag, source)),
        )
        return next((code for code, applies in checks if applies()), "")

    def _has_host(self, url: str) -> bool:
        host = urlsplit(url).hostname or ""
        is_wanted = not self.hosts or _is_below(host, self.hosts)
        return is_wanted and not _is_below(host, self.skip_hosts)


def _is_below(host: str, names: frozenset[str]) -> bool:
    """Say whether a host is one of these, or below one."""
    labels = host.split(".")
    return any(".".join(labels[at:]) in names for at in range(len(labels)))


def _is_unusual(url: str, raw: str) -> bool:
    """Say whether an address could be read in two ways, or not be written in a token."""
    try:
        raw.encode()
        return bool(_CONTROL.search(url)) or not urlsplit(url).hostname or "\r" in raw
    except ValueError:  # a surrogate for a byte that fits no charset, or brackets that hold no IPv6 address
        return True


def with_parameters(url: str, parameters: Mapping[str, str]) -> str:
    """Return an address with more parameters; those that it has stay as they are.

    >>> with_parameters("https://shop.example/?a=%20#top", {"utm_source": "news", "a": "no"})
    'https://shop.example/?a=%20&utm_source=news#top'
    """
    page, mark, fragment = url.partition("#")
    path, _, query = page.partition("?")
    present = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    added = urlencode({k: v for k, v in parameters.items() if k not in present}, quote_via=quote_plus)
    joined = "&".join(piece for piece in (query.rstrip("&"), added) if piece)
    return url if not added else f"{path}?{joined}{mark}{fragment}"
