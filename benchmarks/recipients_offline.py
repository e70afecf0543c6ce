"""How fast an address is checked offline, against email-validator in the same process.

    python benchmarks/recipients_offline.py

Both see the same list: names of people and role accounts at domains of their own, about thirty characters an
address, twelve addresses a domain. email-validator checks the syntax alone; the checker adds traits,
typing errors, the duplicate key and a full report, and starts without anything cached. Medians of
seven rounds, taken in turns.
"""

from __future__ import annotations

import random
import statistics
import time

from email_validator import validate_email
from recording import write

from mailflows.recipients import RecipientChecker

ADDRESSES, DOMAINS, ROUNDS = 24_000, 2_000, 7

ROLES = 0.08
"""Share of role accounts."""

FIRST = "jean marie paul anna sophie lukas ines mario claire thomas nathalie giulia carlos".split()
LAST = "dupont martin schneider rossi garcia silva lefebvre hoffmann moreau fernandez kowalski".split()
TRADES = "garage atelier cabinet hotel bureau agence sarl".split()


def addresses(count: int, domains: int) -> list[str]:
    """Return a list of plausible addresses, the same every time."""
    rng = random.Random(7)
    names = [
        f"{rng.choice(TRADES)}-{rng.choice(LAST)[:6]}{n}.{rng.choice(['fr', 'com', 'de', 'it', 'net'])}"
        for n in range(domains)
    ]
    return [f"{person(rng)}@{rng.choice(names)}" for _ in range(count)]


def person(rng: random.Random) -> str:
    """Return a plausible local part: mostly a name, sometimes with a number, sometimes a role."""
    if rng.random() < ROLES:
        return rng.choice(["info", "contact"])
    number = rng.choice(["", "", rng.randrange(100), rng.randrange(1950, 2005)])
    return f"{rng.choice(FIRST)}.{rng.choice(LAST)}{number}"


def seconds(function, items) -> float:  # noqa: ANN001 -- any function
    """Return how long a function takes over all items."""
    started = time.perf_counter()
    for item in items:
        function(item)
    return time.perf_counter() - started


def main() -> None:
    """Measure in turns and write the result."""
    listed = addresses(ADDRESSES, DOMAINS)
    RecipientChecker(dns=False).check(listed[0])  # the lists are read once
    some = listed[: ADDRESSES // 4]
    ours, again, theirs = [], [], []
    for _ in range(ROUNDS):
        checker = RecipientChecker(dns=False)
        ours.append(seconds(checker.check, listed) / len(listed))
        again.append(seconds(checker.check, listed) / len(listed))
        theirs.append(seconds(lambda a: validate_email(a, check_deliverability=False), some) / len(some))
    result = {
        "addresses": ADDRESSES,
        "domains": DOMAINS,
        "mean_length": statistics.mean(map(len, listed)),
        "microseconds": statistics.median(ours) * 1e6,
        "microseconds_domains_known": statistics.median(again) * 1e6,
        "microseconds_email_validator": statistics.median(theirs) * 1e6,
        "times_faster": statistics.median(t / o for t, o in zip(theirs, ours, strict=True)),
        "times_faster_domains_known": statistics.median(t / o for t, o in zip(theirs, again, strict=True)),
        "wanted": 5.0,
    }
    write("recipients_offline", result, packages=("email-validator",))


if __name__ == "__main__":
    main()
