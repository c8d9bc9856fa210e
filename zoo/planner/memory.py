"""The estimate of the memory of a U-Net: how many values its feature maps have for one image."""

from __future__ import annotations

import math

from zoo.planner.presets import FEATURES, MOST_FEATURES, Preset
from zoo.planner.topology import Topology


def features_of(topology: Topology) -> tuple[int, ...]:
    """The features of each stage.

    Example:
        >>> from zoo.planner.topology import make_topology
        >>> features_of(make_topology((1.0, 1.0, 1.0), (128, 128, 128)))
        (32, 64, 128, 256, 320, 320)
    """
    most = MOST_FEATURES[len(topology.patch)]
    return tuple(min(FEATURES * 2**stage, most) for stage in range(len(topology.strides)))


def count_values(topology: Topology, preset: Preset, labels: int) -> int:
    """Count the values of the feature maps of all convolutions of a U-Net for one image.

    The convolutions are: of the encoder (with a stem and one projection per later stage where it is residual), the
    transposed ones, those of the decoder, and the last one, which gives the logits.

    Args:
        topology: Patch and strides.
        preset: The kind of network.
        labels: The number of labels, the background included.

    Example:
        >>> from zoo.planner.presets import PRESETS
        >>> from zoo.planner.topology import make_topology
        >>> count_values(make_topology((1.0, 1.0), (8, 8)), PRESETS["plain"], labels=2)
        12416
    """
    features, blocks = features_of(topology), preset.blocks_of(len(topology.strides))
    shape, maps = topology.patch, []
    for stride, width in zip(topology.strides, features, strict=True):
        shape = tuple(size // step for size, step in zip(shape, stride, strict=True))
        maps.append(math.prod(shape) * width)
    each = 2 if preset.residual else 1  # a residual block has two convolutions
    total = sum(size * count * each for size, count in zip(maps, blocks, strict=True))
    total += sum(maps) if preset.residual else 0  # the stem of the first stage, the projections of the others
    total += sum(maps[:-1]) * (preset.decoder_convs + 1)
    return total + math.prod(topology.patch) * labels
