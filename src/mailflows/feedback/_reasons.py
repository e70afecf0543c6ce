"""What a server's reply, or the text of a report, means: a reason, and what to do."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from mailflows import _data
from mailflows.feedback._event import Action, BounceReason

__all__ = ["Diagnosis", "codes", "diagnose", "diagnose_text", "folded"]

_LOOK = 4000
"""Characters of a reply that are looked at; RFC 5321 section 4.5.3.1.5 allows 512 a line."""

_OF_THE_MESSAGE = ("6.", "7.")
"""RFC 3463 section 3: the content, and security or policy; neither is about an address."""

_SHORT = 500
"""Characters of a reply of one line (RFC 5321 section 4.5.3.1.5); longer texts mention many things."""

_GAP = 80
"""Characters that may stand between the parts of a phrase. A bound on work."""

_SEPARATOR = re.compile(r"^[ \t]{0,4}(?:-- ?|[_=*#~+-]{4,80})[ \t]{0,9}$", re.MULTILINE)
_REPLIED = re.compile(r"(?<![\w.:#/=-])[45][0-5]\d[- ]|(?<![\d.])#?[45]\.[0-7]\.\d{1,3}(?!\.?\d)")
_BLANK = re.compile(r"\n[ \t]{0,40}\n")

_LOOK_TEXT = 16_000
"""Characters of a text that are parted into paragraphs; software writes a few thousand. A bound on work."""

_STATUS = re.compile(r"(?<![\d.])[245]\.[0-7]\.\d{1,3}(?!\.?\d)")
_CODE = re.compile(r"(?<![\w.:#/=-])[45][0-5]\d(?=[-\s:,]|$)")
_LINE_CODE = re.compile(r"(?:^|\n)\s{0,9}[245]\d\d[- ](?:[245]\.\d{1,3}\.\d{1,3}(?=\s))?")
_URL = re.compile(r"https?://\S{1,1000}")
_CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z])")  # Exchange's "RecipientNotFound", Google's "?p=NoSuchUser"
_ADDRESS = re.compile(
    r"[^\s<>()\[\]\"',;:@]{1,128}@[^\s<>()\[\]\"',;:.]{1,63}(?:\.[^\s<>()\[\]\"',;:.]{1,63}){0,20}"
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a reply means.

    Attributes:
        reason: Why the message was not taken.
        status: Enhanced status code, or `None`.
        code: Reply code, or `None`.
        permanent: Whether retrying is pointless; `None` where the reply does not say.
    """

    reason: BounceReason
    status: str | None
    code: int | None
    permanent: bool | None


@dataclass(frozen=True, slots=True)
class _Rule:
    """Some phrases that mean one thing: whole ones, and parts that follow one another."""

    reason: BounceReason
    whole: tuple[str, ...]
    parted: tuple[tuple[str, ...], ...]
    unless: tuple[str, ...]
    subject: str

    def holds(self, text: str, subject: str) -> bool:
        """Return whether one of the phrases occurs in the text."""
        if self.subject and self.subject != subject:
            return False
        there = [phrase for phrase in self.whole if phrase in text]  # hardly any is: the fast way out
        found = any(_find(phrase, text, 0, len(text)) >= 0 for phrase in there) or any(
            parts[0] in text and _follow(parts, text) for parts in self.parted
        )
        return found and not any(word in text for word in self.unless)


@dataclass(frozen=True, slots=True)
class _Table:
    """What the data file says; see there."""

    said: tuple[_Rule, ...]
    vague: tuple[_Rule, ...]
    veto: tuple[_Rule, ...]
    before_recipient: tuple[str, ...]
    empty: tuple[str, ...]
    clear: _Rule
    of_the_sender: frozenset[str]
    status: dict[str, str]
    code: dict[str, str]


def diagnose(text: str, *, status: str | None = None, code: int | None = None) -> Diagnosis:
    """Say what a reply means.

    Args:
        text: What the server said, perhaps over several lines.
        status: Enhanced status code, where it is known apart from the text.
        code: Reply code, where it is known apart from the text.
    """
    return _diagnosed(text[:_LOOK], status, code)


@lru_cache(maxsize=512)  # a mailing brings the same words a thousand times
def _diagnosed(text: str, status: str | None, code: int | None) -> Diagnosis:
    found_status, found_code = codes(text)
    if status is None or (status.endswith(".0.0") and found_status):
        status = found_status or status
    code = code or found_code
    reason = _whose(folded(text), (status or "").partition(".")[2], code)
    kind = (status or str(code or " "))[0]
    return Diagnosis(reason, status, code, {"4": False, "5": True}.get(kind))


def diagnose_text(text: str, *, status: str | None = None) -> Diagnosis:
    """Say what a text for people means.

    Args:
        text: The text of a report about one recipient.
        status: Enhanced status code, where a field of its own has it.
    """
    kept = _without_footer(text[:_LOOK_TEXT])
    paragraphs = _BLANK.split(kept)
    quoted = "\n".join(one for one in paragraphs if _REPLIED.search(one))
    if quoted and (found := diagnose(quoted, status=status)).reason != "other":
        return found
    whole = diagnose(kept, status=status)
    if whole.reason.action(final=True) not in {Action.PAUSE_FLOW, Action.FIX_CONFIG}:
        return whole
    # Only a sentence that says that the message was refused accuses the sender: many texts mention filters.
    refusing = "\n".join(one for one in paragraphs if _says_refused(one))
    return diagnose(refusing, status=status or codes(kept)[0])


