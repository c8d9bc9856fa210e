"""Properties that every score has on any pair of masks; hypothesis reduces a failure to the smallest case."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from zoo.metrics.case_scores import CaseScore
from zoo.metrics.definitions import METRIC_KEYS, METRICS
from zoo.metrics.scoring import score_case
from zoo.metrics.surface import border, diagonal
from zoo.types import LabelSpace

Mask = NDArray[np.uint8]
pytestmark = pytest.mark.usefixtures("way")
ONE = LabelSpace(names=("organ",), values=((1,),), exclusive=False)
DISTANCES = tuple(metric.key for metric in METRICS if metric.direction == "lower")
HIGHER_IS_BETTER = tuple(metric.key for metric in METRICS if metric.direction == "higher")
LAW = settings(deadline=None)  # a shared machine pauses


class Scene(NamedTuple):
    prediction: Mask
    truth: Mask
    spacing: tuple[float, ...]
    tolerance: float


@st.composite
def scenes(draw: st.DrawFn, objects: bool = True) -> Scene:
    """Two masks of one shape in 2D or 3D; with `objects` neither is empty."""
    shape = draw(array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6))
    fill = st.sampled_from([0, 0, 1])
    masks = [draw(arrays(np.uint8, shape, elements=st.integers(0, 1), fill=fill)) for _ in range(2)]
    if objects:
        for mask in masks:
            mask[tuple(draw(st.integers(0, n - 1)) for n in shape)] = 1
    spacing = tuple(draw(st.floats(0.1, 5.0)) for _ in shape)
    return Scene(masks[0], masks[1], spacing, draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.7])))


def score(scene: Scene) -> CaseScore:
    return score_case("c", scene.prediction[None], scene.truth[None], ONE, scene.spacing, "mm", scene.tolerance)[0]


def numbers(row: CaseScore) -> list[float]:
    return [getattr(row, name) for name in METRIC_KEYS]


def assert_no_better(row: CaseScore, other: CaseScore) -> None:
    """No score of `row` is better than the one of `other`."""
    assert all(getattr(row, name) <= getattr(other, name) for name in HIGHER_IS_BETTER)
    assert all(getattr(row, name) >= getattr(other, name) for name in DISTANCES)


@LAW
@given(scenes(), st.data())
def test_a_false_voxel_never_raises_dice(scene: Scene, data: st.DataObject) -> None:
    """A false voxel is one too many or one too few."""
    before = score(scene)
    place = tuple(data.draw(st.integers(0, n - 1)) for n in scene.truth.shape)
    assume(scene.prediction[place] == scene.truth[place])
    worse = scene.prediction.copy()
    worse[place] = 1 - scene.truth[place]
    assert score(scene._replace(prediction=worse)).dice <= before.dice


@LAW
@given(scenes())
def test_no_prediction_scores_worse_than_none_on_an_object(scene: Scene) -> None:
    """The same law says that turning `ok` into `missed` improves no score, since the diagonal bounds all."""
    missed = score(scene._replace(prediction=np.zeros_like(scene.prediction)))
    row = score(scene)
    assert (row.status, missed.status) == ("ok", "missed")
    assert_no_better(missed, row)
    assert row.hd95 <= diagonal(scene.truth.shape, scene.spacing)


@LAW
@given(scenes())
def test_no_spurious_object_scores_better_than_a_found_one(scene: Scene) -> None:
    spurious = score(scene._replace(truth=np.zeros_like(scene.truth)))
    assert spurious.status == "spurious"
    assert_no_better(spurious, score(scene))


@LAW
@given(scenes(objects=False))
def test_counts_and_values_are_in_their_ranges(scene: Scene) -> None:
    row = score(scene)
    assert row.tp + row.fp == scene.prediction.sum()
    assert row.tp + row.fn == scene.truth.sum()
    if row.status == "absent":
        assert all(math.isnan(value) for value in numbers(row))
    else:
        assert 0 <= row.dice <= 1
        assert 0 <= row.nsd <= 1
        assert all(0 <= getattr(row, name) <= diagonal(scene.truth.shape, scene.spacing) for name in DISTANCES)


@LAW
@given(scenes(objects=False))
def test_a_mask_is_perfect_against_itself(scene: Scene) -> None:
    assume(scene.truth.any())
    assert numbers(score(scene._replace(prediction=scene.truth))) == [1, 0, 0, 1, 0]


@LAW
@given(scenes(objects=False))
def test_scores_are_symmetric(scene: Scene) -> None:
    row = score(scene)
    swapped = score(scene._replace(prediction=scene.truth, truth=scene.prediction))
    assert numbers(swapped) == pytest.approx(numbers(row), nan_ok=True, rel=1e-12)
    assert (swapped.tp, swapped.fp, swapped.fn) == (row.tp, row.fn, row.fp)


@LAW
@given(scenes(objects=False), st.data())
def test_flips_and_permutations_of_axes_change_no_score(scene: Scene, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(scene.truth.ndim)))
    flipped = data.draw(st.sets(st.sampled_from(order)))
    turned = Scene(
        np.flip(scene.prediction, tuple(flipped)).transpose(order),
        np.flip(scene.truth, tuple(flipped)).transpose(order),
        tuple(scene.spacing[axis] for axis in order),
        scene.tolerance,
    )
    assert numbers(score(turned)) == pytest.approx(numbers(score(scene)), nan_ok=True, rel=1e-9)


@LAW
@given(scenes(), st.integers(1, 5), st.integers(1, 5))
def test_background_around_a_found_object_changes_no_score(scene: Scene, low: int, high: int) -> None:
    """The edge of the image is a border, so background around the object changes no distance."""
    padded = scene._replace(prediction=np.pad(scene.prediction, (low, high)), truth=np.pad(scene.truth, (low, high)))
    assert numbers(score(padded)) == pytest.approx(numbers(score(scene)), rel=1e-9)


@LAW
@given(scenes(objects=False), st.sampled_from([0.125, 0.3, 2.0, 10.0]))
def test_distances_scale_with_the_spacing(scene: Scene, factor: float) -> None:
    row = score(scene)
    scaled = score(
        scene._replace(spacing=tuple(size * factor for size in scene.spacing), tolerance=scene.tolerance * factor)
    )
    for name in DISTANCES:
        assert getattr(scaled, name) == pytest.approx(getattr(row, name) * factor, nan_ok=True, rel=1e-9)
    for name in HIGHER_IS_BETTER:
        assert getattr(scaled, name) == pytest.approx(getattr(row, name), nan_ok=True)


@LAW
@given(scenes(), st.floats(0, 20), st.floats(0, 20))
def test_nsd_grows_with_the_tolerance(scene: Scene, one: float, other: float) -> None:
    strict, lenient = sorted((one, other))
    assert score(scene._replace(tolerance=strict)).nsd <= score(scene._replace(tolerance=lenient)).nsd
    assert score(scene._replace(tolerance=diagonal(scene.truth.shape, scene.spacing))).nsd == 1


@LAW
@given(scenes(objects=False))
def test_distances_equal_a_search_over_all_pairs(scene: Scene) -> None:
    """The reference compares every border voxel with every other one."""
    row = score(scene)
    assume(row.status == "ok")
    surfaces = []
    for mask in (scene.prediction, scene.truth):
        inside = np.pad(mask, 1).astype(bool)
        places = [
            place
            for place in np.argwhere(inside)
            if not all(inside[tuple(place + step)] for axis in np.eye(mask.ndim, dtype=int) for step in (axis, -axis))
        ]
        surfaces.append(np.array(places) * np.array(scene.spacing))
    table = np.linalg.norm(surfaces[0][:, None] - surfaces[1][None], axis=-1)
    there, back = table.min(1), table.min(0)
    both = np.concatenate([there, back])
    assert row.hd95 == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
    assert row.hd95_pooled == pytest.approx(np.percentile(both, 95))
    assert row.assd == pytest.approx(both.mean())
    assert row.nsd == pytest.approx((both <= scene.tolerance + 1e-9).mean())


def test_known_shapes_have_their_border() -> None:
    square = np.zeros((7, 7), bool)
    square[1:6, 1:6] = True
    hollow = square.copy()
    hollow[2:5, 2:5] = False
    assert (border(square) == hollow).all()
    assert border(np.ones((3, 3, 3), bool)).sum() == 26
    assert border(np.ones((4, 1, 4), bool)).all()
    assert not border(np.zeros((3, 3), bool)).any()
