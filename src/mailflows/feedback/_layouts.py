"""Reports without standard fields: what Exim, qmail, Sendmail, Exchange and others write for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows._mail.address import addresses, mailbox
from mailflows.feedback._reasons import codes
from mailflows.feedback._report import ADDRESS, Finding, fields_in_text, returned_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailflows.feedback._report import Report

__all__ = ["ANSWERS", "by_layout", "has_subject_of_report", "is_from_robot", "split_returned", "told_about"]

MAX_RECIPIENTS = 1000
"""Recipients of one report; software splits long lists. A bound on work."""

_LINE = 400
"""Characters of a line that are searched for addresses. A bound on work."""

_ENTRY = re.compile(
    rf"[\s>*•·\-]{{0,20}}(?:{ADDRESS}[ ](?=<))?[<\"'\[(]{{0,2}}({ADDRESS})(?=[\s>\"'\]):,;.<\[(]|$)"
)
_TRANSCRIPT = re.compile(rf"[45]\d\d[ -](?:[45]\.\d{{1,3}}\.\d{{1,3}} )?<({ADDRESS})>")
_ANYWHERE = re.compile(rf"(?<![^\s<>()\[\]\"',;:@|]){ADDRESS}")  # only where a word begins: one try each
_TO_LINE = re.compile(
    rf"(?:^|(?<=\s))(?:To|An|À|A|Para|Naar)[ \t]{{0,4}}:[ \t]{{0,20}}<?({ADDRESS})", re.MULTILINE
)
_GENERATED = re.compile(rf"^\s{{0,20}}\(generated from ({ADDRESS})\)", re.MULTILINE)  # Exim: an alias of ours
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,50}):")
_STRONG = frozenset("received return-path message-id mime-version dkim-signature x-received arc-seal".split())
_FOR = re.compile(rf"\bfor <?({ADDRESS})>?")
ANSWERS = (
    *(
        "re:",
        "fw:",
        "fwd:",
        "aw:",
        "wg:",
        "tr:",
        "rv:",
        "sv:",
        "r:",
        "i:",
        "vs:",
        "odp:",
        "antw:",
        "res:",
        "ynt:",
    ),
    *("回复:", "答复:"),
)
"""How the subject of a person's answer, or of what a person forwards, begins."""

_RETURNED_TO = ("to", "cc")


def is_from_robot(report: Report) -> bool:
    """Return whether delivery software wrote a message: an empty return path, or its usual names."""
    words = _words()
    sender = mailbox(report.get("from"))
    name, local = report.get("from").lower(), sender.address.lower().rpartition("@")[0]
    return (
        report.get("return-path").replace(" ", "") == "<>"
        or bool(report.get("x-failed-recipients"))
        or (local or sender.address.lower()) in words["robots"]
        or any(word in name for word in words["robot-names"])
        or ("auto-submitted" in report.headers and has_subject_of_report(report))
    )


def has_subject_of_report(report: Report) -> bool:
    """Return whether a message has a subject as delivery software writes them; shops and carriers do, too."""
    subject = report.get("subject").lower()
    return not subject.startswith(ANSWERS) and any(word in subject for word in _words()["subjects"])


def by_layout(report: Report) -> list[Finding]:
    """Return what a text for people says about the recipients, the surest reading first."""
    text, returned = split_returned(report.text)
    headers = returned_headers(report.returned or returned)
    named = _listed(report.get("x-failed-recipients"))
    if not named and not report.status and not _tells_of_failure(report.get("subject"), text):
        return []
    if not named and (found := fields_in_text(report.text)):
        return found
    ours = _ours(report, headers)
    entries = _entries(text, _ENTRY)
    if named:
        return _about(named, text, entries, final=True)
    final = not any(word in text.lower() for word in _words()["delays"])
    for found_there in _readings(text, entries, headers):
        recipients = [a for a in found_there if a.lower() not in ours] or _only(found_there, entries)
        if recipients:
            return _about(recipients, text, entries, final=final)
    return []


def _tells_of_failure(subject: str, text: str) -> bool:
    """Return whether a robot tells of a failure, and not of maintenance or a holiday."""
    low = f"{subject}\n{text}".lower()
    return codes(text) != (None, None) or any(
        word in low for name in ("subjects", "failure", "delays") for word in _words()[name]
    )


def split_returned(text: str) -> tuple[str, str]:
    """Part a text where the returned message starts: at a line that says so, or at its headers."""
    lines = text.split("\n")
    whole = text.lower()
    markers = [marker for marker in _words()["original"] if marker in whole]
    is_empty = True
    for number, line in enumerate(lines):
        if not line or line.isspace():
            continue
        low = line[:_LINE].lower() if markers else ""
        if is_empty:
            is_empty = False
        elif any(marker in low for marker in markers) or _starts_headers(lines, number):
            return "\n".join(lines[:number]), "\n".join(lines[number:])
    return text, ""


