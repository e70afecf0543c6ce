"""How fast a stream of events is counted, and how much memory it takes.

    python benchmarks/tracking_stats.py [EVENTS]

Ten million events by default, from a generator, of a recipient for each ten events.
"""

from __future__ import annotations

import resource
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
# One of a hundred fetches a link, three open; the rest is what relays tell.
KINDS = (EventType.SENT, EventType.DELIVERED, EventType.OPENED, EventType.DELIVERED, EventType.CLICKED)


def stream(count: int) -> Iterator[Event]:
    """Yield events as a log has them."""
    for number in range(count):
        kind = KINDS[number % 5]
        yield Event(
            kind,
            f"u{number // 10}@example.org" if kind is EventType.SENT else None,
            recipient_id=str(number // 10),
            campaign="spring",
            time=MOMENT + timedelta(seconds=number % 100_000),
            url="https://shop.example/" if kind is EventType.CLICKED else None,
            user_agent=AGENT if kind in {EventType.OPENED, EventType.CLICKED} else "",
        )


def main() -> None:
    """Count, and write what it took of one core; making the events is measured apart and not counted."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    start = time.process_time()
    for _ in stream(count):
        pass
    made = time.process_time()
    stats = CampaignStats.from_events(stream(count), campaign="spring")
    seconds = time.process_time() - made - (made - start)
    result = {
        "events": count,
        "recipients": stats.rate("delivered").of,
        "events_per_second": round(count / seconds),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    write("tracking_stats", result)


if __name__ == "__main__":
    main()
