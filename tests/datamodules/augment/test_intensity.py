"""Each change of intensity equals that of numpy and scipy, and of batchgeneratorsv2 where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from datamodules.augment.intensity import (
    add_noise,
    apply_gamma,
    blur,
    change_contrast,
    change_intensity,
    lower_resolution,
)
from datamodules.augment.params import AugmentParams, draw_params

SHAPES = [(17, 22), (9, 14, 11)]
Floats = NDArray[np.float32]


def image_of(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape))) * 2 + 0.7


@pytest.mark.parametrize("shape", [*SHAPES, (3, 12)])
def test_blur_equals_that_of_scipy(shape: tuple[int, ...]) -> None:
    image, sigmas = image_of(shape), [0.5, 0.83, 1.0][: len(shape)]
    expected = image.numpy().astype(np.float64)
    for axis, sigma in enumerate(sigmas):
        expected = gaussian_filter1d(expected, sigma, axis, mode="mirror", radius=min(3, shape[axis] - 1))
    blur(image, sigmas)
    assert np.abs(image.numpy() - expected).max() < 1e-5


def test_blur_does_not_change_an_axis_with_sigma_0() -> None:
    image = image_of((8, 9))
    expected = gaussian_filter1d(image.numpy(), 0.7, 1, mode="mirror", radius=3)
    blur(image, [0.0, 0.7])
    assert np.allclose(image, expected, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("factor", [0.75, 1.25])
def test_contrast_is_about_the_mean_and_within_the_range(shape: tuple[int, ...], factor: float) -> None:
    image = image_of(shape)
    x = image.numpy().astype(np.float64)
    change_contrast(image, factor)
    assert np.allclose(image, np.clip((x - x.mean()) * factor + x.mean(), x.min(), x.max()), atol=1e-5)


def powered(x: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    y = ((x - x.min()) / (x.max() - x.min())) ** exponent
    return np.asarray((y - y.mean()) / y.std() * x.std() + x.mean())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("exponent", [0.7, 1.5])
def test_gamma_keeps_mean_and_deviation(shape: tuple[int, ...], exponent: float) -> None:
    image = image_of(shape)
    x = image.numpy().astype(np.float64)
    apply_gamma(image, exponent)
    assert np.allclose(image, powered(x, exponent), atol=1e-4)
    assert float(image.mean()) == pytest.approx(x.mean(), abs=1e-4)
    assert float(image.std()) == pytest.approx(x.std(ddof=1), rel=1e-4)


def coarse(x: Floats, small: int, axis: int) -> Floats:
    n = x.shape[axis]
    kept = np.floor((np.arange(small) + 0.5) * n / small).astype(int)
    lines = np.moveaxis(np.take(x, kept, axis), axis, -1)
    at = (np.arange(n) + 0.5) * small / n - 0.5
    back = np.stack([np.interp(at, np.arange(small), line) for line in lines.reshape(-1, small)])
    return np.moveaxis(back.reshape(*lines.shape[:-1], n), -1, axis)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("keep", [0.5, 0.77])
def test_low_resolution_is_nearest_then_linear(shape: tuple[int, ...], keep: float) -> None:
    image = image_of(shape)
    expected = image.numpy()
    for axis in (0, 1):  # the slices of the volume do not change
        expected = coarse(expected, round(shape[axis] * keep), axis)
    lower_resolution(image, keep, (0, 1))
    assert np.allclose(image, expected, atol=1e-5)


def test_noise_has_its_deviation_and_is_reproducible() -> None:
    image, again = torch.zeros(2, 40, 40, 40), torch.zeros(2, 40, 40, 40)
    add_noise(image, 0.07, 5)
    add_noise(again, 0.07, 5)
    assert torch.equal(image, again)
    assert float(image.std()) == pytest.approx(0.07, rel=0.02)
    assert abs(float(image.mean())) < 1e-3
    assert not torch.equal(image[0], image[1])


def test_all_changes_have_the_order_of_nnunet_and_are_made_per_channel() -> None:
    image = image_of((3, 10, 12, 11))
    draw = plain(3)._replace(
        brightness=np.array([1.2, 1, 1]), contrast=np.array([0.8, 1, 1]), gamma=np.array([1.0, 1, 1.3])
    )
    draw = draw._replace(inverted=np.array([1.4, 1.0, 1.0]), shrink=np.array([0.6, 1, 1]))
    draw.blur[0] = [0.6, 0.7, 0.8]
    x = image[0].numpy() * 1
    for axis, sigma in enumerate(draw.blur[0]):
        x = gaussian_filter1d(x, sigma, axis, mode="mirror", radius=3)
    x = x * np.float32(1.2)
    x = np.clip((x - x.mean()) * np.float32(0.8) + x.mean(), x.min(), x.max())
    for axis in range(3):
        x = coarse(x, round(x.shape[axis] * 0.6), axis)
    out = image.clone()
    change_intensity(out, draw)
    assert np.allclose(out[0], -powered(-x.astype(np.float64), 1.4), atol=1e-3)
    assert torch.equal(out[1], image[1])
    assert np.allclose(out[2], powered(image[2].numpy().astype(np.float64), 1.3), atol=1e-4)


def plain(channels: int) -> AugmentParams:
    """Parameters that change nothing."""
    ones = np.ones(channels)
    draw = draw_params(np.random.default_rng(0), channels, (8, 8, 8), (1, 1, 1), ())
    return draw._replace(
        noise=(0.0, 0), blur=np.zeros((channels, 3)), brightness=ones, contrast=ones, shrink=ones, inverted=ones,
        gamma=ones,
    )  # fmt: skip


@pytest.mark.parametrize("value", [0.0, -3.0, 1e4])
def test_a_constant_image_stays_finite(value: float) -> None:
    image = torch.full((1, 6, 7, 8), value)
    twos = np.array([1.3])
    draw = plain(1)._replace(brightness=twos, contrast=twos, inverted=twos, gamma=twos, shrink=np.array([0.5]))
    draw.blur[:] = 0.9
    change_intensity(image, draw)
    assert torch.allclose(image, torch.full_like(image, 1.3 * value), rtol=1e-5)


def test_gamma_contrast_and_low_resolution_equal_those_of_batchgenerators() -> None:
    pytest.importorskip("batchgeneratorsv2")
    from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
    from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
    from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform

    image = image_of((14, 13, 12))
    ours, theirs = image.clone(), image[None].clone()
    change_contrast(ours, 1.2)
    assert torch.allclose(ours, ContrastTransform(1.2, True, False)(image=theirs)["image"][0], atol=1e-5)
    ours, theirs = image.clone(), image[None].clone()
    apply_gamma(ours.neg_(), 0.8)
    assert torch.allclose(-ours, GammaTransform(0.8, 1, False, 1, 1)(image=theirs)["image"][0], atol=1e-4)
    ours, theirs = image.clone(), image[None].clone()
    lower_resolution(ours, 0.6, (0, 1, 2))
    peer = SimulateLowResolutionTransform(0.6, False, True, None)
    assert torch.allclose(ours, peer(image=theirs)["image"][0], atol=1e-5)
