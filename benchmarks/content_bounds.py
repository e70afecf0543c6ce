"""How long hostile markup keeps linting, repairing, plain text and tracking busy, and what inlining costs.

    python benchmarks/content_bounds.py [folder of templates]

One megabyte of each kind of markup that once took seconds; the time of one core, the best of three runs.
Rewriting is also timed on the templates, which have links, and on the project's own messages.
The peer css-inline is timed where it is installed. Writes ``results/content_bounds.json``.
"""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from content_speed import CACHES
from recording import ROOT, messages, write

from mailflows.content import fix, fix_html, lint, plain_text
from mailflows.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 1_000_000
TRACKER = Tracker([bytes(32)], "https://t.shop.example/")
HEAD = "From: a@shop.example\nSubject: s\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n"
UNITS = {
    "marks": "<",
    "open tags": "<a ",
    "paragraphs": "<p>x",
    "end tags": "</b>",
    "cells": "<tr><td>1</td>",
    "styles": "<b style='color:red'>x</b>",
    "attributes": "a=b ",
    "bare attributes": "a b c ",
    "open styles": "<style>",
    "rules": "<style>a b,c d{x:y}</style>",
    "quotes": "<a b='",
    "nested": "<div>",
    "deep cells": "<table><tr><td>",
    "declarations": "<!x>",
    "references": "&amp;",
    "words": "hello world ",
    "comments": "x<!-- -->",
}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    cases = ROOT.parent / "shared/cases/content/templates"
    parser.add_argument("templates", type=Path, nargs="?", default=cases)
    folder = parser.parse_args().templates
    bounds = {name: hostile(unit) for name, unit in UNITS.items()}
    result: dict[str, Any] = {"wanted_milliseconds_per_megabyte": 150, "milliseconds": bounds}
    result["worst_milliseconds"] = max(value for row in bounds.values() for value in row.values())
    result["own_messages"] = per_megabyte([raw for raw in messages("corpus") if b"text/html" in raw])
    if pages := [path.read_text("utf-8") for path in sorted(folder.glob("*.html"))]:
        result["templates"] = per_megabyte([(HEAD + page).encode() for page in pages])
        result["inlining"] = inlining(pages)
    write("content_bounds", result)


def hostile(unit: str) -> dict[str, float]:
    """Return the milliseconds that a megabyte of one kind takes."""
    page = unit * (SIZE // len(unit))
    page = f"<p {page}>" if unit.startswith("a") else page
    raw = (HEAD + page).encode()
    return {
        "lint": best(lambda: lint(raw, flow="marketing")),
        "fix": best(lambda: fix(raw, flow="marketing")),
        "plain_text": best(lambda: plain_text(page)),
        "rewrite": best(lambda: rewrite(raw)),
    }


def rewrite(raw: bytes) -> bytes:
    """Track a message for somebody."""
    return TRACKER.rewrite(raw, campaign="spring", recipient="42")


def per_megabyte(raws: list[bytes]) -> dict[str, float]:
    """Return the milliseconds that rewriting takes for a megabyte of real messages."""
    size = sum(map(len, raws)) / SIZE
    return {"messages": len(raws), "rewrite": round(best(lambda: list(map(rewrite, raws))) / size, 1)}


def best(run: Callable[[], object]) -> float:
    """Return the milliseconds of one core of the best of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return round(min(times) * 1000, 1)


def inlining(pages: list[str]) -> dict[str, float]:
    """Return the mean milliseconds a template, ours and css-inline's, of those that both read."""
    ours = lambda page: fix_html(page, only=["inline-css"])  # noqa: E731
    try:
        import css_inline  # noqa: PLC0415 -- not a dependency
    except ImportError:
        return {"mailflows": best(lambda: list(map(ours, pages))) / len(pages)}
    peer = css_inline.CSSInliner(keep_style_tags=True, load_remote_stylesheets=False).inline
    both = []
    for page in pages:
        with suppress(css_inline.InlineError):
            peer(page)
            both.append(page)
    mean = {
        "mailflows": best(lambda: list(map(ours, both))) / len(both),
        "mailflows_cold": best(lambda: [ours(page) for page in both if not forget()]) / len(both),
        "css_inline": best(lambda: list(map(peer, both))) / len(both),
    }
    ratios = {f"{name}_ratio": round(time / mean["css_inline"], 2) for name, time in mean.items()}
    return {"templates": len(both), **{name: round(time, 3) for name, time in mean.items()}, **ratios}


def forget() -> None:
    """Empty what is remembered from page to page."""
    for cached in CACHES:
        cached.cache_clear()


if __name__ == "__main__":
    main()
