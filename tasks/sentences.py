"""Print every sentence that a user sees, by part, so that readers can be given nothing but the sentences.

Usage: python tasks/sentences.py [PART...]

A part is a page of the documentation (``docs/gate.md``, ``README.md``), a package (``limits``), or
``data``. Printed are the first paragraphs of docstrings, the sentences in literals (errors,
reasons, help texts) and in the data tables, and the text of pages without their code.
"""

from __future__ import annotations

import argparse
import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "mailflows"
PAGES = [ROOT / "README.md", ROOT / "MODEL.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Tables with sentences; those that hold only words to look for in mail are left out.
TABLES = [
    path
    for path in sorted((SOURCE / "data").rglob("*.toml"))
    if path.parent.name not in {"lexicon", "feedback"}
    and path.stem not in {"footers", "provider-names", "status", "status-words", "unsubscribe"}
]

_CODE = re.compile(r"^```.*?^```|<!-- figures:.*?<!-- end -->", re.DOTALL | re.MULTILINE)
_SENTENCE = re.compile(r"[a-z]{2,}[,;:]? [\w{'\"(]+ [\w{'\"(]+")
_EXPRESSION = re.compile(r"\(\?[:=!]|\\[bswd]|\[\^|\.\*")


def main() -> None:
    """Print the sentences of the parts that are named, or of all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("parts", nargs="*")
    wanted = parser.parse_args().parts
    for part, sentences in found():
        if not wanted or part in wanted:
            print(f"\n## {part}\n")
            print("\n".join(dict.fromkeys(sentences)))


def found() -> Iterator[tuple[str, list[str]]]:
    """Yield each part with its sentences."""
    for page in PAGES:
        text = _CODE.sub("", page.read_text("utf-8"))
        yield str(page.relative_to(ROOT)), [line for line in text.splitlines() if line.strip()]
    parts = [
        path
        for path in sorted(SOURCE.iterdir())
        if path.is_dir() and path.name not in {"data", "__pycache__"}
    ]
    for part in parts:
        yield part.name, [s for file in sorted(part.rglob("*.py")) for s in of_module(file)]
    yield "mailflows", [s for file in sorted(SOURCE.glob("*.py")) for s in of_module(file)]
    yield "data", [s for file in TABLES for s in of_table(file)]


def of_module(file: Path) -> Iterator[str]:
    """Yield the first lines of docstrings, and the literals that are sentences."""
    tree = ast.parse(file.read_text("utf-8"))
    documented = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    docstrings = {
        id(n.body[0].value) for n in documented if ast.get_docstring(n) and isinstance(n.body[0], ast.Expr)
    }
    name = file.stem
    for node in documented:
        text = ast.get_docstring(node)
        if text and not getattr(node, "name", "").startswith("_"):
            yield f"{name}.{getattr(node, 'name', '')}: {' '.join(text.split(chr(10) * 2)[0].split())}"
    pieces = {id(value) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for value in n.values}
    for node in ast.walk(tree):
        text = said(node)
        if id(node) not in docstrings | pieces and _SENTENCE.search(text) and not _EXPRESSION.search(text):
            yield f"{name}:{getattr(node, 'lineno', 0)}: {' '.join(text.split())}"


def said(node: ast.AST) -> str:
    """Return the text of a literal, with the expressions of an f-string in braces."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            said(v) if isinstance(v, ast.Constant) else f"{{{ast.unparse(v.value)}}}" for v in node.values
        )
    return ""


def of_table(file: Path) -> Iterator[str]:
    """Yield the values of a table that are sentences, with the place of each."""

    def walk(value: object, place: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(inner, f"{place}.{key}")
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner, place)
        elif isinstance(value, str) and _SENTENCE.search(value) and not _EXPRESSION.search(value):
            yield f"{place}: {value}"

    yield from walk(tomllib.loads(file.read_text("utf-8")), file.stem)


if __name__ == "__main__":
    main()
