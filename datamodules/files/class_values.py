"""The classes of a user's data, as a listing or `dataset.yaml` writes them: names and their values in the labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.errors import DataError

_BACKGROUND = frozenset(
    [
        *("", "background", "bg", "unlabeled", "unlabelled", "clear_label"),
        *("none", "nothing", "void", "empty", "outside", "exterior"),
    ]
)
"""Names of the value 0 in snake case."""

_LARGEST = 2**31 - 1  # label files are read as 32-bit integers


def class_values(classes: Any, where: str) -> dict[str, tuple[int, ...]]:
    """Read classes in the form of a card: name in snake case to label values. The background is left out.

    Args:
        classes: Name to one value or several values; 0 is the background. A value is a whole number, or the colour
            "#rrggbb" of a mask, which becomes red * 65536 + green * 256 + blue.
        where: The file or option, for messages.

    Raises:
        DataError: This is no such mapping, two names are the same in snake case, two classes have the same values, the
            background has another value than 0, or 0 is a class.
    """
    missing = DataError(f"{where}: the classes are missing.", "Write `classes: {lesion: [255]}`, values of the masks.")
    if not isinstance(classes, Mapping) or not classes:
        raise missing
    found: dict[str, tuple[int, ...]] = {}
    for name, values in classes.items():
        listed = values if isinstance(values, list | tuple) else [values]
        numbers = [_label_value(value) for value in listed]
        snake = re.sub(r"\W+", "_", str(name).strip().lower()).strip("_")
        if numbers == [0] and snake in _BACKGROUND:
            continue
        if 0 in numbers:
            raise DataError(
                f"{where}: the value 0 belongs to the class '{name}', but 0 is always the background.",
                "Give the class another value in the labels, or call the value 0 `background`.",
            )
        if snake == "background":
            raise DataError(
                f"{where}: the background has the value {values!r}, but it is always 0.",
                "Write 0 for the background in the labels, or give this class another name.",
            )
        if not numbers or not snake or snake in found or None in numbers:
            raise DataError(
                f"{where}: class '{name}': {values!r}.",
                "Give each name its own label values, whole numbers above 0, or colours like '#ff0000'.",
            )
        chosen = tuple(number for number in numbers if number is not None)
        same = next((other for other, of_other in found.items() if set(of_other) == set(chosen)), None)
        if same is not None:
            problem = f"{where}: the classes '{same}' and '{snake}' have the same values {sorted(set(chosen))}."
            raise DataError(problem, "Remove one of them, or correct its values.")
        found[snake] = chosen
    if not found:
        raise missing
    return found


def has_colours(classes: Any, where: str) -> bool:
    """Whether the values of the classes are colours.

    Raises:
        DataError: Some values are colours and some are not.
    """
    groups = classes.values() if isinstance(classes, Mapping) else []
    values = [value for group in groups for value in (group if isinstance(group, list | tuple) else [group])]
    kinds = {_is_colour(value) for value in values if value != 0}
    if len(kinds) > 1:
        raise DataError(f"{where}: some classes are colours and some are numbers.", "Give all of them as one kind.")
    return kinds == {True}


def have_common_value(classes: Mapping[str, Sequence[int]]) -> bool:
    """Whether a value belongs to two classes, whose regions then overlap."""
    values = [value for listed in classes.values() for value in listed]
    return len(set(values)) < len(values)


def _is_colour(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value.strip()) is not None


def _label_value(value: Any) -> int | None:
    """The value of a class as a whole number; None where it is not one."""
    if _is_colour(value):
        return int(value.strip()[1:], 16)
    if isinstance(value, float) and value.is_integer():  # JSON and YAML writers make 1.0 of 1
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else None
