"""Changes of the intensity of one sample, in place, and only those that its parameters contain.

Each operation works on one channel. The order is that of nnU-Net v2: noise, blur, brightness, contrast, low
resolution, gamma of the inverted image, gamma.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.augment.params import AugmentParams

RADIUS = 3
"""Radius of the blur in voxels: three times the largest standard deviation."""

_TINY = 1e-7
_LINEAR = {2: "bilinear", 3: "trilinear"}


def change_intensity(image: Tensor, params: AugmentParams) -> None:
    """Change the intensities of an image [C, *S] by its parameters."""
    deviation, seed = params.noise
    if deviation:
        add_noise(image, deviation, seed)
    for index, channel in enumerate(image):
        blur(channel, params.blur[index].tolist())
        if params.brightness[index] != 1:
            channel.mul_(float(params.brightness[index]))
        if params.contrast[index] != 1:
            change_contrast(channel, float(params.contrast[index]))
        if params.shrink[index] != 1:
            lower_resolution(channel, float(params.shrink[index]), params.planes)
        if params.inverted[index] != 1:
            apply_gamma(channel.neg_(), float(params.inverted[index]))
            channel.neg_()
        if params.gamma[index] != 1:
            apply_gamma(channel, float(params.gamma[index]))


def add_noise(image: Tensor, deviation: float, seed: int) -> None:
    """Add normal noise. CPU and GPU draw different numbers from one seed, but each always the same ones."""
    source = torch.Generator(image.device).manual_seed(seed)
    image.add_(torch.empty_like(image).normal_(generator=source), alpha=deviation)


def blur(channel: Tensor, sigmas: Sequence[float]) -> None:
    """Blur [*S] along each axis by a normal kernel with this standard deviation in voxels; edges are reflected.

    The kernel is applied as a sum of shifted copies. For seven taps, this needs a fifth of the time of a convolution on
    a CPU, and on a GPU it has full precision, also where convolutions use less.
    """
    for axis, sigma in enumerate(sigmas):
        n = channel.shape[axis]
        radius = min(RADIUS, n - 1)
        if not sigma or not radius:
            continue
        taps = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
        taps /= taps[0] + 2 * taps[1:].sum()
        first, last = channel.narrow(axis, 1, radius), channel.narrow(axis, n - 1 - radius, radius)
        wide = torch.cat([first.flip(axis), channel, last.flip(axis)], axis)
        channel.mul_(float(taps[0]))
        for distance in range(1, radius + 1):
            pair = wide.narrow(axis, radius - distance, n) + wide.narrow(axis, radius + distance, n)
            channel.add_(pair, alpha=float(taps[distance]))


def change_contrast(channel: Tensor, factor: float) -> None:
    """Multiply the distance to the mean by a factor; the values stay within their former range."""
    low, high = channel.aminmax()
    mean = channel.mean()
    channel.sub_(mean).mul_(factor).add_(mean).clamp_(low, high)


def lower_resolution(channel: Tensor, keep: float, axes: Sequence[int]) -> None:
    """Reduce [*S] along some axes to a share of its voxels by nearest neighbour, and enlarge it again linearly."""
    small = [max(1, round(n * keep)) if axis in axes else n for axis, n in enumerate(channel.shape)]
    coarse = F.interpolate(channel[None, None], small, mode="nearest-exact")
    back = F.interpolate(coarse, channel.shape, mode=_LINEAR[channel.ndim], align_corners=False)
    channel.copy_(back[0, 0])


def apply_gamma(channel: Tensor, exponent: float) -> None:
    """Raise the intensities, scaled to 0 to 1, to a power; then restore their mean and standard deviation."""
    low, high = channel.aminmax()
    mean = channel.mean()
    spread = torch.linalg.vector_norm(channel - mean)
    channel.sub_(low).div_((high - low).clamp(min=_TINY)).pow_(exponent)
    channel.sub_(channel.mean())
    channel.mul_(spread / torch.linalg.vector_norm(channel).clamp(min=_TINY)).add_(mean)
