"""Contrastive losses between image and text embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.losses.distributed import gather_rows
from zoo.utils.hashing import hash_text


class EmbeddingPairs(NamedTuple):
    """Matched embeddings, L2-normalised: visual [P, d], textual [P, d], and the id of the text [P].

    EmbeddingPairs with the same text have the same id. They are positives of each other.
    """

    visual: Tensor
    textual: Tensor
    ids: Tensor


def text_ids(strings: Sequence[str], device: torch.device) -> Tensor:
    """Compute one int64 id per string, equal on every rank."""
    numbers = [int.from_bytes(bytes.fromhex(hash_text(s))[:8], "big", signed=True) for s in strings]
    return torch.tensor(numbers, dtype=torch.int64, device=device)


def gather_pairs(pairs: EmbeddingPairs) -> EmbeddingPairs:
    """Gather the pairs of all ranks, with gradient; see `gather_rows`."""
    return EmbeddingPairs(*gather_rows(*pairs))


def contrast(pairs: EmbeddingPairs, temperature: float, hard_negatives: int = 0) -> Tensor | None:
    """Compute the symmetric InfoNCE of gathered pairs. Identical texts are positives of each other.

    Args:
        pairs: P pairs.
        temperature: Divides the cosines.
        hard_negatives: With n > 0, the denominator keeps only the n most similar negatives of each anchor.

    Returns:
        A scalar that is at least 0, or None with fewer than two distinct texts.
    """
    return contrast_similarities(pairs.visual @ pairs.textual.T, pairs.ids, temperature, hard_negatives)


def contrast_similarities(cosine: Tensor, ids: Tensor, temperature: float, hard_negatives: int = 0) -> Tensor | None:
    """Compute the symmetric InfoNCE of similarities [P, P] of images (rows) and texts; see `contrast`."""
    if len(ids.unique()) < 2:
        return None
    cosine = cosine / temperature
    same = ids[:, None] == ids[None, :]
    return (_info_nce(cosine, same, hard_negatives) + _info_nce(cosine.T, same, hard_negatives)) / 2


def _info_nce(cosine: Tensor, same: Tensor, hard_negatives: int) -> Tensor:
    negatives = cosine.masked_fill(same, -torch.inf)
    if hard_negatives:
        negatives = negatives.topk(min(hard_negatives, cosine.shape[1]), dim=1).values
    # The denominator of a positive holds that positive and the negatives, and no other positive.
    log_denominator = torch.logaddexp(cosine, negatives.logsumexp(dim=1, keepdim=True))
    log_share = (cosine - log_denominator).masked_fill(~same, 0.0)
    return -(log_share.sum(dim=1) / same.sum(dim=1)).mean()


def retrieval(pairs: EmbeddingPairs) -> tuple[Tensor, Tensor] | None:
    """Compute how often an image finds its own text, and how often it would by chance.

    Args:
        pairs: P pairs.

    Returns:
        The share of visual embeddings whose most similar text has their own id, and the mean share of
        such texts among the P texts. None with fewer than two distinct texts.
    """
    if len(pairs.ids.unique()) < 2:
        return None
    nearest = (pairs.visual.detach() @ pairs.textual.detach().T).argmax(dim=1)
    same = pairs.ids[:, None] == pairs.ids[None, :]
    return (pairs.ids[nearest] == pairs.ids).float().mean(), same.float().mean()
