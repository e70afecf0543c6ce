"""List the numeric constants of the library that say no source beside them; exit status 1 if there are any.

A constant is a number under a name at the top of a module. Its source stands in the comment or the string
beside it, or below its group: a standard, a dated page, a script that measured it, or, where nobody decides,
the word "bound" (work or memory is kept within it) or "choice" beside the reason.

    python tasks/unsourced_constants.py
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "mailflows"

_SOURCE = re.compile(
    r"RFC|\b(19|20)\d\d\b|https?://|benchmarks/|tasks/|Unicode|HTML Living Standard|WCAG|by definition"
    r"|section \d|bound:|choice:|our choice|bound on work",
    re.IGNORECASE,
)


def main() -> int:
    """Print what lacks a source, and return the exit status."""
    found = [
        f"{path.relative_to(PACKAGE)}:{row}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for row in lacking(path)
    ]
    print("\n".join([*found, f"{len(found)} without a source"]))
    return int(bool(found))


def lacking(path: Path) -> Iterator[str]:
    """Yield line and name of the constants of a file that say no source."""
    text = path.read_text("utf-8")
    lines = text.split("\n")
    body = ast.parse(text).body
    for place, node in enumerate(body):
        if is_number(node) and not is_unit(node) and not _SOURCE.search(beside(body, place, lines)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target  # type: ignore[attr-defined]
            yield f"{node.lineno}: {ast.unparse(target)}"


def is_number(node: ast.stmt) -> bool:
    """Return whether a statement gives a number a name."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    names = {child.__class__.__name__ for child in ast.walk(node.value)}
    arithmetic = {
        "Constant",
        "BinOp",
        "UnaryOp",
        "Add",
        "Sub",
        "Mult",
        "Div",
        "Pow",
        "LShift",
        "USub",
        "FloorDiv",
    }
    values = [child.value for child in ast.walk(node.value) if isinstance(child, ast.Constant)]
    return names <= arithmetic and all(type(value) in {int, float} for value in values)


def is_unit(node: ast.stmt) -> bool:
    """Return whether a constant only names a unit of time."""
    return bool(re.fullmatch(r"_?(MINUTE|HOUR|DAY|WEEK|YEAR)S? = .*", ast.unparse(node)))


def beside(body: list[ast.stmt], place: int, lines: list[str]) -> str:
    """Return the comments on and above a statement, and the string below it."""
    node = body[place]
    texts = lines[node.lineno - 1 : node.end_lineno]
    above = node.lineno - 2
    while above >= 0 and lines[above].startswith("#"):
        texts.append(lines[above])
        above -= 1
    below = place + 1
    while below < len(body) and is_number(body[below]):
        below += 1
    after = body[below] if below < len(body) else None
    if (
        isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    ):
        texts.append(after.value.value)
    return "\n".join(texts)


if __name__ == "__main__":
    raise SystemExit(main())
