"""Draw the layers of the library as docs/architecture.svg, from the table that the tests hold them to.

python tasks/draw_architecture.py
"""

from __future__ import annotations

import runpy
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

WIDTH, HEIGHT, GAP, LEFT = 132, 40, 10, 24


def main() -> None:
    """Write the picture."""
    layers = runpy.run_path(str(ROOT / "tests" / "test_layering.py"))["LAYERS"]
    rows = [[part for part in line.split() if not part.startswith("__")] for line in layers]
    rows = [row for row in rows if row]
    wide = max(map(len, rows))
    width, height = 2 * LEFT + wide * (WIDTH + GAP), len(rows) * (HEIGHT + 2 * GAP) + 2 * GAP
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            'font-family="system-ui, sans-serif" font-size="14">'
        ),
        "<title>The parts of mailflows, each of which imports only from the rows below its own</title>",
        (
            "<style>rect{fill:#eef3f8;stroke:#4c78a8}text{fill:#1b2733;text-anchor:middle}"
            ".inner{fill:#f7f7f7;stroke:#999}"
            "@media(prefers-color-scheme:dark){rect{fill:#223040;stroke:#7fa8d6}text{fill:#e8eef4}"
            ".inner{fill:#2a2a2a;stroke:#777}}</style>"
        ),
    ]
    for place, row in enumerate(rows):
        left = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        top = 2 * GAP + place * (HEIGHT + 2 * GAP)
        for number, part in enumerate(row):
            lines += box(left + number * (WIDTH + GAP), top, part)
    (ROOT / "docs" / "architecture.svg").write_text("\n".join([*lines, "</svg>"]) + "\n", "utf-8")


def box(left: float, top: float, part: str) -> list[str]:
    """Return a part as a box with its name; private ones are drawn in grey."""
    kind = ' class="inner"' if part.startswith("_") else ""
    return [
        f'<rect{kind} x="{left:g}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text x="{left + WIDTH / 2:g}" y="{top + HEIGHT / 2 + 5:g}">{escape(part)}</text>',
    ]


if __name__ == "__main__":
    main()
