"""nnU-Net: the parameters of the release, any stride per axis, deep supervision, and mirrors at test time."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from zoo import make_facts
from zoo.errors import ConfigError
from zoo.inference import average_mirrored
from zoo.losses.deep_supervision import shrink_label, supervise_deeply
from zoo.losses.segmentation import LossOptions, SegmentationLoss
from zoo.models.nnunet import NNUNet, ResEncUNet
from zoo.types import Text

FLAT: dict[str, Any] = {"features": [4, 8, 8], "strides": [[1, 1, 1], [2, 2, 1], [2, 2, 2]]}


def exclusive(classes: int, dims: int) -> dict[str, Any]:
    facts = make_facts([f"c{n}" for n in range(classes)], patch=[64] * dims)
    facts["labels"]["exclusive"] = True
    return facts


@pytest.mark.parametrize(
    ("kind", "dims", "classes", "features", "parameters"),
    [
        (NNUNet, 3, 2, None, 31_196_399),
        (NNUNet, 2, 1, None, 33_471_820),
        (NNUNet, 2, 1, [32, 64, 128, 256, 512, 512, 512, 512], 46_324_558),
        (ResEncUNet, 3, 2, None, 102_350_575),
        (ResEncUNet, 3, 2, [32, 64, 128, 256, 320, 320, 320], 141_890_738),
        (ResEncUNet, 2, 1, None, 105_916_812),
        (ResEncUNet, 2, 1, [32, 64, 128, 256, 512, 512, 512, 512], 140_017_038),
    ],
)
def test_the_networks_have_the_parameters_of_the_release(
    kind: type[NNUNet], dims: int, classes: int, features: list[int] | None, parameters: int
) -> None:
    with torch.device("meta"):
        model = kind(exclusive(classes, dims), features=features)
    assert sum(weight.numel() for weight in model.parameters()) == parameters


@pytest.mark.parametrize("kind", [NNUNet, ResEncUNet])
def test_each_axis_has_its_own_stride_and_only_the_lowest_head_is_not_trained(kind: type[NNUNet]) -> None:
    torch.manual_seed(0)
    model = kind(make_facts(["a"], patch=[16, 16, 8]), **FLAT)
    image = torch.randn(2, 1, 13, 16, 7)
    batch: Any = {"image": image, "label": (image > 0).to(torch.uint8)}
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):  # a residual block starts as its skip, so that its convolutions are reached in the second step
        optimiser.zero_grad()
        output = model.forward_features(image, Text(model.facts.prompts))
        model.total_loss(model.compute_losses(batch, output)).backward()
        optimiser.step()
    assert output.logits.shape == image.shape
    assert {stride: tuple(side.shape[2:]) for stride, side in output.extra["sides"].items()} == {(2, 2, 1): (8, 8, 8)}
    still = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == ["lowest_head.weight", "lowest_head.bias"]


def test_a_volume_equals_itself_in_a_wider_batch_without_deep_supervision() -> None:
    torch.manual_seed(0)
    model = NNUNet(make_facts(["a"], patch=[16, 16]), features=[4, 8, 8], deep_supervision=False)
    assert [name for name, _ in model.named_parameters() if "head" in name] == ["heads.0.weight", "heads.0.bias"]
    output = model.forward_features(torch.randn(1, 1, 16, 16), Text(model.facts.prompts))
    assert output.extra["sides"] == {}


def test_the_weights_of_deep_supervision_halve_and_the_last_is_nothing() -> None:
    torch.manual_seed(0)
    loss = SegmentationLoss(False, LossOptions())
    label = (torch.randn(2, 1, 8, 8, 4) > 0).to(torch.uint8)
    full, half, low = (torch.randn(2, 1, *size) for size in ((8, 8, 4), (4, 4, 4), (2, 2, 2)))
    found = supervise_deeply(loss, full, {(2, 2, 1): half, (4, 4, 2): low}, label, without_last=True)
    parts = [loss(full, label), loss(half, label[..., 1::2, 1::2, :])]
    for name, value in found.items():
        torch.testing.assert_close(value, (parts[0][name] + parts[1][name] / 2) / 1.5)
    assert shrink_label(label, 4).shape[2:] == (2, 2, 1)


def test_mirrors_average_over_the_flips_of_the_data_alone() -> None:
    torch.manual_seed(0)
    facts = {**make_facts(["a"], patch=[16, 16]), "flips": [1]}
    model = NNUNet(facts, features=[4, 8, 8], mirror=True).eval()
    image, text = torch.randn(1, 1, 16, 16), Text(model.facts.prompts)
    with torch.no_grad():
        mean = (model(image, text) + model(image.flip(3), text).flip(3)) / 2
        found = average_mirrored(model, model.facts.flips)(image, text)
        batch: Any = {"image": image, "classes": model.facts.prompts}
        torch.testing.assert_close(model.predict_logits(batch), mean)
    torch.testing.assert_close(found, mean)


def test_dice_over_the_batch_is_for_pictures_alone() -> None:
    options = LossOptions(dice_per="batch_in_2d")
    assert [options.for_axes(dims).dice_per for dims in (2, 3)] == ["batch", "image"]
    model = NNUNet(make_facts(["a"], patch=[16, 16]), features=[4, 8], loss=options)
    assert model.loss.dice_per == "batch"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strides": [[1, 1], [2, 2]]}, "strides has 2 stages, and --model.features has 3"),
        ({"strides": [[2, 2]] * 3}, "strides begins with 1"),
        ({"kernels": [[2, 2]] * 3}, "odd numbers"),
        ({"kernels": [[3]] * 3}, "no number per axis"),
        ({"strides": [[1, 1, 1]] * 3, "kernels": [[3, 3, 3]] * 3}, "strides is not of 2 axes"),
        ({"decoder_convs": 0}, "decoder_convs 0"),
    ],
)
def test_a_shape_that_is_none_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NNUNet(make_facts(["a"], patch=[16, 16]), **{"features": [4, 8, 8], **options})
