"""Plans for nine kinds of data, compared with the golden plans of nnU-Net's rules, and the rules one by one."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest

from zoo.errors import ConfigError, UnknownNameError
from zoo.planner import PRESETS, DatasetSummary, Grid, Intensities, plan
from zoo.planner.presets import MAX_BATCH_2D


def summary_of(
    shape: tuple[int, ...], spacing: tuple[float, ...], cases: int, labels: int, modality: str = ""
) -> DatasetSummary:
    """The summary of a data set whose cases all have one grid."""
    return DatasetSummary((Grid(shape, spacing, cases),), labels, modality=modality)


DATA = {
    "hippocampus": summary_of((36, 50, 35), (1.0, 1.0, 1.0), 260, 3),
    "liver": summary_of((482, 512, 512), (1.0, 0.77, 0.77), 131, 3),
    "btcv": summary_of((148, 512, 512), (3.0, 0.76, 0.76), 30, 14),
    "amos": summary_of((103, 512, 512), (5.0, 0.71, 0.71), 240, 16),
    "brats": summary_of((138, 169, 138), (1.0, 1.0, 1.0), 1251, 4),
    "prostate": summary_of((20, 320, 319), (3.6, 0.625, 0.625), 32, 3),
    "acdc": summary_of((18, 237, 208), (5.0, 1.56, 1.56), 200, 4),
    "x-rays 224": summary_of((224, 224), (1.0, 1.0), 5716, 2),
    "x-rays 512": summary_of((512, 512), (1.0, 1.0), 2183, 2),
}


class Golden(NamedTuple):
    """What is known of a plan; None where it is not known."""

    patch: list[int]
    batch: int | None = None
    stages: int | None = None


@pytest.mark.parametrize(
    ("data", "preset", "golden"),
    [
        ("hippocampus", "plain", Golden([40, 56, 40], 9, 4)),
        ("liver", "plain", Golden([128, 128, 128], 2, 6)),
        ("liver", "L", Golden([192, 192, 192])),
        ("liver", "XL", Golden([224, 256, 224])),
        ("btcv", "plain", Golden([48, 192, 192], 2, 6)),
        ("btcv", "M", Golden([48, 192, 192], 2, 6)),
        ("btcv", "L", Golden([80, 256, 256], None, 7)),
        ("btcv", "XL", Golden([80, 320, 320])),
        ("amos", "plain", Golden([40, 224, 192])),
        ("amos", "L", Golden([64, 256, 256])),
        ("brats", "plain", Golden([128, 128, 128])),
        ("prostate", "plain", Golden([20, 320, 256])),
        ("acdc", "plain", Golden([20, 256, 224], 4)),
        ("x-rays 224", "plain", Golden([224, 224], 65, 6)),
        ("x-rays 512", "plain", Golden([512, 512], 12, 8)),
    ],
)
def test_the_golden_plans_are_planned(data: str, preset: str, golden: Golden) -> None:
    found = plan(DATA[data], preset)
    assert list(found.patch) == golden.patch
    assert golden.batch in (None, found.batch_size)
    assert golden.stages in (None, found.stages)
    assert found.caps == ()


def test_strides_and_kernels_of_anisotropic_data_are_those_of_the_golden_plan() -> None:
    found = plan(DATA["btcv"])
    assert ["".join(map(str, stride)) for stride in found.strides] == ["111", "122", "222", "222", "222", "122"]
    assert found.kernels[0] == (1, 3, 3)
    assert set(found.kernels[1:]) == {(3, 3, 3)}
    assert found.features == (32, 64, 128, 256, 320, 320)


@pytest.mark.parametrize(("preset", "batch"), [("plain", 366), ("M", 1618), ("XL", 6711)])
def test_the_batch_of_small_slices_is_capped_and_the_cap_is_named(preset: str, batch: int) -> None:
    found = plan(DATA["hippocampus"], preset, spatial_dims=2)
    assert found.patch == (56, 40)
    assert found.batch_size_of_rule == batch
    assert found.batch_size == MAX_BATCH_2D
    assert "MAX_BATCH_2D" in found.caps
    assert any("MAX_BATCH_2D" in reason and str(batch) in reason for reason in found.reasons)


def test_no_preset_sees_more_than_a_share_of_the_training_voxels_in_one_batch() -> None:
    found = plan(DATA["hippocampus"], "XL")
    assert found.caps == ("COVERAGE",)
    assert found.batch_size == 9 < found.batch_size_of_rule


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_strides_divide_every_patch(data: str, preset: str) -> None:
    found = plan(DATA[data], preset)
    divisors = [math.prod(stride[axis] for stride in found.strides) for axis in range(len(found.patch))]
    assert all(size % divisor == 0 for size, divisor in zip(found.patch, divisors, strict=True))
    assert len(found.features) == len(found.blocks) == len(found.kernels) == len(found.decoder_convs) + 1


def test_the_plan_of_turned_axes_is_the_turned_plan() -> None:
    turned = plan(summary_of((512, 512, 103), (0.71, 0.71, 5.0), 240, 16), "L")
    due = plan(DATA["amos"], "L")
    for key in ("patch", "spacing"):
        one, other = getattr(turned, key), getattr(due, key)
        assert (one[2], *one[:2]) == other
    assert [(z, x, y) for x, y, z in turned.strides] == list(due.strides)
    assert [(z, x, y) for x, y, z in turned.kernels] == list(due.kernels)


def test_a_coarse_axis_gets_its_tenth_percentile() -> None:
    thick = [Grid((10, 256, 256), (10.0, 1.5, 1.5), 9), Grid((20, 256, 256), (5.0, 1.5, 1.5), 1)]
    found = plan(DatasetSummary(tuple(thick), labels=4))
    assert found.spacing == pytest.approx((9.5, 1.5, 1.5))
    fine = [Grid((10, 256, 256), (10.0, 1.5, 1.5), 5), Grid((200, 256, 256), (0.5, 1.5, 1.5), 4)]
    assert plan(DatasetSummary(tuple(fine), labels=4)).spacing == pytest.approx((1.5, 1.5, 1.5), abs=1e-4)


def test_the_median_counts_cases_and_not_grids() -> None:
    grids = (
        Grid((40, 40, 40), (1.0, 1.0, 1.0), 5),
        Grid((80, 80, 80), (2.0, 2.0, 2.0), 2),
        Grid((9, 9, 9), (3.0,) * 3),
    )
    found = plan(DatasetSummary(grids, labels=2))
    assert found.spacing == (1.0, 1.0, 1.0)
    assert found.median_shape == (40.0, 40.0, 40.0)


def test_ct_is_clipped_to_the_foreground_and_other_images_are_not() -> None:
    grid = (Grid((148, 512, 512), (3.0, 0.76, 0.76), 30),)
    liver = Intensities(low=-17.0, high=201.0, mean=99.4, std=39.4)
    found = plan(DatasetSummary(grid, labels=14, modality="CT", intensities=(liver,)))
    assert [(one.scheme, one.intensities) for one in found.normalisation] == [("ct", liver)]
    cropped = plan(DatasetSummary(grid, labels=14, in_channels=2, modality="MR", kept=0.7))
    assert [(one.scheme, one.inside_mask) for one in cropped.normalisation] == [("z_score", True)] * 2
    with pytest.raises(ConfigError, match="zoo data stats"):
        plan(summary_of((148, 512, 512), (3.0, 0.76, 0.76), 30, 14, modality="CT"))


def test_dice_is_over_the_batch_where_images_are_much_larger_than_patches() -> None:
    assert plan(DATA["liver"]).batch_dice
    low = plan(DATA["liver"]).low_resolution
    assert low is not None
    assert min(low) > 1.0
    assert not plan(DATA["hippocampus"]).batch_dice
    assert plan(DATA["x-rays 224"]).batch_dice


def test_each_decision_has_a_reason_and_the_reasons_are_no_part_of_the_hash() -> None:
    found = plan(DATA["liver"], "L")
    begins = [reason.split()[0] for reason in found.reasons]
    due = ["spacing", "median", "patch", "strides", "kernels", "features", "blocks", "batch", "normalisation", "Dice"]
    assert begins == due
    assert next(found.lines()) == f"plan L, {found.hash[:12]}"
    assert found.hash != plan(DATA["liver"], "XL").hash
    assert found.hash == plan(DATA["liver"], "L").hash


def test_an_unknown_preset_and_a_plan_of_pictures_in_3d_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="XXL"):
        plan(DATA["liver"], "XXL")
    with pytest.raises(ConfigError, match="2 axes have no plan of 3 axes"):
        plan(DATA["x-rays 224"], spatial_dims=3)


def test_a_summary_comes_back_from_plain_content() -> None:
    summary = DatasetSummary(
        (Grid((148, 512, 512), (3.0, 0.76, 0.76), 30),),
        14,
        modality="CT",
        intensities=(Intensities(-1.0, 2.0, 0.5, 1.0),),
    )
    again = DatasetSummary.from_dict(summary.to_dict())
    assert again == summary
    assert again.hash == summary.hash
    assert plan(again).hash == plan(summary).hash


@pytest.mark.parametrize(
    "grids", [(), (Grid((4, 4), (1.0, 1.0)), Grid((4, 4, 4), (1.0, 1.0, 1.0)))], ids=["none", "2D and 3D"]
)
def test_a_summary_without_one_kind_of_grid_is_refused(grids: tuple[Grid, ...]) -> None:
    with pytest.raises(ValueError, match="grids are none"):
        DatasetSummary(grids, labels=2)


@pytest.mark.parametrize("shape", [(7, 28, 47), (2, 1, 7), (400, 1, 400)], ids=str)
def test_thin_volumes_with_many_labels_have_a_plan(shape: tuple[int, ...]) -> None:
    found = plan(summary_of(shape, (1.7, 7.4, 0.44), 20, 255), "XL")
    assert min(found.patch) >= 1
    assert found.batch_size >= 2
