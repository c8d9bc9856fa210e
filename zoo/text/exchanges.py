"""Exchanges of reports among the queries of images: with another image, or within an image.

The first asks whether a model reads the text at all. The second asks whether the words choose among the findings of one
image. No torch here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from zoo.errors import NotApplicableError
from zoo.types import CaseKey


def from_other_images(reports: Mapping[CaseKey, str], seed: int = 0) -> dict[CaseKey, str]:
    """Give every query the report of a query of another image: one that no query of its own image has, if there is one.

    Args:
        reports: The report of each query.
        seed: Seed of the exchange.

    Raises:
        NotApplicableError: All reports are the same string.

    Example:
        >>> one, two = CaseKey("a", "0"), CaseKey("b", "0")
        >>> from_other_images({one: "Left nodule.", two: "Right nodule."})[one]
        'Right nodule.'
    """
    own, distinct = _of_images(reports), len(set(reports.values()))

    def fits(key: CaseKey, other: CaseKey) -> bool:
        known = own[key.case_id]
        return reports[other] not in known if len(known) < distinct else reports[other] != reports[key]

    return _exchange(reports, [_shuffle(reports, seed)], fits, "shuffled")


def within_images(reports: Mapping[CaseKey, str], seed: int = 0) -> dict[CaseKey, str]:
    """Give every query the report of another query of its image; the only report of an image becomes another image's.

    Args:
        reports: The report of each query.
        seed: Seed of the exchange.

    Raises:
        NotApplicableError: No image has two queries with different reports.

    Example:
        >>> one, two = CaseKey("a", "0"), CaseKey("a", "1")
        >>> within_images({one: "Left nodule.", two: "Right nodule."})[one]
        'Right nodule.'
    """
    own = _of_images(reports)
    several = {key: report for key, report in reports.items() if len(own[key.case_id]) > 1}
    if not several:
        raise NotApplicableError(
            "text 'exchanged': no image has two queries with different reports.", "Use --data.text shuffled instead."
        )

    of_image: dict[str, list[CaseKey]] = {}
    for key in _shuffle(several, seed):
        of_image.setdefault(key.case_id, []).append(key)
    inside = _exchange(several, of_image.values(), lambda key, other: reports[other] != reports[key], "exchanged")
    alone = reports if len(inside) < len(reports) else {}
    return {**(from_other_images(alone, seed) if alone else {}), **inside}


def _of_images(reports: Mapping[CaseKey, str]) -> dict[str, set[str]]:
    """The distinct reports of each image."""
    found: dict[str, set[str]] = {}
    for key, report in reports.items():
        found.setdefault(key.case_id, set()).add(report)
    return found


def _shuffle(reports: Mapping[CaseKey, str], seed: int) -> list[CaseKey]:
    """The queries in a seeded order, whatever their order was."""
    keys = sorted(reports)
    return [keys[place] for place in np.random.default_rng((seed, 0x7E47)).permutation(len(keys)).tolist()]


def _exchange(
    reports: Mapping[CaseKey, str],
    rings: Iterable[Sequence[CaseKey]],
    fits: Callable[[CaseKey, CaseKey], bool],
    control: str,
) -> dict[CaseKey, str]:
    """Give every query the report of the next query that fits, in the ring that it is in.

    Args:
        reports: The report of each query.
        rings: Queries in their order. The first of a ring follows the last.
        fits: Whether a query may get the report of another one.
        control: Name of the text control, for messages.

    Raises:
        NotApplicableError: No query of a ring fits.
    """
    exchanged = {}
    for ring in rings:
        for place, key in enumerate(ring):
            following = (ring[(place + step) % len(ring)] for step in range(1, len(ring)))
            other = next((one for one in following if fits(key, one)), None)
            if other is None:
                problem = f"text '{control}': there is no other report for {key}."
                raise NotApplicableError(problem, "Use --data.text blank.")
            exchanged[key] = reports[other]
    return exchanged
