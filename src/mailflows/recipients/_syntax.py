"""Is this text an address, and if not, why? email-validator's grammar, with a fast path for plain ones."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

__all__ = [
    "MAX_OCTETS",
    "Address",
    "Unreadable",
    "is_example",
    "is_special_use",
    "read_address",
    "read_internal",
]

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

# Names that email-validator refuses (RFC 6761 and others): it words the refusal.
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
        local: The part before the @ sign, in NFC.
        domain: The part after it, in lower case, in Unicode.
        ascii_domain: The same as A-labels, as the DNS wants it.
        needs_smtputf8: Whether the local part is not ASCII, so that every server on the way must support
            SMTPUTF8 (RFC 6531).
    """

    local: str
    domain: str
    ascii_domain: str
    needs_smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Text that is not an address, and why.

    Attributes:
        code: Code of the reason, such as ``no-at-sign``; see `data/recipients/reasons.toml`.
        parameters: What its sentence is filled with.
        domain: The part after the @ sign, if it could be found.
    """

    code: str
    parameters: tuple[tuple[str, object], ...] = ()
    domain: str | None = None


def read_plain(text: str) -> tuple[str, str] | None:
    """Return local part and lower-case domain of a plain address, or `None` for the slow path.

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
        >>> read_address("ada@shop").code
        'no-dot-in-domain'
        >>> read_address(None).code
        'not-text'
    """
    if not isinstance(text, str):
        return Unreadable("not-text", (("kind", type(text).__name__),))
    if not text.strip():
        return Unreadable("empty")
    plain = read_plain(text)
    if plain is not None:
        return Address(plain[0], plain[1], plain[1])
    if len(text) > _MAX_READ:
        return Unreadable("too-long", (("length", len(text)), ("limit", MAX_OCTETS)))
    return _read_any(text)


def _read_any(text: str) -> Address | Unreadable:
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 -- slow to import

    try:
        read = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return _refused(text)
    except (ValueError, IndexError, UnicodeError):
        # Text that the grammar's own helpers stumble over, such as lone surrogates.
        return Unreadable("unreadable")
    return Address(read.local_part, read.domain, read.ascii_domain, read.smtputf8)


def _refused(text: str) -> Unreadable:
    """Return why text is not an address; where only the name is reserved, its domain."""
    domain = text.rpartition("@")[2].strip().lower()
    if _names_special_use(text):
        return Unreadable("special-use", domain=domain)
    code, parameters = diagnose(text)
    return Unreadable(code, parameters, domain or None)


def read_internal(text: str) -> Address | None:
    """Read an address at a host name that need have no dot, and may be reserved; `None` for any other.

    >>> read_internal("root@Files").domain, read_internal("no one@files")
    ('files', None)
    """
    local, _, domain = text.rpartition("@")
    plain = read_plain_local(local)
    if plain is None or len(text) > MAX_OCTETS or not _HOST.match(domain):
        return None
    return Address(plain, domain.lower(), domain.lower())


def _names_special_use(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    if not at or _PLAIN_LOCAL.match(local) is None or not _HOST.match(domain):
        return False
    return is_special_use(domain.lower())


_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\Z")

_RESERVED = frozenset(
    # RFC 6761, 6762 (and its appendix G), 7686, 8375, 9476; `internal`: ICANN, 2024.
    "alt internal intranet invalid lan local localdomain localhost onion private test corp home "
    "home.arpa".split()
)
_EXAMPLES = frozenset({"example", "example.com", "example.net", "example.org"})  # RFC 2606


def is_example(domain: str) -> bool:
    """Return whether a domain is reserved for documentation.

    >>> is_example("mail.example.com"), is_example("babbage.example"), is_example("shop.fr")
    (True, True, False)
    """
    labels = domain.split(".")
    return labels[-1] in _EXAMPLES or ".".join(labels[-2:]) in _EXAMPLES


def is_special_use(domain: str) -> bool:
    """Return whether a domain is reserved for tests or private networks.

    >>> is_special_use("foo.internal"), is_special_use("home.arpa"), is_special_use("shop.fr")
    (True, True, False)
    """
    labels = domain.split(".")
    return (
        labels[-1] in _RESERVED
        or ".".join(labels[-2:]) in _RESERVED
        or (labels[-1] == "arpa" and len(labels) > 1)
    )


# One stable code for each kind of fault, found in the text itself.

_MAX_LABEL = 63  # RFC 1035 section 2.3.4

Parameters = tuple[tuple[str, object], ...]

_DOT_ATOM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.")
_LDH = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
_DOTS = "\u3002\uff0e\uff61"
_NAMED = re.compile(r"[^<>]*<[^<>@\s]+@[^<>@\s]+>\s*\Z")
_SEVERAL = re.compile(r"[^\s@,;]+@[^\s@,;]+\s*[,;/\s]\s*[^\s@,;]+@[^\s@,;]+")


def diagnose(text: str) -> tuple[str, Parameters]:
    """Return the code of what is wrong with text that is not an address, and the parameters of its sentence.

    >>> diagnose("ada"), diagnose("a..b@shop.fr")[0]
    (('no-at-sign', ()), 'doubled-dot')
    """
    code = _of_whole(text)
    if code:
        return code, ()
    local, _, domain = text.rpartition("@")
    code = _of_local(local) or _of_domain(domain.rstrip())
    if code:
        return code, ()
    return _of_length(text, domain)


def _of_whole(text: str) -> str | None:  # noqa: PLR0911 -- one line a kind of fault
    if "\n" in text.strip() or "\r" in text.strip():
        return "line-break"
    kinds = {unicodedata.category(character) for character in text}
    if "Cc" in kinds - {"Zs"} and any(c != "\t" for c in text if unicodedata.category(c) == "Cc"):
        return "control-character"
    if "Cf" in kinds:
        return "invisible-character"
    if "@" not in text:
        return "no-at-sign"
    if _NAMED.match(text):
        return "display-name"
    if _SEVERAL.search(text):
        return "several-addresses"
    quoted = text.startswith('"') and re.match(r'"(?:[^"\\]|\\.)*"@[^@]*\Z', text)
    if quoted:
        return "quoted-local-part"
    return "two-at-signs" if text.count("@") > 1 else None


def _of_local(local: str) -> str | None:
    if not local.strip():
        return "no-local-part"
    if any(c.isspace() for c in local):
        return "space-in-local-part"
    if ".." in local:
        return "doubled-dot"
    if local.startswith(".") or local.endswith("."):
        return "dot-at-edge-of-local-part"
    if any(c not in _DOT_ATOM and (c.isascii() or not _is_letter(c)) for c in local):
        return "character-in-local-part"
    return None


def _of_domain(domain: str) -> str | None:  # noqa: PLR0911 -- one line a kind of fault
    if not domain:
        return "no-domain"
    if domain.startswith("[") and domain.endswith("]"):
        return "address-literal"
    if any(c.isspace() for c in domain):
        return "space-in-domain"
    plain = domain.translate(dict.fromkeys(map(ord, _DOTS), "."))
    if ".." in plain:
        return "doubled-dot"
    if plain.startswith(".") or plain.endswith("."):
        return "dot-at-edge-of-domain"
    if any(c not in _LDH and (c.isascii() or not _is_letter(c)) for c in plain):
        return "character-in-domain"
    labels = plain.split(".")
    if any(label.startswith("-") or label.endswith("-") for label in labels):
        return "hyphen-at-edge"
    if any(label[2:4] == "--" and not label.lower().startswith("xn--") for label in labels):
        return "hyphens-in-label"
    return None


def _of_length(text: str, domain: str) -> tuple[str, Parameters]:  # noqa: PLR0911 -- likewise
    labels = domain.split(".")
    if len(domain) > _MAX_DOMAIN:
        return "domain-too-long", (("limit", _MAX_DOMAIN),)
    if any(len(label) > _MAX_LABEL for label in labels):
        return "label-too-long", (("limit", _MAX_LABEL),)
    if len(labels) == 1:
        return "no-dot-in-domain", ()
    if not labels[-1][-1:].isalpha():
        return "numeric-ending", ()
    if len(text.encode("utf-8", "replace")) > MAX_OCTETS:
        return "too-long", (("length", len(text)), ("limit", MAX_OCTETS))
    if not domain.isascii() or "xn--" in domain.lower():
        return "bad-internationalised-domain", ()
    return "unreadable", ()


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"
