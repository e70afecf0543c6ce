"""Answers that a person's mail program sends by itself (RFC 3834): not a bounce."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._mail.header import mailbox
from mailflows.feedback import _mime
from mailflows.feedback._event import Event, EventType
from mailflows.feedback._layouts import is_from_robot

if TYPE_CHECKING:
    from mailflows.feedback._mime import Report
    from mailflows.message import Source

__all__ = ["is_autoreply", "parse_autoreply"]

_HEADERS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply-from",
    "x-ms-exchange-inbox-rules-loop",
)
_PRECEDENCE = frozenset({"auto_reply", "auto-reply"})
_SUBJECTS = (
    *("automatic reply", "auto reply", "auto-reply", "autoreply", "out of office", "out of the office"),
    *("away until", "on vacation", "automatische antwort", "abwesenheit", "réponse automatique"),
    *("absence du bureau", "respuesta automática", "fuera de la oficina", "risposta automatica"),
    *("fuori sede", "resposta automática", "ausência", "automatisch antwoord", "afwezig", "autosvar"),
    *("automatická odpověď", "autoodpowiedź", "автоответ", "自動応答", "自動返信", "自动答复", "自動回覆"),
)


def parse_autoreply(source: Source) -> Event | None:
    r"""Return the event of an absence message or another automatic answer, or `None`.

    The recipient of our message is who answers. Such an answer says that the mailbox lives.

    Args:
        source: Anything that `mailflows.Message.read` reads.

    Raises:
        MessageError: If it is not a message at all.

    Example:
        >>> answer = b"From: ada@example.org\nAuto-Submitted: auto-replied\n\nBack on Monday."
        >>> print(parse_autoreply(answer))
        autoreplied: ada@example.org
    """
    report = _mime.read(source)
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
    """Say whether a message is an automatic answer of a person's mailbox, and no report."""
    if report.status or report.feedback or report.get("x-failed-recipients"):
        return False
    submitted = report.get("auto-submitted").partition(";")[0].strip().lower()
    said = (
        submitted == "auto-replied"  # RFC 3834 section 5
        or any(name in report.headers for name in _HEADERS)
        or report.get("precedence").lower() in _PRECEDENCE
        or report.get("subject").lower().removeprefix("re:").strip().startswith(_SUBJECTS)
    )
    return said and not (is_from_robot(report) and _names_a_robot(report))


def _names_a_robot(report: Report) -> bool:
    """Say whether more than an empty return path speaks for delivery software, which answers have too."""
    return is_from_robot(_mime.Report({**report.headers, "return-path": ""}, b""))
