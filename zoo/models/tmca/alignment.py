"""What TMCA's reconstruction aligns: targets pooled from maps, how far two targets are apart, a gate by the text.

TMCA (arXiv 2412.13533) names a target-sensitive semantic distance, a multi-level contrastive
alignment and a language-guided target enhancement [abstract] and no formula that could be read: every
formula of this file is our choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.layers.tokens import to_map, to_tokens
from zoo.text.lung_zones import zone_bits

DISTANCES = ("mask", "zone", "text", "feature")
COARSE = 8
"""Cells an axis of the grid on which two masks are compared: finer than a lung zone, coarser than an outline."""


def pool_target(x: Tensor, masks: Tensor) -> Tensor:
    """Means of a map under masks; of the whole map where a mask is empty.

    Args:
        x: Map [B, C, *S].
        masks: Float [B, K, *S'] on any finer grid; averaged over areas, so no voxel of it gets lost.

    Returns:
        [B, K, C].
    """
    weight = F.interpolate(masks, x.shape[2:], mode="area").flatten(2)
    mass = weight.sum(-1, keepdim=True)
    weight = torch.where(mass > 0, weight / mass.clamp_min(torch.finfo(weight.dtype).tiny), 1 / weight.shape[-1])
    return (weight @ to_tokens(x).float()).to(x.dtype)


def traits(kind: str, masks: Tensor, captions: Sequence[str], textual: Tensor, visual: Tensor) -> Tensor:
    """What the distance of a kind compares, one row a pair, without gradient and as wide on every rank.

    Args:
        kind: One of `DISTANCES`.
        masks: Float [P, *S].
        captions: P strings.
        textual: Pooled text of the encoder [P, W].
        visual: Deepest features under the target [P, C].

    Returns:
        "mask": the mask averaged to a coarse grid, [P, COARSE ** D]. "zone": six bits. "text", "feature":
        a unit vector.
    """
    if kind == "mask":
        return F.interpolate(masks[:, None], (COARSE,) * (masks.ndim - 1), mode="area").flatten(1)
    if kind == "zone":
        return torch.tensor([zone_bits(c) for c in captions], dtype=torch.float32, device=masks.device).view(-1, 6)
    return F.normalize((textual if kind == "text" else visual).detach().float(), dim=-1)


def semantic_distance(kind: str, rows: Tensor, classes: Tensor, ids: Tensor) -> Tensor:
    """How far the targets of P pairs are apart, [P, P] in [0, 1], symmetric, 0 on the diagonal.

    "mask": 1 - soft Dice with squared denominators, which is 0 for a soft mask and itself. "zone":
    1 - Jaccard of the zone bits, 1 where a caption names no zone. Both say where a target is and not
    what it is, so targets of two classes are 1 apart. "text", "feature": 1 - cosine, divided by the
    largest of the batch, because embeddings of reports lie in a narrow cone. Identical texts are 0 apart
    whatever the rest says.

    Args:
        kind: One of `DISTANCES`.
        rows: `traits` of the P pairs of all ranks.
        classes: int [P], the class of each.
        ids: int [P], the text of each.
    """
    rows = rows.float()
    shared, own = rows @ rows.T, (rows * rows).sum(-1)
    if kind in {"mask", "zone"}:
        # Dice of the squares, and of bits |A and B| / |A or B|; two empty masks are alike, two silent captions are not.
        over = (own[:, None] + own[None]) / 2 if kind == "mask" else own[:, None] + own[None] - shared
        near = torch.where(over > 0, shared / over.clamp_min(torch.finfo(over.dtype).tiny), float(kind == "mask"))
        near = near * (classes[:, None] == classes[None])
        distance = 1 - near
    else:
        distance = 1 - shared
        distance = distance / distance.amax().clamp_min(1e-4) if len(rows) else distance
    return distance.clamp(0, 1).masked_fill(ids[:, None] == ids[None], 0.0)


class AlignedLevel(nn.Module):
    """One level's projections to the space where image and text are contrasted, and the gate that reads it.

        A = sigmoid(max over classes of cos(F W_v, t W_t) / temperature + b),  F~ = F + gain * A * F

    The gate has no projections of its own ("based on the aligned image-text patterns" [abstract v3]). As
    W_v is linear, the mean of F W_v under a mask is what the contrast sees, and A is the same
    likeness place by place.

    Args:
        width: Channels C of the map.
        text_width: Channels W of the pooled text.
        embedding: Of the shared space.
        temperature: Of the contrast.
        gain: Where the learned factor of the gate starts; None: no gate.
    """

    def __init__(self, width: int, text_width: int, embedding: int, temperature: float, gain: float | None) -> None:
        super().__init__()
        self.visual, self.textual = nn.Linear(width, embedding), nn.Linear(text_width, embedding)
        self.temperature = temperature
        self.gated = gain is not None
        if gain is not None:
            self.gain, self.bias = nn.Parameter(torch.tensor(gain)), nn.Parameter(torch.zeros(()))

    def look(self, pooled: Tensor) -> Tensor:
        """[..., C] -> [..., embedding], unit vectors."""
        return F.normalize(self.visual(pooled).float(), dim=-1)

    def read(self, pooled: Tensor) -> Tensor:
        """[..., W] -> [..., embedding], unit vectors."""
        return F.normalize(self.textual(pooled).float(), dim=-1)

    def enhance(self, x: Tensor, text: Tensor) -> tuple[Tensor, Tensor | None]:
        """The map F~ and the logit of A [B, N]; the map itself and None without a gate.

        Args:
            x: Map [B, C, *S], N places in all.
            text: Pooled text of each class [B, K, W].
        """
        if not self.gated:
            return x, None
        tokens = to_tokens(x)
        likeness = self.look(tokens) @ self.read(text).transpose(1, 2)
        logit = likeness.amax(-1) / self.temperature + self.bias
        return to_map(tokens * (1 + self.gain * logit.sigmoid()[..., None]), x.shape[2:]), logit
