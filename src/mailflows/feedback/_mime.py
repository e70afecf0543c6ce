"""The parts of a report: what a machine or a person shall read, and the message that came back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows._html.scan import scan
from mailflows._mail.decoding import decode_value
from mailflows._mail.reader import Raw, Reader, first_of_each, is_attached, is_text, kind_of, read_raw
from mailflows.errors import MessageError

if TYPE_CHECKING:
    from mailflows._mail.structure import Leaf
    from mailflows.message import Source

__all__ = ["Report", "blocks", "read"]

RETURNED_LIMIT = 64 * 1024
"""Bytes of a returned message that are read: its headers are wanted, not the body. A bound on work."""

STATUS_LIMIT = 4 * 1024 * 1024
"""Bytes of delivery status that are read: those of 20,000 recipients, each with a diagnosis.
A bound on work."""

TEXT_LIMIT = 64 * 1024
"""Characters of a report's text that are read; software writes a few thousand. A bound on work."""

_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
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
        text: What a person is told; HTML as text, where there is nothing else.
        returned: Text of the message that came back, or of its headers.
        attached: Where whole messages stand in the raw bytes.
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
    """Looks into the parts that a report is made of; all else is what a person is told."""

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
        elif leaf.kind in _STATUS:
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


def read(source: Source) -> Report:
    """Take a report apart.

    Raises:
        MessageError: If it is not a message at all.
    """
    return _Parts(read_raw(source)).report()


def inner(report: Report) -> Report | None:
    """Take the first attached message apart, where there is one that can be read."""
    for start, stop in report.attached[:1]:
        try:
            return read(report.raw[start:stop])
        except MessageError:
            return None
    return None


def blocks(text: str, *, starts: tuple[str, ...] = ()) -> list[dict[str, str]]:
    r"""Return groups of fields, as RFC 3464 section 2.1.1 sets them: unfolded, names in lower case.

    Groups are parted by blank lines; a line that is no field ends nothing. A field of *starts* begins a group
    where a blank line was lost: if the group has it already, or has something of another recipient.

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
