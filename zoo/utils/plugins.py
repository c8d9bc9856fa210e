"""Finds and imports the code of other packages. A broken package breaks nothing but its own names.

The code of another package may raise anything when it is imported, and may end the process. Here each of these is an
`ImportError` with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OURS = ("zoo", "datamodules", "benchmarks")
"""The packages of this project; an error in their code is a bug and keeps its traceback."""


def find_folder(module: str) -> Path | None:
    """Find the folder of a module without importing it or a package above it; None if there is no such module.

    Raises:
        ImportError: The module cannot be searched for.
    """
    first, *rest = module.split(".")
    try:
        spec = find_spec(first)
    except Exception as error:
        raise ImportError(f"{type(error).__name__}: {error}") from error
    if spec is None:
        return None
    if spec.submodule_search_locations is None:  # a module of one file has no modules in it
        return Path(spec.origin).parent if spec.has_location and spec.origin and not rest else None
    for place in (Path(location, *rest) for location in spec.submodule_search_locations):
        if place.is_dir():
            return place
        if place.with_name(f"{place.name}.py").is_file():
            return place.parent
    return None


def import_object(path: str) -> Any:
    """Import an object by its dotted path.

    Args:
        path: The module and the name: "mynet.MyNet".

    Raises:
        ImportError: The module cannot be imported, ends the process, or has no such name.
    """
    module, _, name = path.rpartition(".")
    if not (module and name):
        raise ImportError(f"'{path}' is no dotted path")
    try:
        with _exit_refused():
            found = import_module(module)
    except (Exception, SystemExit) as error:
        if module.partition(".")[0] in OURS and not isinstance(error, ImportError | SystemExit | ValueError):
            raise
        raise ImportError(f"{type(error).__name__}: {error}") from error
    if not hasattr(found, name):
        raise ImportError(f"the module '{module}' has no '{name}'")
    return getattr(found, name)


@contextmanager
def _exit_refused() -> Iterator[None]:
    """Turn `os._exit` into `SystemExit`, so that the process cannot end with exit code 0 and nothing done."""
    leave, owner = os._exit, os.getpid()

    def refuse(code: int) -> Any:
        if os.getpid() != owner:  # a process that was forked during the import may end
            leave(code)
        raise SystemExit(code)

    os._exit = refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = leave
