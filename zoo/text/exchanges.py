"""Exchanges of reports among the queries of images: with another image, or within an image.

The first asks whether a model reads the text at all. The second asks whether the words choose among the findings of one
image. No torch here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    own = _of_images(reports)

    def is_new(key: CaseKey, other: CaseKey) -> bool:
        return reports[other] not in own[key.case_id]

    def differs(key: CaseKey, other: CaseKey) -> bool:
        return reports[other] != reports[key]

    return _exchange(reports, seed, (is_new, differs), "shuffled")


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

    def fits(key: CaseKey, other: CaseKey) -> bool:
        return other.case_id == key.case_id and reports[other] != reports[key]

    inside = _exchange(several, seed, (fits,), "exchanged")
    alone = reports if len(inside) < len(reports) else {}
    return {**(from_other_images(alone, seed) if alone else {}), **inside}


def _of_images(reports: Mapping[CaseKey, str]) -> dict[str, set[str]]:
    """The distinct reports of each image."""
    found: dict[str, set[str]] = {}
    for key, report in reports.items():
        found.setdefault(key.case_id, set()).add(report)
    return found


def _exchange(
    reports: Mapping[CaseKey, str], seed: int, rules: Sequence[Callable[[CaseKey, CaseKey], bool]], control: str
) -> dict[CaseKey, str]:
    """Give every query the report of the next query that fits, in one seeded order; the first rule comes first."""
    keys = sorted(reports)
    order = [keys[place] for place in np.random.default_rng((seed, 0x7E47)).permutation(len(keys)).tolist()]
    exchanged = {}
    for place, key in enumerate(order):
        following = [*order[place + 1 :], *order[:place]]
        other = next((one for rule in rules for one in following if rule(key, one)), None)
        if other is None:
            raise NotApplicableError(f"text '{control}': there is no other report for {key}.", "Use --data.text blank.")
        exchanged[key] = reports[other]
    return exchanged
