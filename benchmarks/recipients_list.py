"""How fast a list is checked offline, against email-validator in the same process, and in what memory.

    python benchmarks/recipients_list.py [rows]

The list is made up while it is read, so that the memory is the checker's. email-validator checks the
syntax of a part of the same rows, before and after, one by one; `check_list` reads, spools, finds
duplicates and patterns, judges and predicts. Memory is what the process holds at most beyond what it held
before.
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
    started = time.perf_counter()
    for row in part:
        validate_email(row, check_deliverability=False)
    return (time.perf_counter() - started) / len(part)


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
    started = time.perf_counter()
    report = check_list(rows(count), dns=False)
    ours = (time.perf_counter() - started) / count
    most = megabytes()
    after = theirs(part)
    other = (before + after) / 2
    result = {
        "rows": count,
        "domains": report.domains,
        "microseconds": round(ours * 1e6, 1),
        "microseconds_email_validator": round(other * 1e6, 1),
        "ratio": round(ours / other, 2),
        "wanted_ratio": 1.0,
        "megabytes": round(most - held, 1),
        "wanted_megabytes": 100,
    }
    write("recipients_list", result, packages=("email-validator",))


if __name__ == "__main__":
    main()
