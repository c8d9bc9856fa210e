"""The reasons of a plan, one line per decision."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.planner.blueprint import Plan
from zoo.planner.patch import Search, most_values
from zoo.planner.presets import COVERAGE, LEAST_BATCH, MAX_BATCH_2D, Preset
from zoo.planner.topology import LEAST_SIZE, NEAR

_CAPS = {
    "COVERAGE": f"at most {COVERAGE:.0%} of the training voxels in one batch",
    "MAX_BATCH_2D": f"at most {MAX_BATCH_2D} images in one 2D batch",
}


def explain(plan: Plan, search: Search, preset: Preset, unit: str, spacing: str, normalisation: str) -> tuple[str, ...]:
    """Explain the decisions of a plan.

    Args:
        plan: The plan.
        search: How its patch was found.
        preset: Its preset.
        unit: The unit of the spacing.
        spacing: The reason of the voxel size.
        normalisation: The reason of the normalisation.
    """
    return (
        f"spacing {join(plan.spacing)} {unit}: {spacing}",
        f"median shape {join(plan.median_shape)}: of the training cases on this grid, after the crop",
        f"patch {join(plan.patch)}: {_patch(plan, search, preset)}",
        f"strides {_stages(plan.strides)}: an axis is halved while it has {2 * LEAST_SIZE} voxels and its voxels are "
        f"less than {NEAR:g} times as large as the finest, so {len(plan.strides)} stages",
        f"kernels {_stages(plan.kernels)}: 1 on an axis while its voxels are {NEAR:g} times as large as the finest",
        f"features {', '.join(map(str, plan.features))}: doubled per stage, with a largest value",
        f"blocks {', '.join(map(str, plan.blocks))}: "
        f"{'residual blocks' if plan.residual else 'convolutions'} of preset {preset.name}",
        f"batch size {plan.batch_size}: {_batch(plan, search, preset)}",
        f"normalisation {', '.join(one.scheme for one in plan.normalisation)}: {normalisation}",
        f"Dice over {'the batch' if plan.batch_dice else 'each sample'}: {_dice(plan)}",
    )


def join(values: Sequence[float]) -> str:
    """Write the values of some axes.

    Example:
        >>> join((1.0, 0.75))
        '1 x 0.75'
    """
    return " x ".join(f"{value:.6g}" for value in values)


def _stages(values: Sequence[Sequence[int]]) -> str:
    return " ".join("".join(map(str, stage)) for stage in values)


def _patch(plan: Plan, search: Search, preset: Preset) -> str:
    limit = most_values(preset, len(plan.patch))
    how = (
        f"made smaller {search.steps} times" if search.steps else "the median shape, padded to what the strides divide"
    )
    return f"{how}; its feature maps have {search.values:.3g} values, of {limit:.3g} ({preset.memory_gb} GB)"


def _batch(plan: Plan, search: Search, preset: Preset) -> str:
    if plan.caps:
        caps = " and ".join(f"{name} ({_CAPS[name]})" for name in plan.caps)
        return f"capped by {caps}; nnU-Net's rule gives {plan.batch_size_of_rule}"
    if plan.batch_size == LEAST_BATCH:
        return "the smallest that is planned"
    covers = f" and {_CAPS['COVERAGE']}" if preset.capped_by_rule else ""
    return f"fills {preset.memory_gb} GB{covers}"


def _dice(plan: Plan) -> str:
    if len(plan.patch) == 2:
        return "as nnU-Net does in 2D"
    if plan.low_resolution is None:
        return "nnU-Net plans no low-resolution stage for such images"
    spacing = join([round(step, 3) for step in plan.low_resolution])
    return f"nnU-Net plans a low-resolution stage at {spacing} as well, which is not built here"
