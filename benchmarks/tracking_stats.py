"""How fast a stream of events is counted, and how much memory it takes.

    python benchmarks/tracking_stats.py [EVENTS...]

One, three and ten million events by default, of three million recipients in random order, the worst that can
come: each run is a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from recording import write

from mailflows.feedback import Event, EventType
from mailflows.tracking import CampaignStats

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENT = datetime(2026, 11, 24, 8, tzinfo=UTC)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
RECIPIENTS = 3_000_000
# One of five is a click, one an opening; the rest is what relays tell.
KINDS = (EventType.SENT, EventType.DELIVERED, EventType.OPENED, EventType.DELIVERED, EventType.CLICKED)


def stream(count: int) -> Iterator[Event]:
    """Yield events as no log has them: each of anybody."""
    dice = random.Random(count)
    for number in range(count):
        kind, who = KINDS[number % 5], dice.randrange(RECIPIENTS)
        yield Event(
            kind,
            f"u{who}@example.org" if kind is EventType.SENT else None,
            recipient_id=str(who),
            campaign="spring",
            time=MOMENT + timedelta(seconds=number % 100_000),
            url="https://shop.example/" if kind is EventType.CLICKED else None,
            user_agent=AGENT if kind in {EventType.OPENED, EventType.CLICKED} else "",
        )


def run(count: int) -> dict[str, int]:
    """Count, and return what it took of one core; making the events is measured apart and not counted."""
    start = time.process_time()
    for _ in stream(count):
        pass
    made = time.process_time()
    stats = CampaignStats.from_events(stream(count), campaign="spring")
    seconds = time.process_time() - made - (made - start)
    return {
        "events": count,
        "recipients": stats.rate("delivered").of,
        "events_per_second": round(count / seconds),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Measure each number of events in a process, or write what the one of this process took."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(run(int(sys.argv[2]))))
        return
    counts = sys.argv[1:] or ["1000000", "3000000", "10000000"]
    runs = []
    for number in counts:
        command = [sys.executable, __file__, "--one", number]
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 -- itself
        runs.append(json.loads(done.stdout))
    write("tracking_stats", {"runs": runs})


if __name__ == "__main__":
    main()
