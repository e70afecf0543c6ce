"""The limiter in memory compared with its peers: time, bytes, pauses, and who is correct.

Run it with ``pip install limits==5.8.0 pyrate-limiter==4.5.1 throttled-py==3.5.0`` beside the library.
Each peer is called in its shortest correct way; five rules are five calls of a peer, and one of
ours. Two of ours are timed: "mailflows", a whole ``Limiter.acquire`` with keys, decision and all;
and "mailflows engine", the store's decision on ready keys, which is what a peer's call does.
throttled-py keeps 1,024 keys as it comes, so that a flood frees a limited one; here its cap is
raised, and its default is judged by itself.
"""

# ruff: noqa: PLC0415 -- the peers are only here, and some of them are heavy
from __future__ import annotations

import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from recording import ROUNDS, interleaved, write

from mailflows.limits import Limit, Limiter, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

PEERS = ("limits", "pyrate-limiter", "throttled-py")
LARGE = 10**9
KEYS = 1_000_000
JUNK = {"pyrate window": 100}
"""Keys of a flood where they are fewer: each bucket of pyrate has a thread."""


def peers(limit: int) -> dict[str, Any]:
    """Return a function for each peer that takes one of *limit* per hour for a key."""
    import throttled
    from limits.storage import MemoryStorage
    from limits.strategies import (
        FixedWindowRateLimiter,
        MovingWindowRateLimiter,
        SlidingWindowCounterRateLimiter,
    )

    import limits

    item = limits.RateLimitItemPerHour(limit)
    found: dict[str, Any] = {}
    for kind in (FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter):
        strategy = kind(MemoryStorage())
        # The moving window keeps every hit of its window: where it is timed, one of a second.
        is_long = kind is MovingWindowRateLimiter and limit > 10**6
        window = limits.RateLimitItemPerSecond(10**6) if is_long else item
        found[f"limits {kind.__name__.removesuffix('RateLimiter')}"] = lambda key, s=strategy, w=window: (
            s.hit(w, key)
        )
    for using in ("fixed_window", "gcra", "token_bucket", "sliding_window"):
        one = throttled.Throttled(
            using=using,
            quota=throttled.per_hour(limit, burst=limit),
            store=throttled.MemoryStore(options={"MAX_SIZE": 4 * KEYS}),
        )
        found[f"throttled {using}"] = lambda key, t=one: not t.limit(key).limited
    return found | pyrate(limit)


def pyrate(limit: int) -> dict[str, Any]:
    """Return pyrate's limiter, which has one bucket for each key."""
    from pyrate_limiter import Duration, InMemoryBucket, Rate
    from pyrate_limiter import Limiter as PyrateLimiter

    made: dict[str, Any] = {}
    lock = threading.Lock()

    def take(key: str) -> bool:
        one = made.get(key)
        if one is None:
            with lock:
                one = made.setdefault(key, PyrateLimiter(InMemoryBucket([Rate(limit, Duration.HOUR)])))
        return bool(one.try_acquire(key, blocking=False))

    return {"pyrate window": take}


def ours(*limits: Limit) -> Callable[[str], bool]:
    """Return a function that takes one from all limits in one call."""
    acquire = Limiter(*limits).acquire
    return lambda key: bool(acquire(account=key))


def engine(*limits: Limit) -> Callable[[str], bool]:
    """Return a function that takes one from all limits by the store alone, with keys that are ready."""
    store = MemoryStore()
    meters = [meter for limit in limits for meter in limit.bound("engine").meters]
    return lambda key: store.decide([(meter, key, 1) for meter in meters]).allowed


def throttled_as_it_comes(limit: int) -> Callable[[str], bool]:
    """Return throttled-py's GCRA with the cap of its default store."""
    import throttled

    one = throttled.Throttled(
        using="gcra", quota=throttled.per_hour(limit, burst=limit), store=throttled.MemoryStore()
    )
    return lambda key: not one.limit(key).limited


