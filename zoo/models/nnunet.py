"""nnU-Net: a plain U-Net, or one with a residual encoder, whose shape the planner takes from the training cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from zoo.encoders.nnunet import NNUNetEncoder, ResidualEncoder, make_stages
from zoo.errors import ConfigError
from zoo.inference import average_mirrored
from zoo.layers.nnunet import NNUNetDecoder
from zoo.layers.tokens import crop_to
from zoo.losses.deep_supervision import supervise_deeply
from zoo.models.output import Output
from zoo.models.vision_only import VisionOnly
from zoo.types import Batch, Text


class NNUNet(VisionOnly):
    """Isensee et al., "nnU-Net: a self-configuring method for biomedical image segmentation" (Nature Methods 2021).

    `--size planned` fills the shape of the network from the training cases (`zoo.planner`).

    Args:
        facts: See `VisionOnly`.
        features: Features of each stage. None: 32, doubled up to 512 in 2D and 320 in 3D; 7 stages in 2D, 6 in 3D.
        strides: Stride of each stage per axis; 1 in the first stage. None: 2 in all further stages.
        kernels: Kernel of each stage per axis. None: 3.
        blocks: Convolutions of each encoder stage; the last number holds for all further stages.
        decoder_convs: Convolutions of each decoder stage.
        deep_supervision: Also hold the logits of the coarser stages to the label, the coarsest with weight 0.
        mirror: Average the prediction over the mirrors that training draws (`flips` of the data card).
        **kwargs: See `VisionOnly`.

    Raises:
        ConfigError: The shape is none.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = NNUNet(make_facts(["lesion"], patch=[32, 32]), features=[4, 8, 8])
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    encoder_class: ClassVar[type[NNUNetEncoder]] = NNUNetEncoder

    def __init__(
        self,
        facts: Mapping[str, Any],
        features: list[int] | None = None,
        strides: list[list[int]] | None = None,
        kernels: list[list[int]] | None = None,
        blocks: Sequence[int] = (2,),
        decoder_convs: int = 2,
        deep_supervision: bool = True,
        mirror: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        if decoder_convs < 1:
            raise ConfigError(f"--model.decoder_convs {decoder_convs} is below 1.", "nnU-Net has 2, its ResEnc has 1.")
        self.mirror = mirror
        shape = make_stages(self.facts.spatial_dims, features, strides, kernels, blocks)
        self.vision = self.encoder_class(self.facts.in_channels, shape)
        self.stride = self.vision.divisor
        self.decoder = NNUNetDecoder(self.vision, decoder_convs)
        conv = nn.Conv2d if self.facts.spatial_dims == 2 else nn.Conv3d
        widths = shape.features[:-1] or shape.features
        first, *others = [conv(width, self.facts.labels.channels, 1) for width in widths]
        self.heads = nn.ModuleList([first, *others[:-1]] if deep_supervision else [first])
        self.lowest_head = others[-1] if deep_supervision and others else None
        self.side_strides = [
            tuple(math.prod(axis) for axis in zip(*shape.strides[: index + 1], strict=True))
            for index in range(1, len(widths))
        ]

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits and, in training, those of the coarser stages: `sides`, stride per axis -> logits."""
        maps = self.decoder(self.vision(self.pad(image)))
        logits = crop_to(self.heads[0](maps[0]), image.shape[2:])
        if not self.training:
            return Output(logits)
        heads = [*self.heads[1:], *([] if self.lowest_head is None else [self.lowest_head])]
        sides = [head(one) for head, one in zip(heads, maps[1:], strict=False)]
        return Output(logits, {"sides": dict(zip(self.side_strides, sides, strict=False))})

    def segmentation_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice and cross entropy, over all stages but the coarsest, which stays in the graph."""
        sides = output.extra.get("sides", {})
        return supervise_deeply(self.segmentation_loss, output.logits, sides, batch["label"], without_last=True)

    def predict_window(self, image: Tensor, text: Text) -> Tensor:
        """Compute the logits of a window, averaged over mirrors if `mirror` is on."""
        logits: Tensor = (average_mirrored(self, self.facts.flips) if self.mirror else self)(image, text)
        return logits


class ResEncUNet(NNUNet):
    """Isensee et al., "nnU-Net Revisited" (MICCAI 2024): nnU-Net with a residual encoder and a lighter decoder.

    Args:
        facts: See `VisionOnly`.
        blocks: Residual blocks of each encoder stage; the last number holds for all further stages.
        decoder_convs: Convolutions of each decoder stage.
        **kwargs: See `NNUNet`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = ResEncUNet(make_facts(["lesion"], patch=[32, 32]), features=[4, 8, 8])
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    encoder_class: ClassVar[type[NNUNetEncoder]] = ResidualEncoder

    def __init__(
        self, facts: Mapping[str, Any], blocks: Sequence[int] = (1, 3, 4, 6), decoder_convs: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(facts, blocks=blocks, decoder_convs=decoder_convs, **kwargs)
