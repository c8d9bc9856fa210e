"""The hash of code follows what is computed, and not where or how the code is written."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from zoo.utils.code_hash import hash_code

MAIN = """
import math
from .helpers import Base, shift
from . import helpers

FACTOR = 2
NAMES = {"b": (1, 2.5), "a": None}


def scale(x):
    if x is None:
        raise ValueError("nothing to scale")
    return shift(x) * FACTOR + len(NAMES)


def by_module(x):
    return helpers.shift(x) + helpers.STEP


def by_local_import(x):
    from .helpers import shift

    return shift(x)


class Scaler(Base):
    factor = 3

    def run(self, x):
        FACTOR = 1
        return x * self.factor * FACTOR

    def again(self, x):
        return FACTOR * x
"""

HELPERS = """
STEP = 1


def shift(x):
    return x + STEP


class Base:
    def begin(self):
        return STEP
"""

NUMBERS = count()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Import a package of two modules; each call makes a package of its own."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)

    def write(main: str = MAIN, helpers: str = HELPERS, name: str = "main") -> ModuleType:
        package = tmp_path / f"package{next(NUMBERS)}"
        package.mkdir()
        (package / "__init__.py").write_text("", encoding="utf-8")
        (package / f"{name}.py").write_text(main, encoding="utf-8")
        (package / "helpers.py").write_text(helpers, encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(f"{package.name}.{name}")

    yield write
    for name in set(sys.modules) - known:
        del sys.modules[name]


SUBJECTS = ("scale", "by_module", "by_local_import", "Scaler")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_move_to_another_module_keeps_the_hash(make: Callable[..., ModuleType], subject: str) -> None:
    here, there = make(), make(name="elsewhere")
    assert here.__name__ != there.__name__
    assert hash_code([getattr(here, subject)]) == hash_code([getattr(there, subject)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def scale(x):", '# why\ndef scale(x: float) -> float:\n    """Scale it."""'),
        (
            "return shift(x) * FACTOR + len(NAMES)",
            "return (\n        shift(x) * FACTOR  # twice\n        + len(NAMES)\n    )",
        ),
        ("import math\n", "import os\nimport math as m\n"),
        ("FACTOR = 2", "FACTOR: int = 2\n\nUNUSED = 5"),
        ('"nothing to scale"', '"There is no value to scale."'),
        ('NAMES = {"b"', "NAMES = {'b'"),
        ("    factor = 3", '    """Scales."""\n\n    factor: int = 3'),
    ],
)
def test_what_computes_nothing_does_not_count(make: Callable[..., ModuleType], old: str, new: str) -> None:
    assert old in MAIN
    before, after = make(), make(MAIN.replace(old, new, 1))
    for subject in ("scale", "Scaler"):
        assert hash_code([getattr(before, subject)]) == hash_code([getattr(after, subject)])


@pytest.mark.parametrize(
    ("subject", "old", "new"),
    [
        ("scale", "FACTOR = 2", "FACTOR = 3"),
        ("scale", "(1, 2.5)", "(1, 2.6)"),
        ("scale", "* FACTOR +", "* FACTOR -"),
        ("scale", "x is None", "x is not None"),
        ("Scaler", "factor = 3", "factor = 4"),
        ("Scaler", "FACTOR = 2", "FACTOR = 3"),  # also where another method has a local variable of this name
    ],
)
def test_a_changed_line_or_constant_changes_the_hash(
    make: Callable[..., ModuleType], subject: str, old: str, new: str
) -> None:
    assert old in MAIN
    before, after = make(), make(MAIN.replace(old, new, 1))
    assert hash_code([getattr(before, subject)]) != hash_code([getattr(after, subject)])


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_changed_helper_or_base_class_changes_the_hash(make: Callable[..., ModuleType], subject: str) -> None:
    before, after = make(), make(helpers=HELPERS.replace("STEP = 1", "STEP = 2"))
    assert hash_code([getattr(before, subject)]) != hash_code([getattr(after, subject)])


def test_what_is_left_out_does_not_count(make: Callable[..., ModuleType]) -> None:
    before, after = make(), make(helpers=HELPERS.replace("return STEP", "return 5"))
    assert hash_code([before.Scaler]) != hash_code([after.Scaler])
    base = [sys.modules[f"{module.__package__}.helpers"].Base for module in (before, after)]
    assert hash_code([before.Scaler], base[:1]) == hash_code([after.Scaler], base[1:])


def test_code_without_source_counts_by_what_it_does() -> None:
    def run(text: str) -> Any:
        names: dict[str, Any] = {"__name__": "typed_in"}
        exec(text, names)  # noqa: S102 - as an interpreter does it
        return names["Reader"]

    text = "class Reader:\n    drop = 1\n    def image(self, x):\n        return x in {'a', 'b', 3}\n"
    assert hash_code([run(text)]) == hash_code([run(text)])
    for old, new in (("drop = 1", "drop = 2"), ("'b'", "'c'"), ("x in", "x not in")):
        assert hash_code([run(text)]) != hash_code([run(text.replace(old, new))])


def test_a_replaced_method_changes_the_hash(make: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    module = make()
    before = hash_code([module.Scaler])
    monkeypatch.setattr(module, "FACTOR", 7)
    changed = hash_code([module.Scaler])
    assert changed != before
    monkeypatch.undo()
    assert hash_code([module.Scaler]) == before
