"""`plan`: the rules of nnU-Net in their order, from the voxel size to the batch size.

Source: the planner of nnU-Net (Isensee et al., Nature Methods 2021) and its presets with a residual encoder (Isensee
et al., MICCAI 2024). Their rules were read in a description and in the released planner (Apache-2.0); the code is
written anew. docs/planner.md names the rules.
"""

from __future__ import annotations

import math
from dataclasses import replace

from zoo.errors import ConfigError, UnknownNameError
from zoo.planner.batch import choose_batch
from zoo.planner.blueprint import Plan
from zoo.planner.memory import features_of
from zoo.planner.normalisation import choose_normalisation
from zoo.planner.patch import find_low_resolution, search_patch
from zoo.planner.presets import PRESETS
from zoo.planner.reasons import explain
from zoo.planner.spacing import median_shape, target_spacing
from zoo.planner.summary import DatasetSummary


def plan(summary: DatasetSummary, preset: str = "plain", spatial_dims: int | None = None) -> Plan:
    """Plan grid, patch, batch size and network for the training cases of a data set.

    Args:
        summary: What was measured of the training cases.
        preset: A name of `PRESETS`.
        spatial_dims: 2 plans a network for the slices of volumes across the coarsest axis; default as the data.

    Raises:
        UnknownNameError: There is no such preset.
        ConfigError: The data cannot have a plan of so many axes, or the summary of a CT data set has no intensities.

    Example:
        >>> from zoo.planner.summary import Grid
        >>> pictures = DatasetSummary((Grid((224, 224), (1.0, 1.0), 5716),), labels=2, unit="px")
        >>> found = plan(pictures, "plain")
        >>> found.patch, found.batch_size, found.stages
        ((224, 224), 65, 6)
    """
    if preset not in PRESETS:
        raise UnknownNameError("preset of the planner", preset, PRESETS, "zoo show MODEL --data NAME")
    dims = spatial_dims or summary.spatial_dims
    if dims not in (2, summary.spatial_dims):
        fix = f"Leave it out or give {summary.spatial_dims}."
        raise ConfigError(f"Images of {summary.spatial_dims} axes have no plan of {dims} axes.", fix)
    full_spacing, why_spacing = target_spacing(summary)
    full_shape = median_shape(summary, full_spacing)
    axes = order_axes(full_spacing)[-dims:]
    spacing, shape = [full_spacing[axis] for axis in axes], [full_shape[axis] for axis in axes]
    chosen, labels = PRESETS[preset], summary.labels
    search = search_patch(spacing, shape, chosen, labels)
    topology = search.topology
    batch = choose_batch(search, math.prod(full_shape) * summary.cases, chosen)
    low = find_low_resolution(spacing, shape, topology, chosen, labels) if dims == 3 else None
    normalisation, why_normalisation = choose_normalisation(summary)
    back = sorted(range(dims), key=lambda place: axes[place])
    stages = len(topology.strides)
    found = Plan(
        preset=preset,
        spacing=tuple(spacing[place] for place in back),
        median_shape=tuple(shape[place] for place in back),
        patch=tuple(topology.patch[place] for place in back),
        batch_size=batch.size,
        batch_size_of_rule=batch.of_rule,
        strides=tuple(tuple(stride[place] for place in back) for stride in topology.strides),
        kernels=tuple(tuple(kernel[place] for place in back) for kernel in topology.kernels),
        features=features_of(topology),
        blocks=chosen.blocks_of(stages),
        decoder_convs=(chosen.decoder_convs,) * (stages - 1),
        residual=chosen.residual,
        normalisation=normalisation,
        batch_dice=dims == 2 or low is not None,
        low_resolution=None if low is None else tuple(low[place] for place in back),
        caps=batch.caps,
    )
    return replace(found, reasons=explain(found, search, chosen, summary.unit, why_spacing, why_normalisation))


def order_axes(spacing: tuple[float, ...]) -> list[int]:
    """Order the axes as nnU-Net does: of a volume, the coarsest first; the others keep their order.

    Example:
        >>> order_axes((0.76, 0.76, 3.0))
        [2, 0, 1]
    """
    axes = list(range(len(spacing)))
    if len(axes) == 2:
        return axes
    coarsest = max(axes, key=lambda axis: (spacing[axis], -axis))
    return [coarsest, *(axis for axis in axes if axis != coarsest)]
