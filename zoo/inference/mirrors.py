"""The mean of a prediction over the mirrors of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Tensor

from zoo.types import Text


def list_mirrors(axes: Sequence[int]) -> list[tuple[int, ...]]:
    """List all subsets of some axes, the empty one first: the mirrors of an image.

    Example:
        >>> list_mirrors((0, 2))
        [(), (0,), (2,), (0, 2)]
    """
    return [some for count in range(len(axes) + 1) for some in combinations(axes, count)]


def average_mirrored(
    forward: Callable[[Tensor, Text], Tensor], axes: Sequence[int]
) -> Callable[[Tensor, Text], Tensor]:
    """Build the mean of a forward function over an image and its mirrors along all subsets of some axes.

    Args:
        forward: The forward function of a model that reads no text: a text may name a side.
        axes: Spatial axes, 0 for the first.

    Example:
        >>> forward = average_mirrored(lambda image, text: image.cumsum(-1), [1])
        >>> forward(torch.ones(1, 1, 2, 3), Text(())).tolist()
        [[[[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]]]
    """
    subsets = [[axis + 2 for axis in some] for some in list_mirrors(axes)]

    def mean(image: Tensor, text: Text) -> Tensor:
        total = torch.stack([forward(image.flip(some), text).flip(some) for some in subsets]).mean(0)
        return total

    return mean
