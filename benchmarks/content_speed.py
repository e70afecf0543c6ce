"""How much time of one core linting and repairing a template take.

    python benchmarks/content_speed.py [folder of templates] [--peer folder with node_modules/caniemail]

Every template is linted as a message, whole: headers, links, images, cascade, client support, signals.
"cold" empties every cache between two messages, so that each style sheet is new. The peer is the npm package
caniemail, which only answers the question of client support; it is timed where its folder is given. Writes
``results/content_speed.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from content_quality import as_message, flow_of
from recording import ROOT, ROUNDS, table, write

from mailflows.content import _cascade, _color, _css, _features, _inline, _page, _selectors, fix, lint

if TYPE_CHECKING:
    from collections.abc import Callable

PEER = """
import { caniemail } from 'caniemail';
import fs from 'fs';
const times = [];
for (const file of process.argv.slice(1)) {
  const html = fs.readFileSync(file, 'utf8');
  const start = process.cpuUsage();
  let known = 0;
  for (const client of ['gmail.*', 'outlook.*', 'yahoo.*', 'apple-mail.*']) {
    try { caniemail({ clients: [client], html }); known += 1; } catch {}
  }
  const used = process.cpuUsage(start);
  if (known) times.push((used.user + used.system) / 1000);
}
console.log(JSON.stringify(times));
"""

CACHES = (
    *(_color.parse_color, _color.contrast, _css.read_sheet, _css.declarations, _selectors.compiled),
    *(_features._of_style, _features._of_rule, _features._of_declaration),  # noqa: SLF001 -- to empty them
    *(_cascade.indexed, _cascade._values, _cascade._revealed, _cascade._responsive),  # noqa: SLF001
    *(_page._sheet_of, _inline._changed),  # noqa: SLF001
)
"""What is remembered from message to message."""


def main() -> None:
    """Measure in turns and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    cases = ROOT.parent / "shared/cases/content/templates"
    parser.add_argument("templates", type=Path, nargs="?", default=cases)
    parser.add_argument("--peer", type=Path)
    arguments = parser.parse_args()
    paths = sorted(arguments.templates.glob("*.html"))
    if not paths:
        raise SystemExit(f"no templates in {arguments.templates}")
    inputs = [(as_message(path.read_text("utf-8")), flow_of(path)) for path in paths]
    candidates: dict[str, Callable[[Any], object]] = {"lint": linted, "lint_cold": linted_cold, "fix": fixed}
    medians = in_turns(candidates, inputs)
    slowest = max(elapsed(partial(linted_cold, pair)) for pair in inputs)
    result = {
        "templates": len(inputs),
        "wanted_microseconds": 15_000,
        "slowest_cold_microseconds": round(slowest * 1e6, 1),
        "medians": table(medians, reference="lint"),
    }
    if arguments.peer:
        result["caniemail_npm_microseconds"] = peer(arguments.peer, paths)
    write("content_speed", result)


def linted(pair: tuple[bytes, str]) -> object:
    """Lint with warm caches, as a sender of many messages does."""
    return lint(pair[0], flow=pair[1])


def linted_cold(pair: tuple[bytes, str]) -> object:
    """Lint as if no message had been seen before."""
    for cached in CACHES:
        cached.cache_clear()
    return lint(pair[0], flow=pair[1])


def fixed(pair: tuple[bytes, str]) -> object:
    """Repair."""
    return fix(pair[0], flow=pair[1], unsubscribe="https://shop.example/u/x7Qk2")


def in_turns(candidates: dict[str, Callable[[Any], object]], inputs: list[Any]) -> dict[str, float]:
    """Return the median time of each candidate per input, in microseconds of one core."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(ROUNDS + 1):
        for name, run in candidates.items():
            spent = sum(elapsed(partial(run, item)) for item in inputs)
            if number:  # the first round loads what is loaded once
                times[name].append(spent)
    return {name: statistics.median(found) / len(inputs) * 1e6 for name, found in times.items()}


def elapsed(run: Callable[[], object]) -> float:
    """Return the seconds of the processor that one call takes, whatever else the machine does."""
    start = time.process_time()
    run()
    return time.process_time() - start


def peer(folder: Path, paths: list[Path]) -> dict[str, float]:
    """Return how long the npm package takes, mean a template, and how many it could read."""
    command = ["node", "--input-type=module", "-e", PEER, *(str(path.resolve()) for path in paths)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603 -- ours
    times = json.loads(done.stdout.splitlines()[-1])
    return {"mean": round(1000 * sum(times) / max(1, len(times)), 1), "templates": len(times)}


if __name__ == "__main__":
    main()
