"""The alignment of TMCA's reconstruction: pooled targets, distances of targets, soft contrast, gate by the text.

The abstract of TMCA (arXiv 2412.13533) names a target-sensitive semantic distance, a multi-level contrastive
alignment and a language-guided target enhancement. No formula could be read. Every formula of this file is
our choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.layers.tokens import to_map, to_tokens
from zoo.losses.contrastive import EmbeddingPairs
from zoo.text.lung_zones import zone_bits

DISTANCES = ("mask", "zone", "text", "feature")
COARSE = 8
"""Cells per axis of the grid on which two masks are compared: finer than a lung zone, coarser than an outline."""


def pool_target(x: Tensor, masks: Tensor) -> Tensor:
    """Average a map under each mask; average the whole map where a mask is empty.

    Args:
        x: Map [B, C, *S].
        masks: Float [B, K, *S'] on any finer grid. They are averaged over areas, so that no voxel is lost.

    Returns:
        [B, K, C].
    """
    weight = F.interpolate(masks, x.shape[2:], mode="area").flatten(2)
    mass = weight.sum(-1, keepdim=True)
    weight = torch.where(mass > 0, weight / mass.clamp_min(torch.finfo(weight.dtype).tiny), 1 / weight.shape[-1])
    return (weight @ to_tokens(x).float()).to(x.dtype)


def compute_traits(kind: str, masks: Tensor, captions: Sequence[str], textual: Tensor, visual: Tensor) -> Tensor:
    """Compute the rows that a distance compares: one row per pair, without gradient, equally wide on every rank.

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
    """Compute the distances of the targets of P pairs: [P, P] in [0, 1], symmetric, 0 on the diagonal.

    "mask": 1 - soft Dice with squared denominators, which is 0 between a soft mask and itself.
    "zone": 1 - Jaccard of the zone bits; 1 where a caption names no zone.
    "text", "feature": 1 - cosine, divided by the largest distance of the batch, because embeddings of
    reports lie in a narrow cone.

    "mask" and "zone" compare places only, so the distance between two classes is 1. The distance between
    identical texts is always 0.

    Args:
        kind: One of `DISTANCES`.
        rows: Result of `compute_traits` for the P pairs of all ranks.
        classes: int [P], the class of each pair.
        ids: int [P], the text id of each pair.
    """
    rows = rows.float()
    shared, own = rows @ rows.T, (rows * rows).sum(-1)
    if kind in {"mask", "zone"}:
        # Dice with squares, or Jaccard of bits. Two empty masks are near, two captions without zones are not.
        over = (own[:, None] + own[None]) / 2 if kind == "mask" else own[:, None] + own[None] - shared
        near = torch.where(over > 0, shared / over.clamp_min(torch.finfo(over.dtype).tiny), float(kind == "mask"))
        near = near * (classes[:, None] == classes[None])
        distance = 1 - near
    else:
        distance = 1 - shared
        distance = distance / distance.amax().clamp_min(1e-4) if len(rows) else distance
    return distance.clamp(0, 1).masked_fill(ids[:, None] == ids[None], 0.0)


def soft_targets(distance: Tensor, softness: float) -> Tensor:
    """Compute the shares [P, P] of each pair's target: softmax of -distance / softness, row by row."""
    return (-distance / softness).softmax(dim=1)


def soft_contrast(pairs: EmbeddingPairs, distance: Tensor, temperature: float, softness: float) -> Tensor | None:
    """Compute the symmetric contrast of gathered pairs with soft targets.

    The loss is the cross entropy of softmax(cosine / temperature) and `soft_targets`, minus the entropy of
    the targets. The gradient is that of the cross entropy. The loss is 0 where the two agree, so that values
    of different distances can be compared.

    Args:
        pairs: P pairs.
        distance: [P, P], symmetric and without gradient; 0 between pairs with the same text.
        temperature: Divides the cosines.
        softness: Divides the distances.

    Returns:
        A scalar that is at least 0, or None with fewer than two distinct texts.
    """
    if len(pairs.ids.unique()) < 2:
        return None
    cosine = pairs.visual @ pairs.textual.T / temperature
    target = soft_targets(distance, softness)
    sides = [F.kl_div(c.log_softmax(dim=1), target, reduction="batchmean") for c in (cosine, cosine.T)]
    return (sides[0] + sides[1]) / 2


def gate_losses(logit: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Compute the cross entropy of a gate with the target, and the mean gate inside and outside of the target.

    Args:
        logit: Logit of the gate A [B, N].
        target: Share of each place that is target [B, N].

    Returns:
        The loss, and without gradient the means of A weighted by target and by background; None where there is none.
    """
    loss = F.binary_cross_entropy_with_logits(logit, target.to(logit.dtype))
    gate = logit.detach().float().sigmoid()
    means = [(gate * part).sum() / part.sum() if part.any() else None for part in (target.float(), 1 - target.float())]
    return loss, means[0], means[1]


class AlignedLevel(nn.Module):
    """Projections of one level to the shared space of image and text, and the gate that uses the shared space.

        A = sigmoid(max over classes of cos(F W_v, t W_t) / temperature + b),  F~ = F + gain * A * F

    The gate shares the projections of the contrast ("based on the aligned image-text patterns" [abstract v3]).
    W_v is linear, so the contrast compares the mean of F W_v under a mask, and A is the same similarity at
    each place.

    Args:
        width: Channels C of the map.
        text_width: Channels W of the pooled text.
        embedding: Width of the shared space.
        temperature: Divides the cosines.
        gain: Start value of the learned factor of the gate; None: no gate.
    """

    def __init__(self, width: int, text_width: int, embedding: int, temperature: float, gain: float | None) -> None:
        super().__init__()
        self.visual, self.textual = nn.Linear(width, embedding), nn.Linear(text_width, embedding)
        self.temperature = temperature
        self.gated = gain is not None
        if gain is not None:
            self.gain, self.bias = nn.Parameter(torch.tensor(gain)), nn.Parameter(torch.zeros(()))

    def look(self, pooled: Tensor) -> Tensor:
        """Project pooled features [..., C] to unit vectors [..., embedding]."""
        return F.normalize(self.visual(pooled).float(), dim=-1)

    def read(self, pooled: Tensor) -> Tensor:
        """Project pooled text [..., W] to unit vectors [..., embedding]."""
        return F.normalize(self.textual(pooled).float(), dim=-1)

    def enhance(self, x: Tensor, text: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute the gated map F~ and the logit of A [B, N]; without a gate, the unchanged map and None.

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
