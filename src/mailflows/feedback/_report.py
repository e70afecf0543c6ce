"""A report taken apart (RFC 3464, RFC 6533, RFC 8098): its parts and fields, and what they say of recipients.

What it tells people is read in `_layouts`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows._html.scan import scan
from mailflows._mail.decoding import decode_value
from mailflows._mail.reader import Raw, Reader, first_of_each, is_attached, is_text, kind_of, read_raw
from mailflows.errors import MessageError
from mailflows.feedback._reasons import codes

if TYPE_CHECKING:
    from mailflows._mail.structure import Leaf
    from mailflows.message import Source

__all__ = [
    "ADDRESS",
    "MAX_RECIPIENTS",
    "Finding",
    "Report",
    "bare_address",
    "blocks",
    "by_disposition",
    "by_fields",
    "fields_in_text",
    "inner_report",
    "is_redacted",
    "read_report",
    "returned_headers",
]

RETURNED_LIMIT = 64 * 1024
"""Bytes of a returned message that are read: its headers are wanted, not the body. A bound on work."""

STATUS_LIMIT = 4 * 1024 * 1024
"""Bytes of delivery status that are read: those of 20,000 recipients, each with a diagnosis.
A bound on work."""

TEXT_LIMIT = 64 * 1024
"""Characters of a report's text that are read; software writes a few thousand. A bound on work."""

_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_DISPOSITION = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
_FEEDBACK = frozenset({"message/feedback-report"})
_RETURNED = frozenset(
    {
        *("message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822-header"),
        *("message/rfc822-headers", "message/global-headers", "message/partial"),
    }
)
_FIELD = re.compile(r"([!-9;-~]{1,80})[ \t]{0,9}:(.*)")


