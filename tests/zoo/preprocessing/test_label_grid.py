"""Classes on the native grid, beside `interpolate` and `argmax` of all logits."""

from __future__ import annotations

from types import EllipsisType
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from zoo.preprocessing import label_grid
from zoo.preprocessing.label_grid import LabelGrid, split_rows
from zoo.preprocessing.logit_rows import LogitRows, exact_row
from zoo.preprocessing.undo import INTERPOLATION, native_mask
from zoo.types import Geometry, LabelSpace


@pytest.fixture(params=["compiled", "torch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with the compiled loops, and with operations of torch as on a GPU."""
    monkeypatch.setattr(label_grid, "has_numba", lambda: request.param == "compiled")
    return str(request.param)


def by_interpolation(logits: Tensor, size: list[int], exclusive: bool) -> NDArray[np.uint8]:
    """Interpolate all logits, then decide."""
    grid = F.interpolate(logits[None], size=size, mode=INTERPOLATION[len(size)], align_corners=False)[0]
    decision = grid.argmax(0) if exclusive else grid > 0
    found: NDArray[np.uint8] = decision.to(torch.uint8).numpy()
    return found


def space(channels: int, exclusive: bool) -> LabelSpace:
    """A label space of some logit channels."""
    classes = channels - exclusive
    return LabelSpace(tuple(f"c{n}" for n in range(classes)), tuple((n + 1,) for n in range(classes)), exclusive)


def draw_logits(rng: np.random.Generator, kind: str, shape: list[int]) -> Tensor:
    """Draw logits: of any scale, of few integers with many ties, or of classes that differ by one rounding."""
    ones = [1] * (len(shape) - 1)
    drawn = {
        "any": lambda: rng.standard_normal(shape) * 10 ** rng.uniform(-3, 3),
        "ties": lambda: rng.integers(-2, 3, shape),
        "nearly tied": lambda: rng.standard_normal((1, *shape[1:])) + 6e-8 * rng.integers(-1, 2, shape),
        "constant": lambda: rng.standard_normal((shape[0], *ones)) + np.zeros(shape),
    }
    return torch.from_numpy(np.asarray(drawn[kind]())).float()


@pytest.mark.parametrize("kind", ["any", "ties", "nearly tied", "constant"])
@pytest.mark.parametrize("dims", [2, 3])
def test_labels_equal_those_of_interpolated_logits_voxel_for_voxel(dims: int, kind: str, way: str) -> None:
    rng = np.random.default_rng([dims, ord(kind[0])])
    for _ in range(15):
        exclusive = bool(rng.random() < 0.7)
        channels = int(rng.integers(2, 15))
        coarse = [int(n) for n in rng.integers(1, 9, dims)]
        fine = [2 * n for n in coarse] if rng.random() < 0.3 else [int(n) for n in rng.integers(1, 24, dims)]
        if dims == 2:
            fine[1] += 120  # torch has another function for smaller images
        logits = draw_logits(rng, kind, [channels, *coarse])
        if rng.random() < 0.5:
            logits = logits.flip(1, dims)
        begin = rng.integers(0, 3, dims)
        crop = tuple((int(a), int(a) + n) for a, n in zip(begin, fine, strict=True))
        geometry = Geometry(None, tuple(stop + 1 for _, stop in crop), crop, (1.0,) * dims, "px")
        mask = native_mask(logits, geometry, space(channels, exclusive))
        inside: tuple[EllipsisType | slice, ...] = (..., *(slice(*side) for side in crop))
        due = by_interpolation(logits, fine, exclusive)
        assert np.array_equal(mask[inside], due), (coarse, fine, channels, exclusive)
        mask[inside] = 0
        assert not mask.any(), "outside of the crop is background"


@pytest.mark.parametrize("exclusive", [True, False])
def test_rows_that_arrive_in_parts_give_the_labels_of_all_rows(exclusive: bool, way: str) -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.standard_normal((4, 17, 5, 6))).float()
    weights = torch.from_numpy(rng.uniform(0.1, 3.0, (17, 5, 6))).float()
    size = [41, 4, 11]
    shape = size if exclusive else [4, *size]
    labels = np.full(shape, 99, np.uint8)
    grid = LabelGrid((17, 5, 6), labels, exclusive, 4, torch.device("cpu"))
    depth, held, stops = 7, -1, [3, 4, 9, 14, 17]
    ring, weight = torch.zeros(4, depth, 5, 6), torch.zeros(depth, 5, 6)
    for stop in stops:
        for row in range(held + 1, stop):
            ring[:, row % depth], weight[row % depth] = logits[:, row], weights[row]
        held = stop - 1
        grid.add(LogitRows(ring, weight), stop)
    assert np.array_equal(labels, by_interpolation(logits / weights, size, exclusive))


def test_only_rows_that_rounding_could_decide_are_interpolated_whole(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Mock(wraps=exact_row)
    monkeypatch.setattr(label_grid, "exact_row", whole)
    geometry = Geometry(None, (12, 12, 12), ((0, 12),) * 3, (1.0,) * 3, "mm")
    logits = draw_logits(np.random.default_rng(0), "any", [5, 6, 6, 6])
    native_mask(logits, geometry, space(5, True))
    assert whole.call_count == 0
    logits[3] = logits[2] + 6e-8 * torch.randint(-1, 2, logits[0].shape, generator=torch.Generator().manual_seed(0))
    native_mask(logits, geometry, space(5, True))
    assert whole.call_count > 0


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_logits_that_are_not_finite_are_found_and_decided_as_by_torch(wrong: float, way: str) -> None:
    logits = draw_logits(np.random.default_rng(0), "any", [3, 4, 4, 4])
    logits[1, 2, 2, 1] = wrong
    labels = np.zeros((6, 6, 6), np.uint8)
    grid = LabelGrid((4, 4, 4), labels, True, 3, torch.device("cpu"))
    grid.add(LogitRows(logits), 4)
    assert not grid.finite
    geometry = Geometry(None, (6, 6, 6), ((0, 6),) * 3, (1.0,) * 3, "mm")
    assert np.array_equal(native_mask(logits, geometry, space(3, True)), by_interpolation(logits, [6] * 3, True))


def test_many_blocks_give_the_labels_of_one(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_grid, "_BLOCK", 40)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    geometry = Geometry(None, (9, 8, 7), ((0, 9), (0, 8), (0, 7)), (1.0,) * 3, "mm")
    logits = draw_logits(np.random.default_rng(1), "ties", [6, 5, 4, 6])
    assert np.array_equal(native_mask(logits, geometry, space(6, True)), by_interpolation(logits, [9, 8, 7], True))


def test_rows_are_split_without_gap() -> None:
    assert split_rows(2, 2, 10) == []
    blocks = split_rows(3, 11, 2**18)
    assert [row for start, stop in blocks for row in range(start, stop)] == list(range(3, 11))
