"""Scores two masks as the scorers of two challenges do: `rexgroundingct` and `cvpr25`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.class_masks import objects
from zoo.metrics.conventions import CVPR25, REX
from zoo.metrics.instance_rules import RULES
from zoo.metrics.instances import count_instances, count_matches, pair_masks
from zoo.metrics.scorer_fields import CVPR25_FIELDS, REX_DISTANCE, REX_FIELDS
from zoo.types import InstanceFacts, LabelSpace

_EPSILON = 1e-6
"""Added to both terms of a Dice by the scorer of ReXGroundingCT."""


def add_scorers(
    rows: Sequence[CaseScore],
    mask: NDArray[np.uint8],
    label: NDArray[np.uint8],
    labels: LabelSpace,
    spacing: Sequence[float],
    conventions: Collection[str],
    facts: InstanceFacts | None = None,
) -> list[CaseScore]:
    """Return the rows of a case with the fields of the scorers that are asked for.

    Args:
        rows: One row per class, in the order of the label space.
        mask: The prediction: 0..K of shape S where classes are exclusive, else {0, 1} of shape (K, *S).
        label: The label, in the same layout.
        labels: The label space.
        spacing: Size of a voxel along each axis of S.
        conventions: Names of conventions; those that are no scorers are left out.
        facts: What is known of the instances of the label; of a label space of one class.

    Raises:
        DataError: The numbered instances are not those of the label.
    """
    numbered = facts is not None and facts.numbers is not None
    pairs: list[tuple[NDArray[Any], NDArray[Any]]]
    pairs = [(prediction, truth) for prediction, truth, _ in ([] if numbered else objects(mask, label, labels))]
    if facts is not None and facts.numbers is not None:
        flat = (mask, label) if labels.exclusive else (mask[0], label[0])
        if len(rows) != 1 or not np.array_equal(facts.numbers > 0, flat[1] > 0):
            raise DataError(
                f"Case {rows[0].case_id}: its numbered instances are not its label.", "Run `zoo data verify`."
            )
        pairs = [(flat[0], facts.numbers)]
    found = []
    for row, (prediction, truth) in zip(rows, pairs, strict=True):
        fields: dict[str, Any] = {}
        if REX in conventions:
            fields |= score_by_rex(prediction, truth, spacing, numbered, None if facts is None else facts.focal)
        if CVPR25 in conventions and (facts is None or facts.objects is not False):
            counts = count_instances(prediction, truth, RULES["cvpr25"], spacing, numbered)
            fields |= dict(zip(CVPR25_FIELDS, counts, strict=True))
        found.append(replace(row, **fields))
    return found


def score_by_rex(
    prediction: NDArray[np.generic],
    truth: NDArray[np.generic],
    spacing: Sequence[float],
    numbered: bool = False,
    focal: bool | None = None,
) -> dict[str, Any]:
    """Score two masks in the convention of ReXGroundingCT: `REX_FIELDS`, the distances where `focal` is known.

    Args:
        prediction: Mask of 0 and 1, [*S].
        truth: Mask of the label, [*S].
        spacing: Size of a voxel along each axis of S.
        numbered: Whether each value of `truth` above 0 is one instance; else its components are the instances.
        focal: Whether the finding is focal, so that centroids are compared, or not, so that surfaces are.

    Example:
        >>> truth = np.ones((3, 3, 3), np.uint8)
        >>> score_by_rex(truth, truth, (1.0, 1.0, 1.0), focal=True)["rex_distance_tp"]
        1
    """
    pairs = pair_masks(prediction, truth, RULES["rex"], numbered)
    voxels = int(pairs.sizes.sum() + pairs.true_sizes.sum())
    dice = (2 * int(pairs.shared.sum()) + _EPSILON) / (voxels + _EPSILON)  # 1 where both are empty
    fields = dict(zip(REX_FIELDS, (dice, *count_matches(pairs, RULES["rex"], spacing)[:3]), strict=False))
    if focal is not None:
        by_distance = count_matches(pairs, RULES["rex-focal" if focal else "rex-diffuse"], spacing)
        fields |= dict(zip(REX_DISTANCE, by_distance[:3], strict=True))
    return fields
