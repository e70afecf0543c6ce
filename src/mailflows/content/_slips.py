"""Slips of the hand: a test subject, "Dear None", links to one's own machine, look-alike letters."""

from __future__ import annotations

import json
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailflows._html.merge_tags import merge_tag
from mailflows.content._draft import Note
from mailflows.content._links import is_mixed, is_web, target
from mailflows.content._report import Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.content._draft import Draft

__all__ = ["is_local", "rules"]

_TEST_SUBJECT = re.compile(
    r"\W{0,3}(?:test(?:ing|e|s)?|essai|prueba|prova|próba|тест|テスト)"
    r"(?:\W{0,3}\Z|[\])]|\s?[:\d-]|\s(?:e?-?mail|message|mail|send|envoi|\d)\b)"
    r"|\W{0,3}(?:copy of|draft|brouillon|entwurf|borrador|bozza|concept)\b\s?[:\])-]"
    r"|test(?:versand|mail|e-mail|nachricht|sendung|aussendung|mailing|newsletter)\b"
    r"|(?:copy of|copie de|kopie von|copia d[ei])\s"
    r"(?:newsletter|campaign|campagne|kampagne|mailing|template)\b"
    r"|(?:envoi|envío|prova|proef|próba|wysyłka)\s(?:test|de prueba|invio|di invio|nieuwsbrief|testowa)\b"
    r"|.{0,60}\btest\b.{0,20}\b(?:do not send|please ignore|ignore me|bitte ignorieren|ne pas envoyer)\b"
    # What hands type that only want to see something arrive: a row of keys, or one key again and again.
    r"|\W{0,3}(?:(?:asdf|qwert[yz]|azerty|zxcv|yxcv|jkl|foo\s?bar)\w{0,8}|([^\W\d_])\1{2,20})\W{0,3}\Z",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"\b(?:dear|hi|hello|hey|bonjour|cher|chère|hallo|liebe[r]?|hola|ciao|caro|olá|beste"
    r"|good (?:morning|day|evening)),?\s{1,3}(?:(?:mr|ms|mrs|herr|frau|m|mme)\.?\s)?"
    r"(?:(?:none|null|nil|undefined|nan|n/a|first_?name|fname|last_?name)\b"
    r"|#\w{2,30}#|\$[a-z_]{2,30}\$|@model\.\w|\{\w{1,30}\.\w{1,30}\})"
    r"|\[object object\]|\b(?:dear|hi|hello|hey|hallo)\s{1,3}[,!]",
    re.IGNORECASE,
)
_DUMMY = re.compile(
    r"\bTODO:|(?i:\blorem ipsum\b|\bdolor sit amet\b|\bconsectetur adipiscing\b"
    r"|\b(?:your|insert|add|put|enter)\s(?:your\s)?(?:text|headline|title|content|copy|heading) here\b"
    r"|\btext goes here\b|\bplaceholder text\b|\bblindtext\b|\bhier (?:steht|kommt) (?:ihr|dein|der) text\b"
    r"|\btexte (?:à remplacer|ici)\b|\bvotre texte ici\b|\b(?:tu|su) texto aquí\b|\bseu texto aqui\b"
    r"|\b(?:il tuo )?testo qui\b|\b(?:twój )?tekst tutaj\b|\bvul hier (?:uw|je) tekst in\b)"
)
_LOCAL = re.compile(r"(?:.{1,250}\.)?(?:localhost|local|internal|lan|localdomain|home\.arpa|test|invalid)\Z")
"""RFC 6761, RFC 6762 section 3, RFC 8375, and names that office networks use."""

_WORD = re.compile(r"[^\W\d_]{3,40}")
_READ = 20_000
"""bound: letters of the text that are looked at."""

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufefc]")
_RTL_SHARE = 0.3
"""choice: share of the letters from which a page counts as written from the right."""


def rules(draft: Draft) -> Iterator[Note]:
    """Yield slips."""
    if not draft.is_template:
        yield from _words(draft)
    yield from _local_links(draft)
    yield from _look_alikes(draft)
    if draft.html.strip():
        yield from _names(draft)
        yield from _direction(draft)
        yield from _dark_mode(draft)
        yield from _markup(draft)


def _words(draft: Draft) -> Iterator[Note]:
    subject = draft.message.subject.strip()
    if _TEST_SUBJECT.match(subject):
        yield draft.header("subject-test", "Subject", subject[:60])
    text = draft.text[:_READ]
    part = "html" if draft.html else "text"
    if found := _NOBODY.search(text) or _NOBODY.match(subject[:200]):
        yield Note("name-missing", Where(part, None, found[0][:80]), 1, (found[0][:60],))
    if found := _DUMMY.search(text):
        yield Note("dummy-text", Where(part, None, found[0]))


def _local_links(draft: Draft) -> Iterator[Note]:
    places = [(link.element, link.href) for link in draft.page.links]
    places += [(image, image.get("src")) for image in draft.page.images]
    found = [
        (element, host) for element, href in places if (host := target(href.strip()).host) and is_local(host)
    ]
    if found:
        yield draft.on(
            "link-local", [element for element, _ in found], *dict.fromkeys(host for _, host in found)
        )


