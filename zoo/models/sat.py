"""SAT: a text vector per class reads the whole image, and its product with the last feature map is the mask.

Zhao et al., "Large-vocabulary segmentation for medical images with text prompts" (npj Digital Medicine 2025). Written
from a description of the released code, which has no licence. `docs/models/sat.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.layers.query import QueryDecoder, pool_to_deepest, prepend_background, prior_logit
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.losses.deep_supervision import supervise_deeply
from zoo.models.output import Output
from zoo.models.read_text import read_prompts
from zoo.models.text_unet import TextUNet
from zoo.types import Batch, Text
from zoo.utils.class_args import as_group

SIDES = 3
"""Coarser maps that deep supervision holds to the label, as released: strides 2, 4 and 8."""


@dataclass(frozen=True)
class SATReleased:
    """Switches that restore the behaviour of SAT's released code.

    Attributes:
        last_gelu: A GELU ends the network of a mask vector, so that its values are hardly ever negative.
        no_bias: The product has no bias, so that each place starts at a probability near 0.5.

    Example:
        >>> SATReleased(last_gelu=True)
        SATReleased(last_gelu=True, no_bias=False)
    """

    last_gelu: bool = False
    no_bias: bool = False


class SAT(TextUNet):
    """The model `unet` with queries of text that read all its encoder maps, and give one mask each.

        m = gelu(W2 gelu(W1 [pool(e_0); ...; e_n])),  q_k = decoder(W t_k, m)
        logit_k(x) = <MLP(q_k), f(x)> + b

    with the encoder maps e, averaged over the deepest grid, the pooled embedding t_k of the prompt of class k, and the
    last feature map f. Where the classes are exclusive, the background has a learned query and no bias b.

    Args:
        facts: See `SegModule`.
        query_width: Channels of queries and memory.
        layers: Layers of the query decoder; 0 is an ablation: a query does not read the image.
        heads: Heads of its attention.
        feed_width: Hidden channels of its feed-forward networks.
        mask_widths: Hidden channels of the network of a mask vector, full resolution first; the last one repeats.
        dropout: Dropout of the query decoder.
        deep_supervision: Also hold masks from the feature maps of strides 2, 4 and 8 to the label.
        prior: Share of foreground at which the bias b starts.
        released: Switches that restore the behaviour of the released code.
        **kwargs: See `TextUNet`.

    Raises:
        ConfigError: `query_width` is not a multiple of `heads`, or `prior` is not in (0, 1).

    Example:
        >>> from zoo import make_facts
        >>> model = SAT(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", channels=[8] * 6, query_width=64)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("query", "background", "memory", "transformer", "masks", "bias")

    def __init__(
        self,
        facts: Mapping[str, Any],
        query_width: int = 768,
        layers: int = 6,
        heads: int = 8,
        feed_width: int = 2048,
        mask_widths: Sequence[int] = (256, 256, 384, 512),
        dropout: float = 0.1,
        deep_supervision: bool = True,
        prior: float = 0.05,
        released: SATReleased = SATReleased(),
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        released = as_group(SATReleased, released)
        _ = self.vision.text_levels  # raises where no map is coarse enough
        self.head = nn.Identity()
        self.query = nn.Linear(self.text.width, query_width)
        self.background = nn.Parameter(torch.randn(1, query_width)) if self.facts.labels.exclusive else None
        self.transformer = QueryDecoder(query_width, layers, heads, feed_width, dropout)
        wide = [sum(self.vision.widths), query_width, query_width]
        layer = [module for pair in pairwise(wide) for module in (nn.Linear(*pair), nn.GELU())]
        self.memory = nn.Sequential(*layer) if layers else None
        scales = (SIDES if deep_supervision else 0) + 1
        hidden_widths = [*mask_widths, *[mask_widths[-1]] * scales]
        self.masks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(query_width, hidden),
                nn.GELU(),
                nn.Linear(hidden, width),
                nn.GELU() if released.last_gelu else nn.Identity(),
            )
            for width, hidden in zip(self.decoder.step_widths[::-1][:scales], hidden_widths, strict=False)
        )
        start = torch.full((len(self.masks),), prior_logit(prior))
        self.bias = None if released.no_bias else nn.Parameter(start)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits, and those of the coarser maps: `sides`, stride -> logits."""
        queries = self.query(read_prompts(self.text, text, image))
        queries = prepend_background(self.background, queries)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        queries = self._read_image(queries, maps)
        features: list[Tensor] = []

        def keep(_: int, feature: Tensor) -> Tensor:
            features.append(feature)
            return feature

        self.decoder(maps, keep)
        last, *sides = [
            self._multiply(queries, feature, i) for i, feature in enumerate(features[: -len(self.masks) - 1 : -1])
        ]
        strides = self.decoder.step_strides[-2::-1]
        return Output(crop_to(last, image.shape[2:]), {"sides": dict(zip(strides, sides, strict=False))})

    def _read_image(self, queries: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Let queries [B, K, d] read the maps of the encoder, averaged over the deepest grid."""
        if self.memory is None:
            normed: Tensor = self.transformer.norm(queries)
            return normed
        pooled = torch.cat(pool_to_deepest(maps), dim=1)
        out: Tensor = self.transformer(queries, self.memory(pooled.movedim(1, -1)).movedim(-1, 1))
        return out

    def _multiply(self, queries: Tensor, feature: Tensor, scale: int) -> Tensor:
        """Compute logits [B, K, *S] of a feature map [B, C, *S]; `scale` 0 is full resolution."""
        logits = torch.einsum("bkc,bc...->bk...", self.masks[scale](queries), feature)
        if self.bias is None:
            return logits
        background = 0 if self.background is None else 1
        shift = F.pad(self.bias[scale].expand(len(self.facts.labels.names)), (background, 0))
        return logits + shift.view(-1, *(1,) * (feature.ndim - 2))

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice and cross entropy, over all scales of the masks."""
        return supervise_deeply(self.segmentation_loss, output.logits, output.extra["sides"], batch["label"])
