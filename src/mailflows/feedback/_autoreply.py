"""Automatic replies from a person's mailbox (RFC 3834), which are not bounces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows._mail.address import mailbox
from mailflows.feedback._event import Event, EventType
from mailflows.feedback._layouts import ANSWERS, is_from_robot
from mailflows.feedback._report import Report, read_report

if TYPE_CHECKING:
    from mailflows.message import Source

__all__ = ["is_autoreply", "parse_autoreply"]

_PRECEDENCE = frozenset({"auto_reply", "auto-reply"})
_COMMENT = re.compile(r"\([^()]*\)")
_ENDS = re.compile(r"[ \t\u00a0]{0,9}(?:[:：\-–—(\[【「]|$)")
"""What follows an absence message's name in a subject; "Out of office plans" goes on in words."""


def parse_autoreply(source: Source) -> Event | None:
    r"""Return the event for an out-of-office or other automatic reply, or `None`.

    The event's recipient is the person who replied. Such a reply proves that the mailbox exists.

    Args:
        source: Anything that `mailflows.Message.read` reads.

    Raises:
        MessageError: If it is not a message at all.

    Example:
        >>> answer = b"From: ada@example.org\nAuto-Submitted: auto-replied\n\nBack on Monday."
        >>> print(parse_autoreply(answer))
        autoreplied: ada@example.org
    """
    report = read_report(source)
    if not is_autoreply(report):
        return None
    answered = report.get("in-reply-to").strip().strip("<>")
    return Event(
        EventType.AUTOREPLIED,
        mailbox(report.get("from")).address or None,
        message_id=answered or None,
        provider="rfc3834",
        raw=report.raw,
    )


def is_autoreply(report: Report) -> bool:
    """Return whether a message is an automatic reply from a person's mailbox, not a report."""
    if report.status or report.feedback or report.get("x-failed-recipients"):
        return False
    # RFC 3834 section 5 allows comments and parameters behind the word.
    submitted = _COMMENT.sub(" ", report.get("auto-submitted")).partition(";")[0].split()
    said = (
        [word.lower() for word in submitted[:1]] == ["auto-replied"]
        or any(report.get(name).lower() not in {"", "no"} for name in _words()["headers"])
        or "autoresponder" in report.get("x-post-messageclass").lower()
        or not _PRECEDENCE.isdisjoint(report.get(name).lower() for name in ("precedence", "x-precedence"))
        or _tells_of_absence(report.get("subject"))
    )
    return said and not (is_from_robot(report) and _names_a_robot(report))


def _tells_of_absence(subject: str) -> bool:
    """Return whether a subject is one of an automatic answer, and not a person's about one."""
    low = " ".join(subject.lower().replace("’", "'").split())
    if low.startswith(ANSWERS):
        return False
    words = _words()
    begins = any(low.startswith(name) and _ENDS.match(low, len(name)) for name in words["subjects"])
    return begins or any(low.find(phrase, 0, 100) > 0 for phrase in words["absent"])


def _words() -> dict[str, tuple[str, ...]]:
    return _data.read_sections("feedback/autoreplies.txt")


def _names_a_robot(report: Report) -> bool:
    """Return whether more than an empty return path speaks for delivery software, which answers have too."""
    return is_from_robot(Report({**report.headers, "return-path": ""}, b""))