def is_local(host: str) -> bool:
    """Return whether a host exists only inside a network, or on one machine."""
    if _LOCAL.match(host):
        return True
    try:
        return ip_address(host.strip("[]")).is_private
    except ValueError:
        return False


def _look_alikes(draft: Draft) -> Iterator[Note]:
    """Yield words that mix Latin letters with those of another alphabet that look the same."""
    message = draft.message
    places = {"From": message.sender.name, "Subject": message.subject, "": draft.text[:_READ]}
    for place, text in places.items():
        mixed = [] if text.isascii() else [word for word in _WORD.findall(text) if is_mixed(word)]
        if len(mixed) > (0 if place else 1):
            where = Where("headers", None, place) if place else Where("html" if draft.html else "text")
            yield Note("look-alike-letters", where, len(mixed), tuple(dict.fromkeys(mixed))[:10])
            return


def _names(draft: Draft) -> Iterator[Note]:
    """Yield links that a screen reader cannot name; one with an image alone is reported elsewhere."""
    found = [
        link.element
        for link in draft.page.links
        if link.is_seen
        and not link.text
        and is_web(link.href)
        and link.element.name == "a"
        and not any(link.element.get(name) for name in ("aria-label", "title"))
        and not merge_tag().search(
            draft.html, link.element.inner, max(link.element.inner, link.element.inner_end)
        )
        and _is_bare(draft, link.element.inner, link.element.inner_end)
    ]
    if found:
        yield draft.on("link-unnamed", found)


def _is_bare(draft: Draft, start: int, end: int) -> bool:
    """Return whether pictures with an empty text are all that is in a link, or nothing is."""
    inside = draft.html[start : max(start, end)].lower()
    return not inside.strip() or ("<img" in inside and "alt=" in inside)


def _direction(draft: Draft) -> Iterator[Note]:
    text = draft.page.text[:_READ]
    if text.isascii() or not (letters := len(_RIGHT_TO_LEFT.findall(text))):
        return
    source = draft.html.lower()
    is_said = re.search(r"""\bdir\s?=\s?["']?(?:rtl|auto)|direction\s?:\s?rtl""", source)
    if letters > _RTL_SHARE * sum(map(str.isalpha, text)) and not is_said:
        yield Note(
            "direction-missing", draft.at(draft.page.tree.first("html") or draft.page.tree.first("body"))
        )


def _dark_mode(draft: Draft) -> Iterator[Note]:
    """Yield a note where a page says that it has a dark look, and has none."""
    set_in_dark = _set_in_dark(draft)
    if has_ground := any(name.startswith("background") for name in set_in_dark):
        is_half = "color" not in set_in_dark
    else:
        is_half = "color" in set_in_dark
    if is_half:
        said = (
            "a background colour but no text colour"
            if has_ground
            else "a text colour but no background colour"
        )
        yield Note("dark-mode-half", Where("html"), evidence=(f"the dark-mode rules set {said}",))
        return
    metas = [e for e in draft.page.tree.named("meta") if e.get("name").lower() in _SCHEMES]
    if not any("dark" in meta.get("content").lower() for meta in metas):
        return
    at_rules = (rule.lower() for sheet in draft.page.sheets for rule in sheet.at_rules)
    media = (style.get("media").lower() for style in draft.page.tree.named("style"))
    if not any("prefers-color-scheme" in rule for rule in (*at_rules, *media)):
        yield draft.on("dark-mode-half", metas)


def _set_in_dark(draft: Draft) -> set[str]:
    """Return the properties that the rules for a dark screen set."""
    return {
        declaration.name
        for sheet in draft.page.sheets
        for rule in sheet.rules
        if any("prefers-color-scheme" in c.lower() and "dark" in c.lower() for c in rule.conditions)
        for declaration in rule.declarations
    }


def _markup(draft: Draft) -> Iterator[Note]:
    """Yield what is wrong with the markup that clients read (schema.org): broken, or missing in an order."""
    scripts = [e for e in draft.page.tree.named("script") if e.get("type").lower() == "application/ld+json"]
    broken = [script for script in scripts if not _is_json(draft.html[script.inner : script.inner_end])]
    if broken:
        yield draft.on("markup-broken", broken)
    elif (
        draft.html.strip()
        and "schema.org" not in draft.html
        and not draft.concepts("subject").isdisjoint(_ORDERED)
        and not draft.is_template
    ):
        yield Note("order-markup-missing", Where("html"))


_ORDERED = frozenset(("order", "shipping"))


def _is_json(source: str) -> bool:
    """Return whether a script holds JSON; one with merge tags in it is not known yet."""
    if merge_tag().search(source):
        return True
    try:
        json.loads(source)
    except (ValueError, RecursionError):
        return False
    return True


_SCHEMES = frozenset(("color-scheme", "supported-color-schemes"))
