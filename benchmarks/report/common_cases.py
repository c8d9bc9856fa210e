"""The same case for each model: pictures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.report.gallery import Gallery, Picture

SHOWN = 3
"""Number of cases where no test has drawn common cases."""


@dataclass(frozen=True, slots=True)
class CommonCase:
    """One case with the pictures of several models.

    Attributes:
        name: The case, with its query where there is one.
        view: The slice of the pictures, empty for an image.
        text: The report of the case, None where the data set has no reports.
        pictures: (model, its picture), in the order of the ranking.
    """

    name: str
    view: str
    text: str | None
    pictures: Sequence[tuple[str, Picture]]


def find_common_cases(galleries: Sequence[Gallery]) -> list[CommonCase]:
    """Find the cases of which two models or more have a picture.

    The cases that `zoo test` draws for every model come first. Tests of older versions have none; of these, the cases
    that most models have drawn are shown.

    Args:
        galleries: The pictures of each model.
    """
    drawn = {one.name: _pictures_of(one) for one in galleries if not one.note}
    kept = {(one.case_id, one.query) for gallery in galleries for one in gallery.common}
    shared = _list_shared(drawn)
    chosen = [key for key in shared if key in kept] or shared[:SHOWN]
    return [_make_case([(name, of[key]) for name, of in drawn.items() if key in of]) for key in sorted(chosen)]


def _pictures_of(gallery: Gallery) -> dict[tuple[str, str], Picture]:
    pictures = [*gallery.common, *(one for _, ones in gallery.kinds for one in ones)]
    return {(one.case_id, one.query): one for one in pictures}


def _list_shared(drawn: Mapping[str, Mapping[tuple[str, str], Picture]]) -> list[tuple[str, str]]:
    """Return the cases that two models or more have drawn, those of most models first."""
    counts = {key: sum(key in of for of in drawn.values()) for of in drawn.values() for key in of}
    return sorted((key for key, count in counts.items() if count > 1), key=lambda key: (-counts[key], key))


def _make_case(pictures: Sequence[tuple[str, Picture]]) -> CommonCase:
    first = pictures[0][1]
    return CommonCase(first.name, first.view, first.text, pictures)
