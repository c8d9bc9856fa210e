"""The windows of an image, beside MONAI's inferer, and the masks that are decided while windows are added up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from monai.data.utils import dense_patch_slices
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.inference import WindowOptions, WindowPlan, predict_logits, predict_masks, window_sums
from zoo.inference.windows import window_starts
from zoo.preprocessing.undo import native_mask
from zoo.types import ClassPrompt, Geometry, LabelSpace, Text

TEXT = Text((ClassPrompt("a", "An a."),))


@pytest.fixture(params=["compiled", "torch"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with the compiled loop, and with operations of torch as on a GPU."""
    monkeypatch.setattr(window_sums, "has_numba", lambda: request.param == "compiled")
    return str(request.param)


class Network:
    """A convolution with a fixed seed, which counts the windows of each call."""

    def __init__(self, dims: int, channels: int) -> None:
        torch.manual_seed(0)
        self.convolution = (nn.Conv2d if dims == 2 else nn.Conv3d)(1, channels, 3, padding=1)
        self.calls: list[int] = []

    def __call__(self, image: Tensor, text: Text) -> Tensor:
        """Compute logits."""
        self.calls.append(len(image))
        logits: Tensor = self.convolution(image)
        return logits


def by_monai(network: Network, image: Tensor, patch: Sequence[int], overlap: float) -> Tensor:
    """Compute the logits of one image with MONAI's inferer, in single windows."""
    window = SlidingWindowInferer(roi_size=tuple(patch), sw_batch_size=1, overlap=overlap, mode="gaussian")
    with torch.no_grad():
        logits: Tensor = window(image, network.convolution)
    return logits


def grid_of(shape: Sequence[int]) -> Geometry:
    """A grid without crop."""
    return Geometry(None, tuple(shape), tuple((0, n) for n in shape), (1.0,) * len(shape), "mm")


@pytest.mark.parametrize("dims", [2, 3])
def test_logits_and_masks_equal_those_of_monai(dims: int) -> None:
    rng = np.random.default_rng(dims)
    for _ in range(25):
        patch, shape = ([int(n) for n in rng.integers(low, high, dims)] for low, high in ((2, 7), (1, 20)))
        shape[int(rng.integers(dims))] += 7  # larger than the patch on one axis at least
        overlap, exclusive = float(rng.choice([0, 0.25, 0.5, 0.7])), bool(rng.random() < 0.6)
        network, image = Network(dims, 4), torch.from_numpy(rng.standard_normal((1, 1, *shape))).float()
        due = by_monai(network, image, patch, overlap)
        assert torch.equal(predict_logits(network, image, TEXT, patch, overlap), due), (patch, shape, overlap)
        plan = WindowPlan(patch, overlap)
        assert plan.allow_rows(image) == (dims == 3)
        if dims == 3:
            names = ("a", "b", "c") if exclusive else ("a", "b", "c", "d")
            labels = LabelSpace(names, tuple((n,) for n in range(1, len(names) + 1)), exclusive)
            geometry = grid_of([int(n) for n in rng.integers(1, 30, 3)])
            (mask,) = predict_masks(network, image, TEXT, plan, [geometry], labels)
            assert mask is not None
            assert np.array_equal(mask, native_mask(due[0], geometry, labels)), (patch, shape, overlap)


@pytest.mark.parametrize("size", range(4, 30))
@pytest.mark.parametrize(("window", "overlap"), [(4, 0.5), (3, 0.0), (4, 0.9), (2, 0.7)])
def test_windows_begin_where_those_of_monai_do(size: int, window: int, overlap: float) -> None:
    step = window if size == window else max(1, int(window * (1 - overlap)))
    due = [place.start for (place,) in dense_patch_slices((size,), (window,), (step,))]
    assert window_starts(size, window, overlap) == due


def test_logits_in_half_precision_are_summed_as_by_monai() -> None:
    network = Network(3, 3)
    half = network.convolution.bfloat16()
    image = torch.randn(1, 1, 9, 8, 7, generator=torch.Generator().manual_seed(0))
    window = SlidingWindowInferer(roi_size=(4, 4, 4), sw_batch_size=1, overlap=0.5, mode="gaussian")
    with torch.no_grad():
        due = window(image, lambda x: half(x.bfloat16()))
    found = predict_logits(lambda x, _: half(x.bfloat16()), image, TEXT, (4, 4, 4), 0.5)
    assert torch.equal(found, due)


