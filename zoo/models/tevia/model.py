"""TeViA: the foreground of the mask supervises the text projections, and its prototype guides the attention.

Zeng et al., "TeViA". We read the abstract and a description of the released code, but not the body of the
paper. The released code is LanGuideMedSeg, binary and 2D, with three additions: a multiplicative prompt on
the projected text, the alignment, and the prototype. Several classes and 3D are our port.
`docs/models/tevia.md` compares the two and names a switch for each repaired defect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.text import TextEncoder, build_text_encoder
from zoo.layers.guided_decoder import RELEASED_LENGTHS
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.losses.contrastive import EmbeddingPairs, text_ids
from zoo.losses.segmentation import masks_of
from zoo.models.base import text_of
from zoo.models.guided import GuidedModule, GuidedReleased
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.models.tevia.prototype import Foreground, Prototypes, alignment_loss
from zoo.models.tevia.released import TeViAReleased, check_options
from zoo.text.model_inputs import class_prompts
from zoo.types import Batch, Text
from zoo.utils.class_args import as_group


class TeViA(GuidedModule):
    """LanGuideMedSeg whose text projections learn from the foreground of the mask.

    In training, the feature of the segmentation head under the true mask gives a vector v_s per stage.
    L_align = mean of 1 - cos pulls the mean projected token of the text towards v_s. The gradient of L_align
    reaches the text projections and the prompts P_s only. A historic prototype of v_s scales query and key of
    the visual self-attention. Prediction needs the image and the text only.

    With one class, L_align uses the text that the image reads. With several classes, class k is aligned with
    its own sentence, and the mean of the prototypes over classes is used (our port).

    Args:
        facts: See `SegModule`.
        gain: Start value of the learned factor of the cross-attention.
        prompts: False: no P_s.
        alignment: Weight of L_align; 0: logged, not trained.
        prototype: False: none.
        prototype_start: Share of all steps that gather the cumulative mean before the prototype is used. The
            release gathers in epoch 20 of 200.
        prototype_momentum: Share of the old prototype that a later update keeps.
        released: Switches that restore the behaviour of the released code.
        **kwargs: See `GuidedModule`.

    Raises:
        ConfigError: An unknown choice, a number out of its range, or `prototype_updates` "always" in 3D.

    Example:
        >>> from zoo import make_facts
        >>> model = TeViA(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", vision="conv", width=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_terms: ClassVar[tuple[str, ...]] = ("alignment",)
    text_path: ClassVar[tuple[str, ...]] = ("prompts",)
    renamed_arguments: ClassVar[Mapping[str, str]] = {
        "tokens": "released.tokens",
        "flat_places": "released.flat_places",
        "text_dropout": "released.text_dropout",
        "foreground": "released.foreground",
        "skip_empty": "released.skip_empty",
        "prototype_updates": "released.prototype_updates",
        "prototype_in_state": "released.prototype_in_state",
        "prototype_at_test": "released.prototype_at_test",
        "segmentation": "loss.cross_entropy",
        "released.segmentation": "loss.cross_entropy",
    }

    def __init__(
        self,
        facts: Mapping[str, Any],
        gain: float = 0.01,
        prompts: bool = True,
        alignment: float = 0.1,
        prototype: bool = True,
        prototype_start: float = 0.1,
        prototype_momentum: float = 0.99,
        released: TeViAReleased = TeViAReleased(),  # noqa: B008 - it is immutable
        **kwargs: Any,
    ) -> None:
        released = as_group(TeViAReleased, released)
        check_options(released, facts["spatial_dims"], alignment, prototype_start, prototype_momentum)
        super().__init__(facts, gain=gain, released=released, **kwargs)
        labels = self.facts.labels
        self.released, self.prototype_start = released, prototype_start
        self.term_weights["alignment"] = alignment
        guided = self.guided_widths[::-1]
        lengths = [RELEASED_LENGTHS[min(i, 2)] if released.tokens else 1 for i in range(len(guided))]
        self.prompts = nn.ParameterList(torch.zeros(*shape) for shape in zip(lengths, guided, strict=True) if prompts)
        self.foreground = Foreground(released.foreground, self.facts.spatial_dims, self.head.in_channels, guided)
        bank = (len(labels.names), guided, prototype_momentum, released.prototype_in_state)
        self.prototypes = Prototypes(*bank) if prototype else None
        self._gathering_steps = 0  # `on_train_start` sets the number

    def build_text(self, encoder: str, freeze: bool | None, released: GuidedReleased) -> TextEncoder:
        """Build the text encoder, with active dropout where the switch `text_dropout` asks for it."""
        text = super().build_text(encoder, freeze, released)
        if not (isinstance(released, TeViAReleased) and released.text_dropout):
            return text
        if text.frozen:  # a frozen encoder caches its result, which has no dropout
            text = build_text_encoder(encoder, freeze=False, length=released.tokens)
            text.requires_grad_(False)
        return text.train()  # a loaded backbone is in eval mode, and Lightning does not change the mode

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits and, for L_align, the feature [B, head_width, *S], tokens and mask."""
        read = read_reports(self.text, text, image)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        on = self.released.prototype_at_test or self._fitting
        factors = self.prototypes.factors() if self.prototypes is not None and on else None
        feature = self.decoder(maps, self._project(read.tokens, read.mask), factors)
        feature = crop_to(feature, image.shape[2:])
        extra = {
            "feature": feature,
            "tokens": read.tokens.detach(),
            "mask": read.mask,
        }
        return Output(self.head(feature), extra)

    def _project(self, tokens: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Compute the projected tokens t + P_s * t and their mask per stage, deepest first [released code]."""
        texts = self.decoder.project(tokens, mask)
        if not self.prompts:
            return texts
        return [(text + prompt * text, real) for (text, real), prompt in zip(texts, self.prompts, strict=True)]

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice, cross entropy and alignment; in training, update the prototype with the batch."""
        losses = super().compute_losses(batch, output)
        visuals, used = self._foreground(batch, output)
        prompts = class_prompts(self.readable(text_of(batch)), len(batch["image"]))
        sentences = [prompt.sentence for prompt in chain(*prompts)]
        texts = self._texts(output, sentences)
        losses["alignment"] = alignment_loss(texts, visuals, used)
        self._watch_retrieval(sentences, texts[0], visuals[0])
        if self.training:
            self._update_prototypes(visuals, used)
        return losses

    def _foreground(self, batch: Batch, output: Output) -> tuple[list[Tensor], list[Tensor]]:
        """Compute v_s [B, K, width] per stage, and which of the vectors count [B, K]."""
        labels = self.facts.labels
        masks = masks_of(batch["label"], len(labels.names), labels.exclusive)
        visuals = self.foreground(output.extra["feature"], masks)
        # The test reads the vector and not the mask, because "resize" may lose a small mask.
        used = [
            v.any(-1) if self.released.skip_empty else torch.ones_like(v[..., 0], dtype=torch.bool) for v in visuals
        ]
        return visuals, used

    def _texts(self, output: Output, sentences: Sequence[str]) -> list[Tensor]:
        """Compute the mean projected token of each class [B, K, width] per stage.

        The tokens have no gradient and are projected again, so that L_align does not reach a trained text encoder.
        """
        tokens, mask = output.extra["tokens"], output.extra["mask"]
        classes = len(self.facts.labels.names)
        if classes > 1:
            with torch.no_grad():
                read = self.text(sentences, self.device)
            tokens, mask = read.tokens, read.mask
        means = []
        for text, real in self._project(tokens, mask):
            mean = (text * real[..., None]).sum(1) / real.sum(1, keepdim=True)
            means.append(mean.unflatten(0, (-1, classes)))
        return means

    @torch.no_grad()
    def _watch_retrieval(self, sentences: Sequence[str], texts: Tensor, visuals: Tensor) -> None:
        """Log how often a foreground of this rank's batch finds its own text at the deepest stage."""
        have = visuals.any(-1).flatten().nonzero()[:, 0]
        visual, text = (F.normalize(x.float(), dim=-1).flatten(0, 1).index_select(0, have) for x in (visuals, texts))
        self.watch_retrieval(EmbeddingPairs(visual, text, text_ids([sentences[i] for i in have.tolist()], have.device)))

    def _update_prototypes(self, visuals: list[Tensor], used: list[Tensor]) -> None:
        if self.prototypes is None:
            return
        step, wait = self.global_step, self._gathering_steps
        self.prototypes.update(visuals, used, gathering=step < wait, started=step + 1 >= wait)

    def on_train_start(self) -> None:
        """Compute the number of steps that only gather the prototype."""
        self._gathering_steps = round(self.prototype_start * int(self.trainer.estimated_stepping_batches))

    @property
    def _fitting(self) -> bool:
        """Whether the model is in training or in the validation of a fit."""
        return self.training or (self._trainer is not None and self._trainer.state.fn == TrainerFn.FITTING)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Validate as every model does; `prototype_updates` "always" also updates the prototype with these masks."""
        super().validation_step(batch, batch_idx)
        always = self.released.prototype_updates == "always"
        if always and self._fitting and not self.trainer.sanity_checking:
            output = self.forward_features(batch["image"], self.readable(text_of(batch)))
            visuals, used = self._foreground(batch, output)
            if batch.get("spare"):  # the batch must not count, but every rank must call the collective
                used = [torch.zeros_like(pairs) for pairs in used]
            self._update_prototypes(visuals, used)
