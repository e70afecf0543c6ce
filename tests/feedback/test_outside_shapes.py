"""The outside reports, automatic answers and exceptions, which are not part of the project."""

from __future__ import annotations

import json
import smtplib
from typing import Any

from mailflows.feedback import SuppressionList, Verp, from_smtp_exception, parse_autoreply, parse_bounce
from mailflows.limits import MemoryStore
from shared_cases import cases


def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a table of the second set."""
    return [json.loads(line) for line in cases(f"feedback-2/{name}.jsonl").splitlines()]


def test_reports() -> None:
    """Each report names exactly its recipients, each with a right action."""
    for row in rows("bounces"):
        found = {
            e.recipient: str(e.action) for e in parse_bounce(cases(f"feedback-2/{row['file']}").encode())
        }
        assert set(found) == {one["recipient"] for one in row["want"]}, row["file"]
        assert all(found[one["recipient"]] in one["action"] for one in row["want"]), row["file"]


def test_automatic_answers() -> None:
    """Each automatic answer is known, and none is a bounce; a person's answer is neither."""
    for row in rows("autoreplies"):
        headers = {"From": row["sender"], "Subject": row["subject"], **row["headers"]}
        head = "".join(f"{name}: {value}\n" for name, value in headers.items())
        raw = f"{head}\n{row['body']}\n".encode()
        assert (parse_autoreply(raw) is not None, parse_bounce(raw)) == (row["auto"], ()), row["subject"]


def test_exceptions() -> None:
    """What smtplib raises suppresses only whom the reply accuses."""
    for row in rows("exceptions"):
        said = (row["code"], row["text"].encode())
        error: Exception = smtplib.SMTPDataError(*said)
        if row["error"] == "SMTPRecipientsRefused":
            error = smtplib.SMTPRecipientsRefused(dict.fromkeys(row["recipients"], said))
        suppressions = SuppressionList(MemoryStore())
        for event in from_smtp_exception(error, recipients=row["recipients"]):
            suppressions.apply(event)
        found = [name for name in row["recipients"] if suppressions.is_suppressed(name)]
        assert found == row.get("suppressed", found), row["text"]
        assert set(found) <= set(row.get("suppressed_at_most", found)), row["text"]


def test_a_complaint_with_our_token() -> None:
    """The token of the envelope sender verifies it; another key does not."""
    verp = Verp("bounces.sender.example", keys=[b"a secret of thirty-two bytes ...."])
    text = cases("feedback-2/complaint-with-token.eml")
    raw = text.replace("VERP-ADDRESS", verp.sender("7", "10017")).encode()
    (event,) = parse_bounce(raw, verp=verp)
    assert (event.verified, event.campaign, event.recipient_id) == (True, "7", "10017")
    (other,) = parse_bounce(
        raw, verp=Verp("bounces.sender.example", keys=[b"another secret, also long enough"])
    )
    assert other.verified is False
