"""Measure what the default policy of `SenderControl` means for honest senders and for others.

Usage: python benchmarks/sender_control.py

Simulated, with seeds: 10,000 honest senders of whose recipients 2 % are invalid; 5,000 who mail a bad list;
and accounts with a month of history, some of which somebody else takes over. Writes
results/sender_control.json.
"""

from __future__ import annotations

import random
import statistics

from recording import write

from mailflows.senders import SenderPolicy
from mailflows.senders._record import DAY, SenderRecord
from mailflows.senders._rules import block_for, judge

POLICY = SenderPolicy()
START = 1_767_225_600.0  # 1 January 2026


def first_block(chance: random.Random, share: float, recipients: int) -> int | None:
    """Return after how many recipients a sender with this share of invalid ones is stopped."""
    record, good = SenderRecord(), 0
    for number in range(1, recipients + 1):
        if chance.random() >= share:
            good += 1  # nobody is stopped for a valid recipient: judged with the next invalid one
            continue
        record = record.with_outcomes(valid=good, invalid=1, now=START)
        good = 0
        if block_for(judge(record, POLICY), record, POLICY, START) is not None:
            return number
    return None


def invalid_recipients() -> dict[str, object]:
    """Simulate honest senders, and those with bad lists."""
    chance = random.Random(2026)
    false = sum(first_block(chance, 0.02, 1000) is not None for _ in range(10_000))
    honest = {"senders": 10_000, "recipients": 1000, "share": 0.02, "blocked": false}
    found: dict[str, object] = {"honest": honest}
    for share in (0.1, 0.2, 0.3):
        stops = [first_block(chance, share, 2000) for _ in range(5000)]
        numbers = sorted(2001 if stop is None else stop for stop in stops)
        found[f"share_{share:g}"] = {
            "senders": len(numbers),
            "median": statistics.median(numbers),
            "p90": numbers[int(len(numbers) * 0.9)],
            "within_50": sum(number <= 50 for number in numbers) / len(numbers),
        }
    return found


def month(chance: random.Random, account: int) -> tuple[SenderRecord, float, bool]:
    """Return the record of an account after a month of ordinary days, and whether it was stopped in it."""
    record = SenderRecord()
    friends = [f"{account}-{n}" for n in range(chance.randint(20, 200))]
    stopped = False
    for day in range(30):
        if day % 7 in {5, 6}:
            continue
        mails = chance.randint(2, 25)
        if chance.random() < 0.02:  # a greeting to everybody
            mails = len(friends)
        hours = sorted(chance.choice(range(8, 19)) for _ in range(mails))
        for number, hour in enumerate(hours):
            now = START + day * DAY + hour * 3600 + number
            is_new = chance.random() < 0.1
            to = f"{account}-new-{day}-{number}" if is_new else chance.choice(friends)
            network = chance.choice(("office", "home", "phone", f"train-{chance.randint(1, 30)}"))
            record = record.with_attempt([to], network, now)
            if block_for(judge(record, POLICY), record, POLICY, now) is not None:
                stopped = True
    return record, START + 30 * DAY + 3 * 3600, stopped


def stolen_accounts() -> dict[str, object]:
    """Simulate a month of ordinary accounts, and then somebody else's mail to strangers from many places."""
    chance = random.Random(2027)
    alarms, needed = 0, []
    for account in range(1000):
        record, now, stopped = month(chance, account)
        alarms += stopped
        for number in range(1, 201):
            stranger, host = f"{account}-stranger-{number}", f"host-{chance.randint(1, 40)}"
            record = record.with_attempt([stranger], host, now + number)
            if block_for(judge(record, POLICY), record, POLICY, now + number) is not None:
                needed.append(number)
                break
        else:
            needed.append(201)
    needed.sort()
    return {
        "accounts": 1000,
        "false_alarms_in_a_month": alarms,
        "found_after_median": statistics.median(needed),
        "found_after_p99": needed[int(len(needed) * 0.99)],
        "within_30": sum(number <= 30 for number in needed) / len(needed),
    }


if __name__ == "__main__":
    write("sender_control", {"invalid": invalid_recipients(), "stolen": stolen_accounts()})
