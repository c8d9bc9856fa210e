"""`--device`: where the commands that use a trained model compute."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from zoo.errors import ConfigError, first_line

if TYPE_CHECKING:
    from zoo.segment.segmenter import Segmenter


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="cpu, cuda, cuda:1, ... (default: auto)")


def move_to_device(segmenter: Segmenter, device: str) -> None:
    """Move a model to a device; "auto" is a GPU if there is one.

    Raises:
        ConfigError: There is no such device.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        segmenter.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {device}: {first_line(error)}.", "Use --device cpu.") from error
