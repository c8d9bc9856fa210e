"""Loss weights that are learned with the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LearnedWeights(nn.Module):
    """Sum of losses weighted by learned homoscedastic uncertainty: L / (2 e^s) + s / 2.

    Kendall et al., "Multi-task learning using uncertainty to weigh losses" (CVPR 2018); used by
    BiPVL-Seg's released code with every s starting at 0. Every loss must be at least 0, or s would
    run to minus infinity.

    Args:
        names: The losses to be weighted.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.log_variance = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in names})

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """The weighted sum; a loss that is absent from this batch gives its weight no gradient."""
        total = torch.zeros((), device=next(self.parameters()).device)
        for name, s in self.log_variance.items():
            # The zero term keeps every parameter in the graph: ranks may differ in what is absent.
            total = total + (losses[name] / (2 * s.exp()) + s / 2 if name in losses else 0.0 * s)
        return total
