"""One key for the spellings of one mailbox, so that nobody is written to twice.

The key is for comparing only: mail goes to the address as it was given (RFC 5321 section 2.4 leaves
the local part to its own domain).
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

from mailflows._mail.address import mailbox_of

__all__ = ["duplicate_key", "key_rule", "mailbox_key", "spelling_differences"]

_LONGEST = 320
"""Characters of a key: 64 of a local part, 255 of a domain, and the @ sign (RFC 5321 section 4.5.3.1)."""

# Providers' own pages, as of 2026-11-23: which local parts reach the same mailbox.
_ALIASES = {
    "googlemail.com": "gmail.com",
    "pm.me": "protonmail.com",
    "proton.me": "protonmail.com",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
}
_NO_DOTS = frozenset({"gmail.com"})
_DASH_TAG = frozenset(
    {"yahoo.com", "yahoo.fr", "yahoo.co.uk", "yahoo.de", "yahoo.es", "yahoo.it", "ymail.com"}
)

_DOTS, _DASH, _PLUS = 1, 2, 4
_SPELLED = re.compile(r"[<>\"'(),:;\s]")


def key_rule(domain: str) -> tuple[str, int]:
    """Return the domain of the key, and how local parts are folded there; cheap to keep by domain."""
    home = _ALIASES.get(domain, domain)
    dash = home in _DASH_TAG
    return home, (_DOTS if home in _NO_DOTS else 0) | (_DASH if dash else 0) | (0 if dash else _PLUS)


@lru_cache(maxsize=8192)
def mailbox_key(address: str) -> str:
    """Return the key of an address as it was typed; of text that is not an address, the text in lower case.

    Args:
        address: Anything that stands where an address is expected, however it is spelled; longer text than an
            address can be is replaced by a hash, so that a key has at most 320 characters.

    Example:
        >>> mailbox_key(" Ada.L+news@GoogleMail.com "), mailbox_key("info@MÜNCHEN.de")
        ('adal@gmail.com', 'info@xn--mnchen-3ya.de')
        >>> mailbox_key("Ada <ada@x.example>"), mailbox_key('mailto:"ada"@x.example')
        ('ada@x.example', 'ada@x.example')
    """
    if _SPELLED.search(address):
        address = mailbox_of(address) or address
    local, at, domain = address.strip().rpartition("@")
    if len(address) > _LONGEST:
        return blake2b(address.encode("utf-8", "replace"), digest_size=16).hexdigest()
    if not at:
        return domain.casefold()
    return duplicate_key(local, a_labels(domain.rstrip(".")))


def a_labels(domain: str) -> str:
    """Return a domain in lower case, as A-labels where it is one."""
    if domain.isascii():
        return domain.lower()
    import idna  # noqa: PLC0415 -- only for the few that need it

    try:
        return str(idna.encode(domain, uts46=True), "ascii")
    except idna.IDNAError:
        return domain.casefold()


def duplicate_key(local: str, domain: str) -> str:
    """Return the key that two spellings of one mailbox share.

    Args:
        local: Local part, in any case.
        domain: As A-labels in lower case.

    Example:
        >>> duplicate_key("A.B.C+news", "googlemail.com")
        'abc@gmail.com'
        >>> duplicate_key("foo-shop", "yahoo.com"), duplicate_key("jean-luc", "orange.fr")
        ('foo@yahoo.com', 'jean-luc@orange.fr')
    """
    return fold(local, key_rule(domain))


def fold(local: str, rule: tuple[str, int]) -> str:
    """Return the key by a rule from `key_rule`."""
    home, how = rule
    name = local.lower() if local.isascii() else local.casefold()
    if how & _PLUS and "+" in name:
        name = name.partition("+")[0] or name
    if how & _DASH and "-" in name:
        name = name.partition("-")[0] or name
    if how & _DOTS:
        name = name.replace(".", "")
    return f"{name}@{home}"


def spelling_differences(first: str, second: str) -> tuple[str, ...]:
    """Return in what two addresses with one key differ: case, tag, dots, alias, idn, or nothing.

    >>> spelling_differences("Ada.L@gmail.com", "adal+shop@googlemail.com")
    ('alias', 'case', 'tag', 'dots')
    """
    (a, _, x), (b, _, y) = first.rpartition("@"), second.rpartition("@")
    x, y = x.lower(), y.lower()
    tests = {
        "alias": _ALIASES.get(x, x) != x or _ALIASES.get(y, y) != y,
        "idn": (x != y and not (x.isascii() and y.isascii())) or ("xn--" in x) != ("xn--" in y),
        "case": a != b and (a != a.lower() or b != b.lower()),
        "tag": _tag(a, x) != _tag(b, y),
        "dots": x in _NO_DOTS | _ALIASES.keys() and a.count(".") != b.count("."),
    }
    return tuple(name for name, holds in tests.items() if holds)


def _tag(local: str, domain: str) -> str:
    mark = "-" if domain in _DASH_TAG else "+"
    return local.lower().partition(mark)[2]
