"""The presets of the planner, and the numbers of its rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FEATURES = 32
"""Features of the first stage; each further stage has twice as many."""

MOST_FEATURES = {2: 512, 3: 320}
"""Most features of a stage, by the number of axes."""

LEAST_BATCH = 2
"""The smallest batch that is planned."""

REFERENCE_BATCH = {2: 12, 3: 2}
"""The batch size for which the reference of a preset holds, by the number of axes."""

COVERAGE = 0.05
"""Cap: largest share of all training voxels in one batch. nnU-Net has it for `plain` only, this planner for all."""

MAX_BATCH_2D = 128
"""Cap of this planner: most images of a 2D batch. nnU-Net has none, and plans thousands of small slices."""


class Preset(NamedTuple):
    """A kind of network and the memory it may fill.

    Attributes:
        name: The name.
        memory_gb: The memory of the GPU that the reference stands for, in GB.
        reference: Most feature map values per number of axes; see `zoo.planner.memory`.
        residual: Whether the encoder has residual blocks; if not, it has plain convolutions.
        blocks: Residual blocks, or convolutions, of the encoder stages; the last number holds for all further stages.
        decoder_convs: Convolutions of each decoder stage.
        capped_by_rule: Whether nnU-Net itself caps the batch size by `COVERAGE`.
    """

    name: str
    memory_gb: int
    reference: Mapping[int, float]
    residual: bool = True
    blocks: tuple[int, ...] = (1, 3, 4, 6)
    decoder_convs: int = 1
    capped_by_rule: bool = False

    def blocks_of(self, stages: int) -> tuple[int, ...]:
        """The blocks of each of so many encoder stages.

        Example:
            >>> PRESETS["L"].blocks_of(6)
            (1, 3, 4, 6, 6, 6)
        """
        return tuple(self.blocks[min(stage, len(self.blocks) - 1)] for stage in range(stages))


_ALL = (
    Preset("plain", 8, {2: 85e6, 3: 560e6}, False, (2,), 2, True),
    Preset("M", 8, {2: 135e6, 3: 680e6}),
    Preset("L", 24, {2: 380e6, 3: 2.1e9}),
    Preset("XL", 40, {2: 560e6, 3: 3.6e9}),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""The presets by name: nnU-Net's plain network, and its residual encoder in three sizes."""
