"""The preset "full": shapes, independent samples, reports after a mirror. The preset "light": unchanged results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.augment import augment, margin
from datamodules.augment.params import draw_params
from datamodules.build import build_datamodule
from datamodules.loading.samplers import generator
from tests.helpers.data_sets import make_hippocampus
from zoo.text.laterality import AXIS
from zoo.types import Batch


def batch_of(draws: list[int], channels: int = 1, masks: int = 1, dims: int = 3, size: int = 14) -> Batch:
    """Noise with a bright box near one corner, always the same for a draw."""
    images = []
    for draw in draws:
        image = torch.randn(channels, *[size] * dims, generator=torch.Generator().manual_seed(draw)) * 0.1
        image[(slice(None), *[slice(1, size // 2)] * dims)] += 3
        images.append(image)
    image = torch.stack(images)
    label = (image[:, :1] > 1.5).to(torch.uint8).expand(-1, masks, *[-1] * dims).contiguous()
    return Batch(
        image=image,
        label=label,
        case_id=[str(draw) for draw in draws],
        spacing=torch.ones(len(draws), dims),
        classes=(),
        draw=draws,
    )


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("channels", "masks"), [(1, 1), (3, 1), (4, 3), (2, 9)])
def test_shapes_and_types(dims: int, channels: int, masks: int) -> None:
    batch = batch_of(list(range(12)), channels, masks, dims)
    before = {key: batch[key].clone() for key in ("image", "label")}
    for preset in ("full", "elastic"):
        out = augment(batch, 0, (0,), preset, (10,) * dims)
        assert out["image"].shape == (12, channels, *[10] * dims)
        assert out["label"].shape == (12, masks, *[10] * dims)
        assert (out["image"].dtype, out["label"].dtype) == (torch.float32, torch.uint8)
        assert out["image"].isfinite().all()
        assert set(out["label"].unique().tolist()) <= {0, 1}
        assert all(torch.equal(mask, out["label"][:, 0]) for mask in out["label"].unbind(1))
    assert torch.equal(batch["image"], before["image"])
    assert torch.equal(batch["label"], before["label"])


@pytest.mark.parametrize("preset", ["light", "full", "elastic"])
def test_mixed_and_half_precision_move_no_voxel(preset: str) -> None:
    """Coordinates with eight bits would shift the voxels of a large image, and differently in image and label."""
    batch = batch_of(list(range(24)), dims=2)
    whole = augment(batch, 0, (0, 1), preset, (14,) * 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = augment(batch, 0, (0, 1), preset, (14,) * 2)
    half = Batch(**{**batch, "image": batch["image"].half()})
    halved = augment(half, 0, (0, 1), preset, (14,) * 2)
    assert torch.equal(mixed["image"], whole["image"])
    assert torch.equal(mixed["label"], whole["label"])
    assert torch.equal(halved["label"], whole["label"])
    assert halved["image"].dtype == torch.float16
    torch.testing.assert_close(halved["image"].float(), whole["image"], rtol=0.02, atol=0.02)


def test_a_sample_does_not_depend_on_the_other_samples() -> None:
    draws = list(range(24))
    together = augment(batch_of(draws), 7, (1, 2), "elastic", (12,) * 3)
    again = augment(batch_of(draws[::-1]), 7, (1, 2), "elastic", (12,) * 3)
    for place, draw in enumerate(draws):
        alone = augment(batch_of([draw]), 7, (1, 2), "elastic", (12,) * 3)
        assert torch.equal(alone["image"][0], together["image"][place])
        assert torch.equal(alone["label"][0], together["label"][place])
        assert torch.equal(again["image"][-1 - place], together["image"][place])


def test_a_thousand_draws_are_different_images_except_unchanged_ones() -> None:
    batch = batch_of([0], dims=2)
    images, changes = set(), []
    for draw in range(1000):
        batch["draw"] = [draw]
        images.add(augment(batch, 3, (), "full")["image"].numpy().tobytes())
        drawn = draw_params(generator(3, draw, 2), 1, (14, 14), (1, 1), ())
        factors = [*drawn.brightness, *drawn.contrast, *drawn.inverted, *drawn.gamma]
        small = round(14 * drawn.shrink[0])  # 14 voxels allow few resolutions
        moved = None if drawn.matrix is None else drawn.matrix.tobytes()
        changes.append((moved, drawn.noise[0] and drawn.noise, drawn.blur.tobytes(), small, *factors))
    assert 100 < max(map(changes.count, changes)) < 350  # about a fifth is unchanged, as in nnU-Net
    assert len(images) == len(set(changes)) > 700


def test_another_seed_gives_other_images() -> None:
    draws = list(range(12))
    one, other = (augment(batch_of(draws), seed, (), "full")["image"] for seed in (0, 1))
    assert sum(not torch.equal(a, b) for a, b in zip(one, other, strict=True)) > 8


@pytest.mark.parametrize("dims", [2, 3])
def test_image_and_label_move_together(dims: int) -> None:
    out = augment(batch_of(list(range(40)), dims=dims, size=24), 0, range(dims), "elastic")
    image, inside = out["image"], out["label"] > 0
    assert image[inside].mean() > 2.2
    assert image[~inside].abs().mean() < 0.6


def test_empty_and_full_masks_stay_empty_and_full() -> None:
    batch = batch_of(list(range(30)))
    batch["label"] = torch.zeros_like(batch["label"])
    assert not augment(batch, 0, (0, 1, 2), "full")["label"].any()
    batch["label"] += 1
    out = augment(batch, 0, (0, 1, 2), "full", (6,) * 3)["label"]
    assert out.float().mean() > 0.97
    del batch["label"]
    assert "label" not in augment(batch, 0, (), "full")


@pytest.mark.parametrize("dims", [2, 3])
def test_a_report_follows_a_mirror_and_no_rotation(dims: int) -> None:
    batch = batch_of(list(range(60)), dims=dims, size=16)
    image = torch.full_like(batch["image"], -2.0)
    image.movedim(2 + AXIS[dims], -1)[..., :8] = 2.0  # left is bright
    batch["image"] = image
    batch["reports"] = ["Bright on the left."] * 60
    out = augment(batch, 3, range(dims), "full")
    halves = out["image"].movedim(2 + AXIS[dims], -1)
    left = halves[..., :8].flatten(1).mean(1) > halves[..., 8:].flatten(1).mean(1)
    assert out["reports"] == [f"Bright on the {'left' if bright else 'right'}." for bright in left.tolist()]
    assert len(set(out["reports"])) == 2
    assert augment(batch, 3, (1 - AXIS[dims],), "full")["reports"] == batch["reports"]


def test_a_margin_changes_no_patch(tmp_path: Path) -> None:
    made = {
        preset: build_datamodule(
            "hippocampus", "tiny", root=str(make_hippocampus(tmp_path / preset, 6)), patch=[12, 10, 11],
            epoch_samples=6, augment=preset,
        )
        for preset in ("none", "full")
    }  # fmt: skip
    for data in made.values():
        data.setup("fit")
    more = margin("full", (12, 10, 11))
    inner = tuple(slice(m, -m) for m in more)
    for plain, wide in zip(made["none"].train_dataloader(), made["full"].train_dataloader(), strict=True):
        assert plain["case_id"] == wide["case_id"]
        for key in ("image", "label"):
            assert torch.equal(wide[key][(..., *inner)], plain[key])
        out = made["full"].on_after_batch_transfer(wide, 0)
        assert out["image"].shape == plain["image"].shape
        assert out["label"].shape == plain["label"].shape
    assert made["full"].facts == made["none"].facts


def test_workers_change_nothing(tmp_path: Path) -> None:
    data = build_datamodule(
        "hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 6)), patch=[12, 12, 12], epoch_samples=8,
        augment="full",
    )  # fmt: skip
    data.setup("fit")
    alone = [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]
    data.num_workers = 1
    for one, other in zip(alone, data.train_dataloader(), strict=True):
        out = data.on_after_batch_transfer(other, 0)
        assert torch.equal(one["image"], out["image"])
        assert torch.equal(one["label"], out["label"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("dims", [2, 3])
def test_a_gpu_gives_the_same_images_except_for_noise(dims: int) -> None:
    draws = [n for n in range(60) if not draw_params(generator(0, n, 2), 2, (12,) * dims, [1] * dims, ()).noise[0]]
    batch = batch_of(draws, 2, 3, dims)
    there = {key: value.cuda() if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
    cpu, gpu = (augment(b, 0, (), "full", (12,) * dims) for b in (batch, Batch(**there)))  # type: ignore[typeddict-item]
    assert gpu["image"].is_cuda
    assert torch.allclose(gpu["image"].cpu(), cpu["image"], atol=1e-3)
    assert (gpu["label"].cpu() != cpu["label"]).float().mean() < 1e-4


@pytest.mark.parametrize(
    ("dims", "values", "sums", "labels"),
    [
        (2, [0.50103, -0.0068, -0.18313, -0.07353, -0.05281, -0.54188], (-19.8861, 28.1893), (252, 33613)),
        (3, [-0.09968, 0.01642, 0.04602, -0.1343, -0.05673, -0.13072], (-220.2553, 181.0005), (2866, 10857)),
    ],
)
def test_the_preset_light_never_changes(
    dims: int, values: list[float], sums: tuple[float, float], labels: tuple[int, int]
) -> None:
    """The values are those of the first version, with which results were measured."""
    place = torch.arange(2 * 12**dims).reshape(2, 1, *[12] * dims)
    batch = Batch(
        image=((place * 37) % 101).float() / 50 - 1,
        label=((place // 12) % 3).to(torch.uint8),
        case_id=["a", "b"],
        spacing=torch.tensor([[1.0] * (dims - 1) + [2.0]] * 2),
        classes=(),
        draw=[5, 77],
    )
    out = augment(batch, 3, (0, dims - 1), "light")
    image, label = out["image"], out["label"]
    assert np.allclose(image.flatten()[:: image.numel() // 6][:6], values, atol=1e-4)
    found = image.double()
    assert (float(found.sum()), float((found**2).sum())) == pytest.approx(sums, abs=1e-2)
    weighted = (label.flatten().long() * torch.arange(label.numel())).sum()
    assert (int(label.sum()), int(weighted) % 100003) == labels