@dataclass(slots=True)
class Report:
    """A message that may be a report, taken apart.

    Attributes:
        headers: First value of each header, decoded, by lower-case name.
        status: Text of the delivery status parts (RFC 3464).
        disposition: Text of the disposition notification part (RFC 8098).
        feedback: Text of the feedback report parts (RFC 5965).
        text: The text for people; HTML converted to text if there is nothing else.
        returned: Text of the message that came back, or of its headers.
        attached: Where whole messages are in the raw bytes.
        raw: The bytes of all of it.
    """

    headers: dict[str, str]
    raw: bytes
    status: str = ""
    disposition: str = ""
    feedback: str = ""
    text: str = ""
    returned: str = ""
    attached: list[tuple[int, int]] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return a header, or an empty string."""
        return self.headers.get(name, "")


class _Parts:
    """Collects the parts of a report; everything else is text for people."""

    def __init__(self, source: Raw) -> None:
        self.reader = Reader(source)
        self.room = 2 * STATUS_LIMIT
        self.texts: list[str] = []
        self.pages: list[str] = []

    def report(self) -> Report:
        pairs, body = self.reader.header()
        headers = first_of_each(pairs)
        self.reader.require_mail(headers)
        self.found = Report(headers, self.reader.raw)
        for leaf in self.reader.leaves(headers, body, keep=_RETURNED):
            self.look(leaf)
        page = "" if any(text.strip() for text in self.texts) else scan("\n".join(self.pages)).text
        self.found.text = ("\n".join(self.texts) + page)[:TEXT_LIMIT]
        return self.found

    def look(self, leaf: Leaf) -> None:
        """Take what a part says."""
        if leaf.kind in _RETURNED:
            self.found.attached.append((leaf.start, leaf.stop))
            self.found.returned = self.found.returned or self._slice(leaf)
        elif leaf.kind in _STATUS_TYPES:
            self.found.status += self._slice(leaf, STATUS_LIMIT) + "\n\n"
        elif leaf.kind in _DISPOSITION:
            self.found.disposition += self._slice(leaf) + "\n\n"
        elif leaf.kind in _FEEDBACK:
            self.found.feedback += self._slice(leaf) + "\n\n"
        elif is_text(kind_of(leaf)) and not is_attached(leaf):
            text, is_page = self.reader.shown(leaf)
            (self.pages if is_page else self.texts).append(text)

    def _slice(self, leaf: Leaf, limit: int = RETURNED_LIMIT) -> str:
        """Return the beginning of a part as text, as long as there is room."""
        limit = min(limit, self.room)
        budget, self.reader.budget = self.reader.budget, limit
        text = self.reader.text_of(leaf._replace(stop=min(leaf.stop, leaf.start + limit)), "utf-8")
        self.reader.budget = budget
        self.room -= len(text)
        return text


def read_report(source: Source) -> Report:
    """Take a report apart.

    Raises:
        MessageError: If it is not a message at all.
    """
    return _Parts(read_raw(source)).report()


def inner_report(report: Report) -> Report | None:
    """Take the first attached message apart, where there is one that can be read."""
    if not report.attached:
        return None
    start, stop = report.attached[0]
    try:
        return read_report(report.raw[start:stop])
    except MessageError:
        return None


def blocks(text: str, *, starts: tuple[str, ...] = ()) -> list[dict[str, str]]:
    r"""Return groups of fields, as RFC 3464 section 2.1.1 sets them: unfolded, names in lower case.

    Groups are separated by blank lines; a line that is not a field ends nothing. A field of *starts* begins a
    group where a blank line was lost: if the group has it already, or has something of another recipient.

    >>> blocks("Reporting-MTA: dns; a\n\nAction: failed\nStatus:\n 5.1.1\n")
    [{'reporting-mta': 'dns; a'}, {'action': 'failed', 'status': '5.1.1'}]
    """
    groups: list[dict[str, list[str]]] = []
    group: dict[str, list[str]] = {}
    last = ""
    for line in [*text.split("\n"), ""]:
        if not line.strip():
            if group:
                groups.append(group)
            group, last = {}, ""
        elif line[0] in " \t" and last:
            group[last].append(line.strip())  # put together once, at the end: a field may have many lines
        elif match := _FIELD.fullmatch(line.rstrip()):
            last = match[1].lower()
            if last in starts and group.keys() & {last, "action", "status"}:
                groups.append(group)
                group = {}
            if last in group:
                last = ""
            else:
                group[last] = [match[2].strip()]
    return [{name: " ".join(lines).strip() for name, lines in group.items()} for group in groups]


def returned_headers(text: str) -> dict[str, str]:
    """Return the decoded headers of a returned message whose text begins somewhere before them."""
    for group in blocks(text[:RETURNED_LIMIT]):
        if len(group) > 1 and not _HEADERS.isdisjoint(group):
            return {
                name: decode_value(name, value) if "=?" in value else value for name, value in group.items()
            }
    return {}


_HEADERS = frozenset("from to subject date message-id received return-path".split())


ADDRESS = (
    r"(?:\"[^\"\s@]{1,64}\"|[^\s<>()\[\]\"',;:@|]{1,128})@[^\s<>()\[\]\"',;:@|]{1,253}[^\s<>()\[\]\"',;:@|.]"
)
"""An address in running text; RFC 5321 section 4.5.3.1 limits its length."""

_HASHED = re.compile(r"[A-Za-z0-9+/]{20,86}={1,2}")
"""A keyed hash in Base64, as RFC 6590 proposes it; no mailbox ends with an equals sign."""

_WHOLE = re.compile(ADDRESS)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said about one recipient.

    Attributes:
        recipient: The address, or an empty string.
        original: The address that was written to, where it is another.
        said: What the server or the software said.
        status: Enhanced status code, where a field of its own has it.
        final: Whether it was given up (True), is still tried (False), or was delivered (`None`).
        time: When it was last tried, as written.
        fields: The fields it was read from, if any.
    """

    recipient: str
    original: str = ""
    said: str = ""
    status: str = ""
    final: bool | None = True
    time: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def bare_address(text: str) -> str:
    """Return the address in a text that should be one, or an empty string.

    >>> bare_address("<ada@example.org>"), bare_address("|/usr/bin/vacation")
    ('ada@example.org', '')
    """
    text = text.strip().strip("<>").strip()
    if text.startswith("@") and ":" in text:  # a source route (RFC 5321 appendix C)
        text = text.partition(":")[2]
    return text if _WHOLE.fullmatch(text) else ""


def is_redacted(address: str) -> bool:
    """Return whether an address stands for one that the report hides (RFC 6590).

    >>> is_redacted("redacted@isp.example"), is_redacted("ada@example.org")
    (True, False)
    """
    local = address.rpartition("@")[0].strip("[](){}<>-_*.\"'")
    words = _data.read_sections("feedback/layouts.txt")["redacted"]
    first = re.split(r"[-_.+=]", local.lower(), maxsplit=1)[0]
    return not local or first in words or _HASHED.fullmatch(address.rpartition("@")[0]) is not None


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
    """Return what delivery status fields say, one finding per recipient."""
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
    final, original = (_recipient(fields.get(name, "")) for name in _RECIPIENT)
    recipient = final or original
    if done not in _REFUSED or not recipient:
        return []
    is_other = original and original.lower() != recipient.lower()
    return [Finding(recipient=recipient, original=original if is_other else "", said=text)]


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
    """Return what one group says, or `None` where it is not a delivery, failure or delay."""
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
