"""The parts of MedCLIPSeg: adapters between the blocks of its two encoders, up-steps, and the soft contrast."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.layers.noise import Noise


class ProbabilisticAttention(nn.Module):
    """Attention of one head to keys and values that have a mean and a variance; a gate mixes it with the query.

        a = softmax(q.mu_K / sqrt(d) - beta * sqrt(q^2 . var_K / d))
        out = g * W(a (mu_V + sd_V * noise)) + (1 - g) * x

    Args:
        width: Channels d of queries and context.
        beta: Weight of the variance of a key.
        gate: Start value of the logit of g.
        probabilistic: False is an ablation: keys and values have no variance.
    """

    def __init__(self, width: int, beta: float, gate: float, probabilistic: bool) -> None:
        super().__init__()
        self.beta, self.probabilistic = beta, probabilistic
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key, self.value = (nn.Linear(width, 2 * width if probabilistic else width) for _ in range(2))
        self.key_norm, self.value_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.gate = nn.Parameter(torch.tensor(gate))
        self.noise = Noise()

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let x [B, N, d] read the context [B, M, d]. `mask` is bool [B, M], True for a real token."""
        query, width = self.query(x), x.shape[-1]
        key, value = self.key(context), self.value(context)
        score = query @ self.key_norm(key[..., :width]).transpose(1, 2) / width**0.5
        read = self.value_norm(value[..., :width])
        if self.probabilistic:
            of_key, of_value = (F.softplus(one[..., width:]) + 1e-6 for one in (key, value))
            score = score - self.beta * (query.square() @ of_key.transpose(1, 2) / width).sqrt()
            read = read + self.noise(of_value.sqrt())
        if mask is not None:
            score = score.masked_fill(~mask[:, None], -torch.inf)
        share = self.gate.sigmoid()
        out: Tensor = share * self.out(score.softmax(dim=-1) @ read) + (1 - share) * x
        return out


class Adapter(nn.Module):
    """Lets the image read the text, then the text the changed image, in few channels, and adds both.

    Args:
        widths: Channels of a token of the image and of the text.
        inner: Channels in which they read each other.
        **kwargs: See `ProbabilisticAttention`.
    """

    def __init__(self, widths: tuple[int, int], inner: int, **kwargs: Any) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Linear(width, inner, bias=False) for width in widths)
        self.image_reads, self.text_reads = (ProbabilisticAttention(inner, **kwargs) for _ in range(2))
        self.up = nn.ModuleList(nn.Linear(inner, width, bias=False) for width in widths)

    def forward(self, image: Tensor, text: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Change tokens of the image [B, N, W] and of the text [B, L, W']."""
        v, t = self.down[0](image), self.down[1](text)
        v = self.image_reads(v, t, mask)
        return image + self.up[0](v), text + self.up[1](self.text_reads(t, v))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a map [B, C, *S]."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each place."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def up_step(dims: int, width: int) -> nn.Sequential:
    """Build a step to twice the resolution: a transposed convolution, a GELU, a convolution per channel, a norm."""
    conv, up = (nn.Conv2d, nn.ConvTranspose2d) if dims == 2 else (nn.Conv3d, nn.ConvTranspose3d)
    own = conv(width, width, kernel_size=3, padding=1, groups=width, bias=False)
    return nn.Sequential(up(width, width, kernel_size=2, stride=2), nn.GELU(), own, ChannelNorm(width, eps=1e-6))


def soft_contrast(visual: Tensor, textual: Tensor, temperature: float, flat: bool = False) -> Tensor:
    """Compute the symmetric cross entropy of image-text cosines with the shares of the text-text cosines.

    Args:
        visual: One vector per pair, [P, d].
        textual: One unit vector per pair, [P, d]; in the released form without unit length.
        temperature: Divides the products.
        flat: The released form: each row of products gets unit length before its softmax, so that the shares are nearly
            uniform, and the second side takes them by column.
    """
    score = visual @ textual.T / temperature
    target = (textual.detach() @ textual.detach().T) / temperature
    target = (F.normalize(target, dim=-1) if flat else target).softmax(dim=-1)
    return (F.cross_entropy(score, target) + F.cross_entropy(score.T, target.T if flat else target)) / 2
