"""Send a newsletter to a list, over smtplib: at each provider's pace, and to nobody twice.

Usage: TRACKING_KEY=<64 hexadecimal digits> python examples/campaign/nightly.py NAME BASE.csv

The file has a column "email"; the name identifies this mailing, a number or a short word. Start it again
after a crash, or if it says that some are open, with the same name and file: it continues where it stopped.
What a relay deferred (421, 4xx, a lost connection) stays open and gets its next turn in the next run, up to
ten. SMTP_HOST and SMTP_PORT name the server, localhost and 25 by default. What was sent, what bounced
and the pace of each provider are in the file campaign.db, what is open in campaign-open.db.
"""

from __future__ import annotations

import csv
import os
import smtplib
import sqlite3
import sys
from collections import Counter
from email import policy
from email.message import EmailMessage
from email.utils import localtime
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows import Flow, check_recipient
from mailflows.content import lint
from mailflows.feedback import SuppressionList, from_smtp_exception
from mailflows.limits import SQLiteStore
from mailflows.pacing import Pacer
from mailflows.recipients import Deliverability
from mailflows.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailflows.pacing import Slot

SENDER = "Example shop <news@news.shop.example>"
RETURN_PATH = "bounces.news.shop.example"
PAGE = """<!doctype html><html lang="en"><title>Spring</title>
<p>Good morning, our spring catalogue is here, with forty new things for the garden and the balcony.</p>
<p><a href="https://shop.example/spring">The spring catalogue</a></p>
<p>Example shop, 1 High Street, Exampleton. <a href="{unsubscribe}">Unsubscribe</a></p></html>
"""


