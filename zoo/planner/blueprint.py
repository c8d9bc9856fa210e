"""`Plan`: what the planner decides. It is plain content with a hash, and it prints its reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from zoo.planner.normalisation import Normalisation
from zoo.utils.hashing import hash_json


@dataclass(frozen=True, slots=True)
class Plan:
    """Grid, patch, batch size and network shape for one data set. Axes are in the order of the image.

    Attributes:
        preset: The name of the preset.
        spacing: Voxel size of the network grid.
        median_shape: Median shape of the training cases on this grid.
        patch: Size of a training patch.
        batch_size: Samples per batch, after all caps.
        batch_size_of_rule: Samples per batch by nnU-Net's own rule; larger where a cap of this planner holds.
        strides: The stride of each stage per axis, from full resolution on.
        kernels: The kernel of each stage per axis.
        features: The features of each stage.
        blocks: Residual blocks, or plain convolutions, of each encoder stage.
        decoder_convs: Convolutions of each decoder stage; there is one stage less than in the encoder.
        residual: Whether the encoder has residual blocks.
        normalisation: The normalisation of each channel.
        batch_dice: Whether Dice is computed over the whole batch, as in 2D and beside a low-resolution stage.
        low_resolution: Voxel size of nnU-Net's low-resolution stage; None where it plans none.
        caps: The names of the caps of this planner that hold.
        reasons: One line per decision. They are no part of the hash.

    Example:
        >>> from zoo.planner import DatasetSummary, Grid, plan
        >>> plan(DatasetSummary((Grid((36, 50, 35), (1.0, 1.0, 1.0), 260),), labels=3), "plain").patch
        (40, 56, 40)
    """

    preset: str
    spacing: tuple[float, ...]
    median_shape: tuple[float, ...]
    patch: tuple[int, ...]
    batch_size: int
    batch_size_of_rule: int
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
    features: tuple[int, ...]
    blocks: tuple[int, ...]
    decoder_convs: tuple[int, ...]
    residual: bool
    normalisation: tuple[Normalisation, ...]
    batch_dice: bool
    low_resolution: tuple[float, ...] | None
    caps: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    @property
    def stages(self) -> int:
        """The number of stages."""
        return len(self.strides)

    @property
    def hash(self) -> str:
        """SHA-256 of all decisions as canonical JSON, without the reasons."""
        return hash_json({key: value for key, value in self.to_dict().items() if key != "reasons"})

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for the identity of a run and for files."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield the plan with its reasons, line by line."""
        yield f"plan {self.preset}, {self.hash[:12]}"
        yield from (f"  {reason}" for reason in self.reasons)