def _without_footer(text: str) -> str:
    """Return a text without what a scanner or a company's disclaimer put below it."""
    for match in _SEPARATOR.finditer(text):
        if _is_footer(text[match.end() :]):
            text = text[: match.start()]
            break
    words = _text_words("footers")
    kept = [one for one in _BLANK.split(text) if not any(word in one.lower() for word in words)]
    return "\n\n".join(kept)


def _is_footer(below: str) -> bool:
    """Return whether what follows a line is no more of the report: no address, no code."""
    return "@" not in below and _REPLIED.search(below) is None


def _says_refused(paragraph: str) -> bool:
    low = paragraph.lower()
    return any(word in low for word in _text_words("refusals"))


def _text_words(name: str) -> tuple[str, ...]:
    return _data.read_sections("feedback/layouts.txt")[name]


def codes(text: str) -> tuple[str | None, int | None]:
    """Return the first enhanced status code and the first reply code of a text.

    >>> codes("550-5.7.26 Unauthenticated email from 192.0.2.1")
    ('5.7.26', 550)
    """
    status, code = _STATUS.search(text), _CODE.search(text)
    return (status[0] if status else None), (int(code[0]) if code else None)


def _whose(text: str, subject: str, code: int | None) -> BounceReason:
    """Return the class of a reply; that an address is unknown counts only where nobody else is accused."""
    table = _table()
    if subject in table.of_the_sender:
        return BounceReason.SENDER_INVALID
    bare = _URL.sub(" ", text)
    is_clear = table.clear.holds(bare, subject)
    reason = BounceReason.MAILBOX_UNKNOWN if is_clear else _reason(text, bare, subject, code)
    if reason is BounceReason.OTHER and code and len(bare) < _SHORT:
        return _accused(bare, subject) or reason
    if reason.is_unknown:
        if any(stage in text for stage in table.before_recipient):
            return BounceReason.SENDER_INVALID
        if accused := _accused(bare, subject):
            known = _reason(text, bare, subject, code) if is_clear else accused
            return accused if known.is_unknown else known
        if subject.startswith(_OF_THE_MESSAGE) and not is_clear:
            reason = BounceReason(table.status.get(subject, "policy"))
    return reason


def _accused(text: str, subject: str) -> BounceReason | None:
    """Return the class of the first words that accuse the sender, its network or its content."""
    return next((rule.reason for rule in _table().veto if rule.holds(text, subject)), None)


def _reason(text: str, bare: str, subject: str, code: int | None) -> BounceReason:
    """Ask the tables in turn: clear words, the status, vague words, the reply code."""
    table = _table()
    for rule in table.said:
        if rule.holds(bare if rule.reason.is_unknown else text, subject):
            return rule.reason
    by_status = table.status.get(subject)
    if by_status not in {None, "other"}:
        return BounceReason(by_status)
    for rule in table.vague:
        if rule.holds(bare, subject):
            return rule.reason
    return BounceReason(table.code.get(str(code), "temporary" if code and code < 500 else "other"))


@lru_cache(maxsize=512)
def folded(text: str) -> str:
    """Return a reply as the table's phrases are written: lower case, one line, addresses as "@"."""
    plain = _CAMEL.sub(" ", _ADDRESS.sub("@", _LINE_CODE.sub(" ", text[:_LOOK])))
    folded = " ".join(plain.replace("’", "'").lower().split())  # Exchange writes it so
    folded = folded.replace("e-mail", "email")
    for empty in _table().empty:
        if empty in folded:
            folded = folded.replace(empty, "")
    return folded


def _find(phrase: str, text: str, start: int, stop: int) -> int:
    """Return where a phrase occurs in a text at the beginning of a word, or -1."""
    position = text.find(phrase, start, stop)
    while position > 0 and "a" <= phrase[0] <= "z" and "a" <= text[position - 1] <= "z":
        position = text.find(phrase, position + 1, stop)
    return position


def _follow(parts: tuple[str, ...], text: str) -> bool:
    """Return whether parts stand in a text one after the other."""
    position, limit = 0, len(text)
    for part in parts:
        position = _find(part, text, position, limit)
        if position < 0:
            return False
        position += len(part)
        limit = position + _GAP
    return True


@cache
def _table() -> _Table:
    """Return the rules of the data file, made ready."""
    raw = tomllib.loads(_data.read("feedback/reasons.toml"))
    return _Table(
        said=tuple(map(_rule, raw["said"])),
        vague=tuple(map(_rule, raw["vague"])),
        veto=tuple(map(_rule, raw["veto"])),
        before_recipient=tuple(raw["before_recipient"]),
        empty=(*raw["wrappers"], *raw["courtesies"]),
        clear=_rule({"reason": BounceReason.MAILBOX_UNKNOWN, "phrases": raw["clear"]}),
        of_the_sender=frozenset(raw["of_the_sender"]),
        status=raw["status"],
        code=raw["code"],
    )


def _rule(entry: dict[str, Any]) -> _Rule:
    return _Rule(
        reason=BounceReason(entry["reason"]),
        whole=tuple(phrase for phrase in entry["phrases"] if " * " not in phrase),
        parted=tuple(tuple(phrase.split(" * ")) for phrase in entry["phrases"] if " * " in phrase),
        unless=tuple(entry.get("not", ())),
        subject=entry.get("subject", ""),
    )
