"""Delivery status fields (RFC 3464, RFC 6533), from their own part or from the middle of a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows.feedback._finding import Finding, bare_address
from mailflows.feedback._mime import blocks
from mailflows.feedback._reasons import codes

if TYPE_CHECKING:
    from mailflows.feedback._mime import Report

__all__ = ["MAX_RECIPIENTS", "by_disposition", "by_fields", "fields_in_text"]

MAX_RECIPIENTS = 20_000
"""Recipients of one report that are read; an event says where there are more. A bound on work."""

_FINAL = {"failed": True, "expired": True, "delayed": False}
_REFUSED = frozenset({"deleted", "denied", "failed", "rejected", "error"})
_DONE = frozenset({"delivered", "relayed", "expanded"})
_RECIPIENT = ("final-recipient", "original-recipient")
_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_QUOTED = re.compile(r"^(?:[ \t]{0,4}>){1,9}[ ]?", re.MULTILINE)
_START = re.compile(r"^[ \t]{0,4}(?:Final|Original)-Recipient[ \t]{0,4}:", re.MULTILINE | re.IGNORECASE)


def by_fields(text: str) -> list[Finding]:
    """Return what delivery status fields say, one finding a recipient."""
    found = (_finding(group) for group in _groups(text)[:MAX_RECIPIENTS])
    return [finding for finding in found if finding is not None]


def fields_in_text(text: str) -> list[Finding]:
    """Return what delivery status fields say that stand in a text for people, quoted or not."""
    if not _START.search(text):
        text = _QUOTED.sub("", text)
    if not _START.search(text):
        return []
    return by_fields(text)


def by_disposition(report: Report) -> list[Finding]:
    """Return what a disposition notification (RFC 8098) says, where it refuses the message.

    Sieve's ``reject`` answers so (RFC 5429), with ``deleted``; so does a mail program that deletes unread.
    """
    text = f"{report.get('subject')}\n{report.text}"
    low = text.lower()
    if not any(word in low for word in _data.read_sections("feedback/layouts.txt")["refused-by-mdn"]):
        return []
    fields: dict[str, str] = {}
    for group in blocks(report.disposition):
        fields = group | fields
    done = fields.get("disposition", "").partition(";")[2].partition("/")[0].strip().lower()
    recipient, original = (_recipient(fields.get(name, "")) for name in _RECIPIENT)
    if done not in _REFUSED or not (recipient or original):
        return []
    is_other = original and original.lower() != recipient.lower()
    return [Finding(recipient=recipient or original, original=original if is_other else "", said=text)]


def _groups(text: str) -> list[dict[str, str]]:
    """Return the groups about a recipient; what a stray blank line tore off is put back."""
    found: list[dict[str, str]] = []
    for group in blocks(text, starts=_RECIPIENT):
        if any(name in group for name in _RECIPIENT):
            found.append(group)
        elif found and "reporting-mta" not in group and not group.keys() & found[-1].keys():
            found[-1].update(group)
    return found


def _finding(fields: dict[str, str]) -> Finding | None:
    """Return what one group says, or `None` where it is no delivery, failure or delay."""
    action = fields.get("action", "failed" if "status" in fields else "").split("(")[0].strip().lower()
    if action not in _FINAL and action not in _DONE:  # a word of its own: the status decides
        action = {"5": "failed", "4": "delayed"}.get(fields.get("status", "")[:1], "")
    if not action:
        return None
    recipient, original = (_recipient(fields.get(name, "")) for name in _RECIPIENT)
    if original and "." not in recipient.rpartition("@")[2]:  # a name of the inside
        recipient = original
    said = _after_type(fields.get("diagnostic-code", ""))
    return Finding(
        recipient=recipient or original,
        original=original if original and original.lower() != recipient.lower() else "",
        said=said,
        status=codes(fields.get("status", ""))[0] or "",
        final=_FINAL.get(action),
        time=fields.get("last-attempt-date", ""),
        fields=fields,
    )


def _recipient(value: str) -> str:
    """Return the address of a recipient field; UTF-8 in its escaped form is undone (RFC 6533)."""
    address = _XTEXT.sub(lambda match: chr(min(int(match[1], 16), 0x10FFFF)), _after_type(value))
    return bare_address(address)


def _after_type(value: str) -> str:
    """Return what stands behind the type, as in ``rfc822; ada@example.org``."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and len(kind) < 30 and " " not in kind.strip() else value.strip()
