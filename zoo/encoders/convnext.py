"""ConvNeXt by transformers: built from its sizes, or loaded from a folder or a hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import ConvNextConfig, ConvNextModel

from zoo.encoders.huggingface import BROKEN, fetch, quiet
from zoo.errors import ConfigError

DEPTHS = (3, 3, 9, 3)
"""Blocks a stage of ConvNeXt-T."""


class ConvNeXt(nn.Module):
    """The embedding and the stages of a ConvNeXt, without the final norm that no decoder reads.

    Args:
        in_channels: Of the image.
        widths: Channels a stage.
        weights: A folder in the layout of `save_pretrained`, or a hub repository; empty for random weights.

    Raises:
        ConfigError: The weights cannot be had or read, or have other sizes.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], weights: str = "") -> None:
        super().__init__()
        self.repeat = 3 if in_channels == 1 else 1  # gray images, as the colour ones that the weights know
        sizes: dict[str, Any] = {
            "num_channels": in_channels * self.repeat,
            "hidden_sizes": list(widths),
            "depths": list(DEPTHS[: len(widths)]),
        }
        config = ConvNextConfig(num_stages=len(widths), **sizes)
        model = _load(weights, sizes) if weights else ConvNextModel(config)
        self.embeddings: nn.Module = model.embeddings
        self.stages: nn.ModuleList = model.encoder.stages

    def colour(self, image: Tensor) -> Tensor:
        """[B, 1, H, W] -> [B, 3, H, W]; more channels stay as they are."""
        return image.repeat(1, self.repeat, 1, 1)


def _load(weights: str, sizes: dict[str, Any]) -> Any:
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        folder = fetch({"repo": weights}, "model.safetensors", "pytorch_model.bin", what="vision encoder")
    try:
        with quiet():
            result: Any = ConvNextModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except BROKEN as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{folder}: not a readable ConvNeXt: {line[:200]}.", "Fetch it again.") from error
    model, info = result
    loaded = {key: getattr(model.config, key) for key in sizes}
    if loaded != sizes:
        raise ConfigError(f"{folder}: a ConvNeXt of {loaded}, not {sizes}.", "Fit --model.width and --model.stages.")
    if info["missing_keys"]:  # the library would draw them at random
        raise ConfigError(f"{folder}: {len(info['missing_keys'])} weights are missing.", "Fetch it again.")
    return model
