"""How fast a list is checked with the DNS, against aiodns and email-validator with threads, in one run.

    python benchmarks/recipients_dns.py [--quick] [--no-threads]

100,000 addresses over 8,000 domains of a dirty base, behind a resolver on loopback that answers after
20 ms. `mailflows` is measured over the whole of `check_list`: reading, traits, typing errors, duplicates,
the domains with their mail hosts' addresses, the prediction; also with two processes. aiodns asks for MX and
falls back to A and AAAA, grouped by domain, and looks up no mail host; who uses it needs the syntax, too,
which email-validator is timed for. email-validator asks in 64 threads with one cache. Each is measured by the
clock and in processor time: on a busy machine only the latter says something.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dns_peer import domains, resolver
from email_validator import EmailNotValidError, caching_resolver, validate_email
from recipients_offline import person
from recording import write

from mailflows._dns import Resolver
from mailflows.recipients import DomainState, RecipientChecker
from mailflows.recipients._domain import ask_about

if TYPE_CHECKING:
    from collections.abc import Callable

RIGHT = {
    "mx": DomainState.OK,
    "a": DomainState.IMPLICIT,
    "aaaa": DomainState.IMPLICIT,
    "nx": DomainState.NXDOMAIN,
    "null": DomainState.NULL_MX,
    "nodata": DomainState.NO_MAIL,
    "servfail": DomainState.UNKNOWN,
    "silent": DomainState.UNKNOWN,
}


class Stopwatch:
    """Seconds by the clock and of this process, with those of its children that have ended."""

    def __init__(self) -> None:
        self._clock, self._cpu = time.perf_counter(), self._spent()

    @staticmethod
    def _spent() -> float:
        return sum(os.times()[:4])

    def read(self) -> dict[str, float]:
        """Return what has passed."""
        return {"seconds": time.perf_counter() - self._clock, "cpu_seconds": self._spent() - self._cpu}


def ours(addresses: list[str], port: int, named: dict[str, str], n_jobs: int = 1) -> dict[str, float]:
    """Check the list; return seconds and the share of domains that are right."""
    checker = RecipientChecker(resolver=Resolver(["127.0.0.1"], port=port))
    watch = Stopwatch()
    report = checker.check_list(addresses, progress=False, n_jobs=n_jobs)
    spent = watch.read()
    seen = {r.domain: r.domain_state for _, r, _ in report.reports()}
    right = sum(seen.get(name) is RIGHT[kind] for name, kind in named.items())
    return spent | {"right": right / len(named)}


def by_aiodns(addresses: list[str], port: int, concurrency: int) -> dict[str, float]:
    """Do with aiodns what a user would write."""
    import aiodns  # noqa: PLC0415 -- optional

    async def run() -> int:
        asker = aiodns.DNSResolver(
            nameservers=["127.0.0.1"], udp_port=port, tcp_port=port, timeout=2, tries=2
        )
        slots = asyncio.Semaphore(concurrency)

        async def one(name: str) -> bool:
            async with slots:
                for kind in ("MX", "A", "AAAA"):
                    try:
                        await asker.query_dns(name, kind)
                    except aiodns.error.DNSError as error:
                        if error.args[0] != aiodns.error.ARES_ENODATA:
                            return False
                    else:
                        return True
            return False

        found = await asyncio.gather(*map(one, {a.partition("@")[2] for a in addresses}))
        await asker.close()
        return sum(found)

    watch = Stopwatch()
    asyncio.run(run())
    return watch.read()


def domains_only(port: int, named: dict[str, str]) -> dict[str, float]:
    """Ask for the domains alone, with their mail hosts, as aiodns is measured."""
    asker = Resolver(["127.0.0.1"], port=port)
    watch = Stopwatch()
    for _ in asker.run(map(ask_about, named)):
        pass
    return watch.read()


def syntax(addresses: list[str]) -> dict[str, float]:
    """Return how long email-validator takes for the syntax of the list: who uses aiodns needs it, too."""
    watch = Stopwatch()
    for address in addresses:
        validate_email(address, check_deliverability=False)
    return watch.read()


def by_threads(addresses: list[str], port: int) -> dict[str, float]:
    """Check with email-validator in 64 threads and one cache."""
    asker = caching_resolver(timeout=2)
    asker.nameservers, asker.port = ["127.0.0.1"], port

    def one(address: str) -> bool:
        try:
            validate_email(address, dns_resolver=asker)
        except EmailNotValidError:
            return False
        return True

    watch = Stopwatch()
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(one, addresses))
    return watch.read()


def overrun(named: dict[str, str], limit: float) -> dict[str, float]:
    """Ask good domains behind a resolver that drops what exceeds *limit* questions a second."""
    hosts = 0
    with resolver(named, limit=limit) as port:
        asker = Resolver(["127.0.0.1"], port=port)
        checker = RecipientChecker(resolver=asker)
        started = time.perf_counter()
        report = checker.check_list([f"ada@{name}" for name in named], progress=False)
        seconds = time.perf_counter() - started
    hosts = len(asker.cache)
    return {
        "domains": len(named),
        "answers_needed": hosts,
        "seconds": seconds,
        "ideal_seconds": hosts / limit,
        "ratio_to_ideal": seconds / (hosts / limit),
        "unknown": report.states[DomainState.UNKNOWN],
        "wanted": "no unknown, ratio at most 1.5",
    }


Row = dict[str, dict[str, float]]
RATIOS: dict[str, Callable[[Row, str], float]] = {
    "list_over_aiodns_and_syntax": lambda row, unit: (
        (row["aiodns"][unit] + row["email_validator_syntax"][unit]) / row["mailflows"][unit]
    ),
    "list_over_aiodns_alone": lambda row, unit: row["aiodns"][unit] / row["mailflows"][unit],
    "domains_over_aiodns_alone": lambda row, unit: row["aiodns"][unit] / row["mailflows_domains_only"][unit],
    "list_over_threads": lambda row, unit: row["email_validator_64_threads"][unit] / row["mailflows"][unit],
    "list_in_two_processes_over_threads": lambda row, unit: (
        row["email_validator_64_threads"][unit] / row["mailflows_two_processes"][unit]
    ),
}


def main() -> None:
    """Measure everything in one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the list, one round")
    parser.add_argument(
        "--no-threads", action="store_true", help="leave email-validator out: it takes a minute"
    )
    options = parser.parse_args()
    scale, rounds = (10, 1) if options.quick else (1, 3)
    named = domains(8000 // scale)
    rng = random.Random(8)
    names = list(named)
    addresses = [f"{person(rng)}@{rng.choice(names)}" for _ in range(100_000 // scale)]
    named = {name: named[name] for name in {a.partition("@")[2] for a in addresses}}
    result: dict[str, object] = {"addresses": len(addresses), "domains": len(named), "latency_ms": 20}
    result["wanted"] = {"list_over_aiodns_and_syntax": 0.9, "list_over_threads": 15}
    with resolver(named) as port:
        ours(addresses[:1000], port, named, n_jobs=2)  # the processes stay
        rows: list[dict[str, dict[str, float]]] = []
        for _ in range(rounds):
            row = {
                "mailflows": ours(addresses, port, named),
                "mailflows_two_processes": ours(addresses, port, named, n_jobs=2),
                "mailflows_domains_only": domains_only(port, named),
                "email_validator_syntax": syntax(addresses),
            }
            both = [by_aiodns(addresses, port, n) for n in (200, 500)]
            row["aiodns"] = min(both, key=lambda r: r["seconds"])
            if not options.no_threads:
                row["email_validator_64_threads"] = by_threads(addresses, port)
            rows.append(row)
    result |= {name: min((row[name] for row in rows), key=lambda r: r["seconds"]) for name in rows[0]}
    for unit in ("seconds", "cpu_seconds"):
        result[f"ratios_of_{unit}"] = {
            name: round(statistics.median(ratio(row, unit) for row in rows), 2)
            for name, ratio in RATIOS.items()
            if "threads" not in name or not options.no_threads
        }
    result["behind_500_a_second"] = overrun(domains(4000 // scale, clean=True), 500)
    write(
        "recipients_dns" + ("_quick" if options.quick else ""),
        result,
        packages=("aiodns", "email-validator", "dnspython"),
    )


if __name__ == "__main__":
    main()
