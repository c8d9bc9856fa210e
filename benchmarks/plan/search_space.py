"""The space of `zoo bench tune` and its points: a scrambled Sobol sequence, equal for all models. No torch here.

The points do not depend on the results. So all models see the same points, trials run in any order and at once, and a
search can be continued. `scipy.stats.qmc`, which is installed anyway, has the sequence. Optuna would add a database
layer, and its adaptive samplers would give each model other points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError
from zoo.registry import CONFIGS, read_yaml
from zoo.utils.typed_content import read_content

DEFAULT = CONFIGS / "tune" / "default.yaml"
"""The space of the zoo."""

OWN_TERM = "own_term"
"""Name of the dimension that stands for the weight of a model's own loss term."""

MOST_TRIALS = 1024
"""The largest number of trials per model."""

Value = float | str | bool | int


@dataclass(frozen=True, slots=True)
class Dimension:
    """The values of one argument; exactly one of the three is given.

    Attributes:
        log: Lowest and highest value, evenly in the logarithm.
        linear: Lowest and highest value, evenly.
        choices: The values.
    """

    log: tuple[float, ...] = ()
    linear: tuple[float, ...] = ()
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: Not one of the three is given, or the ends are none.
        """
        if [bool(self.log), bool(self.linear), bool(self.choices)].count(True) != 1:
            raise ValueError("log, linear, choices: exactly one of the three is needed")
        ends = self.log or self.linear
        if ends and not (len(ends) == 2 and ends[0] < ends[1]):
            raise ValueError(f"{'log' if self.log else 'linear'} is {list(ends)}, not [low, high]")
        if self.log and self.log[0] <= 0:
            raise ValueError(f"log is {list(self.log)}, and a logarithm needs values above 0")
        if not all(isinstance(value, str | bool | int | float) for value in self.choices):
            raise ValueError("choices has a value that is no text, number, true or false")

    def value_at(self, place: float) -> Value:
        """Return the value at a place in [0, 1), numbers with three significant digits.

        Example:
            >>> Dimension(log=(1e-4, 1e-2)).value_at(0.5), Dimension(choices=("image", "batch")).value_at(0.7)
            (0.001, 'batch')
        """
        if self.choices:
            chosen: Value = self.choices[int(place * len(self.choices))]
            return chosen
        low, high = self.log or self.linear
        value = low * (high / low) ** place if self.log else low + (high - low) * place
        return float(f"{value:.3g}")

    def to_dict(self) -> dict[str, Any]:
        """Convert to the form of the file."""
        given = {"log": self.log, "linear": self.linear, "choices": self.choices}
        return {key: list(values) for key, values in given.items() if values}


@dataclass(frozen=True, slots=True)
class Space:
    """The space of a search.

    Attributes:
        space: Argument of the model -> its dimension; the same for all models.
        own_term: The weight of the model's own loss term; None where it keeps the value of the card.
        about: The space in one line.
    """

    space: Mapping[str, Dimension]
    own_term: Dimension | None = None
    about: str = ""

    def __post_init__(self) -> None:
        """Check the names.

        Raises:
            ValueError: There is no dimension, or a name has the prefix of the command line.
        """
        if not self.space:
            raise ValueError("space is empty")
        wrong = [key for key in self.space if key.startswith("model.") or not all(key.split("."))]
        if wrong:
            raise ValueError(f"space has {wrong[0]}: write the argument alone, such as `lr` or `loss.dice_per`")

    def points(self, trials: int, seed: int) -> list[dict[str, Value]]:
        """Return the values of each trial by dimension, `OWN_TERM` included.

        The first points of a longer search are those of a shorter one.

        Args:
            trials: Number of trials.
            seed: Seed of the sequence.
        """
        from scipy.stats import qmc

        dimensions = {**self.space, **({OWN_TERM: self.own_term} if self.own_term else {})}
        sequence = qmc.Sobol(len(dimensions), scramble=True, rng=seed)
        places = sequence.random_base2((trials - 1).bit_length())[:trials].tolist()
        return [
            {name: one.value_at(place) for (name, one), place in zip(dimensions.items(), row, strict=True)}
            for row in places
        ]

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain Python, for the recipes."""
        own = {OWN_TERM: self.own_term.to_dict()} if self.own_term else {}
        return {"space": {name: one.to_dict() for name, one in self.space.items()}, **own}


def read_space(path: Path = DEFAULT) -> Space:
    """Read the file of a space.

    Raises:
        ConfigError: The file cannot be read, or it is no space. The message gives the file, the key and the mistake.
    """
    space = read_content(Space, read_yaml(path), str(path), "file")
    twice = OWN_TERM in space.space
    if twice:
        raise ConfigError(
            f"{path}: space.{OWN_TERM}: no argument has this name.", f"Write `{OWN_TERM}:` beside `space:`."
        )
    return space
