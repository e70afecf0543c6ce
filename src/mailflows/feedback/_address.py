"""The one address that a cell or a caller means, however it is spelled."""

from __future__ import annotations

import re
from urllib.parse import unquote

from mailflows._mail.address import addresses
from mailflows._mailbox import mailbox_key
from mailflows._providers import provider_of
from mailflows.errors import ConfigurationError

__all__ = ["address_in", "addresses_in", "domain_of", "home_of", "require_text"]

_LONGEST = 1000
"""Characters of what may hold an address: a display name and 320 characters (RFC 5321 section 4.5.3.1)."""

_ATOM = r"[^\s\x00-\x20\x7f<>()\[\]\\,;:\"@]"
_PLAIN = re.compile(
    rf"(?:{_ATOM}{{1,64}}|\"[^\"\r\n]{{1,62}}\")@(?:{_ATOM}{{1,255}}|\[[0-9A-Fa-fIPv:.]{{3,45}}\])"
)
_COMMENT = re.compile(r"\([^()]*\)")
_QUOTED_ATOM = re.compile(rf"\"({_ATOM}{{1,64}})\"@")


def address_in(text: str) -> str | None:
    """Return the one address of a text, without its display name, or `None` where there is not exactly one.

    >>> address_in("Ada <ada@one.example>"), address_in("mailto:ada@one.example?subject=hi")
    ('ada@one.example', 'ada@one.example')
    >>> address_in("a b@c d"), address_in("x@"), address_in("a@b@c.example")
    (None, None, None)
    """
    found = addresses_in(text)
    return found[0] if len(found) == 1 else None


def addresses_in(text: str) -> tuple[str, ...]:
    """Return the addresses of a text, or nothing where a part of it is none."""
    plain = text.strip()
    if len(plain) > _LONGEST or not plain.isprintable():
        return ()
    if plain[:7].lower() == "mailto:":
        plain = unquote(plain[7:].partition("?")[0]).strip()
    if _is_address(plain):
        return (_unquoted(plain),)
    found = [_unquoted(one.address) for one in addresses(plain)]
    if not all(map(_is_address, found)) or (len(found) == 1 and not _is_whole(plain, found[0])):
        return ()
    return tuple(found)


def _is_address(text: str) -> bool:
    """Say whether a text is a bare address, whose domain has no empty label."""
    domain = text.rpartition("@")[2]
    return bool(_PLAIN.fullmatch(text)) and ".." not in domain and domain[:1] != "." and domain[-1:] != "."


def _unquoted(address: str) -> str:
    """Return an address without quotation marks that it does not need (RFC 5321 section 4.1.2)."""
    return _QUOTED_ATOM.sub(r"\1@", address)


def _is_whole(text: str, address: str) -> bool:
    """Say whether a text without angle brackets says nothing beside the address."""
    bare = _COMMENT.sub("", text).strip(" <>.")
    return "<" in text or _unquoted(bare).lower() == address.lower()


def domain_of(mailbox: str) -> str:
    """Return the domain of an address, as A-labels in lower case where it is one."""
    domain = mailbox.rpartition("@")[2].lower()
    return domain if domain.isascii() else mailbox_key(f"x@{domain}").partition("@")[2]


def home_of(mailbox: str) -> str:
    """Return who gives a mailbox."""
    return provider_of(domain_of(mailbox)).name


def require_text(address: object) -> None:
    """Refuse what is no text.

    Raises:
        ConfigurationError: If it is none.
    """
    if not isinstance(address, str):
        msg = f"an address is text; got {type(address).__name__}"
        raise ConfigurationError(msg, field="address")
