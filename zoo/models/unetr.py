"""UNETR: a vision transformer whose layers are the skips of a convolutional decoder. It does not read the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.networks import nets
from torch import Tensor, nn

from zoo.layers.tokens import crop_to, resize, to_map, to_tokens
from zoo.models.output import Output
from zoo.models.vision_only import VisionOnly
from zoo.types import Text


class UNETR(VisionOnly):
    """Hatamizadeh et al., "UNETR: transformers for 3D medical image segmentation" (WACV 2022), by MONAI.

    MONAI's network takes images of one size. Here the learned position codes are interpolated to the grid of the image,
    so that an image of any size is segmented. On the patch they stay as they are.

    Args:
        facts: See `VisionOnly`.
        width: Channels of the last feature map.
        token_width: Channels of a token.
        feed_width: Channels inside the feed-forward layers.
        heads: Attention heads.
        **kwargs: See `VisionOnly`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = UNETR(make_facts(["lesion"], patch=[32, 32]), width=4, token_width=8, feed_width=8, heads=2)
        >>> tuple(model(torch.zeros(2, 1, 48, 32), Text(model.facts.prompts)).shape)
        (2, 1, 48, 32)
    """

    stride = 16

    def __init__(
        self,
        facts: Mapping[str, Any],
        width: int = 16,
        token_width: int = 768,
        feed_width: int = 3072,
        heads: int = 12,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.grid = tuple(-(-size // self.stride) for size in self.facts.patch)
        self.net = nets.UNETR(
            self.facts.in_channels,
            self.facts.labels.channels,
            img_size=[size * self.stride for size in self.grid],
            feature_size=width,
            hidden_size=token_width,
            mlp_dim=feed_width,
            num_heads=heads,
            spatial_dims=self.facts.spatial_dims,
        )
        self.last_map, self.widest = nn.Identity(), token_width
        for block in self.net.vit.blocks:
            block.norm_cross_attn = nn.Identity()  # MONAI builds a norm that no forward pass reaches

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        net, padded = self.net, self.pad(image)
        shallow, middle, deep, last = self._maps(padded)
        x = net.decoder5(self.last_map(last), net.encoder4(deep))
        x = net.decoder4(x, net.encoder3(middle))
        x = net.decoder3(x, net.encoder2(shallow))
        x = net.decoder2(x, net.encoder1(padded))
        return Output(crop_to(net.out(x), image.shape[2:]))

    def deepest_map(self) -> tuple[nn.Module, int]:
        """See the base class."""
        return self.last_map, self.widest

    def _maps(self, image: Tensor) -> list[Tensor]:
        """Return the tokens after the transformer layers 4, 7, 10 and 12 as maps [B, token_width, *S/16]."""
        vit = self.net.vit
        projected = vit.patch_embedding.patch_embeddings(image)
        size = projected.shape[2:]
        tokens, layers = to_tokens(projected) + self._places(size), []
        for block in vit.blocks:
            tokens = block(tokens)
            layers.append(tokens)
        return [to_map(one, size) for one in (layers[3], layers[6], layers[9], vit.norm(tokens))]

    def _places(self, size: Sequence[int]) -> Tensor:
        """Return the position codes [1, N, token_width] of a grid of tokens."""
        codes: Tensor = self.net.vit.patch_embedding.position_embeddings
        if tuple(size) == self.grid:
            return codes
        return to_tokens(resize(to_map(codes, self.grid), size))
