"""The vision encoders, and `build_vision_encoder`, which finds one by name.

A new encoder needs one file with a `StagedEncoder` and one line in `zoo.encoders.vision_names`.
"""

from __future__ import annotations

from importlib import import_module

from zoo.encoders.staged_encoder import StagedEncoder
from zoo.encoders.vision_names import VISION_ENCODERS
from zoo.errors import ConfigError


def build_vision_encoder(
    kind: str, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str = ""
) -> StagedEncoder:
    """Build a vision encoder by its name in `VISION_ENCODERS`.

    Args:
        kind: "unet", "nnunet", "resenc" or "segresnet" (any number of stages, the first map at full resolution),
            "mednext" (4 stages, the first map at full resolution), "conv" (any number of stages), "swin" or "swin_v2"
            (4 stages), "convnext" (2D, up to 3 stages) or "timm:NAME" (2D, a network of timm).
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        width: Channels of the first map. Every stage doubles them. A network of timm has its own widths.
        stages: Number of stages after the first map.
        weights: Pre-trained weights; empty for random ones. Of "convnext": a folder, "package:NAME" or a hub repository
            `REPO` or `REPO@COMMIT`. Of "timm:NAME": "hub" or "hub@COMMIT" for the network's own repository,
            "package:NAME" for an installed package, a folder or a file.

    Raises:
        ConfigError: No encoder of this name supports the dimension, the number of stages or the weights.

    Example:
        >>> build_vision_encoder("conv", spatial_dims=3, in_channels=1, width=8, stages=3).widths
        (8, 16, 32, 64)
    """
    family, colon, network = kind.partition(":")
    name = family + colon
    encoder = _find(name) if name in VISION_ENCODERS and bool(network) == bool(colon) else None
    if encoder is None or not encoder.supports(spatial_dims, stages, weights):
        *most, last = [f"{name} ({_find(name).limits})" for name in VISION_ENCODERS]
        raise ConfigError(
            f"No vision encoder '{kind}' in {spatial_dims}D with {stages} stages{' and weights' if weights else ''}.",
            f"There are {', '.join(most)} and {last}.",
        )
    return encoder.build(spatial_dims, in_channels, width, stages, weights, network)


def _find(kind: str) -> type[StagedEncoder]:
    module, _, name = VISION_ENCODERS[kind].rpartition(".")
    found: type[StagedEncoder] = getattr(import_module(module), name)
    return found
