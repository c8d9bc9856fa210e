"""Every model exported with its smallest network, and the table of `docs/export.md`.

`python -m tests.helpers.exported_models` exports all models and prints the table; names restrict it.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tests.helpers.model_cases import ModelCase, model_cases, network
from zoo.errors import ZooError
from zoo.export.exporting import export_model
from zoo.export.parity import Case
from zoo.preprocessing import PreprocessingSpec
from zoo.preprocessing.training_input import TrainingInput
from zoo.segment.segmenter import Segmenter
from zoo.types import Text

PATCHES = {2: (64, 64), 3: (32, 32, 32)}
"""Patches with more than one place in the deepest map of most networks, so that other sizes are possible."""

HEAD = ("model", "axes", "text", "sizes", "largest difference", "in other sizes")


def export_smallest(case: ModelCase, format_name: str, out: Path) -> dict[str, Any]:
    """Export the smallest network of a case, check it on an image of several windows, and return its description."""
    torch.manual_seed(0)
    small = network(case)
    model = replace(small, facts=replace(small.facts, patch=PATCHES[case.dims])).build(small.smallest).eval()
    unit = "mm" if case.dims == 3 else "px"
    segmenter = Segmenter(model, TrainingInput({"": PreprocessingSpec()}, unit))
    image = torch.randn(1, model.facts.in_channels, *(size + 8 for size in model.facts.patch))
    reports = None if model.facts.track == "class" else ("Two infected areas in the left lung.",)
    text = Text(model.facts.prompts, reports)
    return export_model(segmenter, format_name, out, Case("noise", image, text))[0]


def row_of(case: ModelCase, format_name: str = "onnx") -> list[str]:
    """Export a case, and return its row of the table."""
    name, axes = case.card.name, f"{case.dims}D"
    with tempfile.TemporaryDirectory() as folder:
        try:
            about = export_smallest(case, format_name, Path(folder) / "out")
        except ZooError as error:
            return [name, axes, "", "", f"not exported: {error.problem}", ""]
    batch, _, *sizes = about["inputs"]["image"]
    free = [size for size in sizes if isinstance(size, dict)]
    shown = f"multiples of {free[0]['multiple_of']}" if free and free[0]["multiple_of"] > 1 else "any"
    sized = shown if free else "the patch"
    text = "none" if about["text"] is None else about["text"]["kind"]
    parity = about["parity"]
    other = parity.get("other_largest_difference")
    return [
        name, axes, text, sized if isinstance(batch, dict) else f"{sized}, one image",
        f"{parity['largest_difference']:.0e}", "" if other is None else f"{other:.0e}",
    ]  # fmt: skip


def main(names: list[str]) -> None:
    """Print the table, row by row."""
    for row in (HEAD, ["---"] * len(HEAD)):
        _print(row)
    for case in model_cases():
        if case.card.name in names or str(case) in names or not names:
            _print(row_of(case))


def _print(row: Any) -> None:
    sys.stdout.write(f"| {' | '.join(row)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
