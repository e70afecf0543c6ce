"""Make mutants: small changes to functions that a test should notice.

The operators are mutmut's (comparisons, boundaries, and/or, not, numbers), used where a condition or a
boundary is decided; what a function returns is changed here, since mutmut leaves that alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider
from mutmut.mutation import mutators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

Parents = Mapping[cst.CSTNode, cst.CSTNode]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one file: where, of which kind, the line before and after."""

    path: str
    line: int
    kind: str
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        """Return the place and the change on two lines."""
        return f"{self.path}:{self.line} [{self.kind}]\n  - {self.before}\n  + {self.after}"

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what stays the same when lines move."""
        return self.path, self.before, self.after


def mutants_of(file: Path, root: Path) -> list[Callable[[], Mutant]]:
    """Return what makes each mutant of a file, in its order; only those that are drawn are made."""
    wrapper = MetadataWrapper(cst.parse_module(file.read_text("utf-8")), unsafe_skip_copy=True)
    parents = wrapper.resolve(ParentNodeProvider)
    name = str(file.relative_to(root))
    return [
        partial(_mutant, name, wrapper.module, kind, node, replacement)
        for node in parents
        for kind, replacement in _changes(node, parents)
        if _is_in_a_body(node, parents)
    ]


def _mutant(path: str, module: cst.Module, kind: str, node: cst.CSTNode, replacement: cst.CSTNode) -> Mutant:
    """Return the module with one node replaced."""
    source = cst.ensure_type(module.deep_replace(node, replacement), cst.Module).code
    both = zip(module.code.splitlines(), source.splitlines(), strict=False)
    at, before, after = next((at, a.strip(), b.strip()) for at, (a, b) in enumerate(both, 1) if a != b)
    return Mutant(path, at, kind, before, after, source)


def _is_in_a_body(node: cst.CSTNode, parents: Parents) -> bool:
    """Tell whether a node runs when a function is called, not when its module is loaded."""
    while (parent := parents.get(node)) is not None:
        if isinstance(parent, cst.FunctionDef) and node is parent.body:
            return True
        node = parent
    return False


def _changes(node: cst.CSTNode, parents: Parents) -> Iterator[tuple[str, cst.CSTNode]]:
    """Yield what takes the place of a node, with the kind of the change."""
    match node:
        case cst.ComparisonTarget():
            yield from _named("comparison", mutators.operator_swap_op(node))
            for operator in mutators.operator_keywords(node.operator):
                yield "comparison", node.with_changes(operator=operator)
        case cst.BooleanOperation():
            yield from _named("condition", mutators.operator_swap_op(node))
        case cst.UnaryOperation(operator=cst.Not()):
            yield from _named("condition", mutators.operator_remove_unary_ops(node))
        case cst.Integer() | cst.Float() if _is_a_boundary(node, parents):
            yield from _named("boundary", mutators.operator_number(node))
        case cst.Return(value=cst.BaseExpression() as value):
            yield from _returned(node, value)


def _named(kind: str, replacements: Iterable[cst.CSTNode]) -> Iterator[tuple[str, cst.CSTNode]]:
    """Yield each replacement with the kind."""
    return ((kind, replacement) for replacement in replacements)


def _is_a_boundary(node: cst.CSTNode, parents: Parents) -> bool:
    """Tell whether a number is compared with, sliced at, or used as an index."""
    parent = parents.get(node)
    if isinstance(parent, cst.UnaryOperation):
        parent = parents.get(parent)
    return isinstance(parent, cst.ComparisonTarget | cst.Comparison | cst.Slice | cst.Index | cst.Return)


def _returned(node: cst.Return, value: cst.BaseExpression) -> Iterator[tuple[str, cst.CSTNode]]:
    """Yield the statement with another value: the other truth, or None."""
    if isinstance(value, cst.Name) and value.value in {"True", "False"}:
        yield from (("return", node.with_changes(value=v)) for v in mutators.operator_name(value))
    elif not (isinstance(value, cst.Name) and value.value == "None"):
        space = cst.SimpleWhitespace(" ")
        yield "return", node.with_changes(value=cst.Name("None"), whitespace_after_return=space)
