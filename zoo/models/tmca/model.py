"""TMCA, reconstructed from its abstracts: target-informed multi-level contrastive alignment of image and text.

arXiv 2412.13533. Only the abstracts (v1, v3) were read, and no code was released. The three parts of the
abstracts extend the decoder of LanGuideMedSeg here. Every formula is our choice. `docs/models/tmca.md`
compares abstract and choice. Do not compare a score of this model with a score of the paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import ConfigError
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.losses.contrastive import EmbeddingPairs, contrast, text_ids
from zoo.losses.distributed import gather_rows
from zoo.losses.segmentation import masks_of
from zoo.models.base import text_of
from zoo.models.guided import GuidedModule
from zoo.models.output import Output
from zoo.models.read_text import not_compiled, read_rows
from zoo.models.tmca.alignment import (
    DISTANCES,
    AlignedLevel,
    compute_traits,
    gate_losses,
    pool_target,
    semantic_distance,
    soft_contrast,
)
from zoo.text.model_inputs import class_prompts, report_strings
from zoo.types import Batch, Text

ENHANCEMENTS = ("gate", "none")


class TMCA(GuidedModule):
    """A guided decoder whose maps are aligned with the text per target, and gated by the alignment.

    The alignment contrasts (sample, class) pairs: the sentence of the class, or the report where there is one
    class, and the map under the mask of the class. Only `compute_losses` reads masks.

    Args:
        facts: See `SegModule`.
        embedding: Width of the space in which image and text are contrasted.
        temperature: Divides the cosines, in the contrast and in the gate.
        distance: Distance of two targets: "mask", "zone", "text" or "feature".
        softness: Divides the distances. Near 0 the targets of the contrast become hard.
        soft_targets: False: InfoNCE, in which identical texts alone are positives.
        target_pooling: True: an image is pooled under its target. False: the whole image is pooled.
        levels: Guided maps that are contrasted, 0 the finest and -1 the deepest; None: all.
        alignment: Weight of the contrast. A term of weight 0 is logged and not trained.
        enhancement: "gate" or "none".
        gate_gain: Start value of the learned factor of the gate.
        supervise_gate: Weight of the gate's cross entropy with the mask; 0: logged, not trained.
        **kwargs: See `GuidedModule`.

    Raises:
        ConfigError: An unknown distance, enhancement or level, a negative weight, or a temperature or
            softness of 0 or less.

    Example:
        >>> from zoo import make_facts
        >>> model = TMCA(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", vision="conv", width=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_terms: ClassVar[tuple[str, ...]] = ("alignment",)
    text_path: ClassVar[tuple[str, ...]] = ("aligned",)

    def __init__(
        self,
        facts: Mapping[str, Any],
        embedding: int = 256,
        temperature: float = 0.1,
        distance: str = "mask",
        softness: float = 0.2,
        soft_targets: bool = True,
        target_pooling: bool = True,
        levels: list[int] | None = None,
        alignment: float = 0.1,
        enhancement: str = "gate",
        gate_gain: float = 0.1,
        supervise_gate: float = 0.1,
        **kwargs: Any,
    ) -> None:
        _check(distance, enhancement, (alignment, supervise_gate), (temperature, softness))
        super().__init__(facts, **kwargs)
        self.term_weights |= {"alignment": alignment, "target_gate": supervise_gate}
        self.levels = _find_levels(levels, len(self.guided_widths))
        self.temperature, self.softness = temperature, softness
        self.distance, self.soft_targets, self.target_pooling = distance, soft_targets, target_pooling
        start = gate_gain if enhancement == "gate" else None
        self.aligned = nn.ModuleList(
            AlignedLevel(channels, self.text.width, embedding, temperature, start) for channels in self.guided_widths
        )

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits, the guided maps before the gate, the gate logits and the text of every class."""
        tokens, mask, named = self._read(text, image)
        found = self.vision(pad_to_two_places(image, self.vision.stride))
        fine, maps = found[: -len(self.aligned)], found[-len(self.aligned) :]
        enhanced, gates = [], []
        for level, x in zip(self._levels(), maps, strict=True):
            better, gate = level.enhance(x, named)
            enhanced.append(better)
            gates += [] if gate is None else [gate]
        feature = self.decoder([*fine, *enhanced], self.decoder.project(tokens, mask))
        logits = crop_to(self.head(feature), image.shape[2:])
        return Output(logits, {"maps": maps, "gates": gates, "named": named})

    @not_compiled
    def _read(self, text: Text, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens and mask of the reports, and the pooled text of each class [B, K, W]."""
        # One call: with one class the sentences are the reports, and each distinct string is encoded once.
        read = read_rows(self.text, text, image, _report_and_sentences)
        tokens, mask, pooled = (part.unflatten(0, (image.shape[0], -1)) for part in read)
        return tokens[:, 0], mask[:, 0], pooled[:, 1:]

    def _levels(self) -> list[AlignedLevel]:
        return [cast(AlignedLevel, level) for level in self.aligned]

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice, cross entropy, alignment and, if there is a gate, its cross entropy with the mask."""
        losses = super().compute_losses(batch, output)
        labels, maps = self.facts.labels, output.extra["maps"]
        masks = masks_of(batch["label"], len(labels.names), labels.exclusive).float()
        padded = pad_to_two_places(masks, self.vision.stride)
        pooled = [pool_target(x, padded if self.target_pooling else torch.zeros_like(padded)) for x in maps]
        levels = self._levels()
        # [B, K, levels, embedding]
        visual = torch.stack([level.look(x) for level, x in zip(levels, pooled, strict=True)], dim=2)
        textual = torch.stack([level.read(output.extra["named"]) for level in levels], dim=2)
        # An absent class has no target to align. With one class, the report also describes an empty image.
        present = masks.flatten(2).any(-1) if masks.shape[1] > 1 else masks.new_ones(len(masks), 1)
        prompts = class_prompts(self.readable(text_of(batch)), len(masks))
        sentences = [prompt.sentence for prompt in chain(*prompts)]
        compared = (masks, sentences, output.extra["named"], pooled[-1])
        term = self._alignment(visual, textual, *compared, present.flatten().nonzero()[:, 0])
        if term is None:
            self.log_absent_term("alignment")
        else:
            losses["alignment"] = term
        if output.extra["gates"]:
            union = padded.amax(1, keepdim=True)
            losses["target_gate"] = self._gate_loss(output.extra["gates"], maps, union)
        # DDP needs the projections in the graph also where a batch has nothing to contrast.
        losses["cross_entropy"] = losses["cross_entropy"] + 0.0 * (visual.sum() + textual.sum())
        return losses

    def _gate_loss(self, gates: Sequence[Tensor], maps: Sequence[Tensor], union: Tensor) -> Tensor:
        """Average the cross entropy of the gates with the masks [B, 1, *S]; log the gates inside and outside."""
        found = [
            gate_losses(gate, F.interpolate(union, x.shape[2:], mode="area").flatten(1).clamp(0, 1))
            for gate, x in zip(gates, maps, strict=True)
        ]
        losses, *sides = zip(*found, strict=True)
        for name, side in zip(("gate_inside", "gate_outside"), sides, strict=True):
            means = [mean for mean in side if mean is not None]
            if means:
                self.watch(name, torch.stack(means).mean())
        return torch.stack(losses).mean()

    def _alignment(
        self,
        visual: Tensor,
        textual: Tensor,
        masks: Tensor,
        sentences: Sequence[str],
        named: Tensor,
        deepest: Tensor,
        rows: Tensor,
    ) -> Tensor | None:
        """Compute the contrast of the pairs of all ranks, averaged over levels; None without two distinct texts.

        Args:
            visual: [B, K, levels, embedding].
            textual: As `visual`.
            masks: Float [B, K, *S].
            sentences: B * K sentences.
            named: Their pooled text, [B, K, W].
            deepest: Deepest features under each target, [B, K, C].
            rows: Indices of the used pairs among the B * K pairs, int [P].
        """
        sentences = [sentences[row] for row in rows.tolist()]

        def chosen(x: Tensor) -> Tensor:
            return x.flatten(0, 1).index_select(0, rows)

        compared = compute_traits(self.distance, chosen(masks), sentences, chosen(named), chosen(deepest))
        visual, textual, ids, compared, classes = gather_rows(
            chosen(visual), chosen(textual), text_ids(sentences, rows.device), compared, rows % masks.shape[1]
        )
        levels = [EmbeddingPairs(visual[:, n], textual[:, n], ids) for n in range(visual.shape[1])]
        self.watch_retrieval(levels[-1])
        if self.soft_targets:
            apart = semantic_distance(self.distance, compared, classes, ids)
            terms = [soft_contrast(levels[n], apart, self.temperature, self.softness) for n in self.levels]
        else:
            terms = [contrast(levels[n], self.temperature) for n in self.levels]
        found = [term for term in terms if term is not None]
        return torch.stack(found).mean() if found else None


def _report_and_sentences(text: Text, batch: int) -> list[str]:
    """List the report of each image and the sentences of its classes, image by image."""
    rows = zip(report_strings(text, batch), class_prompts(text, batch), strict=True)
    return [string for report, row in rows for string in (report, *(prompt.sentence for prompt in row))]


def _check(distance: str, enhancement: str, weights: Sequence[float], positive: Sequence[float]) -> None:
    if distance not in DISTANCES or enhancement not in ENHANCEMENTS:
        raise ConfigError(
            f"No TMCA with the distance {distance!r} and the enhancement {enhancement!r}.",
            f"Distances are {[*DISTANCES]}, enhancements {[*ENHANCEMENTS]}.",
        )
    if min(weights) < 0 or min(positive) <= 0:
        raise ConfigError(
            f"Weights {weights}, temperature and softness {positive}.",
            "A weight is 0 or more, temperature and softness are more than 0.",
        )


def _find_levels(levels: Sequence[int] | None, stages: int) -> list[int]:
    """The guided maps that are contrasted, by their index from the finest."""
    if levels is None:
        return list(range(stages))
    if not (levels and all(-stages <= n < stages for n in levels)):
        raise ConfigError(f"No levels {levels} among {stages} guided maps.", f"Give some of 0 to {stages - 1}, or -1.")
    return sorted({n % stages for n in levels})
