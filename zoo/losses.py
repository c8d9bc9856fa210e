"""Losses on logits, and the contrast between image and text that several competitors share."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import torch
import torch.distributed as dist
from monai.losses.utils import compute_tp_fp_fn
from monai.networks import one_hot
from torch import Tensor, nn
from torch.nn import functional as F

_SMOOTH = 1e-5  # MONAI's default


class GlobalDice(nn.Module):
    """1 minus the soft Dice of each channel over the global batch, in the mean over channels.

    The sums are taken over the samples of all ranks, so that a batch has one loss however many ranks share it. On one
    rank this is MONAI's `DiceLoss(batch=True)`, to the last bit.

    Args:
        exclusive: True: softmax over background and K classes. False: a sigmoid a channel.
    """

    def __init__(self, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of logits [B, K, *S] against a label as in `Batch`."""
        shares = logits.softmax(1) if self.exclusive else logits.sigmoid()
        target = one_hot(label, logits.shape[1]) if self.exclusive else label
        sums = torch.stack(compute_tp_fp_fn(shares, target, [0, *range(2, logits.ndim)], 1, False))
        tp, fp, fn = gather_rows(sums[None])[0].sum(0)
        loss: Tensor = 1 - (2 * tp + _SMOOTH) / (2 * (tp + 0.5 * fp + 0.5 * fn) + _SMOOTH)
        return loss.mean()


