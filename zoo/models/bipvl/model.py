"""BiPVL-Seg: bidirectional progressive fusion of text and image, with global-local alignment.

Ibn Sultan et al., arXiv 2503.23534. We read the abstract, the method figure of the authors and the
released code, but not the body of the paper. `docs/models/bipvl.md` compares the three with this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.text import build_text_encoder
from zoo.encoders.text_backbone import TextTokens
from zoo.encoders.vision import build_vision_encoder
from zoo.errors import ConfigError
from zoo.layers.tokens import crop_to, pad_to_two_places, to_map, to_tokens
from zoo.losses.segmentation import masks_of
from zoo.models.base import SegModule, text_of
from zoo.models.bipvl.alignment import (
    ConceptTable,
    alignment_losses,
    class_embedding_loss,
    coarse_label,
    concepts_of,
    pool_under,
)
from zoo.models.bipvl.decoder import UDecoder
from zoo.models.bipvl.fusion import BidirectionalFusion, Fused
from zoo.models.bipvl.packing import PaddedRows, TokenPacking
from zoo.models.bipvl.released import BiPVLReleased
from zoo.models.bipvl.two_way_fusion import TwoWayFusion
from zoo.models.bipvl.uncertainty_weights import LearnedWeights
from zoo.models.output import Output
from zoo.models.read_text import not_compiled, prompt_strings, read_rows, rows_are_given
from zoo.text.model_inputs import class_prompts
from zoo.types import Batch, Text
from zoo.utils.class_args import as_group

GROUPS = {
    "segmentation": ("dice", "cross_entropy"),
    "class_embedding": ("class_embedding",),
    "alignment": ("align_global", "align_local"),
}
"""The three groups of losses; each has a learned weight [released code]."""


class BiPVL(SegModule):
    """A text encoder and a vision encoder that run in parallel and exchange features after every stage.

    The class sentences and the image attend to each other (abstract, figure). The concept sentences are used
    in training only: they read the image through the same blocks and are contrasted with the visual embedding
    of their class. Prediction needs the class sentences only.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        vision: "swin_v2" (published) or another vision encoder; see `build_vision_encoder`.
        width: Channels of the vision stem.
        stages: Vision stages after the stem; each with a stride of 4 or more is fused with the text.
        full_width: Channels of the decoder at full resolution; None: as many as the stem has.
        heads: Attention heads of the fusion.
        embedding: Width of the space in which image and text are contrasted (128 in the release).
        temperature: Divides the cosines of the contrast (0.2 in the release).
        hard_negatives: Number of negatives that the local contrast keeps (3 in the release).
        fusion: False is an ablation: no exchange, only the image reaches the logits.
        align_global: Weight of the global alignment. A term of weight 0 is logged and not trained.
        align_local: Weight of the local alignment.
        class_embedding: Weight of the class-embedding loss.
        checkpoint: Compute text layers again in the backward pass, to save memory. None: with "swin_v2" only.
        released: Switches that restore the behaviour of the released code.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        **kwargs: See `SegModule`.

    Raises:
        ConfigError: A negative weight.

    Example:
        >>> from zoo import make_facts
        >>> facts = make_facts(["lesion"], patch=[32, 32])
        >>> model = BiPVL(facts, encoder="tiny", vision="conv", width=8, stages=2, heads=2)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_terms: ClassVar[tuple[str, ...]] = ("align_global", "align_local")
    text_path: ClassVar[tuple[str, ...]] = ("fusions", "text_projection", "visual_projection")
    renamed_arguments: ClassVar[Mapping[str, str]] = {
        "variant": "released.network",
        "freeze_fusion": "released.freeze_fusion",
    }

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
        fusion: bool = True,
        align_global: float = 1.0,
        align_local: float = 1.0,
        class_embedding: float = 1.0,
        checkpoint: bool | None = None,
        released: BiPVLReleased = BiPVLReleased(),  # noqa: B008 - it is immutable
        vision_weights: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        weights = {"align_global": align_global, "align_local": align_local, "class_embedding": class_embedding}
        self.term_weights |= weights
        if min(weights.values()) < 0:
            raise ConfigError(f"No BiPVL with the loss weights {weights}.", "A weight is 0 or more.")
        labels, dims = self.facts.labels, self.facts.spatial_dims
        self.temperature, self.hard_negatives = temperature, hard_negatives
        self.released = as_group(BiPVLReleased, released)
        self.text = build_text_encoder(encoder, freeze_text)
        self.text.checkpoint = vision == "swin_v2" if checkpoint is None else checkpoint
        self.vision = build_vision_encoder(vision, dims, self.facts.in_channels, width, stages, vision_weights)
        self.fused_levels = self.vision.text_levels if fusion else ()
        fused_widths = [self.vision.widths[level] for level in self.fused_levels]
        block = TwoWayFusion if self.released.network else BidirectionalFusion
        self.fusions = nn.ModuleList(block(channels, self.text.width, heads) for channels in fused_widths)
        if self.released.freeze_fusion:
            for fusion_block in self.fusions:
                if isinstance(fusion_block, BidirectionalFusion):
                    nn.init.ones_(fusion_block.gate)  # zero would never let the image through
            self.fusions.requires_grad_(False)
        # Half of the text layers run before the first fusion, the others evenly between the fusions. With 12
        # layers and four stages these are 6, 8, 10 and 12 layers, as in the release.
        steps = max(len(self.fused_levels) - 1, 1)
        self.layers = [round(self.text.depth * (1 + i / steps) / 2) for i in range(len(self.fused_levels))]
        self.decoder = UDecoder(dims, self.facts.in_channels, self.vision, labels.channels, full_width)
        deepest = self.vision.widths[-1]
        self.class_map = nn.Sequential(nn.Linear(deepest, deepest), nn.ReLU(), nn.Linear(deepest, labels.channels))
        self.visual_projection = nn.Linear(deepest, embedding)
        self.text_projection = nn.Linear(self.text.width, embedding)
        self.weights = LearnedWeights(tuple(GROUPS), self.released.whole_penalty)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits, V' of every stage and the deepest map."""
        if self.fusions:
            hidden, mask, packing = self._read(text, image)
        padded = pad_to_two_places(image, self.vision.stride)
        x = self.vision.stem(padded)
        maps, seen = [self._skip(x)], []
        for level in range(1, len(self.vision.widths)):
            x = fused = self.vision.stage(level, x)
            # The release ignores the result of its last fusion, so the last fusion is not run.
            dropped = self.released.network and level + 1 == len(self.vision.widths)
            if self.fusions and level in self.fused_levels and not dropped:
                i = self.fused_levels.index(level)
                hidden = self.text.run_layers(hidden, mask, self.layers[max(i - 1, 0)], self.layers[i])
                out: Fused = self.fusions[i](packing.pack(hidden), packing.mask, to_tokens(x), x.shape[2:])
                hidden, fused = packing.unpack(out.text), to_map(out.vision, x.shape[2:])
                seen += [] if out.seen is None else [out.seen]
            maps.append(self._skip(x if self.released.network else fused))
            x = fused
        logits = crop_to(self.decoder(padded, maps), image.shape[2:])
        return Output(logits, {"seen": seen, "deepest": to_tokens(maps[-1]), "grid": x.shape[2:]})

    @not_compiled
    def _read(self, text: Text, image: Tensor) -> tuple[Tensor, Tensor, TokenPacking | PaddedRows]:
        """Return the tokens of the prompts before the first fusion [S, L, W], their mask and their packing."""
        hidden, mask, _ = read_rows(self.text, text, image, prompt_strings, self.layers[0])
        batch = image.shape[0]
        if rows_are_given():
            return hidden, mask, PaddedRows(mask, batch)
        return hidden, mask, TokenPacking(mask, [row * batch // len(mask) for row in range(len(mask))])

    def _skip(self, x: Tensor) -> Tensor:
        """Return a map as the decoder reads it. The released network norms it over channels, without parameters."""
        return to_map(F.layer_norm(to_tokens(x), x.shape[1:2]), x.shape[2:]) if self.released.network else x

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice, cross entropy, class embedding, global and local alignment."""
        losses = super().compute_losses(batch, output)
        labels, deepest = self.facts.labels, output.extra["deepest"]
        masks = masks_of(batch["label"], len(labels.names), labels.exclusive)
        class_logits = self.class_map(deepest)
        target = coarse_label(masks, self.vision.stride, output.extra["grid"], labels.exclusive)
        losses["class_embedding"] = class_embedding_loss(class_logits, target, labels.exclusive)
        # The visual embedding V of a class is the mean of the deepest features under its map.
        embedded = F.normalize(self.visual_projection(pool_under(class_logits, deepest, labels.exclusive)), dim=-1)
        present = masks.flatten(2).any(-1).nonzero()
        prompts = class_prompts(self.readable(text_of(batch)), len(masks))
        concepts = [concepts_of(prompts[b][c]) for b, c in present.tolist()]
        visual = embedded.flatten(0, 1).index_select(0, present[:, 0] * embedded.shape[1] + present[:, 1])
        read = self._read_concepts if output.extra["seen"] else self._encode_concepts
        table = ConceptTable(concepts, present[:, 0].tolist())
        textual = F.normalize(self.text_projection(read(table, output.extra["seen"])), dim=-1)
        terms, pairs = alignment_losses(visual, table.spread(textual), concepts, self.temperature, self.hard_negatives)
        self.watch_retrieval(pairs)
        for name, term in terms.items():
            if term is None:
                self.log_absent_term(name)
            else:
                losses[name] = term
        # DDP needs every parameter in the graph: those whose result nothing reads, and the text encoder also where a
        # batch has nothing to contrast.
        held = [embedded, textual, *self.fusions.parameters(), *(() if table.strings else self.text.parameters())]
        losses["class_embedding"] = losses["class_embedding"] + 0.0 * torch.stack([x.float().sum() for x in held]).sum()
        return losses

    def total_loss(self, losses: dict[str, Tensor]) -> Tensor:
        """Weight segmentation, class embedding and alignment by learned weights, and add terms of weight 0 for DDP."""
        weighted = {name: self.term_weights.get(name, 1.0) * term for name, term in losses.items()}
        on = {name for name in losses if self.term_weights.get(name, 1.0)}
        groups = {
            group: torch.stack([weighted[n] for n in names if n in on]).sum()
            for group, names in GROUPS.items()
            if on.intersection(names)
        }
        off = [weighted[name] for name in losses if name not in on]
        total: Tensor = self.weights(groups)
        return torch.stack([total, *off]).sum()

    def _encode_concepts(self, table: ConceptTable, seen: Sequence[Tensor]) -> Tensor:
        """Encode the S concepts without the image, [S, W]: no fusion, or the released one."""
        if not table.strings:
            return torch.zeros(0, self.text.width, device=self.device)
        return self._summary(self.text(table.strings, self.device))

    def _read_concepts(self, table: ConceptTable, seen: Sequence[Tensor]) -> Tensor:
        """Encode the S concepts, which read the image of their sample, [S, W]."""
        if not table.strings:
            return torch.zeros(0, self.text.width, device=self.device)
        hidden, mask = self.text.embed_and_run(table.strings, self.layers[0], self.device)
        packing, samples = TokenPacking(mask, table.rows), torch.tensor(table.samples, device=self.device)
        for i, stage_seen in enumerate(seen):
            hidden = self.text.run_layers(hidden, mask, self.layers[max(i - 1, 0)], self.layers[i])
            fusion = cast(BidirectionalFusion, self.fusions[i])
            hidden = packing.unpack(
                fusion.read(packing.pack(hidden), packing.mask, stage_seen.index_select(0, samples))[0]
            )
        hidden = self.text.run_layers(hidden, mask, self.layers[-1], self.text.depth)
        return self._summary(self.text.finish(hidden, mask))

    def _summary(self, read: TextTokens) -> Tensor:
        """Return one vector per string [S, W]: its pooled vector, or its first token, as released."""
        return read.tokens[:, 0] if self.released.first_token else read.pooled
