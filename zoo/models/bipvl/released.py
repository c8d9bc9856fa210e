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
        whole_penalty: True: the learned weights add s per term. False: s / 2, as in their paper; see `LearnedWeights`.
        first_token: True: the alignment reads the first token of a concept, which is BERT's CLS. False: the pooled
            vector, which is the mean for a BERT.

    Example:
        >>> BiPVLReleased(network=True).freeze_fusion
        False
    """

    network: bool = False
    freeze_fusion: bool = False
    whole_penalty: bool = False
    first_token: bool = False