class SegmentationLoss(nn.Module):
    """Soft Dice plus cross entropy, both from logits and each under its own name.

    MONAI's `DiceCELoss` means different things by version and channel count (for one channel it had
    no cross entropy at all before 1.3), so the two halves are spelled out here.

    Args:
        exclusive: True: softmax over background and K classes. False: a sigmoid a channel.
    """

    def __init__(self, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive
        self.dice = GlobalDice(exclusive)

    def forward(self, logits: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Losses of logits [B, K, *S] against a label as in `Batch`."""
        logits = logits.float()
        if self.exclusive:
            cross_entropy = F.cross_entropy(logits, label[:, 0].long())
        else:
            cross_entropy = F.binary_cross_entropy_with_logits(logits, label.float())
        return {"dice": self.dice(logits, label), "cross_entropy": cross_entropy}


def masks_of(label: Tensor, classes: int, exclusive: bool) -> Tensor:
    """Foreground masks bool [B, classes, *S] of a label as in `Batch`."""
    if not exclusive:
        return label.bool()
    values = torch.arange(1, classes + 1, device=label.device).view(1, -1, *[1] * (label.ndim - 2))
    return label == values


class Pairs(NamedTuple):
    """Matched embeddings: visual [P, d] and textual [P, d], L2-normalised, with the text's id [P].

    Two pairs of one text have the same id: they are positives of each other and never pushed apart.
    """

    visual: Tensor
    textual: Tensor
    ids: Tensor


def text_ids(strings: Sequence[str], device: torch.device) -> Tensor:
    """An int64 id a string, the same on every rank."""
    numbers = [int.from_bytes(sha256(s.encode()).digest()[:8], "big", signed=True) for s in strings]
    return torch.tensor(numbers, dtype=torch.int64, device=device)


def gather_rows(*columns: Tensor) -> tuple[Tensor, ...]:
    """The rows of all ranks in the order of the ranks, with gradient.

    Only a rank's own rows carry gradient, times the number of ranks, which DDP's mean then divides
    by: together that is the gradient of the global loss. No collective runs in the backward pass,
    where ranks with differing graphs would meet it in differing order and wait for ever.

    Args:
        columns: Tensors [P, ...] of one P, which may differ between ranks and even be 0; what follows P,
            the types and the number of columns may not.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return columns
    rank, world = dist.get_rank(), dist.get_world_size()
    count = torch.tensor([len(columns[0])], device=columns[0].device)
    counts = [torch.zeros_like(count) for _ in range(world)]
    dist.all_gather(counts, count)
    sizes = [int(c) for c in counts]

    def together(x: Tensor) -> Tensor:
        mine = x.detach()
        padded = F.pad(mine, (0, 0) * (x.ndim - 1) + (0, max(sizes) - len(x))).contiguous()
        parts = [torch.empty_like(padded) for _ in range(world)]
        dist.all_gather(parts, padded)
        rows = [part[:size] for part, size in zip(parts, sizes, strict=True)]
        rows[rank] = mine + world * (x - mine) if x.is_floating_point() else x
        return torch.cat(rows)

    return tuple(together(x) for x in columns) if any(sizes) else columns


def gather_pairs(pairs: Pairs) -> Pairs:
    """The pairs of all ranks, with gradient; see `gather_rows`."""
    return Pairs(*gather_rows(*pairs))


def contrast(pairs: Pairs, temperature: float, hard_negatives: int = 0) -> Tensor | None:
    """Symmetric InfoNCE over gathered pairs, identical texts being positives of each other.

    Args:
        pairs: P pairs.
        temperature: Divides the cosines.
        hard_negatives: With n > 0 only the n most similar negatives of each anchor stay in the
            denominator.

    Returns:
        A scalar that is at least 0, or None where fewer than two distinct texts leave nothing to
        contrast.
    """
    if len(pairs.ids.unique()) < 2:
        return None
    cosine = pairs.visual @ pairs.textual.T / temperature
    same = pairs.ids[:, None] == pairs.ids[None, :]
    return (_info_nce(cosine, same, hard_negatives) + _info_nce(cosine.T, same, hard_negatives)) / 2


def _info_nce(cosine: Tensor, same: Tensor, hard_negatives: int) -> Tensor:
    negatives = cosine.masked_fill(same, -torch.inf)
    if hard_negatives:
        negatives = negatives.topk(min(hard_negatives, cosine.shape[1]), dim=1).values
    # Each positive against the negatives alone: other positives are no competitors of it.
    log_denominator = torch.logaddexp(cosine, negatives.logsumexp(dim=1, keepdim=True))
    log_share = (cosine - log_denominator).masked_fill(~same, 0.0)
    return -(log_share.sum(dim=1) / same.sum(dim=1)).mean()


def soft_targets(distance: Tensor, softness: float) -> Tensor:
    """Rows of shares that fall with the distance, [P, P]: softmax of -distance / softness.

    A pair's own share is the largest of its row where its own distance is the smallest.
    """
    return (-distance / softness).softmax(dim=1)


def soft_contrast(pairs: Pairs, distance: Tensor, temperature: float, softness: float) -> Tensor | None:
    """Symmetric contrast over gathered pairs against soft targets.

    The cross entropy of softmax(cosine / temperature) against `soft_targets`, less the targets' own
    entropy: the same gradient, and 0 where the two agree, so that values compare between distances.

    Args:
        pairs: P pairs.
        distance: [P, P], symmetric and without gradient; 0 where two pairs have one text, which then share
            their targets.
        temperature: Divides the cosines.
        softness: Divides the distances.

    Returns:
        A scalar that is at least 0, or None where fewer than two distinct texts leave nothing to
        contrast.
    """
    if len(pairs.ids.unique()) < 2:
        return None
    cosine = pairs.visual @ pairs.textual.T / temperature
    target = soft_targets(distance, softness)
    sides = [F.kl_div(c.log_softmax(dim=1), target, reduction="batchmean") for c in (cosine, cosine.T)]
    return (sides[0] + sides[1]) / 2


def retrieval(pairs: Pairs) -> tuple[Tensor, Tensor] | None:
    """How often an image finds its own text, and how often it would by chance.

    Args:
        pairs: P pairs.

    Returns:
        The share of visual embeddings whose most similar text is one of its own id, and the mean share
        of such texts among the P; None where fewer than two distinct texts leave nothing to find.
    """
    if len(pairs.ids.unique()) < 2:
        return None
    nearest = (pairs.visual.detach() @ pairs.textual.detach().T).argmax(dim=1)
    same = pairs.ids[:, None] == pairs.ids[None, :]
    return (pairs.ids[nearest] == pairs.ids).float().mean(), same.float().mean()


class LearnedWeights(nn.Module):
    """Sum of losses weighted by learned homoscedastic uncertainty: L / (2 e^s) + s / 2.

    Kendall et al., "Multi-task learning using uncertainty to weigh losses" (CVPR 2018); used by
    BiPVL-Seg's released code with every s starting at 0. Every loss must be at least 0, or s would
    run to minus infinity.

    Args:
        names: The losses to be weighted.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.log_variance = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in names})

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """The weighted sum; a loss that is absent from this batch gives its weight no gradient."""
        total = torch.zeros((), device=next(self.parameters()).device)
        for name, s in self.log_variance.items():
            # The zero term keeps every parameter in the graph: ranks may differ in what is absent.
            total = total + (losses[name] / (2 * s.exp()) + s / 2 if name in losses else 0.0 * s)
        return total
