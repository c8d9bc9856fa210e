"""MedNeXt: a U-Net of ConvNeXt blocks, which does not read the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from zoo.encoders.mednext import build_mednext
from zoo.layers.tokens import crop_to, resize
from zoo.losses.deep_supervision import supervise_deeply
from zoo.models.output import Output
from zoo.models.vision_only import VisionOnly
from zoo.types import Batch, Text


class MedNeXt(VisionOnly):
    """Roy et al., "MedNeXt" (MICCAI 2023), by MONAI, with a loss on each level of the decoder.

    Args:
        facts: See `VisionOnly`.
        variant: "S", "B", "M" or "L".
        width: Channels of the first map. Each of the four levels below doubles them.
        kernel: Size of the depthwise kernels. `zoo fit --init-from RUN` with a run of a smaller kernel enlarges its
            kernels (UpKern).
        **kwargs: See `VisionOnly`.

    Raises:
        ConfigError: See `build_mednext`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = MedNeXt(make_facts(["lesion"], patch=[32, 32]), width=4)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    stride = 16

    def __init__(
        self, facts: Mapping[str, Any], variant: str = "S", width: int = 32, kernel: int = 3, **kwargs: Any
    ) -> None:
        super().__init__(facts, **kwargs)
        self.widest = 16 * width
        labels = self.facts.labels.channels
        self.net = build_mednext(variant, self.facts.spatial_dims, self.facts.in_channels, labels, width, kernel)

    def deepest_map(self) -> tuple[nn.Module, int]:
        """See the base class."""
        return self.net.bottleneck, self.widest

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits; in training, `extra["sides"]` has those of the coarser levels by their stride."""
        found: Tensor | Sequence[Tensor] = self.net(self.pad(image))
        logits, *sides = [found] if isinstance(found, Tensor) else found
        by_stride = {2 ** (level + 1): side for level, side in enumerate(sides)}
        return Output(crop_to(logits, image.shape[2:]), {"sides": by_stride})

    def segmentation_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice and cross entropy, each a weighted mean over the levels; the weights halve per level."""
        return supervise_deeply(self.segmentation_loss, output.logits, output.extra["sides"], batch["label"])

    def resize_weight(self, weight: Tensor, shape: Sequence[int]) -> Tensor | None:
        """Enlarge or shrink a depthwise kernel by linear interpolation (UpKern); None for any other weight.

        Args:
            weight: The kernel of another MedNeXt, [C, 1, *S].
            shape: The shape of the kernel here.
        """
        depthwise = weight.ndim == len(shape) >= 4 and tuple(weight.shape[:2]) == tuple(shape[:2]) == (shape[0], 1)
        if not depthwise:
            return None
        return resize(weight, shape[2:])
