"""The alignment of BiPVL-Seg: class maps on the deepest grid, one visual embedding per class, mean concepts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.layers.tokens import pad_to_two_places, to_tokens
from zoo.losses.contrastive import EmbeddingPairs, contrast, gather_pairs, text_ids
from zoo.types import ClassPrompt

MAX_CONCEPTS = 6
"""The name of the class and five attributes; for a report, the name of the class and five clauses."""


def concepts_of(prompt: ClassPrompt) -> list[str]:
    """Return the sentences that a class is contrasted with: its name, then its attributes; `[""]` without any."""
    return [s for s in (prompt.name.replace("_", " "), *prompt.concepts) if s][:MAX_CONCEPTS] or [""]


class ConceptTable:
    """The concepts of P (sample, class) pairs as S strings, of which none is padding.

    Args:
        concepts: Up to MAX_CONCEPTS strings per pair.
        samples: The sample of each pair.

    Attributes:
        strings: The S concepts, pair by pair.
        samples: The R samples that have pairs.
        rows: Position in `samples` of each string.
    """

    def __init__(self, concepts: Sequence[Sequence[str]], samples: Sequence[int]) -> None:
        self.strings = [s for pair in concepts for s in pair]
        self.samples = list(dict.fromkeys(samples))
        self.rows = [self.samples.index(i) for i, pair in zip(samples, concepts, strict=True) for _ in pair]
        self._places = [p * MAX_CONCEPTS + k for p, pair in enumerate(concepts) for k in range(len(pair))]
        self._pairs = len(concepts)

    def spread(self, x: Tensor) -> Tensor:
        """Order vectors of the strings [S, E] by pair, [P, MAX_CONCEPTS, E]; zeros where there is no concept."""
        out = x.new_zeros(self._pairs * MAX_CONCEPTS, x.shape[1])
        places = torch.tensor(self._places, dtype=torch.long, device=x.device)
        return out.index_copy(0, places, x).view(self._pairs, MAX_CONCEPTS, x.shape[1])


def coarse_label(masks: Tensor, stride: int, size: Sequence[int], exclusive: bool) -> Tensor:
    """Average foreground masks [B, K, *S] over the cells of the deepest grid: [B, N, channels] in [0, 1].

    Args:
        masks: Float or bool.
        stride: Stride of the network. S is padded to a multiple of it, as the image is.
        size: Size of the deepest grid, which has N places.
        exclusive: True: the background comes first, as in the logits.
    """
    masks = masks.float()
    if exclusive:
        masks = torch.cat([1 - masks.sum(1, keepdim=True), masks], dim=1)
    return to_tokens(F.interpolate(pad_to_two_places(masks, stride), tuple(size), mode="area"))


def class_embedding_loss(class_logits: Tensor, target: Tensor, exclusive: bool) -> Tensor:
    """Compute the cross entropy of class maps [B, N, channels] and shares of the same shape.

    The target of the release is its own down-sampled logits. The ground truth as target is our choice.
    """
    if exclusive:
        return -(target * class_logits.log_softmax(-1)).sum(-1).mean()
    return F.binary_cross_entropy_with_logits(class_logits, target)


def pool_under(class_logits: Tensor, tokens: Tensor, exclusive: bool) -> Tensor:
    """Average tokens [B, N, d] under the map of each foreground class: [B, K, d].

    The release flattens the map, which fixes the patch size.
    """
    weight = class_logits.softmax(-1)[..., 1:] if exclusive else class_logits.sigmoid()
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-6)
    return weight.transpose(1, 2) @ tokens


def mean_concept(visual: Tensor, textual: Tensor, real: Tensor) -> Tensor:
    """Average the concepts of a class, weighted by their similarity to its visual embedding: [P, e], normed.

    The release normalises the weights over the classes. Here they are normalised over the concepts of a class,
    as in "adaptive weighting of concepts" [secondary summary].

    Args:
        visual: V [P, e], normed.
        textual: U [P, n, e], normed.
        real: Bool [P, n]; each row has at least one concept.
    """
    cosine = (textual * visual[:, None]).sum(-1)
    weight = cosine.masked_fill(~real, -torch.inf).softmax(-1)
    return F.normalize((weight[..., None] * textual).sum(1), dim=-1)


def alignment_losses(
    visual: Tensor, textual: Tensor, concepts: Sequence[Sequence[str]], temperature: float, hard_negatives: int
) -> tuple[dict[str, Tensor | None], EmbeddingPairs]:
    """Contrast visual and textual embeddings of the (sample, class) pairs of all ranks.

    The global term contrasts V with the mean of the concepts of its class, the local term concept by concept.
    A hard negative is one of the most similar negatives. The release takes the least similar ones.

    Args:
        visual: V of the P pairs, [P, E].
        textual: Embeddings of their concepts, [P, MAX_CONCEPTS, E]; zeros where there is no concept.
        concepts: The concepts of each pair.
        temperature: Divides the cosines.
        hard_negatives: Number of negatives that the local contrast keeps.

    Returns:
        "align_global" and "align_local", each None without two distinct texts; and the pairs of the global term.
    """
    counts = torch.tensor([len(c) for c in concepts], device=visual.device)
    real = torch.arange(MAX_CONCEPTS, device=visual.device) < counts[:, None]
    means = mean_concept(visual, textual, real)
    whole = gather_pairs(EmbeddingPairs(visual, means, text_ids([" ".join(c) for c in concepts], visual.device)))
    align_global = contrast(whole, temperature)
    local = []
    for k in range(MAX_CONCEPTS):  # a fixed number, because all ranks must gather equally often
        have = real[:, k].nonzero()[:, 0]
        ids = text_ids([c[k] for c in concepts if len(c) > k], visual.device)
        pairs = gather_pairs(EmbeddingPairs(visual.index_select(0, have), textual[:, k].index_select(0, have), ids))
        plain, hard = contrast(pairs, temperature), contrast(pairs, temperature, hard_negatives)
        if plain is not None and hard is not None:
            local.append(plain + hard)
    return {"align_global": align_global, "align_local": torch.stack(local).mean() if local else None}, whole
