"""Why is this text no address? One stable code for each kind of fault, found in the text itself."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["diagnose"]

_MAX_LABEL, _MAX_DOMAIN, _MAX_OCTETS = 63, 253, 254  # RFC 1035 section 2.3.4, RFC 5321 section 4.5.3.1

Parameters = tuple[tuple[str, object], ...]

_ATEXT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.")
_LDH = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
_DOTS = "\u3002\uff0e\uff61"
_NAMED = re.compile(r"[^<>]*<[^<>@\s]+@[^<>@\s]+>\s*\Z")
_SEVERAL = re.compile(r"[^\s@,;]+@[^\s@,;]+\s*[,;/\s]\s*[^\s@,;]+@[^\s@,;]+")


def diagnose(text: str) -> tuple[str, Parameters]:
    """Return the code of what is wrong with text that is no address, and the parameters of its sentence.

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
    if any(c not in _ATEXT and (c.isascii() or not _is_letter(c)) for c in local):
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
    if len(text.encode("utf-8", "replace")) > _MAX_OCTETS:
        return "too-long", (("length", len(text)), ("limit", _MAX_OCTETS))
    if not domain.isascii() or "xn--" in domain.lower():
        return "bad-internationalised-domain", ()
    return "unreadable", ()


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"
