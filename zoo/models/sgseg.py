"""SGSeg: LanGuideMedSeg trained with reports, which writes the report of a new image itself.

Ye et al., "Enabling text-free inference in language-guided segmentation of chest X-rays via self-guidance" (MICCAI
2024).
The released code was read, and this file is written anew. `docs/models/sgseg.md` compares the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import ConfigError
from zoo.layers.tokens import crop_to, pad_to_two_places, positions, to_tokens
from zoo.losses.distributed import gather_rows
from zoo.models.base import text_of
from zoo.models.guided import GuidedModule
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.text.captions import KINDS, read_caption, write_caption
from zoo.text.lung_zones import ZONES, zone_bits
from zoo.text.model_inputs import report_strings
from zoo.types import Batch, Text


class ZoneHead(nn.Module):
    """One logit per lung zone: each zone has a learned query, which weighs the places of the deepest map.

    Args:
        width: Channels of the map.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(len(ZONES), width))
        self.weight = nn.Parameter(torch.randn(len(ZONES), width) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(len(ZONES)))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits [B, 6] of a map [B, C, *S]."""
        tokens = to_tokens(x)
        placed = tokens + positions(x.shape[2:], tokens.shape[2], x.device)
        shares = (placed @ self.query.T / placed.shape[2] ** 0.5).softmax(1)
        pooled = shares.transpose(1, 2) @ placed
        logits: Tensor = (pooled * self.weight).sum(2) + self.bias
        return logits


class SGSeg(GuidedModule):
    """A guided decoder, and a classifier of the lung zones from which the report of a new image is written.

    Training reads the reports. Validation, test and prediction read the written ones. `forward` reads what it gets.

    Args:
        facts: See `SegModule`.
        gain: See `GuidedModule`.
        zones: Weight of the cross entropy of the zones.
        written: False is an ablation: evaluation reads the reports of the data set too.
        **kwargs: See `GuidedModule`.

    Raises:
        ConfigError: The weight is negative; or, in `setup`, no training caption names a lung zone.

    Example:
        >>> from zoo import make_facts
        >>> model = SGSeg(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", vision="conv", width=8)
        >>> model.write_reports(torch.zeros(1, 1, 32, 32))[0].split(",")[0] in (
        ...     "Bilateral pulmonary infection", "Unilateral pulmonary infection", "No pulmonary infection"
        ... )
        True
    """

    text_terms: ClassVar[tuple[str, ...]] = ("zones",)
    text_path: ClassVar[tuple[str, ...]] = ("zone_head",)
    kind: Tensor

    def __init__(
        self, facts: Mapping[str, Any], gain: float = 0.01, zones: float = 1.0, written: bool = True, **kwargs: Any
    ) -> None:
        if zones < 0:
            raise ConfigError(f"--model.zones {zones} is negative.", "A weight is 0 or more.")
        super().__init__(facts, gain=gain, **kwargs)
        self.written = written
        self.term_weights |= {} if zones == 1 else {"zones": zones}
        self.zone_head = ZoneHead(self.vision.widths[-1])
        self.register_buffer("kind", torch.tensor(0))  # the wording of the training captions, which a checkpoint keeps

    def setup(self, stage: str) -> None:
        """Check, before a training, that captions name lung zones, and take over their wording."""
        super().setup(stage)
        cases = getattr(getattr(self.trainer, "datamodule", None), "cases_of", None)
        if stage != "fit" or cases is None:
            return
        captions = [str(case.report or "") for case in cases("train")]
        if not any(any(zone_bits(caption)) for caption in captions):
            raise ConfigError(
                f"{self.facts.name}: no caption of the training cases names a lung zone, which sgseg learns to write.",
                f"Use --model lan_guide, or captions such as '{write_caption((1, 0, 0, 0, 0, 1))}'",
            )
        kinds = Counter(found.kind for found in map(read_caption, captions) if found is not None)
        self.kind.fill_(KINDS.index(kinds.most_common(1)[0][0]) if kinds else 0)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits, and the logits of the zones [B, 6]."""
        read = read_reports(self.text, text, image)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        feature = self.decoder(maps, self.decoder.project(read.tokens, read.mask))
        return Output(crop_to(self.head(feature), image.shape[2:]), {"zones": self.zone_head(maps[-1])})

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice, cross entropy and the cross entropy of the zones that the captions name."""
        found = output.extra["zones"].float()
        bits = [zone_bits(caption) for caption in report_strings(text_of(batch), len(found))]
        each = F.binary_cross_entropy_with_logits(found, found.new_tensor(bits), reduction="none").mean(1)
        return {**super().compute_losses(batch, output), "zones": gather_rows(each)[0].mean()}

    @torch.no_grad()
    def write_reports(self, image: Tensor) -> list[str]:
        """Write a caption for each of the whole images [B, C, *S], from the zones of a probability above 0.5."""
        logits = self.zone_head(self.vision(pad_to_two_places(image, self.vision.stride))[-1])
        kind = KINDS[int(self.kind)]
        return [write_caption(tuple(row), kind) for row in (logits > 0).int().tolist()]

    def predict_logits(self, batch: Batch) -> Tensor:
        """Compute the logits of whole images, with written reports."""
        return super().predict_logits(
            {**batch, "reports": self.write_reports(batch["image"])} if self.written else batch
        )
