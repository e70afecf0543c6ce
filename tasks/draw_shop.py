"""Draw docs/shop.svg from benchmarks/results/shop.json: what came through of each attack, and of the rest.

python examples/shop/story.py --json benchmarks/results/shop.json && python tasks/draw_shop.py
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from figures import result

ROOT = Path(__file__).resolve().parents[1]

WIDTH, ROW, TOP = 900, 62, 74
ATTACK, FLOW_AT, BAR = 340, (560, 690, 800), 80
FLOWS = ("transactional", "professional", "marketing")

STYLE = (
    "text{fill:#1b2733}.small{font-size:12px;fill:#54606b}.track{fill:#e6eaee}.bad{fill:#c8453b}"
    ".good{fill:#3a7d5c}.late{fill:#9cc9b0}line{stroke:#d5dae0}"
    "@media(prefers-color-scheme:dark){text{fill:#e8eef4}.small{fill:#a9b4bf}.track{fill:#333c46}"
    ".bad{fill:#ef7a70}.good{fill:#5fb58b}.late{fill:#345c49}line{stroke:#3a444e}}"
)


def main() -> None:
    """Write the picture."""
    scenes = result("shop")["scenes"]
    height = TOP + ROW * len(scenes) + 16
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            'font-family="system-ui, sans-serif" font-size="14">'
        ),
        "<title>Of each attack a few messages come through; orders, letters and newsletters arrive</title>",
        f"<style>{STYLE}</style>",
        text(24, 30, "attack"),
        text(ATTACK, 30, "came through"),
        *(text(x, 30, flow) for x, flow in zip(FLOW_AT, FLOWS, strict=True)),
        text(FLOW_AT[0], 50, "the mail of everybody else: in the hour, and after it", "small"),
    ]
    for number, scene in enumerate(scenes):
        lines += row(TOP + ROW * number, scene)
    (ROOT / "docs" / "shop.svg").write_text("\n".join([*lines, "</svg>"]) + "\n", "utf-8")


def row(top: int, scene: dict[str, Any]) -> list[str]:
    """Return what one attack did."""
    name, _, detail = scene["name"].partition(": ")
    lines = [f'<line x1="24" x2="{WIDTH - 16}" y1="{top - 12}" y2="{top - 12}"/>', text(24, top + 12, name)]
    lines += [text(24, top + 30, detail, "small")] if detail else []
    tried, came = scene["tried"], scene["arrived"]
    if tried:
        lines += bar(ATTACK, top, 180, [("bad", came / tried)], f"{came} of {tried}")
    for x, flow in zip(FLOW_AT, FLOWS, strict=True):
        sent, now, end = (scene[key][flow] for key in ("honest", "delivered", "in_the_end"))
        said = f"{now} of {sent}" if now == end else f"{now}, then {end} of {sent}"
        lines += bar(x, top, BAR, [("late", end / sent), ("good", now / sent)], said)
    return lines


def bar(x: int, top: int, width: int, parts: list[tuple[str, float]], said: str) -> list[str]:
    """Return a bar with parts of its whole, and what it says."""
    return [
        f'<rect class="track" x="{x}" y="{top}" width="{width}" height="12" rx="2"/>',
        *(
            f'<rect class="{kind}" x="{x}" y="{top}" width="{width * share:.1f}" height="12" rx="2"/>'
            for kind, share in parts
        ),
        text(x, top + 30, said, "small"),
    ]


def text(x: int, y: int, words: str, kind: str = "") -> str:
    """Return words at a place."""
    label = f' class="{kind}"' if kind else ""
    return f'<text{label} x="{x}" y="{y}">{escape(words)}</text>'


if __name__ == "__main__":
    main()
