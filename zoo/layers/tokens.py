"""Conversion between feature maps and tokens: padding to a stride, flattening, positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import EllipsisType

import torch
from torch import Tensor
from torch.nn import functional as F


def pad_to_stride(image: Tensor, stride: int | Sequence[int]) -> Tensor:
    """Pad an image [B, C, *S] with zeros at the end of each axis to the next multiple of `stride`.

    Args:
        image: The image.
        stride: One number, or one per axis.
    """
    gaps = [-size % step for size, step in zip(image.shape[2:], _per_axis(stride, image), strict=True)]
    if not any(gaps):
        return image
    return F.pad(image, [n for gap in reversed(gaps) for n in (0, gap)])


def _per_axis(stride: int | Sequence[int], image: Tensor) -> Sequence[int]:
    return [stride] * (image.ndim - 2) if isinstance(stride, int) else stride


def pad_to_two_places(x: Tensor, stride: int | Sequence[int]) -> Tensor:
    """Pad as `pad_to_stride` does, and by one more stride where the deepest map would have a single place.

    Instance norm and self-attention need at least two places.
    """
    padded = pad_to_stride(x, stride)
    steps = _per_axis(stride, x)
    return F.pad(padded, (0, steps[-1])) if list(padded.shape[2:]) == list(steps) else padded


def crop_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """Undo `pad_to_stride`: the first `size` elements of each spatial axis."""
    window: tuple[EllipsisType | slice, ...] = (..., *(slice(0, n) for n in size))
    return x[window]


def to_tokens(x: Tensor) -> Tensor:
    """Convert a map [B, C, *S] to tokens [B, N, C]."""
    return x.flatten(2).transpose(1, 2)


def to_map(tokens: Tensor, size: Sequence[int]) -> Tensor:
    """Convert tokens [B, N, C] to a map [B, C, *S]; the inverse of `to_tokens`."""
    grid: Tensor = tokens.transpose(1, 2).unflatten(2, tuple(size))
    return grid


def spaced(start: float, end: float, count: int, device: torch.device) -> Tensor:
    """Return what `torch.linspace` returns, whose count an exported graph would fix.

    The last digits are those of `torch.linspace`: a step in single precision, from the nearer end, rounded once.
    """
    place = torch.arange(count, dtype=torch.float64, device=device)
    step = (torch.full((), float(end - start), device=device) / max(count - 1, 1)).double()
    rising, falling = start + step * place, end - step * (count - 1 - place)
    return torch.where(place < max(count // 2, 1), rising, falling).float()


def positions(size: Sequence[int], width: int, device: torch.device) -> Tensor:
    """Compute sine and cosine of each axis at doubling frequencies, [1, N, width].

    Coordinates run from 0 to 1 over a grid of any size. Channels that remain after the division by axes are 0.
    """
    bands = width // (2 * len(size))
    frequency = torch.pi * 2.0 ** torch.linspace(0, 6, bands, device=device)
    axes = torch.meshgrid(*(spaced(0, 1, n, device) for n in size), indexing="ij")
    phase = torch.stack([axis.flatten() for axis in axes], dim=-1)[..., None] * frequency
    code = torch.cat([phase.sin(), phase.cos()], dim=-1).flatten(1)
    return F.pad(code, (0, width - code.shape[1]))[None]


def sequence_positions(length: int, width: int, device: torch.device) -> Tensor:
    """Compute sine and cosine of an index, [1, length, width]. The code of an index does not depend on `length`.

    Vaswani et al., "Attention is all you need" (2017).
    """
    frequency = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000.0) / width))
    phase = torch.arange(length, device=device)[:, None] * frequency
    code = torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(1)
    return code[None, :, :width]


def index_positions(size: Sequence[int], width: int, device: torch.device) -> Tensor:
    """Compute sine and cosine of the index on each axis, last axis first, [1, N, width]."""
    share = max(width // len(size) // 2 * 2, 2)  # the last channels are cut where there are too few for all axes
    codes = [sequence_positions(n, share, device)[0].T for n in size]
    spread = [
        code.view(share, *[n if i == axis else 1 for i, n in enumerate(size)]).expand(-1, *size)
        for axis, code in enumerate(codes)
    ]
    place = torch.cat(spread[::-1]).flatten(1).T
    return F.pad(place, (0, width - place.shape[1]))[None]


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Resample a map [B, C, *S] linearly to another size."""
    return F.interpolate(x, size=tuple(size), mode="bilinear" if len(size) == 2 else "trilinear")


def resample_places(learned: Tensor, size: Sequence[int]) -> Tensor:
    """Resample a learned map [B, C, *places] to the grid of the tokens; unchanged where the grids are equal."""
    if list(learned.shape[2:]) == list(size):
        return learned
    return resize(learned, size)
