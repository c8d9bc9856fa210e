"""Three convolutions of kernel size 1, whose weights a network generates per image and class.

Zhang et al., "DoDNet: Learning to segment multi-organ and tumors from multiple partially labeled datasets" (CVPR 2021).
"""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH = 8
"""Channels of the generated layers, as in DoDNet and in the CLIP-driven universal model."""

SHAPES = ((WIDTH, WIDTH), (WIDTH, WIDTH), (1, WIDTH))
"""Outputs and inputs of the three generated layers."""

SIZE = sum(rows * columns + rows for rows, columns in SHAPES)
"""Number of the generated weights and biases, 153."""


def apply_kernels(feature: Tensor, kernels: Tensor) -> Tensor:
    """Apply three generated convolutions of kernel size 1, with ReLU between them.

    Args:
        feature: Features, [B, 8, *S].
        kernels: Weights and biases of the three layers per image and class, [B, K, 153].

    Returns:
        One logit per class and place, [B, K, *S].
    """
    x = feature.flatten(2)[:, None].expand(-1, kernels.shape[1], -1, -1)
    at = 0
    for layer, (rows, columns) in enumerate(SHAPES):
        weight = kernels[..., at : at + rows * columns].unflatten(-1, (rows, columns))
        bias = kernels[..., at + rows * columns : at + rows * columns + rows]
        at += rows * columns + rows
        x = weight @ (x.relu() if layer else x) + bias[..., None]
    return torch.unflatten(x.squeeze(2), 2, feature.shape[2:])
