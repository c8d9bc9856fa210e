"""TeViA: the mask's foreground supervises how text is projected, and its history sharpens the image's attention.

Zeng et al., "TeViA"; read were the abstract and a description of the released code, not the paper's
body. That code is LanGuideMedSeg, binary and 2D, with three additions: a multiplicative prompt on the
projected text, the alignment, and the prototype. Several classes and 3D are our port.
`docs/models/tevia.md` lays the two side by side, with a flag for every mended defect.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import torch
from lightning.pytorch.trainer.states import TrainerFn
from monai.losses import DiceLoss
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.text import TextEncoder, build_text_encoder
from zoo.encoders.vision import build_vision_encoder
from zoo.errors import ConfigError
from zoo.layers.guided_decoder import RELEASED_LENGTHS, GuidedDecoder
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.losses.contrastive import Pairs, text_ids
from zoo.losses.segmentation import masks_of
from zoo.models.base import Output, SegModule, text_of
from zoo.models.tevia.prototype import Foreground, Prototypes, alignment_loss
from zoo.text.model_inputs import class_prompts, report_strings
from zoo.types import Batch, Text

CHOICES = {"segmentation": ("mended", "dice"), "prototype_updates": ("train", "always")}


class TeViA(SegModule):
    """LanGuideMedSeg whose text projections learn from the foreground that the mask shows.

    In training, the feature of the segmentation head under the true mask gives a vector v_s at each
    stage, and the mean projected token of the text is drawn to it: L_align = mean of 1 - cos. Its
    gradient reaches the text projections and the prompts P_s alone. A historic prototype of v_s scales
    query and key of the visual self-attention. To predict, image and text are enough.

    With one class the text of L_align is the one that the image reads. With several, class k is
    aligned with its own sentence, and the prototype in use is the mean over classes: our port.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze it; None keeps the encoder's own default.
        text_dropout: Leave the dropout of a frozen encoder alive in training, as released; no cache then.
        vision: "convnext" (released, 2D), "swin_v2" or "conv".
        vision_weights: Pre-trained weights of "convnext": a folder or a hub repository; empty for none.
        width: Channels of the vision stem.
        stages: Vision stages after the first map; each but the first map is guided.
        head_width: Channels of the segmentation head's feature.
        heads: Heads of the cross-attention.
        gain: Where the learned factor of the cross-attention starts.
        norm: Of the decoder's convolutions: "batch" (released) or "instance".
        tokens: None: text of any length, padding masked, P_s of shape [1, width]. 24: the release's
            fixed length, padding read, P_s of shape [tokens kept, width].
        prompts: False: no P_s.
        alignment: Weight of L_align; 0: logged, not trained.
        foreground: "adaptive", "resize" (released) or "masked_mean"; see `Foreground`.
        skip_empty: False: empty masks count in L_align and prototype too, as released.
        prototype: False: none.
        prototype_start: Share of all steps before the prototype is used (epoch 20 of 200 as released);
            until then its cumulative mean is gathered, which the release does in that one epoch.
        prototype_momentum: Of its later updates.
        prototype_updates: "train", or "always": with the masks of validation too, as released (2D).
            Those of a test are never read; the release's evaluation runs without a prototype.
        prototype_in_state: False: not in checkpoints, as released.
        prototype_at_test: False: off outside of a fit, as in the released evaluation.
        segmentation: "mended": Dice and cross entropy of logits. "dice": soft Dice an image alone,
            what the released line means under the MONAI that its parent pins.
        **kwargs: See `SegModule`.

    Raises:
        ConfigError: An unknown choice, a number out of its range, or "always" in 3D.

    Example:
        >>> from zoo import make_facts
        >>> model = TeViA(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", vision="conv", width=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "cxr_bert",
        freeze_text: bool | None = None,
        text_dropout: bool = False,
        vision: str = "convnext",
        vision_weights: str = "",
        width: int = 96,
        stages: int = 3,
        head_width: int = 24,
        heads: int = 4,
        gain: float = 0.01,
        norm: str = "batch",
        tokens: int | None = None,
        prompts: bool = True,
        alignment: float = 0.1,
        foreground: str = "adaptive",
        skip_empty: bool = True,
        prototype: bool = True,
        prototype_start: float = 0.1,
        prototype_momentum: float = 0.99,
        prototype_updates: str = "train",
        prototype_in_state: bool = True,
        prototype_at_test: bool = True,
        segmentation: str = "mended",
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        dims, labels = self.facts.spatial_dims, self.facts.labels
        for name, value in (("segmentation", segmentation), ("prototype_updates", prototype_updates)):
            if value not in CHOICES[name]:
                raise ConfigError(f"--model.{name} {value!r} is unknown.", f"There are {', '.join(CHOICES[name])}.")
        if alignment < 0 or not (0 <= prototype_start < 1 and 0 <= prototype_momentum < 1):
            numbers = f"alignment {alignment}, start {prototype_start} and momentum {prototype_momentum}"
            raise ConfigError(f"TeViA with {numbers}.", "Alignment is 0 or more, start and momentum are in [0, 1).")
        if prototype_updates == "always" and dims != 2:
            raise ConfigError("Updates in validation are of the 2D release.", "Use `--model.prototype_updates train`.")
        self.skip_empty = skip_empty
        self.prototype_start = prototype_start
        self.updates_in_validation = prototype_updates == "always"
        self.prototype_at_test = prototype_at_test
        self.term_weights = {"alignment": alignment, "cross_entropy": float(segmentation == "mended")}
        if segmentation == "dice":  # of each image by itself, as MONAI's default is
            self.segmentation_loss.dice = DiceLoss(
                softmax=labels.exclusive, sigmoid=not labels.exclusive, to_onehot_y=labels.exclusive
            )
        self.text = _text_encoder(encoder, freeze_text, text_dropout)
        self.vision = build_vision_encoder(vision, dims, self.facts.in_channels, width, stages, vision_weights)
        self.decoder = GuidedDecoder(dims, self.vision, self.text.width, head_width, heads, gain, norm, tokens)
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.head = conv(head_width, labels.channels, kernel_size=1)
        guided = self.vision.widths[:0:-1]
        lengths = [RELEASED_LENGTHS[min(i, 2)] if tokens else 1 for i in range(len(guided))]
        self.prompts = nn.ParameterList(torch.zeros(*shape) for shape in zip(lengths, guided, strict=True) if prompts)
        self.foreground = Foreground(foreground, dims, head_width, guided)
        self.prototypes: Prototypes | None = None
        if prototype:
            self.prototypes = Prototypes(len(labels.names), guided, prototype_momentum, prototype_in_state)
        self._gathering_steps = 0  # known once there is a trainer; without one nothing waits

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits and, for L_align, the feature [B, head_width, *S], tokens, mask and class prompts."""
        read = self.text(report_strings(text, len(image)), self.device)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        on = self.prototype_at_test or self._fitting
        factors = self.prototypes.factors() if self.prototypes is not None and on else None
        feature = self.decoder(maps, self._project(read.tokens, read.mask), factors)
        feature = crop_to(feature, image.shape[2:])
        extra = {
            "feature": feature,
            "tokens": read.tokens.detach(),
            "mask": read.mask,
            "prompts": class_prompts(text, len(image)),
        }
        return Output(self.head(feature), extra)

    def _project(self, tokens: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Projected tokens t + P_s * t and their mask for each stage, deepest first [released code]."""
        texts = self.decoder.project(tokens, mask)
        if not self.prompts:
            return texts
        return [(text + prompt * text, real) for (text, real), prompt in zip(texts, self.prompts, strict=True)]

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice, cross entropy and alignment; in training, update the prototype with the batch."""
        losses = super().compute_losses(batch, output)
        visuals, used = self._foreground(batch, output)
        texts = self._texts(output)
        losses["alignment"] = alignment_loss(texts, visuals, used)
        self._watch_retrieval(output, texts[0], visuals[0])
        if self.training:
            self._update_prototypes(visuals, used)
        return losses

    def _foreground(self, batch: Batch, output: Output) -> tuple[list[Tensor], list[Tensor]]:
        """v_s [B, K, width] of each stage, and which of them count [B, K]."""
        labels = self.facts.labels
        masks = masks_of(batch["label"], len(labels.names), labels.exclusive)
        visuals = self.foreground(output.extra["feature"], masks)
        # a vector and not a mask is asked: "resize" loses small masks altogether
        used = [v.any(-1) if self.skip_empty else torch.ones_like(v[..., 0], dtype=torch.bool) for v in visuals]
        return visuals, used

    def _texts(self, output: Output) -> list[Tensor]:
        """The mean projected token of each class [B, K, width] for each stage.

        Projected anew from tokens without gradient, so that L_align does not reach a trained text encoder.
        """
        tokens, mask, prompts = output.extra["tokens"], output.extra["mask"], output.extra["prompts"]
        classes = len(self.facts.labels.names)
        if classes > 1:
            with torch.no_grad():
                read = self.text([prompt.sentence for prompt in chain(*prompts)], self.device)
            tokens, mask = read.tokens, read.mask
        means = []
        for text, real in self._project(tokens, mask):
            mean = (text * real[..., None]).sum(1) / real.sum(1, keepdim=True)
            means.append(mean.unflatten(0, (-1, classes)))
        return means

    @torch.no_grad()
    def _watch_retrieval(self, output: Output, texts: Tensor, visuals: Tensor) -> None:
        """How often a foreground of this rank's batch finds its own text, at the deepest stage."""
        have = visuals.any(-1).flatten().nonzero()[:, 0]
        visual, text = (F.normalize(x.float(), dim=-1).flatten(0, 1).index_select(0, have) for x in (visuals, texts))
        sentences = [prompt.sentence for prompt in chain(*output.extra["prompts"])]
        self.watch_retrieval(Pairs(visual, text, text_ids([sentences[i] for i in have.tolist()], have.device)))

    def _update_prototypes(self, visuals: list[Tensor], used: list[Tensor]) -> None:
        if self.prototypes is None:
            return
        step, wait = self.global_step, self._gathering_steps
        self.prototypes.update(visuals, used, gathering=step < wait, started=step + 1 >= wait)

    def on_train_start(self) -> None:
        """Count the steps in which the prototype is only gathered."""
        self._gathering_steps = round(self.prototype_start * int(self.trainer.estimated_stepping_batches))

    @property
    def _fitting(self) -> bool:
        """In training, or in a validation that belongs to it."""
        return self.training or (self._trainer is not None and self._trainer.state.fn == TrainerFn.FITTING)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """As in every model; the released form of the prototype takes in these masks as well."""
        super().validation_step(batch, batch_idx)
        if self.updates_in_validation and self._fitting and not self.trainer.sanity_checking:
            output = self.forward_features(batch["image"], self.readable(text_of(batch)))
            visuals, used = self._foreground(batch, output)
            if batch.get("spare"):  # counts as nothing, but every rank has to call the collective
                used = [torch.zeros_like(pairs) for pairs in used]
            self._update_prototypes(visuals, used)


def _text_encoder(name: str, freeze: bool | None, dropout: bool) -> TextEncoder:
    text = build_text_encoder(name, freeze)
    if not dropout:
        return text
    if text.frozen:  # in a cache there is no dropout
        text = build_text_encoder(name, freeze=False)
        text.requires_grad_(False)
    return text.train()  # loaded backbones are in eval mode, and Lightning leaves them so
