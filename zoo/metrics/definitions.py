"""The metrics: one list that the score files, the means and the documentation read.

To add a metric, add an entry to `METRICS` and a field to `MetricValues` here, and compute it in
`zoo.metrics.distance_kernels` (from borders) or in `zoo.metrics.scoring` (from counts). Then copy the row that
`tests/zoo/metrics/test_definitions.py` prints into `docs/metrics.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric is called, what its values mean and which value is the worst.

    Attributes:
        key: Name of the CSV column and of the field of `MetricValues`.
        title: Name in tables.
        unit: "" for a ratio; "distance" for a length in mm, or in px where the file has no spacing.
        direction: "higher" or "lower": the better values.
        worst: Value of a missed or spurious object: a number, or "diagonal" for the diagonal of the image.
        doc: Definition in one line of Markdown.
        cite: Keys of `configs/citations.yaml`; `zoo bench cite` writes them.

    Example:
        >>> METRICS[0].key, METRICS[0].worst_value(diagonal=5.0)
        ('dice', 0.0)
        >>> METRICS[1].key, METRICS[1].worst_value(diagonal=5.0)
        ('hd95', 5.0)
    """

    key: str
    title: str
    unit: Literal["", "distance"]
    direction: Literal["higher", "lower"]
    worst: float | Literal["diagonal"]
    doc: str
    cite: tuple[str, ...] = ()

    def worst_value(self, diagonal: float) -> float:
        """Return the value of a missed or spurious object.

        Args:
            diagonal: Diagonal of the image, in the unit of the distances.
        """
        return diagonal if self.worst == "diagonal" else self.worst

    def limit(self, value: float, diagonal: float) -> float:
        """Return the value, or the worst value where rounding made it worse than that.

        Args:
            value: Value of an object that both masks contain.
            diagonal: Diagonal of the image, in the unit of the distances.
        """
        worst = self.worst_value(diagonal)
        return min(value, worst) if self.direction == "lower" else max(value, worst)


METRICS = (
    Metric("dice", "Dice", "", "higher", 0.0, "2 tp / (2 tp + fp + fn)", ("dice1945measures",)),
    Metric(
        "hd95",
        "HD95",
        "distance",
        "lower",
        "diagonal",
        "the larger of the two directed 95th percentiles of the border distances "
        "(convention of MONAI and Metrics Reloaded)",
        ("huttenlocher1993comparing",),
    ),
    Metric(
        "hd95_pooled",
        "HD95 pooled",
        "distance",
        "lower",
        "diagonal",
        "the 95th percentile of the border distances of both directions together (convention of medpy)",
        ("huttenlocher1993comparing",),
    ),
    Metric(
        "nsd",
        "NSD",
        "",
        "higher",
        0.0,
        "share of the border voxels of both masks within the tolerance of the other border "
        "(the data card gives the tolerance)",
        ("nikolov2018deep",),
    ),
    Metric(
        "assd",
        "ASSD",
        "distance",
        "lower",
        "diagonal",
        "mean of the border distances of both directions together",
        ("heimann2009comparison",),
    ),
)
"""All metrics, in the order of the columns of `cases.csv`."""

VOXELS = ("hd95_voxels", "hd95_pooled_voxels")
"""Fields of a row that the conventions of other papers need. No leaderboard shows them; older files lack them."""

SURFELS = ("hd95_surfels", "nsd_surfels")
"""Fields of a row in the convention of surface-distance."""

METRIC_KEYS = tuple(metric.key for metric in METRICS)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricValues(Generic[T]):
    """One value of each metric; the fields are the keys of `METRICS`, whose entries define them.

    Example:
        >>> MetricValues(dice=0.9, hd95=2.0, hd95_pooled=1.5, nsd=0.8, assd=0.7).dice
        0.9
    """

    dice: T
    hd95: T
    hd95_pooled: T
    nsd: T
    assd: T


def dice_of_counts(tp: int, fp: int, fn: int) -> float:
    """Compute the Dice of counts of voxels; NaN where neither mask has a voxel.

    Args:
        tp: Number of voxels in both masks.
        fp: Number of voxels in the prediction only.
        fn: Number of voxels in the label only.

    Example:
        >>> dice_of_counts(1, 1, 1)
        0.5
    """
    total = 2 * tp + fp + fn
    return 2 * tp / total if total else math.nan


def iou_of_counts(tp: int, fp: int, fn: int) -> float:
    """Compute the Jaccard index of counts of voxels; NaN where neither mask has a voxel.

    Args:
        tp: Number of voxels in both masks.
        fp: Number of voxels in the prediction only.
        fn: Number of voxels in the label only.

    Example:
        >>> iou_of_counts(1, 1, 2)
        0.25
    """
    total = tp + fp + fn
    return tp / total if total else math.nan


def absent_values() -> dict[str, float]:
    """Return NaN for each metric: the values of an object that neither mask contains."""
    return dict.fromkeys(METRIC_KEYS, math.nan)


def worst_values(diagonal: float) -> dict[str, float]:
    """Return the values of a missed or spurious object.

    Args:
        diagonal: Diagonal of the image, in the unit of the distances.
    """
    return {metric.key: metric.worst_value(diagonal) for metric in METRICS}
