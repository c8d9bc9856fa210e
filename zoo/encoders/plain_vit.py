"""A plain vision transformer in 2D and 3D. Its tokens keep one resolution, so that it is not a staged encoder."""

from __future__ import annotations

from typing import Any

import torch
from timm.data import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
from timm.layers import QuickGELU
from timm.models import adapt_input_conv
from timm.models.vision_transformer import Block, VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.staged_encoder import VisionEncoder
from zoo.encoders.timm_encoder import COLOURS, normalisation
from zoo.encoders.vision_weights import assign_tensors, find_published, read_tensors
from zoo.errors import ConfigError


class PlainViT(VisionEncoder):
    """The vision transformer of CLIP: a class token, learned positions, a norm before the blocks, the quick GELU.

    Dosovitskiy et al., "An image is worth 16x16 words" (ICLR 2021); Radford et al., CLIP (ICML 2021). The positions are
    resampled to the grid of the tokens. With pre-trained weights, an image of mean 0 and deviation 1 gets the mean and
    the deviation that CLIP's weights expect.

    Args:
        dims: 2 or 3.
        in_channels: Channels of the image. A gray image is repeated to three channels.
        width: Channels W of a token.
        depth: Number of blocks.
        heads: Heads of a block.
        patch: Places of the image per token and axis.
        places: Learned positions per axis.
        weights: Pre-trained weights of a transformer of this kind and these sizes, in 2D, with the names of timm or of
            open_clip; see `find_published`. Empty for random ones. Blocks that are not built are not read.
        freeze: Whether the weights are frozen. None: where they are pre-trained.
        projected: Channels after the last norm and CLIP's projection; 0: neither is built.

    Raises:
        ConfigError: The width is not a multiple of the heads, there are weights in 3D, or the weights do not fit.

    Example:
        >>> vit = PlainViT(3, in_channels=1, width=16, depth=2, heads=2, patch=8, places=4)
        >>> [tuple(one.shape) for one in vit(torch.zeros(1, 1, 16, 16, 8))]
        [(1, 5, 16), (1, 5, 16)]
    """

    def __init__(
        self,
        dims: int,
        in_channels: int,
        width: int,
        depth: int,
        heads: int,
        patch: int,
        places: int,
        weights: str = "",
        freeze: bool | None = None,
        projected: int = 0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(
                f"--model.width {width} is not a multiple of --model.heads {heads}.", "Change one of the two."
            )
        if weights and dims == 3:
            raise ConfigError(
                f"--model.vision_weights {weights}: the vision transformer has no pre-trained weights in 3D.",
                'Give --model.vision_weights "", which trains it from random weights.',
            )
        conv: type[nn.Conv2d | nn.Conv3d] = nn.Conv2d if dims == 2 else nn.Conv3d
        self.repeat = COLOURS if in_channels == 1 else 1
        self.grid = (places,) * dims
        channels = self.repeat * in_channels
        self.patch_embed = nn.ModuleDict({"proj": conv(channels, width, kernel_size=patch, stride=patch, bias=False)})
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + places**dims, width))
        self.norm_pre = nn.LayerNorm(width)
        options: dict[str, Any] = {"qkv_bias": True, "act_layer": QuickGELU, "norm_layer": nn.LayerNorm}
        self.blocks = nn.ModuleList(Block(width, heads, **options) for _ in range(depth))
        self.norm = nn.LayerNorm(width) if projected else nn.Identity()
        self.head = nn.Linear(width, projected, bias=False) if projected else nn.Identity()
        of_weights = {"mean": OPENAI_CLIP_MEAN, "std": OPENAI_CLIP_STD} if weights else {}
        scale, shift = normalisation(of_weights, channels)
        self.register_buffer("scale", scale.view(1, -1, *[1] * dims), persistent=False)
        self.register_buffer("shift", shift.view(1, -1, *[1] * dims), persistent=False)
        self.requires_grad_(not (bool(weights) if freeze is None else freeze))
        self.name, self.revision = weights, _load(self, weights, patch, channels) if weights else ""

    scale: Tensor
    shift: Tensor

    def embed(self, image: Tensor) -> Tensor:
        """Compute the tokens [B, 1 + N, W] before the first block, the class token first."""
        image = image.repeat(1, self.repeat, *[1] * (image.ndim - 2)) * self.scale + self.shift
        x = self.patch_embed["proj"](image)
        place = self.pos_embed[:, 1:].transpose(1, 2).unflatten(2, self.grid)
        if place.shape[2:] != x.shape[2:]:
            place = F.interpolate(place, size=x.shape[2:], mode="bicubic" if x.ndim == 4 else "trilinear")
        first = (self.cls_token + self.pos_embed[:, :1]).expand(image.shape[0], -1, -1)
        normed: Tensor = self.norm_pre(torch.cat([first, (x + place).flatten(2).transpose(1, 2)], dim=1))
        return normed

    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute the tokens [B, 1 + N, W] after each block."""
        tokens, states = self.embed(image), []
        for block in self.blocks:
            tokens = block(tokens)
            states.append(tokens)
        return states

    def project(self, tokens: Tensor) -> Tensor:
        """Apply the last norm and CLIP's projection: [B, 1 + N, W] -> [B, 1 + N, projected]."""
        projected: Tensor = self.head(self.norm(tokens))
        return projected


def _load(model: PlainViT, weights: str, patch: int, channels: int) -> str:
    """Load weights with the names of timm or of open_clip, and return their version."""
    file, version = find_published(weights)
    side, width = patch * model.grid[0], model.cls_token.shape[2]
    with torch.device("meta"):
        like = VisionTransformer(side, patch, COLOURS, embed_dim=width, depth=0, num_heads=1, num_classes=0)
    tensors = checkpoint_filter_fn(read_tensors(file), like)
    first = "patch_embed.proj.weight"
    if first in tensors:
        tensors[first] = adapt_input_conv(channels, tensors[first])
    assign_tensors(model, tensors, file)
    return version
