"""`BiPVLReleased`, the switches that restore the behaviour of BiPVL-Seg's released code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BiPVLReleased:
    """Switches that restore the behaviour of BiPVL-Seg's released code.

    Attributes:
        network: True: the network of the released code, with its two-way blocks, skips taken before the fusion,
            the last fusion dropped, and concepts that never see the image. Its fusion is trained and its losses
            are those of `BiPVL`, because the released losses have known mistakes.
        freeze_fusion: True: the fusion keeps its random weights, as the released code leaves it out of the optimiser.

    Example:
        >>> BiPVLReleased(network=True).freeze_fusion
        False
    """

    network: bool = False
    freeze_fusion: bool = False
