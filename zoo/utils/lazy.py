"""Public names of a package: imported at first use (PEP 562), and the public path of a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(package: str, exports: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package whose public names load their modules at first use.

    The listing commands import packages and must not load torch. Therefore no package imports its classes at once.

    Args:
        package: `__name__` of the package.
        exports: Public name -> the module that defines it.

    Returns:
        The two functions; the package assigns them to `__getattr__` and `__dir__`.

    Example:
        >>> get, names = lazy_exports("mypackage", {"OrderedDict": "collections"})
        >>> get("OrderedDict").__name__, names()
        ('OrderedDict', ['OrderedDict'])
    """

    def get(name: str) -> Any:
        if name not in exports:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(exports[name]), name)

    return get, lambda: sorted(exports)


def public_path(kind: type, path: str) -> str:
    """Return the path of a class by the outermost package that exports it in `__all__`; else `path`.

    The identity of a run has this path, so that a class may move to another module of its package.

    Args:
        kind: The class.
        path: A path that leads to the class.

    Example:
        >>> from zoo.types import LabelSpace
        >>> public_path(LabelSpace, "zoo.types.LabelSpace")
        'zoo.LabelSpace'
    """
    parts = path.split(".")
    for depth in range(1, len(parts)):
        package = import_module(".".join(parts[:depth]))
        if kind.__name__ in getattr(package, "__all__", ()) and getattr(package, kind.__name__) is kind:
            return f"{package.__name__}.{kind.__name__}"
    return path
