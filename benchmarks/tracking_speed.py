"""How long it takes to rewrite a message, and to judge and count what comes back.

    python benchmarks/tracking_speed.py [FOLDER...]

The HTML messages of the project's own corpus by default, or those of the folders. Medians in microseconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from recording import interleaved, messages, write

from mailflows.tracking import Tracker

WHO = {"campaign": "spring", "recipient": "42"}


def main() -> None:
    """Measure in turns and write the result."""
    folders = [Path(name) for name in sys.argv[1:]]
    raws = [p.read_bytes() for folder in folders for p in sorted(folder.rglob("*.eml"))] or messages("corpus")
    pages = [raw for raw in raws if b"text/html" in raw]
    tracker = Tracker([bytes(32)], "https://t.shop.example/")
    sent = [tracker.rewrite(raw, **WHO) for raw in pages]
    url = tracker.unsubscribe_url(**WHO)
    medians = interleaved({"rewrite": lambda raw: tracker.rewrite(raw, **WHO)}, pages)
    medians |= interleaved({"undo": tracker.undo}, sent)
    medians |= interleaved({"decode": lambda text: tracker.decode(text, "unsubscribe")}, [url] * 1000)
    result = {
        "messages": len(pages),
        "mean_bytes": round(sum(map(len, pages)) / len(pages)),
        "links": sum(link.is_tracked for raw in pages for link in tracker.links(raw)),
        "microseconds": {name: round(value, 1) for name, value in medians.items()},
    }
    write("tracking_speed", result)


if __name__ == "__main__":
    main()
