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
"""Packages whose wishes are checked too: most broken installations have a torch that does not fit to one of them."""


def check_packages() -> Iterator[Finding]:
    """Compare the installed versions with those that this package, and the packages below it, ask for."""
    yield Finding("zoo", f"{__version__}, Python {platform.python_version()}")
    try:
        wanted = _wishes(DISTRIBUTION)
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
        wishes = _wishes(name)
    except PackageNotFoundError:  # reported as a wish of this package
        return
    for wish in wishes:
        try:
            found = version(wish.name)
        except PackageNotFoundError:
            yield Finding(wish.name, f"not installed, but {name} needs it", f"Run `pip install '{wish}'`.")
            continue
        if not wish.specifier.contains(found, prereleases=True):
            wanted = f"{wish.name}{wish.specifier}"
            yield Finding(wish.name, f"{found}, but {name} needs {wanted}", f"Run `pip install '{wanted}'`.")


def _wishes(name: str) -> list[Requirement]:
    """List the requirements of a package on this machine, without those of its extras."""
    every = [Requirement(line) for line in requires(name) or []]
    return [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]
