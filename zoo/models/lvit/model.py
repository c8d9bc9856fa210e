"""LViT: a U-Net whose skips get the tokens of a transformer, into which the report enters at the finest level.

Li et al., "LViT: language meets vision transformer in medical image segmentation" (IEEE TMI 2023). The released code is
under MIT. `docs/models/lvit.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from zoo.encoders.text import build_text_encoder
from zoo.errors import ConfigError
from zoo.layers.plam_unet import PlaceAttentionDecoder, build_pooled_encoder
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.losses.balanced import balanced_cross_entropy
from zoo.models.base import SegModule
from zoo.models.lvit.transformer import TextChain, TokenLevel
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.types import Batch, Text
from zoo.utils.class_args import as_group


@dataclass(frozen=True)
class LViTReleased:
    """Switches that restore the behaviour of LViT's released code.

    Attributes:
        tokens: None: text of any length; the mean of its real tokens is added at every place. 10: each text is cut or
            padded to 10 tokens, and a convolution makes one vector per place from them.
        balanced: Voxels of the object and of the rest have half of the cross entropy each, per batch. Only where the
            classes are not exclusive.

    Example:
        >>> LViTReleased(tokens=10)
        LViTReleased(tokens=10, balanced=False)
    """

    tokens: int | None = None
    balanced: bool = False


class LViT(SegModule):
    """A U-Net, a transformer on patches of its maps, and a report that is added to the finest tokens.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        vision: "lvit" (published) or another vision encoder; see `build_vision_encoder`.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        width: Channels of the first map.
        stages: Stages after the first map. The transformer reads every map but the deepest one.
        token_stride: Image places per token and axis (16 as published).
        places: Learned positions per axis, resampled to the grid of the tokens.
        heads: Most heads of an attention; fewer where they do not divide the width.
        dropout: Share of values of the transformer that are set to zero in training.
        norm: "batch" (published) or "instance".
        released: Switches that restore the behaviour of the released code.
        **kwargs: See `SegModule`.

    Raises:
        ConfigError: No map has a stride of `token_stride` or less, or `token_stride` is no power of two.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = LViT(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", width=8, token_stride=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("chain",)

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "bert",
        freeze_text: bool | None = None,
        vision: str = "lvit",
        vision_weights: str = "",
        width: int = 64,
        stages: int = 4,
        token_stride: int = 16,
        places: int = 14,
        heads: int = 8,
        dropout: float = 0.1,
        norm: str = "batch",
        released: LViTReleased = LViTReleased(),
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.released = as_group(LViTReleased, released)
        dims, channels = self.facts.spatial_dims, self.facts.in_channels
        self.text = build_text_encoder(encoder, freeze_text, self.released.tokens)
        self.vision = build_pooled_encoder(vision, dims, channels, width, stages, vision_weights, norm)
        widths = self._widths(token_stride)
        near = [0, *widths, 0]
        self.levels = nn.ModuleList(
            TokenLevel(dims, near[i], near[i - 1], near[i + 1], patch, places, heads, dropout, norm)
            for i, patch in enumerate(self.patches, 1)
        )
        self.chain = TextChain([self.text.width, *widths[::-1]], [places] * dims, self.released.tokens, norm)
        self.decoder = PlaceAttentionDecoder(dims, self.vision, norm)
        self.head = (nn.Conv2d if dims == 2 else nn.Conv3d)(self.decoder.width, self.facts.labels.channels, 1)

    def _widths(self, token_stride: int) -> list[int]:
        """Return the channels of the levels with tokens; set the patch of each and the stride of padding."""
        strides = [self.vision.stem_stride * 2**i for i in range(len(self.vision.widths) - 1)]
        if token_stride < 1 or token_stride & (token_stride - 1) or token_stride < self.vision.stem_stride:
            raise ConfigError(
                f"--model.token_stride {token_stride} fits no map of --model.vision: its first one has the stride "
                f"{self.vision.stem_stride}.",
                "Give a power of two that is not smaller.",
            )
        self.patches = [token_stride // stride for stride in strides if stride <= token_stride]
        self.padding = max(self.vision.stride, token_stride)
        return list(self.vision.widths[: len(self.patches)])

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        written = self.chain(read_reports(self.text, text, image))
        maps = self.vision(pad_to_two_places(image, self.padding))
        tokens: list[Tensor] = []
        for i, level in enumerate(self.levels):
            tokens.append(level.go_down(maps[i], tokens[-1] if i else None, None if i else written))  # type: ignore[operator]
        above: Tensor | None = None
        for i, level in reversed(list(enumerate(self.levels))):
            above = level.go_up(tokens[i], above)  # type: ignore[operator]
            maps[i] = level.add(above, maps[i])  # type: ignore[operator]
        return Output(crop_to(self.head(self.decoder(maps)), image.shape[2:]))

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice and cross entropy, the latter balanced where `released` says so."""
        losses = super().compute_losses(batch, output)
        if self.released.balanced and not self.facts.labels.exclusive:
            losses["cross_entropy"] = balanced_cross_entropy(output.logits.float(), batch["label"].float())
        return losses
