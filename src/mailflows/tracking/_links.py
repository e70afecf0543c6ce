"""Which links are tracked, and what their targets become: pure decisions on one link at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from mailflows._html.merge_tags import merge_tag_mark
from mailflows.tracking._leaving import leaves_list, own_text
from mailflows.tracking._standing import OPT_IN, Stood, shared, unclear

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailflows._html.tree import Attribute, Element, Tree

__all__ = ["SKIPPED", "Link", "Rules", "with_parameters"]

MAX_TARGET = 2000
"""Characters of a target that is tracked; a longer one would give a link that some programs cut."""

OPT_OUT = "data-no-track"
"""The attribute that keeps a link as it is."""

_OTHERS = frozenset(("not-web", "placeholder", "opted-out", "host"))
"""What is never tracked and may leave the list nevertheless."""

_ANCHORS = frozenset(("a", "area"))
_WEB = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")

SKIPPED = {
    "not-web": "it does not lead to a web page: mailto, tel, an anchor or a relative URL",
    "opted-out": f"it carries {OPT_OUT}",
    "own": "it already leads to the tracking host",
    "unsubscribe": "it unsubscribes or changes preferences",
    "unclear": f"it is where unsubscribe links usually are, and may be one; if not, mark it with {OPT_IN}",
    "host": "its host is not among the hosts to track",
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
    """A link of a message, and what is done with it.

    Attributes:
        url: Where it leads, as a browser reads it.
        skipped: Why it is left alone, a code of `SKIPPED`; empty if it is tracked.
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
        wants_leaving: Whether each message has a link that leaves the list, as marketing must.
    """

    base_url: str
    hosts: frozenset[str] = frozenset()
    skip_hosts: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    wants_leaving: bool = False

    def judge(
        self, tree: Tree, original: Callable[[str], str] = lambda url: url
    ) -> list[tuple[Attribute, Link]]:
        """Return the target of each link of a page and what is done with it.

        Args:
            tree: The page.
            original: Returns where a tracked link led before it was tracked.
        """
        found = [
            (tag, attribute, url)
            for tag in tree.elements
            if tag.name in _ANCHORS
            and (attribute := tag.attribute("href"))
            and (url := attribute.value.strip())
        ]
        judged = [
            self._alone(url, attribute.raw(tree.source), tag, tree.source) for tag, attribute, url in found
        ]
        codes = [code for code, _ in judged]
        if not all(codes):
            stood = [
                Stood(
                    tag,
                    original(url) if code == "own" else url,
                    said,
                    self._leaves(code, url, said, tag, tree),
                )
                for (tag, _, url), (code, said) in zip(found, judged, strict=True)
            ]
            codes = self._together(tree, codes, stood)
        return [(attribute, Link(url, code)) for (_, attribute, url), code in zip(found, codes, strict=True)]

    def _leaves(self, code: str, url: str, said: str, tag: Element, tree: Tree) -> bool:
        """Return whether a link leaves the list that is not tracked anyway, such as a mail address."""
        return code == "unsubscribe" or (code in _OTHERS and leaves_list(url, said, tag, tree.source))

    def _together(self, tree: Tree, codes: list[str], stood: list[Stood]) -> list[str]:
        """Return why links are left alone, once each is seen among the others."""
        listed = shared([link.url for link in stood], self.listed)
        at_the_end = unclear(tree, stood, wants_one=self.wants_leaving)
        return [
            code or ("unsubscribe" if is_listed else "unclear" if is_unclear else "")
            for code, is_listed, is_unclear in zip(codes, listed, at_the_end, strict=True)
        ]

    def _alone(self, url: str, raw: str, tag: Element, source: str) -> tuple[str, str]:
        """Return why a link is left alone, whatever else is on the page, and what it says.

        The cheap looks come first.
        """
        checks: tuple[tuple[str, Callable[[], bool]], ...] = (
            ("not-web", lambda: not _WEB.match(url) and not merge_tag_mark().match(url)),
            ("own", lambda: url.startswith(self.base_url)),
            ("opted-out", lambda: OPT_OUT in tag.values),
            ("long", lambda: len(raw) > MAX_TARGET),
            ("placeholder", lambda: merge_tag_mark().search(url) is not None),
            ("unusual", lambda: _is_unusual(url, raw)),
            ("host", lambda: not self._has_host(_host(url))),
        )
        said = own_text(source, tag)
        code = next((code for code, applies in checks if applies()), "")
        if not code and (url in self.listed or leaves_list(url, said, tag, source)):
            code = "unsubscribe"
        return code, said

    def _has_host(self, host: str) -> bool:
        is_wanted = not self.hosts or _is_below(host, self.hosts)
        return is_wanted and not _is_below(host, self.skip_hosts)


def _is_below(host: str, names: frozenset[str]) -> bool:
    """Return whether a host is one of these, or below one."""
    labels = host.split(".") if names else ()
    return any(".".join(labels[at:]) in names for at in range(len(labels)))


def _is_unusual(url: str, raw: str) -> bool:
    """Return whether an address could be read in two ways, or not be written in a token."""
    try:
        raw.encode()
    except UnicodeEncodeError:  # a surrogate for a byte that fits no charset
        return True
    return bool(_CONTROL.search(url)) or not _host(url) or "\r" in raw


@lru_cache(4096)  # bound: a mailing leads to the same pages in each of its messages
def _host(url: str) -> str:
    """Return the host of an address, or an empty string where it cannot be read."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that hold no IPv6 address
        return ""


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
