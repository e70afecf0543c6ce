"""How fast a million rows are checked offline, against email-validator in the same process; memory, too.

    python benchmarks/recipients_list.py [rows]

The list is made up while it is read, so that the memory is the checker's. email-validator checks the
syntax of a part of the same rows, before and after, one by one; `check_list` reads, spools, finds
duplicates and patterns, judges and predicts. Times are processor time. A quarter of the list goes first: the
growth is what a row of the whole costs for each that a row of the quarter does, 1 where the time is linear.
Memory is what the process holds at most beyond what it held before.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from typing import TYPE_CHECKING

from email_validator import validate_email
from recipients_offline import addresses
from recording import write

from mailflows.recipients import check_list

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 1_000_000
PART = 10_000
PER_DOMAIN = 12


def rows(count: int) -> Iterator[str]:
    """Make up a list, a part at a time."""
    rng = random.Random(7)
    some = addresses(PART, PART // PER_DOMAIN)
    for number in range(count):
        local, _, domain = some[number % PART].partition("@")
        yield f"{local}.{rng.choice('abcdefgh')}{number % 90}@{number // PART % 100}{domain}"


def theirs(part: list[str]) -> float:
    """Return the seconds a row takes email-validator."""
    started = time.process_time()
    for row in part:
        validate_email(row, check_deliverability=False)
    return (time.process_time() - started) / len(part)


def ours(count: int) -> tuple[float, int]:
    """Return the seconds a row takes `check_list`, and how many domains it saw."""
    started = time.process_time()
    report = check_list(rows(count), dns=False)
    return (time.process_time() - started) / count, report.domains


def megabytes() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure in turns and write the result."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    part = list(rows(PART))
    check_list(part, dns=False)  # what is read once
    before = theirs(part)
    held = megabytes()
    quarter, _ = ours(count // 4)
    whole, domains = ours(count)
    most = megabytes()
    after = theirs(part)
    other = (before + after) / 2
    result = {
        "rows": count,
        "domains": domains,
        "microseconds": round(whole * 1e6, 1),
        "microseconds_of_a_quarter": round(quarter * 1e6, 1),
        "growth": round(whole / quarter, 2),
        "microseconds_email_validator": round(other * 1e6, 1),
        "ratio": round(whole / other, 2),
        "wanted_ratio": 1.0,
        "megabytes": round(most - held, 1),
        "wanted_megabytes": 100,
    }
    write("recipients_list", result, packages=("email-validator",))


if __name__ == "__main__":
    main()
