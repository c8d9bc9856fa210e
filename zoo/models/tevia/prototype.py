"""The foreground of TeViA: one visual vector per stage, and a historic prototype of these vectors.

Zeng et al., TeViA. The abstract names a "foreground visual representation", extracted from the segmentation
head, and a momentum-based "historic prototype". The formulas are from a description of the released code. That
code is binary and 2D. The class axis K and 3D are our port.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import ConfigError
from zoo.losses.distributed import gather_rows

FOREGROUNDS = ("adaptive", "resize", "masked_mean")

_POOL: dict[int, Callable[[Tensor, Any], Tensor]] = {2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
_RESIZE = {2: "bilinear", 3: "trilinear"}


def layout(width: int, spatial_dims: int) -> tuple[int, int]:
    """Return the small map that a vector of `width` numbers stands for: (channel groups c, places g per axis).

    c * g^dims = width. The grid is the finest one that leaves at least 3 groups. In 2D that is 3 x 16 x 16 for
    768, 6 x 8 x 8 for 384 and 3 x 8 x 8 for 192, as released. In 3D it is 12, 6 and 3 times 4 x 4 x 4. A width
    without such a divisor gets one place. The rule is our choice.
    """
    fits = (g for g in range(int(width ** (1 / spatial_dims)) + 1, 0, -1) if width % g**spatial_dims == 0)
    grid = next((g for g in fits if width // g**spatial_dims >= 3), 1)
    return width // grid**spatial_dims, grid


class Foreground(nn.Module):
    """The feature of the segmentation head under a mask, as one vector per stage of the decoder. Has no parameters.

    * "resize" [released code]: the masked map is interpolated to g^dims places without antialias, then its
      channels to c. A small lesion may lie between the places that are read. Its vector is then zero.
    * "adaptive" [ours]: the same places and channels, but averages of everything inside them.
    * "masked_mean" [ours]: the mean under the mask, by a fixed random projection. It does not keep the place,
      and suits random crops, where a place has little meaning.

    Args:
        kind: One of `FOREGROUNDS`.
        spatial_dims: 2 or 3.
        channels: Channels of the feature.
        widths: Length of each vector.

    Raises:
        ConfigError: An unknown kind.
    """

    projection: Tensor

    def __init__(self, kind: str, spatial_dims: int, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        if kind not in FOREGROUNDS:
            raise ConfigError(f"No foreground representation {kind!r}.", f"Choose one of {', '.join(FOREGROUNDS)}.")
        self.kind = kind
        self.widths = tuple(widths)
        self.layouts = [layout(width, spatial_dims) for width in widths]
        if kind == "masked_mean":  # a fixed seed, so that every rank and every run has the same projection
            draw = torch.randn(channels, sum(widths), generator=torch.Generator().manual_seed(0))
            self.register_buffer("projection", draw / channels**0.5)

    @torch.no_grad()
    def forward(self, feature: Tensor, masks: Tensor) -> list[Tensor]:
        """Compute vectors [B, K, width], one tensor per stage. A vector is zero where the mask is empty.

        Args:
            feature: [B, channels, *S]. It gets no gradient.
            masks: Bool [B, K, *S].
        """
        feature = feature.detach().float()
        # One class at a time, because all classes together need K times the memory of the largest map.
        classes = [self._one(feature, mask[:, None]) for mask in masks.unbind(1)]
        return [torch.stack(vectors, dim=1) for vectors in zip(*classes, strict=True)]

    def _one(self, feature: Tensor, mask: Tensor) -> list[Tensor]:
        masked = feature * mask
        if self.kind == "masked_mean":
            mean = masked.flatten(2).sum(-1) / mask.flatten(2).sum(-1).clamp(min=1)
            return list((mean @ self.projection).split(self.widths, dim=1))
        return [self._small(masked, groups, grid) for groups, grid in self.layouts]

    def _small(self, masked: Tensor, groups: int, grid: int) -> Tensor:
        """[B, channels, *S] -> [B, groups * grid^dims]; all axes are done one after the other."""
        dims = masked.ndim - 2
        if self.kind == "adaptive":
            places = _POOL[dims](masked, [grid] * dims)
            return F.adaptive_avg_pool1d(places.flatten(2).mT, groups).mT.flatten(1)
        places = F.interpolate(masked, size=[grid] * dims, mode=_RESIZE[dims], align_corners=False)
        return F.interpolate(places.flatten(2).mT, size=groups, mode="linear", align_corners=False).mT.flatten(1)


def alignment_loss(texts: Sequence[Tensor], visuals: Sequence[Tensor], used: Sequence[Tensor]) -> Tensor:
    """Average 1 - cosine of text and foreground over the used (sample, class) pairs, then over stages [released code].

    Args:
        texts: [B, K, width] per stage, the mean over the tokens of a class.
        visuals: [B, K, width] per stage.
        used: Bool [B, K] per stage.

    Returns:
        A scalar in [0, 2], with the graph of `texts`; 0 where no pair is used.
    """
    terms = []
    for text, visual, pairs in zip(texts, visuals, used, strict=True):
        cosine = (F.normalize(text.float(), dim=-1) * F.normalize(visual, dim=-1)).sum(-1)
        terms.append(torch.stack([((1 - cosine) * pairs).sum(), pairs.sum()]))
    # the mean is over the pairs of all ranks, which may have different numbers of them
    total, count = gather_rows(torch.stack(terms)[None])[0].sum(0).unbind(-1)
    mean: Tensor = (total / count.clamp(min=1)).mean()
    return mean


class Prototypes(nn.Module):
    """A historic mean of foreground vectors per class and stage.

    The first phase gathers a cumulative mean over the batches. Later updates move the mean by momentum
    [released code]. An update reads the batches of all ranks: one collective per update adds sums and counts,
    for any masks.

    Args:
        classes: Number of classes, K.
        widths: Length of a vector per stage.
        momentum: Share of the old prototype that an update keeps (0.99 in the release).
        persistent: Whether checkpoints hold the prototype. Those of the release do not.
    """

    mean: Tensor
    filled: Tensor
    started: Tensor

    def __init__(self, classes: int, widths: Sequence[int], momentum: float, persistent: bool) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.momentum = momentum
        stages = len(self.widths)
        self.register_buffer("mean", torch.zeros(classes, sum(self.widths)), persistent)
        self.register_buffer("filled", torch.zeros(classes, stages, dtype=torch.long), persistent)
        self.register_buffer("started", torch.zeros(()), persistent)

    @torch.no_grad()
    def update(self, visuals: Sequence[Tensor], used: Sequence[Tensor], gathering: bool, started: bool) -> None:
        """Update the mean with a batch.

        Args:
            visuals: [B, K, width] per stage.
            used: Bool [B, K] per stage: which vectors count.
            gathering: Whether the phase of the cumulative mean goes on.
            started: Whether `factors` differ from zero from now on.
        """
        sums = [(visual * pairs[..., None]).sum(0) for visual, pairs in zip(visuals, used, strict=True)]
        counts = [pairs.sum(0, dtype=torch.float32)[:, None] for pairs in used]
        batch = torch.cat([*sums, *counts], dim=1)
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            dist.all_reduce(batch)
        total, count = batch.split([sum(self.widths), len(self.widths)], dim=1)
        seen = count > 0
        self.filled += seen
        rate = 1 / self.filled.clamp(min=1)
        if not gathering:
            rate = torch.where(self.filled == 1, rate, 1 - self.momentum)
        new = total / self._spread(count.clamp(min=1))
        self.mean += self._spread(rate * seen) * (new - self.mean)
        self.started.fill_(float(started))

    def factors(self) -> list[Tensor]:
        """Compute (p - min) / (max - min + 1e-6) per stage [released code], [width]; zeros before the start.

        With several classes, p is the mean over the classes that have occurred [our port], because visual tokens
        do not know their class.
        """
        have = self.filled > 0
        mean = (self.mean * self._spread(have)).sum(0) / self._spread(have.sum(0, keepdim=True).clamp(min=1))[0]
        return [self.started * (p - p.min()) / (p.max() - p.min() + 1e-6) for p in mean.split(self.widths)]

    def _spread(self, values: Tensor) -> Tensor:
        """Repeat the value of each stage over its vector: [N, stages] -> [N, sum of widths]."""
        return torch.cat([values[:, i, None].expand(-1, n) for i, n in enumerate(self.widths)], dim=1)
