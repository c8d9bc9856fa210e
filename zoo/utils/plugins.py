"""Finds and imports the code of other packages. A broken package breaks nothing but its own names.

The code of another package may raise anything when it is imported, and may end the process. Here each of these is an
`ImportError` with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import EntryPoint, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OURS = ("zoo", "datamodules", "benchmarks")
"""The packages of this project; an error in their code is a bug and keeps its traceback."""


def list_points(group: str, find: Callable[..., Iterable[EntryPoint]]) -> tuple[list[EntryPoint], dict[str, str]]:
    """List the entry points of a group.

    Args:
        group: The group: "zoo.models".
        find: `importlib.metadata.entry_points`.

    Returns:
        The entry points, and the reason for each installed distribution whose entry points cannot be read.
    """
    try:
        return list(find(group=group)), {}
    except Exception:  # noqa: BLE001 - the metadata of one distribution is broken, and it is found below
        return _list_one_by_one(group)


def _list_one_by_one(group: str) -> tuple[list[EntryPoint], dict[str, str]]:
    points: dict[tuple[str, str], EntryPoint] = {}
    broken: dict[str, str] = {}
    for place, one in enumerate(distributions()):
        try:
            name = str(one.name)
            found = [point for point in one.entry_points if point.group == group]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it is the reason
            name = str(getattr(one, "_path", f"distribution-{place}")).rpartition(os.sep)[2]
            broken[name] = f"{type(error).__name__}: {error}"
            continue
        for point in found:
            points.setdefault((name, point.name), point)  # an earlier folder of the path hides a later one
    return list(points.values()), broken


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
