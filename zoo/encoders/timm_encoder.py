"""The networks of timm as vision encoders, in 2D: built with random weights, or loaded.

Wightman, "PyTorch Image Models" (https://github.com/huggingface/pytorch-image-models).
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Self

import timm
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import FeatureListNet, adapt_input_conv
from torch import Tensor, nn

from zoo.encoders.staged_encoder import StagedEncoder
from zoo.encoders.vision_weights import assign_tensors, find_weights, read_tensors
from zoo.errors import ConfigError, first_line

COLOURS = 3
"""Channels of the images that timm's networks were made for."""


class TimmEncoder(StagedEncoder):
    """A network of timm up to one of its feature maps.

    timm's list of features gives strides and widths. A gray image is repeated to three channels. An image of mean 0 and
    deviation 1, as every 2D data set of the zoo gives, first gets the mean and deviation of ImageNet's images after the
    normalisation that the weights expect. Both hold for random weights too, so that only the weights differ.

    Args:
        network: A name of `timm.list_models()`.
        in_channels: Channels of the image.
        stages: Stages after the first feature map.
        weights: See `find_weights`; empty for random weights.

    Raises:
        ConfigError: timm does not have the network, the network does not halve its maps stage by stage or has fewer
            stages, or the weights do not fit.

    Example:
        >>> encoder = TimmEncoder("mobilenetv3_small_050", in_channels=1, stages=2)
        >>> encoder.widths, encoder.stem_stride
        ((16, 8, 16), 2)
    """

    limits = "NAME of timm, 2D"

    def __init__(self, network: str, in_channels: int, stages: int, weights: str = "") -> None:
        super().__init__()
        self.repeat = COLOURS if in_channels == 1 else 1
        model = _create(network, in_channels * self.repeat)
        config: dict[str, Any] = model.pretrained_cfg
        self.name, self.revision = f"timm:{network} {weights}", ""  # the record of a run has both
        if weights:
            self.revision = _load(model, config, weights, in_channels * self.repeat)
        info = getattr(model.feature_info, "info", model.feature_info)
        strides = [int(one["reduction"]) for one in info]
        _check_strides(network, strides, stages)
        self.widths = tuple(int(one["num_chs"]) for one in info[: stages + 1])
        self.stem_stride = strides[0]
        self.levels = nn.ModuleList(nn.Sequential(*level) for level in _split(network, model, stages))
        scale, shift = normalisation(config, in_channels * self.repeat)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        self._check(network, model)

    scale: Tensor
    shift: Tensor

    @classmethod
    def supports(cls, spatial_dims: int, stages: int, weights: str) -> bool:
        """See the base class."""
        return spatial_dims == 2

    @classmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """See the base class. The network has its own widths, so `width` is not read."""
        return cls(network, in_channels, stages, weights)

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.levels[0](self._normalise(image))
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.levels[index](x)
        return out

    def _normalise(self, image: Tensor) -> Tensor:
        return image.repeat(1, self.repeat, 1, 1) * self.scale + self.shift

    @torch.no_grad()
    def _check(self, network: str, model: nn.Module) -> None:
        """Check that the stages, one after the other, compute what the whole network computes."""
        training = model.training
        model.eval()
        self.eval()
        side = 2 * self.stride
        image = torch.linspace(-1, 1, side * side).view(1, 1, side, side)
        image = image.expand(-1, self.scale.shape[1] // self.repeat, -1, -1)
        try:
            maps = self(image)
            forward: Any = model.forward_intermediates
            whole: Sequence[Tensor] = forward(self._normalise(image), intermediates_only=True)
        except (AttributeError, AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise _unusable(network, first_line(error)[:120]) from error
        finally:
            self.train(training)
        for level, (width, one) in enumerate(zip(self.widths, maps, strict=True)):
            if tuple(one.shape[1:]) != (width, *[side // (self.stem_stride * 2**level)] * 2):
                raise _unusable(network, f"a map has the shape {list(one.shape[1:])}")
            if not any(one.shape == other.shape and torch.allclose(one, other, atol=1e-4) for other in whole):
                raise _unusable(network, "its stages alone compute another result")


def _create(network: str, channels: int) -> Any:
    if not timm.is_model(network):
        near = get_close_matches(network, timm.list_models(), n=3, cutoff=0.5)
        hint = f"Near names: {', '.join(near)}." if near else "`timm.list_models()` has the names."
        raise ConfigError(f"--model.vision timm:{network}: timm {timm.__version__} has no such network.", hint)
    try:
        return timm.create_model(network, pretrained=False, in_chans=channels)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise _unusable(network, first_line(error)[:120]) from error


def _load(model: nn.Module, config: dict[str, Any], weights: str, channels: int) -> str:
    """Load the weights, and return their version."""
    file, version = find_weights(weights, str(config.get("hf_hub_id") or ""))
    tensors = read_tensors(file)
    first = config.get("first_conv") or ()
    if channels != COLOURS:
        for name in [first] if isinstance(first, str) else first:
            if f"{name}.weight" in tensors:
                tensors[f"{name}.weight"] = adapt_input_conv(channels, tensors[f"{name}.weight"])
    classifier = config.get("classifier")
    assign_tensors(model, tensors, file, unused=classifier if isinstance(classifier, str) else "")
    return version


def _check_strides(network: str, strides: list[int], stages: int) -> None:
    if any(fine * 2 != coarse for fine, coarse in pairwise(strides)) or strides[0] & (strides[0] - 1):
        raise _unusable(network, f"its maps have the strides {', '.join(map(str, strides))}")
    if stages >= len(strides):
        raise ConfigError(
            f"--model.vision timm:{network} has {len(strides) - 1} stages after its first map (strides "
            f"{', '.join(map(str, strides))}), not {stages}.",
            f"Give --model.stages {len(strides) - 1} or less.",
        )


def _split(network: str, model: nn.Module, stages: int) -> list[list[nn.Module]]:
    """Return the modules of each level, in the order in which the network runs them."""
    for flat in (False, True):
        try:
            features = FeatureListNet(model, out_indices=tuple(range(stages + 1)), flatten_sequential=flat)
        except AssertionError:  # the end of a stage is inside a container
            continue
        levels: list[list[nn.Module]] = [[]]
        for name, module in features.items():
            levels[-1].append(module)
            if name in features.return_layers:
                levels.append([])
        return levels[: stages + 1]
    raise _unusable(network, "its stages are not separate modules")


def normalisation(config: dict[str, Any], channels: int) -> tuple[Tensor, Tensor]:
    """Compute scale and shift [1, C, 1, 1] that give an image of mean 0 and deviation 1 what weights expect.

    Args:
        config: The `mean` and `std` per colour that the weights expect; those of ImageNet where they are absent.
        channels: Channels of the image. Other numbers than three get the mean over the colours.
    """
    mean, deviation = (torch.tensor(config.get(key) or default) for key, default in _STATISTICS)
    usual_mean, usual_deviation = (torch.tensor(default) for _, default in _STATISTICS)
    scale, shift = usual_deviation / deviation, (usual_mean - mean) / deviation
    if channels != COLOURS:
        scale, shift = scale.mean().expand(channels), shift.mean().expand(channels)
    return scale.clone().view(1, -1, 1, 1), shift.clone().view(1, -1, 1, 1)


_STATISTICS = (("mean", IMAGENET_DEFAULT_MEAN), ("std", IMAGENET_DEFAULT_STD))


def _unusable(network: str, reason: str) -> ConfigError:
    return ConfigError(
        f"--model.vision timm:{network} cannot be run stage by stage on images of any size: {reason}.",
        "Choose a network whose maps halve from stage to stage, such as timm:resnet18 or timm:tf_efficientnet_lite0.",
    )