def races(take: Callable[[str], bool], limit: int) -> int:
    """Return how many of eight threads' attempts are allowed on one key."""
    barrier = threading.Barrier(8)

    def several(_: int) -> int:
        barrier.wait()
        return sum(bool(take("k")) for _ in range(limit // 4))

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(several, range(8)))


def correct(make: Callable[[int], Any], *, junk: int = 5000) -> dict[str, Any]:
    """Return what a limiter did in races of eight threads, and whether a flood frees a limited key."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    found = [races(make(200), 200) for _ in range(10 * ROUNDS)]
    sys.setswitchinterval(before)
    take = make(3)
    for _ in range(3):
        take("victim")
    for number in range(junk):
        take(f"junk {number}")
    freed = bool(take("victim"))
    return {
        "least": min(found),
        "most": max(found),
        "flood_frees": freed,
        "correct": max(found) == 200 == min(found) and not freed,
    }


def sizes(limit: Limit) -> dict[str, Any]:
    """Return bytes for each key at several numbers of keys: a table that has just grown is half empty."""
    found = {keys: size(limit, keys) for keys in (100_000, 200_000, 400_000, 700_000, 1_000_000)}
    return {"bytes_per_key": found, "mean": round(sum(found.values()) / len(found), 1)}


def size(limit: Limit, keys: int) -> float:
    """Return bytes for each key, its own text aside, in a limiter with many keys."""
    names = [f"account-{number}" for number in range(keys)]
    limiter = Limiter(limit, store=MemoryStore(max_keys=4 * keys))
    each = 3 if limit.rates[0].limit == 3 else 1
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    for name in names:
        for _ in range(each):
            limiter.acquire(account=name)
    taken = tracemalloc.get_traced_memory()[0] - start
    tracemalloc.stop()
    return round(taken / keys, 1)


def worst_pause() -> float:
    """Return the longest call while a million keys come in, in milliseconds."""
    limiter = Limiter(Limit("100/hour", per="account"), store=MemoryStore(max_keys=4 * KEYS))
    worst = 0.0
    for number in range(KEYS):
        key = str(number)
        start = time.perf_counter()
        limiter.acquire(account=key)
        worst = max(worst, time.perf_counter() - start)
    return round(worst * 1000, 2)


def flood() -> dict[str, Any]:
    """Return what a flood of a million keys does to a limited one at a cap of 100,000."""
    store = MemoryStore(max_keys=100_000)
    limiter = Limiter(Limit("3/hour", per="account"), store=store)
    for _ in range(3):
        limiter.acquire(account="victim")
    for number in range(KEYS):
        limiter.acquire(account=str(number))
    return {
        "freed": bool(limiter.acquire(account="victim")),
        "shared": store.overflowed,
        "store": repr(store),
    }


def main() -> None:
    """Measure, and write the result."""
    verdicts = {
        name: correct(lambda limit, name=name: peers(limit)[name], junk=JUNK.get(name, 5000))
        for name in peers(200)
    }
    verdicts["throttled gcra as it comes"] = correct(throttled_as_it_comes)
    verdicts["mailflows"] = correct(lambda limit: ours(Limit(f"{limit}/hour", per="account", exact=True)))
    keys = [f"k{number % 50}" for number in range(1000)]
    rule = Limit(f"{LARGE}/hour", per="account")
    one = peers(LARGE) | {"mailflows": ours(rule), "mailflows engine": engine(rule)}
    single = interleaved(one, keys)
    five: dict[str, Any] = {}
    for name in peers(LARGE):
        takes = [peers(LARGE)[name] for _ in range(5)]
        five[name] = lambda key, takes=takes: all(take(key) for take in takes)
    rules = [Limit(f"{LARGE + n}/hour", per="account") for n in range(5)]
    five["mailflows"], five["mailflows engine"] = ours(*rules), engine(*rules)
    several = interleaved(five, keys)
    right = [
        name
        for name, facts in verdicts.items()
        if facts["correct"] and name in single and name != "mailflows"
    ]
    fastest = min(right, key=single.__getitem__)
    result = {
        "correctness": verdicts,
        "microseconds_1_rule": {k: round(v, 2) for k, v in single.items()},
        "microseconds_5_rules": {k: round(v, 2) for k, v in several.items()},
        "fastest_correct_peer": fastest,
        "times_faster": {
            name: {
                "1 rule": round(single[fastest] / single[name], 2),
                "5 rules": round(min(several[n] for n in right) / several[name], 2),
            }
            for name in ("mailflows", "mailflows engine")
        },
        "steady": sizes(Limit("100/hour", per="account")),
        "exact_3": sizes(Limit("3/hour", per="account")),
        "worst_pause_ms": worst_pause(),
        "flood": flood(),
    }
    write("limits_memory", result, packages=PEERS)


if __name__ == "__main__":
    main()
