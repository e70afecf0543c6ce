"""Links: where they lead, what they show, and whether a merge tag is left."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from mailflows import _data
from mailflows._domain import registrable_domain
from mailflows._html.merge_tags import merge_tag, merge_tag_mark
from mailflows._html.scan import seen
from mailflows.content._draft import Note
from mailflows.content._report import Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.content._draft import Draft
    from mailflows.content._page import Link

__all__ = ["Target", "is_mixed", "is_web", "rules", "target"]

_SHOWN = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>(?:[\w-]{1,63}\.){1,9}(?P<top>[a-z]{2,18}|xn--[\w-]{1,59}))(?::\d{1,5})?(?:[/?#]\S{0,2000})?\Z",
    re.IGNORECASE,
)
_NUMERIC = re.compile(
    r"(?:\d{1,10}|0x[0-9a-f]{1,8}|(?:\d{1,3}|0x[0-9a-f]{1,2}|0[0-7]{1,3})(?:\.(?:\d{1,3}|0x[0-9a-f]{1,2}|0[0-7]{1,3})){3}|\[[0-9a-f:.]{2,45}\])\Z"
)
_PRIVATE = re.compile(
    r"127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|0\.0\.0\.0|\[(?:::1|f[cd]|fe80)"
)
"""RFC 6890: what `_slips` tells of."""

_URL = re.compile(r"https?://[^\s<>\"]{1,2000}", re.IGNORECASE)
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{0,30}):")
_DANGEROUS = frozenset("javascript vbscript data file blob".split())


class Target(NamedTuple):
    """The parts of a link that are judged."""

    scheme: str
    userinfo: str
    raw_host: str
    host: str


def target(href: str) -> Target:
    """Split a link as a browser does; white space and control characters inside do not count."""
    href = "".join(c for c in href if c > " ").replace("\\", "/")
    found = _SCHEME.match(href)
    scheme = found[1].lower() if found else ""
    rest = href[found.end() :] if found else href
    if scheme in {"http", "https"}:  # browsers take any number of slashes
        rest = "//" + rest.lstrip("/")
    if not rest.startswith("//"):
        return Target(scheme, "", "", "")
    authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
    userinfo, _, host = authority.rpartition("@")
    raw = host if host.startswith("[") else host.partition(":")[0]
    return Target(scheme, userinfo, raw, unquote(raw).lower().rstrip("."))


def is_web(href: str) -> bool:
    """Return whether a link leads to a web page."""
    return href[:5].lower() in {"http:", "https"}


def rules(draft: Draft) -> Iterator[Note]:
    """Yield what is wrong with the links, and the merge tags that are left anywhere."""
    links = draft.page.links
    targets = [(link, target(link.href)) for link in links if not merge_tag().match(link.href)]
    yield from _in_text(draft)
    for code, judge in _JUDGES.items():
        found = [(link, said) for link, place in targets if (said := judge(link, place))]
        if found:
            evidence = tuple(dict.fromkeys(said for _, said in found))
            yield draft.on(code, [link.element for link, _ in found], *evidence)
    if not draft.is_template:
        yield from _merge_tags(draft)


def _in_text(draft: Draft) -> Iterator[Note]:
    """Judge the addresses of a message that is plain text only."""
    if draft.html:
        return
    places = [target(url) for url in _URL.findall(draft.message.text)[:500]]
    for code, hosts in (
        ("link-numeric-host", [p.host for p in places if _NUMERIC.match(p.host)]),
        ("link-shortener", [p.host for p in places if p.host in _shorteners()]),
    ):
        if hosts:
            yield Note(code, Where("text", None, hosts[0]), len(hosts), tuple(dict.fromkeys(hosts))[:10])


def _mismatch(link: Link, place: Target) -> str:
    """Return both addresses where a link shows another domain than it leads to."""
    shown = _SHOWN.match(link.text.strip("<>()[]«»\"' ")) if link.is_seen else None
    if not shown or not place.host or place.scheme not in {"http", "https"}:
        return ""
    if not shown["scheme"] and not _is_domain(shown["host"]):
        return ""
    host = shown["host"].lower()
    if registrable_domain(host) == registrable_domain(place.host):
        return ""
    return f"shows {host}, leads to {place.host}"


def _is_domain(host: str) -> bool:
    """Return whether a word without a scheme is meant as an address: "Node.js" is not."""
    return (
        host.lower().startswith("www.")
        or host.rpartition(".")[2].lower() in _data.read_sections("content/words.txt")["domains"]
    )


def _insecure(_: Link, place: Target) -> str:
    return place.host if place.scheme == "http" and not merge_tag_mark().search(place.host) else ""


def _shortener(_: Link, place: Target) -> str:
    return place.host if place.host.removeprefix("www.") in _shorteners() else ""


def _shorteners() -> frozenset[str]:
    return frozenset(_data.read_sections("content/words.txt")["shorteners"])


def _numeric(_: Link, place: Target) -> str:
    is_number = place.host and _NUMERIC.match(place.host) and not _PRIVATE.match(place.host)
    return place.host if is_number else ""


def _escaped(_: Link, place: Target) -> str:
    is_odd = "%" in place.raw_host or seen(place.raw_host) != place.raw_host
    return place.raw_host if is_odd and place.scheme in {"http", "https"} else ""


def _look_alike(_: Link, place: Target) -> str:
    labels = place.host.split(".")
    if place.host.isascii() and not any(label.startswith("xn--") for label in labels):
        return ""
    return place.host if any(is_mixed(_decoded(label)) for label in labels) else ""


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:64].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def is_mixed(label: str) -> bool:
    """Return whether a label mixes Latin letters with another alphabet, or is wholly of look-alikes."""
    scripts = {unicodedata.name(c, "?").partition(" ")[0] for c in label if c.isalpha()}
    return len(scripts & {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}) > 1


def _userinfo(_: Link, place: Target) -> str:
    return f"{place.userinfo.partition(':')[0][:60]}@{place.host}" if place.userinfo else ""


def _dangerous(_: Link, place: Target) -> str:
    return f"{place.scheme}:" if place.scheme in _DANGEROUS else ""


def _empty(link: Link, _: Target) -> str:
    return "#" if link.href in {"", "#"} else ""


def _relative(link: Link, place: Target) -> str:
    if place.scheme or place.host or not link.href or link.href.startswith("#"):
        return ""
    return "" if merge_tag_mark().search(link.href) else link.href[:60]


def _generic(link: Link, _: Target) -> str:
    text = link.text.lower().rstrip("!.… »>→")
    return link.text[:40] if text in _data.read_sections("content/words.txt")["generic"] else ""


_JUDGES = {
    "link-text-mismatch": _mismatch,
    "link-insecure": _insecure,
    "link-shortener": _shortener,
    "link-numeric-host": _numeric,
    "link-escaped-host": _escaped,
    "link-look-alike": _look_alike,
    "link-userinfo": _userinfo,
    "link-dangerous-scheme": _dangerous,
    "link-empty": _empty,
    "link-relative": _relative,
    "link-generic-text": _generic,
}


def _merge_tags(draft: Draft) -> Iterator[Note]:
    """Yield one note for the merge tags that a reader would see, or that break a link."""
    places = {
        "headers": draft.message.subject,
        "text": draft.message.text,
        "html": "\n".join([draft.page.text, *(link.href for link in draft.page.links)]),
    }
    found = {part: merge_tag().findall(text) for part, text in places.items()}
    tags = list(dict.fromkeys(tag for part in found.values() for tag in part))
    if tags:
        part = next(name for name, inside in found.items() if inside)
        yield Note("merge-tag-unresolved", Where(part, None, tags[0][:80]), len(tags), tuple(tags[:10]))
