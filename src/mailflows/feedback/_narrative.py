"""What a report tells people: the server's own words in it count first, and a scanner's footer never."""

from __future__ import annotations

import re

from mailflows import _data
from mailflows.feedback._event import Action
from mailflows.feedback._reasons import Diagnosis, codes, diagnose

__all__ = ["diagnose_text", "without_footer"]

_SEPARATOR = re.compile(r"^[ \t]{0,4}(?:-- ?|[_=*#~+-]{4,80})[ \t]{0,9}$", re.MULTILINE)
_REPLY = re.compile(r"(?<![\w.:#/=-])[45][0-5]\d[- ]|(?<![\d.])#?[45]\.[0-7]\.\d{1,3}(?!\.?\d)")
_BLANK = re.compile(r"\n[ \t]{0,40}\n")

_LOOK = 16_000
"""Characters of a text that are parted into paragraphs; software writes a few thousand. A bound on work."""


def diagnose_text(text: str, *, status: str | None = None) -> Diagnosis:
    """Say what a text for people means.

    Args:
        text: What stands in a report about one recipient.
        status: Enhanced status code, where a field of its own has it.
    """
    kept = without_footer(text[:_LOOK])
    paragraphs = _BLANK.split(kept)
    quoted = "\n".join(one for one in paragraphs if _REPLY.search(one))
    if quoted and (found := diagnose(quoted, status=status)).reason != "other":
        return found
    whole = diagnose(kept, status=status)
    if whole.reason.action(final=True) not in {Action.PAUSE_FLOW, Action.FIX_CONFIG}:
        return whole
    # Only a sentence that says that the message was refused accuses the sender: many texts mention filters.
    refusing = "\n".join(one for one in paragraphs if _says_refused(one))
    return diagnose(refusing, status=status or codes(kept)[0])


def without_footer(text: str) -> str:
    """Return a text without what a scanner or a company's disclaimer put below it."""
    for match in _SEPARATOR.finditer(text):
        if _is_footer(text[match.end() :]):
            text = text[: match.start()]
            break
    words = _words("footers")
    kept = [one for one in _BLANK.split(text) if not any(word in one.lower() for word in words)]
    return "\n\n".join(kept)


def _is_footer(below: str) -> bool:
    """Say whether what stands below a line is no more of the report: no address, no code."""
    return "@" not in below and _REPLY.search(below) is None


def _says_refused(paragraph: str) -> bool:
    low = paragraph.lower()
    return any(word in low for word in _words("refusals"))


def _words(name: str) -> tuple[str, ...]:
    return _data.read_sections("feedback/layouts.txt")[name]
