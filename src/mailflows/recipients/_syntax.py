"""Is this text an address? The grammar of email-validator, with a fast door for plain ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Address", "Unreadable", "read_address", "repair"]

# A plain ASCII address that email-validator accepts unchanged but for the case of its domain; whatever
# does not match is not refused but handed to email-validator. tests/recipients/test_syntax.py holds
# the two equal on generated text.
#   - the local part is a dot-atom (RFC 5322 section 3.2.3);
#   - labels are letters, digits and inner hyphens (RFC 1123 section 2.1), at most 63 long; none has
#     hyphens in places three and four, which are for IDNA (RFC 5891 section 4.2.3.1);
#   - there is a dot, and the last label ends in a letter.
_ATEXT = r"[A-Za-z0-9_!#$%&'*+\-/=?^`{|}~]+"
_LABEL = r"(?!..--)[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(
    rf"({_ATEXT}(?:\.{_ATEXT})*)@((?:{_LABEL}\.)+(?!..--)(?:[A-Za-z0-9][A-Za-z0-9\-]{{0,61}})?[A-Za-z])\Z"
)
_PLAIN_LOCAL = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*\Z")

# Names that email-validator refuses (RFC 6761 and others): it shall word the refusal.
_SPECIAL_USE = (".arpa", ".invalid", ".local", ".localhost", ".onion", ".test")

# RFC 2142 mailboxes, which email-validator writes in lower case.
_CASELESS = frozenset(
    "info marketing sales support abuse noc security postmaster hostmaster usenet news webmaster www uucp "
    "ftp".split()
)

MAX_OCTETS = 254
_MAX_DOMAIN = 253
_MAX_READ = 1024
"""Longer text is refused unread: the limit of an address is 254 octets (RFC 5321 section 4.5.3.1)."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address that was read.

    Attributes:
        local: The part before the @-sign, in NFC.
        domain: The part after it, in lower case, in Unicode.
        ascii_domain: The same as A-labels, as the DNS wants it.
        needs_smtputf8: Whether the local part is not ASCII, so that every server on the way must
            speak SMTPUTF8 (RFC 6531).
    """

    local: str
    domain: str
    ascii_domain: str
    needs_smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Text that is no address, and why.

    Attributes:
        code: ``empty``, ``not_text``, ``too_long``, ``syntax`` or ``special_use``.
        sentence: What is wrong, for the person who typed it.
        domain: What stands after the @-sign, if that much could be told.
    """

    code: str
    sentence: str
    domain: str | None = None


def read_plain(text: str) -> tuple[str, str] | None:
    """Return local part and lower-case domain of a plain address, or `None` for the long way.

    >>> read_plain("Ada.Lovelace@Example.ORG")
    ('Ada.Lovelace', 'example.org')
    >>> read_plain("ada@münchen.de") is None
    True
    """
    match = _PLAIN.match(text)
    if match is None or len(text) > MAX_OCTETS:
        return None
    local, domain = match.groups()
    domain = domain.lower()
    if len(domain) > _MAX_DOMAIN or domain.endswith(_SPECIAL_USE) or "xn--" in domain:
        return None
    lowered = local.lower()
    return (lowered if lowered in _CASELESS else local), domain


def read_plain_local(local: str) -> str | None:
    """Return a plain local part as it is written, or `None`; for a domain that was read before."""
    if _PLAIN_LOCAL.match(local) is None:
        return None
    lowered = local.lower()
    return lowered if lowered in _CASELESS else local


def read_address(text: object) -> Address | Unreadable:
    """Read one address, exactly as email-validator does by default, without asking the DNS.

    Args:
        text: The address alone: no display name, no surrounding spaces.

    Returns:
        The parts of the address, or what is wrong with it. Nothing is raised.

    Example:
        >>> read_address("ada@Example.org").ascii_domain
        'example.org'
        >>> read_address("ada@example").code
        'syntax'
        >>> read_address(None).code
        'not_text'
    """
    if not isinstance(text, str):
        return Unreadable("not_text", f"An email address is text; this is {_kind(text)}.")
    if not text.strip():
        return Unreadable("empty", "There is no email address here.")
    plain = read_plain(text)
    if plain is not None:
        return Address(plain[0], plain[1], plain[1])
    if len(text) > _MAX_READ:
        return Unreadable("too_long", f"An email address has at most 254 characters; this has {len(text)}.")
    return _read_any(text)


def _read_any(text: str) -> Address | Unreadable:
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 -- slow to import

    try:
        read = validate_email(text, check_deliverability=False)
    except EmailNotValidError as error:
        sentence = str(error)
        code = "special_use" if "special-use or reserved" in sentence else "syntax"
        return Unreadable(code, sentence, domain=text.rpartition("@")[2].strip().lower() or None)
    except (ValueError, IndexError, UnicodeError):
        # Text that the grammar's own helpers stumble over, such as lone surrogates.
        return Unreadable("syntax", "The email address contains characters that cannot be read.")
    return Address(read.local_part, read.domain, read.ascii_domain, read.smtputf8)


def _kind(value: object) -> str:
    return "nothing" if value is None else f"of type {type(value).__name__}"


_WRAPPING = re.compile(r"^(?:mailto:|<)+|>+$", re.IGNORECASE)
_DOTS = re.compile(r"[.,;:]+")
_COMMAS = re.compile(r"[.,]+")


def repair(text: object) -> str | None:
    """Return the address that was probably meant by text that is not one, or `None`.

    Only slips that leave no choice: spaces, «mailto:», angle brackets, a comma for a dot, a doubled
    dot or @-sign, a dot at the end.

    >>> repair(" ada@example,org. ")
    'ada@example.org'
    >>> repair("nothing here") is None
    True
    """
    if not isinstance(text, str) or len(text) > _MAX_READ:
        return None
    local, at, domain = _WRAPPING.sub("", text.strip()).partition("@")
    local = _COMMAS.sub(".", local.strip()).strip(".")
    domain = _DOTS.sub(".", "".join(domain.split()).lstrip("@")).strip(".")
    if any(c.isspace() or c in ":;'\"" for c in local):
        return None  # a name before the address, or half a quotation: there is a choice
    mended = f"{local}{at}{domain}"
    return mended if mended != text and isinstance(read_address(mended), Address) else None
