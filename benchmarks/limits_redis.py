"""The limiter in Redis compared with its peers, on loopback: five rules, and the commands that they take.

Run it with ``pip install limits==5.8.0 throttled-py==3.5.0`` beside the library, and a redis-server.
"""

# ruff: noqa: PLC0415 -- the peers are only here, and some of them are heavy
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from recording import interleaved, write

from mailflows.limits import Limit, Limiter, RedisStore

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
from redis_server import RedisServer, binary

LARGE = 10**9
RULES = [LARGE + number for number in range(5)]


def peers(port: int) -> dict[str, Any]:
    """Return a function for each peer that takes one for a key from five rules, in five calls."""
    import throttled
    from limits.storage import RedisStorage
    from limits.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

    import limits

    url = f"redis://127.0.0.1:{port}"
    items = [limits.RateLimitItemPerHour(rule) for rule in RULES]
    found: dict[str, Any] = {}
    for kind in (FixedWindowRateLimiter, SlidingWindowCounterRateLimiter):
        strategy = kind(RedisStorage(url))
        found[f"limits {kind.__name__.removesuffix('RateLimiter')}"] = lambda key, s=strategy: [
            s.hit(item, key) for item in items
        ]
    for using in ("fixed_window", "gcra", "token_bucket"):
        store = throttled.RedisStore(server=f"{url}/0")
        each = [
            throttled.Throttled(using=using, quota=throttled.per_hour(rule, burst=rule), store=store)
            for rule in RULES
        ]
        found[f"throttled {using}"] = lambda key, each=each: [
            one.limit(f"{place}:{key}") for place, one in enumerate(each)
        ]
    return found


def commands(server: RedisServer, limiter: Limiter) -> list[str]:
    """Return what the server was sent by one decision, shown by MONITOR; a script's own are left out."""
    with server.client() as watcher, watcher.monitor() as monitor:
        limiter.acquire(account="ada")
        with server.client() as other:
            other.echo("end")
        found = []
        for entry in monitor.listen():
            if entry["command"].startswith("ECHO"):
                return [name for name in found if name not in {"CLIENT", "HELLO"}]
            if entry["client_type"] != "lua":
                found.append(entry["command"].split()[0])
    return found


def main() -> None:
    """Measure, and write the result."""
    with RedisServer(str(binary())) as server:
        store = RedisStore(server.client(), timeout=5.0)
        limiter = Limiter(*(Limit(f"{rule}/hour", per="account") for rule in RULES), store=store)
        limiter.acquire(account="warm")
        everybody = peers(server.port) | {"mailflows": lambda key: limiter.acquire(account=key)}
        times = interleaved(everybody, [f"k{number % 50}" for number in range(200)])
        best = min((name for name in times if name != "mailflows"), key=times.__getitem__)
        result = {
            "microseconds_5_rules": {name: round(value, 1) for name, value in times.items()},
            "fastest_peer": best,
            "times_faster": round(times[best] / times["mailflows"], 2),
            "commands": commands(server, limiter),
        }
    write("limits_redis", result, packages=("limits", "throttled-py", "redis"))


if __name__ == "__main__":
    main()
