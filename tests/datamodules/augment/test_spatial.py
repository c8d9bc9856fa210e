"""Rotated, scaled, deformed and mirrored images equal scipy's; labels equal the argmax of an interpolated one-hot."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates
from torch import Tensor

from datamodules.augment.labels import resample_labels
from datamodules.augment.params import AugmentParams, draw_params
from datamodules.augment.spatial import Cells, interpolate_shifts, locate_cells, resample_image

CPU = torch.device("cpu")


def moving(dims: int, number: int, size: int = 48, *, bent: bool = False, flips: tuple[int, ...] = ()) -> AugmentParams:
    """Parameters that move voxels, always the same for a number."""
    rng = np.random.default_rng((dims, number))
    while True:
        draw = draw_params(rng, 1, (size,) * dims, [1.0] * (dims - 1) + [1.5], flips, elastic=bent)
        if draw.matrix is not None and (draw.control is not None) == bent:
            return draw


def coordinates(draw: AugmentParams, source: tuple[int, ...], size: tuple[int, ...]) -> NDArray[np.float64]:
    """The source positions [D, *size] of the output voxels, computed as the documentation describes them."""
    assert draw.matrix is not None
    at = np.stack(np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in size], indexing="ij"))
    if draw.control is not None:
        shift = draw.control
        for axis, n in enumerate(size, 1):
            spans = shift.shape[axis] - 3
            knots = np.arange(-3, spans + 4)
            inner = np.linspace(0, spans, n)
            shift = np.moveaxis(BSpline(knots, np.moveaxis(shift, axis, 0), 3)(inner), 0, axis)
        at = at + shift
    at = np.tensordot(draw.matrix, at, axes=1) + (np.array(source).reshape(-1, *[1] * len(size)) - 1) / 2
    return np.asarray(np.flip(at, tuple(axis + 1 for axis in draw.flips)))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize("flips", [(), (0, 1)])
def test_images_equal_those_of_scipy(dims: int, bent: bool, flips: tuple[int, ...]) -> None:
    source, size = (31, 20, 26)[:dims], (24, 21, 26)[:dims]
    image = torch.randn(2, *source, generator=torch.Generator().manual_seed(dims))
    for number in range(4):
        draw = moving(dims, number, 24, bent=bent, flips=flips)
        out = torch.full((2, *size), torch.nan)
        resample_image(image, locate_cells(draw, source, size, CPU), out)
        places = coordinates(draw, source, size)
        for channel, found in zip(image, out, strict=True):
            expected = map_coordinates(channel.numpy(), places, order=1, mode="grid-constant", cval=0)
            assert np.abs(found.numpy() - expected).max() < 1e-4


def test_voxels_from_outside_are_zero() -> None:
    draw = moving(3, 0)._replace(matrix=np.eye(3) * 3)
    out = torch.empty(1, 12, 12, 12)
    resample_image(torch.ones(1, 12, 12, 12), locate_cells(draw, (12,) * 3, (12,) * 3, CPU), out)
    assert out[0, 6, 6, 6] == 1
    assert out[0, 0].abs().max() == 0


@pytest.mark.parametrize("dims", [2, 3])
def test_elastic_deformations_never_fold(dims: int) -> None:
    rng = np.random.default_rng(dims)
    size = (30,) * dims
    for _ in range(20):
        control = torch.from_numpy(
            rng.choice([-3.0, 3.0], (dims, *[6] * dims)).astype(np.float32)
        )  # the worst case: all shifts are extreme
        shift = interpolate_shifts(control, size).numpy()
        gradient = np.stack([np.stack(np.gradient(one, axis=range(dims))) for one in shift])
        jacobian = np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(dims)
        assert np.linalg.det(jacobian).min() > 0


def places_of(cells: Cells, source: tuple[int, ...]) -> Tensor:
    """The positions of the cells as a double grid for grid_sample, [1, *patch, D]."""
    rest, columns = cells.low.long(), []
    for step, part, n in zip(cells.steps, cells.parts, source, strict=True):
        columns.append((2 * (rest // step - 1 + part.double()) + 1) / n - 1)
        rest = rest % step
    return torch.stack(columns[::-1], -1).view(1, *cells.shape, len(source))


def one_hot_reference(label: Tensor, grid: Tensor) -> Tensor:
    """One grid_sample per class, then the argmax; outside is 0."""
    classes = range(1, int(label.max()) + 1)
    scores = [F.grid_sample((label == k).double()[None], grid, align_corners=False)[0, 0] for k in classes]
    rest = torch.ones(grid.shape[1:-1], dtype=torch.float64) - sum(scores, torch.zeros(()))
    return torch.stack([rest, *scores]).argmax(0)


def blobs(shape: tuple[int, ...], classes: int) -> Tensor:
    rng = np.random.default_rng(classes)
    label = np.zeros(shape, dtype=np.uint8)
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    for number in range(1, classes + 1):
        centre, radius = rng.uniform(0, shape), rng.uniform(3, 14, len(shape))
        far = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radius, strict=True))
        label[far < 1] = number
    return torch.from_numpy(label)[None]


def speck(shape: tuple[int, ...]) -> Tensor:
    label = torch.zeros(1, *shape, dtype=torch.uint8)
    label[(0, *[n // 2 for n in shape])] = 3
    return label


LABELS: dict[str, Callable[[tuple[int, ...]], Tensor]] = {
    "organs": lambda shape: blobs(shape, 13),
    "one organ": lambda shape: blobs(shape, 1),
    "many": lambda shape: blobs(shape, 254),
    "noise": lambda shape: torch.randint(0, 5, (1, *shape), generator=torch.Generator().manual_seed(0)).byte(),
    "empty": lambda shape: torch.zeros(1, *shape, dtype=torch.uint8),
    "full": lambda shape: torch.full((1, *shape), 2, dtype=torch.uint8),
    "one voxel": speck,
}


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", LABELS)
def test_labels_equal_the_argmax_of_the_one_hot(dims: int, name: str) -> None:
    source, size = ((60, 57, 52), (48, 48, 48)) if dims == 3 else ((310, 280), (256, 250))
    label = LABELS[name](source)
    other = total = 0
    for number in range(2):
        cells = locate_cells(moving(dims, number, bent=bool(number)), source, size, CPU)
        out = torch.full((1, *size), 77, dtype=torch.uint8)
        resample_labels(label, cells, out)
        expected = one_hot_reference(label, places_of(cells, source))
        other, total = other + int((out[0] != expected).sum()), total + expected.numel()
    assert other <= 1e-5 * total


@pytest.mark.parametrize("masks", [2, 3, 8, 11])
@pytest.mark.parametrize("dims", [2, 3])
def test_overlapping_masks_are_inside_above_one_half(dims: int, masks: int) -> None:
    source, size = ((44, 40, 42), (36, 36, 36)) if dims == 3 else ((180, 170), (160, 150))
    label = torch.cat([(blobs(source, k) > 0).byte() for k in range(3, masks + 3)])
    label[1] = 0
    label[-1] = 1
    cells = locate_cells(moving(dims, masks), source, size, CPU)
    out = torch.full((masks, *size), 77, dtype=torch.uint8)
    resample_labels(label, cells, out)
    grid = places_of(cells, source)
    expected = torch.stack([one_hot_reference(mask[None], grid) for mask in label])
    assert (out != expected).double().mean() <= 1e-5
    assert set(out.unique().tolist()) == {0, 1}


def test_of_equal_weights_the_lowest_class_is_chosen() -> None:
    label = torch.randint(0, 3, (1, 13, 13, 13), generator=torch.Generator().manual_seed(0)).byte()
    draw = moving(3, 0)._replace(matrix=np.eye(3))
    cells = locate_cells(
        draw, (13,) * 3, (12,) * 3, CPU
    )  # from an even to an odd size, every position is the centre of a cell
    assert all((part == 0.5).all() for part in cells.parts)
    out = torch.empty(1, 12, 12, 12, dtype=torch.uint8)
    resample_labels(label, cells, out)
    assert torch.equal(out[0].long(), one_hot_reference(label, places_of(cells, (13,) * 3)))


def test_255_is_an_ordinary_class() -> None:
    label = torch.zeros(1, 20, 20, dtype=torch.uint8)
    label[0, 4:16, 4:16] = 255
    cells = locate_cells(moving(2, 1)._replace(matrix=np.eye(2) * 0.9), (20, 20), (20, 20), CPU)
    out = torch.empty(1, 20, 20, dtype=torch.uint8)
    resample_labels(label, cells, out)
    assert set(out.unique().tolist()) == {0, 255}
    assert out[0, 10, 10] == 255


def test_quarter_turns_are_exact() -> None:
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    label = blobs((32, 32), 6)
    for turns, flip in product(range(4), ((), (1,))):
        draw = moving(2, 0)._replace(matrix=np.linalg.matrix_power(quarter, turns), flips=flip)
        cells = locate_cells(draw, (32, 32), (32, 32), CPU)
        out = torch.empty(1, 32, 32, dtype=torch.uint8)
        resample_labels(label, cells, out)
        assert np.array_equal(out[0], np.flip(np.rot90(label[0].numpy(), -turns), flip))
