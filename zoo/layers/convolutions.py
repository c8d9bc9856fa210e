"""Convolutions with a norm and ReLU, in one to three dimensions."""

from __future__ import annotations

from monai.networks.blocks import Convolution
from torch import nn


def conv_norm_relu(dims: int, inputs: int, outputs: int, norm: str, kernel: int = 3, bias: bool = True) -> nn.Module:
    """Build a convolution of stride 1, a norm and ReLU, in 1 to 3 dimensions."""
    style = {"norm": (norm, {"affine": True}), "act": "RELU", "adn_ordering": "NA"}
    block: nn.Module = Convolution(dims, inputs, outputs, kernel_size=kernel, bias=bias, **style)
    return block


def two_convs(dims: int, inputs: int, outputs: int, norm: str) -> nn.Sequential:
    """Build two convolutions of kernel size 3, each with norm and ReLU."""
    return nn.Sequential(conv_norm_relu(dims, inputs, outputs, norm), conv_norm_relu(dims, outputs, outputs, norm))
