"""Every public class and function has an example, and every example of the packages runs."""

from __future__ import annotations

import doctest
import inspect
from importlib import import_module
from pathlib import Path

import pytest

from datamodules import SegDataModule
from tests.helpers.paths import REPOSITORY
from tests.helpers.public_packages import PACKAGES

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public_names() -> list[str]:
    """The full names of all classes and functions that a package exports."""
    packages = [(name, import_module(name)) for name in PACKAGES]
    names = [f"{name}.{one}" for name, package in packages for one in getattr(package, "__all__", ())]
    return [name for name in names if inspect.isclass(found(name)) or inspect.isfunction(found(name))]


def found(name: str) -> object:
    package, _, own = name.rpartition(".")
    return getattr(import_module(package), own)


def modules_with_examples() -> list[str]:
    files = [file for top in ("zoo", "datamodules", "benchmarks") for file in sorted((REPOSITORY / top).rglob("*.py"))]
    return [module_name(file) for file in files if ">>>" in file.read_text(encoding="utf-8")]


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", public_names())
def test_every_public_name_has_an_example(name: str) -> None:
    """A data set whose files the user must fetch may have the example of `SegDataModule`."""
    thing = found(name)
    documented = [thing]
    if inspect.isclass(thing) and issubclass(thing, SegDataModule):
        documented.append(SegDataModule)
    assert any(
        ">>>" in (vars(one).get("__doc__") or "") if inspect.isclass(one) else ">>>" in (one.__doc__ or "")
        for one in documented
    )


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_a_module_run(name: str) -> None:
    result = doctest.testmod(import_module(name), optionflags=FLAGS)
    assert result.failed == 0
    assert result.attempted > 0