def test_several_windows_at_once_need_fewer_passes_and_give_each_its_report() -> None:
    seen: list[tuple[str, ...] | None] = []
    network = Network(2, 3)

    def forward(image: Tensor, text: Text) -> Tensor:
        seen.append(text.reports)
        assert text.reports is not None
        assert len(text.reports) == len(image)
        return network(image, text)

    image = torch.rand(2, 1, 8, 20)
    text = TEXT._replace(reports=("one", "two"))
    many = predict_logits(forward, image, text, (8, 4), 0.5, at_once=4)
    assert network.calls == [4, 4, 1, 4, 4, 1]
    assert {report for reports in seen for report in reports or ()} == {"one", "two"}
    torch.testing.assert_close(many, predict_logits(network, image, text, (8, 4), 0.5))


def test_windows_of_dark_voxels_alone_are_skipped_and_are_background() -> None:
    labels = LabelSpace(("a", "b"), ((1,), (2,)))
    image = torch.zeros(1, 1, 12, 12, 20)
    image[..., 12:] = torch.rand(1, 1, 12, 12, 8)
    image[..., 12] = 1.0
    network, all_windows = Network(3, 3), Network(3, 3)
    full = predict_logits(all_windows, image, TEXT, (4, 4, 4), 0.0)
    kept = predict_logits(network, image, TEXT, (4, 4, 4), 0.0, skip_below=0.0)
    assert (len(all_windows.calls), len(network.calls)) == (45, 18)
    assert torch.equal(kept[..., 12:], full[..., 12:])
    assert not kept[..., :12].any()
    plan = WindowPlan((4, 4, 4), 0.0, skip_below=0.0)
    (mask,) = predict_masks(network, image, TEXT, plan, [grid_of((12, 12, 20))], labels)
    assert mask is not None
    assert not mask[..., :12].any()
    assert np.array_equal(mask[..., 12:], full[0, ..., 12:].argmax(0).numpy())


def test_an_image_without_a_bright_voxel_is_background() -> None:
    labels = LabelSpace(("a", "b"), ((1,), (2,)))
    image = torch.zeros(1, 1, 12, 8, 8)
    plan = WindowPlan((4, 4, 4), 0.5, skip_below=0.0)
    (mask,) = predict_masks(
        lambda x, _: x.new_zeros(len(x), 3, 4, 4, 4), image, TEXT, plan, [grid_of((12, 8, 8))], labels
    )
    assert mask is not None
    assert not mask.any()


def test_rows_before_the_first_bright_window_are_background() -> None:
    image = torch.zeros(1, 1, 30, 4, 4)
    image[:, :, 25:] = 1.0
    plan = WindowPlan((4, 4, 4), 0.5, skip_below=0.0)
    labels = LabelSpace(("a",), ((1,),), exclusive=False)
    (mask,) = predict_masks(lambda x, _: torch.ones_like(x), image, TEXT, plan, [grid_of((30, 4, 4))], labels)
    assert mask is not None
    assert mask[0, :, 0, 0].tolist() == [0] * 22 + [1] * 8, "the first window with a bright voxel begins at 22"


def test_sums_hold_one_row_more_than_a_window() -> None:
    held: list[int] = []
    made = window_sums.WindowSums.__init__

    def watch(self: window_sums.WindowSums, channels: int, rows: int, *rest: object) -> None:
        held.append(rows)
        made(self, channels, rows, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_sums.WindowSums, "__init__", watch)
        image, labels = torch.rand(1, 1, 90, 5, 5), LabelSpace(("a", "b"), ((1,), (2,)))
        predict_masks(Network(3, 3), image, TEXT, WindowPlan((4, 4, 4), 0.5), [grid_of((90, 5, 5))], labels)
    assert held == [5]


def test_a_volume_with_logits_that_are_not_finite_has_no_mask() -> None:
    def forward(image: Tensor, text: Text) -> Tensor:
        return torch.full((len(image), 3, 4, 4, 4), torch.nan if image.max() > 1 else 0.0)

    image = torch.zeros(2, 1, 12, 4, 4)
    image[1, 0, 6, 2, 2] = 2.0
    geometries = [grid_of((12, 4, 4))] * 2
    found = predict_masks(
        forward, image, TEXT, WindowPlan((4, 4, 4), 0.5), geometries, LabelSpace(("a", "b"), ((1,), (2,)))
    )
    assert [mask is None for mask in found] == [False, True]


def test_no_gradient_is_kept() -> None:
    assert not predict_logits(Network(2, 2), torch.rand(1, 1, 9, 9), TEXT, (4, 4), 0.5).requires_grad


def test_options_outside_their_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--model\.windows\.batch 0 is not 1 or more"):
        WindowOptions(batch=0)
    with pytest.raises(ConfigError, match=r"--model\.overlap 1\.0 is not between 0 and 1"):
        WindowOptions().plan((4, 4), 1.0, None)
    with pytest.raises(ConfigError, match=r"--model\.max_windows 0 is not 1 or more"):
        WindowOptions().plan((4, 4), 0.5, 0)
