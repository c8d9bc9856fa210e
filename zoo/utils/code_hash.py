"""Hash of the code that computes a result. It changes with the computation and with nothing else.

A cache of results needs such a hash: a result is valid as long as the same code would compute it again. The hash of a
source file is not that, because it changes when a function moves, a comment is written or an import is sorted.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import symtable
import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from functools import cache, partial
from importlib import import_module
from importlib.util import resolve_name
from pathlib import PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from zoo.utils.hashing import hash_lines

_PLAIN = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis), range, slice)


def hash_code(roots: Iterable[Any], without: Collection[Any] = ()) -> str:
    """Return the hash of functions and classes, and of all code and constants that they use.

    The hash follows the names of functions and classes of the packages that the roots belong to, and the values of
    constants. Other packages count by name only. The hash does not depend on module paths, imports, comments,
    docstrings, annotations, formatting or the texts of errors.

    An attribute of a parameter is not followed (`reader.image`, `self.load`): give its class as a root.

    Args:
        roots: Functions and classes. A class counts with all its methods and its bases.
        without: Functions and classes that are not followed.

    Example:
        >>> hash_code([hash_code]) == hash_code([hash_code, hash_lines])
        True
    """
    waiting = list(roots)
    packages = {_package(root) for root in waiting}
    seen = list(without)
    parts: set[str] = set()
    while waiting:
        subject = _unwrapped(waiting.pop())
        if any(subject is one for one in seen) or _package(subject) not in packages:
            continue
        seen.append(subject)
        code = _read(subject, _compiled_code(subject))
        if code is None:
            parts.add(_describe_compiled(subject, waiting))
            continue
        parts.add(code.source)
        for name, value in _used_values(code, subject, packages):
            if _is_code(value):
                waiting.append(value)
            else:
                parts.add(f"{name} = {_describe(value, waiting)}")
    return hash_lines(sorted(parts))


class _Code(NamedTuple):
    """The code of a function or class.

    Attributes:
        source: Canonical text, without what computes nothing.
        names: Names that are looked up in the module.
        attributes: Attributes of such names, as ("zoo.io.image", "read_image").
        imports: Names that are imported within the code, as (module, level, name, local name).
    """

    source: str
    names: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    imports: tuple[tuple[str, int, str, str], ...]


@cache
def _read(subject: Any, compiled: tuple[CodeType, ...]) -> _Code | None:
    """Parse a function or class; None where there is no source, as in some interpreters.

    Args:
        subject: The function or class.
        compiled: Its compiled code, so that a class whose methods are replaced is read again.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(subject)))
    except (OSError, TypeError, SyntaxError):
        return None
    imports = [
        (node.module or "", node.level, alias.name, alias.asname or alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    source = ast.unparse(ast.fix_missing_locations(_Cleaner().visit(tree)))
    names = _free_names(symtable.symtable(source, "<code>", "exec"))
    chains = {_dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    attributes = sorted(chain.rpartition(".")[::2] for chain in chains if chain.partition(".")[0] in names)
    return _Code(source, tuple(sorted(names)), tuple(attributes), tuple(imports))


class _Cleaner(ast.NodeTransformer):
    """Removes what does not enter a result: docstrings, annotations, imports, texts of errors."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise(exc=None, cause=None)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is not None:
            return ast.Assign(targets=[node.target], value=node.value)
        node.annotation = ast.Constant(value=None)  # the field of a dataclass: its name and order count
        return node


def _free_names(table: symtable.SymbolTable) -> Set[str]:
    """The names that a scope and the scopes within it look up outside of them."""
    free = {one.get_name() for one in table.get_symbols() if one.is_referenced() and one.is_global()}
    return free.union(*(_free_names(child) for child in table.get_children()))


def _dotted(node: ast.AST) -> str:
    """The text of `a.b.c`; empty where an expression is no chain of names."""
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return node.id if isinstance(node, ast.Name) else ""


def _used_values(code: _Code, subject: Any, packages: Set[str]) -> Iterator[tuple[str, Any]]:
    """The functions, classes and constants that code uses, by the names that it uses for them."""
    known = _namespace(subject)
    parent = known.get("__package__") or ""
    for module, level, name, local in code.imports:
        path = resolve_name("." * level + module, parent)
        if path.partition(".")[0] in packages:
            known[local] = getattr(import_module(path), name)
    for name in code.names:
        if name in known and not isinstance(known[name], ModuleType):
            yield name, known[name]
    for chain, name in code.attributes:
        first, *rest = chain.split(".")
        owner = known.get(first)
        for step in rest:
            owner = getattr(owner, step, None) if isinstance(owner, ModuleType) else None
        if isinstance(owner, ModuleType) and owner.__name__.partition(".")[0] in packages:
            value = getattr(owner, name, owner)
            if not isinstance(value, ModuleType):
                yield name, value


def _namespace(subject: Any) -> dict[str, Any]:
    """The values that the free names of a function or class refer to."""
    if isinstance(subject, FunctionType):
        cells = zip(subject.__code__.co_freevars, subject.__closure__ or (), strict=True)
        return {**subject.__globals__, **{name: cell.cell_contents for name, cell in cells}}
    return dict(vars(sys.modules[subject.__module__])) if subject.__module__ in sys.modules else {}


def _package(subject: Any) -> str:
    """The top-level package in which a function or class is defined."""
    return str(getattr(subject, "__module__", "")).partition(".")[0]


def _unwrapped(subject: Any) -> Any:
    """The function behind decorators and `functools.partial`."""
    while isinstance(subject, partial):
        subject = subject.func
    return inspect.unwrap(subject) if callable(subject) else subject


def _is_code(value: Any) -> bool:
    return isinstance(_unwrapped(value), FunctionType | type)


def _compiled_code(subject: Any) -> tuple[CodeType, ...]:
    """The compiled code of a function, or of the methods of a class."""
    functions = [subject] if isinstance(subject, FunctionType) else vars(subject).values()
    return tuple(one.__code__ for one in functions if isinstance(one, FunctionType))


def _describe(value: Any, waiting: list[Any]) -> str:
    """A constant as text that is the same in every process; functions and classes in it are followed."""
    inner = partial(_describe, waiting=waiting)
    text = kind = type(value).__qualname__  # of a logger or a lock: no value that a result could depend on
    if isinstance(value, _PLAIN):
        text = repr(value)
    elif _is_code(value):
        waiting.append(value)
        text = _unwrapped(value).__qualname__
    elif isinstance(value, Mapping):
        text = f"{{{', '.join(f'{inner(key)}: {inner(content)}' for key, content in value.items())}}}"
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(map(inner, value))}]"
    elif isinstance(value, Set):
        text = f"{{{', '.join(sorted(map(inner, value)))}}}"
    elif dataclasses.is_dataclass(value):
        text = f"{kind}({', '.join(inner(getattr(value, field.name)) for field in dataclasses.fields(value))})"
    elif isinstance(value, re.Pattern):
        text = f"{kind}({value.pattern!r}, {value.flags})"
    elif isinstance(value, PurePath):
        text = f"{kind}({str(value)!r})"
    elif hasattr(value, "tobytes") and hasattr(value, "dtype"):  # an array
        text = f"{kind}({value.dtype}, {value.shape}, {value.tobytes().hex()})"
    return text


def _describe_compiled(subject: Any, waiting: list[Any]) -> str:
    """A function or class without source: a class by its attributes, a function by its byte code."""
    if isinstance(subject, type):
        attributes = {name: value for name, value in vars(subject).items() if not name.startswith("__")}
        bases = [base for base in subject.__bases__ if base is not object]
        return f"class {subject.__qualname__} {_describe(bases, waiting)} {_describe(attributes, waiting)}"
    code = subject.__code__
    constants = [one.co_code if isinstance(one, CodeType) else one for one in code.co_consts]
    return f"def {subject.__qualname__} {code.co_code.hex()} {code.co_names} {_describe(constants, waiting)}"
