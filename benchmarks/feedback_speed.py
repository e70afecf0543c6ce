"""How many bounces are read in a second on one core, and how long one of 30 MB takes.

Usage: python benchmarks/feedback_speed.py [FOLDER...]

Without folders of ``*.eml`` files the reports of the project's own tests are read.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tomllib
from pathlib import Path

from recording import ROOT, ROUNDS, interleaved, write

from mailflows.feedback import PROVIDERS, from_reply, from_webhook, parse_bounce
from mailflows.feedback._webhook_table import provider_row

HEAD = (
    b"From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail\nMIME-Version: 1.0\n"
    b'Content-Type: multipart/report; boundary="b"\n\n--b\n\nSorry.\n--b\n'
    b"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; ada@one.example\nAction: failed\n"
    b"Status: 5.1.1\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <1@sender.example>\n\n"
)
LINE = b"All work and no play makes Jack a dull boy.\n"
HUGE = HEAD + LINE * (30 * 1024 * 1024 // len(LINE)) + b"--b--\n"


def own_reports() -> list[bytes]:
    """Return the reports of the tests."""
    text = (ROOT / "tests" / "feedback" / "layouts.toml").read_text("utf-8")
    return [
        f"From: {r['from']}\nSubject: {r['subject']}\n{r.get('more', '')}\n{r['text']}".encode()
        for r in tomllib.loads(text)["report"]
    ]


def webhooks() -> list[tuple[str, str]]:
    """Return what each provider posts about many recipients, each with a reply of its own."""
    samples = [(name, provider_row(name).sample) for name in PROVIDERS]
    return [
        (name, sample.replace("ada@", f"user{number}@").replace("unknown user", f"unknown user {number}"))
        for number in range(20)
        for name, sample in samples
    ]


def seconds(raw: bytes) -> float:
    """Return the median time that one report takes."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        parse_bounce(raw)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    """Measure, and write what came out; status 1 below 500 a second."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folders", nargs="*", type=Path)
    folders = parser.parse_args().folders
    given = [path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.eml"))]
    reports = given or own_reports()
    rate = 1e6 / interleaved({"parse_bounce": parse_bounce}, reports)["parse_bounce"]
    reply = interleaved({"from_reply": lambda text: from_reply(550, text)}, ["5.1.1 User unknown"] * 200)
    webhook = interleaved({"from_webhook": lambda hook: from_webhook(*hook)}, webhooks())
    result = {
        "reports": len(reports),
        "bounces_per_second": round(rate),
        "wanted_per_second": 500,
        "thirty_megabytes_seconds": round(seconds(HUGE), 3),
        "replies_per_second": round(1e6 / reply["from_reply"]),
        "webhook_events_per_second": round(1e6 / webhook["from_webhook"]),
        "webhook_events_wanted_per_second": 4000,
    }
    write("feedback_speed", result)
    print(result)
    return 0 if rate >= 500 else 1


if __name__ == "__main__":
    sys.exit(main())
