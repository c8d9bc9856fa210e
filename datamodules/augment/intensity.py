"""Changes of intensity of one sample, each in place and only where it was drawn.

Every operation takes one channel by itself, in the order of nnU-Net v2: noise, blur, brightness, contrast,
low resolution, gamma of the negative, gamma.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.augment.params import Draw

RADIUS = 3
"""Of the blur in voxels: three of the largest standard deviations."""

_TINY = 1e-7
_LINEAR = {2: "bilinear", 3: "trilinear"}


def change_intensity(image: Tensor, draw: Draw) -> None:
    """Let the image [C, *S] go through what was drawn for it."""
    deviation, seed = draw.noise
    if deviation:
        add_noise(image, deviation, seed)
    for place, channel in enumerate(image):
        blur(channel, draw.blur[place].tolist())
        if draw.brightness[place] != 1:
            channel.mul_(float(draw.brightness[place]))
        if draw.contrast[place] != 1:
            stretch(channel, float(draw.contrast[place]))
        if draw.shrink[place] != 1:
            lower_resolution(channel, float(draw.shrink[place]), draw.planes)
        if draw.inverted[place] != 1:
            bow(channel.neg_(), float(draw.inverted[place]))
            channel.neg_()
        if draw.gamma[place] != 1:
            bow(channel, float(draw.gamma[place]))


def add_noise(image: Tensor, deviation: float, seed: int) -> None:
    """Add normal noise; a CPU and a GPU draw other numbers from one seed, each always the same."""
    source = torch.Generator(image.device).manual_seed(seed)
    image.add_(torch.empty_like(image).normal_(generator=source), alpha=deviation)


def blur(channel: Tensor, sigmas: Sequence[float]) -> None:
    """Blur [*S] along each axis by a normal kernel of this standard deviation in voxels; reflected at the edges.

    Shifted copies are added up: for seven taps a fifth of the time of a convolution on a CPU, and on a GPU full
    precision whatever it does to convolutions.
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
        for far in range(1, radius + 1):
            pair = wide.narrow(axis, radius - far, n) + wide.narrow(axis, radius + far, n)
            channel.add_(pair, alpha=float(taps[far]))


def stretch(channel: Tensor, factor: float) -> None:
    """Change the contrast about the mean, within the range that was there."""
    low, high = channel.aminmax()
    mean = channel.mean()
    channel.sub_(mean).mul_(factor).add_(mean).clamp_(low, high)


def lower_resolution(channel: Tensor, keep: float, axes: Sequence[int]) -> None:
    """Take every so manieth voxel of [*S] along the axes, by the nearest, and come back linearly."""
    small = [max(1, round(n * keep)) if axis in axes else n for axis, n in enumerate(channel.shape)]
    coarse = F.interpolate(channel[None, None], small, mode="nearest-exact")
    back = F.interpolate(coarse, channel.shape, mode=_LINEAR[channel.ndim], align_corners=False)
    channel.copy_(back[0, 0])


def bow(channel: Tensor, exponent: float) -> None:
    """Gamma: a power of the intensities taken as shares of their range, then the mean and deviation they had."""
    low, high = channel.aminmax()
    mean = channel.mean()
    spread = torch.linalg.vector_norm(channel - mean)
    channel.sub_(low).div_((high - low).clamp(min=_TINY)).pow_(exponent)
    channel.sub_(channel.mean())
    channel.mul_(spread / torch.linalg.vector_norm(channel).clamp(min=_TINY)).add_(mean)
