"""What published scorers call an instance, and when two instances match.

Written from the scorers' published descriptions and from their code, which was read: the scorer of ReXGroundingCT
(`rexrank_eval.py`, without its distances) and that of CVPR25-BiomedSegFM (`CVPR25_text_eval.py` of 2025-05-23).
"""

from __future__ import annotations

from dataclasses import dataclass

DICE, IOU, CENTROID, ASSD = "dice", "iou", "centroid", "assd"
"""How two instances are compared: two overlaps, of which more is better, and two distances."""


@dataclass(frozen=True, slots=True)
class InstanceRule:
    """What an instance is, and when two instances match.

    Attributes:
        about: Where the rule is from.
        steps: Most axes along which two neighbouring voxels differ: 1 is 6 neighbours in 3D, 2 is 18, and 3 is 26.
        smallest: Fewest voxels of a predicted component; smaller ones are dropped.
        measure: One of `DICE`, `IOU`, `CENTROID`, `ASSD`.
        threshold: Lowest overlap, or largest distance in units of the largest voxel edge; a pair at it matches.
        most: Most predicted components, the largest ones; None for all.
        greedy: Whether the best pair is matched first, then the best of the others; else as many pairs as possible
            match and, of these matchings, the best sum counts.
    """

    about: str
    steps: int
    smallest: int
    measure: str
    threshold: float
    most: int | None = None
    greedy: bool = False


RULES = {
    "rex": InstanceRule("ReXGroundingCT: instances that overlap by Dice of 0.2 or more", 2, 10, DICE, 0.2, 50, True),
    "rex-focal": InstanceRule("ReXGroundingCT: centroids within two voxels", 2, 10, CENTROID, 2.0, 50, True),
    "rex-diffuse": InstanceRule("ReXGroundingCT: surfaces within two voxels on average", 2, 10, ASSD, 2.0, 50, True),
    "cvpr25": InstanceRule("CVPR25-BiomedSegFM: instances that overlap by IoU of 0.5 or more", 1, 1, IOU, 0.5),
}
"""The rules of published scorers, by name."""
