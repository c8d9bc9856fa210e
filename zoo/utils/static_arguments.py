"""Arguments of a class as its source states them, so that a wrong name is found before torch is loaded.

The source is parsed and not imported. Where it does not state all arguments, nothing is returned, and the command
checks the names after the import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any, NamedTuple

from zoo.utils.plugins import find_folder


@dataclass(frozen=True, slots=True)
class StaticArguments:
    """The arguments of a class.

    Attributes:
        names: Every name that the class may accept.
        groups: The arguments whose default is a dataclass, each with the names of its fields.
        renamed: The `renamed_arguments` of the class: former name -> name.
        defaults: Those default values that are literals.
    """

    names: frozenset[str]
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


class _Source(NamedTuple):
    """A class in the source: the name of its module, the module, and the definition."""

    module: str
    tree: ast.Module
    definition: ast.ClassDef


def read_arguments(path: str) -> StaticArguments | None:
    """Read the arguments of a class.

    Args:
        path: The dotted path, also that of a package that exports the class.

    Returns:
        The arguments; None where the source does not state all of them.

    Example:
        >>> "augment" in read_arguments("datamodules.sets.BTCV").names
        True
    """
    found = _find(*path.rpartition(".")[::2])
    return None if found is None else _arguments_of(found)


def _arguments_of(source: _Source) -> StaticArguments | None:
    body = source.definition.body
    own = next((one for one in body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    if source.definition.decorator_list or any(getattr(one, "name", "") == "__new__" for one in body):
        return None
    renamed = _renamed(source)
    if renamed is None:
        return None
    parts = [StaticArguments(frozenset(), renamed=renamed)]
    if own is not None:
        given = own.args
        stated = _stated(source, own)
        if given.vararg or given.posonlyargs or stated is None:
            return None
        parts.append(stated)
    if own is None or own.args.kwarg:
        read = _names_of_rest(own) if own else set()
        bases = [_find_base(source, base) for base in source.definition.bases]
        if read is None or not bases:
            return None
        above = [base and _arguments_of(base) for base in bases]
        if not all(above):
            return None
        parts += [StaticArguments(frozenset(read)), *(one for one in above if one)]
    return _joined(parts)


def _joined(parts: list[StaticArguments]) -> StaticArguments:
    """Join the arguments of a class with those of its bases; what stands first counts."""
    groups: dict[str, frozenset[str]] = {}
    renamed: dict[str, str] = {}
    defaults: dict[str, Any] = {}
    seen: set[str] = set()
    for part in parts:
        new = part.names - seen
        groups |= {name: keys for name, keys in part.groups.items() if name in new}
        defaults |= {name: value for name, value in part.defaults.items() if name in new}
        renamed = renamed or dict(part.renamed)  # an attribute of a class hides that of its base
        seen |= part.names
    return StaticArguments(frozenset(seen), groups, renamed, defaults)


def _stated(source: _Source, own: ast.FunctionDef) -> StaticArguments | None:
    """Return the arguments that a constructor names itself; None where the group of one cannot be read."""
    given = own.args
    names = [one.arg for one in given.args[1:]]
    pairs = [
        *zip(names[len(names) - len(given.defaults) :], given.defaults, strict=True),
        *((one.arg, value) for one, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value),
    ]
    groups: dict[str, frozenset[str]] = {}
    defaults: dict[str, Any] = {}
    for name, value in pairs:
        if isinstance(value, ast.Constant):
            defaults[name] = value.value
        elif isinstance(value, ast.Name):
            if not _is_plain(source.module, value.id):
                return None
        elif isinstance(value, ast.Call | ast.Attribute):
            fields = _fields_of(source, value)
            if fields is None:
                return None
            groups |= {name: fields} if fields else {}
    return StaticArguments(frozenset([*names, *(one.arg for one in given.kwonlyargs)]), groups, {}, defaults)


def _names_of_rest(own: ast.FunctionDef) -> set[str] | None:
    """Return the names that a constructor reads of its `**kwargs`; None where it passes them on elsewhere."""
    rest = own.args.kwarg.arg if own.args.kwarg else ""
    read: set[str] = set()
    known: set[int] = set()
    for node in ast.walk(own):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            known |= {id(word.value) for word in node.keywords if word.arg is None}
        key: ast.expr | None = None
        if isinstance(node, ast.Subscript):
            key, owner = node.slice, node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            key, owner = (node.args or [None])[0], node.func.value  # type: ignore[list-item]
        if isinstance(key, ast.Constant) and isinstance(owner, ast.Name) and owner.id == rest:
            read.add(str(key.value))
            known.add(id(owner))
    uses = [node for node in ast.walk(own) if isinstance(node, ast.Name) and node.id == rest]
    return read if rest and all(id(node) in known for node in uses) else None


def _fields_of(source: _Source, value: ast.expr) -> frozenset[str] | None:
    """Return the fields of the dataclass that a default is made of; None where it is made of anything else."""
    made = value.func if isinstance(value, ast.Call) else None
    found = _find(source.module, made.id) if isinstance(made, ast.Name) else None
    return None if found is None else _fields(found)


def _fields(source: _Source) -> frozenset[str] | None:
    """Return the fields of a dataclass with those of its bases; None where it or a base is no dataclass."""
    if [ast.unparse(one).partition("(")[0] for one in source.definition.decorator_list] != ["dataclass"]:
        return None
    annotated = (one for one in source.definition.body if isinstance(one, ast.AnnAssign))
    found = frozenset(
        one.target.id
        for one in annotated
        if isinstance(one.target, ast.Name) and "ClassVar" not in ast.unparse(one.annotation)
    )
    for base in source.definition.bases:
        above = _find_base(source, base)
        fields = _fields(above) if above else None
        if fields is None:
            return None
        found |= fields
    return found


def _renamed(source: _Source) -> dict[str, str] | None:
    """Return the `renamed_arguments` of a class; empty where its body has none, None where they are no literal."""
    for one in source.definition.body:
        if isinstance(one, ast.Assign | ast.AnnAssign) and "renamed_arguments" in _targets(one):
            try:
                return dict(ast.literal_eval(one.value or ast.Dict([], [])))
            except (TypeError, ValueError):
                return None
    return {}


def _find_base(source: _Source, base: ast.expr) -> _Source | None:
    return _find(source.module, base.id) if isinstance(base, ast.Name) else None


@cache
def _is_plain(module: str, name: str) -> bool:
    """Whether a name is that of plain content, which a module writes down or imports: numbers, texts, lists of them."""
    read = _read_module(module)
    if read is None:
        return False
    for one in read[0].body:
        if isinstance(one, ast.Assign | ast.AnnAssign) and name in _targets(one):
            return one.value is not None and not any(
                isinstance(node, ast.Call | ast.Name | ast.Attribute) for node in ast.walk(one.value)
            )
    places = {(origin, alias.name) for origin, alias in _imports(*read) if (alias.asname or alias.name) == name}
    return len(places) == 1 and (module, name) not in places and _is_plain(*places.pop())


def _targets(one: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = one.targets if isinstance(one, ast.Assign) else [one.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


@cache
def _find(module: str, name: str) -> _Source | None:
    """Find the definition of a class, also where the module imports it; None where the source does not say it."""
    read = _read_module(module)
    if read is None:
        return None
    tree, package = read
    definitions = [one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name]
    if definitions:
        return _Source(module, tree, definitions[0]) if len(definitions) == 1 else None
    places = {(origin, alias.name) for origin, alias in _imports(tree, package) if (alias.asname or alias.name) == name}
    if len(places) != 1 or (module, name) in places:
        return None
    return _find(*places.pop())


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, ast.alias]]:
    """Yield the module and the name of each `from MODULE import NAME`, also those for the type checker only."""
    blocks = [tree.body, *(one.body for one in tree.body if isinstance(one, ast.If))]
    for node in (one for block in blocks for one in block if isinstance(one, ast.ImportFrom)):
        origin = resolve_name(f"{'.' * node.level}{node.module or ''}", package) if node.level else node.module or ""
        yield from ((origin, alias) for alias in node.names)


@cache
def _read_module(module: str) -> tuple[ast.Module, str] | None:
    """Parse a module; return it with the name of its package."""
    try:
        folder = find_folder(module) if module else None
    except ImportError:
        return None
    if folder is None:
        return None
    last = module.rpartition(".")[2]
    parts = tuple(module.split("."))
    package = folder.parts[-len(parts) :] == parts and (folder / "__init__.py").is_file()
    file = folder / "__init__.py" if package else folder / f"{last}.py"
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    return tree, module if package else module.rpartition(".")[0]
