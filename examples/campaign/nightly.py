"""Send a newsletter to a list, over smtplib: at each provider's pace, to nobody twice, and never to the dead.

Usage: TRACKING_KEY=<64 hexadecimal digits> python examples/campaign/nightly.py NAME BASE.csv

The file has a column «email»; the name stands for this mailing, a number or a short word. Start it again
after a crash, with the same name and file, and it goes on where it was. SMTP_HOST and SMTP_PORT name the
server, localhost and 25 by default. What was sent, what bounced and the pace of each provider lie in the file
campaign.db.
"""

from __future__ import annotations

import csv
import os
import smtplib
import sys
from collections import Counter
from email import policy
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows import Flow, check_recipient
from mailflows.content import lint
from mailflows.feedback import SuppressionList, from_smtp_exception
from mailflows.limits import SQLiteStore
from mailflows.pacing import Pacer
from mailflows.recipients import Verdict
from mailflows.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SENDER = "Example shop <news@news.shop.example>"
RETURN_PATH = "bounces.news.shop.example"
PAGE = """<!doctype html><html lang="en"><title>Spring</title>
<p>Good morning, our spring catalogue is here, with forty new things for the garden and the balcony.</p>
<p><a href="https://shop.example/spring">The spring catalogue</a></p>
<p>Example shop, 1 High Street, Exampleton. <a href="{unsubscribe}">Unsubscribe</a></p></html>
"""


def rows(path: str) -> Iterator[tuple[str, str]]:
    """Give the id and the address of each line; the id stands in links instead of the address."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            yield str(number), row["email"]


def compose(tracker: Tracker, campaign: str, recipient: str, address: str) -> bytes:
    """Return the message for one recipient, with tracked links, as it goes over the wire."""
    headers = tracker.unsubscribe_headers(campaign=campaign, recipient=recipient)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, address, "Our spring catalogue"
    message["Date"], message["Message-ID"] = localtime(), make_msgid(domain="news.shop.example")
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
    if not address.isascii() or check_recipient(address, dns=False).verdict is Verdict.UNDELIVERABLE:
        return "invalid"
    return "suppressed" if suppressions.is_suppressed(address, flow=Flow.MARKETING) else ""


def send(  # noqa: PLR0913 -- the parts that a mailing is made of
    smtp: smtplib.SMTP,
    people: Iterable[tuple[str, str]],
    campaign: str,
    *,
    tracker: Tracker,
    pacer: Pacer,
    suppressions: SuppressionList,
) -> Counter[str]:
    """Write to everybody who may be written to, and count what became of it."""
    count: Counter[str] = Counter()
    for (recipient, address), slot in pacer.stream(people, resume=campaign, to=lambda row: row[1]):
        if reason := why_not(address, suppressions):
            slot.skipped()
            count[reason] += 1
            continue
        message = compose(tracker, campaign, recipient, address)
        return_path = tracker.bounce_address(RETURN_PATH, campaign=campaign, recipient=recipient)
        try:
            smtp.sendmail(return_path, [address], message)
        except smtplib.SMTPException as problem:
            slot.failed(problem)
            count["refused"] += 1
            for event in from_smtp_exception(problem, recipients=[address], flow=Flow.MARKETING):
                suppressions.apply(event)
        else:
            slot.sent()
            count["sent"] += 1
    return count


def main(campaign: str, base: str) -> None:
    """Send to a list, if the message is one that can be sent."""
    tracker = Tracker([bytes.fromhex(os.environ["TRACKING_KEY"])], "https://t.shop.example/")
    report = lint(compose(tracker, campaign, "0", "ada@example.org"), flow=Flow.MARKETING)
    if not report.ok:
        sys.exit("\n".join(str(finding) for finding in report))
    store = SQLiteStore("campaign.db")
    with smtplib.SMTP(
        os.environ.get("SMTP_HOST", "localhost"), int(os.environ.get("SMTP_PORT", "25"))
    ) as smtp:
        count = send(
            smtp,
            rows(base),
            campaign,
            tracker=tracker,
            pacer=Pacer(store),
            suppressions=SuppressionList(store),
        )
    sys.stdout.write(", ".join(f"{number} {what}" for what, number in count.items()) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
