"""Generated kernels against convolutions."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from zoo.layers.kernels import SHAPES, SIZE, apply_kernels


def test_generated_layers_are_convolutions_per_image_and_class() -> None:
    random = torch.Generator().manual_seed(0)
    feature = torch.randn(2, 8, 5, 6, generator=random)
    kernels = torch.randn(2, 3, SIZE, generator=random)
    found = apply_kernels(feature, kernels)
    for image in range(2):
        for number in range(3):
            x, rest = feature[image : image + 1], kernels[image, number]
            for layer, (rows, columns) in enumerate(SHAPES):
                weight, bias = rest[: rows * columns], rest[rows * columns : rows * columns + rows]
                rest = rest[rows * columns + rows :]
                x = F.conv2d(x.relu() if layer else x, weight.view(rows, columns, 1, 1), bias)
            torch.testing.assert_close(found[image, number], x[0, 0])
    assert rest.numel() == 0
