"""The vision encoders, and `build_vision_encoder`, which finds one by name.

A new encoder needs one file with a `StagedEncoder` and one line in `VISION_ENCODERS`.
"""

from __future__ import annotations

from importlib import import_module

from zoo.encoders.staged_encoder import StagedEncoder
from zoo.errors import ConfigError

VISION_ENCODERS = {
    "unet": "zoo.encoders.unet.UNetEncoder",
    "conv": "zoo.encoders.conv.ConvEncoder",
    "swin_v2": "zoo.encoders.swin.SwinEncoder",
    "convnext": "zoo.encoders.convnext.ConvNeXtEncoder",
}
"""Name -> class. A class is imported when a model asks for it."""


def build_vision_encoder(
    kind: str, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str = ""
) -> StagedEncoder:
    """Build a vision encoder by its name in `VISION_ENCODERS`.

    Args:
        kind: "unet" (any number of stages, the first map at full resolution), "conv" (any number of stages), "swin_v2"
            (4 stages) or "convnext" (2D, up to 3 stages).
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        width: Channels of the first map. Every stage doubles them.
        stages: Number of stages after the first map.
        weights: Pre-trained weights of "convnext": a folder or a hub repository; empty for none.

    Raises:
        ConfigError: No encoder of this name supports the dimension, the number of stages or the weights.

    Example:
        >>> build_vision_encoder("conv", spatial_dims=3, in_channels=1, width=8, stages=3).widths
        (8, 16, 32, 64)
    """
    encoder = _find(kind) if kind in VISION_ENCODERS else None
    if encoder is None or not encoder.supports(spatial_dims, stages, weights):
        *most, last = [f"{name} ({_find(name).limits})" for name in VISION_ENCODERS]
        raise ConfigError(
            f"No vision encoder '{kind}' in {spatial_dims}D with {stages} stages{' and weights' if weights else ''}.",
            f"There are {', '.join(most)} and {last}.",
        )
    return encoder.build(spatial_dims, in_channels, width, stages, weights)


def _find(kind: str) -> type[StagedEncoder]:
    module, _, name = VISION_ENCODERS[kind].rpartition(".")
    found: type[StagedEncoder] = getattr(import_module(module), name)
    return found
