"""Loss weights that are learned with the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LearnedWeights(nn.Module):
    """Sum of losses weighted by learned homoscedastic uncertainty: L / (2 e^s) + s / 2.

    Kendall et al., "Multi-task learning using uncertainty to weigh losses" (CVPR 2018). The released code of
    BiPVL-Seg starts every s at 0 and adds s, not s / 2. Where s is at rest, a term has the weight 1 / (2 L) here
    and 1 / L there. Every loss must be at least 0; otherwise s would run to minus infinity.

    Args:
        names: Names of the losses.
        whole_penalty: True: L / (2 e^s) + s, as released.
    """

    def __init__(self, names: Sequence[str], whole_penalty: bool = False) -> None:
        super().__init__()
        self.share = 1.0 if whole_penalty else 0.5
        self.log_variance = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in names})

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """Compute the weighted sum. An absent loss gives its weight no gradient."""
        total = torch.zeros((), device=next(self.parameters()).device)
        for name, s in self.log_variance.items():
            # The zero term keeps every parameter in the graph, because different losses may be absent on the ranks.
            total = total + (losses[name] / (2 * s.exp()) + self.share * s if name in losses else 0.0 * s)
        return total
