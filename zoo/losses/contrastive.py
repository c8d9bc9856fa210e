"""Contrastive losses between image and text embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.losses.distributed import gather_rows
from zoo.utils.hashing import hash_text


class Pairs(NamedTuple):
    """Matched embeddings: visual [P, d] and textual [P, d], L2-normalised, with the text's id [P].

    Two pairs of one text have the same id: they are positives of each other and never pushed apart.
    """

    visual: Tensor
    textual: Tensor
    ids: Tensor


def text_ids(strings: Sequence[str], device: torch.device) -> Tensor:
    """An int64 id a string, the same on every rank."""
    numbers = [int.from_bytes(bytes.fromhex(hash_text(s))[:8], "big", signed=True) for s in strings]
    return torch.tensor(numbers, dtype=torch.int64, device=device)


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
