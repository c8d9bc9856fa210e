"""BiPVL-Seg: bidirectional progressive fusion of text and image, with global-local alignment.

Ibn Sultan et al., arXiv 2503.23534. Read were the abstract, the authors' method figure and the
released code; the paper's body was not. `docs/models/bipvl.md` lays the three beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.losses import LearnedWeights, Pairs, contrast, gather_pairs, masks_of, text_ids
from zoo.module import Features, SegModule
from zoo.nn.decoder import UDecoder
from zoo.nn.encoders import build_encoder
from zoo.nn.fusion import BidirectionalFusion
from zoo.nn.grid import crop_to, pad_to_stride, to_map, to_tokens
from zoo.text.encoders import build_encoder as build_text_encoder
from zoo.text.prompts import class_prompts
from zoo.types import Batch, ClassPrompt, Text

MAX_CONCEPTS = 6
"""A class's name and five attributes; of a report, the class's name and five clauses."""

GROUPS = {
    "segmentation": ("dice", "cross_entropy"),
    "class_embedding": ("class_embedding",),
    "alignment": ("align_global", "align_local"),
}
"""The three losses that get a learned weight each [released code]."""


class BiPVL(SegModule):
    """Text and image encoders that run in lock step and exchange what they know after every stage.

    The class sentences talk to the image (abstract, figure). The concept sentences only train: they
    read the image through the same blocks and are contrasted with the visual embedding of their
    class, so nothing but class sentences is needed to predict.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze it; None keeps the encoder's own default.
        vision: "swin_v2" (published) or "conv".
        width: Channels of the vision stem.
        stages: Vision stages after the stem; each is fused with the text.
        full_width: Channels of the decoder at full resolution; None: those of the stem.
        heads: Attention heads of the fusion.
        embedding: Width of the space in which image and text are contrasted (128 in the release).
        temperature: Of the contrast (0.2 in the release).
        hard_negatives: Negatives that the local contrast keeps (3 in the release).
        **kwargs: See `SegModule`.
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "pubmedbert",
        freeze_text: bool | None = None,
        vision: str = "swin_v2",
        width: int = 48,
        stages: int = 4,
        full_width: int | None = None,
        heads: int = 8,
        embedding: int = 128,
        temperature: float = 0.2,
        hard_negatives: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        labels, dims = self.facts.labels, self.facts.spatial_dims
        self.temperature = temperature
        self.hard_negatives = hard_negatives
        self.text = build_text_encoder(encoder, freeze_text)
        self.vision = build_encoder(vision, dims, self.facts.in_channels, width, stages)
        self.fusions = nn.ModuleList(
            BidirectionalFusion(channels, self.text.width, heads) for channels in self.vision.widths[1:]
        )
        # Half of the text layers run before the first fusion, the rest evenly between the fusions:
        # of 12 layers with four stages 6, 8, 10 and 12, as in the release.
        self.layers = [round(self.text.depth * (1 + i / max(stages - 1, 1)) / 2) for i in range(stages)]
        self.decoder = UDecoder(dims, self.facts.in_channels, self.vision.widths, labels.channels, full_width)
        deepest = self.vision.widths[-1]
        self.class_map = nn.Sequential(nn.Linear(deepest, deepest), nn.ReLU(), nn.Linear(deepest, labels.channels))
        self.visual_projection = nn.Linear(deepest, embedding)
        self.text_projection = nn.Linear(self.text.width, embedding)
        self.weights = LearnedWeights(tuple(GROUPS))

    def encode(self, image: Tensor, text: Text) -> Features:
        """Logits, and what the alignment needs: V' of every stage and the deepest map."""
        prompts = class_prompts(text, len(image))
        sentences = [prompt.sentence for sample in prompts for prompt in sample]
        hidden, mask = self._text_before_fusion(sentences)
        padded = pad_to_stride(image, self.vision.stride)
        x = self.vision.stem(padded)
        maps, seen_by_stage = [x], []
        for i in range(len(self.fusions)):
            x = self.vision.stage(i + 1, x)
            size = x.shape[2:]
            seen = self._fusion(i).see(to_tokens(x), size)
            hidden, read = self._read(i, hidden, mask, mask, seen)
            x = to_map(self._fusion(i).write(seen, read, mask.view(len(image), -1)), size)
            maps.append(x)
            seen_by_stage.append(seen)
        logits = crop_to(self.decoder(padded, maps), image.shape[2:])
        deepest = to_tokens(x)
        return {
            "logits": logits,
            "prompts": prompts,
            "seen": seen_by_stage,
            "deepest": deepest,
            "grid": x.shape[2:],
            "text": (hidden, mask),
        }

    def _fusion(self, stage: int) -> BidirectionalFusion:
        return cast(BidirectionalFusion, self.fusions[stage])

    def _text_before_fusion(self, strings: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Hidden states [len(strings), L, D] before the first fusion; a string is encoded once."""
        distinct = list(dict.fromkeys(strings))
        hidden, mask = self.text.embed(distinct, self.device)
        hidden = self.text.run_layers(hidden, mask, 0, self.layers[0])
        # `index_select`, here and below: the backward of `hidden[index]` adds in any order on several threads.
        index = torch.tensor([distinct.index(s) for s in strings], device=hidden.device)
        return hidden.index_select(0, index), mask.index_select(0, index)

    def _read(self, stage: int, hidden: Tensor, mask: Tensor, used: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The strings of a sample read its image together, then run on to the next fusion's layer.

        Args:
            stage: Index of the fusion.
            hidden: [B * n, L, D], n strings a sample.
            mask: [B * n, L], the real tokens.
            used: [B * n, L], the tokens that the fusion may attend to.
            seen: V' [B, N, d].

        Returns:
            hidden after this stage's text layers, and T^ [B, n * L, d].
        """
        batch = len(seen)
        together = hidden.reshape(batch, -1, hidden.shape[-1])
        together, read = self._fusion(stage).read(together, used.reshape(batch, -1), seen)
        start, stop = (*self.layers, self.text.depth)[stage : stage + 2]
        return self.text.run_layers(together.view_as(hidden), mask, start, stop), read

    def training_losses(self, batch: Batch, features: Features) -> dict[str, Tensor]:
        """Dice, cross entropy, class embedding, global and local alignment."""
        losses = super().training_losses(batch, features)
        labels = self.facts.labels
        class_logits = self.class_map(features["deepest"])
        losses["class_embedding"] = self._class_embedding_loss(class_logits, batch["label"], features["grid"])
        embedded = self._visual_embeddings(class_logits, features["deepest"])
        present = masks_of(batch["label"], len(labels.names), labels.exclusive).flatten(2).any(-1)
        pairs = present.nonzero()
        concepts = [_concepts(features["prompts"][b][c]) for b, c in pairs.tolist()]
        visual = embedded[pairs[:, 0], pairs[:, 1]]
        textual = self._concept_embeddings(concepts, pairs[:, 0].tolist(), features["seen"])
        for name, term in self._alignment(visual, textual, concepts).items():
            if term is None:
                self.say_absent(name)
            else:
                losses[name] = term
        # Where there is nothing to contrast, these parameters must still be part of the graph (DDP).
        read = self.text.finish(*features["text"]).pooled
        losses["class_embedding"] = losses["class_embedding"] + 0.0 * (read.sum() + embedded.sum() + textual.sum())
        return losses

    def combine(self, losses: dict[str, Tensor]) -> Tensor:
        """Three learned weights: segmentation, class embedding, alignment."""
        groups = {
            group: torch.stack([losses[n] for n in names if n in losses]).sum()
            for group, names in GROUPS.items()
            if any(n in losses for n in names)
        }
        total: Tensor = self.weights(groups)
        return total

    def _class_embedding_loss(self, class_logits: Tensor, label: Tensor, size: Sequence[int]) -> Tensor:
        """Class maps [B, N, K] against the label, area-averaged to the deepest grid.

        The release takes its own down-sampled logits for the target; here it is the ground truth.
        """
        labels = self.facts.labels
        masks = masks_of(label, len(labels.names), labels.exclusive).float()
        if labels.exclusive:
            masks = torch.cat([1 - masks.sum(1, keepdim=True), masks], dim=1)
        masks = pad_to_stride(masks, self.vision.stride)
        target = to_tokens(F.interpolate(masks, tuple(size), mode="area"))
        if labels.exclusive:
            return -(target * class_logits.log_softmax(-1)).sum(-1).mean()
        return F.binary_cross_entropy_with_logits(class_logits, target)

    def _visual_embeddings(self, class_logits: Tensor, deepest: Tensor) -> Tensor:
        """V [B, K, embedding]: the deepest features averaged under each class's map.

        The release flattens the map itself, which ties the projection to one patch size.
        """
        exclusive = self.facts.labels.exclusive
        weight = class_logits.softmax(-1)[..., 1:] if exclusive else class_logits.sigmoid()
        weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-6)
        pooled = weight.transpose(1, 2) @ deepest
        return F.normalize(self.visual_projection(pooled), dim=-1)

    def _concept_embeddings(
        self, concepts: Sequence[Sequence[str]], samples: Sequence[int], seen: Sequence[Tensor]
    ) -> Tensor:
        """U [P, MAX_CONCEPTS, embedding] of the concepts of P pairs, each having read its image.

        Every pair fills MAX_CONCEPTS places (empty strings behind its own concepts), every sample
        as many pairs as the fullest one, so that the places of a sample lie in one row.
        """
        rows: dict[int, list[int]] = {}
        for pair, sample in enumerate(samples):
            rows.setdefault(sample, []).append(pair)
        if not rows:
            return self.text_projection(torch.zeros(0, MAX_CONCEPTS, self.text.width, device=self.device))  # type: ignore[no-any-return]
        fullest = max(len(pairs) for pairs in rows.values())
        table = [[concepts[p] for p in pairs] + [()] * (fullest - len(pairs)) for pairs in rows.values()]
        padded = [[*c, *[""] * (MAX_CONCEPTS - len(c))] for row in table for c in row]
        hidden, mask = self._text_before_fusion([s for place in padded for s in place])
        used = torch.tensor([bool(s) for place in padded for s in place], device=mask.device)
        order = torch.tensor(list(rows), device=self.device)
        for i, stage_seen in enumerate(seen):
            hidden, _ = self._read(i, hidden, mask, mask & used[:, None], stage_seen.index_select(0, order))
        pooled = self.text.finish(hidden, mask).pooled.view(len(rows), fullest, MAX_CONCEPTS, -1)
        flat = torch.cat([pooled[i, : len(pairs)] for i, pairs in enumerate(rows.values())])
        back = torch.tensor([p for pairs in rows.values() for p in pairs], device=self.device).argsort()
        return F.normalize(self.text_projection(flat.index_select(0, back)), dim=-1)

    def _alignment(
        self, visual: Tensor, textual: Tensor, concepts: Sequence[Sequence[str]]
    ) -> dict[str, Tensor | None]:
        """Global: V against the concepts of its class, weighted by likeness. Local: concept by concept.

        The release normalises the weights over classes and takes the least similar negatives for
        hard ones; here the softmax runs over a class's own concepts and hard means most similar.
        """
        cosine = (textual * visual[:, None]).sum(-1)
        counts = torch.tensor([len(c) for c in concepts], device=visual.device)
        real = torch.arange(MAX_CONCEPTS, device=visual.device) < counts[:, None]
        weight = cosine.masked_fill(~real, -torch.inf).softmax(-1)
        whole = F.normalize((weight[..., None] * textual).sum(1), dim=-1)
        ids = text_ids([" ".join(c) for c in concepts], visual.device)
        losses = {"align_global": contrast(gather_pairs(Pairs(visual, whole, ids)), self.temperature)}
        local = []
        for k in range(MAX_CONCEPTS):  # a fixed number, so that all ranks gather equally often
            have = real[:, k]
            ids = text_ids([c[k] for c in concepts if len(c) > k], visual.device)
            pairs = gather_pairs(Pairs(visual[have], textual[have, k], ids))
            terms = contrast(pairs, self.temperature), contrast(pairs, self.temperature, self.hard_negatives)
            local += [sum(terms)] if terms[0] is not None else []  # type: ignore[arg-type]
        losses["align_local"] = torch.stack(local).mean() if local else None  # type: ignore[arg-type]
        return losses


def _concepts(prompt: ClassPrompt) -> list[str]:
    """The sentences a class is contrasted by: its name, then its attributes; never an empty one."""
    return [s for s in (prompt.name.replace("_", " "), *prompt.concepts) if s][:MAX_CONCEPTS]
