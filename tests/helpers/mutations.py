"""Changes of one place of a module: another comparison, operator, number, truth value, or a call left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
_NO_NUMBERS = ("log", "logger", "warnings")
"""Names of what only writes messages."""


@dataclass(frozen=True)
class Mutation:
    """One change.

    Attributes:
        place: The number of the node in the order of `ast.walk`.
        line: Its line.
        function: The function that has it; empty on the level of the module.
        before: The source of the node.
        after: The source of the changed node.
    """

    place: int
    line: int = field(compare=False)
    function: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.key}"

    @property
    def key(self) -> str:
        """The change without its line."""
        return f"{self.function or 'module'}: {self.before} -> {self.after}"


def mutations(source: str) -> list[Mutation]:
    """List the changes of a module, at most one per node. Messages, docstrings and annotations are left alone."""
    tree = ast.parse(source)
    skipped = {id(node) for part in _without_numbers(tree) for node in ast.walk(part)}
    owners = _owners(tree)
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in skipped:
            continue
        changed = _changed(node)
        if changed is not None:
            shown = parents.get(id(node), node)  # a bare number says little, and so does a slice
            while isinstance(shown, ast.Slice | ast.Tuple | ast.UnaryOp):
                shown = parents[id(shown)]
            shown = shown if isinstance(shown, ast.expr | ast.keyword) else node
            after = _replaced(deepcopy(shown), list(ast.walk(shown)).index(node))
            line = getattr(node, "lineno", 0)
            found.append(Mutation(place, line, owners.get(id(node), ""), ast.unparse(shown), ast.unparse(after)))
    return found


def mutate(source: str, mutation: Mutation) -> ast.Module:
    """Return the tree of a module with one change."""
    tree = _replaced(ast.parse(source), mutation.place)
    assert isinstance(tree, ast.Module)
    return ast.fix_missing_locations(tree)


def _replaced(tree: ast.AST, place: int) -> ast.AST:
    """Return a tree in which the node of a number is changed."""
    nodes = list(ast.walk(tree))
    old = nodes[place]
    new = _changed(old)
    assert new is not None
    for parent in nodes:
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list):
                value[:] = [new if entry is old else entry for entry in value]
    return new if place == 0 else tree


def _changed(node: ast.AST) -> ast.AST | None:
    """Return a changed copy of a node; None for a node that is left alone."""
    new = deepcopy(node)
    match new:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            new.ops = [_COMPARISONS[type(operator)]()]
        case ast.BinOp(op=operator, left=left) if type(operator) in _OPERATORS and not _is_text(left):
            new.op = _OPERATORS[type(operator)]()
        case ast.BoolOp(op=operator):
            new.op = ast.Or() if isinstance(operator, ast.And) else ast.And()
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            return ast.copy_location(operand, node)
        case ast.Constant(value=bool() as value):
            new.value = not value
        case ast.Constant(value=int() | float() as value):
            new.value = value + 1
        case ast.Expr(value=ast.Call()):
            return ast.copy_location(ast.Pass(), node)
        case _:
            return None
    return new


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _without_numbers(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the parts whose change is no change of a number: messages, annotations, type aliases, decorators."""
    for node in ast.walk(tree):
        match node:
            case ast.Raise() | ast.JoinedStr() | ast.Assert() | ast.Import() | ast.ImportFrom():
                yield node
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in _NO_NUMBERS:
                yield node
            case ast.AnnAssign(annotation=annotation):
                yield annotation
            case ast.arg(annotation=ast.AST() as annotation):
                yield annotation
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield node
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from node.decorator_list
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns


def _owners(tree: ast.Module) -> dict[int, str]:
    """Return the innermost function of each node."""
    owners: dict[int, str] = {}
    for node in ast.walk(tree):  # outer functions come before inner ones
        if isinstance(node, ast.FunctionDef):
            owners |= {id(inner): node.name for inner in ast.walk(node)}
    return owners
