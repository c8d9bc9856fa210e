"""Text controls: the true text, the text of another case, empty text, or the names of the classes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from zoo.errors import NotApplicableError
from zoo.types import ClassPrompt

T = TypeVar("T", bound=Hashable)
K = TypeVar("K", bound=Hashable)
CONTROLS = ("true", "shuffled", "blank", "names")


def plain(name: str) -> str:
    """The name of a class in plain words: "right kidney"."""
    return name.replace("_", " ")


def control_reports(reports: Mapping[K, str], control: str, seed: int = 0, names: Sequence[str] = ()) -> dict[K, str]:
    """The reports of cases under a text control.

    "shuffled" exchanges the distinct strings in one seeded cycle. Every case gets a string that differs from its own,
    and equal reports stay equal.

    Args:
        reports: The report of each case, by its key.
        control: One of `CONTROLS`.
        seed: Seed of the exchange.
        names: The names of the classes, which are the report of every case under "names".

    Raises:
        NotApplicableError: The control is "shuffled", and all reports are the same string.
    """
    if control == "blank":
        return dict.fromkeys(reports, "")
    if control == "names":
        return dict.fromkeys(reports, ", ".join(map(plain, names)))
    if control == "true":
        return dict(reports)
    distinct = sorted(set(reports.values()))
    if len(distinct) < 2:
        raise NotApplicableError("text 'shuffled': all reports are the same string.", "Use --data.text blank instead.")
    exchange = _cycle(distinct, seed)
    return {key: exchange[report] for key, report in reports.items()}


def control_classes(classes: tuple[ClassPrompt, ...], control: str, seed: int = 0) -> tuple[ClassPrompt, ...]:
    """The class prompts under a text control; name, sentence and concepts stay together.

    Under "names", the sentence and each concept are the plain name of the class, so that a model gets as many texts as
    in training.

    Raises:
        NotApplicableError: The control is "shuffled", and there is only one class or two classes have the same text.
    """
    if control == "blank":
        return tuple(ClassPrompt("", "", ("",) * len(prompt.concepts)) for prompt in classes)
    if control == "names":
        return tuple(
            ClassPrompt(prompt.name, plain(prompt.name), (plain(prompt.name),) * len(prompt.concepts))
            for prompt in classes
        )
    if control == "true":
        return classes
    if len(set(classes)) < max(2, len(classes)):
        raise NotApplicableError(
            f"text 'shuffled': {len(classes)} class prompt(s) and no reports: there is nothing to exchange.",
            "Use --data.text blank instead.",
        )
    exchange = _cycle(classes, seed)
    return tuple(exchange[prompt] for prompt in classes)


def _cycle(things: Sequence[T], seed: int) -> dict[T, T]:
    """A random permutation in one cycle, so that nothing keeps its place."""
    order = np.random.default_rng((seed, 0x7E47)).permutation(len(things)).tolist()
    following = order[1:] + order[:1]
    return {things[here]: things[there] for here, there in zip(order, following, strict=True)}
