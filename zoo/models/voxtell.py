"""VoxTell: a prompt reads the image, and its vectors meet every map of the decoder.

Rokuss et al., "VoxTell: Free-text promptable universal 3D medical image segmentation" (CVPR 2026). Written from a
description of the released code, which is Apache-2.0. `docs/models/voxtell.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from zoo.layers.query import QueryDecoder, prior_logit
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.layers.unet import UNetDecoder
from zoo.losses.deep_supervision import supervise_deeply
from zoo.models.output import Output
from zoo.models.read_text import read_prompts
from zoo.models.text_unet import TextUNet
from zoo.types import Batch, Text

MEMORY_STRIDE = 16
"""Largest stride of the map that the queries read, as released."""


class VoxTell(TextUNet):
    """The model `unet`, whose up path runs once per prompt and gets maps of the prompt at each step.

        q_k = decoder(MLP(t_k), MLP(e)),  f_g = <x, m_g>,  y = [x; f_1; ...; f_G],  logit_k = <x, m> + b

    with the pooled embedding t_k of the prompt of class k, the deepest encoder map e of a stride of at most 16, the map
    x of a step of the up path, and vectors m that a network of two layers per step makes from q_k. The next step
    reads y. The last formula is that of the last step. Where the classes are exclusive, the background has the logit 0.

    Args:
        facts: See `SegModule`.
        query_width: Channels of queries and memory.
        layers: Layers of the query decoder; 0 is an ablation: a query does not read the image.
        heads: Heads of its attention.
        feed_width: Hidden channels of its feed-forward networks.
        mask_width: Hidden channels of the network that makes the vectors of a step.
        fused_maps: Maps G of the prompt per step; 0 is an ablation: a prompt meets the last map only.
        dropout: Dropout of the query decoder.
        deep_supervision: Also hold masks from the coarser steps to the label. Without `fused_maps` there are none.
        prior: Share of foreground at which the biases start.
        **kwargs: See `TextUNet`.

    Raises:
        ConfigError: `query_width` is not a multiple of `heads`, or `prior` is not in (0, 1).

    Example:
        >>> from zoo import make_facts
        >>> model = VoxTell(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", channels=[8] * 6, query_width=64)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("query", "memory", "transformer", "masks", "sides", "bias")

    def __init__(
        self,
        facts: Mapping[str, Any],
        query_width: int = 256,
        layers: int = 6,
        heads: int = 8,
        feed_width: int = 1024,
        mask_width: int = 256,
        fused_maps: int = 8,
        dropout: float = 0.1,
        deep_supervision: bool = True,
        prior: float = 0.05,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        start = prior_logit(prior)
        self.head = nn.Identity()
        self.decoder = UNetDecoder(
            self.facts.spatial_dims, self.vision, self.decoder.width, self.hparams["norm"], fused_maps
        )
        self.fused_maps = fused_maps
        levels = self.vision.text_levels
        coarse = [level for level in levels if self.vision.stem_stride * 2**level <= MEMORY_STRIDE]
        self.memory_level = max(coarse, default=levels[0])
        self.query = _two_layers(self.text.width, query_width, query_width)
        self.transformer = QueryDecoder(query_width, layers, heads, feed_width, dropout)
        read = self.vision.widths[self.memory_level]
        self.memory = _two_layers(read, query_width, query_width) if layers else None
        *coarser, last = self.decoder.step_widths
        fused = coarser if fused_maps else []
        outputs = [*(fused_maps * width for width in fused), last]
        self.masks = nn.ModuleList(_two_layers(query_width, mask_width, width) for width in outputs)
        conv = nn.Conv2d if self.facts.spatial_dims == 2 else nn.Conv3d
        self.sides = nn.ModuleList(
            conv(width + fused_maps, 1, kernel_size=1) for width in (fused if deep_supervision else [])
        )
        for name, bias in self.sides.named_parameters():
            if name.endswith("bias"):
                nn.init.constant_(bias, start)
        self.bias = nn.Parameter(torch.tensor(start))

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits, and those of the coarser steps: `sides`, stride -> logits."""
        queries = self.query(read_prompts(self.text, text, image))
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        if self.memory is None:
            queries = self.transformer.norm(queries)
        else:
            memory = self.memory(maps[self.memory_level].movedim(1, -1)).movedim(-1, 1)
            queries = self.transformer(queries, memory)
        vectors = [network(queries) for network in self.masks]
        prompts = [self._decode_again(maps, [one[:, k] for one in vectors]) for k in range(queries.shape[1])]
        background = int(self.facts.labels.exclusive)
        last, *sides = [
            F.pad(torch.cat(scale, dim=1), (*(0, 0) * (image.ndim - 2), background, 0))
            for scale in zip(*prompts, strict=True)
        ]
        strides = self.decoder.step_strides[-2::-1]
        return Output(crop_to(last, image.shape[2:]), {"sides": dict(zip(strides, sides, strict=False))})

    def _decode_again(self, maps: Sequence[Tensor], vectors: Sequence[Tensor]) -> list[Tensor]:
        """Run the up path for one prompt. With several prompts, the backward pass computes its maps again."""
        if len(self.facts.labels.names) == 1 or not torch.is_grad_enabled():
            return self._decode(maps, vectors)
        again: list[Tensor] = checkpoint(self._decode, maps, vectors, use_reentrant=False, preserve_rng_state=False)
        return again

    def _decode(self, maps: Sequence[Tensor], vectors: Sequence[Tensor]) -> list[Tensor]:
        """Compute the logits [B, 1, *S] of one prompt at each supervised step, full resolution first.

        Args:
            maps: Maps of the encoder, finest first.
            vectors: Per fused step, coarsest first, [B, G * C]; of the last step [B, C].
        """
        logits: list[Tensor] = []

        def fuse(step: int, feature: Tensor) -> Tensor:
            if step == len(self.decoder.steps) - 1:
                logits.append(multiply(vectors[-1], feature) + self.bias)
            elif self.fused_maps:
                feature = torch.cat([feature, multiply(vectors[step], feature)], dim=1)
                if self.sides:
                    logits.append(self.sides[step](feature))
            return feature

        self.decoder(maps, fuse)
        return logits[::-1]

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice and cross entropy, over all scales of the masks."""
        return supervise_deeply(self.segmentation_loss, output.logits, output.extra["sides"], batch["label"])


def multiply(vectors: Tensor, feature: Tensor) -> Tensor:
    """Multiply G vectors per image, [B, G * C], with a map [B, C, *S] over its channels: [B, G, *S]."""
    return torch.einsum("bgc,bc...->bg...", vectors.unflatten(1, (-1, feature.shape[1])), feature)


def _two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))
