"""Versions: Python, the packages of this installation, and what they ask of each other."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from benchmarks.doctor.finding import Finding
from zoo import __version__
from zoo.utils.extras import advise_extra
from zoo.utils.machine import DISTRIBUTION, list_extras

_BOUND = ("torch", "torchvision", "lightning", "monai", "transformers", "numpy", "numba")
"""Packages whose requirements are checked too: most broken installations have a torch that does not fit one of them."""


def check_packages() -> Iterator[Finding]:
    """Compare the installed versions with those that this package, and the packages below it, ask for."""
    yield Finding("zoo", f"{__version__}, Python {platform.python_version()}")
    try:
        wanted = _list_requirements(DISTRIBUTION)
    except PackageNotFoundError:
        yield Finding("packages", f"{DISTRIBUTION} is not installed", "Run `pip install -e .` in the checkout.")
        return
    faults = [fault for name in (DISTRIBUTION, *_BOUND) for fault in _find_faults(name)]
    yield from faults
    if not faults:
        yield Finding("packages", f"{len(wanted)} as asked for, torch {version('torch')}")
    for extra, missing in list_extras().items():
        what = f"without {', '.join(missing)}, which only their own options need" if missing else "installed"
        yield Finding(f"extra {extra}", f"{what}. {advise_extra(extra)}" if missing else what)


def _find_faults(name: str) -> Iterator[Finding]:
    try:
        requirements = _list_requirements(name)
    except PackageNotFoundError:  # reported as a requirement of this package
        return
    for one in requirements:
        try:
            found = version(one.name)
        except PackageNotFoundError:
            yield Finding(one.name, f"not installed, but {name} needs it", f"Run `pip install '{one}'`.")
            continue
        if not one.specifier.contains(found, prereleases=True):
            wanted = f"{one.name}{one.specifier}"
            yield Finding(one.name, f"{found}, but {name} needs {wanted}", f"Run `pip install '{wanted}'`.")


def _list_requirements(name: str) -> list[Requirement]:
    """List the requirements of a package on this machine, without those of its extras."""
    every = [Requirement(line) for line in requires(name) or []]
    return [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]