def rows(path: str) -> Iterator[tuple[str, str]]:
    """Yield the ID and the address of each line; links contain the ID instead of the address."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            yield str(number), row["email"]


def compose(tracker: Tracker, campaign: str, recipient: str, address: str) -> bytes:
    """Return the message for one recipient, with tracked links, as it goes over the wire."""
    headers = tracker.unsubscribe_headers(campaign=campaign, recipient=recipient)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, address, "Our spring catalogue"
    message["Date"] = localtime()
    # The same at every attempt: where an answer was lost, the receiver can tell that it has it already.
    message["Message-ID"] = f"<{campaign}.{recipient}@news.shop.example>"
    message["List-Id"] = "<catalogue.news.shop.example>"
    for name, value in headers.items():
        message[name] = value
    unsubscribe = headers["List-Unsubscribe"].strip("<>")
    message.set_content(f"Our spring catalogue: https://shop.example/spring\n\nUnsubscribe: {unsubscribe}\n")
    message.add_alternative(PAGE.format(unsubscribe=unsubscribe), subtype="html")
    # With the line ends of SMTP from the beginning: what is rewritten and signed is then what is sent.
    return tracker.rewrite(message.as_bytes(policy=policy.SMTP), campaign=campaign, recipient=recipient)


def why_not(address: str, suppressions: SuppressionList) -> str:
    """Return in a word why nothing is sent to an address, or an empty string."""
    # An address beyond ASCII needs SMTPUTF8 (RFC 6531), which is left out here.
    if not address.isascii() or check_recipient(address, dns=False).verdict is Deliverability.UNDELIVERABLE:
        return "invalid"
    return "suppressed" if suppressions.is_suppressed(address, flow=Flow.MARKETING) else ""


class Relay:
    """A relay that may close the session whenever it likes (RFC 5321 section 3.8)."""

    def __init__(self, host: str, port: int, *, most: int = 100) -> None:
        self._at = host, port
        self._most = most  # messages of a session: many relays close after some hundred
        self._smtp: smtplib.SMTP | None = None
        self._sent = 0

    def send(self, sender: str, address: str, message: bytes) -> None:
        """Send a message; on a new connection if the relay ends the session with 421."""
        try:
            self._session().sendmail(sender, [address], message)
        except (smtplib.SMTPException, OSError) as problem:
            if reply_of(problem)[0] != 421:
                raise
            self.close()
            self._session().sendmail(sender, [address], message)
        self._sent += 1

    def close(self) -> None:
        """End the session."""
        smtp, self._smtp, self._sent = self._smtp, None, 0
        if smtp is not None:
            try:
                smtp.quit()
            except (smtplib.SMTPException, OSError):
                smtp.close()

    def _session(self) -> smtplib.SMTP:
        if self._smtp is None or self._smtp.sock is None or self._sent >= self._most:
            self.close()
            self._smtp = smtplib.SMTP(*self._at, timeout=600)
        return self._smtp


class Open:
    """Recipients who get another turn, on disk."""

    def __init__(self, path: str, *, most: int = 10) -> None:
        self._most = most
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS open"
            " (campaign, recipient, address, tries, PRIMARY KEY (campaign, recipient))"
        )

    def add(self, campaign: str, recipient: str, address: str) -> bool:
        """Keep somebody for the next run; say whether there is one for them."""
        row = self._db.execute(
            "INSERT INTO open VALUES (?, ?, ?, 1)"
            " ON CONFLICT DO UPDATE SET tries = tries + 1 RETURNING tries",
            (campaign, recipient, address),
        ).fetchone()
        if row[0] >= self._most:
            self.done(campaign, recipient)
        return bool(row[0] < self._most)

    def done(self, campaign: str, recipient: str) -> None:
        """Forget a recipient whose outcome is known."""
        self._db.execute("DELETE FROM open WHERE campaign = ? AND recipient = ?", (campaign, recipient))

    def of(self, campaign: str) -> list[tuple[str, str]]:
        """Return ID and address of every open recipient."""
        query = "SELECT recipient, address FROM open WHERE campaign = ? ORDER BY rowid"
        return [(str(a), str(b)) for a, b in self._db.execute(query, (campaign,))]

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def reply_of(problem: Exception) -> tuple[int, str | bytes]:
    """Return the reply that an exception of smtplib holds; 0 for a connection that broke."""
    if isinstance(problem, smtplib.SMTPRecipientsRefused):
        return next(iter(problem.recipients.values()))
    return getattr(problem, "smtp_code", 0), getattr(problem, "smtp_error", b"")


def send(  # noqa: PLR0913 -- the parts that a mailing is made of
    relay: Relay,
    people: Iterable[tuple[str, str]],
    campaign: str,
    *,
    tracker: Tracker,
    pacer: Pacer,
    suppressions: SuppressionList,
    later: Open,
) -> Counter[str]:
    """Send to everybody who may be mailed, and count the outcomes."""
    count: Counter[str] = Counter()
    for recipient, address, slot in turns(people, campaign, pacer, later):
        if reason := why_not(address, suppressions):
            later.done(campaign, recipient)
            slot.skipped()
            count[reason] += 1
            continue
        message = compose(tracker, campaign, recipient, address)
        return_path = tracker.bounce_address(RETURN_PATH, campaign=campaign, recipient=recipient)
        try:
            relay.send(return_path, address, message)
        except (smtplib.SMTPException, OSError) as problem:
            is_open = reply_of(problem)[0] < 500
            what = "refused"
            if is_open:  # noted before the turn is over
                what = "open" if later.add(campaign, recipient, address) else "given up"
            else:
                later.done(campaign, recipient)
            count[what] += 1
            for event in from_smtp_exception(problem, recipients=[address], flow=Flow.MARKETING):
                suppressions.apply(event)
            slot.failed(problem)
        else:
            later.done(campaign, recipient)
            slot.sent()
            count["sent"] += 1
    return count


def turns(
    people: Iterable[tuple[str, str]], campaign: str, pacer: Pacer, later: Open
) -> Iterator[tuple[str, str, Slot]]:
    """Give those who are open from earlier runs their turns, then everybody else."""
    waiting = later.of(campaign)
    known = {recipient for recipient, _ in waiting}
    for (recipient, address), slot in pacer.stream(waiting, to=lambda row: row[1]):
        yield recipient, address, slot
    for (recipient, address), slot in pacer.stream(people, resume=campaign, to=lambda row: row[1]):
        if recipient in known:  # had its turn above: the last run stopped between two notes
            slot.skipped()
        else:
            yield recipient, address, slot


def main(campaign: str, base: str) -> None:
    """Send to a list, if the message is one that can be sent."""
    tracker = Tracker([bytes.fromhex(os.environ["TRACKING_KEY"])], "https://t.shop.example/")
    report = lint(compose(tracker, campaign, "0", "ada@example.org"), flow=Flow.MARKETING)
    if not report.ok:
        sys.exit("\n".join(str(finding) for finding in report))
    store = SQLiteStore("campaign.db")
    relay = Relay(os.environ.get("SMTP_HOST", "localhost"), int(os.environ.get("SMTP_PORT", "25")))
    later = Open("campaign-open.db")
    try:
        count = send(
            relay,
            rows(base),
            campaign,
            tracker=tracker,
            pacer=Pacer(store),
            suppressions=SuppressionList(store),
            later=later,
        )
    finally:
        relay.close()
        later.close()
    said = ", ".join(f"{number} {what}" for what, number in count.items()) or "nothing left to send"
    sys.stdout.write(said + ("; start it again later\n" if count["open"] else "\n"))


if __name__ == "__main__":
    main(*sys.argv[1:])
