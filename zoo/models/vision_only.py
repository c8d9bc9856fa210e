"""`VisionOnly`, the base class of the models that read no text, and the loss by which text enters their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from zoo.encoders.text import TextEncoder, build_text_encoder
from zoo.errors import ConfigError
from zoo.layers.tokens import crop_to, pad_to_two_places, to_tokens
from zoo.losses.segmentation import masks_of
from zoo.losses.text_alignment import align_places, centre_classes, find_present
from zoo.models.base import SegModule, text_of
from zoo.models.output import Output
from zoo.models.read_text import not_compiled, read_prompts
from zoo.registry import ENCODERS
from zoo.text.text_losses import LG_SDG, TextLoss, read_text_loss
from zoo.types import UNKNOWN, Batch, Text

BACKGROUND = "Background."


class TextAlignment(nn.Module):
    """A projection of the deepest map to the width of a frozen text encoder, for training only.

    The encoder is built when the first loss is computed. A trained model does without it.

    Args:
        width: Channels of the deepest map.
        loss: The loss and its text encoder.
        released: As released: without the background, and without subtracting the mean of the classes.
    """

    text_path: ClassVar[tuple[str, ...]] = ("project",)

    def __init__(self, width: int, loss: TextLoss, released: bool) -> None:
        super().__init__()
        self.name, self.released = loss.encoder, released
        self._encoder: list[TextEncoder] = []  # in a list, so that it is no part of the model and of its checkpoints
        known = ENCODERS.get(self.name).about.get("width") if self.name in ENCODERS else None
        self.project = nn.Linear(width, int(known or self.encoder.width))

    @property
    def encoder(self) -> TextEncoder:
        """The frozen text encoder."""
        if not self._encoder:
            self._encoder.append(build_text_encoder(self.name, freeze=True))
        return self._encoder[0]

    @property
    def revision(self) -> str:
        """The version of the text encoder, once it is built, for the manifest."""
        return self._encoder[0].revision if self._encoder else ""

    def forward(self, deepest: Tensor, text: Text, masks: Tensor, unknown: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            deepest: The deepest maps, [B, C, *S'].
            text: The text of the batch.
            masks: Padded masks of the classes, [B, K, *S].
            unknown: Padded masks of what partial labels do not say, [B, K, *S] or [B, 1, *S].
        """
        vectors, background = self._read(text, deepest)
        present, undecided = (find_present(one, deepest.shape[2:]) for one in (masks, unknown))
        absent = ~(present | undecided)
        if not self.released:
            vectors, present, absent = centre_classes(vectors, present, absent, background)
        return align_places(self.project(to_tokens(deepest)), vectors, present, absent, total=self.released)

    @not_compiled
    def _read(self, text: Text, image: Tensor) -> tuple[Tensor, Tensor]:
        read = read_prompts(self.encoder, text, image)
        return read, self.encoder([BACKGROUND], image.device).pooled


class VisionOnly(SegModule):
    """Base class of the models that read no text: one network of images, with an option that trains it with text.

    A sub-class sets `stride`, and `net` or a `forward_features` of its own. It overrides `segmentation_losses`, and not
    `compute_losses`, where it has logits at several scales.

    Args:
        facts: See `SegModule`.
        text_loss: "lg_sdg" or "lg_sdg:ENCODER" draws the deepest map to the text of the classes (LG_SDG). The text is
            not read in `forward`. None: no such term.
        text_loss_weight: Weight of this term; None: 1.
        text_loss_released: True: the term of the released code. None: false.
        **kwargs: See `SegModule`.

    Raises:
        ConfigError: There is no such loss, its weight is negative, or an option of it is given without it.

    Attributes:
        net: The network: images [B, C, *S] -> logits [B, K, *S].
        stride: Stride of the deepest map, or one per axis. Images are padded with zeros to a multiple of it.
    """

    text_terms: ClassVar[tuple[str, ...]] = (LG_SDG,)
    net: Any  # MONAI does not type its networks
    stride: int | Sequence[int]

    def __init__(
        self,
        facts: Mapping[str, Any],
        text_loss: str | None = None,
        text_loss_weight: float | None = None,
        text_loss_released: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.text_loss = read_text_loss(text_loss)
        if self.text_loss is None and not text_loss_weight is text_loss_released is None:
            raise ConfigError(
                "--model.text_loss_weight and --model.text_loss_released belong to --model.text_loss.",
                f"Give --model.text_loss {LG_SDG}, or leave them out.",
            )
        if text_loss_weight is not None and text_loss_weight < 0:
            raise ConfigError(f"--model.text_loss_weight {text_loss_weight} is negative.", "A weight is 0 or more.")
        self._released = bool(text_loss_released)
        if self.text_loss is not None:
            self.term_weights |= {} if text_loss_weight in (None, 1) else {LG_SDG: text_loss_weight}
        self._deepest: Tensor | None = None

    def finish_init(self) -> None:
        """Add the projection of the text loss, once the network is complete."""
        if self.text_loss is not None:
            part, width = self.deepest_map()
            part.register_forward_hook(self._keep_deepest)
            self.alignment = TextAlignment(width, self.text_loss, self._released)
        super().finish_init()

    def setup(self, stage: str) -> None:
        """Build the text encoder of the text loss before a training, whose record names its version."""
        super().setup(stage)
        if stage == "fit" and self.text_loss is not None:
            _ = self.alignment.encoder

    @property
    def text_loss_shown(self) -> str:
        """The text loss with its encoder and its options, for the manifest and for tables; empty without one."""
        if self.text_loss is None:
            return ""
        weight = self.term_weights.get(LG_SDG, 1.0)
        more = [f"weight {weight:g}"] if weight != 1 else []
        return " ".join([":".join(self.text_loss), *more, *(["released"] if self._released else [])])

    def deepest_map(self) -> tuple[nn.Module, int]:
        """Return the part whose result is the deepest map or a list that ends with it, and its channels."""
        vision = self.vision
        return vision, vision.widths[-1]  # type: ignore[union-attr,return-value,index]

    def _keep_deepest(self, part: nn.Module, inputs: Any, result: Any) -> None:
        if self.training:
            self._deepest = result if isinstance(result, Tensor) else result[-1]

    def pad(self, x: Tensor) -> Tensor:
        """Pad images or masks [B, C, *S] to a multiple of the stride."""
        return pad_to_two_places(x, self.stride)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        return Output(crop_to(self.net(self.pad(image)), image.shape[2:]))

    def segmentation_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice and cross entropy."""
        return super().compute_losses(batch, output)

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice, cross entropy and, if there is one, the text loss."""
        losses = self.segmentation_losses(batch, output)
        if self.text_loss is None or self._deepest is None:
            return losses
        labels, text = self.facts.labels, self.readable(text_of(batch))
        masks = masks_of(batch["label"], len(labels.names), labels.exclusive)
        deepest, self._deepest = self._deepest, None
        padded = [self.pad(one.float()) for one in (masks, batch["label"] == UNKNOWN)]
        return {**losses, LG_SDG: self.alignment(deepest, text, *padded)}
