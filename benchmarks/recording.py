"""What the timing scripts share: interleaved rounds, and results with machine, date and versions."""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
ROUNDS = 9


def messages(*folders: str) -> list[bytes]:
    """Return the raw messages of folders of the project."""
    return [path.read_bytes() for folder in folders for path in sorted((ROOT / folder).rglob("*.eml"))]


def interleaved(
    candidates: dict[str, Callable[[Any], object]], inputs: Sequence[Any], *, rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the median time of each candidate per input, in microseconds.

    Every round runs all candidates one after the other, in another order each time, so that a slow
    moment of the machine strikes all alike.
    """
    chance = random.Random(1)
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for run in candidates.values():  # once for caches and lazy imports
        _elapsed(run, inputs)
    for _ in range(rounds):
        for name in chance.sample(list(candidates), len(candidates)):
            times[name].append(_elapsed(candidates[name], inputs))
    return {name: statistics.median(found) / len(inputs) * 1e6 for name, found in times.items()}


def _elapsed(run: Callable[[Any], object], inputs: Iterable[Any]) -> float:
    """Return the seconds that one walk over the inputs takes."""
    start = time.perf_counter()
    for item in inputs:
        run(item)
    return time.perf_counter() - start


def table(medians: dict[str, float], *, reference: str) -> dict[str, dict[str, float]]:
    """Return microseconds and the ratio to the reference, for each candidate."""
    return {
        name: {"microseconds": round(value, 1), "ratio": round(value / medians[reference], 3)}
        for name, value in medians.items()
    }


def installed(*packages: str) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def write(name: str, result: dict[str, Any], *, packages: Sequence[str] = ()) -> None:
    """Write a result as JSON, with what it was measured on."""
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": installed("mailflows", *packages),
        "rounds": ROUNDS,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(facts | result, indent=1) + "\n", "utf-8")
    json.dump(result, sys.stdout, indent=1)
    print()
