"""CLIPSeg: a light decoder reads three states of CLIP's image encoder, and the sentence of a class modulates it.

Lüddecke and Ecker, "Image segmentation using text and image prompts" (CVPR 2022). The implementation of transformers is
under Apache-2.0. `docs/models/clipseg.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from zoo.encoders.plain_vit import PlainViT
from zoo.encoders.text import build_text_encoder
from zoo.errors import ConfigError
from zoo.layers.query import add_zero_background
from zoo.layers.tokens import crop_to, pad_to_two_places, to_map
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.models.read_text import read_prompts
from zoo.types import Text


class CLIPSeg(SegModule):
    """A vision transformer, whose states a decoder reads from deep to shallow, once per class.

        x = layer_1(scale(t) * W_1 s_1 + shift(t));  x = layer_2(W_2 s_2 + x);  x = layer_3(W_3 s_3 + x)

    with the states s, the deepest first, and the pooled embedding t of the sentence. Two transposed convolutions lead
    from the tokens to full resolution. Where the classes are exclusive, the logit of the background is 0.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        freeze_vision: Freeze the vision transformer. None: freeze it where its weights are pre-trained.
        vision_weights: Pre-trained weights of the vision transformer, in 2D; see `PlainViT`.
        width: Channels of the vision transformer.
        heads: Heads of the vision transformer.
        patch: Places of the image per token and axis, a multiple of 4.
        places: Learned positions of the vision transformer per axis.
        levels: Numbers of the blocks, from 0, whose states the decoder reads. Deeper blocks are not built.
        reduce_width: Channels of the decoder.
        reduce_heads: Heads of the decoder.
        hidden: Hidden channels of the feed-forward networks of the decoder.
        **kwargs: See `SegModule`.

    Raises:
        ConfigError: `patch` is not a multiple of 4, `levels` names no block, a width is not a multiple of its heads, or
            there are pre-trained weights in 3D.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> small = {"width": 16, "heads": 2, "patch": 8, "levels": [0, 1], "reduce_width": 8, "hidden": 16}
        >>> model = CLIPSeg(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", **small)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("scale", "shift")

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "clip_vit_b16",
        freeze_text: bool | None = None,
        freeze_vision: bool | None = None,
        vision_weights: str = "",
        width: int = 768,
        heads: int = 12,
        patch: int = 16,
        places: int = 14,
        levels: Sequence[int] = (3, 6, 9),
        reduce_width: int = 64,
        reduce_heads: int = 4,
        hidden: int = 2048,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        dims, channels = self.facts.spatial_dims, self.facts.in_channels
        if patch < 4 or patch % 4:
            raise ConfigError(f"--model.patch {patch} is not a multiple of 4.", "Give 8, 16 or another multiple.")
        if not levels or min(levels) < 0:
            raise ConfigError(
                f"--model.levels {list(levels)}: these are no numbers of blocks, from 0.",
                "Give [3, 6, 9], for example.",
            )
        if reduce_width % reduce_heads:
            raise ConfigError(
                f"--model.reduce_width {reduce_width} is not a multiple of --model.reduce_heads {reduce_heads}.",
                "Change one of the two.",
            )
        self.levels = sorted(levels, reverse=True)
        self.text = build_text_encoder(encoder, freeze_text)
        sizes = (width, self.levels[0] + 1, heads, patch, places)
        self.vision = PlainViT(dims, channels, *sizes, vision_weights, freeze_vision)
        self.scale, self.shift = (nn.Linear(self.text.width, reduce_width) for _ in range(2))
        self.reduces = nn.ModuleList(nn.Linear(width, reduce_width) for _ in self.levels)
        options: dict[str, Any] = {"dropout": 0.0, "batch_first": True}
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(reduce_width, reduce_heads, hidden, **options) for _ in self.levels
        )
        conv, up = (nn.Conv2d, nn.ConvTranspose2d) if dims == 2 else (nn.Conv3d, nn.ConvTranspose3d)
        half, step = reduce_width // 2, patch // 4
        self.head = nn.Sequential(
            conv(reduce_width, reduce_width, kernel_size=3, padding=1),
            nn.ReLU(),
            up(reduce_width, half, kernel_size=step, stride=step),
            nn.ReLU(),
            up(half, 1, kernel_size=4, stride=4),
        )
        self.stride = patch

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        sentences = read_prompts(self.text, text, image)
        classes = sentences.shape[1]
        padded = pad_to_two_places(image, self.stride)
        states = self.vision(padded)
        scale, shift = (make(sentences).flatten(0, 1)[:, None] for make in (self.scale, self.shift))
        read = [
            reduce(states[level]).repeat_interleave(classes, dim=0)
            for level, reduce in zip(self.levels, self.reduces, strict=True)
        ]
        x = self.layers[0](scale * read[0] + shift)
        for layer, state in zip(self.layers[1:], read[1:], strict=True):
            x = layer(state + x)
        logits = self.head(to_map(x[:, 1:], [size // self.stride for size in padded.shape[2:]]))
        logits = crop_to(logits.view(image.shape[0], classes, *logits.shape[2:]), image.shape[2:])
        return Output(add_zero_background(logits, self.facts.labels.exclusive))
