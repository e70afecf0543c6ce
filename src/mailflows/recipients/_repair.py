"""The addresses meant by text that is not one: those in a cell, and slips with only one correction."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from mailflows.recipients._syntax import Address, read_address

__all__ = ["addresses_in", "repair", "strip_markup"]

_LONGEST = 1024
"""Longer text is not looked at: the limit of an address is 254 octets (RFC 5321 section 4.5.3.1)."""

_FOUND = re.compile(
    r"[^\s<>()\[\]{},;:|\"\u201c\u201d\u201e\u00ab\u00bb]+@[^\s<>()\[\]{},;:|\"\u201c\u201d\u201e\u00ab\u00bb@]+"
)
_GAP = re.compile(r"\s*@\s*")
_SCHEME = re.compile(r"\b(?:mailto|email|e-mail|mail|smtp)\s*:\s*(?=\S+@)", re.IGNORECASE)
_QUERY = re.compile(r"(?<=@)([^?\s]+)\?\S*")
_GLUED = re.compile(r"\w[.,;:|\"]+\Z")
"""What stands before an address and may be its beginning: ``hn@shop.fr`` is not who ``jo,hn@shop.fr`` is."""

_EDGES = "'`\u2018\u2019\u201a\u2039\u203a*_~=./\\&!?#"
_LEADING = "'`\u2018\u2019\u201a\u2039\u203a*./\\&!?#=-"
_COMMAS = re.compile(r"[.,\u3002\uff0e\uff61]+")
_AT = re.compile(r"\s*(?:\(\s*(?:at|a)\s*\)|\[\s*(?:at|a)\s*\]|\{\s*(?:at|a)\s*\})\s*", re.IGNORECASE)
_DOT = re.compile(r"\s*(?:\(\s*(?:dot|punkt|point)\s*\)|\[\s*(?:dot|punkt|point)\s*\])\s*", re.IGNORECASE)
"""How addresses are written on web pages, so that no program reads them; only with brackets it is sure."""

_QUOTED = re.compile(r'"([A-Za-z0-9._+-]+)"@([^"@\s]+)\Z')
_BLANKS = dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u3000"), " ") | dict.fromkeys((0xFF20, 0xFE6B), "@")


def addresses_in(text: str) -> list[str]:
    """Return every address in a cell, without what surrounds it; empty where there is none.

    Names, angle brackets, ``mailto:``, quotes, comments and separators are left out; what is returned is
    readable as an address.

    >>> addresses_in("Ada <ada@shop.fr>; 'bob@shop.fr' / carl@ shop.fr.")
    ['ada@shop.fr', 'bob@shop.fr', 'carl@shop.fr']
    """
    if "@" not in text or len(text) > 64 * _LONGEST:
        return []
    plain = _SCHEME.sub("", _visible(text))
    plain = _QUERY.sub(r"\1", _GAP.sub("@", plain))
    found: list[str] = []
    for match in _FOUND.finditer(plain):
        for candidate in match[0].split("/") if match[0].count("@") > 1 or "/" in match[0] else [match[0]]:
            local, at, domain = candidate.rpartition("@")
            trimmed = f"{local.lstrip(_LEADING)}{at}{domain.rstrip(_EDGES)}"
            if at and trimmed not in found and isinstance(read_address(trimmed), Address):
                found.append(trimmed)
    return found


def _visible(text: str) -> str:
    """Return a text without characters that nobody sees, with one kind of blank and of @-sign."""
    if text.isascii():
        return text
    return "".join(c for c in text.translate(_BLANKS) if unicodedata.category(c) != "Cf")


def repair(text: object) -> str | None:
    """Return the address that was probably meant by text that is not one, or `None`.

    Only slips that leave no choice: blanks, invisible characters, ``mailto:``, brackets and quotes around,
    a comma for a dot, a doubled dot or @-sign, a dot at an end.

    >>> repair(" ada@example,org. ")
    'ada@example.org'
    >>> repair("nothing here") is None
    True
    """
    if not isinstance(text, str) or len(text) > _LONGEST or "\n" in text.strip() or "\r" in text.strip():
        return None
    plain = _visible(text).strip()
    if "@" not in plain:
        plain = _DOT.sub(".", _AT.sub("@", plain))
    if quoted := _QUOTED.match(plain):
        plain = f"{quoted[1]}@{quoted[2]}"
    found = addresses_in(plain)
    if len(found) == 1 and plain.count("@") == 1 and not re.search(r",\S", plain.rpartition("@")[2]):
        inside = strip_markup(found[0].rpartition("@")[0])
        mended = f"{inside}@{found[0].rpartition('@')[2]}" if inside else found[0]
        blanks_before = re.search(r"\S\s+\S+\s*@", plain) and not re.search(r"[<(]", plain)
        cut_off = _GLUED.search(_SCHEME.sub("", plain).partition(found[0])[0])
        if mended != text and not blanks_before and not cut_off:
            return mended
    local, at, domain = _SCHEME.sub("", plain).strip("<>()[]\"'\u2018\u2019 ").partition("@")
    local = _COMMAS.sub(".", local.strip()).strip(".")
    domain = _TAIL.sub("", _REMAINS.sub("", domain.strip().lstrip("@")))
    domain = re.sub(r"[.,;:\u3002\uff0e\uff61]+", ".", "".join(domain.split()).lstrip("@")).strip(".")
    if any(c.isspace() or c in ":;'\"<>()" for c in local):
        return None  # a name before the address, or half a quotation: there is a choice
    mended = f"{local}{at}{domain}"
    return mended if mended != text and isinstance(read_address(mended), Address) else None


# What HTML, JSON and URLs leave before or behind a scraped address: an escaped bracket or quote, an encoded
# blank, an entity, a scheme, and the `www.` of a web address.
_REMAINS = re.compile(
    r"^(?:(?:\\?u00(?:3[ce]|2[0267]|a0)|&(?:lt|gt|quot|nbsp|amp);?|(?:lt|gt|nbsp|quot);|nbsp(?=\w)|"
    r"%(?:20|22|27|3[ace]|09|0[ad]|c2%a0|e2%80%8[b-f]|ef%bb%bf)|mailto(?::|%3a|=)?|https?://|//|www\.(?=.)|[=*#!?&'`~|/{}^]+)+)",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:(?:\\?u00(?:3[ce]|2[0267]|a0)|&(?:lt|gt|quot|nbsp|amp);?|%(?:20|22|27|3[ace]|09|0[ad]|c2%a0|e2%80%8[b-f]|ef%bb%bf)|\\[nrt]|[=*#!?&'`~|/{}^]+)+)$",
    re.IGNORECASE,
)


def strip_markup(local: str) -> str | None:
    """Return a local part without remains of markup or a web address, or `None` where it has none.

    >>> strip_markup("u003eada"), strip_markup("%20ada"), strip_markup("www.ada"), strip_markup("ada")
    ('ada', 'ada', 'ada', None)
    """
    mended = _TAIL.sub("", _REMAINS.sub("", local)).strip(".")
    if mended == local or not mended:
        return None
    return unquote(mended) if "%" in mended else mended
