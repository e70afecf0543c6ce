"""The limiter in one SQLite file: decisions in a second by 1, 2, 4 and 8 processes, and their exactness."""

from __future__ import annotations

import statistics
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from recording import write

from mailflows.limits import Limit, Limiter, SQLiteStore

SECONDS = 1.5
RUNS = 3
EXACT = 1000


def work(path: str, barrier: Any, number: int, results: Any) -> None:  # noqa: ANN401 -- of a context
    """Decide as often as time allows, then race for a limit that is smaller than the attempts."""
    store = SQLiteStore(path, timeout=30.0)
    limiter = Limiter(Limit("1000000000/hour", per="account"), store=store, on_error="deny")
    tight = Limiter(Limit(f"{EXACT}/day", per="form", exact=True), store=store, on_error="deny")
    limiter.acquire(account="warm")
    barrier.wait()
    times = []
    start = now = time.perf_counter()
    while now < start + SECONDS:
        limiter.acquire(account=f"{number} {len(times) % 1000}")
        then, now = now, time.perf_counter()
        times.append(now - then)
    barrier.wait()
    allowed = sum(bool(tight.acquire(form="contact")) for _ in range(EXACT // 4))
    results.put((len(times) / (now - start), times, allowed))


def run(processes: int) -> dict[str, Any]:
    """Return rate, 99th percentile in milliseconds and admissions of so many processes."""
    context = get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        barrier, results = context.Barrier(processes), context.Queue()
        path = str(Path(folder) / "limits.db")
        workers = [
            context.Process(target=work, args=(path, barrier, number, results)) for number in range(processes)
        ]
        for worker in workers:
            worker.start()
        found = [results.get() for _ in workers]
        for worker in workers:
            worker.join()
    times = sorted(each for _, some, _ in found for each in some)
    allowed = sum(each for *_, each in found)
    return {
        "per_second": round(sum(rate for rate, *_ in found)),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 2),
        "worst_ms": round(times[-1] * 1000, 1),
        "exact": allowed == min(EXACT, processes * (EXACT // 4)),
    }


def main() -> None:
    """Measure, and write the result: the run of the median rate for each number of processes."""
    found = {}
    for processes in (1, 2, 4, 8):
        runs = [run(processes) for _ in range(RUNS)]
        middle = statistics.median_low(each["per_second"] for each in runs)
        (found[str(processes)],) = [each for each in runs if each["per_second"] == middle][:1]
        found[str(processes)]["exact"] = all(each["exact"] for each in runs)
    write("limits_sqlite", {"processes": found, "runs": RUNS})


if __name__ == "__main__":
    main()