def _starts_headers(lines: list[str], number: int) -> bool:
    """Return whether the headers of a message start at a line: one of its own, and another after it."""
    match = _HEADER.match(lines[number])
    if match is None or match[1].lower() not in _STRONG:
        return False
    following = [line for line in lines[number + 1 : number + 12] if line[:1] not in {" ", "\t"}]
    return any(_HEADER.match(line) for line in following[:3])


def _readings(text: str, entries: Mapping[str, str], headers: Mapping[str, str]) -> Iterable[list[str]]:
    """Yield the recipients as ever less sure readings give them."""
    yield list(entries)
    mentioned = list(dict.fromkeys(_ANYWHERE.findall(text)))
    returned_to = _recipients_of(headers)
    low = {address.lower() for address in returned_to}
    yield _GENERATED.findall(text)
    yield list(_entries(text, _TRANSCRIPT))
    yield [address for address in mentioned if address.lower() in low]
    yield _pointed_at(text)
    yield _TO_LINE.findall(text)
    if text.strip():
        yield returned_to if len(returned_to) == 1 else []


def _entries(text: str, pattern: re.Pattern[str]) -> dict[str, str]:
    """Return each address that starts a line, with the text up to the next one."""
    found: dict[str, list[str]] = {}
    spelled: dict[str, str] = {}
    current: list[str] = []
    for line in text.split("\n"):
        rest = line
        if match := pattern.match(line[:_LINE]):
            current = found.setdefault(spelled.setdefault(match[1].lower(), match[1]), [])
            rest = line[match.end() :].lstrip(">:\"'])")
        current.append(rest)
    return {address: "\n".join(lines).strip() for address, lines in found.items()}


def _pointed_at(text: str) -> list[str]:
    """Return the addresses before which their line says that they were not reached."""
    words = _words()
    found: dict[str, None] = {}
    for line in text.split("\n"):
        low = line[:_LINE].lower()
        start = 0
        for match in _ANYWHERE.finditer(line[:_LINE]):
            before = low[start : match.start()]
            start = match.end()
            wrong = any(word in before for word in words["about-others"])
            if not wrong and any(word in before for word in words["about-recipient"]):
                found[match[0]] = None
    return list(found)


def _about(recipients: list[str], text: str, entries: Mapping[str, str], *, final: bool) -> list[Finding]:
    """Return what a text says about each recipient: under its own entry, in its lines, or as a whole."""
    own = {address.lower(): said for address, said in entries.items()}
    lines = {} if len(recipients) == 1 else _lines(text)
    return [
        Finding(recipient=address, said=own.get(low) or (lines.get(low, "") if lines else text), final=final)
        for address, low in ((address, address.lower()) for address in recipients[:MAX_RECIPIENTS])
    ]


def told_about(recipients: list[str], text: str) -> dict[str, str]:
    """Return what a text tells of each recipient, by address in lower case: what tells of one only."""
    if len(recipients) < 2:
        return {address.lower(): text for address in recipients}
    entries = {address.lower(): said for address, said in _entries(text, _ENTRY).items()}
    lines = _lines(text)
    return {low: entries.get(low) or lines.get(low, "") for low in map(str.lower, recipients)}


def _lines(text: str) -> dict[str, str]:
    """Return the lines in which each address occurs."""
    found: dict[str, list[str]] = {}
    for line in text.split("\n"):
        for address in dict.fromkeys(a.lower() for a in _ANYWHERE.findall(line[:_LINE])):
            found.setdefault(address, []).append(line)
    return {address: "\n".join(lines) for address, lines in found.items()}


def _ours(report: Report, headers: Mapping[str, str]) -> set[str]:
    """Return the addresses that are not recipients: the sender's, and the robot's."""
    values = [report.get(name) for name in ("to", "from")]
    values += [headers.get(name, "") for name in ("from", "return-path", "reply-to", "sender")]
    own = {found.address.lower() for value in values for found in addresses(value)}
    return own | {
        found.lower()
        for found in _ANYWHERE.findall(report.text)
        if found.lower().startswith("mailer-daemon@")
    }


def _only(found: list[str], entries: Mapping[str, str]) -> list[str]:
    """Return the one entry of a message that somebody sent to themselves."""
    return found if len(found) == 1 and found == list(entries) and entries[found[0]] else []


def _recipients_of(headers: Mapping[str, str]) -> list[str]:
    """Return whom the returned message was for."""
    found = {
        a.address: None for name in _RETURNED_TO for a in addresses(headers.get(name, "")) if "@" in a.address
    }
    if not found:
        found = dict.fromkeys(_FOR.findall(headers.get("received", "")[:2000]))
    return list(found)


def _listed(value: str) -> list[str]:
    """Return the addresses of X-Failed-Recipients, each once."""
    return list(dict.fromkeys(_ANYWHERE.findall(value)))[:MAX_RECIPIENTS]


def _words() -> dict[str, tuple[str, ...]]:
    return _data.read_sections("feedback/layouts.txt")
