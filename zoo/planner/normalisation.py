"""How intensities are normalised: by the training cases for CT, by each image for all others."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.errors import ConfigError
from zoo.planner.summary import CT, DatasetSummary, Intensities

KEPT = 0.75
"""If the crop keeps a smaller share of the voxels, an image is normalised inside the crop's mask only."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """The normalisation of one channel.

    Attributes:
        scheme: "ct" (clip to `intensities`, then subtract their mean and divide by their standard deviation) or
            "z_score" (mean 0 and standard deviation 1 of each image).
        inside_mask: Whether only the voxels above the threshold of the crop count; the others become 0.
        intensities: The foreground intensities of the training cases; None with "z_score".
    """

    scheme: str
    inside_mask: bool = False
    intensities: Intensities | None = None


def choose_normalisation(summary: DatasetSummary) -> tuple[tuple[Normalisation, ...], str]:
    """Choose the normalisation of each channel.

    Returns:
        One normalisation per channel, and the reason in one line.

    Raises:
        ConfigError: The modality is CT, and the summary has no intensities.

    Example:
        >>> from zoo.planner.summary import Grid
        >>> choose_normalisation(DatasetSummary((Grid((18, 237, 208), (5.0, 1.5, 1.5)),), labels=4))[0][0].scheme
        'z_score'
    """
    if summary.modality == CT:
        if not summary.intensities:
            raise ConfigError(
                "The summary of a CT data set has no foreground intensities.", "Run `zoo data stats NAME` again."
            )
        ranges = ", ".join(f"{one.low:g} to {one.high:g}" for one in summary.intensities)
        reason = f"CT has one scale: clip to the foreground's 0.5th and 99.5th percentiles ({ranges}), then z-score"
        return tuple(Normalisation("ct", intensities=one) for one in summary.intensities), reason
    inside = summary.kept < KEPT
    where = (
        f"inside the crop's mask, because the crop keeps {summary.kept:.0%} of the voxels"
        if inside
        else "over all its voxels"
    )
    reason = f"no fixed scale ({summary.modality or 'modality unknown'}): z-score of each image, {where}"
    return (Normalisation("z_score", inside),) * summary.in_channels, reason
