"""Delivery status notifications: how a sender learns which recipients failed after a 250 (RFC 3464)."""

from __future__ import annotations

import re
from email.message import EmailMessage, Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows.integrations._delivery import RecipientOutcome

__all__ = ["notification"]

_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b ?")
_HEADER_END = re.compile(rb"\r?\n\r?\n")


def notification(failed: Sequence[RecipientOutcome], *, sender: str, reporter: str, message: bytes) -> bytes:
    """Return the report for the sender of a message that some recipients do not get.

    Args:
        failed: Those recipients.
        sender: Whom to tell: the envelope sender.
        reporter: Name of the host that reports.
        message: The message; its headers are returned.
    """
    report = MIMEMultipart("report", policy=SMTP)
    report.set_param("report-type", "delivery-status")
    report["From"] = f"Mail Delivery System <MAILER-DAEMON@{reporter}>"
    report["To"] = sender
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Date"] = formatdate()
    report["Message-ID"] = make_msgid(domain=reporter)
    report["Auto-Submitted"] = "auto-replied"  # RFC 3834: nobody answers it
    report.attach(MIMEText(_told(failed, reporter), "plain", "us-ascii", policy=SMTP))
    report.attach(_machine(failed, reporter))
    report.attach(_headers(message))
    return report.as_bytes()


def _told(failed: Sequence[RecipientOutcome], reporter: str) -> str:
    lines = [
        f"This is the mail system at {reporter}.",
        "",
        "Your message was not delivered to these recipients. It was sent to all others.",
        "",
        *(f"<{_ascii(one.address)}>: {one.code or 550} {_ascii(one.text)}" for one in failed),
        "",
    ]
    return "\r\n".join(lines)


def _machine(failed: Sequence[RecipientOutcome], reporter: str) -> MIMEBase:
    """Return the part that programs read: a block about the message, and one about each recipient."""
    part = MIMEBase("message", "delivery-status", policy=SMTP)
    blocks = [f"Reporting-MTA: dns; {reporter}"]
    for one in failed:
        found = _STATUS.match(one.text)
        code = one.code or 550
        status = found[1] if found else f"{code // 100}.0.0"
        text = _STATUS.sub("", one.text, count=1)
        blocks.append(
            f"Final-Recipient: rfc822; {_ascii(one.address)}\r\n"
            "Action: failed\r\n"
            f"Status: {status}\r\n"
            f"Diagnostic-Code: smtp; {code} {status} {_ascii(text)[:400]}"
        )
    inner: list[Message | str] = []
    for block in blocks:
        fields = EmailMessage(policy=SMTP)
        for line in block.split("\r\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        inner.append(fields)
    part.set_payload(inner)
    return part


def _headers(message: bytes) -> MIMEBase:
    part = MIMEBase("text", "rfc822-headers", policy=SMTP)
    headers = _HEADER_END.split(message, maxsplit=1)[0][:20_000]
    part.set_payload(headers.decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", "?") + "\r\n")
    return part


def _ascii(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text)
