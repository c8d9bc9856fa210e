"""Public names of a package that are imported at first use (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(package: str, exports: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose public names load their modules at first use.

    The listing commands import packages and must not load torch, therefore no package imports its classes at once.

    Args:
        package: `__name__` of the package.
        exports: Public name -> the module that defines it.

    Returns:
        The two functions, to be bound to `__getattr__` and `__dir__` in the package.

    >>> get, names = lazy_exports("mypackage", {"OrderedDict": "collections"})
    >>> get("OrderedDict").__name__, names()
    ('OrderedDict', ['OrderedDict'])
    """

    def get(name: str) -> Any:
        if name not in exports:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(exports[name]), name)

    return get, lambda: sorted(exports)
