"""What BiPVL-Seg aligns: class maps on the deepest grid, a visual embedding a class, a mean of its concepts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.layers.tokens import pad_to_two_places, to_tokens
from zoo.losses.contrastive import Pairs, contrast, gather_pairs, text_ids
from zoo.types import ClassPrompt

MAX_CONCEPTS = 6
"""A class's name and five attributes; of a report, the class's name and five clauses."""


def concepts_of(prompt: ClassPrompt) -> list[str]:
    """The sentences a class is contrasted by: its name, then its attributes; "" where it has none at all."""
    return [s for s in (prompt.name.replace("_", " "), *prompt.concepts) if s][:MAX_CONCEPTS] or [""]


class ConceptTable:
    """The concepts of P (sample, class) pairs, laid out so that those of a sample form one row.

    Every pair fills MAX_CONCEPTS strings, every sample as many pairs as the fullest one.

    Args:
        concepts: Up to MAX_CONCEPTS strings a pair.
        samples: The sample of each pair.

    Attributes:
        samples: The R samples that have pairs.
        strings: R * n * MAX_CONCEPTS strings, empty ones where there is no concept.
        real: Of each string, whether it is a concept.
        places: Where each of the P pairs stands among the R * n.
    """

    def __init__(self, concepts: Sequence[Sequence[str]], samples: Sequence[int]) -> None:
        rows = list(dict.fromkeys(samples))
        fullest = max(map(samples.count, rows), default=0)
        places = [rows.index(sample) * fullest + samples[:p].count(sample) for p, sample in enumerate(samples)]
        table: list[Sequence[str]] = [()] * (len(rows) * fullest)
        for place, pair in zip(places, concepts, strict=True):
            table[place] = pair
        self.samples = torch.tensor(rows, dtype=torch.long)
        self.strings = [s for pair in table for s in (*pair, *[""] * (MAX_CONCEPTS - len(pair)))]
        self.real = torch.tensor([k < len(pair) for pair in table for k in range(MAX_CONCEPTS)], dtype=torch.bool)
        self.places = torch.tensor(places, dtype=torch.long)


def coarse_label(masks: Tensor, stride: int, size: Sequence[int], exclusive: bool) -> Tensor:
    """Foreground masks [B, K, *S] area-averaged to the deepest grid: [B, N, channels] in [0, 1].

    Args:
        masks: Float or bool.
        stride: Of the network; S is padded to a multiple of it, as the image is.
        size: Of the deepest grid, N places in all.
        exclusive: Then the background comes first, as in the logits.
    """
    masks = masks.float()
    if exclusive:
        masks = torch.cat([1 - masks.sum(1, keepdim=True), masks], dim=1)
    return to_tokens(F.interpolate(pad_to_two_places(masks, stride), tuple(size), mode="area"))


def class_embedding_loss(class_logits: Tensor, target: Tensor, exclusive: bool) -> Tensor:
    """Cross entropy of class maps [B, N, channels] against shares of the same shape.

    The release takes its own down-sampled logits for the target; the ground truth here is our choice.
    """
    if exclusive:
        return -(target * class_logits.log_softmax(-1)).sum(-1).mean()
    return F.binary_cross_entropy_with_logits(class_logits, target)


def pool_under(class_logits: Tensor, tokens: Tensor, exclusive: bool) -> Tensor:
    """Tokens [B, N, d] averaged under each foreground class's map: [B, K, d].

    The release flattens the map itself, which ties the projection to one patch size.
    """
    weight = class_logits.softmax(-1)[..., 1:] if exclusive else class_logits.sigmoid()
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-6)
    return weight.transpose(1, 2) @ tokens


def mean_concept(visual: Tensor, textual: Tensor, real: Tensor) -> Tensor:
    """The concepts of a class, weighted by their likeness to its visual embedding: [P, e], normed.

    The release normalises the weights over the classes; here over a class's own concepts, which is
    what "adaptive weighting of concepts" [secondary summary] says.

    Args:
        visual: V [P, e], normed.
        textual: U [P, n, e], normed.
        real: [P, n], at least one concept a row.
    """
    cosine = (textual * visual[:, None]).sum(-1)
    weight = cosine.masked_fill(~real, -torch.inf).softmax(-1)
    return F.normalize((weight[..., None] * textual).sum(1), dim=-1)


def alignment_losses(
    visual: Tensor, textual: Tensor, concepts: Sequence[Sequence[str]], temperature: float, hard_negatives: int
) -> tuple[dict[str, Tensor | None], Pairs]:
    """Contrast visual and textual embeddings of the (sample, class) pairs of all ranks.

    The global term contrasts V with the mean of the concepts of its class, the local term concept by concept.
    The release takes the least similar negatives for hard ones; here hard means most similar.

    Args:
        visual: V of the P pairs, [P, E].
        textual: Embeddings of their concepts, [P, MAX_CONCEPTS, E].
        concepts: The concepts of each pair.
        temperature: Divides the cosines.
        hard_negatives: Number of negatives that the local contrast keeps.

    Returns:
        "align_global" and "align_local", each None without two distinct texts; and the pairs of the global term.
    """
    counts = torch.tensor([len(c) for c in concepts], device=visual.device)
    real = torch.arange(MAX_CONCEPTS, device=visual.device) < counts[:, None]
    means = mean_concept(visual, textual, real)
    whole = gather_pairs(Pairs(visual, means, text_ids([" ".join(c) for c in concepts], visual.device)))
    align_global = contrast(whole, temperature)
    local = []
    for k in range(MAX_CONCEPTS):  # a fixed number, so that all ranks gather equally often
        have = real[:, k].nonzero()[:, 0]
        ids = text_ids([c[k] for c in concepts if len(c) > k], visual.device)
        pairs = gather_pairs(Pairs(visual.index_select(0, have), textual[:, k].index_select(0, have), ids))
        plain, hard = contrast(pairs, temperature), contrast(pairs, temperature, hard_negatives)
        if plain is not None and hard is not None:
            local.append(plain + hard)
    return {"align_global": align_global, "align_local": torch.stack(local).mean() if local else None}, whole
