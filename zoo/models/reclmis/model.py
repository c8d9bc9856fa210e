"""RecLMIS: the deepest map is rebuilt from the words of the report, and each reconstructs masked parts of the other.

Huang et al., "Cross-modal conditioned reconstruction for language-guided medical image segmentation" (IEEE TMI 2024).
The released code was read, and this file is written anew. `docs/models/reclmis.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo.encoders.text import build_text_encoder
from zoo.errors import ConfigError
from zoo.layers.attention import Attention
from zoo.layers.plam_unet import PlaceAttentionDecoder, build_pooled_encoder
from zoo.layers.tokens import crop_to, pad_to_two_places, resample_places, to_map, to_tokens
from zoo.losses.balanced import balanced_cross_entropy
from zoo.losses.contrastive import text_ids
from zoo.models.base import SegModule, text_of
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.models.reclmis.reconstruction import Tokens, TokenTerms
from zoo.text.model_inputs import report_strings
from zoo.types import Batch, Text
from zoo.utils.class_args import as_group

MASKS = ("drawn", "heaviest")
"""How the tokens that are masked are chosen."""


@dataclass(frozen=True)
class RecLMISReleased:
    """Switches that restore the behaviour of RecLMIS's released code.

    Attributes:
        tokens: None: text of any length, padding masked. 18: each text is cut or padded to 18 tokens, padding read.
        replaced: The exchanged tokens replace the deepest map. False: they are added to it.
        balanced: Voxels of the object and of the rest have half of the cross entropy each, per batch. Only where the
            classes are not exclusive.
        terms: Reconstruction and contrast as released: the deepest tokens that are a target get its gradient, tokens
            read earlier ones only and have no positions, padding is reconstructed, weights of the contrast pass a
            second softmax, equal texts are negatives, and exchanged words have a batch norm.

    Example:
        >>> RecLMISReleased(tokens=18)
        RecLMISReleased(tokens=18, replaced=False, balanced=False, terms=False)
    """

    tokens: int | None = None
    replaced: bool = False
    balanced: bool = False
    terms: bool = False


class Exchange(nn.Module):
    """Words read the deepest map, and its places then read these words.

        t = conv(text);  e = conv(x) + place;  t' = CA(t; e);  e' = CA(e; t')

    Args:
        dims: 2 or 3.
        width: Channels of the map and of all tokens.
        text_width: Channels of a text token.
        places: Learned positions per axis, resampled to the grid of the map.
        heads: Most heads of an attention; fewer where they do not divide the width.
        dropout: Share of values of the placed tokens that are set to zero in training.
    """

    def __init__(self, dims: int, width: int, text_width: int, places: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.words = nn.Conv1d(text_width, width, kernel_size=3, padding=1)
        self.embed = (nn.Conv2d if dims == 2 else nn.Conv3d)(width, width, kernel_size=1)
        self.position = nn.Parameter(torch.zeros(1, width, *[places] * dims))
        self.dropout = nn.Dropout(dropout)
        self.read_image, self.read_words = (Attention(width, gcd(width, heads)) for _ in range(2))

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the words, the exchanged words and the exchanged places of a map [B, C, *S] and a text [B, L, W]."""
        words = self.words(torch.where(mask[..., None], text, 0.0).transpose(1, 2)).transpose(1, 2)
        placed = self.dropout(to_tokens(self.embed(x) + resample_places(self.position, x.shape[2:])))
        seen = self.read_image(words, placed, placed)
        return words, seen, self.read_words(placed, seen, seen, mask)


class RecLMIS(SegModule):
    """The U-Net of LViT, an exchange at its deepest map, and two terms that tie image and text in training.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        vision: "lvit" (published) or another vision encoder; see `build_vision_encoder`.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        width: Channels of the first map.
        stages: Stages after the first map.
        places: Learned positions of the deepest map per axis, resampled to its grid.
        heads: Most heads of an attention; fewer where they do not divide the width.
        layers: Layers of a reconstruction, for the source and for what is reconstructed.
        dropout: Share of values of the tokens that are set to zero in training.
        norm: "batch" (published) or "instance".
        masked_words: Share of the words that are masked.
        masked_places: Share of the places that are masked.
        masks: "drawn" (published): the weights of the tokens are probabilities. "heaviest": no draw.
        reconstruction: Weight of both reconstructions.
        contrast: Weight of the contrast of images and texts.
        temperature: Divides the similarities of the contrast.
        released: Switches that restore the behaviour of the released code.
        **kwargs: See `SegModule`.

    Raises:
        ConfigError: An unknown `masks`, a share that is not between 0 and 1, or a negative weight.

    Example:
        >>> from zoo import make_facts
        >>> model = RecLMIS(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", width=8, stages=3, layers=1)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_terms: ClassVar[tuple[str, ...]] = ("contrast", "text_reconstruction")
    text_path: ClassVar[tuple[str, ...]] = ("exchange", "reconstruction")

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "clip_vit_b32",
        freeze_text: bool | None = None,
        vision: str = "lvit",
        vision_weights: str = "",
        width: int = 64,
        stages: int = 4,
        places: int = 14,
        heads: int = 4,
        layers: int = 4,
        dropout: float = 0.1,
        norm: str = "batch",
        masked_words: float = 0.3,
        masked_places: float = 0.5,
        masks: str = "drawn",
        reconstruction: float = 0.4,
        contrast: float = 0.08,
        temperature: float = 0.01,
        released: RecLMISReleased = RecLMISReleased(),
        **kwargs: Any,
    ) -> None:
        if masks not in MASKS or not (0 < masked_words < 1 and 0 < masked_places < 1):
            raise ConfigError(
                f"--model.masks {masks}, --model.masked_words {masked_words}, --model.masked_places {masked_places}.",
                f"masks is one of {', '.join(MASKS)}, and the others are shares between 0 and 1.",
            )
        if min(reconstruction, contrast) < 0 or temperature <= 0:
            raise ConfigError(
                f"Weights {reconstruction} and {contrast}, temperature {temperature}.",
                "A weight is 0 or more, and the temperature is above 0.",
            )
        super().__init__(facts, **kwargs)
        self.released = as_group(RecLMISReleased, released)
        self.term_weights |= {
            "contrast": contrast,
            "text_reconstruction": reconstruction,
            "image_reconstruction": reconstruction,
        }
        dims, channels = self.facts.spatial_dims, self.facts.in_channels
        self.text = build_text_encoder(encoder, freeze_text, self.released.tokens)
        self.vision = build_pooled_encoder(vision, dims, channels, width, stages, vision_weights, norm)
        deepest, words = self.vision.widths[-1], self.text.width
        self.exchange = Exchange(dims, deepest, words, places, heads, dropout)
        shares = (masked_words, masked_places)
        self.reconstruction = TokenTerms(
            deepest, words, shares, masks == "drawn", temperature, self.released.terms, layers, heads, dropout
        )
        self.decoder = PlaceAttentionDecoder(dims, self.vision, norm)
        self.head = (nn.Conv2d if dims == 2 else nn.Conv3d)(self.decoder.width, self.facts.labels.channels, 1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits, and the tokens of both modalities before and after the exchange."""
        read = read_reports(self.text, text, image)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        mask = torch.ones_like(read.mask) if self.released.tokens else read.mask
        words, seen, changed = self.exchange(maps[-1], read.tokens, mask)
        size, first = maps[-1].shape[2:], to_tokens(maps[-1])
        rebuilt = to_map(changed, size)
        maps[-1] = rebuilt if self.released.replaced else maps[-1] + rebuilt
        logits = crop_to(self.head(self.decoder(maps)), image.shape[2:])
        everywhere = mask.new_ones(first.shape[:2])
        tokens = {"words": Tokens(words, seen, read.mask), "places": Tokens(first, changed, everywhere)}
        return Output(logits, {**tokens, "size": size, "text": read.tokens})

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice, cross entropy, both reconstructions, and the contrast if there are two distinct texts."""
        losses = super().compute_losses(batch, output)
        if self.released.balanced and not self.facts.labels.exclusive:
            losses["cross_entropy"] = balanced_cross_entropy(output.logits.float(), batch["label"].float())
        strings = report_strings(self.readable(text_of(batch)), len(output.logits))
        losses |= self.reconstruction(**output.extra, ids=text_ids(strings, output.logits.device))
        if "contrast" not in losses:
            self.log_absent_term("contrast")
        return losses
