"""Loads the library with every sentence in other words, so that a branch which depends on one is seen.

A sentence is what is written for people: a text of several words in the source, and the sentences of the
bundled tables. Each word of it is turned round; what a sentence is filled with stays. Words that a part looks
for in mail are no sentences of ours: they are compared, searched, split or formed into patterns.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

__all__ = ["compiled", "install", "is_sentence", "reworded"]

_WORD = re.compile(r"(?<![{%\w:!])[^\W\d_]{2,}(?![}\w])")
_SEVERAL = re.compile(r"[a-z]{2,},? [a-z(]|[a-z]{2,}[:;] |^ ?[a-z]{2,} | [a-z]{2,}$")
_NO_SENTENCE = re.compile(
    r"\\|\[|\(\?|^<|^[a-z-]+:|;base64|=\w*;"  # patterns, markup, URLs, parameters
    r"|\b(?:ALTER|BEGIN|CREATE|DELETE|DROP|INSERT|PRAGMA|REPLACE|SELECT|UPDATE|VACUUM|WHERE)\b"
    r"|\b(?:COUNT|GROUP BY|JOIN|LIMIT|ORDER BY|SUM)\b"
    r"|\d/(?:hour|day)|^\d+ (?:hour|day)s?$"  # how limits and schedules are written
    r"|(?:^|\n)[A-Z][\w-]*: "  # header fields
)
_SPLITTING = frozenset({"split", "splitlines", "compile", "fullmatch", "match", "search", "findall", "sub"})
_TABLES = re.compile(r'^((?:sentence|advice|title|en|fr|de) = ")(.*)(")$', re.MULTILINE)
_PLACE = re.compile(r"\{[^}]*\}")


def reworded(text: str) -> str:
    """Return a sentence with each of its words turned round.

    >>> reworded("there are {count} records, of 2 kinds")
    'ereht era {count} sdrocer, fo 2 sdnik'
    """
    pieces = _PLACE.split(text)
    places = [*_PLACE.findall(text), ""]
    turned = (_WORD.sub(lambda found: found[0][::-1], piece) for piece in pieces)
    return "".join(piece + place for piece, place in zip(turned, places, strict=True))


def is_sentence(text: str) -> bool:
    """Say whether a text of the source is written for people."""
    return bool(_SEVERAL.search(text)) and not _NO_SENTENCE.search(text)


class _Rewording(ast.NodeTransformer):
    """Rewords the sentences of a module."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str) and is_sentence(node.value):
            return ast.copy_location(ast.Constant(reworded(node.value)), node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)  # a docstring

    def visit_Compare(self, node: ast.Compare) -> ast.Compare:
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.FormattedValue:
        node.value = self.visit(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        return node if name in _SPLITTING else self.generic_visit(node)


def compiled(source: str | bytes, path: str = "<reworded>") -> CodeType:
    """Return the code of a module in other words."""
    tree = _Rewording().visit(ast.parse(source, path))
    return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        """Compile the reworded source; nothing of it is kept on disk."""
        path = self.get_filename(fullname)
        return compiled(self.get_data(path), path)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the library's own files, and no others."""
        if name.partition(".")[0] != "mailflows":
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        if found is not None and isinstance(found.loader, importlib.machinery.SourceFileLoader):
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found


def install() -> None:
    """Load the library in other words from now on, its tables included."""
    sys.meta_path.insert(0, _Finder())
    from mailflows import _data

    read = _data.read.__wrapped__

    def other(path: str) -> str:
        text: str = read(path)
        return _TABLES.sub(lambda m: m[1] + reworded(m[2]) + m[3], text) if path.endswith(".toml") else text

    vars(_data)["read"] = other
