"""The contents of a template slot: links, telephone numbers, line breaks, long text, markup.

The "name" of a sign-up form is a line of a message that the form's owner sends, so whoever fills it may
write to anybody in the owner's name. A name has none of these: that holds in any language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING, Any

from mailflows._result import Result, to_html, to_text
from mailflows.errors import ConfigurationError
from mailflows.templates._payload import flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["DIGITS", "NOTHING", "FieldReport", "SlotAlarm", "SlotKind", "check_fields", "kinds_of"]

LONGEST = 80
"""Characters of a field by default: no name and no street is longer than a line. Our choice."""

_MOST = 4_000
"""Characters of a value that are looked at; more is long text anyhow. A bound on work."""

# A scheme, "www.", or a host with a path; a bare host only with a well-known ending, as "Dr.Who" is a name.
_LINK = re.compile(
    r"[a-z][a-z0-9+.-]{1,20}://|(?<!\w)www\d?\.\w|(?<![\w.])(?:[\w-]{1,63}\.){1,5}[a-z]{2,24}/"
    r"|(?<![\w.])(?:[\w-]{1,63}\.){1,5}(?:com|net|org|info|biz|xyz|top|shop|site|online|club|io|me|ru|cn|link|live|"
    r"click|icu|vip|app|fr|de|es|it|nl|pl|br|uk|eu)(?![\w.@-])",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w+-]@[\w-]{1,63}\.\w")
_PHONE = re.compile(r"(?<![\w.])\+?\(?\d(?:[ ().\-\u00a0/]{0,3}\d){7,14}(?!\w)")
_FEWEST_OF_PHONE = 8
"""Digits from which `_PHONE` takes them for a number. By definition."""

_MARKUP = re.compile(r"</?[a-z][a-z0-9]{0,10}(?:[\s/][^<>@]{0,500})?>|<!--|\]\(|\[url", re.IGNORECASE)
_BREAK = re.compile(r"[\n\r\u2028\u2029\x0b\x0c\x85]")


class SlotKind(Flag):
    """What a value holds."""

    NOTHING = 0
    LINK = auto()
    EMAIL = auto()
    PHONE = auto()
    BREAK = auto()
    MARKUP = auto()
    DIGITS = auto()


NOTHING, DIGITS = SlotKind.NOTHING, SlotKind.DIGITS  # to look a member up takes longer than to compare it

_WORDS = {
    SlotKind.LINK: ("slot-link", "a link"),
    SlotKind.EMAIL: ("slot-email", "a mail address"),
    SlotKind.PHONE: ("slot-phone", "a telephone number"),
    SlotKind.BREAK: ("slot-line-break", "a line break"),
    SlotKind.MARKUP: ("slot-markup", "markup"),
}
LONG = "slot-long-text"
CODES = (*(code for code, _ in _WORDS.values()), LONG)


@dataclass(frozen=True, slots=True)
class SlotAlarm(Result):
    """A slot that contains something it should not.

    Attributes:
        code: ``slot-link``, ``slot-phone``, ``slot-line-break``, ``slot-long-text``, ``slot-email`` or
            ``slot-markup``.
        slot: Which one: a field's name, or the fixed words around it, such as "Hello … ,".
        sentence: What it contains, in words, without the value itself.
    """

    code: str
    slot: str
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {"code": self.code, "slot": self.slot, "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class FieldReport(Result):
    """The result of checking the fields of a form.

    Attributes:
        alarms: What should not be there; empty if no issues were found.
    """

    alarms: tuple[SlotAlarm, ...]

    @property
    def ok(self) -> bool:
        """Whether the fields may be put into a template."""
        return not self.alarms

    def __str__(self) -> str:
        if self.ok:
            return "no issues found in these fields"
        return to_text(["field", "code", "what"], [[a.slot, a.code, a.sentence] for a in self.alarms])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {"ok": self.ok, "alarms": [alarm.to_dict() for alarm in self.alarms]}

    def _repr_html_(self) -> str:
        rows = [[a.slot, a.code, a.sentence] for a in self.alarms]
        return to_html("fields", ["field", "code", "what"], rows)


def kinds_of(text: str) -> SlotKind:
    """Return what a value holds, besides words.

    >>> kinds_of("Ada Lovelace")
    <SlotKind.NOTHING: 0>
    >>> SlotKind.LINK in kinds_of("Win now! prizes.example/x")
    True
    """
    if len(text) < _FEWEST_OF_PHONE and text.isalnum():  # a name or a number, as most values are
        return NOTHING if text.isalpha() or not any(map(str.isdigit, text)) else DIGITS
    found = NOTHING
    head = text[:_MOST]
    for kind, expression in (
        (SlotKind.LINK, _LINK),
        (SlotKind.EMAIL, _EMAIL),
        (SlotKind.PHONE, _PHONE),
        (SlotKind.MARKUP, _MARKUP),
        (SlotKind.BREAK, _BREAK),
    ):
        if expression.search(head):
            found |= kind
    if any(map(str.isdigit, head)):
        found |= DIGITS
    return found


def alarms_of(slot: str, text: str, *, known: SlotKind, longest: int) -> Iterator[SlotAlarm]:
    """Yield what a value holds that its slot never held.

    Args:
        slot: Its name, for the reader.
        text: The value.
        known: What the slot has held before, or may hold.
        longest: Characters that are not too long.
    """
    for kind in kinds_of(text) & ~known:
        if kind in _WORDS:
            code, what = _WORDS[kind]
            yield SlotAlarm(code, slot, f"{slot} contains {what}, which it never did before")
    if len(text) > longest:
        yield SlotAlarm(LONG, slot, f"{slot} has {len(text)} characters; at most {longest} are expected")


def check_fields(
    fields: Mapping[str, object],
    *,
    allow: Mapping[str, Iterable[str]] | None = None,
    longest: int = LONGEST,
) -> FieldReport:
    """Check the values of a form before they are put into a template.

    Args:
        fields: Name → value. Nested values get names such as ``user.name``; values that are not text are
            checked as text. `fields_of` extracts them from a payload for a provider's API.
        allow: Field → codes that are allowed in it, such as ``{"comment": ["slot-line-break"]}``.
        longest: Maximum number of characters in a field, 80 by default; a field that allows
            ``slot-long-text`` may be longer.

    Raises:
        ConfigurationError: If *allow* names a field or a code that does not exist.

    Example:
        >>> report = check_fields({"name": "Win a phone: prizes.example/x", "city": "Lyon"})
        >>> [(alarm.slot, alarm.code) for alarm in report.alarms]
        [('name', 'slot-link')]
    """
    given = dict(flat(fields))
    allowed = {name: frozenset(codes) for name, codes in (allow or {}).items()}
    for name, codes in allowed.items():
        if name not in given:
            msg = f"allow names the field {name!r}, which is not one of {', '.join(given)}"
            raise ConfigurationError(msg, field="allow")
        if not codes <= set(CODES):
            msg = f"allow[{name!r}] takes {', '.join(CODES)}, not {', '.join(sorted(codes - set(CODES)))}"
            raise ConfigurationError(msg, field="allow")
    alarms = []
    for name, value in given.items():
        text = "" if value is None else str(value)
        found = alarms_of(name, text, known=SlotKind.NOTHING, longest=longest)
        alarms += [
            SlotAlarm(a.code, a.slot, a.sentence.replace(", which it never did before", ""))
            for a in found
            if a.code not in allowed.get(name, ())
        ]
    return FieldReport(tuple(alarms))
