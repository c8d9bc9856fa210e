"""What TeViA takes from the foreground: a visual vector a stage, and a historic prototype of such vectors.

Zeng et al., TeViA. The abstract names a "foreground visual representation", extracted from the
segmentation head, and a momentum-based "historic prototype"; what they are in numbers is from a
description of the released code. That code is binary and 2D: the class axis K and 3D are our port.
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
    """How a vector of `width` numbers is a small map: (channel groups c, places g an axis), c * g^dims = width.

    The finest grid that leaves at least 3 groups. In 2D that is 3 x 16 x 16 for 768 and 3 x 8 x 8 for
    192, as released; 384 is 6 x 8 x 8. In 3D 768, 384 and 192 are 12, 6 and 3 times 4 x 4 x 4. A
    width without such a divisor gets one place (our choice, as is the rule).
    """
    fits = (g for g in range(int(width ** (1 / spatial_dims)) + 1, 0, -1) if width % g**spatial_dims == 0)
    grid = next((g for g in fits if width // g**spatial_dims >= 3), 1)
    return width // grid**spatial_dims, grid


class Foreground(nn.Module):
    """The segmentation head's feature under a mask, as one vector a stage of the decoder. Learns nothing.

    * "resize" [released code]: the masked map interpolated to g^dims places without antialias, then
      its channels to c. A small lesion falls between the places that are read and leaves a zero vector.
    * "adaptive" [ours]: the same places and channels, but averages of all that lies in them.
    * "masked_mean" [ours]: the mean under the mask, which forgets where it was, by a fixed random
      projection. For random crops, where a place means little.

    Args:
        kind: One of `FOREGROUNDS`.
        spatial_dims: 2 or 3.
        channels: Of the feature.
        widths: Length of each vector.

    Raises:
        ConfigError: An unknown kind.
    """

    projection: Tensor

    def __init__(self, kind: str, spatial_dims: int, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        if kind not in FOREGROUNDS:
            raise ConfigError(f"No foreground representation {kind!r}.", f"There are {', '.join(FOREGROUNDS)}.")
        self.kind = kind
        self.widths = tuple(widths)
        self.layouts = [layout(width, spatial_dims) for width in widths]
        if kind == "masked_mean":  # a seed of its own: the same on every rank and in every run
            draw = torch.randn(channels, sum(widths), generator=torch.Generator().manual_seed(0))
            self.register_buffer("projection", draw / channels**0.5)

    @torch.no_grad()
    def forward(self, feature: Tensor, masks: Tensor) -> list[Tensor]:
        """Vectors [B, K, width], one tensor a stage; zero where a mask is empty.

        Args:
            feature: [B, channels, *S]; no gradient returns to it.
            masks: bool [B, K, *S].
        """
        feature = feature.detach().float()
        # one class at a time: all at once would hold K times the largest map of the network
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
    """1 - cosine of text and foreground, over the used (sample, class) pairs, then over stages [released code].

    Args:
        texts: [B, K, width] a stage, the mean over a class's tokens.
        visuals: [B, K, width] a stage.
        used: bool [B, K] a stage.

    Returns:
        A scalar in [0, 2], with the graph of `texts`; 0 where nothing is used.
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
    """A historic mean of foreground vectors, a class and a stage.

    The first phase gathers a cumulative mean over the batches, later ones move it by momentum
    [released code]. Over several ranks a batch is all of them: its sums and counts are added up, by
    one collective an update whatever the masks are.

    Args:
        classes: K.
        widths: Length of a vector a stage.
        momentum: Share of the old prototype that stays (0.99 in the release).
        persistent: Stand in checkpoints; False is the release, which forgets it.
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
        """Take in a batch.

        Args:
            visuals: [B, K, width] a stage.
            used: bool [B, K] a stage: which of them count.
            gathering: Still in the phase of the cumulative mean.
            started: From now on `factors` are other than zero.
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
        """(p - min) / (max - min + 1e-6) of each stage [released code], [width]; zeros before the start.

        Of several classes p is the mean over those that were ever seen [our port]: visual tokens do
        not know their class.
        """
        have = self.filled > 0
        mean = (self.mean * self._spread(have)).sum(0) / self._spread(have.sum(0, keepdim=True).clamp(min=1))[0]
        return [self.started * (p - p.min()) / (p.max() - p.min() + 1e-6) for p in mean.split(self.widths)]

    def _spread(self, a_stage: Tensor) -> Tensor:
        """[N, stages] -> [N, sum of widths]."""
        return torch.cat([a_stage[:, i, None].expand(-1, n) for i, n in enumerate(self.widths)], dim=1)
