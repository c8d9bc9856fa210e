"""The ConvNeXt vision encoder, by transformers: built from its sizes, or loaded from a folder or a hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from torch import Tensor, nn
from transformers import ConvNextConfig, ConvNextModel

from zoo.encoders.huggingface import BROKEN, fetch, is_commit, quiet
from zoo.encoders.staged_encoder import StagedEncoder
from zoo.encoders.vision_weights import HUB_FILES, PACKAGE, find_weights
from zoo.errors import ConfigError, first_line

DEPTHS = (3, 3, 9, 3)
"""Blocks per stage of ConvNeXt-T."""


class ConvNeXtEncoder(StagedEncoder):
    """ConvNeXt-T of the LanGuideMedSeg family, 2D: stem at stride 4, depths 3, 3, 9, 3.

    Liu et al., "A ConvNet for the 2020s" (CVPR 2022), in the implementation of transformers.

    Args:
        in_channels: Channels of the image. A gray image is repeated to three channels.
        width: Channels of the stem (96 in ConvNeXt-T).
        stages: Stages after the first (3 in ConvNeXt-T).
        weights: A folder, "package:NAME" for an installed package, or a hub repository of a ConvNeXt, `REPO` or
            `REPO@COMMIT`; empty for random weights.
    """

    limits = "2D, up to 3 stages, with weights"
    stem_stride = 4

    def __init__(self, in_channels: int, width: int, stages: int, weights: str = "") -> None:
        super().__init__()
        self.widths = tuple(width * 2**i for i in range(stages + 1))
        self.net = ConvNeXt(in_channels, self.widths, weights)

    @classmethod
    def supports(cls, spatial_dims: int, stages: int, weights: str) -> bool:
        """See the base class."""
        return stages <= 3 and spatial_dims == 2

    @classmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """See the base class."""
        return cls(in_channels, width, stages, weights)

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.net.stages[0](self.net.embeddings(self.net.colour(image)))
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.net.stages[index](x)
        return out


class ConvNeXt(nn.Module):
    """The embedding and the stages of a ConvNeXt, without the final norm, which no decoder reads.

    Args:
        in_channels: Channels of the image.
        widths: Channels per stage.
        weights: A folder in the layout of `save_pretrained`, or a hub repository, `REPO` or `REPO@COMMIT`; empty for
            random weights.

    Raises:
        ConfigError: The weights cannot be downloaded or read, or have other sizes.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], weights: str = "") -> None:
        super().__init__()
        self.repeat = 3 if in_channels == 1 else 1  # the weights are those of colour images
        sizes: dict[str, Any] = {
            "num_channels": in_channels * self.repeat,
            "hidden_sizes": list(widths),
            "depths": list(DEPTHS[: len(widths)]),
        }
        config = ConvNextConfig(num_stages=len(widths), **sizes)
        model = _load(weights, sizes) if weights else ConvNextModel(config)
        self.name, self.revision = weights, _version(model, weights) if weights else ""  # the record of a run has them
        self.embeddings: nn.Module = model.embeddings
        self.stages: nn.ModuleList = model.encoder.stages

    def colour(self, image: Tensor) -> Tensor:
        """Repeat a gray image [B, 1, H, W] to [B, 3, H, W]; leave more channels unchanged."""
        return image.repeat(1, self.repeat, 1, 1)


def _version(model: Any, weights: str) -> str:
    """Return the commit of a model from a hub, the version of a package, "local" for a folder."""
    if weights.startswith(PACKAGE):
        return find_weights(weights)[1]
    name = Path(model.name_or_path).name  # a snapshot of a hub is a folder with the name of its commit
    return name if is_commit(name) else "local"


def _load(weights: str, sizes: dict[str, Any]) -> Any:
    folder = Path(weights).expanduser()
    if weights.startswith(PACKAGE):
        folder = find_weights(weights)[0].parent
    elif not folder.is_dir():
        repo, _, revision = weights.partition("@")
        card = {"repo": repo, "revision": revision or "main"}
        folder = fetch(card, *HUB_FILES, what="vision encoder")
    try:
        with quiet():
            result: Any = ConvNextModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except BROKEN as error:
        raise ConfigError(
            f"{folder}: not a readable ConvNeXt: {first_line(error)[:200]}.", "Download the folder again."
        ) from error
    model, info = result
    loaded = {key: getattr(model.config, key) for key in sizes}
    if loaded != sizes:
        raise ConfigError(f"{folder}: a ConvNeXt of {loaded}, not {sizes}.", "Change --model.width and --model.stages.")
    if info["missing_keys"]:  # the library would initialise them at random
        raise ConfigError(f"{folder}: {len(info['missing_keys'])} weights are missing.", "Download the folder again.")
    return model
